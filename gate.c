/*-------------------------------------------------------------------------
 *
 * gate.c
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
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

#include "gate.h"

/* Whose columns are replaced by their constants */
typedef struct Subject
{
	const RelOptInfo *rel;
	const SgipTable *table;
} Subject;

/* The value of a constant column. */
static Node *
constant_value(const SgipColumn *column, const Var *var)
{
	Oid			function;
	Oid			ioparam;
	int16		len;
	bool		byval;
	Datum		value;

	getTypeInputInfo(column->type, &function, &ioparam);
	get_typlenbyval(column->type, &len, &byval);
	value = OidInputFunctionCall(function, pstrdup(column->constant), ioparam, column->typmod);
	return (Node *) makeConst(column->type, column->typmod, var->varcollid, len, value, false, byval);
}

/* Puts constants in the place of the relation's columns. */
static Node *
replace_columns(Node *node, void *context)
{
	const Subject *subject = context;

	if (node != NULL && IsA(node, Var) &&
		((Var *) node)->varno == (int) subject->rel->relid && ((Var *) node)->varlevelsup == 0)
		return constant_value(&subject->table->columns[((Var *) node)->varattno - 1], (Var *) node);
	return expression_tree_mutator(node, replace_columns, context);
}

/* Are all columns of the relation that the clause refers to constants, and is there one? */
static bool
refers_to_constants(const Subject *subject, Node *clause)
{
	Bitmapset  *attributes = NULL;
	int			member = -1;

	pull_varattnos(clause, subject->rel->relid, &attributes);
	while ((member = bms_next_member(attributes, member)) >= 0)
	{
		int			attnum = member + FirstLowInvalidHeapAttributeNumber;

		if (attnum <= 0 || subject->table->columns[attnum - 1].constant == NULL)
			return false;
	}
	return !bms_is_empty(attributes);
}

/* A clause about constant columns alone, without them; NULL for any other. */
Expr *
sgip_gate_make(PlannerInfo *root, RelOptInfo *rel, const SgipTable *table, RestrictInfo *rinfo)
{
	Subject		subject = {rel, table};
	Node	   *clause = (Node *) rinfo->clause;

	/* a barrier's conditions come first, unless this one tells nobody what it sees */
	if (rinfo->pseudoconstant ||
		(rinfo->security_level > rel->baserestrict_min_security && !rinfo->leakproof))
		return NULL;
	if (!refers_to_constants(&subject, clause) ||
		contain_volatile_functions(clause) || contain_subplans(clause))
		return NULL;
	return (Expr *) eval_const_expressions(root, replace_columns(clause, &subject));
}

/* Is the gate closed whatever the values are? */
bool
sgip_gate_never_opens(const Expr *gate)
{
	const Const *value = (const Const *) gate;

	return IsA(gate, Const) && (value->constisnull || !DatumGetBool(value->constvalue));
}
