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
#include "request/clause.h"
#include "scan/tuple.h"

typedef struct SgipScan SgipScan;

/* What a scan is to return */
typedef struct SgipScanOrder
{
	Bitmapset  *columns;		/* attribute numbers to fill */
	List	   *clauses;		/* SgipClauses; NIL: everything */
	ExprContext *econtext;		/* in which their expressions are evaluated */
	Plan	   *plan;			/* the node, to say what they are */
	int			max_searches;	/* more cost more than reading everything */
	int			rows;			/* no more are likely to be read, 0: all may
								 * be */
	SgipStatement *statement;	/* that the scan is a part of, or NULL */
	bool		restarts;		/* it can be started again in that */
	bool		async;			/* other scans go on while this one waits: it
								 * begins when the session has a free slot */
} SgipScanOrder;

/*
 * Prepares a scan; in a child of the current context, whose deletion (by
 * sgip_scan_end, or at the end of a failed query) stops and frees all.  What
 * the order refers to must live as long.  Nothing is sent, and no user mapping
 * needed, before the first sgip_scan_next.
 */
extern SgipScan *sgip_scan_begin(Relation rel, Oid user_id, const SgipScanOrder *order);

/* The next row; does not wait.  Unless it says SGIP_FETCH_ROW, the slot is empty */
extern SgipFetchResult sgip_scan_next(SgipScan *scan, TupleTableSlot *slot);

/* Waits until sgip_scan_next can have more to say; serves interrupts */
extern void sgip_scan_wait(SgipScan *scan);

/* Starts again from the first row, perhaps with other values */
extern void sgip_scan_restart(SgipScan *scan);

/* Is it at its end, so that sgip_scan_next says nothing but SGIP_FETCH_END? */
extern bool sgip_scan_has_ended(const SgipScan *scan);

/* Has anything been requested yet? */
extern bool sgip_scan_has_begun(const SgipScan *scan);

/* Begins the scan, which has not begun */
extern void sgip_scan_begin_now(SgipScan *scan);

/* Has anything come since sgip_scan_next last said that there is nothing? */
extern bool sgip_scan_has_news(SgipScan *scan);

/* The client to wait for, which other scans may have too; NULL if there is nothing to wait for */
extern SgipClient *sgip_scan_client(SgipScan *scan);

/* Counted since the scan was prepared */
extern const SgipFetchCounters *sgip_scan_counters(SgipScan *scan);

/* Ends the scan; NULL is harmless */
extern void sgip_scan_end(SgipScan *scan);

#endif							/* SGIP_SCAN_H */
