/*-------------------------------------------------------------------------
 *
 * one_time_filter.h
 *		Conditions that decide, before anything is sent, whether a scan has rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_ONE_TIME_FILTER_H
#define SGIP_ONE_TIME_FILTER_H

#include "nodes/pathnodes.h"

#include "catalog/table.h"

/*
 * A clause about columns with a constant, and no other column of the
 * relation, as an expression without them: it is true for every row of the
 * scan or for none, and can be evaluated when the scan starts.  NULL for any
 * other clause.  It may turn out to be a constant.  Raises the error of a
 * type's input function for a constant that is none of the type's values.
 */
extern Expr *sgip_one_time_filter_make(PlannerInfo *root, RelOptInfo *rel,
							const SgipTable *table, const RestrictInfo *rinfo);

/* Is the filter closed whatever the values are?  A NULL closes it as well */
extern bool sgip_one_time_filter_never_holds(const Expr *filter);

#endif							/* SGIP_ONE_TIME_FILTER_H */
