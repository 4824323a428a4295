/*-------------------------------------------------------------------------
 *
 * restart.h
 *		Which scans of a plan can be started again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_RESTART_H
#define SGIP_RESTART_H

#include "nodes/execnodes.h"

#include "fetch/share.h"

/* Can the scan be started again in this statement, so that its answers must be kept? */
extern bool sgip_restart_is_possible(ForeignScanState *node, int eflags, SgipStatement *statement);

#endif							/* SGIP_RESTART_H */
