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
#include "fetch/decode.h"
#include "fetch/share.h"
#include "request/search.h"

typedef enum SgipFetchResult
{
	SGIP_FETCH_ROW,				/* one row */
	SGIP_FETCH_WAIT,			/* nothing yet: wait, then call again */
	SGIP_FETCH_END				/* no more rows, and that is proven */
} SgipFetchResult;

typedef struct SgipFetch SgipFetch;

/*
 * Begins a fetch for those searches, in the current context.  "table" and
 * "searches" must live as long as it does; "share" has been started.  Nothing
 * is sent and no credentials are needed before sgip_fetch_next.  rows: no more
 * than that are likely to be read, 0: all may be.
 */
extern SgipFetch *sgip_fetch_begin(const SgipTable *table, const SgipSearches *searches,
								   SgipShare *share, int rows);

/* Stops its requests and frees it; NULL is harmless */
extern void sgip_fetch_end(SgipFetch *fetch);

/*
 * The next row, without waiting.  *row, which is the same at each call, lives
 * until the next one; *search is the one that found it.  Raises an error when a
 * request fails for good.
 */
extern SgipFetchResult sgip_fetch_next(SgipFetch *fetch, SgipRow *row,
									   const SgipSearch **search);

/* Has anything come since sgip_fetch_next last said that there is nothing? */
extern bool sgip_fetch_has_news(SgipFetch *fetch);

/* The request whose rows are being handed out, without secrets; palloc'd, or NULL */
extern char *sgip_fetch_describe(SgipFetch *fetch);

#endif							/* SGIP_FETCH_H */
