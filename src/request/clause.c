/*-------------------------------------------------------------------------
 *
 * clause.c
 *		What a clause of a query comes to when a scan starts.
 *
 * Much of a clause can be known before anything is sent: what has no columns
 * of the relation, and columns with the option "constant".  So a clause is a
 * tree of AND and OR over three kinds of leaves: what is known when the scan
 * starts, what the API can be asked, and what it cannot.  One mechanism
 * serves
 *
 * - one-time filters: an account's label, the key of a partition.  PostgreSQL
 *   prunes partitions by itself, but not for every form of condition, and
 *   other tables not at all;
 * - optional arguments, "$1 IS NULL OR username = $1", which applications and
 *   BI tools write for filters that may be left out, also with CASE and
 *   coalesce();
 * - rows of values on partitions, "(account, group_name) IN (...)", of which
 *   each partition answers its part.
 *
 * A search column holds the argument that its row was found with; nothing
 * is known of it before the request.  So what a clause says about one must
 * be sent to the API, or hold for the value that the column has when
 * nothing is sent; "undecided" are those about which something else is
 * said.
 *
 * Known expressions are evaluated in the order of the clause and no further
 * than needed, as PostgreSQL folds a custom plan's constants: "$1 = '' OR
 * ip = $1::inet" must not fail for ''.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "request/clause.h"

/* The relation whose clauses are examined */
typedef struct Subject
{
	PlannerInfo *root;
	RelOptInfo *rel;
	const SgipTable *table;
	bool		at_scan;		/* the clause may be sent, and values of other
								 * relations in it are known */
	bool		no_search;		/* the clause says nothing of search columns */
} Subject;

/* Which columns are replaced, by what is known of them */
typedef struct Replacement
{
	const Subject *subject;
	bool		search;			/* search columns, instead of constants */
	bool		replaced;		/* result: there was one */
} Replacement;

/* The column whose text is being converted */
typedef struct Reading
{
	const SgipTable *table;
	const SgipColumn *column;
} Reading;

/* What is known of a clause before the scan */
typedef enum Outcome
{
	FAILS,						/* for all rows */
	HOLDS,						/* for all rows */
	DEPENDS						/* on the row */
} Outcome;

/* How sgip_clause_decide finds out what is known */
typedef struct Knowledge
{
	SgipClauseHolds holds;
	void	   *arg;
} Knowledge;

static SgipClause *build(const Subject *subject, Node *node);

/* ----------------------------------------------------------------
 *		Columns whose value is known
 * ----------------------------------------------------------------
 */

/*
 * Is a text always the same value of the type?  A date, for one, depends on
 * DateStyle, and "today" on the day.
 */
static bool
is_fixed(Oid type)
{
	Oid			base = getBaseType(type);
	Oid			function;
	Oid			ioparam;

	getTypeInputInfo(base, &function, &ioparam);
	return func_volatile(function) == PROVOLATILE_IMMUTABLE || type_is_enum(base);
}

/* Says which constant an input function refused. */
static void
reading_context(void *arg)
{
	const Reading *reading = arg;

	errcontext("constant of column \"%s\" of foreign table \"%s\"",
			   reading->column->name, reading->table->name);
}

/* The value of a text, or NULL, in a column whose type is fixed. */
static Node *
fixed_value(const SgipTable *table, const SgipColumn *column, const char *text, Oid collation)
{
	Reading		reading = {table, column};
	ErrorContextCallback callback = {error_context_stack, reading_context, &reading};
	Oid			function;
	Oid			ioparam;
	int16		len;
	bool		byval;
	Datum		value;

	if (text == NULL)
		return (Node *) makeNullConst(column->type, column->typmod, collation);
	get_typlenbyval(column->type, &len, &byval);
	getTypeInputInfo(column->type, &function, &ioparam);
	error_context_stack = &callback;
	value = OidInputFunctionCall(function, pstrdup(text), ioparam, column->typmod);
	error_context_stack = callback.previous;
	return (Node *) makeConst(column->type, column->typmod, collation, len, value, false, byval);
}

/* An expression for the value of any other: its text is read when the scan begins. */
static Node *
read_value(const SgipColumn *column, Oid collation)
{
	CoerceViaIO *value = makeNode(CoerceViaIO);

	value->arg = (Expr *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
									CStringGetTextDatum(column->constant), false, false);
	value->resulttype = column->type;
	value->resultcollid = collation;
	value->coerceformat = COERCE_EXPLICIT_CAST;
	value->location = -1;
	return (Node *) value;
}

/*
 * What replaces a column: its constant, or what a search column holds when
 * nothing is searched; NULL if its value is not known.
 */
static Node *
known_value(const Replacement *replacement, const Var *var)
{
	const SgipTable *table = replacement->subject->table;
	const SgipColumn *column;

	if (var->varattno <= 0)
		return NULL;
	column = &table->columns[var->varattno - 1];
	if (replacement->search)
		return bms_is_member(var->varattno, table->search) && is_fixed(column->type) ?
			fixed_value(table, column, sgip_table_field(table, var->varattno)->absent, var->varcollid) :
			NULL;
	if (column->constant == NULL)
		return NULL;
	if (is_fixed(column->type))
		return fixed_value(table, column, column->constant, var->varcollid);
	/* a cast does not see the modifier of, say, timestamptz(0) */
	return column->typmod < 0 ? read_value(column, var->varcollid) : NULL;
}

/* Replaces columns by what is known of them. */
static Node *
replace_columns(Node *node, void *context)
{
	Replacement *replacement = context;

	if (node != NULL && IsA(node, Var) && ((Var *) node)->varlevelsup == 0 &&
		((Var *) node)->varno == (int) replacement->subject->rel->relid)
	{
		Node	   *value = known_value(replacement, (Var *) node);

		if (value == NULL)
			return node;
		replacement->replaced = true;
		return value;
	}
	return expression_tree_mutator(node, replace_columns, context);
}

/* The node with what is known of its columns, simplified. */
static Node *
simplify(const Subject *subject, Node *node, bool search)
{
	Replacement replacement = {subject, search, false};
	Node	   *result = replace_columns(node, &replacement);

	return replacement.replaced ? eval_const_expressions(subject->root, result) : node;
}

/* ----------------------------------------------------------------
 *		Making the tree
 * ----------------------------------------------------------------
 */

/* Does the node refer to columns of the relation? */
static bool
has_columns(const Subject *subject, Node *node)
{
	return bms_is_member(subject->rel->relid, pull_varnos(subject->root, node));
}

/* Can the node be evaluated once, when the scan starts? */
static bool
is_known(const Subject *subject, Node *node)
{
	return !(subject->at_scan ? has_columns(subject, node) : contain_var_clause(node)) &&
		!contain_volatile_functions(node) && !contain_subplans(node);
}

Bitmapset *
sgip_clause_columns(const SgipTable *table, Index relid, Node *node)
{
	Bitmapset  *used = NULL;
	Bitmapset  *columns = NULL;

	pull_varattnos(node, relid, &used);
	for (int attnum = 1; attnum <= table->column_count; attnum++)
	{
		if (table->columns[attnum - 1].live &&
			(bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, used) ||
			 bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used)))
			columns = bms_add_member(columns, attnum);
	}
	return columns;
}

static SgipClause *
make_clause(SgipClauseKind kind, Bitmapset *search)
{
	SgipClause *clause = palloc0(sizeof(SgipClause));

	clause->kind = kind;
	clause->search = search;
	return clause;
}

static SgipClause *
make_known(Node *expression)
{
	SgipClause *clause = make_clause(SGIP_CLAUSE_KNOWN, NULL);

	clause->known = expression;
	return clause;
}

static SgipClause *
make_condition(const SgipTable *table, SgipCondition *condition)
{
	SgipClause *clause = make_clause(SGIP_CLAUSE_CONDITION,
									 bms_intersect(bms_make_singleton(condition->attnum), table->search));

	clause->condition = condition;
	return clause;
}

/* The value of a KNOWN clause that is a constant; false for any other. */
static bool
is_constant(const SgipClause *clause, bool *value)
{
	const Const *constant = clause->known;

	if (clause->kind != SGIP_CLAUSE_KNOWN || !IsA(constant, Const))
		return false;
	*value = !constant->constisnull && DatumGetBool(constant->constvalue);
	return true;
}

/* Do the conditions compare the same things, so that an OR of them is one condition? */
static bool
is_same_equality(const SgipCondition *one, const SgipCondition *other)
{
	return one->kind == SGIP_CONDITION_EQUAL && other->kind == SGIP_CONDITION_EQUAL &&
		one->attnum == other->attnum && one->text_form == other->text_form &&
		one->equal_function == other->equal_function && one->collation == other->collation;
}

/* The equality with one of both conditions' values. */
static SgipCondition *
merge_equalities(const SgipCondition *one, const SgipCondition *other)
{
	SgipCondition *merged = palloc(sizeof(SgipCondition));

	*merged = *one;
	merged->values = list_concat_copy(one->values, other->values);
	return merged;
}

/* Two clauses joined by AND or OR; known ones come first and become one. */
static SgipClause *
join(SgipClauseKind kind, SgipClause *left, SgipClause *right)
{
	SgipClause *clause;
	bool		value;

	if (right->kind == SGIP_CLAUSE_KNOWN && left->kind != SGIP_CLAUSE_KNOWN)
		return join(kind, right, left);
	if (is_constant(left, &value))
		return value == (kind == SGIP_CLAUSE_AND) ? right : left;
	if (is_constant(right, &value))
		return value == (kind == SGIP_CLAUSE_AND) ? left : right;
	if (right->kind == SGIP_CLAUSE_KNOWN)
	{
		List	   *both = list_make2(left->known, right->known);

		return make_known((Node *) (kind == SGIP_CLAUSE_AND ? make_andclause(both) : make_orclause(both)));
	}
	clause = make_clause(kind, bms_union(left->search, right->search));
	if (kind == SGIP_CLAUSE_OR && left->kind == SGIP_CLAUSE_CONDITION &&
		right->kind == SGIP_CLAUSE_CONDITION && is_same_equality(left->condition, right->condition))
	{
		clause->kind = SGIP_CLAUSE_CONDITION;
		clause->condition = merge_equalities(left->condition, right->condition);
	}
	else
		clause->args = list_make2(left, right);
	return clause;
}

/*
 * The node, which is about search columns and cannot be asked; but if it holds
 * for what they hold when nothing is asked, asking nothing answers it.
 */
static SgipClause *
or_absent(const Subject *subject, Node *node, SgipClause *clause)
{
	Node	   *absent;

	if (bms_is_empty(clause->search))
		return clause;
	absent = simplify(subject, node, true);
	return is_known(subject, absent) ? join(SGIP_CLAUSE_OR, make_known(absent), clause) : clause;
}

/* Joins nodes by AND or OR. */
static SgipClause *
build_all(const Subject *subject, SgipClauseKind kind, List *nodes)
{
	SgipClause *known = make_known(makeBoolConst(kind == SGIP_CLAUSE_AND, false));
	SgipClause *rest = NULL;
	List	   *rest_nodes = NIL;
	ListCell   *lc;

	foreach(lc, nodes)
	{
		SgipClause *clause = build(subject, lfirst(lc));

		if (clause->kind == SGIP_CLAUSE_KNOWN)
		{
			known = join(kind, known, clause);
			continue;
		}
		rest_nodes = lappend(rest_nodes, lfirst(lc));
		rest = rest == NULL ? clause : join(kind, rest, clause);
	}
	if (rest == NULL)
		return known;
	if (kind == SGIP_CLAUSE_OR && list_length(rest_nodes) > 1 && rest->kind != SGIP_CLAUSE_CONDITION)
		rest = or_absent(subject, (Node *) make_orclause(rest_nodes), rest);
	return join(kind, known, rest);
}

/* A choice between two expressions that is known when the scan starts */
typedef struct Choice
{
	const Subject *subject;
	Node	   *node;			/* result: the CASE or coalesce() itself */
	Node	   *known;			/* its condition */
	Node	   *then;			/* what it is if that is true */
	Node	   *otherwise;		/* and if it is not */
	Node	   *side;			/* one of both, which replaces it */
} Choice;

/*
 * The condition of the first WHEN.  That of "CASE argument WHEN value" stays
 * in a CASE, since what stands for the argument in it is not told from what
 * stands for something else, in another CASE or in the conversion of an array.
 */
static Node *
first_condition(const CaseExpr *expr)
{
	CaseWhen   *first = linitial_node(CaseWhen, expr->args);
	CaseWhen   *when;
	CaseExpr   *condition;

	if (expr->arg == NULL)
		return (Node *) first->expr;
	when = makeNode(CaseWhen);
	when->expr = first->expr;
	when->result = (Expr *) makeBoolConst(true, false);
	when->location = -1;
	condition = makeNode(CaseExpr);
	condition->casetype = BOOLOID;
	condition->arg = expr->arg;
	condition->args = list_make1(when);
	condition->defresult = (Expr *) makeBoolConst(false, false);
	condition->location = -1;
	return (Node *) condition;
}

/* A null test of the node. */
static Node *
null_test(Node *node, NullTestType type)
{
	NullTest   *test = makeNode(NullTest);

	test->arg = (Expr *) node;
	test->nulltesttype = type;
	test->argisrow = false;
	test->location = -1;
	return (Node *) test;
}

/*
 * Finds CASE WHEN known ..., and coalesce(known, ...).  A null test of the
 * argument is what coalesce() decides by.  What another CASE or coalesce()
 * evaluates for some rows only is not looked into: it could fail for others.
 * A CASE that has been decided has no WHEN left where PostgreSQL does not
 * simplify it: in what a SubPlan compares.
 */
static bool
find_choice(Node *node, void *context)
{
	Choice	   *choice = context;
	Node	   *first;

	if (node == NULL)
		return false;
	if (IsA(node, CaseExpr) && ((CaseExpr *) node)->args != NIL)
	{
		CaseExpr   *expr = (CaseExpr *) node;
		CaseWhen   *when = linitial_node(CaseWhen, expr->args);
		CaseExpr   *others = makeNode(CaseExpr);

		*others = *expr;
		others->args = list_copy_tail(expr->args, 1);
		choice->known = first_condition(expr);
		choice->then = (Node *) when->result;
		choice->otherwise = (Node *) others;
		first = (Node *) list_make2(expr->arg, when->expr);
	}
	else if (IsA(node, CoalesceExpr))
	{
		CoalesceExpr *expr = (CoalesceExpr *) node;
		CoalesceExpr *others = makeNode(CoalesceExpr);

		*others = *expr;
		others->args = list_copy_tail(expr->args, 1);
		first = linitial(expr->args);
		choice->known = null_test(first, IS_NOT_NULL);
		choice->then = first;
		choice->otherwise = (Node *) others;
	}
	else
		return expression_tree_walker(node, find_choice, context);
	choice->node = node;
	return (has_columns(choice->subject, node) && is_known(choice->subject, choice->known)) ||
		find_choice(first, context);
}

/* Replaces a choice by one of its sides. */
static Node *
replace_choice(Node *node, void *context)
{
	const Choice *choice = context;

	return node == choice->node ? choice->side : expression_tree_mutator(node, replace_choice, context);
}

/* One side of a choice, if the condition comes to that. */
static SgipClause *
build_side(Choice *choice, Node *node, Node *side, BoolTestType type)
{
	BooleanTest *test = makeNode(BooleanTest);

	test->arg = (Expr *) choice->known;
	test->booltesttype = type;
	test->location = -1;
	choice->side = side;
	node = eval_const_expressions(choice->subject->root, replace_choice(node, choice));
	return join(SGIP_CLAUSE_AND, make_known((Node *) test), build(choice->subject, node));
}

/*
 * NOT (a IS DISTINCT FROM b) where one side is known: it is NULL, or equals the
 * other.  NULL for any other node.
 */
static SgipClause *
build_not_distinct(const Subject *subject, Node *node)
{
	OpExpr	   *equal;
	Node	   *known;

	if (!is_notclause(node) || !IsA(get_notclausearg(node), DistinctExpr))
		return NULL;
	equal = (OpExpr *) copyObject(get_notclausearg(node));
	NodeSetTag(equal, T_OpExpr);
	known = has_columns(subject, lsecond(equal->args)) ? linitial(equal->args) : lsecond(equal->args);
	if (!is_known(subject, known) || type_is_rowtype(exprType(known)))
		return NULL;
	return join(SGIP_CLAUSE_OR,
				make_known(eval_const_expressions(subject->root, null_test(known, IS_NULL))),
				build(subject, (Node *) equal));
}

/*
 * The node, which cannot be asked.  If it compares a parameter, strictly, there
 * are no rows if that is NULL.  No other expression is evaluated for that before
 * there are rows: it could fail.  Search columns are refused when planned.
 */
static SgipClause *
build_local(const Subject *subject, Node *node)
{
	Bitmapset  *columns = sgip_clause_columns(subject->table, subject->rel->relid, node);
	SgipClause *clause = make_clause(SGIP_CLAUSE_LOCAL, bms_int_members(columns, subject->table->search));
	List	   *operands = NIL;
	ListCell   *lc;

	if (IsA(node, OpExpr) && op_strict(((OpExpr *) node)->opno))
		operands = ((OpExpr *) node)->args;
	else if (IsA(node, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) node)->useOr &&
			 op_strict(((ScalarArrayOpExpr *) node)->opno))
		operands = ((ScalarArrayOpExpr *) node)->args;
	foreach(lc, operands)
	{
		if (IsA(lfirst(lc), Param) && subject->at_scan && subject->no_search)
			clause = join(SGIP_CLAUSE_AND, make_known(null_test(lfirst(lc), IS_NOT_NULL)), clause);
	}
	return or_absent(subject, node, clause);
}

/*
 * Was the node added by the planner, so that min() or max() becomes the first
 * row of a sorted subquery?  It keeps NULLs from being first, and is no
 * condition of the query.  build_minmax_path() in planagg.c names what it
 * makes.
 */
static bool
is_of_minmax(const Subject *subject, Node *node)
{
	List	   *targets = subject->root->parse->targetList;
	TargetEntry *target = list_length(targets) == 1 ? linitial_node(TargetEntry, targets) : NULL;

	return IsA(node, NullTest) && ((NullTest *) node)->nulltesttype == IS_NOT_NULL &&
		((NullTest *) node)->location == -1 &&
		target != NULL && target->resname != NULL && strcmp(target->resname, "agg_target") == 0 &&
		equal(((NullTest *) node)->arg, target->expr);
}

/* Makes the tree of a clause that must be true. */
static SgipClause *
build(const Subject *subject, Node *node)
{
	SgipCondition *condition;
	SgipClause *clause;
	Choice		choice = {.subject = subject};

	check_stack_depth();
	if (is_orclause(node) || is_andclause(node))
		return build_all(subject, is_orclause(node) ? SGIP_CLAUSE_OR : SGIP_CLAUSE_AND,
						 ((BoolExpr *) node)->args);
	if (is_known(subject, node))
		return make_known(node);
	if (is_of_minmax(subject, node))
		return make_known(makeBoolConst(true, false));
	condition = subject->at_scan ?
		sgip_pushdown_classify(subject->table, subject->rel->relid, (Expr *) node) : NULL;
	if (condition != NULL && is_known(subject, linitial(condition->values)))
		return make_condition(subject->table, condition);
	if (IsA(node, BooleanTest) && ((BooleanTest *) node)->booltesttype == IS_TRUE)
		return build(subject, (Node *) ((BooleanTest *) node)->arg);
	clause = build_not_distinct(subject, node);
	if (clause != NULL)
		return clause;
	if (has_columns(subject, node) && find_choice(node, &choice))
	{
		SgipClause *then = build_side(&choice, node, choice.then, IS_TRUE);

		return join(SGIP_CLAUSE_OR, then, build_side(&choice, node, choice.otherwise, IS_NOT_TRUE));
	}
	return build_local(subject, node);
}

/* Is there anything to do for the clause, besides leaving it to PostgreSQL? */
static bool
is_useful(const SgipClause *clause)
{
	bool		one_is_enough = clause->kind == SGIP_CLAUSE_AND;
	ListCell   *lc;

	if (!bms_is_empty(clause->search) || clause->kind == SGIP_CLAUSE_LOCAL)
		return !bms_is_empty(clause->search);
	foreach(lc, clause->args)
	{
		if (is_useful(lfirst(lc)) == one_is_enough)
			return one_is_enough;
	}
	return !one_is_enough;
}

/* ----------------------------------------------------------------
 *		What it comes to
 * ----------------------------------------------------------------
 */

static Outcome decide(const SgipClause *clause, const Knowledge *knowledge, bool best,
					  SgipDecision *decision);

/*
 * Of alternatives only what all of them say can be sent: that a column equals
 * something.
 */
static List *
common_equalities(List *some, List *others)
{
	List	   *common = NIL;
	ListCell   *lc;
	ListCell   *of_others;

	foreach(lc, some)
	{
		foreach(of_others, others)
		{
			if (is_same_equality(lfirst(lc), lfirst(of_others)))
			{
				common = lappend(common, merge_equalities(lfirst(lc), lfirst(of_others)));
				break;
			}
		}
	}
	return common;
}

/* What an OR comes to. */
static Outcome
decide_or(const SgipClause *clause, const Knowledge *knowledge, SgipDecision *decision)
{
	SgipDecision all = {.never = true};
	Bitmapset  *search = NULL;
	ListCell   *lc;

	foreach(lc, clause->args)
	{
		SgipClause *arg = lfirst(lc);
		SgipDecision one = {0};
		Outcome		outcome = decide(arg, knowledge, true, &one);

		if (outcome == HOLDS)
			return HOLDS;
		if (outcome == FAILS)
			continue;
		search = bms_union(search, arg->search);
		if (all.never)
			all = one;
		else
		{
			all.conditions = common_equalities(all.conditions, one.conditions);
			all.undecided = search;
		}
	}
	/* they might all fail, but need not */
	if (all.never)
		return knowledge->holds == NULL ? HOLDS : FAILS;
	decision->conditions = list_concat(decision->conditions, all.conditions);
	decision->undecided = bms_union(decision->undecided, all.undecided);
	return DEPENDS;
}

/* What clauses joined by AND come to. */
static Outcome
decide_and(List *clauses, const Knowledge *knowledge, bool best, SgipDecision *decision)
{
	Outcome		all = HOLDS;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		const SgipClause *clause = lfirst(lc);
		Outcome		one = decide(clause, knowledge, best, decision);

		/* an AND in which something has to be known might fail, but need not */
		if (one == FAILS && !(best && clause->kind == SGIP_CLAUSE_AND && knowledge->holds == NULL))
			return FAILS;
		if (one == DEPENDS)
			all = DEPENDS;
	}
	return all;
}

/*
 * What a clause comes to; what it says is added to the decision.  "best" is
 * what a known expression is taken for if nothing is known yet.
 */
static Outcome
decide(const SgipClause *clause, const Knowledge *knowledge, bool best, SgipDecision *decision)
{
	bool		value;

	switch (clause->kind)
	{
		case SGIP_CLAUSE_KNOWN:
			if (knowledge->holds != NULL)
				value = knowledge->holds(clause->known, knowledge->arg);
			else if (!is_constant(clause, &value))
				value = best;
			return value ? HOLDS : FAILS;
		case SGIP_CLAUSE_CONDITION:
			if (sgip_enable_pushdown || !bms_is_empty(clause->search))
				decision->conditions = lappend(decision->conditions, clause->condition);
			return DEPENDS;
		case SGIP_CLAUSE_LOCAL:
			decision->undecided = bms_union(decision->undecided, clause->search);
			return DEPENDS;
		case SGIP_CLAUSE_AND:
			return decide_and(clause->args, knowledge, false, decision);
		case SGIP_CLAUSE_OR:
			return decide_or(clause, knowledge, decision);
	}
	return DEPENDS;
}

Bitmapset *
sgip_clause_given(List *conditions)
{
	Bitmapset  *given = NULL;
	ListCell   *lc;

	foreach(lc, conditions)
	{
		const SgipCondition *condition = lfirst(lc);

		if (condition->kind == SGIP_CONDITION_EQUAL)
			given = bms_add_member(given, condition->attnum);
	}
	return given;
}

List *
sgip_clause_needed(const SgipTable *table, List *conditions)
{
	Bitmapset  *given = bms_int_members(sgip_clause_given(conditions), table->search);
	List	   *needed = NIL;
	ListCell   *lc;

	foreach(lc, conditions)
	{
		const SgipCondition *condition = lfirst(lc);

		if (condition->kind == SGIP_CONDITION_EQUAL || !bms_is_member(condition->attnum, given))
			needed = lappend(needed, lfirst(lc));
	}
	return needed;
}

SgipDecision
sgip_clause_decide(const SgipTable *table, List *clauses, SgipClauseHolds holds, void *arg)
{
	Knowledge	knowledge = {holds, arg};
	SgipDecision decision = {0};

	decision.never = decide_and(clauses, &knowledge, true, &decision) == FAILS;
	decision.undecided = bms_difference(decision.undecided, sgip_clause_given(decision.conditions));
	decision.conditions = sgip_clause_needed(table, decision.conditions);
	return decision;
}

List *
sgip_clause_conditions(List *clauses)
{
	List	   *conditions = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		SgipClause *clause = lfirst(lc);

		if (clause->kind == SGIP_CLAUSE_CONDITION)
			conditions = lappend(conditions, clause->condition);
		else
			conditions = list_concat(conditions, sgip_clause_conditions(clause->args));
	}
	return conditions;
}

List *
sgip_clause_known(List *clauses)
{
	List	   *known = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		SgipClause *clause = lfirst(lc);

		if (clause->kind == SGIP_CLAUSE_KNOWN)
			known = lappend(known, clause->known);
	}
	return known;
}

List *
sgip_clause_enabled(List *clauses)
{
	List	   *searching = NIL;
	ListCell   *lc;

	if (sgip_enable_pushdown)
		return clauses;
	foreach(lc, clauses)
	{
		if (!bms_is_empty(((SgipClause *) lfirst(lc))->search))
			searching = lappend(searching, lfirst(lc));
	}
	return searching;
}

/* Does anything in the clause depend on what is known when the scan starts? */
static bool
has_known(const SgipClause *clause)
{
	ListCell   *lc;

	foreach(lc, clause->args)
	{
		if (has_known(lfirst(lc)))
			return true;
	}
	return clause->kind == SGIP_CLAUSE_KNOWN;
}

/* The clause as it is to be decided: what it comes to in any case, or the tree. */
static List *
resolve(const Subject *subject, SgipClause *clause)
{
	SgipDecision decision;
	List	   *clauses = NIL;
	bool		value;
	ListCell   *lc;

	if (is_constant(clause, &value) && value)
		return NIL;
	if (has_known(clause))
		return is_useful(clause) ? list_make1(clause) : NIL;
	decision = sgip_clause_decide(subject->table, list_make1(clause), NULL, NULL);
	foreach(lc, decision.conditions)
		clauses = lappend(clauses, make_condition(subject->table, lfirst(lc)));
	if (!bms_is_empty(decision.undecided))
		clauses = lappend(clauses, make_clause(SGIP_CLAUSE_LOCAL, decision.undecided));
	return clauses;
}

List *
sgip_clause_make(PlannerInfo *root, RelOptInfo *rel, const SgipTable *table,
				 const RestrictInfo *rinfo, bool at_scan)
{
	/*
	 * conditions of a security barrier come first, unless this one is
	 * leakproof
	 */
	bool		behind = rinfo->security_level > rel->baserestrict_min_security && !rinfo->leakproof;
	Subject		subject = {root, rel, table, at_scan && !behind, false};
	List	   *clauses = NIL;
	Node	   *node = (Node *) rinfo->clause;
	ListCell   *lc;

	if (rinfo->pseudoconstant)
		return NIL;
	if (!behind)
		node = simplify(&subject, node, false);
	foreach(lc, make_ands_implicit((Expr *) node))
	{
		SgipClause *clause;

		subject.no_search = !bms_overlap(sgip_clause_columns(table, rel->relid, lfirst(lc)), table->search);
		clause = build(&subject, lfirst(lc));
		if (subject.at_scan || !bms_is_empty(clause->search))
			clauses = list_concat(clauses, resolve(&subject, clause));
	}
	return clauses;
}

/* ----------------------------------------------------------------
 *		Plans
 * ----------------------------------------------------------------
 */

List *
sgip_clause_to_plan(List *clauses, List **expressions)
{
	List	   *plan = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		SgipClause *clause = lfirst(lc);
		SgipCondition *condition = clause->condition;
		List	   *body = NIL;
		List	   *search = NIL;
		int			attnum = -1;

		if (clause->kind == SGIP_CLAUSE_KNOWN)
			*expressions = lappend(*expressions, clause->known);
		else if (clause->kind == SGIP_CLAUSE_CONDITION)
		{
			*expressions = list_concat(*expressions, condition->values);
			body = list_make2(list_make3_int(condition->kind, condition->attnum,
											 list_length(condition->values)),
							  list_make3_oid(condition->text_form, condition->equal_function,
											 condition->collation));
		}
		else
			body = sgip_clause_to_plan(clause->args, expressions);
		while ((attnum = bms_next_member(clause->search, attnum)) >= 0)
			search = lappend_int(search, attnum);
		plan = lappend(plan, list_make2(lcons_int(clause->kind, search), body));
	}
	return plan;
}

/* The condition of a plan; *next is the first expression that is its, and moves on. */
static SgipCondition *
read_condition(List *plan, List *expressions, int *next)
{
	SgipCondition *condition = palloc0(sizeof(SgipCondition));
	List	   *numbers = linitial(plan);
	List	   *oids = lsecond(plan);

	condition->kind = linitial_int(numbers);
	condition->attnum = lsecond_int(numbers);
	condition->text_form = linitial_oid(oids);
	condition->equal_function = lsecond_oid(oids);
	condition->collation = lthird_oid(oids);
	for (int i = 0; i < lthird_int(numbers); i++)
		condition->values = lappend(condition->values, list_nth(expressions, (*next)++));
	return condition;
}

/* The clauses of a plan, likewise. */
static List *
read_clauses(List *plan, List *expressions, int *next)
{
	List	   *clauses = NIL;
	ListCell   *lc;
	ListCell   *search;

	foreach(lc, plan)
	{
		List	   *head = linitial(lfirst(lc));
		List	   *body = lsecond(lfirst(lc));
		SgipClause *clause = make_clause(linitial_int(head), NULL);

		for_each_from(search, head, 1)
			clause->search = bms_add_member(clause->search, lfirst_int(search));
		if (clause->kind == SGIP_CLAUSE_KNOWN)
			clause->known = list_nth(expressions, (*next)++);
		else if (clause->kind == SGIP_CLAUSE_CONDITION)
			clause->condition = read_condition(body, expressions, next);
		else
			clause->args = read_clauses(body, expressions, next);
		clauses = lappend(clauses, clause);
	}
	return clauses;
}

List *
sgip_clause_from_plan(List *plan, List *expressions)
{
	int			next = 0;

	return read_clauses(plan, expressions, &next);
}
