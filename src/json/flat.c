/*-------------------------------------------------------------------------
 *
 * flat.c
 *		Reads elements that can be used in place.
 *
 * A plain string has no escape, no control character, and is valid UTF-8; a
 * flat object has few members, all plain strings of different names.  They
 * are validated on the pass that finds their end, and their keys and values
 * stay where they stand.
 *
 *-------------------------------------------------------------------------
 */
#include "json/flat.h"

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

/* Does the gap stand at p, where as many bytes as the longest can be read? */
static inline bool
gap_fits(const SgipFlatPattern *pattern, int gap, const char *p)
{
#ifdef SGIP_JSON_SSE2
	__m128i		here = _mm_loadu_si128((const __m128i *) p);
	__m128i		known = _mm_loadu_si128((const __m128i *) pattern->gaps[gap].text);
	unsigned	same = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(here, known));

	/* the lowest byte that differs lies behind the gap */
	return (unsigned) __builtin_ctz(~same) >= (unsigned) pattern->gaps[gap].len;
#else
	return memcmp(p, pattern->gaps[gap].text, (size_t) pattern->gaps[gap].len) == 0;
#endif
}

/*
 * Takes an object that is made like the one before; *p and what *element is
 * worth stay as they are if it is not, or if it is too near to the end.
 */
static inline bool
take_alike(const char **p, const char *end, const SgipFlatPattern *pattern, SgipElement *element)
{
	const char *at = *p;
	int			i;

	for (i = 0; end - at >= SGIP_FLAT_GAP_BYTES && gap_fits(pattern, i, at); i++)
	{
		const char *quote;

		if (i == pattern->value_count)
		{
			*p = at + pattern->gaps[i].len;
			element->form = SGIP_ELEMENT_FLAT;
			element->member_count = i;
			return true;
		}
		element->members[i].key.data = at + pattern->gaps[i].key_at;
		element->members[i].key.len = (size_t) pattern->gaps[i].key_len;
		at += pattern->gaps[i].len;
		quote = find_quote(at, end);
		if (quote == NULL || quote == end)
			return false;
		element->members[i].value.data = at;
		element->members[i].value.len = (size_t) (quote - at);
		at = quote;
	}
	return false;
}

/* Remembers how the object from start to end is made, unless a gap is too long. */
static void
remember(SgipFlatPattern *pattern, const char *start, const char *end, const SgipElement *element)
{
	const char *at = start;
	int			i;

	pattern->value_count = 0;
	for (i = 0; i <= element->member_count; i++)
	{
		bool		last = i == element->member_count;
		const char *stop = last ? end : element->members[i].value.data;

		if (stop - at > SGIP_FLAT_GAP_BYTES)
			return;
		memset(pattern->gaps[i].text, 0, SGIP_FLAT_GAP_BYTES);
		memcpy(pattern->gaps[i].text, at, (size_t) (stop - at));
		pattern->gaps[i].len = (int) (stop - at);
		if (last)
			break;
		pattern->gaps[i].key_at = (int) (element->members[i].key.data - at);
		pattern->gaps[i].key_len = (int) element->members[i].key.len;
		at = stop + element->members[i].value.len;
	}
	pattern->value_count = element->member_count;
}

SgipFlatResult
sgip_flat_read(const char **p, const char *end, SgipFlatPattern *pattern, SgipElement *element)
{
	const char *start = *p;
	SgipFlatResult result;

	if (*start != '{')
	{
		element->form = SGIP_ELEMENT_STRING;
		return take_string(p, end, &element->string);
	}
	if (pattern->value_count > 0 && take_alike(p, end, pattern, element))
		return SGIP_FLAT_DONE;
	result = take_flat(p, end, element);
	if (result == SGIP_FLAT_DONE)
		remember(pattern, start, *p, element);
	return result;
}
