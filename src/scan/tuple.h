/*-------------------------------------------------------------------------
 *
 * tuple.h
 *		From a row of the API to the values of a tuple.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_TUPLE_H
#define SGIP_TUPLE_H

#include "nodes/bitmapset.h"

#include "fetch/decode.h"
#include "request/search.h"
#include "catalog/table.h"

typedef struct SgipTupleBuilder SgipTupleBuilder;

/*
 * Looks up, once for a scan, how the columns are made; in the current
 * context, which frees it.  "needed" are the attribute numbers to fill; the
 * others are always NULL.
 */
extern SgipTupleBuilder *sgip_tuple_prepare(const SgipTable *table, Bitmapset *needed);

/* Rows are to be those of this search from now on; it must live as long */
extern void sgip_tuple_set_local(SgipTupleBuilder *builder, const SgipLocalSearch *local);

/*
 * Fills values and nulls, allocating in the current context, which should be
 * reset for each row.  Raises the errors of the types' input functions, and
 * HV00L for a value that does not have the form of its field; the caller's
 * error context calls sgip_tuple_error_context for them.  False: the row does
 * not belong to the search (another search keeps it, or its group does not
 * match).
 *
 * A row can be found by several values of a local search, and is a tuple for
 * each: *position is 0 when a row is begun; as long as it is not 0 afterwards
 * there may be another tuple of the same row.
 */
extern bool sgip_tuple_build(SgipTupleBuilder *builder, const SgipRow *row, const SgipSearch *search,
							 size_t *position, Datum *values, bool *nulls);

/* errcontext that names the column, table and element at hand, if there is one; a callback */
extern void sgip_tuple_error_context(void *builder);

#endif							/* SGIP_TUPLE_H */
