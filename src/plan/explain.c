/*-------------------------------------------------------------------------
 *
 * explain.c
 *		What EXPLAIN shows of a foreign scan's plan.
 *
 * Values that are known at run time only are shown as their expressions.
 * EXPLAIN does not pass us the plan nodes above the scan, by which it
 * resolves parameters; but it has just shown the scan's filter, which
 * contains every condition that is sent, and its deparse context is still
 * that of this node.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "plan/explain.h"
#include "plan/plan.h"
#include "request/search.h"

/* Shown instead of a request that cannot return a row */
#define NO_REQUEST "none, no row can satisfy the conditions"

/* Most values of a list that are shown */
#define MAX_SHOWN_VALUES 8

/* What is shown of a request, by field of the task */
typedef struct Shown
{
	const SgipTable *table;
	ExplainState *es;
	const SgipCondition *conditions[SGIP_MAX_FIELDS];	/* whose text is shown */
	char	   *texts[SGIP_MAX_FIELDS];
} Shown;

/* The text of an expression of the scan. */
static char *
deparse(Node *expression, ExplainState *es)
{
	return deparse_expression(expression, es->deparse_cxt, es->verbose, false);
}

/* The distinct values that the searches send for a field: "a|b|c", NULL if none. */
static char *
join_values(const SgipSearches *searches, int field_index)
{
	StringInfoData buf;
	List	   *values = NIL;
	ListCell   *lc;

	initStringInfo(&buf);
	for (int i = 0; i < searches->count && list_length(values) <= MAX_SHOWN_VALUES; i++)
	{
		const char *value = searches->items[i].arguments.values[field_index];

		if (value != NULL)
			values = list_append_unique(values, makeString(unconstify(char *, value)));
	}
	foreach(lc, values)
	{
		const char *value = strVal(lfirst(lc));

		if (foreach_current_index(lc) > 0)
			appendStringInfoChar(&buf, '|');
		if (foreach_current_index(lc) == MAX_SHOWN_VALUES)
		{
			appendStringInfoString(&buf, "...");
			break;
		}
		for (const char *end;; value = end + 1)
		{
			end = strchrnul(value, SGIP_VALUES_SEPARATOR);
			sgip_request_encode(&buf, pnstrdup(value, end - value));
			if (*end == '\0')
				break;
			appendStringInfoChar(&buf, '|');
		}
	}
	return values != NIL ? buf.data : NULL;
}

/* How a condition is shown by itself; NULL if nothing is sent for it. */
static char *
condition_text(const Shown *shown, const SgipCondition *condition)
{
	static const char *const names[] = {
		[SGIP_CONDITION_EQUAL] = "=",
		[SGIP_CONDITION_LIKE] = "LIKE",
		[SGIP_CONDITION_STARTS] = "^@",
		[SGIP_CONDITION_NETWORK] = "<<=",
		[SGIP_CONDITION_HOLDS] = "@>",
		[SGIP_CONDITION_FROM] = ">=",
		[SGIP_CONDITION_TO] = "<="
	};
	StringInfoData buf;
	bool		plain = condition->kind == SGIP_CONDITION_EQUAL;
	ListCell   *lc;

	/* whether a search column can be asked it is no question yet */
	if (sgip_search_is_constant(condition) && !bms_is_member(condition->attnum, shown->table->search))
		return join_values(sgip_search_evaluate(shown->table, list_make1(unconstify(SgipCondition *, condition)),
												SGIP_MAX_SEARCHES),
						   shown->table->columns[condition->attnum - 1].field);
	initStringInfo(&buf);
	if (!plain)
		appendStringInfo(&buf, "[%s ", names[condition->kind]);
	foreach(lc, condition->values)
		appendStringInfo(&buf, "%s%s", lc == list_head(condition->values) ? "" : "|",
						 deparse(lfirst(lc), shown->es));
	if (!plain)
		appendStringInfoChar(&buf, ']');
	return buf.data;
}

/*
 * Shows a condition whose value is known at run time only, unless one that
 * says more about its field is shown.
 */
static void
show_condition(Shown *shown, const SgipCondition *condition)
{
	int			field = shown->table->columns[condition->attnum - 1].field;
	const SgipCondition *other = shown->conditions[field];

	if (other == NULL || condition->kind < other->kind)
	{
		shown->conditions[field] = condition;
		shown->texts[field] = condition_text(shown, condition);
	}
	else if (other->kind == SGIP_CONDITION_FROM && condition->kind == SGIP_CONDITION_TO)
		shown->texts[field] = psprintf("%s%s", shown->texts[field], condition_text(shown, condition));
}

/* Shows what may be sent for a clause of which a part is known at run time only. */
static void
show_choice(Shown *shown, SgipClause *clause)
{
	SgipClause *first = linitial(clause->args);
	char	   *texts[SGIP_MAX_FIELDS] = {NULL};
	ListCell   *lc;

	foreach(lc, sgip_clause_conditions(list_make1(clause)))
	{
		SgipCondition *condition = lfirst(lc);
		int			field = shown->table->columns[condition->attnum - 1].field;
		char	   *text = condition_text(shown, condition);

		if (text != NULL)
			texts[field] = texts[field] ? psprintf("%s|%s", texts[field], text) : text;
	}
	for (int i = 0; i < shown->table->task->field_count; i++)
	{
		if (texts[i] == NULL || shown->texts[i] != NULL)
			continue;
		if (clause->kind == SGIP_CLAUSE_OR && first->kind == SGIP_CLAUSE_KNOWN)
			shown->texts[i] = psprintf("[%s unless %s]", texts[i], deparse(first->known, shown->es));
		else
			shown->texts[i] = psprintf("[%s]", texts[i]);
	}
}

/* The request for those clauses, without credentials. */
static char *
describe_request(const SgipTable *table, List *clauses, ExplainState *es)
{
	const SgipTask *task = table->task;
	Shown		shown = {.table = table, .es = es};
	SgipArguments arguments = {.shown = (const char *const *) shown.texts};
	List	   *conditions = NIL;
	List	   *constants = NIL;
	SgipSearches *searches;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		SgipClause *clause = lfirst(lc);

		if (clause->kind == SGIP_CLAUSE_CONDITION)
			conditions = lappend(conditions, clause->condition);
	}
	foreach(lc, sgip_clause_needed(table, conditions))
	{
		if (sgip_search_is_constant(lfirst(lc)))
			constants = lappend(constants, lfirst(lc));
		else
			show_condition(&shown, lfirst(lc));
	}

	searches = sgip_search_evaluate(table, constants, SGIP_MAX_SEARCHES);
	if (searches->count == 0)
		return pstrdup(NO_REQUEST);
	for (int i = 0; i < task->field_count; i++)
	{
		char	   *values = join_values(searches, i);

		/* an equality at run time is narrower than a piece of a pattern */
		if (values != NULL &&
			(shown.conditions[i] == NULL || shown.conditions[i]->kind != SGIP_CONDITION_EQUAL))
			shown.texts[i] = values;
	}
	foreach(lc, clauses)
	{
		SgipClause *clause = lfirst(lc);

		if (clause->kind == SGIP_CLAUSE_AND || clause->kind == SGIP_CLAUSE_OR)
			show_choice(&shown, clause);
	}
	return sgip_request_show(table->server, task, &arguments, NULL, false);
}

void
sgip_explain_plan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	SgipTable  *table = sgip_table_describe(RelationGetRelid(node->ss.ss_currentRelation));
	List	   *clauses = sgip_clause_from_plan(list_nth(plan->fdw_private, SGIP_PLAN_CLAUSES),
												plan->fdw_exprs);
	List	   *filters = NIL;
	bool		never = false;
	char	   *request;
	char	   *form;
	ListCell   *lc;

	foreach(lc, sgip_clause_known(clauses))
	{
		if (IsA(lfirst(lc), Const))
			never = true;
		else
			filters = lappend(filters, lfirst(lc));
	}
	if (filters != NIL)
		ExplainPropertyText("One-Time Filter", deparse((Node *) make_ands_explicit(filters), es), es);
	request = never ? pstrdup(NO_REQUEST) : describe_request(table, clauses, es);

	/*
	 * show the parameters of a POST by themselves: a log of URLs will not
	 * have them
	 */
	form = request[0] == 'P' ? strstr(request, SGIP_REQUEST_FORM) : NULL;
	if (form != NULL)
		*form = '\0';
	ExplainPropertyText("Request", request, es);
	if (form != NULL)
		ExplainPropertyText("Form", form + strlen(SGIP_REQUEST_FORM), es);
}
