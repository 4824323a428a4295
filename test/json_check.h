/*-------------------------------------------------------------------------
 *
 * json_check.h
 *		Reads documents through json.h in every way, and judges the outcome.
 *
 * Shared by test_json.c, fuzz_json.c and fuzz_decode.c.  read_document()
 * writes down all that a reader says about a document; two ways of reading
 * are the same when their texts are.  expect_document() comes to its own
 * opinion from one jansson parse of the whole document, knowing nothing of
 * the reader.
 *
 *-------------------------------------------------------------------------
 */
#ifndef JSON_CHECK_H
#define JSON_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "json/json.h"

/* As json.c reads; see there */
#define MODEL_FLAGS \
	(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL)

/* Most paths that a case looks up in its envelope */
#define MAX_PATHS 8

/* Growing text, terminated once something was put there */
typedef SgipBuffer Text;

/* What a document is read with */
typedef struct Reading
{
	SgipJsonShape shape;
	const char *paths[MAX_PATHS];	/* looked up in the envelope */
	int			path_count;
	bool		force_tree;
	bool		exact;			/* numbers as written, not as doubles */
	bool		in_place;		/* present the document itself, not copies */
	size_t		piece;			/* bytes per piece; 0: all at once */
	uint64_t	seed;			/* not 0: pieces of random size up to that */
	void		(*put_element) (Text *text, const SgipElement *element, void *arg);
	void	   *arg;			/* how else an element is written down, or
								 * NULL */
} Reading;

/* A small repeatable source of chance (splitmix64) */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t	z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* malloc that does not fail */
static void *
need(void *memory)
{
	if (memory == NULL)
	{
		fputs("out of memory\n", stderr);
		exit(2);
	}
	return memory;
}

/* Adds bytes; the text stays terminated */
static void
put_bytes(Text *text, const char *data, size_t len)
{
	if (!sgip_buffer_add(text, data, len) || !sgip_buffer_add(text, "", 1))
		need(NULL);
	text->len--;
}

static void
put(Text *text, const char *string)
{
	put_bytes(text, string, strlen(string));
}

static void
clear(Text *text)
{
	text->len = 0;
	put_bytes(text, "", 0);
}

/* Adds a string as JSON writes it */
static void
put_string(Text *text, const char *data, size_t len)
{
	put(text, "\"");
	for (size_t i = 0; i < len; i++)
	{
		char		escape[8];

		if ((unsigned char) data[i] < 0x20 || data[i] == 0x7F)
		{
			snprintf(escape, sizeof(escape), "\\u%04x", data[i]);
			put(text, escape);
			continue;
		}
		if (data[i] == '"' || data[i] == '\\')
			put(text, "\\");
		put_bytes(text, data + i, 1);
	}
	put(text, "\"");
}

/* Adds a number as a double */
static void
put_double(Text *text, double number)
{
	char		buffer[40];

	snprintf(buffer, sizeof(buffer), "%.17g", number);
	put(text, buffer);
}

/*
 * Adds a value as jansson sees it.  Members stand in the order of the text.
 */
static void
put_model(Text *text, json_t *model)
{
	const char *key;
	json_t	   *part;
	size_t		i;

	if (json_is_string(model))
		put_string(text, json_string_value(model), json_string_length(model));
	else if (json_is_number(model))
		put_double(text, json_number_value(model));
	else if (json_is_array(model))
	{
		put(text, "[");
		json_array_foreach(model, i, part)
		{
			put(text, i > 0 ? "," : "");
			put_model(text, part);
		}
		put(text, "]");
	}
	else if (json_is_object(model))
	{
		put(text, "{");
		json_object_foreach(model, key, part)
		{
			put(text, text->data[text->len - 1] != '{' ? "," : "");
			put_string(text, key, strlen(key));
			put(text, ":");
			put_model(text, part);
		}
		put(text, "}");
	}
	else
		put(text, json_is_true(model) ? "true" : json_is_false(model) ? "false" : "null");
}

/* A copy of a text that is terminated */
static char *
copy_of(SgipSpan text)
{
	char	   *copy = need(malloc(text.len + 1));

	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return copy;
}

/* Adds a number; says so if it is not the one that jansson read */
static void
put_number(Text *text, SgipSpan number, json_t *model, bool exact)
{
	char	   *copy = copy_of(number);

	if (model != NULL && (!json_is_number(model) || strtod(copy, NULL) != json_number_value(model)))
		put(text, "MISREAD ");
	if (exact)
		put(text, copy);
	else
		put_double(text, strtod(copy, NULL));
	free(copy);
}

/* Adds a value, of a list or object only what it is; model as in put_node */
static void
put_value(Text *text, SgipValue value, json_t *model, bool exact)
{
	if (value.kind == SGIP_VALUE_STRING)
		put_string(text, value.text.data, value.text.len);
	else if (value.kind == SGIP_VALUE_NUMBER)
		put_number(text, value.text, model, exact);
	else if (value.kind == SGIP_VALUE_LIST || value.kind == SGIP_VALUE_OBJECT)
		put(text, value.kind == SGIP_VALUE_LIST ? "(list)" : "(object)");
	else if (value.kind == SGIP_VALUE_BOOLEAN)
		put_bytes(text, value.text.data, value.text.len);
	else
		put(text, value.kind == SGIP_VALUE_NULL ? "null" : "absent");
}

/* Adds a value as its nodes say; model is what jansson says it is, or NULL */
static void
put_node(Text *text, const SgipElement *element, const SgipNode *node, json_t *model, bool exact)
{
	bool		object = node->kind == SGIP_VALUE_OBJECT;
	void	   *member = object ? json_object_iter(model) : NULL;
	const SgipNode *item = node + 1;
	int			contents = 0;

	if (!object && node->kind != SGIP_VALUE_LIST)
	{
		put_value(text, sgip_node_value(element, node), model, exact);
		if (node->size != 1)
			put(text, "MISSIZED ");
		return;
	}
	if (model != NULL && node->len != (object ? json_object_size(model) : json_array_size(model)))
		put(text, "MISCOUNTED ");
	put(text, object ? "{" : "[");
	for (uint32_t i = 0; i < node->len; i++, item += item->size)
	{
		json_t	   *item_model = object ? json_object_iter_value(member) : json_array_get(model, i);
		const char *key = object ? json_object_iter_key(member) : "";

		contents |= item->kind;
		put(text, i > 0 ? "," : "");
		if (object)
		{
			put_string(text, element->text.data + item->key_at, item->key_len);
			put(text, ":");
		}
		if (object && model != NULL &&
			(key == NULL || sgip_node_member(element, node, key) != item))
			put(text, "MISNAMED ");
		put_node(text, element, item, item_model, exact);
		member = object ? json_object_iter_next(model, member) : NULL;
	}
	put(text, object ? "}" : "]");
	if (item != node + node->size)
		put(text, "MISSIZED ");
	if (!object && node->contents != contents)
		put(text, "MISDESCRIBED ");
}

/* Says so if a slot of the element's shape is not for the key that it was for */
static void
check_slots(Text *text, const SgipElement *element)
{
	static uint64_t shape = 0;
	static char keys[SGIP_MAX_SLOTS][64];
	const SgipNode *member = element->nodes + 1;

	if (element->shape == 0)
		return;
	if (element->shape != shape)
		memset(keys, 0, sizeof(keys));
	shape = element->shape;
	for (uint32_t i = 0; i < element->nodes->len; i++, member += member->size)
	{
		char		key[64];

		if (member->slot >= SGIP_MAX_SLOTS)
		{
			put(text, "MISPLACED ");
			return;
		}
		snprintf(key, sizeof(key), ":%.*s", (int) member->key_len,
				 element->text.data + member->key_at);
		if (keys[member->slot][0] == '\0')
			memcpy(keys[member->slot], key, sizeof(key));
		if (strcmp(keys[member->slot], key) != 0)
			put(text, "MISPLACED ");
	}
}

/* Says so if a value that was written as JSON is another one */
static void
check_written(Text *text, const SgipElement *element, json_t *model)
{
	SgipBuffer	json = {NULL, 0, 0};
	json_t	   *read;
	Text		expected = {NULL, 0, 0};
	Text		found = {NULL, 0, 0};

	if (!sgip_node_write(element, element->nodes, &json))
		need(NULL);
	read = json_loadb(json.data, json.len, MODEL_FLAGS, NULL);
	put_model(&expected, model);
	if (read != NULL)
		put_model(&found, read);
	if (read == NULL || strcmp(expected.data, found.data) != 0)
		put(text, "MISWRITTEN ");
	json_decref(read);
	free(expected.data);
	free(found.data);
	sgip_buffer_free(&json);
}

/*
 * Adds a line for the element, from a copy that was packed: what stands in
 * nothing but the copy.
 */
static void
put_element(Text *text, const SgipElement *element, long number, bool exact)
{
	json_t	   *model = json_loadb(element->raw.data, element->raw.len, MODEL_FLAGS, NULL);
	size_t		size = sgip_element_pack_size(element);
	char	   *packed = need(malloc(size));
	SgipElement copy;

	sgip_element_pack(element, packed);
	sgip_element_unpack(packed, &copy);
	if (model == NULL)
		put(text, "NOT JSON ");
	if (copy.number != number || copy.shape != element->shape || copy.text.len != element->text.len ||
		copy.text.data + copy.text.len != packed + size)
		put(text, "MISPACKED ");
	if (!json_is_object(model) && !json_is_string(model))
		put(text, "MISFORMED ");
	check_slots(text, element);
	check_written(text, element, model);
	put_node(text, &copy, copy.nodes, model, exact);
	put(text, "\n");
	free(packed);
	json_decref(model);
}

/* Adds the lines for a result that is no element */
static void
put_result(Text *text, const SgipJsonReader *reader, SgipJsonResult result,
		   const Reading *how)
{
	char		code[32];

	switch (result)
	{
		case SGIP_JSON_END:
			for (int i = 0; i < how->path_count; i++)
			{
				put(text, how->paths[i]);
				put(text, " = ");
				put_value(text, sgip_json_envelope(reader, how->paths[i]), NULL, how->exact);
				put(text, "\n");
			}
			put(text, "end\n");
			break;
		case SGIP_JSON_REMOTE_ERROR:
			snprintf(code, sizeof(code), "error %d: ", sgip_json_remote_error(reader)->code);
			put(text, code);
			put_string(text, sgip_json_remote_error(reader)->text,
					   strlen(sgip_json_remote_error(reader)->text));
			put(text, "\n");
			break;
		case SGIP_JSON_INVALID:
			put(text, "invalid: ");
			put(text, sgip_json_problem(reader));
			put(text, "\n");
			break;
		case SGIP_JSON_NO_MEMORY:
			put(text, "no memory\n");
			break;
		case SGIP_JSON_MORE:
		case SGIP_JSON_ELEMENT:
			put(text, "STRAY RESULT\n");
			break;
	}
}

/* How many more bytes arrive before the next call */
static size_t
next_piece(const Reading *how, uint64_t *state, size_t left)
{
	size_t		piece = how->piece;

	if (how->seed != 0)
		piece = 1 + next_random(state) % how->piece;
	return piece == 0 || piece > left ? left : piece;
}

/*
 * Writes down all that is said about the document, read as *how says.  Unless
 * in place, every call sees a copy of exactly the bytes it is given, so that
 * reading past them or behind the back of the contract does not go unnoticed.
 */
static void
read_document(Text *text, const char *doc, size_t len, const Reading *how)
{
	SgipJsonReader *reader = need(sgip_json_open(&how->shape, how->force_tree));
	SgipElement element;
	SgipJsonResult result = SGIP_JSON_MORE;
	uint64_t	state = how->seed;
	char	   *window = NULL;
	size_t		done = 0;
	size_t		there = how->piece == 0 ? len : 0;
	long		count = 0;
	size_t		consumed;

	clear(text);
	while (result == SGIP_JSON_MORE || result == SGIP_JSON_ELEMENT)
	{
		const char *data = doc + done;
		char	   *copy = NULL;

		if (!how->in_place)
		{
			copy = need(malloc(there > done ? there - done : 1));
			memcpy(copy, doc + done, there - done);
			data = copy;
		}
		result = sgip_json_next(reader, data, there - done, there == len, &consumed, &element);
		free(window);
		window = copy;
		if (consumed > there - done)
			put(text, "CONSUMED TOO MUCH\n");
		done += consumed;
		if (result == SGIP_JSON_ELEMENT && how->put_element != NULL)
			how->put_element(text, &element, how->arg);
		else if (result == SGIP_JSON_ELEMENT)
			put_element(text, &element, ++count, how->exact);
		else if (result == SGIP_JSON_MORE && there == len)
		{
			put(text, "MORE AT THE END\n");
			break;
		}
		else if (result == SGIP_JSON_MORE)
			there += next_piece(how, &state, len - there);
	}
	put_result(text, reader, result, how);
	if (sgip_json_next(reader, "", 0, true, &consumed, &element) != result || consumed != 0)
		put(text, "DOES NOT STAY\n");
	sgip_json_close(reader);
	free(window);
}

/*-------------------------------------------------------------------------
 * A second opinion
 *-------------------------------------------------------------------------
 */

typedef enum Opinion
{
	OPINION_END,				/* accepted, with the rows written down */
	OPINION_ERROR,				/* the API's error */
	OPINION_INVALID,
	OPINION_REFUSED				/* either of the two: what comes first counts */
} Opinion;

/* Levels of nesting in a value */
static int
model_depth(json_t *model)
{
	int			deepest = 0;
	int			depth;
	const char *key;
	json_t	   *part;
	size_t		i;

	if (!json_is_array(model) && !json_is_object(model))
		return 0;
	json_array_foreach(model, i, part)
	{
		depth = model_depth(part);
		deepest = depth > deepest ? depth : deepest;
	}
	json_object_foreach(model, key, part)
	{
		depth = model_depth(part);
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

/* Is the object an error of the API? */
static bool
model_is_error(json_t *model)
{
	json_t	   *error = json_object_get(model, "error");
	json_t	   *errors = json_object_get(model, "errors");
	const char *message = json_string_value(json_object_get(model, "message"));

	if (error != NULL && !json_is_null(error))
		return true;
	if (json_array_size(errors) + json_object_size(errors) + json_string_length(errors) > 0)
		return true;
	return message != NULL && strcmp(message, "error") == 0;
}

/* Opinion of a list, whose rows are written down */
static Opinion
expect_list(Text *rows, json_t *list)
{
	json_t	   *item;
	size_t		i;

	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item) && !json_is_object(item))
			return OPINION_INVALID;
		if (model_depth(item) > SGIP_JSON_MAX_DEPTH)
			return OPINION_INVALID;
		put_model(rows, item);
		put(rows, "\n");
	}
	return OPINION_END;
}

/* Do the members in front of the list make an error? */
static bool
head_is_error(json_t *model, const char *list_key)
{
	json_t	   *head = json_object();
	const char *key;
	json_t	   *part;
	bool		result;

	json_object_foreach(model, key, part)
	{
		if (strcmp(key, list_key) == 0)
			break;
		json_object_set(head, key, part);
	}
	result = model_is_error(head);
	json_decref(head);
	return result;
}

/* Opinion of an object that stands at the top, alone or first of a bare list */
static Opinion
expect_object(Text *rows, json_t *model, const SgipJsonShape *shape)
{
	json_t	   *list = NULL;
	json_t	   *rest;
	int			depth;

	if (shape->list_key != NULL)
		list = json_object_get(model, shape->list_key);
	rest = json_copy(model);
	if (json_is_array(list))
		json_object_del(rest, shape->list_key);
	depth = model_depth(rest);
	json_decref(rest);
	if (depth > SGIP_JSON_MAX_DEPTH)
		return OPINION_REFUSED;
	if (json_is_array(list))
	{
		if (head_is_error(model, shape->list_key))
			return OPINION_ERROR;
		if (expect_list(rows, list) == OPINION_INVALID)
			return OPINION_INVALID;
		return model_is_error(model) ? OPINION_ERROR : OPINION_END;
	}
	if (model_is_error(model))
		return OPINION_ERROR;
	if (list != NULL || shape->row_key == NULL || json_object_get(model, shape->row_key) == NULL)
		return OPINION_INVALID;
	put_model(rows, model);
	put(rows, "\n");
	return OPINION_END;
}

/* Opinion of items without brackets; the first one may be anything */
static Opinion
expect_bare(Text *rows, json_t *list, const SgipJsonShape *shape)
{
	json_t	   *first = json_array_get(list, 0);
	Opinion		opinion;

	if (json_is_object(first))
	{
		opinion = expect_object(rows, first, shape);
		if (opinion != OPINION_END)
			return opinion;
		if (shape->list_key != NULL && json_object_get(first, shape->list_key) != NULL)
			return OPINION_INVALID;
	}
	else if (!json_is_string(first))
		return OPINION_INVALID;
	clear(rows);
	return expect_list(rows, list);
}

/* Opinion of a document; the rows of an accepted one are written down */
static Opinion
expect_document(Text *rows, const char *doc, size_t len, const SgipJsonShape *shape)
{
	Opinion		opinion = OPINION_REFUSED;
	json_t	   *model;

	clear(rows);

	/* jansson overlooks such a byte behind a number */
	if (memchr(doc, '\0', len) != NULL)
		return OPINION_REFUSED;
	if (len >= 3 && memcmp(doc, "\xEF\xBB\xBF", 3) == 0)
	{
		doc += 3;
		len -= 3;
	}
	model = json_loadb(doc, len, MODEL_FLAGS, NULL);
	if (json_is_object(model))
		opinion = expect_object(rows, model, shape);
	else if (json_is_array(model))
		opinion = expect_list(rows, model);
	else if (json_is_string(model))
	{
		put_model(rows, model);
		put(rows, "\n");
		opinion = OPINION_END;
	}
	else if (model != NULL)
		opinion = OPINION_INVALID;
	else
	{
		char	   *wrapped = need(malloc(len + 2));

		wrapped[0] = '[';
		memcpy(wrapped + 1, doc, len);
		wrapped[len + 1] = ']';
		model = json_loadb(wrapped, len + 2, MODEL_FLAGS, NULL);
		free(wrapped);
		if (model != NULL)
			opinion = expect_bare(rows, model, shape);
	}
	json_decref(model);
	return opinion;
}

/* Does what the reader wrote down agree with the opinion? */
static bool
agrees(const Text *text, Opinion opinion, const Text *rows)
{
	const char *last = text->data + text->len - 1;
	bool		error;
	bool		invalid;

	while (last > text->data && last[-1] != '\n')
		last--;
	error = strncmp(last, "error ", 6) == 0;
	invalid = strncmp(last, "invalid: ", 9) == 0;
	switch (opinion)
	{
		case OPINION_END:
			return strcmp(last, "end\n") == 0 &&
				(size_t) (last - text->data) == rows->len &&
				memcmp(text->data, rows->data, rows->len) == 0;
		case OPINION_ERROR:
			return error;
		case OPINION_INVALID:
			return invalid;
		case OPINION_REFUSED:
			return error || invalid;
	}
	return false;
}

/*
 * Reads the document in every way.  NULL if all agree, else what did not.
 */
static const char *
check_document(const char *doc, size_t len, const SgipJsonShape *shape, uint64_t seed)
{
	Text		first = {NULL, 0, 0};
	Text		other = {NULL, 0, 0};
	Reading		how = {.shape = *shape, .exact = true};
	const char *failure = NULL;

	read_document(&first, doc, len, &how);
	for (int way = 1; way < 6 && failure == NULL; way++)
	{
		how.force_tree = way % 2 == 1;
		how.piece = way < 2 ? 0 : way < 4 ? 1 : 24;
		how.seed = way < 4 ? 0 : seed | 1;
		read_document(&other, doc, len, &how);
		if (first.len != other.len || memcmp(first.data, other.data, first.len) != 0)
			failure = how.force_tree ? "read in pieces or as a tree it is different" :
				"read in pieces it is different";
	}
	if (failure == NULL)
	{
		Opinion		opinion = expect_document(&other, doc, len, shape);

		how = (Reading)
		{
			.shape = *shape
		};
		read_document(&first, doc, len, &how);
		if (!agrees(&first, opinion, &other))
			failure = "jansson's reading of the whole is different";
	}
	free(first.data);
	free(other.data);
	return failure;
}

#endif							/* JSON_CHECK_H */
