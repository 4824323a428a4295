/*-------------------------------------------------------------------------
 *
 * explain.c
 *		What EXPLAIN shows of a foreign scan's plan.
 *
 * Values that are known at run time only are shown as their expressions.
 * EXPLAIN hands us no list of the plan nodes above the scan, by which it
 * finds out what a parameter stands for; but it has just shown the scan's
 * filter, in which every condition that is sent stands as well, and its
 * context still is that of this node.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "plan/explain.h"
#include "plan/plan.h"
#include "request/one_time_filter.h"
#include "request/search.h"

/* The text of an expression of the scan. */
static char *
deparse(Node *expression, ExplainState *es)
{
	return deparse_expression(expression, es->deparse_cxt, es->verbose, false);
}

/* How to show the values that are no constants, whose place is NULL. */
static List *
deparse_values(List *values, ExplainState *es)
{
	List	   *texts = NIL;
	ListCell   *lc;

	foreach(lc, values)
		texts = lappend(texts, IsA(lfirst(lc), Const) ? NULL : deparse(lfirst(lc), es));
	return texts;
}

/* Is one of the filters closed, whatever the values are? */
static bool
never_holds(List *filters)
{
	ListCell   *lc;

	foreach(lc, filters)
	{
		if (sgip_one_time_filter_never_holds(lfirst(lc)))
			return true;
	}
	return false;
}

void
sgip_explain_plan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	List	   *planned = list_nth(plan->fdw_private, SGIP_PLAN_CONDITIONS);
	List	   *conditions = sgip_pushdown_from_plan(planned, plan->fdw_exprs);
	int			value_count = sgip_pushdown_count_values(planned);
	List	   *values = list_copy_head(plan->fdw_exprs, value_count);
	List	   *filters = list_copy_tail(plan->fdw_exprs, value_count);
	char	   *request;

	if (never_holds(filters))
		request = SGIP_NO_REQUEST;
	else
	{
		SgipTable  *table = sgip_table_describe(RelationGetRelid(node->ss.ss_currentRelation));

		if (filters != NIL)
			ExplainPropertyText("One-Time Filter",
								deparse((Node *) make_ands_explicit(filters), es), es);
		request = sgip_search_describe(table, conditions, deparse_values(values, es));
	}
	ExplainPropertyText("Request", request, es);
}
