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
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "request/pushdown.h"

/* Operators without a symbol in the server's headers; OIDs of pg_operator.dat */
#define OID_TEXT_EQ_NAME_OP 260
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
	Oid			column_type;	/* base type of the column, or its text form;
								 * a list for an operator: of its items */
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
	{TextEqualOperator, TEXTARRAYOID, SGIP_CONDITION_HOLDS},
	{OID_TEXT_EQ_NAME_OP, TEXTARRAYOID, SGIP_CONDITION_HOLDS},
	{OID_INT8_EQ_OP, INT8ARRAYOID, SGIP_CONDITION_HOLDS},
	{OID_INT8_EQ_INT4_OP, INT8ARRAYOID, SGIP_CONDITION_HOLDS},
	{OID_INT8_EQ_INT2_OP, INT8ARRAYOID, SGIP_CONDITION_HOLDS},
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

/* The relation whose columns are looked for */
typedef struct Subject
{
	const SgipTable *table;
	Index		relid;
} Subject;

/* Expression without relabelling, which changes no value. */
static Node *
strip_relabel(Node *node)
{
	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
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
 * Is the node a column that the API can be asked about, or host(), text() or
 * abbrev() of an inet one?  It must be a field with a search parameter, of a
 * type that holds what the API compares (or a search column, which holds what
 * is sent).  Fills in the condition's column and returns its type, as in the
 * table of operators; InvalidOid if it is no such column.
 */
static Oid
match_operand(const Subject *subject, Node *node, SgipCondition *condition)
{
	const SgipField *field;
	Var		   *var;
	bool		search;
	Oid			type;
	int32		length;			/* of varchar, plus a constant; -1: any */

	node = strip_relabel(node);
	if (IsA(node, FuncExpr))
	{
		condition->text_form = ((FuncExpr *) node)->funcid;
		if (condition->text_form != F_HOST && condition->text_form != F_TEXT_INET &&
			condition->text_form != F_ABBREV_INET)
			return InvalidOid;
		node = strip_relabel(linitial(((FuncExpr *) node)->args));
	}
	var = (Var *) node;
	if (!IsA(var, Var) || var->varno != (int) subject->relid || var->varlevelsup != 0)
		return InvalidOid;
	condition->attnum = var->varattno;
	field = sgip_table_field(subject->table, var->varattno);
	if (field == NULL)
		return InvalidOid;
	search = field->kind == SGIP_KIND_ARGUMENT;
	if (!search && (field->param == NULL ||
					subject->table->columns[var->varattno - 1].match == SGIP_MATCH_NONE))
		return InvalidOid;

	length = var->vartypmod;
	type = getBaseTypeAndTypmod(var->vartype, &length);
	if (type == VARCHAROID)
	{
		/*
		 * varchar(n) cuts blanks off the end, so the API's text may be
		 * longer; what a search column holds is not of the API
		 */
		if (!search && length >= 0 &&
			subject->table->columns[var->varattno - 1].match == SGIP_MATCH_EXACT)
			return InvalidOid;
		type = TEXTOID;
	}
	if ((field->kind == SGIP_KIND_LIST) != OidIsValid(get_element_type(type)) ||
		(!search && !holds_compared(field, type)))
		return InvalidOid;
	if (!OidIsValid(condition->text_form))
		return type;
	return type == INETOID ? TEXTOID : InvalidOid;
}

/*
 * What "column operator value" says, under a collation that must tell strings
 * apart that differ in any byte; NULL if the API cannot be asked it.
 */
static SgipCondition *
compare(const Subject *subject, Node *column, Oid operator, Node *value, Oid collation)
{
	SgipCondition *condition = palloc0(sizeof(SgipCondition));
	Oid			type = match_operand(subject, column, condition);

	if (!OidIsValid(type) ||
		(OidIsValid(collation) && !get_collation_isdeterministic(collation)))
		return NULL;
	for (int i = 0; i < (int) lengthof(operators); i++)
	{
		if (operators[i].operator == operator && operators[i].column_type == type)
		{
			condition->kind = operators[i].kind;
			condition->equal_function = get_opcode(operator);
			condition->collation = collation;
			condition->values = list_make1(value);
			return condition;
		}
	}
	return NULL;
}

/* column op value, value op column */
static SgipCondition *
classify_operator(const Subject *subject, OpExpr *expr)
{
	Node	   *left = linitial(expr->args);
	Node	   *right = llast(expr->args);
	SgipCondition *condition = compare(subject, left, expr->opno, right, expr->inputcollid);

	return condition != NULL ? condition :
		compare(subject, right, get_commutator(expr->opno), left, expr->inputcollid);
}

/* column = ANY (array), value = ANY (list column) */
static SgipCondition *
classify_array(const Subject *subject, ScalarArrayOpExpr *expr)
{
	Node	   *left = linitial(expr->args);
	Node	   *right = lsecond(expr->args);
	SgipCondition *condition;

	if (!expr->useOr)
		return NULL;
	condition = compare(subject, left, expr->opno, right, expr->inputcollid);
	if (condition != NULL)
		return condition->kind == SGIP_CONDITION_EQUAL ? condition : NULL;
	/* as the list's items would compare with it */
	return compare(subject, right, get_commutator(expr->opno), left, expr->inputcollid);
}

/* boolean column that must be true, or false; of a domain it is relabelled */
static SgipCondition *
classify_truth(const Subject *subject, void *column, bool truth)
{
	return compare(subject, column, BooleanEqualOperator, makeBoolConst(truth, false), InvalidOid);
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
	condition = classify_truth(subject, test->arg, truth);
	if (condition != NULL && negated && !bms_is_member(condition->attnum, subject->table->search))
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
sgip_pushdown_classify(const SgipTable *table, Index relid, Expr *clause)
{
	Subject		subject = {table, relid};
	FuncExpr   *func = (FuncExpr *) clause;
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
			if (func->funcid == F_STARTS_WITH)
				condition = compare(&subject, linitial(func->args), OID_TEXT_STARTS_WITH_OP,
									lsecond(func->args), func->inputcollid);
			break;
		case T_Var:
		case T_RelabelType:
			condition = classify_truth(&subject, clause, true);
			break;
		case T_BooleanTest:
			condition = classify_boolean_test(&subject, (BooleanTest *) clause);
			break;
		case T_BoolExpr:
			if (is_notclause(clause))
				condition = classify_truth(&subject, get_notclausearg(clause), false);
			break;
		default:
			break;
	}
	if (condition != NULL && bms_is_member(condition->attnum, table->search) &&
		!is_askable(table, condition))
		return NULL;
	return condition;
}
