/*-------------------------------------------------------------------------
 *
 * search.c
 *		From the values of conditions to the searches that answer them.
 *
 * A scan is answered by one or several searches.  Conditions on different
 * fields are combined in each search; of several on one field the narrowest
 * is sent.  Where one field may have several values, there is one search for
 * each, and each keeps only the rows that equal its own value, so that no
 * row comes twice though the API's answers overlap.
 *
 * pushdown.c says why each condition may be sent; here it is turned into
 * what the API's way of comparing (exact, prefix, anywhere) needs: the
 * whole value, the literal beginning, or the longest literal piece of a
 * pattern.  If in doubt, a value is not sent, and PostgreSQL's own check
 * does the work.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"

#include "request/address.h"
#include "request/range.h"
#include "request/string_set.h"
#include "request/search.h"

/*
 * Longest value that is sent.  Servers limit the request line, commonly to
 * 8 KiB; percent-encoding triples a value at worst.
 */
#define MAX_VALUE_BYTES 2000

/* A value that a column must equal */
typedef struct Candidate
{
	Datum		value;
	char	   *sent;			/* what the API is asked for, or NULL if it
								 * cannot be */
} Candidate;

/* What the conditions on one field come to */
typedef struct Choice
{
	const SgipCondition *equal; /* equality with the fewest values, or NULL */
	List	   *candidates;		/* its values */
	char	   *fragment;		/* longest piece that each row has, or NULL */
	SgipRange	range;			/* every row lies in it */
} Choice;

/* Text in UTF-8; NULL if it has no such form. */
static char *
to_utf8(char *text)
{
	if (GetDatabaseEncoding() == PG_SQL_ASCII &&
		!pg_verify_mbstr(PG_UTF8, text, strlen(text), true))
		return NULL;
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

/* The text of a value as its type prints it. */
static char *
print_value(Oid type, Datum value)
{
	Oid			function;
	bool		varlena;

	if (type == TEXTOID || type == VARCHAROID)
		return TextDatumGetCString(value);
	getTypeOutputInfo(type, &function, &varlena);
	return OidOutputFunctionCall(function, value);
}

bool
sgip_search_is_local(const SgipField *field)
{
	return field->kind == SGIP_KIND_ARGUMENT && field->param == NULL;
}

/*
 * The piece of a text that may be sent, NULL if there is none: of an address
 * the part before a mask, of a field whose comparison folds case the ASCII
 * beginning, of an overlong one the beginning.
 */
static char *
usable_part(const SgipField *field, const SgipCondition *condition, const char *text)
{
	char	   *part = pstrdup(text);

	if (OidIsValid(condition->text_form))
	{
		part[strcspn(part, "/")] = '\0';
		/* the API might write an IPv6 address differently */
		if (strchr(part, ':') != NULL)
			return NULL;
		/* a piece of a pattern might stand for the mask "/32" of text() alone */
		if (condition->text_form == F_TEXT_INET &&
			condition->kind == SGIP_CONDITION_LIKE && strstr("32", part) != NULL)
			return NULL;
	}
	if (field->fold_case)
	{
		char	   *p = part;

		while (*p && !IS_HIGHBIT_SET(*p))
			p++;
		*p = '\0';
	}
	part[pg_encoding_mbcliplen(PG_UTF8, part, strlen(part), MAX_VALUE_BYTES)] = '\0';
	return part[0] == '\0' ? NULL : part;
}

/*
 * What to send for rows whose field has the text, in UTF-8, in it; NULL if
 * nothing may be sent.  Where the API compares whole values, the text is the
 * whole value, and only all of it will do.
 */
static char *
sendable_text(const SgipTable *table, const SgipCondition *condition, const char *text)
{
	const SgipField *field = sgip_table_field(table, condition->attnum);
	char	   *part = usable_part(field, condition, text);
	SgipSpan	span = {part, part ? strlen(part) : 0};
	uint32		address;

	if (part == NULL)
		return NULL;
	if (table->columns[condition->attnum - 1].match == SGIP_MATCH_EXACT)
	{
		if (strcmp(part, text) != 0 ||
			(strcmp(field->type, "inet") == 0 && !sgip_parse_ipv4(span, &address)))
			return NULL;
		/* a path cannot hold "." or ".." */
		if ((field->kind == SGIP_KIND_PARENT || field->object_path != NULL) && part[strspn(part, ".")] == '\0')
			return NULL;
	}
	if (field->values != NULL && !sgip_task_has_word(field->values, part))
		return NULL;
	if (field->many > 0 && strchr(part, SGIP_VALUES_SEPARATOR) != NULL)
		return NULL;
	return part;
}

/* What to send for rows whose field equals the value; NULL if nothing may be sent. */
static char *
sendable_value(const SgipTable *table, const SgipCondition *condition,
			   Oid type, Datum value, char *printed)
{
	char	   *utf8;

	if (type == INETOID)
	{
		/* the API's addresses are IPv4 without mask */
		if (ip_family(DatumGetInetPP(value)) != PGSQL_AF_INET)
			return NULL;
		printed = TextDatumGetCString(DirectFunctionCall1(network_host, value));
	}
	else if (type == BOOLOID)
		return pstrdup(DatumGetBool(value) ? "true" : "false");

	utf8 = to_utf8(printed);
	if (utf8 == NULL || bms_is_member(condition->attnum, table->search))
		return utf8;
	return sendable_text(table, condition, utf8);
}

/* How many values a constant has that are not NULL: itself, or the elements of an array. */
static int
constant_values(const Const *constant, Oid *type, Datum **values)
{
	int16		len;
	bool		byval;
	char		align;
	bool	   *nulls;
	int			count;
	int			kept = 0;

	if (constant->constisnull)
		return 0;
	*type = get_element_type(constant->consttype);
	if (!OidIsValid(*type))
	{
		*type = constant->consttype;
		*values = unconstify(Datum *, &constant->constvalue);
		return 1;
	}
	get_typlenbyvalalign(*type, &len, &byval, &align);
	deconstruct_array(DatumGetArrayTypeP(constant->constvalue), *type, len, byval, align,
					  values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			(*values)[kept++] = (*values)[i];
	}
	return kept;
}

/*
 * The distinct values of an equality.  At most limit are collected: with
 * more, the number alone matters, and it is more than limit.
 */
static List *
collect_candidates(const SgipTable *table, const SgipCondition *condition, int limit)
{
	List	   *candidates = NIL;
	SgipStringSet *seen = NULL;
	ListCell   *lc;

	foreach(lc, condition->values)
	{
		Oid			type;
		Datum	   *values;
		int			count = constant_values(lfirst(lc), &type, &values);

		/* one value alone needs no set */
		if (seen == NULL && (count > 1 || list_length(condition->values) > 1))
			seen = sgip_string_set_new();
		for (int i = 0; i < count && list_length(candidates) <= limit; i++)
		{
			char	   *text = print_value(type, values[i]);
			SgipSpan	key = {text, strlen(text)};
			Candidate  *candidate;

			CHECK_FOR_INTERRUPTS();
			if (seen != NULL && !sgip_string_set_add(seen, key))
			{
				pfree(text);
				continue;
			}
			candidate = palloc(sizeof(Candidate));
			candidate->value = values[i];
			candidate->sent = sendable_value(table, condition, type, values[i], text);
			candidates = lappend(candidates, candidate);
		}
	}
	sgip_string_set_free(seen);
	return candidates;
}

/* The literal piece of a LIKE pattern at *p, unescaped; *p moves to the wildcard behind it, or the end. */
static char *
next_literal(const char **p)
{
	char	   *literal = palloc(strlen(*p) + 1);
	char	   *end = literal;

	for (; **p && **p != '%' && **p != '_'; (*p)++)
	{
		if (**p == '\\' && *++*p == '\0')
			break;
		*end++ = **p;
	}
	*end = '\0';
	return literal;
}

/*
 * What every text that matches the pattern has in it: under PREFIX its
 * literal beginning, under ANYWHERE its longest literal piece, under EXACT
 * the whole pattern if it has no wildcard.  NULL if there is none.
 */
static char *
pattern_fragment(const char *pattern, SgipMatch match)
{
	char	   *best = next_literal(&pattern);

	if (match == SGIP_MATCH_EXACT && *pattern)
		return NULL;
	while (match == SGIP_MATCH_ANYWHERE && *pattern)
	{
		char	   *piece;

		pattern++;
		piece = next_literal(&pattern);
		if (strlen(piece) > strlen(best))
			best = piece;
	}
	return best[0] ? best : NULL;
}

/*
 * The literal of a pattern of the form '%literal%', which a search column
 * can be asked for; NULL for any other.
 */
static char *
part_pattern(const char *pattern)
{
	const char *p = pattern + strspn(pattern, "%");
	char	   *literal = next_literal(&p);

	return literal[0] && *pattern == '%' && *p == '%' && p[strspn(p, "%")] == '\0' ? literal : NULL;
}

/* How a search column can be searched, for a hint. */
static char *
possible_searches(const SgipTable *table, AttrNumber attnum)
{
	const SgipColumn *column = &table->columns[attnum - 1];
	const char *name = column->name;
	Oid			type = getBaseType(column->type);

	if (type == BOOLOID)
		return psprintf("Possible are %s, NOT %s, and comparing it with = in WHERE or a join.",
						name, name);
	if (type != TEXTOID && type != VARCHAROID)
		return psprintf("The API does not compare as type %s does; declare the column as %s to search by it.",
						format_type_be(column->type), sgip_table_field(table, attnum)->type);
	return psprintf("Possible are %s = value, %s = ANY (values or ARRAY(SELECT ...)), %sand %s = other.column "
					"in a join that can be done with one search for each outer row.",
					name, name,
					column->match == SGIP_MATCH_ANYWHERE ? psprintf("%s LIKE '%%part%%', ", name) : "",
					name);
}

/* Raises 0A000: the API cannot be asked this about a search column. */
static void
report_unusable(const SgipTable *table, AttrNumber attnum, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" of foreign table \"%s\" cannot be searched in this way",
					table->columns[attnum - 1].name, table->name),
			 errdetail("%s", detail),
			 errhint("%s", possible_searches(table, attnum))));
}

void
sgip_search_refuse_undecided(const SgipTable *table, const SgipDecision *decision)
{
	if (!bms_is_empty(decision->undecided))
		report_unusable(table, bms_next_member(decision->undecided, -1),
						"The column is an argument of the search, and the API cannot be asked "
						"what the query says about it.");
}

/* Adds a value that a list must have, or the first of several that can be sent. */
static void
choose_item(const SgipTable *table, Choice *choice, const SgipCondition *condition,
			const Const *constant)
{
	Oid			type;
	Datum	   *values;
	int			count = constant_values(constant, &type, &values);

	for (int i = 0; i < count && choice->fragment == NULL; i++)
		choice->fragment = sendable_value(table, condition, type, values[i], print_value(type, values[i]));
}

/* Keeps the longer of two fragments. */
static void
keep_longer(Choice *choice, char *fragment)
{
	if (fragment != NULL &&
		(choice->fragment == NULL || strlen(fragment) > strlen(choice->fragment)))
		choice->fragment = fragment;
}

/* Raises an error for a value that a search column cannot be searched by. */
static void
check_argument(const SgipTable *table, AttrNumber attnum, const char *value)
{
	const SgipField *field = sgip_table_field(table, attnum);

	if (value == NULL || value[0] == '\0' || strlen(value) > MAX_VALUE_BYTES)
		report_unusable(table, attnum,
						"The value is empty, too long, or cannot be sent as UTF-8.");
	if (field->values != NULL && !sgip_task_has_word(field->values, value) &&
		strcmp(field->absent, value) != 0)
		report_unusable(table, attnum,
						psprintf("The argument can be \"%s\", and is \"%s\" where it is not sent.",
								 field->values, field->absent));
}

/* Adds a LIKE or starts-with condition to the choice. */
static void
choose_pattern(const SgipTable *table, Choice *choice, const SgipCondition *condition,
			   const Const *constant)
{
	const SgipField *field = sgip_table_field(table, condition->attnum);
	SgipMatch	match = table->columns[condition->attnum - 1].match;
	char	   *text = to_utf8(print_value(constant->consttype, constant->constvalue));
	char	   *fragment;

	if (field->kind == SGIP_KIND_ARGUMENT)
	{
		fragment = text ? part_pattern(text) : NULL;
		if (fragment == NULL)
			report_unusable(table, condition->attnum,
							"The API finds a group by a part of its name, not by a pattern.");
		check_argument(table, condition->attnum, fragment);
		/* one argument is sent; it must have all the parts that are asked for */
		if (choice->fragment != NULL && strstr(choice->fragment, fragment) == NULL &&
			strstr(fragment, choice->fragment) == NULL)
			report_unusable(table, condition->attnum,
							"The API finds a group by one part of its name, not by several.");
		keep_longer(choice, fragment);
		return;
	}
	if (text == NULL || field->kind == SGIP_KIND_PARENT || field->many > 0)
		return;
	if (condition->kind == SGIP_CONDITION_STARTS)
		fragment = match == SGIP_MATCH_EXACT ? NULL : text;
	else
		fragment = pattern_fragment(text, match);
	if (fragment != NULL)
	{
		/* the mask of an address as text is no part of the field */
		if (OidIsValid(condition->text_form))
			fragment[strcspn(fragment, "/")] = '\0';
		fragment = sendable_text(table, condition, fragment);
	}
	keep_longer(choice, fragment);
}

/*
 * Most values that a field may have.  There is no limit for a search column,
 * which only searches can answer, nor for parents, of which some never cost
 * more than all.
 */
static int
value_limit(const SgipField *field, int max_searches)
{
	if (sgip_search_is_local(field))
		return PG_INT32_MAX - 1;
	return field->kind == SGIP_KIND_ARGUMENT || field->kind == SGIP_KIND_PARENT || field->many > 0 ?
		SGIP_MAX_SEARCHES : max_searches;
}

/* Adds an equality to the choice; false if no value is left to equal. */
static bool
choose_equal(const SgipTable *table, Choice *choice, const SgipCondition *condition,
			 int max_searches)
{
	const SgipField *field = sgip_table_field(table, condition->attnum);
	int			limit = value_limit(field, max_searches);
	List	   *candidates = collect_candidates(table, condition, limit);
	ListCell   *lc;

	if (candidates == NIL)
		return false;
	if (list_length(candidates) > limit)
	{
		if (field->kind == SGIP_KIND_ARGUMENT)
			report_unusable(table, condition->attnum,
							psprintf("More than %d values were given.", SGIP_MAX_SEARCHES));
		return true;
	}
	foreach(lc, candidates)
	{
		const char *sent = ((Candidate *) lfirst(lc))->sent;

		if (field->kind == SGIP_KIND_ARGUMENT)
			check_argument(table, condition->attnum, sent);
		if (sent == NULL)
			return true;
	}
	if (choice->equal == NULL || list_length(candidates) < list_length(choice->candidates))
	{
		choice->equal = condition;
		choice->candidates = candidates;
	}
	return true;
}

/*
 * Adds a condition to the choice for its field; false if no row can satisfy
 * it.
 */
static bool
choose(const SgipTable *table, Choice *choice, const SgipCondition *condition,
	   int max_searches)
{
	const Const *constant = linitial(condition->values);

	if (condition->kind == SGIP_CONDITION_EQUAL)
		return choose_equal(table, choice, condition, max_searches);
	if (constant->constisnull)
		return false;
	if (condition->kind == SGIP_CONDITION_LIKE || condition->kind == SGIP_CONDITION_STARTS)
		choose_pattern(table, choice, condition, constant);
	else if (condition->kind == SGIP_CONDITION_HOLDS)
		choose_item(table, choice, condition, constant);
	else
		sgip_range_narrow(&choice->range, table, condition, constant);
	return true;
}

/*
 * Repeats the searches for each of the candidates.  Of several, each search
 * keeps its own rows, unless it has its argument in them: "equal" or NULL.
 */
static void
multiply(SgipSearches *searches, const SgipTable *table, int field_index,
		 List *candidates, const SgipCondition *equal)
{
	const SgipField *field = &table->task->fields[field_index];
	bool		search = field->kind == SGIP_KIND_ARGUMENT;
	int			times = list_length(candidates);
	int			count = searches->count * times;
	SgipSearch *items;

	if (count > SGIP_MAX_SEARCHES)
		report_unusable(table, equal->attnum,
						psprintf("More than %d searches would be needed.", SGIP_MAX_SEARCHES));
	items = palloc(count * sizeof(SgipSearch));
	for (int i = 0; i < count; i++)
	{
		SgipSearch *item = &items[i];
		const Candidate *candidate = list_nth(candidates, i % times);

		*item = searches->items[i / times];
		if (search)
			item->echoed.values[field_index] = candidate->sent;
		if (!search || field->values == NULL || sgip_task_has_word(field->values, candidate->sent))
			item->arguments.values[field_index] = candidate->sent;
		if (!search && times > 1)
		{
			item->own.condition = equal;
			item->own.value = candidate->value;
			fmgr_info(equal->equal_function, &item->own.equal);
		}
	}
	searches->items = items;
	searches->count = count;
}

/* Sends a text, which stands for all values of the field, with all searches. */
static void
add_text(SgipSearches *searches, const SgipTable *table, int field_index, char *text)
{
	Candidate	candidate = {.sent = text};

	multiply(searches, table, field_index, list_make1(&candidate), NULL);
}

/* All values of the candidates as one argument. */
static char *
join_values(List *candidates)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, candidates)
	{
		if (buf.len > 0)
			appendStringInfoChar(&buf, SGIP_VALUES_SEPARATOR);
		appendStringInfoString(&buf, ((Candidate *) lfirst(lc))->sent);
	}
	return buf.data;
}

/* Has rows searched locally for what was chosen. */
static void
search_locally(SgipSearches *searches, int field_index, const Choice *choice)
{
	ListCell   *lc;

	if (choice->equal == NULL && choice->fragment == NULL)
		return;
	searches->local.field = field_index;
	searches->local.part = choice->fragment;
	if (choice->equal == NULL)
		return;
	searches->local.values = sgip_string_set_new();
	foreach(lc, choice->candidates)
	{
		const char *value = ((Candidate *) lfirst(lc))->sent;
		SgipSpan	key = {value, strlen(value)};

		(void) sgip_string_set_add(searches->local.values, key);
	}
}

/* Sends what was chosen for a field; several values only if it is to vary. */
static void
send_choice(SgipSearches *searches, const SgipTable *table, int field_index,
			const Choice *choice, bool varies)
{
	const SgipField *field = &table->task->fields[field_index];

	if (sgip_search_is_local(field))
		search_locally(searches, field_index, choice);
	else if (choice->equal != NULL && field->many > 0)
		add_text(searches, table, field_index, join_values(choice->candidates));
	else if (choice->equal != NULL && (varies || list_length(choice->candidates) == 1))
		multiply(searches, table, field_index, choice->candidates, choice->equal);
	else if (choice->fragment != NULL)
		add_text(searches, table, field_index, choice->fragment);
}

/*
 * Index of the field, among those that are no search columns, whose values
 * the searches go through: the one with the fewest, more than one; -1: none.
 */
static int
varying_field(const SgipTask *task, const Choice *choices)
{
	int			best = -1;

	for (int i = 0; i < task->field_count; i++)
	{
		int			count = list_length(choices[i].candidates);

		if (task->fields[i].kind != SGIP_KIND_ARGUMENT && task->fields[i].many == 0 && count > 1 &&
			(best < 0 || count < list_length(choices[best].candidates)))
			best = i;
	}
	return best;
}

/* Makes the searches from what was chosen for each field. */
static void
combine(SgipSearches *searches, const SgipTable *table, const Choice *choices, int max_searches)
{
	const SgipTask *task = table->task;
	int			varying;

	for (int i = 0; i < task->field_count; i++)
	{
		if (task->fields[i].kind == SGIP_KIND_ARGUMENT)
			send_choice(searches, table, i, &choices[i], true);
	}

	varying = varying_field(task, choices);
	if (varying >= 0 && (double) searches->count * list_length(choices[varying].candidates) >
		value_limit(&task->fields[varying], max_searches))
		varying = -1;
	for (int i = 0; i < task->field_count; i++)
	{
		const SgipField *field = &task->fields[i];

		if (field->kind != SGIP_KIND_ARGUMENT && !(field->inconclusive && searches->local.field >= 0))
			send_choice(searches, table, i, &choices[i], i == varying);
	}
}

/* Leaves out what the API refuses beside another argument. */
static void
drop_conflicts(SgipSearches *searches, const SgipTask *task)
{
	for (int i = 0; i < task->field_count; i++)
	{
		int			other = task->fields[i].not_beside ?
			sgip_task_find_field(task, task->fields[i].not_beside) : -1;

		for (int j = 0; j < searches->count && other >= 0; j++)
		{
			if (searches->items[j].arguments.values[other] != NULL)
				searches->items[j].arguments.values[i] = NULL;
		}
	}
}

SgipSearches *
sgip_search_evaluate(const SgipTable *table, List *conditions, int max_searches)
{
	const SgipTask *task = table->task;
	SgipSearches *searches = palloc0(sizeof(SgipSearches));
	Choice		choices[SGIP_MAX_FIELDS] = {{0}};
	ListCell   *lc;
	bool		possible = true;

	searches->local.field = -1;
	foreach(lc, conditions)
	{
		SgipCondition *condition = lfirst(lc);

		possible &= choose(table, &choices[table->columns[condition->attnum - 1].field],
						   condition, max_searches);
	}
	for (int i = 0; i < task->field_count; i++)
	{
		possible &= !sgip_range_is_empty(&choices[i].range);
		keep_longer(&choices[i], sgip_range_fragment(&choices[i].range));
	}
	if (possible)
	{
		searches->count = 1;
		searches->items = palloc0(sizeof(SgipSearch));
		combine(searches, table, choices, max_searches);
		drop_conflicts(searches, task);
	}
	return searches;
}

bool
sgip_search_is_constant(const SgipCondition *condition)
{
	ListCell   *lc;

	foreach(lc, condition->values)
	{
		if (!IsA(lfirst(lc), Const))
			return false;
	}
	return true;
}

void
sgip_search_check(const SgipTable *table, List *conditions)
{
	List	   *constants = NIL;
	ListCell   *lc;

	foreach(lc, conditions)
	{
		SgipCondition *condition = lfirst(lc);

		if (bms_is_member(condition->attnum, table->search) && sgip_search_is_constant(condition))
			constants = lappend(constants, condition);
	}
	(void) sgip_search_evaluate(table, constants, SGIP_MAX_SEARCHES);
}
