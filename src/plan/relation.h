/*-------------------------------------------------------------------------
 *
 * relation.h
 *		A foreign table in a query that is being planned.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_RELATION_H
#define SGIP_RELATION_H

#include "nodes/pathnodes.h"

#include "request/clause.h"

/* RelOptInfo.fdw_private of a foreign table */
typedef struct SgipRelation
{
	SgipTable  *table;
	List	   *clauses;		/* for each clause met so far a list of its
								 * RestrictInfo and its SgipClauses */
	List	   *checks;			/* SgipClauses: what join clauses that are not
								 * applied to the scan say about search
								 * columns */
	Relids		required_outer; /* no path without values of these relations */
} SgipRelation;

/*
 * What the clause says about the relation: list of SgipClauses, worked out
 * once.  With sgip_fdw.enable_pushdown off, those about search columns only.
 */
extern List *sgip_relation_clauses(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo);

/* How many values an equality is expected to have */
extern double sgip_relation_count_values(PlannerInfo *root, const SgipCondition *condition);

/*
 * Join clauses (RestrictInfos) that can be applied to the scan, with values of
 * other relations.  Of those that follow from an equivalence there is one for
 * each relation that can give the value.
 */
extern List *sgip_relation_join_clauses(PlannerInfo *root, RelOptInfo *rel);

/*
 * Lets the search columns of the relation be asked for.  Raises 0A000 if the
 * clauses say something about one that the API cannot be asked.  To be called
 * when the relation's size is estimated, before paths are made.
 */
extern void sgip_relation_place(PlannerInfo *root, RelOptInfo *rel);

#endif							/* SGIP_RELATION_H */
