/*-------------------------------------------------------------------------
 *
 * client.h
 *		A client of the API: a server and credentials, and what its requests
 *		share.
 *
 * A client leases connections, counts requests and bounds how many are in
 * flight.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_CLIENT_H
#define SGIP_CLIENT_H

#include "lib/ilist.h"

#include "catalog/credentials.h"
#include "catalog/table.h"
#include "http/http.h"
#include "limits/limits.h"
#include "request/request.h"

/* What was done for a scan; for EXPLAIN ANALYZE and max_retry_wait */
typedef struct SgipFetchCounters
{
	int64		requests;		/* sent, further tries included */
	int64		retries;
	int64		rows;			/* elements received */
	int64		shared;			/* elements read that another scan has
								 * received */
	int64		bytes;			/* of bodies, after decompression */
	int64		connections;	/* opened */
	int64		waited_ms;		/* before further tries, and for limits */
	int64		limited_ms;		/* of that, for limits */

	/* the wait that was counted last, which can end early */
	const void *waited_for;		/* its client; only to be compared */
	TimestampTz waited_from;
	TimestampTz waited_until;
} SgipFetchCounters;

typedef struct SgipClient
{
	MemoryContext context;
	const SgipServer *server;
	Oid			user_id;
	uint64		options;		/* of the maker: a hash value of the options
								 * of both, or 0 */

	/* the scan it works for at the moment */
	const char *table;			/* foreign table, named in errors */
	bool		hides_values;	/* the role that reads messages may not see
								 * them */
	SgipFetchCounters *counters;

	/* NULL while there is nothing to send */
	MemoryContext lease_context;
	SgipCredentials *credentials;
	SgipLease  *lease;
	MemoryContextCallback cleanup;
	SgipHttpCounters counted;	/* what the lease had counted when last asked */

	SgipAccount account;		/* whose limits apply, while there is a lease */
	SgipUsage	usage;			/* what was not added to the account's yet */

	dlist_head	calls;			/* all requests, to be sent or in flight */
	TimestampTz waits_from;		/* between these times waiting is in waited_ms */
	TimestampTz waits_until;
	uint64		events;			/* grows whenever something came */

	/* which request of which Append waits for it; only to be compared */
	const void *waiting_append;
	int			waiting_request;
} SgipClient;

/* One request, until it is dropped: to be sent, in flight, or answered */
typedef struct SgipCall
{
	dlist_node	node;			/* in its client's calls */
	SgipClient *client;
	uint64		path;			/* by which limits count it */
	TimestampTz not_before;		/* it is not sent before that; 0: at any time */
	bool		limited;		/* because of a limit, which can change */
	bool		charged;		/* the scan is charged for that wait */
	SgipLimitToken token;		/* its part of the limit, once it was sent */
	SgipTransfer *transfer;		/* NULL: not sent yet */
	bool		repeat;			/* what has come is void: it is to be sent
								 * again */
	bool		noted;			/* its headers have been passed to
								 * sgip_limits_learn */
	int			tries;			/* times it was sent */
} SgipCall;

/*
 * A client in a child of the current context.  "server" must live as long;
 * user_id may be InvalidOid, for PUBLIC's mapping.
 * Nothing is looked up or opened before the first request.
 */
extern SgipClient *sgip_client_new(const SgipServer *server, Oid user_id);

/*
 * Lets the client work for a scan of that table, and count in *counters, until
 * the next call; both must live as long.  Refunds what the scan was charged
 * for a wait that ended early since.  Messages name the table, and hide
 * values if its server does: the client may have been made for another role
 */
extern void sgip_client_serve(SgipClient *client, const SgipTable *table, SgipFetchCounters *counters);

/* Adds a call, all zero, for a listing of that task with those arguments, to be sent */
extern void sgip_client_add(SgipClient *client, SgipCall *call, const SgipTask *task,
							const SgipArguments *arguments);

/* Stops a call and removes it; with the last one the lease is given back */
extern void sgip_client_drop(SgipCall *call);

/*
 * May this call be sent now?  If so, it must be.  The one whose answer is
 * read next may, unless the server asked to wait or nothing remains of a
 * limit; one that is "ahead" also takes a free slot among max_concurrency and
 * sgip_fdw.max_connections, and what it waits is not charged to the scan.
 */
extern bool sgip_client_may_send(SgipCall *call, bool ahead);

/* Is there a free slot for another call that is read later? */
extern bool sgip_client_has_slot(SgipClient *client);

/* Sends the call, for the first time or again, when sgip_client_may_send has said so */
extern void sgip_client_send(SgipCall *call, const SgipTask *task,
							 const SgipArguments *arguments, const SgipPage *page);

/* The transfer of a call whose answer may be looked at, or NULL */
static inline SgipTransfer *
sgip_client_transfer(const SgipCall *call)
{
	return call->repeat ? NULL : call->transfer;
}

/*
 * Schedules another try of a call.  False if there must be none: max_retries
 * or max_retry_wait are used up.  asked_ms: how long the server asked to wait,
 * -1 if it did not.
 */
extern bool sgip_client_try_again(SgipCall *call, int64 asked_ms);

/* Drives the transfers without waiting, and processes headers that have arrived */
extern void sgip_client_drive(SgipClient *client);

/* Waits until there is more to do; serves interrupts */
extern void sgip_client_wait(SgipClient *client);

/*
 * To wait for several clients: begin returns the descriptor that becomes
 * readable until end is called; at_once: it is readable now.
 */
extern int	sgip_client_wait_begin(SgipClient *client, bool at_once);
extern void sgip_client_wait_end(SgipClient *client);

#endif							/* SGIP_CLIENT_H */
