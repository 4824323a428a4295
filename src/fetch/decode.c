/*-------------------------------------------------------------------------
 *
 * decode.c
 *		What the members of an element are to a task: its fields.
 *
 * Converting texts to the types of columns is left to tuple.c; only
 * numbers that are times are recognised here.
 *
 *-------------------------------------------------------------------------
 */
#include "fetch/decode.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

/*
 * Latest time in Unix seconds that is taken for one: the year 9999.  A larger
 * number is milliseconds or worse, and must not pass for a date.
 */
#define MAX_UNIX_SECONDS 253402300799.0

/* The year 1, the first that ISO 8601 can name without a sign */
#define MIN_UNIX_SECONDS (-62135596800.0)

/*
 * Least number that a string must be to be taken for seconds: smaller ones
 * could be dates, such as 20060102.
 */
#define MIN_STRING_SECONDS 100000000.0

#define MICROS_PER_SECOND 1000000

/* Most digits of an integer that certainly does not overflow */
#define MAX_INTEGER_BYTES 18

/* Longest number that can be a time */
#define MAX_NUMBER_BYTES 63

/* Instead of a member's number (-1: none): not known yet */
#define SLOT_UNKNOWN (-2)

/*-------------------------------------------------------------------------
 * Which members there are
 *-------------------------------------------------------------------------
 */

/* The kinds of value, null apart, that a field or an item of a kind has */
static const uint8_t kinds_of[] = {
	[SGIP_KIND_TEXT] = SGIP_VALUE_STRING,
	[SGIP_KIND_NUMBER] = SGIP_VALUE_NUMBER | SGIP_VALUE_STRING,
	[SGIP_KIND_BOOLEAN] = SGIP_VALUE_BOOLEAN,
	[SGIP_KIND_TIME] = SGIP_VALUE_NUMBER | SGIP_VALUE_STRING,
	[SGIP_KIND_LIST] = SGIP_VALUE_LIST,
	[SGIP_KIND_ITEM] = SGIP_VALUE_LIST,
	[SGIP_KIND_PARENT] = 0,
	[SGIP_KIND_PARENT_ITEM] = SGIP_VALUE_LIST,
	[SGIP_KIND_ARGUMENT] = SGIP_VALUE_LIST
};

/* Is the value of a field an array of the element, or taken from one? */
static bool
is_list(const SgipField *field)
{
	return kinds_of[field->kind] == SGIP_VALUE_LIST;
}

/* What the API documents for the field, or for the member it is a part of. */
static const char *
type_name(const SgipField *field, bool whole)
{
	if (is_list(field))
		return field->subkey != NULL ? "a list of objects" :
			field->items == SGIP_KIND_NUMBER ? "a list of numbers" : "a list of strings";
	if (field->subkey != NULL && whole)
		return "an object";
	switch (field->kind)
	{
		case SGIP_KIND_NUMBER:
			return "a number";
		case SGIP_KIND_TIME:
			return "a time";
		case SGIP_KIND_BOOLEAN:
			return "true or false";
		default:
			return "a string";
	}
}

/* Number of the member with that key, or -1. */
static int
find_member(const SgipMembers *members, const char *key, size_t len)
{
	for (int i = 0; i < members->count; i++)
	{
		const char *known = members->fields[i]->key;

		if (strncmp(known, key, len) == 0 && known[len] == '\0')
			return i;
	}
	return -1;
}

/*
 * Requires the member of that name (NULL: none), by which something is
 * decided; returns its number, or -1.
 */
static int
require(SgipMembers *members, const char *key)
{
	int			number = key != NULL ? find_member(members, key, strlen(key)) : -1;

	if (number < 0)
		return -1;
	members->required |= 1u << number;
	if (members->fields[number]->kind == SGIP_KIND_BOOLEAN)
		members->not_null |= 1u << number;
	return number;
}

/* The number of the member that a field is; it is added unless another field is it too. */
static int
add_member(SgipMembers *members, const SgipField *field)
{
	int			number = find_member(members, field->key, strlen(field->key));
	int			kinds = kinds_of[field->kind];
	int			items = kinds_of[field->items];

	if (number >= 0)
		return number;
	number = members->count++;
	if (field->subkey != NULL)
		*(is_list(field) ? &items : &kinds) = SGIP_VALUE_OBJECT;
	members->fields[number] = field;
	members->bad_kinds[number] = (uint8_t) ~(kinds | SGIP_VALUE_NULL);
	members->bad_items[number] = (uint8_t) ~items;
	return number;
}

void
sgip_members_begin(SgipMembers *members, const SgipTask *task, const char *decisive)
{
	bool		derived = task->derive != SGIP_DERIVE_ALL;

	memset(members, 0, sizeof(*members));
	members->task = task;
	for (int i = 0; i < task->field_count; i++)
	{
		const SgipField *field = &task->fields[i];
		int			number;

		members->of_field[i] = -1;
		if (field->key == NULL || field->kind == SGIP_KIND_PARENT)
			continue;
		number = members->of_field[i] = add_member(members, field);
		members->has_parts |= field->subkey != NULL;
		members->is_part[i] = field->kind == SGIP_KIND_ITEM ||
			(field->subkey != NULL && field->kind != SGIP_KIND_LIST);
		if (field->identity)
		{
			members->required |= 1u << number;
			members->not_null |= 1u << number;
		}
	}
	(void) require(members, decisive);
	members->unnest = require(members, task->unnest);
	members->subusers = require(members, derived ? "subusers" : NULL);
	members->pools = require(members, derived ? "pools" : NULL);
}

/*-------------------------------------------------------------------------
 * The members of an element
 *-------------------------------------------------------------------------
 */

const SgipNode *
sgip_item_part(const SgipElement *element, const SgipNode *item, const SgipField *field)
{
	return field->subkey != NULL ? sgip_node_member(element, item, field->subkey) : item;
}

/* Are the parts that fields take of their members of the right kind? */
static bool
has_good_parts(const SgipMembers *members, const SgipElement *element, const SgipField **bad)
{
	for (int i = 0; i < members->task->field_count; i++)
	{
		const SgipField *field = &members->task->fields[i];
		const SgipNode *node = sgip_members_list(members, members->of_field[i]);
		const SgipNode *part;
		SgipItems	items;

		if (field->subkey == NULL || node == NULL || node->kind == SGIP_VALUE_NULL)
			continue;
		*bad = field;
		if (!is_list(field))
		{
			part = sgip_node_member(element, node, field->subkey);
			if (part != NULL && (part->kind & ~(kinds_of[field->kind] | SGIP_VALUE_NULL)) != 0)
				return false;
			continue;
		}
		sgip_items_begin(&items, node);
		while ((node = sgip_items_next(&items)) != NULL)
		{
			part = sgip_item_part(element, node, field);
			if (part == NULL || (part->kind & ~kinds_of[field->items]) != 0)
				return false;
		}
	}
	return true;
}

/* Number of the member that the node is, by its slot if that is known; or -1. */
static inline int
member_of_node(SgipMembers *members, const SgipElement *element, const SgipNode *node)
{
	int			number = element->shape != 0 ? members->of_slot[node->slot] : SLOT_UNKNOWN;

	if (number == SLOT_UNKNOWN)
	{
		number = find_member(members, element->text.data + node->key_at, node->key_len);
		if (element->shape != 0)
			members->of_slot[node->slot] = number;
	}
	return number;
}

/* Says that a member, or a part of it, is not of the type that the API documents. */
static bool
refuse_type(const SgipField *field, bool whole, const SgipElement *element, char *problem)
{
	snprintf(problem, SGIP_PROBLEM_BYTES, "\"%s\" of element %ld is not %s",
			 whole || is_list(field) ? field->key : field->subkey, element->number,
			 type_name(field, whole));
	return false;
}

/* Says which member is not there. */
static bool
refuse_lack(const SgipMembers *members, uint32_t lacking, const SgipElement *element,
			char *problem)
{
	int			number = 0;

	while ((lacking & 1u << number) == 0)
		number++;
	snprintf(problem, SGIP_PROBLEM_BYTES, "element %ld has no \"%s\"",
			 element->number, members->fields[number]->key);
	return false;
}

bool
sgip_members_find(SgipMembers *members, const SgipElement *element, char *problem)
{
	const SgipNode *node = element->nodes + 1;
	const SgipField *bad;
	uint32_t	lacking = members->required;

	memset(members->nodes, 0, sizeof(members->nodes));
	if (element->nodes->kind == SGIP_VALUE_STRING)
	{
		members->nodes[0] = element->nodes;
		snprintf(problem, SGIP_PROBLEM_BYTES, "element %ld is a string, not an object",
				 element->number);
		return members->task->plain;
	}
	if (members->task->single && element->number > 1)
	{
		snprintf(problem, SGIP_PROBLEM_BYTES, "more than one object");
		return false;
	}
	if (element->shape != 0 && element->shape != members->shape)
	{
		members->shape = element->shape;
		for (int i = 0; i < SGIP_MAX_SLOTS; i++)
			members->of_slot[i] = SLOT_UNKNOWN;
	}
	for (uint32_t n = element->nodes->len; n > 0; n--, node += node->size)
	{
		int			number = member_of_node(members, element, node);

		if (number < 0)
			continue;
		members->nodes[number] = node;
		if (((node->kind & members->bad_kinds[number]) |
			 (node->contents & members->bad_items[number])) != 0)
			return refuse_type(members->fields[number], true, element, problem);
		if (node->kind != SGIP_VALUE_NULL || (members->not_null & 1u << number) == 0)
			lacking &= ~(1u << number);
	}
	if (members->has_parts && !has_good_parts(members, element, &bad))
		return refuse_type(bad, false, element, problem);
	return lacking == 0 || refuse_lack(members, lacking, element, problem);
}

/* Is the list neither absent nor empty? */
static inline bool
is_filled(const SgipNode *list)
{
	return list != NULL && list->kind == SGIP_VALUE_LIST && list->len > 0;
}

bool
sgip_members_derive(const SgipMembers *members, bool *inconclusive)
{
	bool		used = is_filled(sgip_members_list(members, members->subusers));
	bool		pooled = is_filled(sgip_members_list(members, members->pools));

	*inconclusive = members->task->derive == SGIP_DERIVE_AVAILABLE && used;
	switch (members->task->derive)
	{
		case SGIP_DERIVE_ALL:
			break;
		case SGIP_DERIVE_FREE:
			return !used && !pooled;
		case SGIP_DERIVE_TAKEN:
			return used || pooled;
		case SGIP_DERIVE_AVAILABLE:
			return used || !pooled;
	}
	return true;
}

/* Of a list of objects the one whose "id" is the parent's, or NULL. */
static const SgipNode *
item_of_parent(const SgipRow *row, const SgipNode *list)
{
	size_t		len = row->parent ? strlen(row->parent) : 0;
	SgipItems	items;
	const SgipNode *item;

	sgip_items_begin(&items, list);
	while ((item = sgip_items_next(&items)) != NULL)
	{
		SgipSpan	id = sgip_node_value(row->element,
										 sgip_node_member(row->element, item, "id")).text;

		if (id.len == len && len > 0 && memcmp(id.data, row->parent, len) == 0)
			break;
	}
	return item;
}

const SgipNode *
sgip_row_part(const SgipRow *row, int number)
{
	const SgipField *field = &row->members->task->fields[number];
	const SgipNode *node = row->members->nodes[row->members->of_field[number]];

	if (field->kind == SGIP_KIND_ITEM)
		return row->item;
	if (field->kind == SGIP_KIND_PARENT_ITEM)
		node = item_of_parent(row, node);
	return node ? sgip_node_member(row->element, node, field->subkey) : NULL;
}

void
sgip_items_begin(SgipItems *items, const SgipNode *list)
{
	items->next = list != NULL ? list + 1 : NULL;
	items->left = list != NULL && list->kind == SGIP_VALUE_LIST ? list->len : 0;
}

const SgipNode *
sgip_items_next(SgipItems *items)
{
	const SgipNode *item = items->next;

	if (items->left == 0)
		return NULL;
	items->left--;
	items->next += item->size;
	return item;
}

/*-------------------------------------------------------------------------
 * Numbers and times
 *-------------------------------------------------------------------------
 */

bool
sgip_decode_integer(SgipSpan text, int64_t *number)
{
	bool		negative = text.len > 0 && text.data[0] == '-';
	int64_t		value = 0;

	if (text.len == (size_t) negative || text.len > MAX_INTEGER_BYTES)
		return false;
	for (size_t i = negative; i < text.len; i++)
	{
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (text.data[i] - '0');
	}
	*number = negative ? -value : value;
	return true;
}

SgipTime
sgip_decode_time(SgipSpan text, bool is_string, int64_t *micros)
{
	char		copy[MAX_NUMBER_BYTES + 1];
	char	   *end;
	int64_t		whole = 0;
	double		seconds;

	if (text.len == 0)
		return SGIP_TIME_NONE;
	if (sgip_decode_integer(text, &whole))
		seconds = (double) whole;
	else
	{
		if (text.len > MAX_NUMBER_BYTES)
			return is_string ? SGIP_TIME_TEXT : SGIP_TIME_MISFIT;
		memcpy(copy, text.data, text.len);
		copy[text.len] = '\0';
		seconds = strtod(copy, &end);
		/* what strtod() takes beyond JSON's numbers has letters */
		if (strspn(copy, "+-.0123456789eE") != text.len || *end != '\0')
			return is_string ? SGIP_TIME_TEXT : SGIP_TIME_MISFIT;
	}
	if (is_string && !(seconds >= MIN_STRING_SECONDS && seconds <= MAX_UNIX_SECONDS))
		return SGIP_TIME_TEXT;
	if (!(seconds >= MIN_UNIX_SECONDS && seconds <= MAX_UNIX_SECONDS))
		return SGIP_TIME_MISFIT;

	/* microseconds, PostgreSQL's resolution, are exact in a double up to 2255 */
	*micros = whole != 0 ? whole * MICROS_PER_SECOND : llrint(seconds * MICROS_PER_SECOND);
	return SGIP_TIME_MICROS;
}

void
sgip_write_time(int64_t micros, char iso[SGIP_TIME_BYTES])
{
	time_t		whole = (time_t) (micros / MICROS_PER_SECOND);
	int64_t		rest = micros % MICROS_PER_SECOND;
	struct tm	tm;

	if (rest < 0)
	{
		rest += MICROS_PER_SECOND;
		whole--;
	}
	memset(&tm, 0, sizeof(tm));
	(void) gmtime_r(&whole, &tm);
	snprintf(iso, SGIP_TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
			 tm.tm_hour, tm.tm_min, tm.tm_sec, (int) rest);
}
