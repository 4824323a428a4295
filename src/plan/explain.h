/*-------------------------------------------------------------------------
 *
 * explain.h
 *		What EXPLAIN shows of a foreign scan's plan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_EXPLAIN_H
#define SGIP_EXPLAIN_H

#include "nodes/execnodes.h"

#include "compat.h"

/*
 * Shows the one-time filter and the request, without credentials.  To be
 * called by ExplainForeignScan alone, for the scan that EXPLAIN is at.
 */
extern void sgip_explain_plan(ForeignScanState *node, ExplainState *es);

#endif							/* SGIP_EXPLAIN_H */
