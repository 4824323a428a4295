/*-------------------------------------------------------------------------
 *
 * restart.c
 *		Which scans of a plan can be started again.
 *
 * EXEC_FLAG_REWIND is set for scans that are started again unchanged.  It
 * is cleared where parameters change in between: on the inner side of a
 * nested loop that hands some over, in a subplan that has some, in the
 * rounds of a recursive query.  There each scan is started again, even one
 * that has no parameter itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"

#include "scan/restart.h"

/* Notes the scans of a part of the plan.  again: that part is started again. */
static void
look_at(Plan *plan, bool again, SgipStatement *statement)
{
	List	   *plans = NIL;	/* besides the outer and the inner one */
	ListCell   *lc;

	if (plan == NULL)
		return;
	check_stack_depth();
	switch (nodeTag(plan))
	{
		case T_ForeignScan:
			if (again)
				statement->restarted = bms_add_member(statement->restarted, plan->plan_node_id);
			break;
		case T_Append:
			plans = ((Append *) plan)->appendplans;
			break;
		case T_MergeAppend:
			plans = ((MergeAppend *) plan)->mergeplans;
			break;
		case T_SubqueryScan:
			plans = list_make1(((SubqueryScan *) plan)->subplan);
			break;
		case T_CustomScan:
			plans = ((CustomScan *) plan)->custom_plans;
			break;
		default:
			break;
	}
	foreach(lc, plans)
		look_at(lfirst(lc), again || IsA(plan, CustomScan), statement);
	look_at(outerPlan(plan), again, statement);
	look_at(innerPlan(plan), again || IsA(plan, RecursiveUnion) ||
			(IsA(plan, NestLoop) && ((NestLoop *) plan)->nestParams != NIL), statement);
}

/* Looks at the whole plan, once for a statement. */
static void
look_at_statement(const PlannedStmt *plan, SgipStatement *statement)
{
	MemoryContext caller = MemoryContextSwitchTo(statement->estate->es_query_cxt);
	ListCell   *lc;

	look_at(plan->planTree, false, statement);
	foreach(lc, plan->subplans)
	{
		Plan	   *subplan = lfirst(lc);

		if (subplan != NULL)
			look_at(subplan, !bms_is_empty(subplan->extParam), statement);
	}
	statement->planned = true;
	MemoryContextSwitchTo(caller);
}

bool
sgip_restart_is_possible(ForeignScanState *node, int eflags, SgipStatement *statement)
{
	if (eflags & EXEC_FLAG_REWIND)
		return true;
	if (!statement->planned)
		look_at_statement(node->ss.ps.state->es_plannedstmt, statement);
	return bms_is_member(node->ss.ps.plan->plan_node_id, statement->restarted);
}
