/*-------------------------------------------------------------------------
 *
 * row_cache.h
 *		Rows that a scan keeps, so that nothing is asked for twice.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_ROW_CACHE_H
#define SGIP_ROW_CACHE_H

#include "executor/tuptable.h"

typedef struct SgipRowCache SgipRowCache;

/* Keeps nothing yet; in the current memory context, which must outlive it */
extern SgipRowCache *sgip_row_cache_new(void);

/*
 * Begins with the rows of the searches that have this signature.  True if all
 * of them are kept from earlier; else rows are to be added.
 */
extern bool sgip_row_cache_switch(SgipRowCache *kept, const char *signature);

/* Adds a row to those of the present searches */
extern void sgip_row_cache_add(SgipRowCache *kept, TupleTableSlot *slot);

/* There are no more rows than were added */
extern void sgip_row_cache_complete(SgipRowCache *kept);

/* Begins with the first row again */
extern void sgip_row_cache_rewind(SgipRowCache *kept);

/* Puts the next row into the slot, a virtual one; false behind the last */
extern bool sgip_row_cache_next(SgipRowCache *kept, TupleTableSlot *slot);

/*
 * Lets go of everything; NULL is harmless.  After an error nobody calls this:
 * the files that tuplestores can have are closed by their resource owner, and
 * since 18 their memory is in contexts of their own, which a reset callback
 * would find freed.
 */
extern void sgip_row_cache_end(SgipRowCache *kept);

#endif							/* SGIP_ROW_CACHE_H */
