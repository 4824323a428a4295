/*-------------------------------------------------------------------------
 *
 * range.h
 *		Between which addresses or times the rows of a scan lie.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_RANGE_H
#define SGIP_RANGE_H

#include "nodes/primnodes.h"

#include "request/pushdown.h"

/* Rows lie from low to high, both included.  All zero: nothing is known. */
typedef struct SgipRange
{
	Oid			type;			/* INETOID: IPv4 addresses; TIMESTAMPTZOID: in
								 * Unix seconds */
	SgipMatch	match;			/* how the API compares them */
	int64		low;			/* of times also -1: no bound */
	int64		high;			/* of times also PG_INT64_MAX: no bound */
} SgipRange;

/*
 * Narrows the range by a condition (NETWORK, FROM, TO) with that value, an
 * inet or a timestamptz that is not NULL.  A value that the API has no
 * equivalent of (IPv6, times before 1970 or infinite) narrows nothing.
 */
extern void sgip_range_narrow(SgipRange *range, const SgipTable *table,
							  const SgipCondition *condition, const Const *value);

/* Can no row lie in it? */
extern bool sgip_range_is_empty(const SgipRange *range);

/*
 * What the API is asked for: the whole octets that all addresses of the range
 * begin with, or the bounds of a time, "from~to"; palloc'd, NULL: nothing.
 */
extern char *sgip_range_fragment(const SgipRange *range);

#endif							/* SGIP_RANGE_H */
