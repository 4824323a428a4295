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

/* A walk through text that jansson accepted */
typedef struct Walk
{
	const char *at;
	const char *end;
	SgipTape   *tape;
} Walk;

/* Goes on to the next value, key or closing bracket. */
static void
skip_filler(Walk *walk)
{
	while (walk->at < walk->end && strchr(" \n\r\t,:", *walk->at) != NULL)
		walk->at++;
}

/* Goes past a bracket. */
static void
skip_bracket(Walk *walk)
{
	if (walk->at < walk->end)
		walk->at++;
	skip_filler(walk);
}

/* Goes past a string. */
static void
skip_string(Walk *walk)
{
	const char *p = walk->at;

	for (p += p < walk->end; p < walk->end && *p != '"'; p++)
	{
		if (*p == '\\' && walk->end - p > 1)
			p++;
	}
	walk->at = p + (p < walk->end);
	skip_filler(walk);
}

/* Goes past a number or word, which is returned. */
static SgipSpan
skip_word(Walk *walk)
{
	SgipSpan	word = {walk->at, 0};

	while (walk->at < walk->end && strchr(" \n\r\t,]}", *walk->at) == NULL)
		walk->at++;
	word.len = (size_t) (walk->at - word.data);
	skip_filler(walk);
	return word;
}

/* Adds a value with its text; false when out of memory. */
static bool
put(Walk *walk, SgipValueKind kind, const char *text, size_t len)
{
	size_t		at = walk->tape->text.len;

	return sgip_buffer_add(&walk->tape->text, text, len) &&
		sgip_tape_add(walk->tape, kind, at, len) != NULL;
}

/*
 * Adds a value whose text comes next, and all in it.  Members come in the
 * order of the text.  False when out of memory.
 */
static bool
put_value(Walk *walk, json_t *value)
{
	uint32_t	index = walk->tape->count;
	size_t		count = json_array_size(value) + json_object_size(value);
	uint8_t		contents = 0;
	SgipSpan	word;

	switch (json_typeof(value))
	{
		case JSON_STRING:
			skip_string(walk);
			return put(walk, SGIP_VALUE_STRING, json_string_value(value),
					   json_string_length(value));
		case JSON_INTEGER:
		case JSON_REAL:
			word = skip_word(walk);
			return put(walk, SGIP_VALUE_NUMBER, word.data, word.len);
		case JSON_TRUE:
		case JSON_FALSE:
			word = skip_word(walk);
			return put(walk, SGIP_VALUE_BOOLEAN, word.data, word.len);
		case JSON_NULL:
			(void) skip_word(walk);
			return put(walk, SGIP_VALUE_NULL, "", 0);
		case JSON_ARRAY:
		case JSON_OBJECT:
			break;
	}

	if (!put(walk, json_is_array(value) ? SGIP_VALUE_LIST : SGIP_VALUE_OBJECT, "", 0))
		return false;
	skip_bracket(walk);
	for (size_t i = 0; i < json_array_size(value); i++)
	{
		uint32_t	item = walk->tape->count;

		if (!put_value(walk, json_array_get(value, i)))
			return false;
		contents |= walk->tape->nodes[item].kind;
	}
	for (void *member = json_object_iter(value); member != NULL;
		 member = json_object_iter_next(value, member))
	{
		const char *key = json_object_iter_key(member);
		size_t		len = strlen(key);
		size_t		at = walk->tape->text.len;
		uint32_t	item = walk->tape->count;

		skip_string(walk);
		if (!sgip_buffer_add(&walk->tape->text, key, len) ||
			!put_value(walk, json_object_iter_value(member)))
			return false;
		walk->tape->nodes[item].key_at = (uint32_t) at;
		walk->tape->nodes[item].key_len = (uint32_t) len;
	}
	skip_bracket(walk);
	walk->tape->nodes[index].contents = contents;
	walk->tape->nodes[index].len = (uint32_t) count;
	walk->tape->nodes[index].size = walk->tape->count - index;
	return true;
}

/* Notes why a text cannot be parsed. */
static void
set_error(SgipTreeError *error, const char *text, size_t offset)
{
	memset(error, 0, sizeof(*error));
	snprintf(error->text, sizeof(error->text), "%s", text);
	error->offset = offset;
}

/*
 * Notes why jansson gave up.  For want of memory it mostly leaves no text (its
 * lexer may call it an invalid token; a failure it is all the same).  It
 * counts the bytes it has read: the last of them belongs to the token that it
 * complains about, or stands right before a byte that can be in none.
 */
static void
note_error(SgipTreeError *error, const json_error_t *from)
{
	set_error(error, from->text, from->position > 0 ? (size_t) from->position - 1 : 0);
	error->no_memory = from->text[0] == '\0' ||
		json_error_code(from) == json_error_out_of_memory;
}

/*
 * jansson loses a NUL byte that it has to look at twice, the one behind a
 * number or a word, and so accepts [1<NUL>].  We do not.  That both read the
 * text alike is checked in the end, should there be more of that kind.
 */
bool
sgip_tree_parse(const char *text, size_t len, SgipTape *tape, SgipTreeError *error)
{
	const char *nul = memchr(text, '\0', len);
	Walk		walk = {text, text + len, tape};
	json_error_t own;
	json_t	   *value;
	bool		complete;

	tape->count = 0;
	tape->text.len = 0;
	if (nul != NULL)
	{
		set_error(error, "a NUL byte", (size_t) (nul - text));
		return false;
	}
	value = json_loadb(text, len, PARSE_FLAGS, &own);
	if (value == NULL)
	{
		note_error(error, &own);
		return false;
	}
	complete = put_value(&walk, value);
	json_decref(value);
	set_error(error, "unclear text", 0);
	error->no_memory = !complete;
	return complete && walk.at == walk.end;
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
