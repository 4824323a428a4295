/*-------------------------------------------------------------------------
 *
 * one_time_filter.c
 *		Conditions that decide, before anything is sent, whether a scan has rows.
 *
 * A column with the option "constant" has one value in all rows: an account's
 * label, the key of a partition.  A condition about it is known once the
 * values it compares with are: of a parameter, of a stable function, of the
 * outer side of a join.  Where it is false the API need not be asked, which
 * matters when each of a thousand accounts is a table.  (PostgreSQL prunes
 * partitions by itself, but not for every form of condition, and other tables
 * not at all.)
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "request/one_time_filter.h"

/* Whose columns are replaced by their constants */
typedef struct Subject
{
	const RelOptInfo *rel;
	const SgipTable *table;
} Subject;

/* Which constant is being read */
typedef struct Constant
{
	const SgipTable *table;
	const SgipColumn *column;
} Constant;

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
constant_context(void *arg)
{
	const Constant *constant = arg;

	errcontext("constant of column \"%s\" of foreign table \"%s\"",
			   constant->column->name, constant->table->name);
}

/* The value of a constant column that is fixed. */
static Node *
fixed_value(const SgipTable *table, const SgipColumn *column, Oid collation)
{
	Constant	constant = {table, column};
	ErrorContextCallback callback = {error_context_stack, constant_context, &constant};
	Oid			function;
	Oid			ioparam;
	int16		len;
	bool		byval;
	Datum		value;

	getTypeInputInfo(column->type, &function, &ioparam);
	get_typlenbyval(column->type, &len, &byval);
	error_context_stack = &callback;
	value = OidInputFunctionCall(function, pstrdup(column->constant), ioparam, column->typmod);
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

/* Puts constants in the place of the relation's columns. */
static Node *
replace_columns(Node *node, void *context)
{
	const Subject *subject = context;

	if (node != NULL && IsA(node, Var) &&
		((Var *) node)->varno == (int) subject->rel->relid && ((Var *) node)->varlevelsup == 0)
	{
		const Var  *var = (const Var *) node;
		const SgipColumn *column = &subject->table->columns[var->varattno - 1];

		return is_fixed(column->type) ?
			fixed_value(subject->table, column, var->varcollid) :
			read_value(column, var->varcollid);
	}
	return expression_tree_mutator(node, replace_columns, context);
}

/* Can the value of the column be known before the scan? */
static bool
is_known(const SgipColumn *column)
{
	/* a cast does not see the modifier of, say, timestamptz(0) */
	return column->constant != NULL && (column->typmod < 0 || is_fixed(column->type));
}

/* Are all columns of the relation that the clause refers to known, and is there one? */
static bool
refers_to_known(const Subject *subject, Node *clause)
{
	Bitmapset  *attributes = NULL;
	int			member = -1;

	pull_varattnos(clause, subject->rel->relid, &attributes);
	while ((member = bms_next_member(attributes, member)) >= 0)
	{
		int			attnum = member + FirstLowInvalidHeapAttributeNumber;

		if (attnum <= 0 || !is_known(&subject->table->columns[attnum - 1]))
			return false;
	}
	return !bms_is_empty(attributes);
}

Expr *
sgip_one_time_filter_make(PlannerInfo *root, RelOptInfo *rel, const SgipTable *table, const RestrictInfo *rinfo)
{
	Subject		subject = {rel, table};
	Node	   *clause = (Node *) rinfo->clause;

	/* a barrier's conditions come first, unless this one tells nobody what it sees */
	if (rinfo->pseudoconstant ||
		(rinfo->security_level > rel->baserestrict_min_security && !rinfo->leakproof))
		return NULL;
	if (!refers_to_known(&subject, clause) ||
		contain_volatile_functions(clause) || contain_subplans(clause))
		return NULL;
	return (Expr *) eval_const_expressions(root, replace_columns(clause, &subject));
}

bool
sgip_one_time_filter_never_holds(const Expr *filter)
{
	const Const *value = (const Const *) filter;

	return IsA(filter, Const) && (value->constisnull || !DatumGetBool(value->constvalue));
}
