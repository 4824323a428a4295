/*-------------------------------------------------------------------------
 *
 * relation.c
 *		A foreign table in a query that is being planned.
 *
 * What each clause says is worked out once.  Search columns need more: a
 * search column holds the argument that its rows were found with, so all
 * that the WHERE and ON clauses of its query level say about it has to be
 * sent to the API.  Whether that is possible is decided here, from the
 * clauses alone, before a path is made; so it does not depend on costs,
 * settings or statistics.
 *
 * A join that compares a search column makes the table behave like a
 * function in FROM with the column as its argument: "u.group_name =
 * t.team" is treated as a lateral reference to t.  Then all paths of the
 * table, and of what it is joined to before t, are parameterized by t, and
 * joins that could not pass the value down are not legal.
 *
 * One kind of join needs another way: for "group_name IN (SELECT ...)"
 * PostgreSQL can make the rows of the sub-select unique and then look up
 * each of them; but not with a lateral reference.  If there is nothing
 * else to join, it is enough to offer no other path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "compat.h"
#include "plan/relation.h"
#include "request/search.h"

/*
 * The share of an account's rows that one value of a search column is
 * expected to find.  ANALYZE cannot measure it: it samples rows that were
 * found without one.
 */
#define GROUP_SHARE 0.05

/* Input and output of choose_member, in the walk over a rel's classes */
typedef struct MemberSearch
{
	Expr	   *current;		/* member that clauses are being made for */
	EquivalenceClass *class;	/* whose member it is */
	List	   *done;			/* members that clauses were made for */
} MemberSearch;

/* How the search columns of a relation get their values */
typedef struct Placement
{
	PlannerInfo *root;
	RelOptInfo *rel;
	const RelOptInfo *top;		/* rel, or the table that it is a part of */
	SgipRelation *relation;
	Relids		later;			/* relations that only come after it in a join */
	Bitmapset  *answered;		/* search columns that equal something
								 * whatever the joins are */
	List	   *clauses;		/* SgipClauses that can be sent, or are known */
	Bitmapset  *undecided;		/* search columns that a join compares in a
								 * way that cannot be */
	Relids		suppliers;		/* relations whose values it needs for that */
} Placement;

double
sgip_relation_count_values(PlannerInfo *root, const SgipCondition *condition)
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

/* The search columns that those parts of a clause are about. */
static Bitmapset *
search_of(List *parts)
{
	Bitmapset  *search = NULL;
	ListCell   *lc;

	foreach(lc, parts)
		search = bms_add_members(search, ((SgipClause *) lfirst(lc))->search);
	return search;
}

/*
 * Sets the share of rows that satisfies a clause about search columns, before
 * PostgreSQL looks at statistics.  Columns with few values, which only add
 * rows to a listing, do not change it.
 */
static void
set_selectivity(PlannerInfo *root, const SgipTable *table, List *parts, RestrictInfo *rinfo)
{
	double		share = 1;
	ListCell   *lc;

	if (bms_is_empty(search_of(parts)))
		return;
	foreach(lc, sgip_clause_conditions(parts))
	{
		SgipCondition *condition = lfirst(lc);
		const SgipField *field = sgip_table_field(table, condition->attnum);

		if (field->kind == SGIP_KIND_ARGUMENT && field->values == NULL)
			share *= GROUP_SHARE * sgip_relation_count_values(root, condition);
	}
	rinfo->norm_selec = rinfo->outer_selec = Min(share, 1);
}

/* All that a clause says, whether it may be sent or not. */
static List *
parts_of(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo)
{
	SgipRelation *relation = rel->fdw_private;
	List	   *parts;
	ListCell   *lc;

	foreach(lc, relation->clauses)
	{
		if (linitial(lfirst(lc)) == rinfo)
			return lsecond(lfirst(lc));
	}
	parts = sgip_clause_make(root, rel, relation->table, rinfo, true);
	set_selectivity(root, relation->table, parts, rinfo);
	relation->clauses = lappend(relation->clauses, list_make2(rinfo, parts));
	return parts;
}

List *
sgip_relation_clauses(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo)
{
	return sgip_clause_enabled(parts_of(root, rel, rinfo));
}

/* Callback: is this a member of the class that no clause was made for yet? */
static bool
choose_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
			  EquivalenceMember *em, void *arg)
{
	MemberSearch *search = arg;

	if (search->current != NULL)
		return ec == search->class && equal(em->em_expr, search->current);
	if (list_member(search->done, em->em_expr))
		return false;
	search->current = em->em_expr;
	search->class = ec;
	return true;
}

/*
 * Moves on to the next member of a class, of this relation; false if there is
 * none.  *clauses receives what follows from it and can move to the scan.
 */
static bool
next_member(PlannerInfo *root, RelOptInfo *rel, MemberSearch *search, List **clauses)
{
	ListCell   *lc;
	List	   *implied;

	*clauses = NIL;
	if (!rel->has_eclass_joins)
		return false;
	search->current = NULL;
	implied = generate_implied_equalities_for_column(root, rel, choose_member, search,
													 rel->lateral_referencers);
	if (search->current == NULL)
		return false;
	search->done = lappend(search->done, search->current);
	foreach(lc, implied)
	{
		if (join_clause_is_movable_to(lfirst_node(RestrictInfo, lc), rel))
			*clauses = lappend(*clauses, lfirst(lc));
	}
	return true;
}

List *
sgip_relation_join_clauses(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *clauses = NIL;
	List	   *implied;
	MemberSearch search = {.current = NULL};
	ListCell   *lc;

	foreach(lc, rel->joininfo)
	{
		if (join_clause_is_movable_to(lfirst_node(RestrictInfo, lc), rel))
			clauses = lappend(clauses, lfirst(lc));
	}
	while (next_member(root, rel, &search, &implied))
		clauses = list_concat(clauses, implied);
	return clauses;
}

/* ----------------------------------------------------------------
 *		Search columns
 * ----------------------------------------------------------------
 */

/* The table that the relation is a child of (partition, UNION ALL), or itself. */
static RelOptInfo *
top_parent(PlannerInfo *root, RelOptInfo *rel)
{
	return rel->top_parent_relids == NULL ? rel :
		find_base_rel(root, bms_singleton_member(rel->top_parent_relids));
}

/* Translates an expression about the relation's top parent into one about the relation. */
static Node *
translate(PlannerInfo *root, RelOptInfo *rel, Node *node)
{
	AppendRelInfo *appinfo;

	if (rel->top_parent_relids == NULL)
		return node;
	appinfo = root->append_rel_array[rel->relid];
	node = translate(root, find_base_rel(root, appinfo->parent_relid), node);
	return adjust_appendrel_attrs(root, node, 1, &appinfo);
}

/*
 * Tables, and their parts, are referred to laterally by these.  Here and below
 * sets are copied, since other relations may share them.
 */
static void
add_referencers(PlannerInfo *root, Relids tables, Relids referencers)
{
	bool		known = true;
	int			relid = -1;

	while ((relid = bms_next_member(tables, relid)) >= 0)
		known &= bms_is_subset(referencers, find_base_rel(root, relid)->lateral_referencers);
	/* another part of the table has done it */
	if (known)
		return;
	for (int i = 1; i < root->simple_rel_array_size; i++)
	{
		RelOptInfo *rel = root->simple_rel_array[i];

		if (rel != NULL && bms_is_subset(top_parent(root, rel)->relids, tables))
			rel->lateral_referencers = bms_union(rel->lateral_referencers, referencers);
	}
}

/* Do the clauses say anything about search columns that have no other value? */
static bool
need_answers(const Placement *placement, List *parts)
{
	return !bms_is_subset(search_of(parts), placement->answered);
}

/*
 * The relations that a join can have only once it has the relation: what outer
 * joins add to its rows, and what refers to that laterally.  Outer joins are
 * taken as they stand in the query; that PostgreSQL may make some of them
 * earlier does not hold for a fixed order (join_collapse_limit).
 */
static Relids
later_relations(PlannerInfo *root, const RelOptInfo *top)
{
	Relids		later = bms_copy(top->relids);
	int			count;
	int			relid;
	ListCell   *lc;

	do
	{
		count = bms_num_members(later);
		foreach(lc, root->join_info_list)
		{
			SpecialJoinInfo *sjinfo = lfirst(lc);

			if (sjinfo->jointype != JOIN_SEMI && bms_overlap(sjinfo->syn_lefthand, later))
				later = bms_add_members(later, sjinfo->syn_righthand);
		}
		relid = -1;
		while ((relid = bms_next_member(root->all_baserels, relid)) >= 0)
		{
			if (bms_overlap(find_base_rel(root, relid)->lateral_relids, later))
				later = bms_add_member(later, relid);
		}
	} while (bms_num_members(later) > count);
	return bms_del_members(later, top->relids);
}

/*
 * Can the relation be looked up for each row of that sub-select?  It is a
 * semijoin whose rows can be made unique, and there is nothing else to join.
 */
static bool
can_look_up(const Placement *placement, const SpecialJoinInfo *semijoin)
{
	Relids		others = bms_difference(placement->root->all_baserels, semijoin->syn_righthand);

	return (semijoin->semi_can_btree || semijoin->semi_can_hash) &&
		bms_equal(others, placement->top->relids) && bms_is_empty(placement->top->lateral_relids);
}

/*
 * Can the clause's other relations supply their values to the scan?  Those
 * that depend on its rows cannot.
 */
static bool
can_supply(Placement *placement, const RestrictInfo *rinfo)
{
	Relids		suppliers = bms_intersect(rinfo->clause_relids, placement->root->all_baserels);
	ListCell   *lc;

	suppliers = bms_del_member(suppliers, placement->rel->relid);
	if (bms_overlap(suppliers, placement->later))
		return false;
	foreach(lc, placement->root->join_info_list)
	{
		SpecialJoinInfo *sjinfo = lfirst(lc);

		if (sjinfo->jointype != JOIN_SEMI || !bms_overlap(suppliers, sjinfo->syn_righthand) ||
			bms_is_member(placement->top->relid, sjinfo->syn_righthand))
			continue;
		if (!can_look_up(placement, sjinfo))
			return false;
		placement->relation->required_outer = bms_union(placement->relation->required_outer, suppliers);
		/* these, in turn, must not be looked up by this one */
		add_referencers(placement->root, suppliers, placement->top->relids);
		return true;
	}
	placement->suppliers = bms_union(placement->suppliers, suppliers);
	return true;
}

/* Considers join clauses that are not equalities, or belong to outer joins. */
static void
place_join_clauses(Placement *placement)
{
	SgipRelation *relation = placement->relation;
	ListCell   *lc;

	foreach(lc, placement->rel->joininfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		List	   *parts;

		if (join_clause_is_movable_to(rinfo, placement->rel))
		{
			parts = sgip_relation_clauses(placement->root, placement->rel, rinfo);
			if (!need_answers(placement, parts))
				continue;
			if (can_supply(placement, rinfo))
			{
				placement->clauses = list_concat(placement->clauses, parts);
				continue;
			}
		}

		/*
		 * it must say nothing about a search column that would have to be
		 * sent
		 */
		parts = sgip_clause_make(placement->root, placement->rel, relation->table, rinfo, false);
		if (need_answers(placement, parts))
			relation->checks = list_concat(relation->checks, parts);
	}
}

/* The search columns in an expression that have no other value. */
static Bitmapset *
unanswered_columns(const Placement *placement, Node *expression)
{
	const SgipTable *table = placement->relation->table;
	Bitmapset  *columns = sgip_clause_columns(table, placement->rel->relid, expression);

	return bms_del_members(bms_int_members(columns, table->search), placement->answered);
}

/* Appends the relations of a join tree in the order in which they stand. */
static void
list_relations(Node *node, List **relids)
{
	ListCell   *lc;

	if (node == NULL)
		return;
	if (IsA(node, RangeTblRef))
		*relids = lappend_int(*relids, ((RangeTblRef *) node)->rtindex);
	else if (IsA(node, JoinExpr))
	{
		list_relations(((JoinExpr *) node)->larg, relids);
		list_relations(((JoinExpr *) node)->rarg, relids);
	}
	else
	{
		foreach(lc, ((FromExpr *) node)->fromlist)
			list_relations(lfirst(lc), relids);
	}
}

/*
 * Puts clauses first whose other relations stand before this one.  Where the
 * order of joins is fixed (join_collapse_limit), no others can be sure to
 * supply values: a relation cannot come before one that it is joined to.
 */
static List *
sort_by_place(const Placement *placement, List *clauses)
{
	List	   *relids = NIL;
	Relids		before = NULL;
	List	   *first = NIL;
	List	   *last = NIL;
	ListCell   *lc;

	list_relations((Node *) placement->root->parse->jointree, &relids);
	foreach(lc, relids)
	{
		if (lfirst_int(lc) == (int) placement->top->relid)
			break;
		before = bms_add_member(before, lfirst_int(lc));
	}
	before = bms_add_member(before, placement->rel->relid);
	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		Relids		others = bms_intersect(rinfo->clause_relids, placement->root->all_baserels);

		if (bms_is_subset(others, before))
			first = lappend(first, rinfo);
		else
			last = lappend(last, rinfo);
	}
	return list_concat(first, last);
}

/* Considers equalities: another member of the class supplies the value. */
static void
place_equivalences(Placement *placement)
{
	MemberSearch search = {.current = NULL};
	List	   *implied;

	while (next_member(placement->root, placement->rel, &search, &implied))
	{
		Bitmapset  *columns = unanswered_columns(placement, (Node *) search.current);
		bool		placed = false;
		ListCell   *lc;

		/* a class of this relation alone only serves sorting */
		if (bms_is_empty(columns) || bms_is_subset(search.class->ec_relids, placement->top->relids))
			continue;
		foreach(lc, sort_by_place(placement, implied))
		{
			RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

			placed = can_supply(placement, rinfo);
			if (!placed)
				continue;
			placement->clauses = list_concat(placement->clauses,
											 sgip_relation_clauses(placement->root, placement->rel, rinfo));
			break;
		}
		if (!placed)
			placement->undecided = bms_add_members(placement->undecided, columns);
	}
}

/* Looks for members of classes that need the columns of several relations. */
static void
place_joint_members(Placement *placement)
{
	ListCell   *of_class;
	ListCell   *of_member;

	foreach(of_class, placement->root->eq_classes)
	{
		EquivalenceClass *ec = lfirst_node(EquivalenceClass, of_class);

		if (ec->ec_merged != NULL || !bms_is_member(placement->top->relid, ec->ec_relids))
			continue;
		foreach(of_member, ec->ec_members)
		{
			EquivalenceMember *em = lfirst_node(EquivalenceMember, of_member);
			Bitmapset  *columns;

			if (em->em_is_child || bms_membership(em->em_relids) != BMS_MULTIPLE ||
				!bms_is_member(placement->top->relid, em->em_relids) || list_length(ec->ec_members) < 2)
				continue;
			columns = unanswered_columns(placement,
										 translate(placement->root, placement->rel, (Node *) em->em_expr));
			placement->undecided = bms_add_members(placement->undecided, columns);
		}
	}
}

/*
 * Makes lateral references of the values that the scan needs, as if the query
 * said LATERAL: of the table, of its parts, and of what refers to it.
 */
static void
refer_to_suppliers(Placement *placement)
{
	PlannerInfo *root = placement->root;
	Relids		own = placement->top->relids;
	Relids		all = bms_copy(placement->suppliers);
	int			relid = -1;

	while ((relid = bms_next_member(placement->suppliers, relid)) >= 0)
		all = bms_add_members(all, find_base_rel(root, relid)->lateral_relids);
	/* another part of the table has done it */
	if (bms_is_subset(all, placement->rel->lateral_relids) &&
		bms_is_subset(placement->suppliers, placement->rel->direct_lateral_relids))
		return;
	root->hasLateralRTEs = true;
	for (int i = 1; i < root->simple_rel_array_size; i++)
	{
		RelOptInfo *rel = root->simple_rel_array[i];
		Relids		top = rel == NULL ? NULL : top_parent(root, rel)->relids;

		if (rel == NULL)
			continue;
		if (bms_equal(top, own))
		{
			rel->direct_lateral_relids = bms_union(rel->direct_lateral_relids, placement->suppliers);
			rel->lateral_relids = bms_union(rel->lateral_relids, all);
		}
		else if (bms_overlap(rel->lateral_relids, own))
			rel->lateral_relids = bms_union(rel->lateral_relids, all);
	}
	add_referencers(root, all, bms_union(own, placement->top->lateral_referencers));
}

/*
 * Is there a constant among the clauses for which no row of the relation is
 * wanted?  That of an outer join leaves the rows of its outer side.
 */
static bool
is_never(const RelOptInfo *rel, List *clauses)
{
	ListCell   *lc;

	foreach(lc, clauses)
	{
		const RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		const Const *value = (const Const *) rinfo->clause;

		if (IsA(value, Const) &&
			(value->constisnull || !DatumGetBool(value->constvalue)) &&
			!bms_is_member(rel->relid, rinfo->outer_relids))
			return true;
	}
	return false;
}

void
sgip_relation_place(PlannerInfo *root, RelOptInfo *rel)
{
	Placement	placement = {.root = root, .rel = rel, .top = top_parent(root, rel), .relation = rel->fdw_private};
	const SgipTable *table = placement.relation->table;
	SgipDecision decision;
	ListCell   *lc;

	if (bms_is_empty(table->search) || is_never(rel, rel->baserestrictinfo) || is_never(rel, rel->joininfo))
		return;
	placement.later = later_relations(root, placement.top);
	foreach(lc, rel->baserestrictinfo)
		placement.clauses = list_concat(placement.clauses, parts_of(root, rel, lfirst_node(RestrictInfo, lc)));
	foreach(lc, placement.clauses)
	{
		SgipClause *clause = lfirst(lc);

		if (clause->kind == SGIP_CLAUSE_CONDITION && clause->condition->kind == SGIP_CONDITION_EQUAL)
			placement.answered = bms_add_members(placement.answered, clause->search);
	}
	place_join_clauses(&placement);
	place_equivalences(&placement);
	place_joint_members(&placement);

	decision = sgip_clause_decide(table, list_concat_copy(placement.clauses, placement.relation->checks), NULL, NULL);
	if (decision.never)
		return;

	/*
	 * an optional argument may supply a value, by which other conditions can
	 * be checked
	 */
	decision.undecided = bms_difference(bms_union(decision.undecided, placement.undecided),
										sgip_clause_given(sgip_clause_conditions(placement.clauses)));
	sgip_search_refuse_undecided(table, &decision);
	sgip_search_check(table, decision.conditions);
	if (!bms_is_empty(placement.suppliers))
		refer_to_suppliers(&placement);
}
