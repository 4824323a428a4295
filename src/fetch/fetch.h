/*-------------------------------------------------------------------------
 *
 * fetch.h
 *		Reads the listings that answer a scan, and yields their rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_FETCH_H
#define SGIP_FETCH_H

#include "catalog/table.h"
#include "fetch/client.h"
#include "fetch/decode.h"
#include "request/search.h"

typedef enum SgipFetchResult
{
	SGIP_FETCH_ROW,				/* one row */
	SGIP_FETCH_WAIT,			/* nothing yet: wait, then call again */
	SGIP_FETCH_END				/* no more rows, and that is proven */
} SgipFetchResult;

typedef struct SgipFetch SgipFetch;

/*
 * Begins a fetch for those searches.  "table" and "searches" must live as
 * long as it does.  Nothing is sent and no credentials are needed before
 * sgip_fetch_next.  rows: no more than that are likely to be read, 0: all may
 * be.  What is counted is added to *counters.
 *
 * Everything belongs to a child context of the current one: deleting that,
 * or sgip_fetch_end, stops the transfers.
 */
extern SgipFetch *sgip_fetch_begin(const SgipTable *table, const SgipSearches *searches,
								   Oid user_id, int rows, SgipFetchCounters *counters);
extern void sgip_fetch_end(SgipFetch *fetch);

/*
 * The next row, without waiting.  *row lives until the next call; *search is
 * the one that found it.  Raises an error when a request fails for good.
 */
extern SgipFetchResult sgip_fetch_next(SgipFetch *fetch, SgipRow *row,
									   const SgipSearch **search);

/* Waits until sgip_fetch_next can have more to say; serves interrupts */
extern void sgip_fetch_wait(SgipFetch *fetch);

/* The one that waits for what the fetch reads */
extern SgipClient *sgip_fetch_client(SgipFetch *fetch);

/* Has anything come since sgip_fetch_next last said that there is nothing? */
extern bool sgip_fetch_has_news(SgipFetch *fetch);

/* The request whose rows are being handed out, without secrets, or NULL */
extern char *sgip_fetch_describe(SgipFetch *fetch);

#endif							/* SGIP_FETCH_H */
