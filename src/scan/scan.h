/*-------------------------------------------------------------------------
 *
 * scan.h
 *		One foreign scan at run time: from values of conditions to tuples.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_SCAN_H
#define SGIP_SCAN_H

#include "nodes/execnodes.h"
#include "utils/relcache.h"

#include "fetch/fetch.h"
#include "scan/tuple.h"

typedef enum SgipScanResult
{
	SGIP_SCAN_ROW,				/* the slot holds the next row */
	SGIP_SCAN_WAIT,				/* none yet; the slot is empty */
	SGIP_SCAN_END				/* none any more; the slot is empty */
} SgipScanResult;

typedef struct SgipScan SgipScan;

/*
 * Prepares a scan; in a child of the current context, whose deletion (by
 * sgip_scan_end, or at the end of a failed query) stops and frees all.
 * Nothing is sent, and no user mapping needed, before the first
 * sgip_scan_next.
 *
 * "columns" are the attribute numbers to fill (integers), NIL with
 * all_columns for all.  "conditions" as the plan carries them, "values" the
 * states of their expressions, evaluated in econtext when the scan starts;
 * both NIL for a full scan.  Further values are filters: unless all are true,
 * the scan has no rows and sends nothing.  rows: no more are likely to be
 * read, 0: all may be.  keep_rows: rescans are expected, so rows are
 * kept for them.
 */
extern SgipScan *sgip_scan_begin(Relation rel, Oid user_id,
								 List *columns, bool all_columns,
								 List *conditions, List *values, ExprContext *econtext,
								 int max_searches, int rows, bool keep_rows);

/* The next row; does not wait */
extern SgipScanResult sgip_scan_next(SgipScan *scan, TupleTableSlot *slot);

/* Waits until sgip_scan_next can have more to say; serves interrupts */
extern void sgip_scan_wait(SgipScan *scan);

/* Other scans go on while this one waits: it begins when the session has a free slot */
extern void sgip_scan_set_async(SgipScan *scan);

/*
 * Starts again from the first row.  Unless values may have changed, or if
 * they turn out to be the same, rows are replayed and nothing is sent again.
 */
extern void sgip_scan_restart(SgipScan *scan, bool values_may_differ);

/* Has the scan begun, or is there a free slot for it to begin? */
extern bool sgip_scan_may_begin(SgipScan *scan);

/*
 * Begins to wait, and the scan if it has not begun: the descriptor to wait
 * on, and the end of waiting.  See client.h.
 */
extern int	sgip_scan_wait_begin(SgipScan *scan);
extern void sgip_scan_wait_end(SgipScan *scan);

/* Counted since the scan was prepared */
extern const SgipFetchCounters *sgip_scan_counters(SgipScan *scan);

/* Ends the scan; NULL is harmless */
extern void sgip_scan_end(SgipScan *scan);

#endif							/* SGIP_SCAN_H */
