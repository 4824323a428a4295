/*-------------------------------------------------------------------------
 *
 * pushdown.c
 *		Which conditions of a query may be sent to the API.
 *
 * A condition may be sent if the API's answer is then certain to hold every
 * row that SQL wants.  PostgreSQL applies all conditions again, so an answer
 * that is too large costs time, and one that is too small would be wrong.
 * Here it is decided what a clause says about a column; search.c turns that
 * into values to send, by the way in which the API compares them.
 *
 * Why each form leaves no row out:
 *
 * column = v			every row SQL wants has exactly v in the field; v as a
 *						whole matches v exactly, as its beginning and as a part
 * column = ANY (…)		a search for each value; each row SQL wants equals one
 * column LIKE p		every row begins with the literal beginning of p, and
 *						contains each literal piece of p
 * column ^@ v			every row begins with v
 * ip << n, <<= n, && n	an address in network n shares the whole octets that
 *						n's mask covers; the API's addresses have no mask, so
 *						one that overlaps n lies in n
 * list @> v, v = ANY (list)
 *						the API finds the rows whose list has v; of several
 *						values one is sent, which each row has
 * time >= a, time <= b	times within whole seconds that both contain
 * ip >= a, ip <= b		addresses between two addresses share the octets that
 *						both begin with
 * host(ip), text(ip), abbrev(ip)
 *						as text they begin as the API writes the address
 *
 * This holds for comparison byte by byte only.  So operators are recognised
 * by their OID, and a comparison under a nondeterministic collation, which
 * can call different strings equal, is never sent.  Volatile expressions are
 * not sent: they could differ between the search and the condition.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "request/pushdown.h"

/* Operators without a symbol in the server's headers; OIDs of pg_operator.dat */
#define OID_TEXT_EQ_NAME_OP 260
#define OID_NAME_EQ_TEXT_OP 254
#define OID_INET_EQ_OP 1201
#define OID_INET_LT_OP 1203
#define OID_INET_LE_OP 1204
#define OID_INET_GT_OP 1205
#define OID_INET_GE_OP 1206
#define OID_TEXT_STARTS_WITH_OP 3877
#define OID_INT8_EQ_OP 410
#define OID_INT8_EQ_INT4_OP 416
#define OID_INT8_EQ_INT2_OP 1868
#define OID_TIMESTAMPTZ_LT_OP 1322
#define OID_TIMESTAMPTZ_LE_OP 1323
#define OID_TIMESTAMPTZ_GT_OP 1324
#define OID_TIMESTAMPTZ_GE_OP 1325

/* Operators "column op value" that say something the API can be asked */
static const struct
{
	Oid			operator;
	Oid			column_type;	/* base type of the column, or its text form */
	SgipConditionKind kind;
}			operators[] =

{
	{TextEqualOperator, TEXTOID, SGIP_CONDITION_EQUAL},
	{OID_TEXT_EQ_NAME_OP, TEXTOID, SGIP_CONDITION_EQUAL},
	{OID_TEXT_LIKE_OP, TEXTOID, SGIP_CONDITION_LIKE},
	{OID_TEXT_STARTS_WITH_OP, TEXTOID, SGIP_CONDITION_STARTS},
	{BooleanEqualOperator, BOOLOID, SGIP_CONDITION_EQUAL},
	{OID_INT8_EQ_OP, INT8OID, SGIP_CONDITION_EQUAL},
	{OID_INT8_EQ_INT4_OP, INT8OID, SGIP_CONDITION_EQUAL},
	{OID_INT8_EQ_INT2_OP, INT8OID, SGIP_CONDITION_EQUAL},
	{OID_ARRAY_CONTAINS_OP, INT8ARRAYOID, SGIP_CONDITION_HOLDS},
	{OID_ARRAY_CONTAINS_OP, TEXTARRAYOID, SGIP_CONDITION_HOLDS},
	{OID_TIMESTAMPTZ_GT_OP, TIMESTAMPTZOID, SGIP_CONDITION_FROM},
	{OID_TIMESTAMPTZ_GE_OP, TIMESTAMPTZOID, SGIP_CONDITION_FROM},
	{OID_TIMESTAMPTZ_LT_OP, TIMESTAMPTZOID, SGIP_CONDITION_TO},
	{OID_TIMESTAMPTZ_LE_OP, TIMESTAMPTZOID, SGIP_CONDITION_TO},
	{OID_INET_EQ_OP, INETOID, SGIP_CONDITION_EQUAL},
	{OID_INET_SUB_OP, INETOID, SGIP_CONDITION_NETWORK},
	{OID_INET_SUBEQ_OP, INETOID, SGIP_CONDITION_NETWORK},
	{OID_INET_OVERLAP_OP, INETOID, SGIP_CONDITION_NETWORK},
	{OID_INET_GT_OP, INETOID, SGIP_CONDITION_FROM},
	{OID_INET_GE_OP, INETOID, SGIP_CONDITION_FROM},
	{OID_INET_LT_OP, INETOID, SGIP_CONDITION_TO},
	{OID_INET_LE_OP, INETOID, SGIP_CONDITION_TO}
};

/* What classification needs to know, passed down */
typedef struct Subject
{
	PlannerInfo *root;
	RelOptInfo *rel;
	const SgipTable *table;
} Subject;

/* A column of the scanned table as an operand */
typedef struct Operand
{
	AttrNumber	attnum;
	Oid			type;			/* one of column_type above */
	Oid			text_form;		/* function that makes text of an inet column */
} Operand;

/* Expression without relabelling, which changes no value. */
static Node *
strip_relabel(Node *node)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

/* The length that a varchar column, or the domain over it, declares; or -1. */
static int32
declared_length(const Var *var)
{
	int32		typmod = var->vartypmod;

	(void) getBaseTypeAndTypmod(var->vartype, &typmod);
	return typmod;
}

/* Is there an operator for columns of that type? */
static bool
is_comparable(Oid type)
{
	for (int i = 0; i < (int) lengthof(operators); i++)
	{
		if (operators[i].column_type == type)
			return true;
	}
	return false;
}

/*
 * Does a column of that type hold what the API compares?  Text holds what the
 * answer has, but a time is rewritten; any other type only where it is the
 * field's own: to bigint the usernames 7 and 007 are the same.
 */
static bool
holds_compared(const SgipField *field, Oid type)
{
	switch (type)
	{
		case TEXTOID:
			return field->kind != SGIP_KIND_TIME;
		case TEXTARRAYOID:
			return true;
		case INETOID:
			return strcmp(field->type, "inet") == 0;
		case BOOLOID:
			return strcmp(field->type, "boolean") == 0;
		case INT8OID:
			return strcmp(field->type, "bigint") == 0;
		case INT8ARRAYOID:
			return strcmp(field->type, "bigint[]") == 0;
		case TIMESTAMPTZOID:
			return field->kind == SGIP_KIND_TIME;
	}
	return false;
}

/*
 * Is the node a column that the API can be asked about?  It must be a field
 * with a search parameter, of a type that holds what the API compares (or a
 * search column, which holds what is sent): text and varchar, inet, boolean,
 * whole numbers, lists of numbers or texts, times.
 */
static bool
match_column(const Subject *subject, Node *node, Operand *operand)
{
	const SgipField *field;
	Var		   *var;
	Oid			type;

	node = strip_relabel(node);
	if (node == NULL || !IsA(node, Var))
		return false;
	var = (Var *) node;
	if (var->varno != (int) subject->rel->relid || var->varlevelsup != 0)
		return false;
	field = sgip_table_field(subject->table, var->varattno);
	if (field == NULL ||
		(field->kind != SGIP_KIND_ARGUMENT &&
		 (field->param == NULL ||
		  subject->table->columns[var->varattno - 1].match == SGIP_MATCH_NONE)))
		return false;

	type = getBaseType(var->vartype);
	if (type == VARCHAROID)
	{
		/*
		 * varchar(n) cuts blanks off the end, so the API's text may be
		 * longer; what a search column holds is not of the API
		 */
		if (field->kind != SGIP_KIND_ARGUMENT && declared_length(var) >= 0 &&
			subject->table->columns[var->varattno - 1].match == SGIP_MATCH_EXACT)
			return false;
		type = TEXTOID;
	}
	if (!is_comparable(type) || (field->kind == SGIP_KIND_LIST) != OidIsValid(get_element_type(type)) ||
		(field->kind != SGIP_KIND_ARGUMENT && !holds_compared(field, type)))
		return false;

	operand->attnum = var->varattno;
	operand->type = type;
	operand->text_form = InvalidOid;
	return true;
}

/* Like match_column, also for host(), text() and abbrev() of an inet column. */
static bool
match_operand(const Subject *subject, Node *node, Operand *operand)
{
	FuncExpr   *func;

	node = strip_relabel(node);
	if (node == NULL || !IsA(node, FuncExpr))
		return match_column(subject, node, operand);
	func = (FuncExpr *) node;
	if (func->funcid != F_HOST && func->funcid != F_TEXT_INET &&
		func->funcid != F_ABBREV_INET)
		return false;
	if (!match_column(subject, linitial(func->args), operand) || operand->type != INETOID)
		return false;
	operand->type = TEXTOID;
	operand->text_form = func->funcid;
	return true;
}

/*
 * Can the value be computed before the scan, once?  It may refer to other
 * relations (then it is a parameter of the path), not to this one.
 */
static bool
is_value(const Subject *subject, Node *node)
{
	return !bms_is_member(subject->rel->relid, pull_varnos(subject->root, node)) &&
		!contain_volatile_functions(node) &&
		!contain_subplans(node) &&
		!contain_agg_clause(node);
}

/* A condition on that column with one value. */
static SgipCondition *
make_condition(const Operand *operand, SgipConditionKind kind, Node *value)
{
	SgipCondition *condition = palloc0(sizeof(SgipCondition));

	condition->kind = kind;
	condition->attnum = operand->attnum;
	condition->text_form = operand->text_form;
	condition->values = list_make1(value);
	return condition;
}

/* The row of the operator table for a column of that type, or -1. */
static int
find_operator(Oid operator, Oid column_type)
{
	for (int i = 0; i < (int) lengthof(operators); i++)
	{
		if (operators[i].operator == operator && operators[i].column_type == column_type)
			return i;
	}
	return -1;
}

/* Does this comparison tell strings apart that differ in any byte? */
static bool
collation_is_exact(Oid collation)
{
	return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

/* column op value, or value op column */
static SgipCondition *
classify_operator(const Subject *subject, OpExpr *expr)
{
	Node	   *left;
	Node	   *right;
	Oid			operator = expr->opno;
	Operand		operand;
	int			row;
	SgipCondition *condition;

	if (list_length(expr->args) != 2 || !collation_is_exact(expr->inputcollid))
		return NULL;
	left = linitial(expr->args);
	right = lsecond(expr->args);
	if (!match_operand(subject, left, &operand))
	{
		Node	   *swap = left;

		left = right;
		right = swap;
		operator = get_commutator(operator);
		if (!OidIsValid(operator) || !match_operand(subject, left, &operand))
			return NULL;
	}
	row = find_operator(operator, operand.type);
	if (row < 0 || !is_value(subject, right))
		return NULL;

	condition = make_condition(&operand, operators[row].kind, right);
	condition->equal_function = get_opcode(operator);
	condition->collation = expr->inputcollid;
	return condition;
}

/* value = ANY (list column) */
static SgipCondition *
classify_member(const Subject *subject, ScalarArrayOpExpr *expr)
{
	Node	   *value = linitial(expr->args);
	Operand		operand;
	Oid			operator;

	if (!match_column(subject, lsecond(expr->args), &operand) || !is_value(subject, value))
		return NULL;
	/* as the list's items would compare with it */
	operator = get_commutator(expr->opno);
	if (!OidIsValid(operator) || find_operator(operator, get_element_type(operand.type)) < 0)
		return NULL;
	return make_condition(&operand, SGIP_CONDITION_HOLDS, value);
}

/* column = ANY (array), value = ANY (column) */
static SgipCondition *
classify_array(const Subject *subject, ScalarArrayOpExpr *expr)
{
	Operand		operand;
	Node	   *array = lsecond(expr->args);
	int			row;
	SgipCondition *condition;

	if (expr->useOr && collation_is_exact(expr->inputcollid) &&
		(condition = classify_member(subject, expr)) != NULL)
		return condition;
	if (!expr->useOr || !collation_is_exact(expr->inputcollid) ||
		!match_operand(subject, linitial(expr->args), &operand))
		return NULL;
	row = find_operator(expr->opno, operand.type);
	if (row < 0 || operators[row].kind != SGIP_CONDITION_EQUAL || !is_value(subject, array))
		return NULL;

	condition = make_condition(&operand, SGIP_CONDITION_EQUAL, array);
	condition->equal_function = get_opcode(expr->opno);
	condition->collation = expr->inputcollid;
	return condition;
}

/* starts_with(column, value), and a boolean column by itself */
static SgipCondition *
classify_function(const Subject *subject, FuncExpr *expr)
{
	Operand		operand;

	if (expr->funcid != F_STARTS_WITH || !collation_is_exact(expr->inputcollid) ||
		!match_operand(subject, linitial(expr->args), &operand) ||
		operand.type != TEXTOID || !is_value(subject, lsecond(expr->args)))
		return NULL;
	return make_condition(&operand, SGIP_CONDITION_STARTS, lsecond(expr->args));
}

/* boolean column that must be true, or false; of a domain it is relabelled */
static SgipCondition *
classify_truth(const Subject *subject, Node *node, bool truth)
{
	Operand		operand;
	SgipCondition *condition;

	if (!match_column(subject, node, &operand) || operand.type != BOOLOID)
		return NULL;
	condition = make_condition(&operand, SGIP_CONDITION_EQUAL,
							   makeBoolConst(truth, false));
	condition->equal_function = F_BOOLEQ;
	return condition;
}

/*
 * IS [NOT] TRUE / FALSE.  The negated forms also hold for NULL, which only a
 * search column never is.
 */
static SgipCondition *
classify_boolean_test(const Subject *subject, BooleanTest *test)
{
	SgipCondition *condition;
	bool		negated = test->booltesttype == IS_NOT_TRUE ||
		test->booltesttype == IS_NOT_FALSE;
	bool		truth = test->booltesttype == IS_TRUE ||
		test->booltesttype == IS_NOT_FALSE;

	if (!negated && test->booltesttype != IS_TRUE && test->booltesttype != IS_FALSE)
		return NULL;
	condition = classify_truth(subject, (Node *) test->arg, truth);
	if (condition != NULL && negated &&
		sgip_table_field(subject->table, condition->attnum)->kind != SGIP_KIND_ARGUMENT)
		return NULL;
	return condition;
}

/* Can the API be asked this about a search column? */
static bool
is_askable(const SgipTable *table, const SgipCondition *condition)
{
	return condition->kind == SGIP_CONDITION_EQUAL ||
		(condition->kind == SGIP_CONDITION_LIKE &&
		 table->columns[condition->attnum - 1].match == SGIP_MATCH_ANYWHERE);
}

SgipCondition *
sgip_pushdown_classify(PlannerInfo *root, RelOptInfo *rel,
					   const SgipTable *table, Expr *clause)
{
	Subject		subject = {root, rel, table};
	SgipCondition *condition = NULL;

	switch (nodeTag(clause))
	{
		case T_OpExpr:
			condition = classify_operator(&subject, (OpExpr *) clause);
			break;
		case T_ScalarArrayOpExpr:
			condition = classify_array(&subject, (ScalarArrayOpExpr *) clause);
			break;
		case T_FuncExpr:
			condition = classify_function(&subject, (FuncExpr *) clause);
			break;
		case T_Var:
		case T_RelabelType:
			condition = classify_truth(&subject, (Node *) clause, true);
			break;
		case T_BooleanTest:
			condition = classify_boolean_test(&subject, (BooleanTest *) clause);
			break;
		case T_BoolExpr:
			if (is_notclause(clause))
				condition = classify_truth(&subject, (Node *) get_notclausearg(clause), false);
			break;
		default:
			break;
	}
	if (condition != NULL && !is_askable(table, condition) &&
		sgip_table_field(table, condition->attnum)->kind == SGIP_KIND_ARGUMENT)
		return NULL;
	return condition;
}

List *
sgip_pushdown_to_plan(const SgipCondition *condition, List **expressions)
{
	*expressions = list_concat(*expressions, condition->values);
	return list_make2(list_make3_int(condition->kind, condition->attnum,
									 list_length(condition->values)),
					  list_make3_oid(condition->equal_function, condition->collation,
									 condition->text_form));
}

SgipCondition *
sgip_pushdown_from_plan(List *plan, List *expressions, int *next)
{
	List	   *numbers = linitial(plan);
	List	   *oids = lsecond(plan);
	SgipCondition *condition = palloc0(sizeof(SgipCondition));

	condition->kind = list_nth_int(numbers, 0);
	condition->attnum = list_nth_int(numbers, 1);
	condition->equal_function = list_nth_oid(oids, 0);
	condition->collation = list_nth_oid(oids, 1);
	condition->text_form = list_nth_oid(oids, 2);
	for (int i = 0; i < list_nth_int(numbers, 2); i++)
		condition->values = lappend(condition->values, list_nth(expressions, (*next)++));
	return condition;
}
