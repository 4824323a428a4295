/*-------------------------------------------------------------------------
 *
 * json_flat.c
 *		Reads elements that can be used in place.
 *
 * A plain string has no escape, no control character, and is valid UTF-8; a
 * flat object has few members, all plain strings of different names.  They
 * are validated on the pass that finds their end, and their keys and values
 * stay where they stand.
 *
 *-------------------------------------------------------------------------
 */
#include "json_flat.h"

/*
 * Behind the UTF-8 sequence that begins at p; end if it is cut there, NULL if
 * it is none: overlong, a surrogate, past U+10FFFF (RFC 3629, table 3-7 of
 * the Unicode standard; jansson's rule is the same).
 */
static const char *
skip_utf8(const char *p, const char *end)
{
	unsigned char first = (unsigned char) *p;
	unsigned char low = 0x80;
	unsigned char high = 0xBF;
	int			more;

	if (first >= 0xC2 && first <= 0xDF)
		more = 1;
	else if (first >= 0xE0 && first <= 0xEF)
		more = 2;
	else if (first >= 0xF0 && first <= 0xF4)
		more = 3;
	else
		return NULL;

	/* only the second byte has a narrower range */
	if (first == 0xE0)
		low = 0xA0;
	else if (first == 0xED)
		high = 0x9F;
	else if (first == 0xF0)
		low = 0x90;
	else if (first == 0xF4)
		high = 0x8F;

	for (p++; more > 0; more--, p++)
	{
		if (p == end)
			return end;
		if ((unsigned char) *p < low || (unsigned char) *p > high)
			return NULL;
		low = 0x80;
		high = 0xBF;
	}
	return p;
}

/*
 * The closing quote of the string whose inside begins at p; end if the bytes
 * run out, NULL if the string cannot be used as it stands.
 */
static inline const char *
find_quote(const char *p, const char *end)
{
	for (;;)
	{
		p = skip_plain(p, end);
		if (p == end || *p == '"')
			return p;
		if ((unsigned char) *p < 0x80)
			return NULL;
		p = skip_utf8(p, end);
		if (p == NULL)
			return NULL;
	}
}

/* Takes a plain string at *p, which moves behind it */
static inline SgipFlatResult
take_string(const char **p, const char *end, SgipSpan *span)
{
	const char *quote;

	if (*p == end)
		return SGIP_FLAT_SHORT;
	if (**p != '"')
		return SGIP_FLAT_ODD;
	quote = find_quote(*p + 1, end);
	if (quote == NULL)
		return SGIP_FLAT_ODD;
	if (quote == end)
		return SGIP_FLAT_SHORT;
	span->data = *p + 1;
	span->len = (size_t) (quote - span->data);
	*p = quote + 1;
	return SGIP_FLAT_DONE;
}

/* Takes the colon at *p with the space around it */
static inline SgipFlatResult
take_colon(const char **p, const char *end)
{
	*p = skip_space(*p, end);
	if (*p == end)
		return SGIP_FLAT_SHORT;
	if (**p != ':')
		return SGIP_FLAT_ODD;
	*p = skip_space(*p + 1, end);
	return SGIP_FLAT_DONE;
}

/* Is the key of the latest member that of an earlier one? */
static inline bool
repeats_key(const SgipElement *element, int latest)
{
	const SgipSpan *key = &element->members[latest].key;
	int			i;

	for (i = 0; i < latest; i++)
	{
		const SgipSpan *other = &element->members[i].key;

		if (other->len == key->len && memcmp(other->data, key->data, key->len) == 0)
			return true;
	}
	return false;
}

/*
 * Takes a flat object at *p: members are plain strings, few, and of different
 * names.
 */
static SgipFlatResult
take_flat(const char **p, const char *end, SgipElement *element)
{
	int			n = 0;

	*p = skip_space(*p + 1, end);
	if (*p < end && **p == '}')
		(*p)++;
	else
	{
		for (;;)
		{
			SgipFlatResult result;

			if (n == SGIP_JSON_MAX_FLAT)
				return SGIP_FLAT_ODD;
			if ((result = take_string(p, end, &element->members[n].key)) != SGIP_FLAT_DONE ||
				(result = take_colon(p, end)) != SGIP_FLAT_DONE ||
				(result = take_string(p, end, &element->members[n].value)) != SGIP_FLAT_DONE)
				return result;
			if (repeats_key(element, n))
				return SGIP_FLAT_ODD;
			n++;
			*p = skip_space(*p, end);
			if (*p == end)
				return SGIP_FLAT_SHORT;
			if (**p == '}')
				break;
			if (**p != ',')
				return SGIP_FLAT_ODD;
			*p = skip_space(*p + 1, end);
		}
		(*p)++;
	}
	element->form = SGIP_ELEMENT_FLAT;
	element->member_count = n;
	return SGIP_FLAT_DONE;
}

/* Takes the element at *p if it can be used in place. */
SgipFlatResult
sgip_flat_read(const char **p, const char *end, SgipElement *element)
{
	if (**p == '{')
		return take_flat(p, end, element);
	element->form = SGIP_ELEMENT_STRING;
	return take_string(p, end, &element->string);
}
