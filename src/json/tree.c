/*-------------------------------------------------------------------------
 *
 * tree.c
 *		Values that are not plain: a wrapper around jansson.
 *
 * jansson decides what is valid, and decodes.  It keeps no number as it was
 * written, and this API's prices must not pass through a double; so its tree
 * is put onto a tape together with a walk through the text, which knows the
 * numbers.  A number beyond a double's range (1e999) is refused by jansson, a
 * long integer is not.
 *
 *-------------------------------------------------------------------------
 */
#include "json/tree.h"

#include <stdio.h>

#include <jansson.h>

/* json_error_code() came with 2.11; members keep their order since 2.8 */
#if JANSSON_VERSION_HEX < 0x020b00
#error "jansson 2.11 or newer is needed"
#endif

/*
 * How jansson is to read.  JSON_DECODE_ANY: an element may be a string.
 * JSON_DECODE_INT_AS_REAL: integers past 64 bits are not refused; nothing is
 * lost by it, because the value that jansson computes is never looked at.
 */
#define PARSE_FLAGS \
	(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL)

/* A search for the numbers in text that jansson accepted */
typedef struct Walk
{
	const char *at;
	const char *end;
	SgipTape   *tape;
	bool		unclear;		/* there were fewer numbers than jansson saw */
} Walk;

/* The next number, as it is written; empty if there is none. */
static SgipSpan
next_number(Walk *walk)
{
	const char *p = walk->at;
	SgipSpan	number;
	bool		in_string = false;

	for (; p < walk->end; p++)
	{
		if (*p == '"')
			in_string = !in_string;
		else if (in_string && *p == '\\' && walk->end - p > 1)
			p++;
		else if (!in_string && (*p == '-' || (*p >= '0' && *p <= '9')))
			break;
	}
	number.data = p;
	while (p < walk->end && strchr(" \n\r\t,]}", *p) == NULL)
		p++;
	number.len = (size_t) (p - number.data);
	walk->at = p;
	return number;
}

/* Adds a value with its text; false when out of memory. */
static bool
put(Walk *walk, SgipValueKind kind, const char *text, size_t len)
{
	size_t		at = walk->tape->text.len;

	return sgip_buffer_add(&walk->tape->text, text, len) &&
		sgip_tape_add(walk->tape, kind, at, len) != NULL;
}

/* Adds a value, and all in it in the order of the text; false when out of memory. */
static bool
put_value(Walk *walk, json_t *value)
{
	uint32_t	index = walk->tape->count;
	uint8_t		contents = 0;
	SgipSpan	number;
	const char *key;
	json_t	   *part;
	size_t		i;

	switch (json_typeof(value))
	{
		case JSON_STRING:
			return put(walk, SGIP_VALUE_STRING, json_string_value(value),
					   json_string_length(value));
		case JSON_INTEGER:
		case JSON_REAL:
			number = next_number(walk);
			walk->unclear |= number.len == 0;
			return put(walk, SGIP_VALUE_NUMBER, number.data, number.len);
		case JSON_TRUE:
			return put(walk, SGIP_VALUE_BOOLEAN, "true", 4);
		case JSON_FALSE:
			return put(walk, SGIP_VALUE_BOOLEAN, "false", 5);
		case JSON_NULL:
			return put(walk, SGIP_VALUE_NULL, "", 0);
		case JSON_ARRAY:
		case JSON_OBJECT:
			break;
	}

	if (!put(walk, json_is_array(value) ? SGIP_VALUE_LIST : SGIP_VALUE_OBJECT, "", 0))
		return false;
	json_array_foreach(value, i, part)
	{
		uint32_t	item = walk->tape->count;

		if (!put_value(walk, part))
			return false;
		contents |= walk->tape->nodes[item].kind;
	}
	json_object_foreach(value, key, part)
	{
		size_t		len = strlen(key);
		size_t		at = walk->tape->text.len;
		uint32_t	item = walk->tape->count;

		if (!sgip_buffer_add(&walk->tape->text, key, len) ||
			!put_value(walk, part))
			return false;
		walk->tape->nodes[item].key_at = (uint32_t) at;
		walk->tape->nodes[item].key_len = (uint32_t) len;
	}
	walk->tape->nodes[index].contents = contents;
	sgip_tape_close(walk->tape, index, (uint32_t) (json_array_size(value) + json_object_size(value)));
	return true;
}

/* Says why a text cannot be parsed. */
static bool
fail(SgipTreeError *error, const char *text, size_t offset, bool no_memory)
{
	snprintf(error->text, sizeof(error->text), "%s", text);
	error->offset = offset;
	error->no_memory = no_memory;
	return false;
}

/*
 * jansson loses a NUL byte that it has to look at twice, the one behind a
 * number or a word, and so accepts [1<NUL>].  We do not.  That both see the
 * same numbers is checked, should there be more of that kind.
 *
 * For want of memory jansson mostly leaves no text (its lexer may call it an
 * invalid token; a failure it is all the same).  It counts the bytes it has
 * read: the last of them belongs to the token that it complains about, or
 * stands right before a byte that can be in none.
 */
bool
sgip_tree_parse(const char *text, size_t len, SgipTape *tape, SgipElement *element, SgipTreeError *error)
{
	const char *nul = memchr(text, '\0', len);
	Walk		walk = {text, text + len, tape, false};
	json_error_t own;
	json_t	   *value;
	bool		complete;

	tape->count = 0;
	tape->text.len = 0;
	if (nul != NULL)
		return fail(error, "a NUL byte", (size_t) (nul - text), false);
	value = json_loadb(text, len, PARSE_FLAGS, &own);
	if (value == NULL)
		return fail(error, own.text, own.position > 0 ? (size_t) own.position - 1 : 0,
					own.text[0] == '\0' || json_error_code(&own) == json_error_out_of_memory);
	complete = put_value(&walk, value);
	json_decref(value);
	if (!complete || walk.unclear || next_number(&walk).len > 0)
		return fail(error, "unclear text", 0, !complete);
	sgip_tape_show(tape, tape->text.data, tape->text.len, 0, element);
	return true;
}

const char *
sgip_tree_version(void)
{
#if JANSSON_VERSION_HEX >= 0x020d00
	return jansson_version_str();
#else
	return JANSSON_VERSION;
#endif
}
