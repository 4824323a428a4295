/*-------------------------------------------------------------------------
 *
 * client.c
 *		Who asks: a server and credentials, and what its requests share.
 *
 * Limits belong to a path, as the API counts them.  A refusal is looked at
 * when it arrives, whichever answer is being read, and all calls on that path
 * wait until the same moment; so does what has not been sent, once the server
 * has said that nothing remains.  Time that is waited together is charged
 * once, to the scan that the client works for when it learns of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "fetch/client.h"
#include "fetch/retry.h"

SgipClient *
sgip_client_new(const SgipServer *server, Oid user_id)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sgip_fdw client",
												  ALLOCSET_SMALL_SIZES);
	SgipClient *client = MemoryContextAllocZero(context, sizeof(SgipClient));

	client->context = context;
	client->server = server;
	client->user_id = user_id;
	dlist_init(&client->calls);
	return client;
}

void
sgip_client_serve(SgipClient *client, const char *table, SgipFetchCounters *counters)
{
	client->table = table;
	client->counters = counters;
}

/* Brings the counters up to date. */
static void
count(SgipClient *client)
{
	const SgipHttpCounters *now = sgip_http_counters(client->lease);

	client->counters->bytes += now->bytes_received - client->counted.bytes_received;
	client->counters->connections += now->connections_opened - client->counted.connections_opened;
	client->counted = *now;
}

/*
 * The lease has gone, and its transfers with it; its context goes, too.  Wipes
 * the credentials.
 */
static void
clean_up(void *arg)
{
	SgipClient *client = arg;
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
		dlist_container(SgipCall, node, iter.cur)->transfer = NULL;
	if (client->credentials != NULL)
		sgip_credentials_forget(client->credentials);
	client->credentials = NULL;
	client->lease = NULL;
	client->lease_context = NULL;
}

/* Looks up the credentials and leases connections. */
static void
open_lease(SgipClient *client)
{
	MemoryContext caller;
	SgipHttpPeer peer;

	client->lease_context = AllocSetContextCreate(client->context, "sgip_fdw lease",
												  ALLOCSET_SMALL_SIZES);
	client->cleanup.func = clean_up;
	client->cleanup.arg = client;
	MemoryContextRegisterResetCallback(client->lease_context, &client->cleanup);
	caller = MemoryContextSwitchTo(client->lease_context);
	sgip_option_check_ca_file(client->server);
	client->credentials = sgip_credentials_get(client->server, client->user_id);
	peer.server_id = client->server->id;
	peer.user_id = client->credentials->user_id;
	peer.mapping_id = client->credentials->mapping_id;
	peer.ca_file = client->server->ca_file;
	peer.proxy = client->server->proxy;
	peer.keep_connections = client->server->keep_connections;
	peer.connect_timeout_ms = client->server->connect_timeout_ms;
	peer.read_timeout_ms = client->server->read_timeout_ms;
	memset(&client->counted, 0, sizeof(client->counted));
	client->lease = sgip_http_acquire(&peer, client->lease_context);
	MemoryContextSwitchTo(caller);
}

/* What is known about the limit of a task's path. */
static SgipPathLimit *
find_limit(SgipClient *client, const SgipTask *task)
{
	const char *path = task->path ? task->path : "";
	SgipPathLimit *limit;
	MemoryContext caller;
	ListCell   *lc;

	foreach(lc, client->limits)
	{
		limit = lfirst(lc);
		if (strcmp(limit->path, path) == 0)
			return limit;
	}
	caller = MemoryContextSwitchTo(client->context);
	limit = palloc0(sizeof(SgipPathLimit));
	limit->path = path;
	client->limits = lappend(client->limits, limit);
	MemoryContextSwitchTo(caller);
	return limit;
}

void
sgip_client_add(SgipClient *client, SgipCall *call, const SgipTask *task)
{
	memset(call, 0, sizeof(*call));
	call->client = client;
	call->limit = find_limit(client, task);
	dlist_push_tail(&client->calls, &call->node);
}

void
sgip_client_drop(SgipCall *call)
{
	SgipClient *client = call->client;

	sgip_http_stop(call->transfer);
	call->transfer = NULL;
	dlist_delete(&call->node);
	if (dlist_is_empty(&client->calls) && client->lease_context != NULL)
		MemoryContextDelete(client->lease_context);
}

/* ----------------------------------------------------------------
 *		Limits
 * ----------------------------------------------------------------
 */

/*
 * Sends nothing on that path for so long.  False if that is more than the
 * scan may wait: then nothing changes.
 */
static bool
pause_path(SgipClient *client, SgipPathLimit *limit, int64 wait_ms)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until = TimestampTzPlusMilliseconds(now, wait_ms);
	TimestampTz from = Max(now, limit->not_before);

	if (until > from)
	{
		int64		more_ms = (until - from) / 1000;

		if (client->counters->waited_ms + more_ms > client->server->max_retry_wait_ms)
			return false;
		client->counters->waited_ms += more_ms;
		limit->not_before = until;
	}
	return true;
}

/*
 * May something be sent on that path now?  A time that an answer gave, until
 * which nothing remains, is waited for if the scan may wait so long; if not it
 * is not believed, and the next answer shows.
 */
static bool
is_open(SgipClient *client, SgipPathLimit *limit)
{
	TimestampTz now;

	if (limit->used_up_until == 0 && limit->not_before == 0)
		return true;
	now = GetCurrentTimestamp();
	if (limit->used_up_until > now)
		(void) pause_path(client, limit,
						  (limit->used_up_until - now + 999) / 1000);
	limit->used_up_until = 0;
	if (limit->not_before > now)
		return false;
	limit->not_before = 0;
	return true;
}

/* Is the transfer of this call still taking part in the concurrency? */
static bool
in_flight(const SgipCall *call)
{
	return call->transfer != NULL && sgip_http_result(call->transfer)->state == SGIP_HTTP_RUNNING;
}

bool
sgip_client_has_slot(SgipClient *client)
{
	int			flying = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
	{
		if (in_flight(dlist_container(SgipCall, node, iter.cur)))
			flying++;
	}
	return flying < client->server->max_concurrency && sgip_http_has_room();
}

bool
sgip_client_may_send(const SgipCall *call, bool ahead)
{
	return is_open(call->client, call->limit) && (!ahead || sgip_client_has_slot(call->client));
}

bool
sgip_client_try_again(SgipCall *call, int64 asked_ms)
{
	SgipClient *client = call->client;
	int64		left = client->server->max_retry_wait_ms - client->counters->waited_ms;
	int64		backoff = Min(sgip_retry_backoff_ms(call->tries), left);

	if (call->tries > client->server->max_retries || left <= 0 ||
		!pause_path(client, call->limit, Max(asked_ms, backoff)))
		return false;
	call->repeat = true;
	return true;
}

/*
 * Milliseconds until the window of a limit begins anew, of which the headers
 * say that nothing remains; -1: they do not.  They mean what they would mean
 * under status 429.
 */
static int64
used_up_ms(const SgipHttpHead *head)
{
	SgipHttpHead refusal;

	if (strcmp(head->rate_remaining, "0") != 0)
		return -1;
	refusal = *head;
	refusal.status = 429;
	refusal.retry_after[0] = '\0';
	return sgip_retry_asked_ms(&refusal);
}

/*
 * Looks at the headers that have arrived: what they say of the limit, and
 * whether the call is to be sent again.  If it may not be, that is found out
 * by whoever reads its answer, perhaps never.
 */
static void
look_at_headers(SgipClient *client)
{
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
	{
		SgipCall   *call = dlist_container(SgipCall, node, iter.cur);
		const SgipHttpHead *head;
		int64		reset_ms;

		if (call->transfer == NULL || call->noted)
			continue;
		head = &sgip_http_result(call->transfer)->head;
		if (head->status == 0)
			continue;
		call->noted = true;
		reset_ms = used_up_ms(head);
		if (reset_ms > 0)
			call->limit->used_up_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), reset_ms);
		if (sgip_retry_status(head->status))
			(void) sgip_client_try_again(call, sgip_retry_asked_ms(head));
	}
}

/* ----------------------------------------------------------------
 *		Sending and waiting
 * ----------------------------------------------------------------
 */

void
sgip_client_send(SgipCall *call, const SgipTask *task,
				 const SgipArguments *arguments, const SgipPage *page)
{
	SgipClient *client = call->client;
	MemoryContext context = AllocSetContextCreate(client->context, "sgip_fdw request",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SgipHttpRequest request;

	if (client->lease == NULL)
		open_lease(client);
	sgip_http_stop(call->transfer);
	call->transfer = NULL;
	sgip_request_build(client->server, task, client->credentials, arguments, page, &request);
	call->transfer = sgip_http_start(client->lease, &request);
	sgip_request_wipe(&request);
	call->repeat = false;
	call->noted = false;
	call->tries++;
	client->counters->requests++;
	if (call->tries > 1)
		client->counters->retries++;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

void
sgip_client_drive(SgipClient *client)
{
	if (client->lease == NULL)
		return;
	if (sgip_http_drive(client->lease))
		client->events++;
	look_at_headers(client);
	count(client);
}

/* Milliseconds until a call that waits may be sent; -1: none waits. */
static long
next_wake_ms(SgipClient *client)
{
	long		soonest = -1;
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
	{
		SgipCall   *call = dlist_container(SgipCall, node, iter.cur);
		long		ms;

		if ((call->transfer != NULL && !call->repeat) || call->limit->not_before == 0)
			continue;
		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), call->limit->not_before);
		soonest = soonest < 0 ? ms : Min(soonest, ms);
	}
	return soonest;
}

void
sgip_client_wait(SgipClient *client)
{
	if (client->lease == NULL)
		open_lease(client);
	sgip_http_wait(client->lease, next_wake_ms(client));
	client->events++;
	look_at_headers(client);
	count(client);
}

int
sgip_client_wait_begin(SgipClient *client, bool at_once)
{
	if (client->lease == NULL)
		open_lease(client);
	return sgip_http_wait_begin(client->lease, at_once ? 0 : next_wake_ms(client));
}

void
sgip_client_wait_end(SgipClient *client)
{
	if (client->lease != NULL)
		sgip_http_wait_end(client->lease);
}
