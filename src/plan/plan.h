/*-------------------------------------------------------------------------
 *
 * plan.h
 *		Planning of a foreign scan, and what its plan carries.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_PLAN_H
#define SGIP_PLAN_H

#include "foreign/fdwapi.h"

/*
 * Rows that a table is taken to have until it is analyzed.  An account that
 * is worth a query has thousands of IPs rather than tens.
 */
#define SGIP_DEFAULT_ROWS 10000

/* Items of ForeignScan.fdw_private; all can be copied, none holds a secret */
typedef enum SgipPlanItem
{
	SGIP_PLAN_CLAUSES,			/* list of sgip_clause_to_plan; fdw_exprs has
								 * their expressions */
	SGIP_PLAN_COLUMNS,			/* integers: attribute numbers to be filled */
	SGIP_PLAN_MAX_SEARCHES,		/* integer: more searches cost more than one
								 * scan */
	SGIP_PLAN_ROWS				/* integer: no more are likely to be read; 0:
								 * all may be */
} SgipPlanItem;

/* Callbacks of the planner */
extern void sgipGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern void sgipGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern ForeignScan *sgipGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel,
									   Oid foreigntableid, ForeignPath *best_path,
									   List *tlist, List *scan_clauses, Plan *outer_plan);
extern bool sgipIsForeignPathAsyncCapable(ForeignPath *path);

#endif							/* SGIP_PLAN_H */
