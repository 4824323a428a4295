/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Planning of a foreign scan: sizes, paths, costs, and the plan.
 *
 * A path costs its requests and its rows: each request fdw_startup_cost,
 * each row that the API sends fdw_tuple_cost, and on top what PostgreSQL
 * spends on rows anyway.  What conditions leave of the rows is estimated by
 * PostgreSQL's own selectivity functions, of which ANALYZE makes good use.
 *
 * Paths are made with parameters for every join clause that lets the API be
 * asked, so that the planner can choose between a search for each outer row
 * and one listing.  Search columns leave no choice (relation.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"

#include "compat.h"
#include "plan/plan.h"
#include "plan/relation.h"
#include "request/clause.h"
#include "request/search.h"

/* Assumed number of parents, where each has a listing of its own */
#define DEFAULT_PARENTS 100

/* Fewest and most searches that the executor may choose instead of one scan */
#define MIN_SEARCHES 1
#define MAX_SEARCHES 1000

/* What a path is expected to cost */
typedef struct Estimate
{
	Cost		startup_cost;
	Cost		total_cost;
	int			max_searches;
} Estimate;

void
sgipGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	SgipRelation *relation = palloc0(sizeof(SgipRelation));

	relation->table = sgip_table_describe(foreigntableid);
	baserel->fdw_private = relation;
	sgip_relation_place(root, baserel);
	if (baserel->tuples < 0)
		baserel->tuples = SGIP_DEFAULT_ROWS;
	set_baserel_size_estimates(root, baserel);
}

/* ----------------------------------------------------------------
 *		Costs
 * ----------------------------------------------------------------
 */

/* The first condition of those parts that can be sent, given how the API compares; or NULL. */
static const SgipCondition *
sendable_condition(const SgipTable *table, List *parts)
{
	ListCell   *lc;

	foreach(lc, sgip_clause_conditions(parts))
	{
		const SgipCondition *condition = lfirst(lc);
		const SgipField *field = sgip_table_field(table, condition->attnum);

		if (!sgip_search_is_local(field) &&
			(condition->kind == SGIP_CONDITION_EQUAL ||
			 condition->kind == SGIP_CONDITION_HOLDS || field->param_to != NULL ||
			 table->columns[condition->attnum - 1].match != SGIP_MATCH_EXACT))
			return condition;
	}
	return NULL;
}

/* Requests that one listing of that many rows takes. */
static double
count_pages(const SgipTable *table, double rows)
{
	const SgipTask *task = table->task;

	if (task->paging == SGIP_PAGING_NONE)
		return 1;
	return 1 + floor(rows / Min(table->server->page_size, task->page_max));
}

/* Cost of reading everything: one listing, or one for each parent. */
static Cost
listing_cost(const SgipTable *table, double rows)
{
	double		requests = count_pages(table, rows);

	if (table->task->parent != NULL)
	{
		int			many = table->task->fields[sgip_task_parent_field(table->task)].many;

		requests += (double) DEFAULT_PARENTS / Max(many, 1);
	}
	return requests * table->server->startup_cost + rows * table->server->tuple_cost;
}

/*
 * What a scan with those clauses (restrictions, and join clauses that give it
 * parameters) costs.  Mirrors what search.c does with the values: of several
 * conditions on a field the narrowest counts, and one field may have several
 * values, each with a search.
 */
static Estimate
estimate_scan(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	const SgipTable *table = ((SgipRelation *) rel->fdw_private)->table;
	double		share[SGIP_MAX_FIELDS];
	double		values[SGIP_MAX_FIELDS];
	double		remote_share = 1;
	double		searches = 1;
	double		varying = 1;
	double		remote_rows;
	Cost		all = listing_cost(table, rel->tuples);
	Cost		one;
	Cost		remote;
	double		open = 1;
	Estimate	estimate;
	ListCell   *lc;
	ListCell   *known;

	for (int i = 0; i < SGIP_MAX_FIELDS; i++)
		share[i] = values[i] = 1;
	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		List	   *parts = sgip_relation_clauses(root, rel, rinfo);
		const SgipCondition *condition = sendable_condition(table, parts);
		int			field;
		double		selectivity;

		foreach(known, sgip_clause_known(parts))
			open *= clause_selectivity(root, lfirst(known), 0, JOIN_INNER, NULL);
		if (condition == NULL)
			continue;
		field = table->columns[condition->attnum - 1].field;
		selectivity = clause_selectivity(root, (Node *) rinfo, rel->relid, JOIN_INNER, NULL);
		if (selectivity <= share[field])
		{
			share[field] = selectivity;
			values[field] = sgip_relation_count_values(root, condition);
		}
	}
	for (int i = 0; i < table->task->field_count; i++)
	{
		remote_share *= share[i];
		if (table->task->fields[i].kind == SGIP_KIND_ARGUMENT)
			searches *= values[i];
		else
			varying = Max(varying, values[i]);
	}

	remote_rows = clamp_row_est(rel->tuples * remote_share);
	one = count_pages(table, remote_rows / varying) * table->server->startup_cost +
		remote_rows / varying * table->server->tuple_cost;
	estimate.max_searches = (int) Min(Max(all / Max(one, 0.01), MIN_SEARCHES), MAX_SEARCHES);
	remote = remote_share < 1 || searches > 1 ? searches * varying * one : all;
	if (searches <= 1 && remote > all)
	{
		remote = all;
		remote_rows = rel->tuples;
	}

	estimate.startup_cost = table->server->startup_cost + rel->baserestrictcost.startup;
	estimate.total_cost = remote + rel->baserestrictcost.startup +
		remote_rows * (cpu_tuple_cost + rel->baserestrictcost.per_tuple);
	estimate.total_cost = Max(estimate.total_cost, estimate.startup_cost);
	/* the others send nothing */
	estimate.startup_cost *= open;
	estimate.total_cost *= open;
	return estimate;
}

/* ----------------------------------------------------------------
 *		Paths
 * ----------------------------------------------------------------
 */

/* Adds a path whose parameters come from those relations. */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Relids required_outer)
{
	List	   *clauses = rel->baserestrictinfo;
	double		rows = rel->rows;
	Estimate	estimate;

	if (!bms_is_subset(((SgipRelation *) rel->fdw_private)->required_outer, required_outer))
		return;
	if (!bms_is_empty(required_outer))
	{
		ParamPathInfo *param = get_baserel_parampathinfo(root, rel, required_outer);

		clauses = list_concat_copy(clauses, param->ppi_clauses);
		rows = param->ppi_rows;
	}
	estimate = estimate_scan(root, rel, clauses);
	add_path(rel, (Path *) sgip_create_foreignscan_path(root, rel, rows,
														estimate.startup_cost,
														estimate.total_cost,
														required_outer));
}

/* Adds the parameterisation by those relations to the list. */
static List *
add_param(PlannerInfo *root, RelOptInfo *rel, List *params, Relids relids)
{
	Relids		required_outer;

	required_outer = bms_union(relids, rel->lateral_relids);
	required_outer = bms_del_member(required_outer, rel->relid);
	if (bms_is_empty(required_outer))
		return params;
	return list_append_unique_ptr(params,
								  get_baserel_parampathinfo(root, rel, required_outer));
}

void
sgipGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	SgipRelation *relation = baserel->fdw_private;
	List	   *params = NIL;
	ListCell   *lc;

	foreach(lc, sgip_relation_join_clauses(root, baserel))
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		List	   *parts = sgip_relation_clauses(root, baserel, rinfo);

		if (sendable_condition(relation->table, parts) != NULL || sgip_clause_known(parts) != NIL)
			params = add_param(root, baserel, params, rinfo->clause_relids);
	}
	params = add_param(root, baserel, params, relation->required_outer);

	add_scan_path(root, baserel, baserel->lateral_relids);
	foreach(lc, params)
		add_scan_path(root, baserel, ((ParamPathInfo *) lfirst(lc))->ppi_req_outer);
}

bool
sgipIsForeignPathAsyncCapable(ForeignPath *path)
{
	return ((SgipRelation *) path->path.parent->fdw_private)->table->server->async_capable;
}

/* ----------------------------------------------------------------
 *		The plan
 * ----------------------------------------------------------------
 */

/* Attribute numbers that the query uses, of its output and its conditions. */
static List *
used_columns(RelOptInfo *rel, const SgipTable *table, List *conditions)
{
	Bitmapset  *used = sgip_clause_columns(table, rel->relid,
										   (Node *) list_make2(rel->reltarget->exprs, conditions));
	List	   *columns = NIL;
	int			attnum = -1;

	while ((attnum = bms_next_member(used, attnum)) >= 0)
		columns = lappend_int(columns, attnum);
	return columns;
}

/*
 * How many elements a LIMIT lets the scan read, 0: perhaps all.  It only
 * lowers what the first page is asked for, since it may be an estimate.
 */
static int
expected_rows(const PlannerInfo *root, const SgipTable *table, const List *scan_clauses)
{
	if (root->limit_tuples <= 0 || root->limit_tuples > PG_INT32_MAX ||
		bms_membership(root->all_baserels) != BMS_SINGLETON ||
		root->parse->sortClause != NIL || scan_clauses != NIL ||
		table->task->derive != SGIP_DERIVE_ALL || table->task->unnest != NULL)
		return 0;
	return (int) ceil(root->limit_tuples);
}

ForeignScan *
sgipGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
				   ForeignPath *best_path, List *tlist, List *scan_clauses,
				   Plan *outer_plan)
{
	SgipRelation *relation = baserel->fdw_private;
	List	   *clauses = relation->checks;
	List	   *conditions = extract_actual_clauses(scan_clauses, false);
	List	   *expressions = NIL;
	List	   *private;
	Estimate	estimate = estimate_scan(root, baserel, scan_clauses);
	ListCell   *lc;

	foreach(lc, scan_clauses)
		clauses = list_concat_copy(clauses,
								   sgip_relation_clauses(root, baserel, lfirst_node(RestrictInfo, lc)));
	private = list_make4(sgip_clause_to_plan(clauses, &expressions),
						 used_columns(baserel, relation->table, conditions),
						 makeInteger(estimate.max_searches),
						 makeInteger(expected_rows(root, relation->table, scan_clauses)));

	/* every condition is applied again, those that were sent included */
	return make_foreignscan(tlist, conditions, baserel->relid, expressions, private,
							NIL, NIL, outer_plan);
}
