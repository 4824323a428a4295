/*-------------------------------------------------------------------------
 *
 * range.c
 *		Between which addresses or times the rows of a scan lie.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "request/range.h"
#include "request/request.h"

/* The Unix epoch as a timestamptz */
#define UNIX_EPOCH ((TimestampTz) (UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

/* The first and last address of a network; false if the API has none like it. */
static bool
address_bounds(const inet *network, int64 *low, int64 *high)
{
	uint32		bits = 0;
	uint32		mask;

	if (ip_family(network) != PGSQL_AF_INET)
		return false;
	for (int i = 0; i < 4; i++)
		bits = bits << 8 | ip_addr(network)[i];
	mask = ip_bits(network) == 0 ? 0 : PG_UINT32_MAX << (32 - ip_bits(network));
	*low = bits & mask;
	*high = bits | ~mask;
	return true;
}

/*
 * A time in whole seconds, and a second wider than it is: whether the API
 * finds what lies at the very end is not documented.
 */
static bool
time_bounds(TimestampTz time, int64 *low, int64 *high)
{
	int64		seconds;

	if (TIMESTAMP_NOT_FINITE(time) || time < UNIX_EPOCH)
		return false;
	seconds = (time - UNIX_EPOCH) / USECS_PER_SEC;
	*low = Max(seconds - 1, 0);
	*high = seconds + 2;
	return true;
}

void
sgip_range_narrow(SgipRange *range, const SgipTable *table,
				  const SgipCondition *condition, const Const *value)
{
	bool		is_time = value->consttype == TIMESTAMPTZOID;
	int64		low;
	int64		high;

	if (!(is_time ? time_bounds(DatumGetTimestampTz(value->constvalue), &low, &high) :
		  address_bounds(DatumGetInetPP(value->constvalue), &low, &high)))
		return;
	if (!OidIsValid(range->type))
	{
		range->type = value->consttype;
		range->match = table->columns[condition->attnum - 1].match;
		range->low = is_time ? -1 : 0;
		range->high = is_time ? PG_INT64_MAX : PG_UINT32_MAX;
	}
	if (condition->kind != SGIP_CONDITION_TO)
		range->low = Max(range->low, low);
	if (condition->kind != SGIP_CONDITION_FROM)
		range->high = Min(range->high, high);
}

bool
sgip_range_is_empty(const SgipRange *range)
{
	return range->type == INETOID && range->low > range->high;
}

/* The whole octets that all addresses have in common; NULL if there are none. */
static char *
common_octets(const SgipRange *range)
{
	StringInfoData buf;
	int			octets = 0;

	while (octets < 4 &&
		   (range->low >> (24 - 8 * octets)) == (range->high >> (24 - 8 * octets)))
		octets++;
	if (octets == 0 || (range->match == SGIP_MATCH_EXACT && octets < 4))
		return NULL;
	initStringInfo(&buf);
	for (int i = 0; i < octets; i++)
		appendStringInfo(&buf, "%d%s", (int) (range->low >> (24 - 8 * i)) & 255, i < 3 ? "." : "");
	return buf.data;
}

char *
sgip_range_fragment(const SgipRange *range)
{
	StringInfoData buf;

	if (!OidIsValid(range->type))
		return NULL;
	if (range->type == INETOID)
		return common_octets(range);
	initStringInfo(&buf);
	if (range->low >= 0)
		appendStringInfo(&buf, INT64_FORMAT, range->low);
	appendStringInfoChar(&buf, SGIP_BOUNDS_SEPARATOR);
	if (range->high < PG_INT64_MAX)
		appendStringInfo(&buf, INT64_FORMAT, range->high);
	return buf.data;
}
