/*-------------------------------------------------------------------------
 *
 * account.h
 *		An account of the API, and what is counted of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_ACCOUNT_H
#define SGIP_ACCOUNT_H

#include "datatype/timestamp.h"

/* An account of the API: credentials of a user mapping, at a server */
typedef struct SgipAccount
{
	Oid			server_id;
	Oid			mapping_id;
} SgipAccount;

/* The limit is not known */
#define SGIP_UNLIMITED PG_INT64_MAX

/* What an account was asked */
typedef struct SgipUsage
{
	int64		requests;		/* sent, further tries included */
	int64		rows;			/* elements received */
	int64		bytes;			/* of bodies, after decompression */
	int64		retries;
	int64		refused;		/* answers with status 429 */
	int64		errors;			/* other failures, whether tried again or not */
	int64		waited_us;		/* for limits, and before retries */
} SgipUsage;

/* What is known of an account */
typedef struct SgipAccountEntry
{
	SgipUsage	usage;
	TimestampTz since;			/* when the counting began */
	bool		has_limit;		/* the latest limit that an answer reported
								 * follows */
	int64		limit;
	int64		remaining;
	TimestampTz ends_at;
} SgipAccountEntry;

#endif							/* SGIP_ACCOUNT_H */
