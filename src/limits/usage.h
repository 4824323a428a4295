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

/* Adds to what the account was asked, and makes *usage zero */
extern void sgip_usage_add(SgipAccount account, SgipUsage *usage);

/* What is known of one account */
typedef struct SgipUsageRow
{
	SgipAccount account;
	SgipUsage	usage;
	TimestampTz since;			/* when the counting began */
	bool		told;			/* the rest is what an answer told last */
	int64		limit;
	int64		remaining;
	TimestampTz ends_at;
} SgipUsageRow;

/* All accounts of this database: a palloc'd array of "count" */
extern SgipUsageRow *sgip_usage_list(int *count);

/* Lets the counting of all accounts of this database begin anew */
extern void sgip_usage_reset(void);

#endif							/* SGIP_USAGE_H */
