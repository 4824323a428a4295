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

/* Narrows by a network, or by a bound. */
static void
narrow_addresses(SgipRange *range, SgipConditionKind kind, inet *address)
{
	uint32		bits = 0;
	uint32		mask;

	if (ip_family(address) != PGSQL_AF_INET)
		return;
	for (int i = 0; i < 4; i++)
		bits = bits << 8 | ip_addr(address)[i];
	mask = ip_bits(address) == 0 ? 0 : PG_UINT32_MAX << (32 - ip_bits(address));
	if (!range->addresses)
		range->high = PG_UINT32_MAX;
	range->addresses = true;
	if (kind != SGIP_CONDITION_TO)
		range->low = Max(range->low, bits & mask);
	if (kind != SGIP_CONDITION_FROM)
		range->high = Min(range->high, bits | ~mask);
}

/*
 * Narrows by a bound, in whole seconds and a second wider than it is: whether
 * the API finds what lies at the very end is not documented.
 */
static void
narrow_times(SgipRange *range, SgipConditionKind kind, TimestampTz time)
{
	int64		seconds;

	if (TIMESTAMP_NOT_FINITE(time) || time < UNIX_EPOCH)
		return;
	if (!range->times)
	{
		range->from = -1;
		range->to = PG_INT64_MAX;
	}
	range->times = true;
	seconds = (time - UNIX_EPOCH) / USECS_PER_SEC;
	if (kind == SGIP_CONDITION_FROM)
		range->from = Max(range->from, Max(seconds - 1, 0));
	else
		range->to = Min(range->to, seconds + 2);
}

void
sgip_range_narrow(SgipRange *range, const SgipTable *table,
				  const SgipCondition *condition, const Const *value)
{
	range->match = table->columns[condition->attnum - 1].match;
	if (value->consttype == TIMESTAMPTZOID)
		narrow_times(range, condition->kind, DatumGetTimestampTz(value->constvalue));
	else
		narrow_addresses(range, condition->kind, DatumGetInetPP(value->constvalue));
}

bool
sgip_range_is_empty(const SgipRange *range)
{
	return range->addresses && range->low > range->high;
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
		appendStringInfo(&buf, "%u%s", (range->low >> (24 - 8 * i)) & 255, i < 3 ? "." : "");
	return buf.data;
}

char *
sgip_range_fragment(const SgipRange *range)
{
	StringInfoData buf;

	if (range->addresses)
		return common_octets(range);
	if (!range->times)
		return NULL;
	initStringInfo(&buf);
	if (range->from >= 0)
		appendStringInfo(&buf, INT64_FORMAT, range->from);
	appendStringInfoChar(&buf, SGIP_BOUNDS_SEPARATOR);
	if (range->to < PG_INT64_MAX)
		appendStringInfo(&buf, INT64_FORMAT, range->to);
	return buf.data;
}
