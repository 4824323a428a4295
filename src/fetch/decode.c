/*-------------------------------------------------------------------------
 *
 * decode.c
 *		From an element of an answer to the texts of a row's fields.
 *
 * What a text means as a value of a column's type is not decided here but by
 * the type's input function.
 *
 *-------------------------------------------------------------------------
 */
#include "fetch/decode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Latest time in Unix seconds that is taken for one: the year 9999.  A larger
 * number is milliseconds or worse, and must not pass for a date.
 */
#define MAX_UNIX_SECONDS 253402300799.0

#define MICROS_PER_SECOND 1000000

void
sgip_decode_free(SgipScratch *scratch)
{
	free(scratch->data);
	memset(scratch, 0, sizeof(*scratch));
}

/* Appends bytes; false when out of memory. */
static bool
append(SgipScratch *scratch, const char *data, size_t len)
{
	if (scratch->len + len > scratch->size)
	{
		size_t		size = scratch->size ? scratch->size : 256;
		char	   *bigger;

		while (size < scratch->len + len)
			size *= 2;
		bigger = realloc(scratch->data, size);
		if (bigger == NULL)
			return false;
		scratch->data = bigger;
		scratch->size = size;
	}
	memcpy(scratch->data + scratch->len, data, len);
	scratch->len += len;
	return true;
}

/* Appends an element of an array literal, quoted. */
static bool
append_quoted(SgipScratch *scratch, SgipSpan text)
{
	if (!append(scratch, "\"", 1))
		return false;
	for (size_t i = 0; i < text.len; i++)
	{
		if ((text.data[i] == '"' || text.data[i] == '\\') && !append(scratch, "\\", 1))
			return false;
		if (!append(scratch, &text.data[i], 1))
			return false;
	}
	return append(scratch, "\"", 1);
}

/* A string's or literal's text; NULL and misfits as such. */
static SgipDecoded
scalar_text(const SgipValue *value, SgipSpan *text)
{
	switch (value->kind)
	{
		case SGIP_VALUE_ABSENT:
		case SGIP_VALUE_NULL:
			return SGIP_DECODED_NULL;
		case SGIP_VALUE_STRING:
		case SGIP_VALUE_LITERAL:
			*text = value->text;
			return SGIP_DECODED_TEXT;
		default:
			return SGIP_DECODED_MISFIT;
	}
}

/* What the field takes of a value: itself, or the member of an object. */
static SgipValue
part_of(const SgipValue *value, const char *subkey)
{
	SgipValue	absent = {SGIP_VALUE_ABSENT, {NULL, 0}, NULL};

	if (subkey == NULL || value->kind == SGIP_VALUE_NULL)
		return *value;
	return value->kind == SGIP_VALUE_OBJECT ? sgip_json_object_member(value, subkey) : absent;
}

/* The scalar that an item of a list stands for: itself, or its subkey's. */
static SgipDecoded
item_text(const SgipValue *item, const char *subkey, SgipSpan *text)
{
	SgipValue	part = part_of(item, subkey);

	return scalar_text(&part, text);
}

/*-------------------------------------------------------------------------
 * Is the element a row?
 *-------------------------------------------------------------------------
 */

/* Is the value of that kind, or null? */
static bool
is_of_kind(const SgipValue *value, SgipKind kind)
{
	bool		string = value->kind == SGIP_VALUE_STRING;
	bool		literal = value->kind == SGIP_VALUE_LITERAL;
	bool		word = literal && (value->text.data[0] == 't' || value->text.data[0] == 'f');

	switch (kind)
	{
		case SGIP_KIND_TEXT:
			return string;
		case SGIP_KIND_NUMBER:
		case SGIP_KIND_TIME:
			return string || (literal && !word);
		case SGIP_KIND_BOOLEAN:
			return word;
		case SGIP_KIND_LIST:
		case SGIP_KIND_ITEM:
		case SGIP_KIND_PARENT_ITEM:
			return value->kind == SGIP_VALUE_LIST;
		case SGIP_KIND_PARENT:
		case SGIP_KIND_ARGUMENT:
			break;
	}
	return true;
}

/* Does a value of that kind stand in a list? */
static bool
is_list(SgipKind kind)
{
	return kind == SGIP_KIND_LIST || kind == SGIP_KIND_ITEM || kind == SGIP_KIND_PARENT_ITEM;
}

/* Is the value what the API documents for the field? */
static bool
has_type(const SgipField *field, const SgipValue *value)
{
	SgipValue	part = *value;

	if (value->kind == SGIP_VALUE_ABSENT || value->kind == SGIP_VALUE_NULL)
		return true;
	if (!is_list(field->kind))
	{
		if (field->subkey != NULL && value->kind != SGIP_VALUE_OBJECT)
			return false;
		part = part_of(value, field->subkey);
		return part.kind == SGIP_VALUE_ABSENT || part.kind == SGIP_VALUE_NULL ||
			is_of_kind(&part, field->kind);
	}
	if (value->kind != SGIP_VALUE_LIST)
		return false;
	for (size_t i = 0; i < sgip_json_list_length(value); i++)
	{
		SgipValue	item = sgip_json_list_item(value, i);

		part = part_of(&item, field->subkey);
		if (!is_of_kind(&part, field->items))
			return false;
	}
	return true;
}

/* What the API documents for the field, as a noun with its article. */
static const char *
type_name(const SgipField *field)
{
	switch (field->kind)
	{
		case SGIP_KIND_TEXT:
			break;
		case SGIP_KIND_NUMBER:
			return "a number";
		case SGIP_KIND_TIME:
			return "a time";
		case SGIP_KIND_BOOLEAN:
			return "true or false";
		case SGIP_KIND_LIST:
		case SGIP_KIND_ITEM:
		case SGIP_KIND_PARENT_ITEM:
			return field->subkey != NULL ? "a list of objects" :
				field->items == SGIP_KIND_NUMBER ? "a list of numbers" : "a list of strings";
		case SGIP_KIND_PARENT:
		case SGIP_KIND_ARGUMENT:
			break;
	}
	return "a string";
}

/* Must the member be there? */
static bool
is_decisive(const SgipElementCheck *check, const char *key)
{
	for (int i = 0; i < 2; i++)
	{
		if (check->decisive[i] != NULL && strcmp(check->decisive[i], key) == 0)
			return true;
	}
	return false;
}

void
sgip_decode_check_begin(SgipElementCheck *check, const SgipTask *task, const char *decisive)
{
	memset(check, 0, sizeof(*check));
	check->task = task;
	if (task->derive != SGIP_DERIVE_ALL)
	{
		check->decisive[0] = "subusers";
		check->decisive[1] = "pools";
	}
	else
		check->decisive[0] = decisive != NULL ? decisive : task->unnest;
}

bool
sgip_decode_check(SgipElementCheck *check, const SgipElement *element, char *problem)
{
	const SgipTask *task = check->task;

	if (element->form == SGIP_ELEMENT_STRING)
	{
		snprintf(problem, SGIP_PROBLEM_BYTES, "element %ld is a string, not an object",
				 element->number);
		return task->plain;
	}
	if (task->single && element->number > 1)
	{
		snprintf(problem, SGIP_PROBLEM_BYTES, "more than one object");
		return false;
	}
	for (int i = 0; i < task->field_count; i++)
	{
		const SgipField *field = &task->fields[i];
		SgipValue	value;

		if (field->kind == SGIP_KIND_PARENT || field->kind == SGIP_KIND_ARGUMENT)
			continue;
		value = sgip_json_member(element, field->key, &check->hints[i]);
		if (value.kind == SGIP_VALUE_ABSENT ?
			field->identity || is_decisive(check, field->key) :
			value.kind == SGIP_VALUE_NULL &&
			(field->identity || (field->kind == SGIP_KIND_BOOLEAN && is_decisive(check, field->key))))
		{
			snprintf(problem, SGIP_PROBLEM_BYTES, "element %ld has no \"%s\"",
					 element->number, field->key);
			return false;
		}
		if (!has_type(field, &value))
		{
			snprintf(problem, SGIP_PROBLEM_BYTES, "\"%s\" of element %ld is not %s",
					 field->key, element->number, type_name(field));
			return false;
		}
	}
	return true;
}

/*-------------------------------------------------------------------------
 * Fields
 *-------------------------------------------------------------------------
 */

/* A list as array literal. */
static SgipDecoded
list_text(const SgipValue *list, const char *subkey, SgipScratch *scratch, SgipSpan *text)
{
	size_t		count;

	if (list->kind == SGIP_VALUE_ABSENT)
		return SGIP_DECODED_NULL;
	if (list->kind != SGIP_VALUE_LIST && list->kind != SGIP_VALUE_NULL)
		return SGIP_DECODED_MISFIT;

	scratch->len = 0;
	if (!append(scratch, "{", 1))
		return SGIP_DECODED_NO_MEMORY;
	count = list->kind == SGIP_VALUE_LIST ? sgip_json_list_length(list) : 0;
	for (size_t i = 0; i < count; i++)
	{
		SgipValue	item = sgip_json_list_item(list, i);
		SgipSpan	one;
		SgipDecoded decoded = item_text(&item, subkey, &one);

		if (decoded == SGIP_DECODED_MISFIT)
			return decoded;
		if (i > 0 && !append(scratch, ",", 1))
			return SGIP_DECODED_NO_MEMORY;
		if (!(decoded == SGIP_DECODED_NULL ? append(scratch, "NULL", 4) :
			  append_quoted(scratch, one)))
			return SGIP_DECODED_NO_MEMORY;
	}
	if (!append(scratch, "}", 1))
		return SGIP_DECODED_NO_MEMORY;
	text->data = scratch->data;
	text->len = scratch->len;
	return SGIP_DECODED_TEXT;
}

/* Unix seconds as ISO 8601; a string (ISO already) as it stands. */
static SgipDecoded
time_text(const SgipValue *value, SgipScratch *scratch, SgipSpan *text)
{
	char		number[64];
	char		iso[64];
	char	   *end;
	double		seconds;
	long long	micros;
	time_t		whole;
	struct tm	tm;
	int			len;

	if (value->kind != SGIP_VALUE_LITERAL)
		return scalar_text(value, text);
	if (value->text.len >= sizeof(number))
		return SGIP_DECODED_MISFIT;
	memcpy(number, value->text.data, value->text.len);
	number[value->text.len] = '\0';
	seconds = strtod(number, &end);
	if (end == number || *end != '\0' || !(fabs(seconds) <= MAX_UNIX_SECONDS))
		return SGIP_DECODED_MISFIT;

	/* microseconds, PostgreSQL's resolution, are exact in a double up to 2255 */
	micros = llrint(seconds * MICROS_PER_SECOND);
	whole = (time_t) (micros / MICROS_PER_SECOND);
	micros %= MICROS_PER_SECOND;
	if (micros < 0)
	{
		micros += MICROS_PER_SECOND;
		whole--;
	}
	if (gmtime_r(&whole, &tm) == NULL || tm.tm_year < -1899)
		return SGIP_DECODED_MISFIT;
	len = snprintf(iso, sizeof(iso), "%04d-%02d-%02dT%02d:%02d:%02d.%06lldZ",
				   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
				   tm.tm_hour, tm.tm_min, tm.tm_sec, micros);
	scratch->len = 0;
	if (!append(scratch, iso, (size_t) len))
		return SGIP_DECODED_NO_MEMORY;
	text->data = scratch->data;
	text->len = scratch->len;
	return SGIP_DECODED_TEXT;
}

/* A field that is a string or a literal. */
static inline SgipDecoded
member_text(const SgipElement *element, const SgipField *field, int *hint, SgipSpan *text)
{
	const SgipSpan *flat;
	SgipValue	value;

	if (element->form != SGIP_ELEMENT_FLAT)
	{
		value = sgip_json_member(element, field->key, hint);
		return item_text(&value, field->subkey, text);
	}
	flat = sgip_json_flat_member(element, field->key, hint);
	if (flat == NULL)
		return SGIP_DECODED_NULL;
	*text = *flat;
	return SGIP_DECODED_TEXT;
}

/* Of the list's item whose "id" is the parent's, the member subkey. */
static SgipDecoded
parent_item_text(const SgipRow *row, const SgipField *field, int *hint, SgipSpan *text)
{
	SgipValue	list = sgip_json_member(row->element, field->key, hint);
	size_t		count = list.kind == SGIP_VALUE_LIST ? sgip_json_list_length(&list) : 0;
	size_t		len = row->parent ? strlen(row->parent) : 0;

	for (size_t i = 0; i < count; i++)
	{
		SgipValue	item = sgip_json_list_item(&list, i);
		SgipSpan	id;

		if (item_text(&item, "id", &id) == SGIP_DECODED_TEXT &&
			id.len == len && memcmp(id.data, row->parent, len) == 0)
			return item_text(&item, field->subkey, text);
	}
	return SGIP_DECODED_NULL;
}

SgipDecoded
sgip_decode_field(const SgipRow *row, const SgipField *field,
				  int *hint, SgipScratch *scratch, SgipSpan *text)
{
	SgipValue	value;

	switch (field->kind)
	{
		case SGIP_KIND_TEXT:
		case SGIP_KIND_NUMBER:
		case SGIP_KIND_BOOLEAN:
			return member_text(row->element, field, hint, text);
		case SGIP_KIND_TIME:
			value = sgip_json_member(row->element, field->key, hint);
			value = part_of(&value, field->subkey);
			return time_text(&value, scratch, text);
		case SGIP_KIND_LIST:
			value = sgip_json_member(row->element, field->key, hint);
			return list_text(&value, field->subkey, scratch, text);
		case SGIP_KIND_ITEM:
			*text = row->item;
			return SGIP_DECODED_TEXT;
		case SGIP_KIND_PARENT_ITEM:
			return parent_item_text(row, field, hint, text);
		case SGIP_KIND_PARENT:
			text->data = row->parent;
			text->len = row->parent ? strlen(row->parent) : 0;
			return row->parent ? SGIP_DECODED_TEXT : SGIP_DECODED_NULL;
		case SGIP_KIND_ARGUMENT:
			break;
	}
	return SGIP_DECODED_NULL;
}

size_t
sgip_decode_item_count(const SgipElement *element, const char *key)
{
	int			hint = 0;
	SgipValue	list = sgip_json_member(element, key, &hint);

	return list.kind == SGIP_VALUE_LIST ? sgip_json_list_length(&list) : 0;
}

bool
sgip_decode_item(const SgipElement *element, const char *key,
				 const char *subkey, size_t index, SgipSpan *text)
{
	int			hint = 0;
	SgipValue	list = sgip_json_member(element, key, &hint);
	SgipValue	item = sgip_json_list_item(&list, index);

	return item_text(&item, subkey, text) == SGIP_DECODED_TEXT;
}

void
sgip_items_begin(SgipItems *items, const SgipElement *element, const char *key)
{
	items->element = element;
	items->key = key;
	items->next = 0;
	items->count = key ? sgip_decode_item_count(element, key) : 0;
}

bool
sgip_items_next(SgipItems *items, SgipSpan *item)
{
	while (items->next < items->count)
	{
		if (sgip_decode_item(items->element, items->key, NULL, items->next++, item))
			return true;
	}
	return false;
}

bool
sgip_decode_derive(const SgipTask *task, const SgipElement *element, bool *inconclusive)
{
	bool		used;
	bool		pooled;

	*inconclusive = false;
	if (task->derive == SGIP_DERIVE_ALL)
		return true;
	used = sgip_decode_item_count(element, "subusers") > 0;
	pooled = sgip_decode_item_count(element, "pools") > 0;
	switch (task->derive)
	{
		case SGIP_DERIVE_FREE:
			return !used && !pooled;
		case SGIP_DERIVE_TAKEN:
			return used || pooled;
		case SGIP_DERIVE_AVAILABLE:
			*inconclusive = used;
			return used || !pooled;
		case SGIP_DERIVE_ALL:
			break;
	}
	return true;
}
