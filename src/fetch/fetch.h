/*-------------------------------------------------------------------------
 *
 * fetch.h
 *		Drives the requests of one scan and yields the rows of their answers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_FETCH_H
#define SGIP_FETCH_H

#include "fetch/decode.h"
#include "request/search.h"
#include "catalog/table.h"

typedef enum SgipFetchResult
{
	SGIP_FETCH_ROW,				/* one row */
	SGIP_FETCH_WAIT,			/* nothing yet: wait, then call again */
	SGIP_FETCH_END				/* no more rows, and that is proven */
} SgipFetchResult;

/* For EXPLAIN ANALYZE */
typedef struct SgipFetchCounters
{
	int64		requests;		/* sent, further tries included */
	int64		retries;
	int64		rows;			/* elements received */
	int64		bytes;			/* of bodies, after decompression */
	int64		connections;	/* opened */
} SgipFetchCounters;

typedef struct SgipFetch SgipFetch;

/*
 * Begins a fetch for those searches.  "table" and "searches" must live as
 * long as it does.  Credentials of user_id are looked up now; requests are
 * started by the first sgip_fetch_next.  may_queue: other scans go on while
 * this one waits (asynchronous execution), so its requests may wait for a
 * place.  What is counted is added to *counters.
 *
 * Everything belongs to a child context of the current one: deleting that,
 * or sgip_fetch_end, stops the transfers.
 */
extern SgipFetch *sgip_fetch_begin(const SgipTable *table, const SgipSearches *searches,
								   Oid user_id, bool may_queue, SgipFetchCounters *counters);
extern void sgip_fetch_end(SgipFetch *fetch);

/*
 * Is there a place for another fetch among sgip_fdw.max_connections?  Only
 * asynchronous scans ask; the executor waits for others alone.
 */
extern bool sgip_fetch_has_place(void);

/*
 * The next row, without waiting.  *row lives until the next call; *search is
 * the one that found it.  Raises an error when a request fails for good.
 */
extern SgipFetchResult sgip_fetch_next(SgipFetch *fetch, SgipRow *row,
									   const SgipSearch **search);

/* Sends the first requests, without waiting for a row to be asked for */
extern void sgip_fetch_send(SgipFetch *fetch);

/* Does the request whose rows come next wait for a place among others? */
extern bool sgip_fetch_is_queued(SgipFetch *fetch);

/* Sends that request in any case */
extern void sgip_fetch_jump_queue(SgipFetch *fetch);

/* Waits until sgip_fetch_next can have more to say; serves interrupts */
extern void sgip_fetch_wait(SgipFetch *fetch);

/*
 * The same for somebody who waits for several fetches: the descriptor to
 * wait on until it is readable, between these two calls.
 */
extern int	sgip_fetch_wait_begin(SgipFetch *fetch);
extern void sgip_fetch_wait_end(SgipFetch *fetch);

/* Brings the counters up to date */
extern void sgip_fetch_count(SgipFetch *fetch);

/* The request whose rows are being handed out, without secrets, or NULL */
extern char *sgip_fetch_describe(SgipFetch *fetch);

#endif							/* SGIP_FETCH_H */
