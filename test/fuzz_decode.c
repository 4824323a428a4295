/*-------------------------------------------------------------------------
 *
 * fuzz_decode.c
 *		libFuzzer target: from a document to the texts of every task's rows.
 *
 * A document is read as the answer to each task of the catalogue, whole in
 * place and in small pieces as trees; every field of every row is decoded as
 * fetch.c and tuple.c do it.  Both ways must come to the same texts, and each
 * text must be what an independent look at jansson's value of the element
 * says: scalars as they are, lists as array literals that read back as their
 * items, times as the ISO form of the same second.
 *
 * scripts/fuzz builds and runs it.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <time.h>

#include "fetch/decode.h"
#include "json_check.h"

/* Latest time that passes for one, as README.md has it: the year 9999 */
#define YEAR_9999 253402300799.0

/* Longest number that is read as a time */
#define MAX_TIME_BYTES 63

/* Id of the parent's row, where a task has one */
#define PARENT "a \"parent\" \\ id"

/* What is read with one shape: the tasks that have it */
typedef struct Group
{
	SgipJsonShape shape;
	SgipScratch scratch;
	int			hints[64][SGIP_MAX_FIELDS]; /* by number of the task */
} Group;

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run: libFuzzer keeps the document */
static void
fail(const char *what, const SgipTask *task, const SgipField *field)
{
	fprintf(stderr, "v%d task %s, field %s: %s\n", task->api == SGIP_API_V2 ? 2 : 3, task->name,
			field ? field->name : "-", what);
	abort();
}

/* What tells a row of the task from an envelope, as listing.c has it */
static SgipJsonShape
shape_of(const SgipTask *task)
{
	SgipJsonShape shape;

	shape.list_key = task->list_key;
	shape.row_key = sgip_task_find_field(task, "ip") >= 0 ? "ip" : NULL;
	return shape;
}

static bool
same_key(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_shape(SgipJsonShape a, SgipJsonShape b)
{
	return same_key(a.list_key, b.list_key) && same_key(a.row_key, b.row_key);
}

/*-------------------------------------------------------------------------
 * The second opinion
 *-------------------------------------------------------------------------
 */

/* The model of a member; a string stands for each of its members */
static json_t *
member_model(json_t *element, const char *key)
{
	return json_is_string(element) ? element : json_object_get(element, key);
}

/* The model of what an item of a list stands for */
static json_t *
item_model(json_t *item, const char *subkey)
{
	return json_is_object(item) && subkey != NULL ? json_object_get(item, subkey) : item;
}

/* Is the text that of the scalar? */
static bool
scalar_is(json_t *model, SgipSpan text)
{
	char	   *copy;
	char	   *end;
	bool		same;

	if (json_is_string(model))
		return json_string_length(model) == text.len &&
			memcmp(json_string_value(model), text.data, text.len) == 0;
	if (json_is_boolean(model))
	{
		const char *word = json_is_true(model) ? "true" : "false";

		return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
	}
	copy = need(malloc(text.len + 1));
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	same = text.len > 0 && strtod(copy, &end) == json_number_value(model) && *end == '\0';
	free(copy);
	return same;
}

/* What decoding should say about a scalar */
static SgipDecoded
scalar_outcome(json_t *model)
{
	if (model == NULL || json_is_null(model))
		return SGIP_DECODED_NULL;
	if (json_is_array(model) || json_is_object(model))
		return SGIP_DECODED_MISFIT;
	return SGIP_DECODED_TEXT;
}

/* Takes one element of an array literal off the text, unquoted; false at its end */
static bool
next_of_literal(SgipSpan *text, Text *item, bool *is_null)
{
	clear(item);
	*is_null = text->len >= 4 && memcmp(text->data, "NULL", 4) == 0;
	if (*is_null)
	{
		text->data += 4;
		text->len -= 4;
		return true;
	}
	if (text->len == 0 || *text->data != '"')
		return false;
	for (text->data++, text->len--; text->len > 0 && *text->data != '"'; text->data++, text->len--)
	{
		if (*text->data == '\\')
		{
			text->data++;
			if (--text->len == 0)
				return false;
		}
		put_bytes(item, text->data, 1);
	}
	if (text->len == 0)
		return false;
	text->data++;
	text->len--;
	return true;
}

/* Is the text an array literal of the items of the list? */
static bool
literal_is(json_t *list, const char *subkey, SgipSpan text)
{
	Text		item = {NULL, 0, 0};
	bool		good = text.len >= 2 && text.data[0] == '{' && text.data[text.len - 1] == '}';
	size_t		i;

	text.data++;
	text.len -= 2;
	for (i = 0; good && i < json_array_size(list); i++)
	{
		json_t	   *model = item_model(json_array_get(list, i), subkey);
		bool		is_null;
		SgipSpan	one;

		if (i > 0)
		{
			good = text.len > 0 && *text.data == ',';
			text.data++;
			text.len--;
		}
		good = good && next_of_literal(&text, &item, &is_null);
		if (good && is_null)
			good = scalar_outcome(model) == SGIP_DECODED_NULL;
		else if (good)
		{
			one.data = item.data;
			one.len = item.len;
			good = scalar_outcome(model) == SGIP_DECODED_TEXT && scalar_is(model, one);
		}
	}
	free(item.data);
	return good && text.len == 0;
}

/* What decoding should say about a list */
static SgipDecoded
list_outcome(json_t *model, const char *subkey)
{
	size_t		i;

	if (model == NULL || json_is_null(model))
		return SGIP_DECODED_NULL;
	if (!json_is_array(model))
		return SGIP_DECODED_MISFIT;
	for (i = 0; i < json_array_size(model); i++)
	{
		if (scalar_outcome(item_model(json_array_get(model, i), subkey)) == SGIP_DECODED_MISFIT)
			return SGIP_DECODED_MISFIT;
	}
	return SGIP_DECODED_TEXT;
}

/* Is the text the moment that is so many Unix seconds? */
static bool
time_is(double seconds, SgipSpan text)
{
	struct tm	tm = {0};
	char		copy[40];
	int			micros;
	int			used = 0;

	if (text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (sscanf(copy, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &micros, &used) != 7 || used != 27 || copy[27] != '\0')
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	/* the double's own error grows with the distance from 1970 */
	return fabs(((double) timegm(&tm) - seconds) + micros / 1e6) <= 0.5e-6 + fabs(seconds) * 1e-15;
}

/* Could the element hold a number that is too long to be a time? */
static bool
has_long_number(SgipSpan raw)
{
	size_t		run = 0;
	size_t		i;

	for (i = 0; i < raw.len && run <= MAX_TIME_BYTES; i++)
		run = strchr("+-.0123456789eE", raw.data[i]) != NULL && raw.data[i] != '\0' ? run + 1 : 0;
	return run > MAX_TIME_BYTES;
}

/* Does the outcome of decoding a time fit the model? */
static bool
time_fits(json_t *model, SgipDecoded decoded, SgipSpan text, SgipSpan raw)
{
	double		seconds;

	if (!json_is_number(model) && !json_is_boolean(model))
		return decoded == scalar_outcome(model) && (decoded != SGIP_DECODED_TEXT || scalar_is(model, text));
	if (json_is_boolean(model))
		return decoded == SGIP_DECODED_MISFIT;
	seconds = json_number_value(model);
	if (decoded == SGIP_DECODED_TEXT)
		return time_is(seconds, text);
	/* the year 1 is the first that a text of this form can name */
	return decoded == SGIP_DECODED_MISFIT &&
		(fabs(seconds) > YEAR_9999 || seconds < -62135596800.0 || has_long_number(raw));
}

/*-------------------------------------------------------------------------
 * Decoding
 *-------------------------------------------------------------------------
 */

/* Checks and writes down one field of a row; item is the model of row->item */
static void
put_field(Text *text, Group *group, const SgipTask *task, int number, int index,
		  const SgipRow *row, json_t *model, json_t *item)
{
	const SgipField *field = &task->fields[index];
	json_t	   *member = field->key ? member_model(model, field->key) : NULL;
	SgipSpan	value = {NULL, 0};
	SgipDecoded decoded = sgip_decode_field(row, field, &group->hints[number][index],
											&group->scratch, &value);
	bool		good = decoded == SGIP_DECODED_NULL;

	if (decoded == SGIP_DECODED_NO_MEMORY)
		fail("no memory", task, field);
	if (decoded == SGIP_DECODED_TEXT && memchr(value.data, '\0', value.len) != NULL)
		fail("a NUL byte", task, field);
	switch (field->kind)
	{
		case SGIP_KIND_TEXT:
		case SGIP_KIND_NUMBER:
		case SGIP_KIND_BOOLEAN:
			good = decoded == scalar_outcome(member) &&
				(decoded != SGIP_DECODED_TEXT || scalar_is(member, value));
			break;
		case SGIP_KIND_LIST:
			good = decoded == list_outcome(member, field->subkey) &&
				(decoded != SGIP_DECODED_TEXT || literal_is(member, field->subkey, value));
			break;
		case SGIP_KIND_TIME:
			good = time_fits(member, decoded, value, row->element->raw);
			break;
		case SGIP_KIND_ITEM:
			good = decoded == SGIP_DECODED_TEXT && scalar_is(item, value);
			break;
		case SGIP_KIND_PARENT:
			good = decoded == SGIP_DECODED_TEXT && value.len == strlen(PARENT) &&
				memcmp(value.data, PARENT, value.len) == 0;
			break;
		case SGIP_KIND_ARGUMENT:
			break;
	}
	if (!good)
		fail("not what jansson's value says", task, field);
	if (decoded == SGIP_DECODED_TEXT)
		put_string(text, value.data, value.len);
	else
		put(text, decoded == SGIP_DECODED_NULL ? "null" : "misfit");
	put(text, " ");
}

/* Does the task give rows for the model of the element, as far as it tells? */
static bool
expect_derived(const SgipTask *task, json_t *model, bool *inconclusive)
{
	bool		used = json_array_size(member_model(model, "subusers")) > 0;
	bool		pooled = json_array_size(member_model(model, "pools")) > 0;

	*inconclusive = task->derive == SGIP_DERIVE_AVAILABLE && used;
	switch (task->derive)
	{
		case SGIP_DERIVE_ALL:
			return true;
		case SGIP_DERIVE_FREE:
			return !used && !pooled;
		case SGIP_DERIVE_TAKEN:
			return used || pooled;
		case SGIP_DERIVE_AVAILABLE:
			return used || !pooled;
	}
	return false;
}

/* Checks and writes down the rows that a task makes of the element */
static void
put_rows(Text *text, Group *group, const SgipTask *task, int number,
		 const SgipElement *element, json_t *model)
{
	json_t	   *list = task->unnest ? member_model(model, task->unnest) : NULL;
	SgipRow		row;
	bool		inconclusive;
	bool		expect_doubtful;
	size_t		count = 1;
	size_t		i;
	int			f;

	if (sgip_decode_derive(task, element, &inconclusive) != expect_derived(task, model, &expect_doubtful) ||
		inconclusive != expect_doubtful)
		fail("row or no row", task, NULL);
	memset(&row, 0, sizeof(row));
	row.element = element;
	row.parent = PARENT;
	if (task->unnest)
		count = sgip_decode_item_count(element, task->unnest);
	if (task->unnest && count != json_array_size(list))
		fail("number of items", task, NULL);
	for (i = 0; i < count; i++)
	{
		json_t	   *item = task->unnest ? item_model(json_array_get(list, i), "name") : NULL;

		if (task->unnest &&
			sgip_decode_item(element, task->unnest, "name", i, &row.item) !=
			(scalar_outcome(item) == SGIP_DECODED_TEXT))
			fail("item or no item", task, NULL);
		if (task->unnest && scalar_outcome(item) != SGIP_DECODED_TEXT)
			continue;
		for (f = 0; f < task->field_count; f++)
			put_field(text, group, task, number, f, &row, model, item);
		put(text, "\n");
	}
}

/* Writes down what the tasks of the group make of an element */
static void
put_tasks(Text *text, const SgipElement *element, void *arg)
{
	Group	   *group = arg;
	json_t	   *model = json_loadb(element->raw.data, element->raw.len, MODEL_FLAGS, NULL);
	int			count;
	const SgipTask *tasks = sgip_task_list(&count);
	int			i;

	if (model == NULL)
		fail("the element is no JSON", &tasks[0], NULL);
	for (i = 0; i < count; i++)
	{
		if (same_shape(shape_of(&tasks[i]), group->shape))
			put_rows(text, group, &tasks[i], i, element, model);
	}
	json_decref(model);
}

/* Reads the document for the tasks of one shape */
static void
decode_document(Text *text, const char *doc, size_t len, SgipJsonShape shape, bool in_pieces)
{
	Group		group;
	Reading		how;

	memset(&group, 0, sizeof(group));
	group.shape = shape;
	memset(&how, 0, sizeof(how));
	how.shape = shape;
	how.put_element = put_tasks;
	how.arg = &group;
	how.force_tree = in_pieces;
	how.piece = in_pieces ? 16 : 0;
	how.seed = in_pieces ? len | 1 : 0;
	how.exact = true;
	read_document(text, doc, len, &how);
	sgip_decode_free(&group.scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Text in_place = {NULL, 0, 0};
	static Text in_pieces = {NULL, 0, 0};
	int			count;
	const SgipTask *tasks = sgip_task_list(&count);
	int			i;
	int			j;

	for (i = 0; i < count; i++)
	{
		SgipJsonShape shape = shape_of(&tasks[i]);

		/* each shape once */
		for (j = 0; j < i && !same_shape(shape_of(&tasks[j]), shape); j++)
			;
		if (j < i)
			continue;
		decode_document(&in_place, (const char *) data, size, shape, false);
		decode_document(&in_pieces, (const char *) data, size, shape, true);
		if (in_place.len != in_pieces.len || memcmp(in_place.data, in_pieces.data, in_place.len) != 0)
			fail("in pieces it is different", &tasks[i], NULL);
	}
	return 0;
}
