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
	SGIP_CONDITION_HOLDS,		/* a list holds the value, or all of several */
	SGIP_CONDITION_FROM,		/* inet or time not below the value */
	SGIP_CONDITION_TO			/* inet or time not above the value */
} SgipConditionKind;

/*
 * One condition that can be sent.  "values" are expressions that do not
 * depend on the scanned row; one of array type stands for its elements.
 */
typedef struct SgipCondition
{
	SgipConditionKind kind;
	AttrNumber	attnum;
	Oid			text_form;		/* function that makes text of an inet column,
								 * or InvalidOid: about the column itself */
	Oid			equal_function; /* EQUAL: compares column and value */
	Oid			collation;		/* of the comparison */
	List	   *values;
} SgipCondition;

/*
 * What the clause, neither AND nor OR, says about a column that lets the API
 * be asked; NULL if nothing.  It has one value, which the caller must find to
 * be known when the scan starts.  A search column is its argument: it can be
 * given a value, or looked for as a part, and nothing else can be asked about
 * it.
 */
extern SgipCondition *sgip_pushdown_classify(const SgipTable *table, Index relid, Expr *clause);

#endif							/* SGIP_PUSHDOWN_H */
