/*-------------------------------------------------------------------------
 *
 * tree.c
 *		JSON values as trees: the wall around jansson.
 *
 * jansson keeps no number as it was written, and this API's prices must not
 * pass through a double.  So keep_numbers() puts into each parsed value, in
 * the place of every number, a string of a NUL byte and the text of the
 * number.  No string of the document can look like that: jansson refuses
 * \u0000.  A number beyond a double's range (1e999) is refused by jansson, a
 * long integer is not.
 *
 *-------------------------------------------------------------------------
 */
#include "json/tree.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Numbers up to this length, which is nearly all, need no memory to be kept */
#define SHORT_NUMBER_BYTES 48

/* Text under construction; failed when memory ran out */
typedef struct Words
{
	char	   *text;
	size_t		len;
	bool		failed;
} Words;

/*-------------------------------------------------------------------------
 * Parsing
 *-------------------------------------------------------------------------
 */

/* One byte on, but not beyond the end */
static inline const char *
skip_byte(const char *p, const char *end)
{
	return p < end ? p + 1 : end;
}

/* Behind the string that begins at p, in text that jansson accepted */
static const char *
skip_string(const char *p, const char *end)
{
	for (p = skip_byte(p, end); p < end && *p != '"'; p++)
	{
		if (*p == '\\' && end - p > 1)
			p++;
	}
	return skip_byte(p, end);
}

/* The next value or closing bracket from p on, in text that jansson accepted */
static const char *
skip_filler(const char *p, const char *end)
{
	while (p < end && strchr(" \n\r\t,:", *p) != NULL)
		p++;
	return p;
}

/* Behind the number or word that begins at p, in text that jansson accepted */
static const char *
skip_word(const char *p, const char *end)
{
	while (p < end && strchr(" \n\r\t,]}", *p) == NULL)
		p++;
	return p;
}

/* What stands in for a number; NULL when out of memory */
static json_t *
number_new(const char *text, size_t len)
{
	char		buffer[SHORT_NUMBER_BYTES + 1];
	char	   *marked = buffer;
	json_t	   *number;

	if (len > SHORT_NUMBER_BYTES && (marked = malloc(len + 1)) == NULL)
		return NULL;
	marked[0] = '\0';
	memcpy(marked + 1, text, len);
	number = json_stringn_nocheck(marked, len + 1);
	if (marked != buffer)
		free(marked);
	return number;
}

static bool keep_numbers(json_t *value, const char **p, const char *end);

/*
 * Reads past the item at *p.  If it is a number, *number becomes what stands
 * in for it.  False when out of memory.
 */
static bool
keep_item(json_t *item, const char **p, const char *end, json_t **number)
{
	const char *start = *p;

	*number = NULL;
	if (json_is_object(item) || json_is_array(item))
		return keep_numbers(item, p, end);
	if (json_is_string(item))
	{
		*p = skip_string(start, end);
		return true;
	}
	*p = skip_word(start, end);
	if (!json_is_number(item))
		return true;
	*number = number_new(start, (size_t) (*p - start));
	return *number != NULL;
}

/*
 * Walks an object or array together with its text, which stands at *p, and
 * puts what was written in the place of every number.  Members come in the
 * order of the text.  The depth was limited before.  False when out of
 * memory.
 */
static bool
keep_numbers(json_t *value, const char **p, const char *end)
{
	json_t	   *number;
	size_t		i;
	void	   *member;

	*p = skip_filler(skip_byte(*p, end), end);
	for (i = 0; i < json_array_size(value); i++, *p = skip_filler(*p, end))
	{
		if (!keep_item(json_array_get(value, i), p, end, &number))
			return false;
		if (number != NULL && json_array_set_new(value, i, number) != 0)
			return false;
	}
	for (member = json_object_iter(value); member != NULL;
		 member = json_object_iter_next(value, member), *p = skip_filler(*p, end))
	{
		*p = skip_filler(skip_string(*p, end), end);
		if (!keep_item(json_object_iter_value(member), p, end, &number))
			return false;
		if (number != NULL && json_object_iter_set_new(value, member, number) != 0)
			return false;
	}
	*p = skip_byte(*p, end);
	return true;
}

/* Notes why a text cannot be parsed */
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
 * Parses the whole of a string or object.
 *
 * jansson loses a NUL byte that it has to look at twice, the one behind a
 * number or a word, and so accepts [1<NUL>].  We do not.  That both read the
 * text alike is checked in the end, should there be more of that kind.
 */
SgipTree *
sgip_tree_parse(const char *text, size_t len, SgipTreeError *error)
{
	const char *nul = memchr(text, '\0', len);
	const char *p = text;
	json_error_t own;
	json_t	   *value;

	if (nul != NULL)
	{
		set_error(error, "a NUL byte", (size_t) (nul - text));
		return NULL;
	}
	value = json_loadb(text, len, PARSE_FLAGS, &own);
	if (value == NULL)
		note_error(error, &own);
	if (!json_is_object(value))
		return value;
	set_error(error, "unclear text", 0);
	error->no_memory = !keep_numbers(value, &p, text + len);
	if (!error->no_memory && p == text + len)
		return value;
	json_decref(value);
	return NULL;
}

void
sgip_tree_free(SgipTree *tree)
{
	json_decref(tree);
}

/*-------------------------------------------------------------------------
 * Values
 *-------------------------------------------------------------------------
 */

SgipValue
sgip_tree_value(const SgipTree *node)
{
	SgipValue	value = {SGIP_VALUE_ABSENT, {NULL, 0}, NULL};

	if (node == NULL)
		return value;
	switch (json_typeof(node))
	{
		case JSON_NULL:
			value.kind = SGIP_VALUE_NULL;
			break;
		case JSON_STRING:
			value.kind = SGIP_VALUE_STRING;
			value.text.data = json_string_value(node);
			value.text.len = json_string_length(node);
			if (value.text.len > 0 && value.text.data[0] == '\0')
			{
				value.kind = SGIP_VALUE_LITERAL;
				value.text.data++;
				value.text.len--;
			}
			break;
		case JSON_TRUE:
		case JSON_FALSE:
			value.kind = SGIP_VALUE_LITERAL;
			value.text.data = json_is_true(node) ? "true" : "false";
			value.text.len = strlen(value.text.data);
			break;
		case JSON_ARRAY:
			value.kind = SGIP_VALUE_LIST;
			value.node = node;
			break;
		case JSON_OBJECT:
			value.kind = SGIP_VALUE_OBJECT;
			value.node = node;
			break;
		case JSON_INTEGER:
		case JSON_REAL:
			break;				/* keep_numbers() left none */
	}
	return value;
}

const SgipTree *
sgip_tree_member(const SgipTree *object, const char *key)
{
	return json_object_get(object, key);
}

void
sgip_tree_drop(SgipTree *object, const char *key)
{
	json_object_del(object, key);
}

bool
sgip_tree_spells(const char *text, size_t len, const char *string)
{
	json_t	   *decoded = json_loadb(text, len, JSON_DECODE_ANY, NULL);
	bool		same = decoded != NULL && strcmp(json_string_value(decoded), string) == 0;

	json_decref(decoded);
	return same;
}

/*-------------------------------------------------------------------------
 * Of the contract of json.h, what concerns values
 *-------------------------------------------------------------------------
 */

size_t
sgip_json_list_length(const SgipValue *list)
{
	return json_array_size(list->node);
}

SgipValue
sgip_json_list_item(const SgipValue *list, size_t index)
{
	return sgip_tree_value(json_array_get(list->node, index));
}

SgipValue
sgip_json_object_member(const SgipValue *object, const char *key)
{
	return sgip_tree_value(json_object_get(object->node, key));
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

/*-------------------------------------------------------------------------
 * The API's errors
 *-------------------------------------------------------------------------
 */

/* Is this member a text, and if so, that one? */
static bool
member_is(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL && strcmp(value, text) == 0;
}

bool
sgip_tree_is_error(const SgipTree *object)
{
	const json_t *error = json_object_get(object, "error");
	const json_t *errors = json_object_get(object, "errors");
	SgipValue	words = sgip_tree_value(errors);

	if (error != NULL && !json_is_null(error))
		return true;
	if (json_array_size(errors) > 0 || json_object_size(errors) > 0 ||
		(words.kind == SGIP_VALUE_STRING && words.text.len > 0))
		return true;
	return member_is(object, "message", "error");
}

/* Adds bytes to the text, and keeps it terminated */
static void
append(Words *words, const char *data, size_t len)
{
	char	   *text = words->failed ? NULL : realloc(words->text, words->len + len + 1);

	if (text == NULL)
	{
		words->failed = true;
		return;
	}
	memcpy(text + words->len, data, len);
	words->len += len;
	text[words->len] = '\0';
	words->text = text;
}

/* Adds a message, set off from those before and led by what it is about */
static void
append_message(Words *words, SgipValue field, SgipValue message)
{
	if (words->len > 0)
		append(words, "; ", 2);
	if (field.text.len > 0)
	{
		append(words, field.text.data, field.text.len);
		append(words, ": ", 2);
	}
	append(words, message.text.data, message.text.len);
}

/* Adds what one reported error says, in whatever form it comes */
static void
append_error(Words *words, const json_t *error)
{
	SgipValue	none = sgip_tree_value(NULL);
	size_t		i;

	for (i = 0; i < json_array_size(error); i++)
		append_error(words, json_array_get(error, i));
	if (json_is_object(error))
	{
		SgipValue	message = sgip_tree_value(json_object_get(error, "message"));

		SgipValue	id = sgip_tree_value(json_object_get(error, "error_id"));

		if (message.text.len > 0)
			append_message(words, sgip_tree_value(json_object_get(error, "field")), message);
		/* what the API's support asks for */
		if (id.text.len > 0)
			append_message(words, (SgipValue) {.text = {"error_id", 8}}, id);
	}
	else if (sgip_tree_value(error).text.len > 0)
		append_message(words, none, sgip_tree_value(error));
}

/* The "code" of an error object if it is a number that fits, else 0 */
static int
error_code(const json_t *error)
{
	SgipValue	code = sgip_tree_value(json_object_get(error, "code"));
	long		number;

	if (code.text.len == 0)
		return 0;
	number = strtol(code.text.data, NULL, 10);
	return number > 0 && number < INT_MAX ? (int) number : 0;
}

bool
sgip_tree_describe_error(const SgipTree *object, SgipRemoteError *remote)
{
	Words		words = {NULL, 0, false};

	append_error(&words, json_object_get(object, "error"));
	append_error(&words, json_object_get(object, "errors"));
	if (words.len == 0)
		append_error(&words, json_object_get(object, "message"));
	if (words.len == 0)
		append(&words, "error", 5);
	if (words.failed)
	{
		free(words.text);
		return false;
	}
	remote->code = error_code(json_object_get(object, "error"));
	remote->text = words.text;
	return true;
}
