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
 * and one listing.  A search column can be answered by a search only: where
 * a join compares one, paths that do not take the value from the join are
 * made so dear that they are chosen only if there is no other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"

#include "compat.h"
#include "request/one_time_filter.h"
#include "plan/plan.h"
#include "request/pushdown.h"
#include "request/search.h"

/* Parents taken to exist where each has a listing of its own */
#define DEFAULT_PARENTS 100

/* Added to the cost of a path that leaves a search column without its value */
#define UNANSWERED_COST 1.0e14
#define UNANSWERED_NODES 1000

/* Fewest and most searches that the executor may choose instead of one scan */
#define MIN_SEARCHES 1
#define MAX_SEARCHES 1000

/* What a clause lets the API be asked, worked out once for each relation */
typedef struct ClauseInfo
{
	const RestrictInfo *rinfo;
	SgipCondition *condition;	/* that is sent, or NULL */
	Expr	   *filter;			/* one-time filter, or NULL */
} ClauseInfo;

/* RelOptInfo.fdw_private of a foreign table */
typedef struct RelInfo
{
	SgipTable  *table;
	List	   *clauses;		/* ClauseInfos of the clauses met so far */
	Bitmapset  *joined_equal;	/* search columns that a join compares with = */
	Bitmapset  *joined_part;	/* search columns that a join compares otherwise */
	Relids		join_relids;	/* relations in those joins, with this one */
} RelInfo;

/* What a path is expected to cost */
typedef struct Estimate
{
	double		rows;			/* rows after all conditions */
	Cost		startup_cost;
	Cost		total_cost;
	int			max_searches;
} Estimate;

/* Whose hook it was before */
static get_relation_stats_hook_type next_stats_hook = NULL;

/* Is the condition about a search column? */
static bool
is_search(const SgipTable *table, const SgipCondition *condition)
{
	return sgip_table_field(table, condition->attnum)->kind == SGIP_KIND_ARGUMENT;
}

/*
 * What a clause lets the API be asked; with sgip_fdw.enable_pushdown off,
 * conditions on search columns only.
 */
static const ClauseInfo *
clause_info(PlannerInfo *root, RelOptInfo *rel, const RestrictInfo *rinfo)
{
	RelInfo    *info = rel->fdw_private;
	ClauseInfo *clause;
	Expr	   *filter;
	ListCell   *lc;

	foreach(lc, info->clauses)
	{
		clause = lfirst(lc);
		if (clause->rinfo == rinfo)
			return clause;
	}
	clause = palloc0(sizeof(ClauseInfo));
	clause->rinfo = rinfo;
	info->clauses = lappend(info->clauses, clause);
	if (rinfo->pseudoconstant)
		return clause;
	clause->condition = sgip_pushdown_classify(root, rel, info->table, rinfo->clause);
	if (sgip_enable_pushdown)
	{
		/* one that is always open is none */
		filter = sgip_one_time_filter_make(root, rel, info->table, rinfo);
		if (filter != NULL && (!IsA(filter, Const) || sgip_one_time_filter_never_holds(filter)))
			clause->filter = filter;
	}
	else if (clause->condition != NULL && !is_search(info->table, clause->condition))
		clause->condition = NULL;
	return clause;
}

/*
 * Hook: ANALYZE's statistics of a search column are none.  The sample has NULL
 * or false in each row of it, because nobody searched; by that a search would
 * be expected to find nothing, and be worth a request for each of its rows.
 */
static bool
hide_search_statistics(PlannerInfo *root, RangeTblEntry *rte, AttrNumber attnum,
					   VariableStatData *vardata)
{
	RelOptInfo *rel = vardata->rel;

	if (rel != NULL && rel->rtekind == RTE_RELATION && rel->fdwroutine != NULL &&
		rel->fdwroutine->GetForeignRelSize == sgipGetForeignRelSize && rel->fdw_private != NULL)
	{
		const SgipField *field = sgip_table_field(((RelInfo *) rel->fdw_private)->table, attnum);

		if (field != NULL && field->kind == SGIP_KIND_ARGUMENT)
		{
			vardata->statsTuple = NULL;
			return true;
		}
	}
	return next_stats_hook != NULL && next_stats_hook(root, rte, attnum, vardata);
}

void
sgip_plan_init(void)
{
	next_stats_hook = get_relation_stats_hook;
	get_relation_stats_hook = hide_search_statistics;
}

void
sgipGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	RelInfo    *info = palloc0(sizeof(RelInfo));

	info->table = sgip_table_describe(foreigntableid);
	baserel->fdw_private = info;
	if (baserel->tuples < 0)
		baserel->tuples = SGIP_DEFAULT_ROWS;
	set_baserel_size_estimates(root, baserel);
}

/* ----------------------------------------------------------------
 *		Costs
 * ----------------------------------------------------------------
 */

/* How many values an equality is expected to have. */
static double
count_values(PlannerInfo *root, const SgipCondition *condition)
{
	double		count = 0;
	ListCell   *lc;

	foreach(lc, condition->values)
	{
		Node	   *value = lfirst(lc);

		if (OidIsValid(get_element_type(exprType(value))))
			count += sgip_estimate_array_length(root, value);
		else
			count += 1;
	}
	return Max(count, 1);
}

/* Can what the condition says be sent, by the way the API compares? */
static bool
is_sendable(const SgipTable *table, const SgipCondition *condition)
{
	return condition->kind == SGIP_CONDITION_EQUAL ||
		table->columns[condition->attnum - 1].match != SGIP_MATCH_EXACT;
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
		requests += DEFAULT_PARENTS;
	return requests * table->startup_cost + rows * table->tuple_cost;
}

/* The share of scans with those clauses that send anything. */
static double
open_share(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	double		share = 1;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		Expr	   *filter = clause_info(root, rel, lfirst_node(RestrictInfo, lc))->filter;

		if (filter != NULL)
			share *= clause_selectivity(root, (Node *) filter, 0, JOIN_INNER, NULL);
	}
	return share;
}

/*
 * What a scan with those clauses (restrictions, and join clauses that give it
 * parameters) costs.  Mirrors what search.c does with the values: of several
 * conditions on a field the narrowest counts, and one field may have several
 * values, each with a search.
 */
static Estimate
estimate_scan(PlannerInfo *root, RelOptInfo *rel, List *clauses, double rows)
{
	RelInfo    *info = rel->fdw_private;
	const SgipTable *table = info->table;
	double		share[SGIP_MAX_FIELDS];
	double		values[SGIP_MAX_FIELDS];
	double		remote_share = 1;
	double		searches = 1;
	double		varying = 1;
	double		remote_rows;
	Cost		all = listing_cost(table, rel->tuples);
	Cost		one;
	Cost		remote;
	double		open;
	Estimate	estimate;
	ListCell   *lc;

	for (int i = 0; i < SGIP_MAX_FIELDS; i++)
		share[i] = values[i] = 1;
	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		const SgipCondition *condition = clause_info(root, rel, rinfo)->condition;
		int			field;
		double		selectivity;

		if (condition == NULL || !is_sendable(table, condition))
			continue;
		field = table->columns[condition->attnum - 1].field;
		selectivity = clause_selectivity(root, (Node *) rinfo, rel->relid, JOIN_INNER, NULL);
		if (selectivity <= share[field])
		{
			share[field] = selectivity;
			values[field] = count_values(root, condition);
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
	one = count_pages(table, remote_rows / varying) * table->startup_cost +
		remote_rows / varying * table->tuple_cost;
	estimate.max_searches = (int) Min(Max(all / Max(one, 0.01), MIN_SEARCHES), MAX_SEARCHES);
	remote = remote_share < 1 || searches > 1 ? searches * varying * one : all;
	if (searches <= 1 && remote > all)
	{
		remote = all;
		remote_rows = rel->tuples;
	}

	estimate.rows = rows;
	estimate.startup_cost = table->startup_cost + rel->baserestrictcost.startup;
	estimate.total_cost = remote + rel->baserestrictcost.startup +
		remote_rows * (cpu_tuple_cost + rel->baserestrictcost.per_tuple);
	estimate.total_cost = Max(estimate.total_cost, estimate.startup_cost);
	open = open_share(root, rel, clauses);
	estimate.startup_cost *= open;
	estimate.total_cost *= open;
	return estimate;
}

/* ----------------------------------------------------------------
 *		Paths
 * ----------------------------------------------------------------
 */

/*
 * Does a path with these clauses leave a search column, which a join
 * compares, without its value?  The clauses of equivalence classes are made
 * anew with their sides exchanged, so columns are compared and not clauses.
 */
static bool
leaves_unanswered(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	RelInfo    *info = rel->fdw_private;
	Bitmapset  *equal = bms_copy(info->joined_equal);
	Bitmapset  *part = bms_copy(info->joined_part);
	ListCell   *lc;

	if (bms_is_empty(equal) && bms_is_empty(part))
		return false;
	foreach(lc, clauses)
	{
		const SgipCondition *condition = clause_info(root, rel, lfirst_node(RestrictInfo, lc))->condition;

		if (condition == NULL)
			continue;
		part = bms_del_member(part, condition->attnum);
		if (condition->kind == SGIP_CONDITION_EQUAL)
			equal = bms_del_member(equal, condition->attnum);
	}
	return !bms_is_empty(equal) || !bms_is_empty(part);
}

/* Notes that a join compares a search column. */
static void
note_search_join(RelOptInfo *rel, const RestrictInfo *rinfo, const SgipCondition *condition)
{
	RelInfo    *info = rel->fdw_private;

	if (condition->kind == SGIP_CONDITION_EQUAL)
		info->joined_equal = bms_add_member(info->joined_equal, condition->attnum);
	else
		info->joined_part = bms_add_member(info->joined_part, condition->attnum);
	info->join_relids = bms_add_members(info->join_relids, rinfo->clause_relids);
}

/* Adds a path whose parameters come from those relations. */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Relids required_outer, ParamPathInfo *param)
{
	List	   *clauses = rel->baserestrictinfo;
	double		rows = rel->rows;
	int			disabled_nodes = 0;
	Estimate	estimate;

	if (param != NULL)
	{
		clauses = list_concat_copy(clauses, param->ppi_clauses);
		rows = param->ppi_rows;
	}
	estimate = estimate_scan(root, rel, clauses, rows);
	if (leaves_unanswered(root, rel, clauses))
	{
		estimate.startup_cost += UNANSWERED_COST;
		estimate.total_cost += UNANSWERED_COST;
		disabled_nodes = UNANSWERED_NODES;
	}
	(void) disabled_nodes;		/* not looked at before 18 */
	add_path(rel, (Path *) sgip_create_foreignscan_path(root, rel, estimate.rows,
														disabled_nodes,
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

/* What choose_member tells and is told, in the walk over a rel's classes */
typedef struct MemberSearch
{
	Expr	   *current;		/* member that clauses are being made for */
	List	   *done;			/* members that clauses were made for */
} MemberSearch;

/* Callback: is this a member of the class that no clause was made for yet? */
static bool
choose_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
			  EquivalenceMember *em, void *arg)
{
	MemberSearch *search = arg;

	if (search->current != NULL)
		return equal(em->em_expr, search->current);
	if (list_member(search->done, em->em_expr))
		return false;
	search->current = em->em_expr;
	return true;
}

/*
 * Join clauses that can move to this relation: from the join list, and from
 * the equivalence classes, one member of this relation after another.
 */
static List *
movable_join_clauses(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *clauses = NIL;
	MemberSearch search = {NULL, NIL};
	ListCell   *lc;

	foreach(lc, rel->joininfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (join_clause_is_movable_to(rinfo, rel))
			clauses = lappend(clauses, rinfo);
	}
	while (rel->has_eclass_joins)
	{
		List	   *implied;

		search.current = NULL;
		implied = generate_implied_equalities_for_column(root, rel, choose_member, &search,
														 rel->lateral_referencers);
		if (search.current == NULL)
			break;
		foreach(lc, implied)
		{
			RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

			if (join_clause_is_movable_to(rinfo, rel))
				clauses = lappend(clauses, rinfo);
		}
		search.done = lappend(search.done, search.current);
	}
	return clauses;
}

void
sgipGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	RelInfo    *info = baserel->fdw_private;
	List	   *params = NIL;
	ListCell   *lc;

	foreach(lc, movable_join_clauses(root, baserel))
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		const ClauseInfo *clause = clause_info(root, baserel, rinfo);
		const SgipCondition *condition = clause->condition;

		if (clause->filter != NULL)
			params = add_param(root, baserel, params, rinfo->clause_relids);
		if (condition == NULL || !is_sendable(info->table, condition))
			continue;
		if (is_search(info->table, condition))
			note_search_join(baserel, rinfo, condition);
		params = add_param(root, baserel, params, rinfo->clause_relids);
	}
	/* search columns may get their values from several relations */
	params = add_param(root, baserel, params, info->join_relids);

	add_scan_path(root, baserel, baserel->lateral_relids,
				  bms_is_empty(baserel->lateral_relids) ? NULL :
				  get_baserel_parampathinfo(root, baserel, baserel->lateral_relids));
	foreach(lc, params)
	{
		ParamPathInfo *param = lfirst(lc);

		add_scan_path(root, baserel, param->ppi_req_outer, param);
	}
}

bool
sgipIsForeignPathAsyncCapable(ForeignPath *path)
{
	return ((RelInfo *) path->path.parent->fdw_private)->table->async_capable;
}

/* ----------------------------------------------------------------
 *		The plan
 * ----------------------------------------------------------------
 */

/* Attribute numbers that the query uses, of its output and its conditions. */
static List *
used_columns(RelOptInfo *rel, const SgipTable *table, List *scan_clauses)
{
	Bitmapset  *used = NULL;
	List	   *columns = NIL;
	bool		whole_row;
	ListCell   *lc;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	foreach(lc, scan_clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &used);

	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	for (int attnum = 1; attnum <= table->column_count; attnum++)
	{
		if (table->columns[attnum - 1].live &&
			(whole_row || bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, used)))
			columns = lappend_int(columns, attnum);
	}
	return columns;
}

/* Has the query, or one that it is a part of, DISTINCT ON? */
static bool
has_distinct_on(const PlannerInfo *root)
{
	for (; root != NULL; root = root->parent_root)
	{
		if (root->parse->hasDistinctOn)
			return true;
	}
	return false;
}

/*
 * How many elements a LIMIT lets the scan read, 0: perhaps all.  It only
 * lowers what the first page is asked for, since it may be an estimate.
 */
static int
expected_rows(const PlannerInfo *root, const SgipTable *table, const List *scan_clauses)
{
	if (root->limit_tuples <= 0 || root->limit_tuples > INT_MAX ||
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
	RelInfo    *info = baserel->fdw_private;
	List	   *conditions = NIL;
	List	   *values = NIL;
	List	   *filters = NIL;
	List	   *private;
	Estimate	estimate = estimate_scan(root, baserel, scan_clauses, best_path->path.rows);
	ListCell   *lc;

	foreach(lc, scan_clauses)
	{
		const ClauseInfo *clause = clause_info(root, baserel, lfirst_node(RestrictInfo, lc));

		if (clause->condition != NULL)
		{
			conditions = lappend(conditions, clause->condition);
			values = list_concat(values, clause->condition->values);
		}
		if (clause->filter != NULL)
			filters = lappend(filters, clause->filter);
	}

	private = list_make5(sgip_pushdown_to_plan(conditions),
						 used_columns(baserel, info->table, scan_clauses),
						 makeInteger(estimate.max_searches),
						 makeInteger(expected_rows(root, info->table, scan_clauses)),
						 makeInteger(has_distinct_on(root)));
	values = list_concat(values, filters);

	/* every condition is applied again, those that were sent included */
	return make_foreignscan(tlist, extract_actual_clauses(scan_clauses, false),
							baserel->relid, values, private, NIL, NIL, outer_plan);
}
