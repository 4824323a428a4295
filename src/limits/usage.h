/*-------------------------------------------------------------------------
 *
 * usage.h
 *		What the accounts of the API were asked by all sessions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_USAGE_H
#define SGIP_USAGE_H

#include "nodes/pg_list.h"

#include "limits/account.h"

/* Adds *usage to the account's, and zeroes it */
extern void sgip_usage_add(SgipAccount account, SgipUsage *usage);

/* An account, and what is known of it */
typedef struct SgipUsageRow
{
	SgipAccount account;
	SgipAccountEntry entry;
} SgipUsageRow;

/* All accounts of this database: a list of SgipUsageRow */
extern List *sgip_usage_list(void);

/* Restarts the counting for all accounts of this database */
extern void sgip_usage_reset(void);

#endif							/* SGIP_USAGE_H */
