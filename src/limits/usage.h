/*-------------------------------------------------------------------------
 *
 * usage.h
 *		What the accounts of the API were asked by all sessions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_USAGE_H
#define SGIP_USAGE_H

#include "datatype/timestamp.h"

#include "limits/account.h"

/* Adds *usage to the account's, and zeroes it */
extern void sgip_usage_add(SgipAccount account, SgipUsage *usage);

/* What is known of one account */
typedef struct SgipUsageRow
{
	SgipAccount account;
	SgipUsage	usage;
	TimestampTz since;			/* when the counting began */
	bool		has_limit;		/* the latest limit that an answer reported
								 * follows */
	int64		limit;
	int64		remaining;
	TimestampTz ends_at;
} SgipUsageRow;

/* All accounts of this database: a palloc'd array of "count" */
extern SgipUsageRow *sgip_usage_list(int *count);

/* Restarts the counting for all accounts of this database */
extern void sgip_usage_reset(void);

#endif							/* SGIP_USAGE_H */
