/*-------------------------------------------------------------------------
 *
 * searchcheck.c
 *		Proof that a query asks nothing of a search column that has no value.
 *
 * A search column is an argument of the search, not a fact about a row.  If
 * no condition gives it a value it is NULL (or false) in every row, and any
 * decision based on that would look like an answer and be none: a filter
 * above a subquery, a join the other way round, HAVING, CASE, an aggregate.
 *
 * No callback of the planner sees all of a query, but its plan does.  So the
 * finished plan is followed from the scan upwards: which outputs of which
 * node carry the column, through subqueries, CTEs, parameters and sublinks;
 * and whether one of them is used otherwise than to be shown, sorted or made
 * distinct.  This holds for whatever plan was chosen.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "plan/plan.h"
#include "request/pushdown.h"
#include "request/search.h"
#include "plan/searchcheck.h"

/* The walk over a plan for one search column */
typedef struct Walk
{
	const SgipTable *table;
	AttrNumber	attnum;			/* the search column */
	const Plan *scan;			/* the scan that it is a column of */
	List	   *subplans;		/* of the planned statement */
	bool		distinct_on;	/* there is DISTINCT ON around the scan */
	Bitmapset  *params;			/* PARAM_EXEC parameters that carry it */
	Bitmapset **work_tables;	/* columns of work tables, by their wtParam */
	Bitmapset **ctes;			/* outputs of CTEs, by plan_id - 1 */
} Walk;

/* What the expressions of one node refer to: outputs that carry the column */
typedef struct Inputs
{
	Walk	   *walk;
	Bitmapset  *outer;			/* of the outer child, or children */
	Bitmapset  *inner;			/* of the inner child */
	Bitmapset  *scanned;		/* of what the node scans, by attribute number */
	bool		carries;		/* result: the expression carries the column */
	bool		skip_whole_row; /* values that are rows do not count */
} Inputs;

static Bitmapset *carried_by(Walk *walk, Plan *plan);
static bool find_carried(Node *node, void *context);

/* The column decides something: raises 0A000. */
static void
refuse(const Walk *walk)
{
	sgip_search_report_unusable(walk->table, walk->attnum,
								"The column is an argument of the search, not a fact about a row, "
								"and no condition of the query that the API can answer gives it a value.");
}

/* Does the expression carry the column? */
static bool
carries(Inputs *inputs, Node *node)
{
	bool		before = inputs->carries;
	bool		result;

	inputs->carries = false;
	(void) find_carried(node, inputs);
	result = inputs->carries;
	inputs->carries = before;
	return result;
}

/* Refuses an expression, of any kind, that carries the column; perhaps not in rows as a whole. */
static void
check_with(Inputs *inputs, void *node, bool skip_whole_row)
{
	bool		before = inputs->skip_whole_row;

	inputs->skip_whole_row = skip_whole_row;
	if (carries(inputs, node))
		refuse(inputs->walk);
	inputs->skip_whole_row = before;
}

/* Refuses an expression that decides by the column. */
static void
check(Inputs *inputs, void *node)
{
	check_with(inputs, node, false);
}

/* Refuses the column among arguments, but not rows as a whole, which may be collected. */
static void
check_but_rows(Inputs *inputs, void *arguments)
{
	check_with(inputs, arguments, true);
}

/* Does a column of a node's input carry the search column? */
static bool
var_carries(const Inputs *inputs, const Var *var)
{
	const Bitmapset *set = var->varno == OUTER_VAR ? inputs->outer :
		var->varno == INNER_VAR ? inputs->inner : inputs->scanned;

	if (inputs->skip_whole_row && type_is_rowtype(var->vartype))
		return false;
	if (var->varattno == 0)
		return !bms_is_empty(set);
	return var->varattno > 0 && bms_is_member(var->varattno, set);
}

/* Does a parameter carry the search column? */
static bool
param_carries(const Inputs *inputs, const Param *param)
{
	return param->paramkind == PARAM_EXEC &&
		bms_is_member(param->paramid, inputs->walk->params) &&
		!(inputs->skip_whole_row && type_is_rowtype(param->paramtype));
}

/* Makes the parameters that a subplan's outputs become carry the column. */
static Bitmapset *
subplan_outputs(Walk *walk, const SubPlan *subplan)
{
	return carried_by(walk, list_nth(walk->subplans, subplan->plan_id - 1));
}

/* Adds those parameters whose outputs, in order, carry the column. */
static void
mark_params(Walk *walk, List *param_ids, const Bitmapset *outputs)
{
	int			resno = 1;
	ListCell   *lc;

	foreach(lc, param_ids)
	{
		if (bms_is_member(resno++, outputs))
			walk->params = bms_add_member(walk->params, lfirst_int(lc));
	}
}

/* A sublink: values go in, are compared with its outputs, or come out. */
static void
walk_subplan(SubPlan *subplan, Inputs *inputs)
{
	Walk	   *walk = inputs->walk;
	ListCell   *arg;
	ListCell   *param;
	Bitmapset  *outputs;

	forboth(arg, subplan->args, param, subplan->parParam)
	{
		if (carries(inputs, lfirst(arg)))
			walk->params = bms_add_member(walk->params, lfirst_int(param));
	}
	outputs = subplan_outputs(walk, subplan);
	mark_params(walk, subplan->paramIds, outputs);
	if (subplan->testexpr != NULL)
		check(inputs, subplan->testexpr);
	if (subplan->subLinkType != EXISTS_SUBLINK && !bms_is_empty(outputs))
		inputs->carries = true;
}

/*
 * Finds out whether an expression carries the column, and refuses those that
 * decide by it: comparisons, tests, CASE, aggregates, functions that return
 * truth or sets.
 */
static bool
find_carried(Node *node, void *context)
{
	Inputs	   *inputs = context;

	if (node == NULL)
		return false;
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_Var:
			inputs->carries |= var_carries(inputs, (Var *) node);
			return false;
		case T_Param:
			inputs->carries |= param_carries(inputs, (Param *) node);
			return false;
		case T_SubPlan:
			walk_subplan((SubPlan *) node, inputs);
			return false;
		case T_Aggref:
			check_but_rows(inputs, ((Aggref *) node)->args);
			check(inputs, ((Aggref *) node)->aggdirectargs);
			check(inputs, ((Aggref *) node)->aggfilter);
			return false;
		case T_WindowFunc:
			check_but_rows(inputs, ((WindowFunc *) node)->args);
			check(inputs, ((WindowFunc *) node)->aggfilter);
			return false;
		case T_RowExpr:
			/* a row of a subquery that PostgreSQL looked into */
			if (inputs->skip_whole_row)
				return false;
			break;
		case T_CaseExpr:
			{
				ListCell   *lc;

				check(inputs, ((CaseExpr *) node)->arg);
				foreach(lc, ((CaseExpr *) node)->args)
				{
					check(inputs, lfirst_node(CaseWhen, lc)->expr);
					(void) find_carried((Node *) lfirst_node(CaseWhen, lc)->result, inputs);
				}
				return find_carried((Node *) ((CaseExpr *) node)->defresult, inputs);
			}
		case T_CoalesceExpr:
			check(inputs, ((CoalesceExpr *) node)->args);
			return false;
		case T_MinMaxExpr:
			check(inputs, ((MinMaxExpr *) node)->args);
			return false;
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_BoolExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_RowCompareExpr:
			/* how many rows there are is decided by what a set is made from */
			if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset)
				check_but_rows(inputs, ((FuncExpr *) node)->args);
			if (IsA(node, NullIfExpr) || exprType(node) == BOOLOID)
			{
				Inputs		own = *inputs;

				own.carries = own.skip_whole_row = false;
				(void) expression_tree_walker(node, find_carried, &own);
				if (own.carries)
					refuse(inputs->walk);
				return false;
			}
			break;
		default:
			break;
	}
	return expression_tree_walker(node, find_carried, inputs);
}

/* Outputs of all plans of a list, together. */
static Bitmapset *
carried_by_all(Walk *walk, List *plans)
{
	Bitmapset  *all = NULL;
	ListCell   *lc;

	foreach(lc, plans)
		all = bms_join(all, carried_by(walk, lfirst(lc)));
	return all;
}

/* What a function or VALUES makes of the expressions: any output may carry the column. */
static Bitmapset *
made_from(Inputs *inputs, void *expressions)
{
	return carries(inputs, expressions) ?
		bms_add_range(NULL, 1, MaxTupleAttributeNumber) : NULL;
}

/* Children that are not the outer or inner one; what they scan or append. */
static void
walk_children(Walk *walk, Plan *plan, Inputs *inputs)
{
	switch (nodeTag(plan))
	{
		case T_Append:
			inputs->outer = carried_by_all(walk, ((Append *) plan)->appendplans);
			break;
		case T_MergeAppend:
			inputs->outer = carried_by_all(walk, ((MergeAppend *) plan)->mergeplans);
			break;
		case T_SubqueryScan:
			inputs->scanned = carried_by(walk, ((SubqueryScan *) plan)->subplan);
			break;
		case T_CteScan:
			inputs->scanned = walk->ctes[((CteScan *) plan)->ctePlanId - 1];
			break;
		case T_FunctionScan:
			inputs->scanned = made_from(inputs, ((FunctionScan *) plan)->functions);
			break;
		case T_TableFuncScan:
			check_but_rows(inputs, ((TableFuncScan *) plan)->tablefunc);
			inputs->scanned = made_from(inputs, ((TableFuncScan *) plan)->tablefunc);
			break;
		case T_ValuesScan:
			inputs->scanned = made_from(inputs, ((ValuesScan *) plan)->values_lists);
			break;
		case T_WorkTableScan:
			inputs->scanned = walk->work_tables[((WorkTableScan *) plan)->wtParam];
			break;
		case T_CustomScan:
			inputs->outer = carried_by_all(walk, ((CustomScan *) plan)->custom_plans);
			break;
		default:
			break;
	}
}

/*
 * The outputs of a recursive union.  The second part reads what both have
 * given, so it is walked until no further column of the work table carries.
 */
static Bitmapset *
recursive_outputs(Walk *walk, RecursiveUnion *plan)
{
	Bitmapset **table = &walk->work_tables[plan->wtParam];
	Bitmapset  *outputs = carried_by(walk, outerPlan(plan));

	*table = NULL;
	do
	{
		*table = bms_add_members(*table, outputs);
		outputs = carried_by(walk, innerPlan(plan));
	} while (!bms_is_subset(outputs, *table));
	return *table;
}

/* Outer and inner child; a nested loop hands values from one to the other. */
static void
walk_pair(Walk *walk, Plan *plan, Inputs *inputs)
{
	if (IsA(plan, RecursiveUnion))
	{
		inputs->outer = recursive_outputs(walk, (RecursiveUnion *) plan);
		return;
	}
	if (outerPlan(plan) != NULL)
		inputs->outer = carried_by(walk, outerPlan(plan));
	if (IsA(plan, NestLoop))
	{
		ListCell   *lc;

		foreach(lc, ((NestLoop *) plan)->nestParams)
		{
			NestLoopParam *param = lfirst_node(NestLoopParam, lc);

			if (carries(inputs, (Node *) param->paramval))
				walk->params = bms_add_member(walk->params, param->paramno);
		}
	}
	if (innerPlan(plan) != NULL)
		inputs->inner = carried_by(walk, innerPlan(plan));
}

/* Refuses if one of the node's key columns carries the column. */
static void
check_keys(Inputs *inputs, int count, const AttrNumber *keys)
{
	for (int i = 0; i < count; i++)
	{
		if (bms_is_member(keys[i], inputs->outer))
			refuse(inputs->walk);
	}
}

/* Is there an aggregate among the expressions? */
static bool
find_aggregate(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Aggref))
		return true;
	return expression_tree_walker(node, find_aggregate, context);
}

/* Outputs that are shown, without those that are there to be sorted by. */
static int
count_outputs(List *targetlist)
{
	int			count = 0;
	ListCell   *lc;

	foreach(lc, targetlist)
		count += !lfirst_node(TargetEntry, lc)->resjunk;
	return count;
}

/* Refuses conditions on what becomes of a row that is to be written. */
static void
check_modify(ModifyTable *plan, Inputs *inputs)
{
	ListCell   *of_table;
	ListCell   *lc;

	/* rows to write, in the order of the table's columns, or of MERGE's source */
	inputs->inner = inputs->outer;
	check(inputs, plan->onConflictWhere);
	(void) carries(inputs, (Node *) plan->onConflictSet);
	foreach(of_table, plan->mergeActionLists)
	{
		foreach(lc, lfirst_node(List, of_table))
		{
			MergeAction *action = lfirst_node(MergeAction, lc);

			check(inputs, action->qual);
			(void) carries(inputs, (Node *) action->targetList);
		}
	}
}

/* Refuses conditions, and what else decides, of the node itself. */
static void
check_node(Plan *plan, Inputs *inputs)
{
	check(inputs, plan->qual);
	switch (nodeTag(plan))
	{
		case T_NestLoop:
			check(inputs, ((Join *) plan)->joinqual);
			break;
		case T_HashJoin:
			check(inputs, ((Join *) plan)->joinqual);
			check(inputs, ((HashJoin *) plan)->hashclauses);
			break;
		case T_MergeJoin:
			check(inputs, ((Join *) plan)->joinqual);
			check(inputs, ((MergeJoin *) plan)->mergeclauses);
			break;
		case T_Result:
			check(inputs, ((Result *) plan)->resconstantqual);
			break;
		case T_IndexScan:
			check(inputs, ((IndexScan *) plan)->indexqual);
			break;
		case T_IndexOnlyScan:
			check(inputs, ((IndexOnlyScan *) plan)->indexqual);
			break;
		case T_BitmapIndexScan:
			check(inputs, ((BitmapIndexScan *) plan)->indexqual);
			break;
		case T_BitmapHeapScan:
			check(inputs, ((BitmapHeapScan *) plan)->bitmapqualorig);
			break;
		case T_TidScan:
			check(inputs, ((TidScan *) plan)->tidquals);
			break;
		case T_TidRangeScan:
			check(inputs, ((TidRangeScan *) plan)->tidrangequals);
			break;
		case T_ForeignScan:
			check(inputs, ((ForeignScan *) plan)->fdw_exprs);
			break;
		case T_CustomScan:
			check(inputs, ((CustomScan *) plan)->custom_exprs);
			break;
		case T_Agg:
			/* without an aggregate it is DISTINCT, or UNION */
			if (find_aggregate((Node *) plan->targetlist, NULL) ||
				find_aggregate((Node *) plan->qual, NULL))
			{
				ListCell   *lc;

				check_keys(inputs, ((Agg *) plan)->numCols, ((Agg *) plan)->grpColIdx);
				/* further grouping sets */
				foreach(lc, ((Agg *) plan)->chain)
					check_keys(inputs, lfirst_node(Agg, lc)->numCols,
							   lfirst_node(Agg, lc)->grpColIdx);
			}
			break;
		case T_Unique:
			/*
			 * DISTINCT ON chooses rows by some outputs; DISTINCT compares all
			 * of them, but those that are the same in all rows
			 */
			if (inputs->walk->distinct_on &&
				((Unique *) plan)->numCols < count_outputs(plan->targetlist))
				check_keys(inputs, ((Unique *) plan)->numCols, ((Unique *) plan)->uniqColIdx);
			break;
		case T_WindowAgg:
			check_keys(inputs, ((WindowAgg *) plan)->partNumCols, ((WindowAgg *) plan)->partColIdx);
			check_keys(inputs, ((WindowAgg *) plan)->ordNumCols, ((WindowAgg *) plan)->ordColIdx);
			/* stops early, and is no other condition of the plan */
			check(inputs, ((WindowAgg *) plan)->runCondition);
			break;
		case T_Limit:
			check(inputs, ((Limit *) plan)->limitOffset);
			check(inputs, ((Limit *) plan)->limitCount);
			/* WITH TIES compares */
			check_keys(inputs, ((Limit *) plan)->uniqNumCols, ((Limit *) plan)->uniqColIdx);
			break;
		case T_ModifyTable:
			check_modify((ModifyTable *) plan, inputs);
			break;
		case T_SetOp:
			/* INTERSECT and EXCEPT compare */
			if (!bms_is_empty(inputs->outer) || !bms_is_empty(inputs->inner))
				refuse(inputs->walk);
			break;
		default:
			break;
	}
}

/* Is the node one whose condition is false whatever there is, so that nothing below it runs? */
static bool
never_runs(const Plan *plan)
{
	ListCell   *lc;

	if (!IsA(plan, Result))
		return false;
	foreach(lc, (List *) ((const Result *) plan)->resconstantqual)
	{
		Const	   *constant = lfirst(lc);

		if (IsA(constant, Const) && (constant->constisnull || !DatumGetBool(constant->constvalue)))
			return true;
	}
	return false;
}

/* The outputs (by resno) of a plan that carry the column. */
static Bitmapset *
carried_by(Walk *walk, Plan *plan)
{
	Inputs		inputs = {walk, NULL, NULL, NULL, false, false};
	Bitmapset  *outputs = NULL;
	ListCell   *lc;

	check_stack_depth();
	if (never_runs(plan))
		return NULL;
	foreach(lc, plan->initPlan)
	{
		SubPlan    *subplan = lfirst_node(SubPlan, lc);
		Bitmapset  *carriers = subplan_outputs(walk, subplan);

		/* a CTE is walked here, once, however often it is scanned */
		if (subplan->subLinkType == CTE_SUBLINK)
			walk->ctes[subplan->plan_id - 1] = carriers;
		else if (subplan->subLinkType != EXISTS_SUBLINK)
			mark_params(walk, subplan->setParam, carriers);
	}
	if (plan == walk->scan)
		inputs.scanned = bms_make_singleton(walk->attnum);
	walk_children(walk, plan, &inputs);
	walk_pair(walk, plan, &inputs);
	check_node(plan, &inputs);

	foreach(lc, plan->targetlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (carries(&inputs, (Node *) entry->expr))
			outputs = bms_add_member(outputs, entry->resno);
	}
	return outputs;
}

/* Does one of the plan's conditions give the column a value? */
static bool
has_value(List *conditions, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, conditions)
	{
		if (((SgipCondition *) lfirst(lc))->attnum == attnum)
			return true;
	}
	return false;
}

void
sgip_searchcheck(ForeignScanState *node)
{
	ForeignScan *scan = (ForeignScan *) node->ss.ps.plan;
	PlannedStmt *stmt = node->ss.ps.state->es_plannedstmt;
	List	   *conditions = sgip_pushdown_from_plan(list_nth(scan->fdw_private, SGIP_PLAN_CONDITIONS),
													 scan->fdw_exprs);
	SgipTable  *table = NULL;
	ListCell   *lc;

	if (stmt == NULL)
		return;
	foreach(lc, (List *) list_nth(scan->fdw_private, SGIP_PLAN_COLUMNS))
	{
		AttrNumber	attnum = lfirst_int(lc);
		const SgipField *field;
		Walk		walk = {0};

		if (table == NULL)
			table = sgip_table_describe(RelationGetRelid(node->ss.ss_currentRelation));
		field = sgip_table_field(table, attnum);
		if (field == NULL || field->kind != SGIP_KIND_ARGUMENT || has_value(conditions, attnum))
			continue;
		walk.table = table;
		walk.attnum = attnum;
		walk.scan = (Plan *) scan;
		walk.subplans = stmt->subplans;
		walk.work_tables = palloc0(list_length(stmt->paramExecTypes) * sizeof(Bitmapset *));
		walk.ctes = palloc0(list_length(stmt->subplans) * sizeof(Bitmapset *));
		walk.distinct_on = intVal(list_nth(scan->fdw_private, SGIP_PLAN_DISTINCT_ON)) != 0;
		(void) carried_by(&walk, stmt->planTree);
	}
}
