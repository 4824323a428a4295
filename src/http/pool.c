/*-------------------------------------------------------------------------
 *
 * pool.c
 *		Leases: which connections a scan gets, and how long they are kept.
 *
 * The leases of a backend form a pool.  One that is in use belongs to a memory
 * context of its scan, whose reset callback ends it, so that an error anywhere
 * leaves neither transfer nor descriptor behind.  Idle ones are closed when
 * they are too old, too many, or in the way of others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "http/event_loop.h"
#include "http/sockets.h"
#include "http/transfer.h"

/*
 * How long idle connections are kept.  Servers and firewalls drop them after
 * one to a few minutes.
 */
#ifndef MAX_IDLE_MS
#define MAX_IDLE_MS 60000
#endif

/*
 * Peers whose connections are kept: as many as the sources that a large UNION
 * ALL has.
 */
#define MAX_IDLE_LEASES 64

/* All leases of this backend, used last first */
static dlist_head all_leases = DLIST_STATIC_INIT(all_leases);
static uint32 last_number = 0;	/* of the lease that was made last */

/* GUC sgip_fdw.max_connections */
static int	max_connections = 64;

/* When it fires, nothing has been leased for MAX_IDLE_MS */
static TimeoutId idle_timeout;

/* ----------------------------------------------------------------
 *		Time
 * ----------------------------------------------------------------
 */

/*
 * Shuts down connections that nothing will use; libcurl and the other end see
 * that they have ended.  Runs in a signal handler, so the descriptors stay
 * open until the next lease; shutdown() and fstat() are safe there.
 */
static void
hang_up_idle(void)
{
	int			save_errno = errno;
	int64		oldest = sgip_now_ns() - (MAX_IDLE_MS - 1) * SGIP_NS_PER_MS;
	dlist_iter	iter;

	dlist_foreach(iter, &all_leases)
	{
		SgipLease  *lease = dlist_container(SgipLease, node, iter.cur);

		if (lease->in_use || lease->idle_since > oldest)
			continue;
		lease->invalidated = true;
		for (int i = 0; i < lease->open_sockets; i++)
		{
			if (sgip_socket_is_ours(&lease->sockets[i]))
				(void) shutdown(lease->sockets[i].fd, SHUT_RDWR);
		}
	}
	errno = save_errno;
}

/*
 * Puts a lease first in the pool, or takes it out.  The time-out, whose handler
 * may interrupt anything, is off meanwhile.
 */
static void
move_lease(SgipLease *lease, bool out)
{
	disable_timeout(idle_timeout, false);
	if (lease->node.next != NULL)
		dlist_delete(&lease->node);
	if (!out)
		dlist_push_head(&all_leases, &lease->node);
	enable_timeout_after(idle_timeout, MAX_IDLE_MS);
}

/* ----------------------------------------------------------------
 *		Closing
 * ----------------------------------------------------------------
 */

/*
 * Are both NULL, or the same text?
 */
static bool
same_text(const char *a, const char *b)
{
	return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

/* Closes a lease without transfers and frees it.  Does not throw. */
static void
close_lease(SgipLease *lease)
{
	move_lease(lease, true);
	sgip_event_loop_close(lease);
	sgip_descriptors_release(SGIP_LEASE_DESCRIPTORS);
	MemoryContextDelete(lease->context);
}

/*
 * Closes the idle lease that was used least recently; false if there is none.
 */
static bool
close_oldest(void)
{
	dlist_iter	iter;

	dlist_reverse_foreach(iter, &all_leases)
	{
		SgipLease  *lease = dlist_container(SgipLease, node, iter.cur);

		if (!lease->in_use)
		{
			close_lease(lease);
			return true;
		}
	}
	return false;
}

/*
 * Closes idle leases that are not to be used again, or are too old or too many.
 */
static void
tidy(void)
{
	int64		oldest = sgip_now_ns() - MAX_IDLE_MS * SGIP_NS_PER_MS;
	int			kept = 0;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &all_leases)
	{
		SgipLease  *lease = dlist_container(SgipLease, node, iter.cur);

		if (lease->in_use)
			continue;
		if (lease->invalidated || lease->broken || lease->idle_since < oldest ||
			(lease->kept_in == NULL && !lease->peer.keep_connections) ||
			kept >= MAX_IDLE_LEASES)
			close_lease(lease);
		else
			kept++;
	}
}

/*
 * A foreign server or a user mapping changed (hash value 0: any may have):
 * connections made for it are not to be used again.
 */
static void
invalidate(Datum arg, SgipCacheId cache_id, uint32 hash_value)
{
	dlist_iter	iter;

	dlist_foreach(iter, &all_leases)
	{
		SgipLease  *lease = dlist_container(SgipLease, node, iter.cur);
		uint32		own = cache_id == FOREIGNSERVEROID ? lease->server_hash
			: lease->mapping_hash;

		if (hash_value == 0 || own == 0 || own == hash_value)
			lease->invalidated = true;
	}
}

/* Callback: the backend exits. */
static void
close_all(int code, Datum arg)
{
	while (!dlist_is_empty(&all_leases))
		close_lease(dlist_head_element(SgipLease, node, &all_leases));
}

/*
 * Callback: a statement ends, and connections that are not to be kept longer.
 */
static void
end_statement(void *arg)
{
	dlist_iter	iter;

	dlist_foreach(iter, &all_leases)
	{
		SgipLease  *lease = dlist_container(SgipLease, node, iter.cur);

		if (lease->kept_in == arg)
			lease->kept_in = NULL;
	}
	tidy();
}

/*
 * Callback: a transaction ends.  An error has disabled all time-outs before
 * that.
 */
static void
watch_transaction(XactEvent event, void *arg)
{
	tidy();
	if (!dlist_is_empty(&all_leases) && !get_timeout_active(idle_timeout))
		enable_timeout_after(idle_timeout, MAX_IDLE_MS);
}

/* ----------------------------------------------------------------
 *		Leasing
 * ----------------------------------------------------------------
 */

/*
 * Initializes libcurl, once in a backend.  It is never shut down, as other
 * extensions in this process may use it.
 */
static void
start_library(void)
{
	static bool started = false;

	if (started)
		return;

	/* libcurl would write the keys of all connections to the file it names */
	(void) unsetenv("SSLKEYLOGFILE");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("could not initialize the HTTP client")));
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate, (Datum) 0);
	on_proc_exit(close_all, (Datum) 0);
	idle_timeout = RegisterTimeout(USER_TIMEOUT, hang_up_idle);
	RegisterXactCallback(watch_transaction, NULL);
	started = true;
}

/*
 * Acquires that many descriptors, closing idle leases if need be; false if
 * that does not help.
 */
static bool
acquire_descriptors(int count)
{
	while (!sgip_descriptors_acquire(count))
	{
		if (!close_oldest())
			return false;
	}
	return true;
}

/*
 * Are that many descriptors available, besides those that connecting
 * transfers will need?
 */
static bool
has_descriptors(int count)
{
	count += sgip_transfers_connecting;
	if (!acquire_descriptors(count))
		return false;
	sgip_descriptors_release(count);
	return true;
}

bool
sgip_http_has_room(void)
{
	return sgip_transfers_in_flight < max_connections && has_descriptors(SGIP_LEASE_DESCRIPTORS);
}

/*
 * A new lease for the peer, without handles.  Until it is complete it belongs
 * to the owner.
 */
static SgipLease *
make_lease(const SgipHttpPeer *peer, MemoryContext owner)
{
	MemoryContext context = AllocSetContextCreate(owner, "sgip_fdw connections", ALLOCSET_SMALL_SIZES);
	SgipLease  *lease = MemoryContextAllocZero(context, sizeof(SgipLease));

	lease->context = context;
	lease->epoll_fd = -1;
	lease->timer_fd = -1;
	lease->broken = "incomplete";
	dlist_init(&lease->transfers);

	lease->peer = *peer;
	if (peer->ca_file)
		lease->peer.ca_file = MemoryContextStrdup(context, peer->ca_file);
	if (peer->proxy)
		lease->peer.proxy = MemoryContextStrdup(context, peer->proxy);
	lease->server_hash = GetSysCacheHashValue1(FOREIGNSERVEROID,
											   ObjectIdGetDatum(peer->server_id));
	if (OidIsValid(peer->mapping_id))
		lease->mapping_hash = GetSysCacheHashValue1(USERMAPPINGOID,
													ObjectIdGetDatum(peer->mapping_id));
	lease->number = ++last_number;
	lease->created_at = GetCurrentTimestamp();

	if (!acquire_descriptors(SGIP_LEASE_DESCRIPTORS))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another HTTP connection"),
				 errdetail("This session holds as many file descriptors as PostgreSQL lets extensions have."),
				 errhint("Raise max_files_per_process, or read fewer foreign tables at the same time.")));
	MemoryContextSetParent(context, TopMemoryContext);
	move_lease(lease, false);
	return lease;
}

/*
 * Has the server sent unsolicited bytes?  They would be taken for the answer
 * to the next request. (libcurl itself notices closed connections.)
 */
static bool
has_stray_bytes(const SgipLease *lease)
{
	char		byte;

	for (int i = 0; i < lease->open_sockets; i++)
	{
		if (recv(lease->sockets[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
			return true;
	}
	return false;
}

/*
 * An idle lease for that peer, or NULL.
 */
static SgipLease *
find_idle(const SgipHttpPeer *peer)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &all_leases)
	{
		SgipLease  *lease = dlist_container(SgipLease, node, iter.cur);

		if (lease->in_use ||
			lease->peer.server_id != peer->server_id ||
			lease->peer.user_id != peer->user_id ||
			lease->peer.mapping_id != peer->mapping_id ||
			lease->peer.keep_connections != peer->keep_connections ||
			!same_text(lease->peer.ca_file, peer->ca_file) ||
			!same_text(lease->peer.proxy, peer->proxy))
			continue;
		if (!has_stray_bytes(lease))
			return lease;
		close_lease(lease);
	}
	return NULL;
}

/*
 * Has the connections of a lease closed when the statement ends, unless they
 * are to be kept.
 */
static void
keep_for_statement(SgipLease *lease)
{
	MemoryContext statement = PortalContext ? PortalContext : TopTransactionContext;
	MemoryContextCallback *callback;

	if (lease->peer.keep_connections ||
		(lease->kept_in != NULL && MemoryContextGetParent(lease->kept_in) == statement))
		return;

	/*
	 * a child goes when the statement fails, the context itself only with its
	 * transaction
	 */
	lease->kept_in = AllocSetContextCreate(statement, "sgip_fdw connections", ALLOCSET_SMALL_SIZES);
	callback = MemoryContextAlloc(lease->kept_in, sizeof(MemoryContextCallback));
	callback->func = end_statement;
	callback->arg = lease->kept_in;
	MemoryContextRegisterResetCallback(lease->kept_in, callback);
}

/* Callback: the lease ends, its connections are idle now. */
static void
end_lease(void *arg)
{
	SgipLease  *lease = arg;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &lease->transfers)
		sgip_http_stop(dlist_container(SgipTransfer, node, iter.cur));
	sgip_http_wait_end(lease);
	lease->idle_since = sgip_now_ns();
	lease->in_use = false;
	move_lease(lease, false);
	tidy();
}

SgipLease *
sgip_http_acquire(const SgipHttpPeer *peer, MemoryContext owner)
{
	SgipLease  *lease;

	start_library();
	tidy();
	lease = find_idle(peer);
	if (lease == NULL)
		lease = make_lease(peer, owner);

	/* from here on, the owner's end gives the lease back */
	lease->in_use = true;
	lease->callback.func = end_lease;
	lease->callback.arg = lease;
	MemoryContextRegisterResetCallback(owner, &lease->callback);

	if (lease->broken)
		sgip_event_loop_open(lease);
	keep_for_statement(lease);
	lease->peer.connect_timeout_ms = peer->connect_timeout_ms;
	lease->peer.read_timeout_ms = peer->read_timeout_ms;
	memset(&lease->counters, 0, sizeof(lease->counters));
	return lease;
}

const SgipHttpCounters *
sgip_http_counters(const SgipLease *lease)
{
	return &lease->counters;
}

SgipTransfer *
sgip_http_start(SgipLease *lease, const SgipHttpRequest *request)
{
	/* idle leases give up their sockets if there are too many */
	while (sgip_sockets_open >= max_connections && close_oldest())
		 /* go on */ ;
	(void) has_descriptors(1);
	return sgip_transfer_start(lease, request);
}

/* ----------------------------------------------------------------
 *		Functions for the user, and settings
 * ----------------------------------------------------------------
 */

List *
sgip_http_leases(void)
{
	List	   *infos = NIL;
	dlist_iter	iter;

	tidy();
	dlist_foreach(iter, &all_leases)
	{
		const SgipLease *lease = dlist_container(SgipLease, node, iter.cur);
		SgipHttpLeaseInfo *info = palloc(sizeof(SgipHttpLeaseInfo));

		info->number = lease->number;
		info->server_id = lease->peer.server_id;
		info->user_id = lease->peer.user_id;
		info->in_use = lease->in_use;
		info->invalidated = lease->invalidated;
		info->open_sockets = lease->open_sockets;
		info->requests = lease->requests;
		info->created_at = lease->created_at;
		infos = lappend(infos, info);
	}
	return infos;
}

int
sgip_http_disconnect(Oid server_id)
{
	int			closed = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &all_leases)
	{
		SgipLease  *lease = dlist_container(SgipLease, node, iter.cur);

		if (OidIsValid(server_id) && lease->peer.server_id != server_id)
			continue;
		lease->invalidated = true;
		closed += !lease->in_use;
	}
	tidy();
	return closed;
}

const char *
sgip_http_version(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	return psprintf("libcurl %s (%s)", info->version, info->ssl_version ? info->ssl_version : "no TLS");
}

void
sgip_http_init(void)
{
	DefineCustomIntVariable("sgip_fdw.max_connections",
							"Sets the maximum number of requests that this session has in flight.",
							"Further requests wait for their turn, unless a query waits for them alone.",
							&max_connections,
							64,
							1,
							1000,
							PGC_USERSET,
							0,
							NULL,
							NULL,
							NULL);
}
