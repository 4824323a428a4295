/*-------------------------------------------------------------------------
 *
 * searchcheck.h
 *		Proof that a query asks nothing of a search column that has no value.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_SEARCHCHECK_H
#define SGIP_SEARCHCHECK_H

#include "nodes/execnodes.h"

/*
 * Raises 0A000 if the plan that this scan is part of decides anything by a
 * search column of the scan that no condition gives a value.  To be called
 * when the scan is begun.
 */
extern void sgip_searchcheck(ForeignScanState *node);

#endif							/* SGIP_SEARCHCHECK_H */
