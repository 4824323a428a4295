/*-------------------------------------------------------------------------
 *
 * fuzz_decode.c
 *		libFuzzer target: from a document to the fields of every task's rows.
 *
 * A document is read as the answer to each task of the catalogue, whole in
 * place and in small pieces as trees; every element is judged, and every
 * field of every row looked up, as fetch.c and tuple.c do it.  Both ways must
 * come to the same verdicts and values, and these must be what an independent
 * look at jansson's value of the element says; times and integers must be the
 * numbers that jansson read.
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

/* ... and the first */
#define YEAR_1 (-62135596800.0)

/* Longest number that is read as a time */
#define MAX_TIME_BYTES 63

/* Id of the parent's row, where a task has one */
#define PARENT "12"

/* What is read with one shape: the tasks that have it */
typedef struct Group
{
	SgipJsonShape shape;
	SgipMembers members[64];	/* by number of the task */
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
	SgipJsonShape shape = {task->list_key, sgip_task_row_key(task)};

	return shape;
}

/* Equal strings of the catalogue are one; if not, a document is only read again */
static bool
same_shape(SgipJsonShape a, SgipJsonShape b)
{
	return a.list_key == b.list_key && a.row_key == b.row_key;
}

/*-------------------------------------------------------------------------
 * The second opinion
 *-------------------------------------------------------------------------
 */

/* Is the value of a kind that fields, or items, of that kind have? */
static bool
is_of_kind(json_t *model, SgipKind kind)
{
	switch (kind)
	{
		case SGIP_KIND_TEXT:
			return json_is_string(model);
		case SGIP_KIND_NUMBER:
		case SGIP_KIND_TIME:
			return json_is_string(model) || json_is_number(model);
		case SGIP_KIND_BOOLEAN:
			return json_is_boolean(model);
		default:
			return json_is_array(model);
	}
}

/* Has the task's field the type that is documented for it? */
static bool
has_type(const SgipField *field, json_t *model)
{
	json_t	   *part;

	if (model == NULL || json_is_null(model))
		return true;
	if (field->kind < SGIP_KIND_LIST)
	{
		if (field->subkey == NULL)
			return is_of_kind(model, field->kind);
		part = json_object_get(model, field->subkey);
		return json_is_object(model) && (part == NULL || json_is_null(part) || is_of_kind(part, field->kind));
	}
	for (size_t i = 0; i < json_array_size(model); i++)
	{
		part = json_array_get(model, i);
		if (!is_of_kind(field->subkey ? json_object_get(part, field->subkey) : part, field->items))
			return false;
	}
	return json_is_array(model);
}

/* Does the task decide by the member? */
static bool
is_decisive(const SgipTask *task, const char *key)
{
	if (task->unnest != NULL && strcmp(task->unnest, key) == 0)
		return true;
	return task->derive != SGIP_DERIVE_ALL &&
		(strcmp(key, "subusers") == 0 || strcmp(key, "pools") == 0);
}

/* Is the element one of the task's rows? */
static bool
expect_row(const SgipTask *task, json_t *model, long number)
{
	if (json_is_string(model))
		return task->plain;
	if (task->single && number > 1)
		return false;
	for (int i = 0; i < task->field_count; i++)
	{
		const SgipField *field = &task->fields[i];
		json_t	   *member = field->key ? json_object_get(model, field->key) : NULL;

		if (field->key == NULL || field->kind == SGIP_KIND_PARENT)
			continue;
		if (member == NULL && (field->identity || is_decisive(task, field->key)))
			return false;
		if (json_is_null(member) && field->identity)
			return false;
		if (!has_type(field, member))
			return false;
	}
	return true;
}

/* The model of a field, or NULL */
static json_t *
field_model(const SgipTask *task, int index, json_t *model, json_t *item)
{
	const SgipField *field = &task->fields[index];
	json_t	   *member = field->key ? json_object_get(model, field->key) : NULL;

	if (field->kind == SGIP_KIND_ITEM)
		return item;
	if (json_is_string(model))
		return index == 0 ? model : NULL;
	if (field->kind == SGIP_KIND_PARENT_ITEM)
	{
		for (size_t i = 0; i < json_array_size(member); i++)
		{
			json_t	   *id = json_object_get(json_array_get(member, i), "id");

			if (json_is_string(id) ? strcmp(json_string_value(id), PARENT) == 0 :
				json_is_integer(id) && json_integer_value(id) == atoi(PARENT))
				return json_object_get(json_array_get(member, i), field->subkey);
		}
		return NULL;
	}
	return field->subkey != NULL && field->kind != SGIP_KIND_LIST ?
		json_object_get(member, field->subkey) : member;
}

/* Is that the moment, also when it is written as a text? */
static bool
moment_is(double seconds, int64_t micros)
{
	char		iso[SGIP_TIME_BYTES];
	struct tm	tm = {0};
	int			fraction;
	int			used = 0;

	/* the double's own error grows with the distance from 1970 */
	if (fabs((double) micros / 1e6 - seconds) > 0.5e-6 + fabs(seconds) * 1e-15)
		return false;
	sgip_write_time(micros, iso);
	if (sscanf(iso, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &fraction, &used) != 7 || iso[used] != '\0')
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm) * INT64_C(1000000) + fraction == micros;
}

/* Does what is made of a time fit the model? */
static bool
time_fits(json_t *model, SgipSpan text)
{
	char	   *copy = copy_of(text);
	double		seconds = strtod(copy, NULL);
	int64_t		micros;
	bool		good = false;

	switch (sgip_decode_time(text, json_is_string(model), &micros))
	{
		case SGIP_TIME_NONE:
			good = json_is_string(model) && text.len == 0;
			break;
		case SGIP_TIME_MICROS:
			good = moment_is(seconds, micros) && (json_is_number(model) || seconds >= 1e8);
			break;
		case SGIP_TIME_TEXT:
			good = json_is_string(model) && text.len > 0;
			break;
		case SGIP_TIME_MISFIT:
			good = json_is_number(model) &&
				(seconds > YEAR_9999 || seconds < YEAR_1 || text.len > MAX_TIME_BYTES);
			break;
	}
	free(copy);
	return good;
}

/* Does what is made of an integer fit its text? */
static bool
integer_fits(SgipSpan text)
{
	char	   *copy = copy_of(text);
	size_t		digits = strspn(copy + (copy[0] == '-'), "0123456789");
	bool		plain = digits > 0 && digits <= 17 && digits + (copy[0] == '-') == text.len;
	int64_t		number = 0;
	bool		good;

	if (sgip_decode_integer(text, &number))
		good = number == strtoll(copy, NULL, 10) && digits + (copy[0] == '-') == text.len;
	else
		good = !plain;
	free(copy);
	return good;
}

/*-------------------------------------------------------------------------
 * Decoding
 *-------------------------------------------------------------------------
 */

/* Checks and writes down one field of a row; item is the model of row->item */
static void
put_field(Text *text, const SgipTask *task, int index, const SgipRow *row, json_t *model, json_t *item)
{
	static Text found = {NULL, 0, 0};
	static Text expected = {NULL, 0, 0};
	const SgipField *field = &task->fields[index];
	json_t	   *value = field_model(task, index, model, item);
	const SgipNode *node;

	if (field->kind == SGIP_KIND_PARENT || field->kind == SGIP_KIND_ARGUMENT)
		return;
	node = sgip_row_node(row, index);
	clear(&found);
	clear(&expected);
	if (node != NULL)
		put_node(&found, row->element, node, NULL, false);
	if (value != NULL)
		put_model(&expected, value);
	if (strcmp(found.data, expected.data) != 0)
		fail("not what jansson's value says", task, field);
	if (node != NULL && field->kind == SGIP_KIND_TIME && node->kind != SGIP_VALUE_NULL &&
		!time_fits(value, sgip_node_text(row->element, node)))
		fail("not the time", task, field);
	if (node != NULL && !integer_fits(sgip_node_text(row->element, node)))
		fail("not the number", task, field);
	put(text, found.data);
	put(text, " ");
}

/* Does the task give rows for the model of the element, as far as it tells? */
static bool
expect_derived(const SgipTask *task, json_t *model, bool *inconclusive)
{
	bool		used = json_array_size(json_object_get(model, "subusers")) > 0;
	bool		pooled = json_array_size(json_object_get(model, "pools")) > 0;

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
put_rows(Text *text, SgipMembers *members, const SgipElement *element, json_t *model)
{
	const SgipTask *task = members->task;
	json_t	   *list = task->unnest ? json_object_get(model, task->unnest) : NULL;
	char		problem[SGIP_PROBLEM_BYTES];
	SgipRow		row = {element, members, NULL, PARENT};
	SgipItems	items;
	bool		inconclusive;
	bool		expect_inconclusive;
	size_t		count = task->unnest ? json_array_size(list) : 1;
	int			f;

	if (sgip_members_find(members, element, problem) != expect_row(task, model, element->number))
		fail("row or no row", task, NULL);
	if (!expect_row(task, model, element->number))
	{
		if (strlen(problem) < 10)
			fail("nothing is said about what is no row", task, NULL);
		put(text, problem);
		put(text, "\n");
		return;
	}
	if (sgip_members_derive(members, &inconclusive) != expect_derived(task, model, &expect_inconclusive) ||
		inconclusive != expect_inconclusive)
		fail("derived or not", task, NULL);
	sgip_items_begin(&items, sgip_members_list(members, members->unnest));
	for (size_t i = 0; i < count; i++)
	{
		row.item = sgip_items_next(&items);
		if ((row.item != NULL) != (task->unnest != NULL))
			fail("item or no item", task, NULL);
		for (f = 0; f < task->field_count; f++)
			put_field(text, task, f, &row, model, json_array_get(list, i));
		put(text, "\n");
	}
	if (sgip_items_next(&items) != NULL)
		fail("number of items", task, NULL);
}

/* Writes down what the tasks of the group make of an element, or of a copy that was packed */
static void
put_tasks(Text *text, const SgipElement *element, void *arg)
{
	Group	   *group = arg;
	json_t	   *model = json_loadb(element->raw.data, element->raw.len, MODEL_FLAGS, NULL);
	char	   *packed = need(malloc(sgip_element_pack_size(element)));
	SgipElement copy;
	int			count;
	const SgipTask *tasks = sgip_task_list(&count);

	sgip_element_pack(element, packed);
	sgip_element_unpack(packed, &copy);
	if (model == NULL)
		fail("the element is no JSON", &tasks[0], NULL);
	for (int i = 0; i < count; i++)
	{
		if (!same_shape(shape_of(&tasks[i]), group->shape))
			continue;
		if (group->members[i].task == NULL)
			sgip_members_begin(&group->members[i], &tasks[i], NULL);
		put_rows(text, &group->members[i], element->number % 2 == 0 ? element : &copy, model);
	}
	free(packed);
	json_decref(model);
}

/* Reads the document for the tasks of one shape */
static void
decode_document(Text *text, const char *doc, size_t len, SgipJsonShape shape, bool in_pieces)
{
	Group		group = {.shape = shape};
	Reading		how = {
		.shape = shape, .put_element = put_tasks, .arg = &group,
		.force_tree = in_pieces, .piece = in_pieces ? 16 : 0, .seed = in_pieces ? len | 1 : 0
	};

	read_document(text, doc, len, &how);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Text in_place = {NULL, 0, 0};
	static Text in_pieces = {NULL, 0, 0};
	int			count;
	const SgipTask *tasks = sgip_task_list(&count);
	int			j;

	for (int i = 0; i < count; i++)
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
