/*-------------------------------------------------------------------------
 *
 * pushdown.h
 *		Which conditions of a query may be sent to the API.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_PUSHDOWN_H
#define SGIP_PUSHDOWN_H

#include "nodes/pathnodes.h"

#include "catalog/table.h"

/* What a condition says about its column */
typedef enum SgipConditionKind
{
	SGIP_CONDITION_EQUAL,		/* equals the value, or one of several */
	SGIP_CONDITION_LIKE,		/* matches the LIKE pattern */
	SGIP_CONDITION_STARTS,		/* starts with the value */
	SGIP_CONDITION_NETWORK,		/* lies in or overlaps the network */
	SGIP_CONDITION_FROM,		/* inet not below the value */
	SGIP_CONDITION_TO			/* inet not above the value */
} SgipConditionKind;

/*
 * One condition that can be sent.  "values" are expressions that do not
 * depend on the scanned row; one of array type stands for its elements.
 */
typedef struct SgipCondition
{
	SgipConditionKind kind;
	AttrNumber	attnum;
	Oid			text_form;		/* function that makes text of an inet column, or
								 * InvalidOid: about the column itself */
	Oid			equal_function; /* EQUAL: compares column and value */
	Oid			collation;		/* of the comparison */
	List	   *values;
} SgipCondition;

/*
 * What the clause, on its own, lets the API be asked; NULL if nothing.  The
 * clause must hold for every row of the result (it is one of several joined
 * by AND).  "root" may be used to look up relations.
 */
extern SgipCondition *sgip_pushdown_classify(PlannerInfo *root, RelOptInfo *rel,
											 const SgipTable *table, Expr *clause);

/*
 * Conditions as a plan keeps them, and back.  The values are not part of it:
 * they go to fdw_exprs, all conditions' one after another, and the executor
 * gives them back in that order.
 */
extern List *sgip_pushdown_to_plan(List *conditions);
extern List *sgip_pushdown_from_plan(List *plan, List *values);

/* How many values the conditions of a plan have */
extern int	sgip_pushdown_count_values(List *plan);

#endif							/* SGIP_PUSHDOWN_H */
