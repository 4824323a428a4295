/*-------------------------------------------------------------------------
 *
 * client.c
 *		A client of the API: a server and credentials, and what its requests
 *		share.
 *
 * Limits belong to a path, as the API counts them.  A refusal is processed
 * when it arrives, whichever answer is being read, and all calls on that
 * path wait until the same moment; so do those not sent yet, once the
 * server has said that nothing remains.  Time spent waiting together is
 * charged once, to the scan that the client works for at that time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "fetch/client.h"
#include "limits/retry.h"
#include "limits/usage.h"

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

/*
 * Refunds what the scan was charged for a wait that has ended early, perhaps
 * while the client worked for another scan.
 */
static void
settle(SgipClient *client)
{
	SgipFetchCounters *counters = client->counters;
	TimestampTz until = Max(client->waits_until, counters->waited_from);
	int64		less_ms = (counters->waited_until - until) / 1000;

	if (counters->waited_for != client || less_ms <= 0)
		return;
	counters->waited_ms -= less_ms;
	counters->limited_ms -= Min(less_ms, counters->limited_ms);
	counters->waited_until = until;
}

void
sgip_client_serve(SgipClient *client, const SgipTable *table, SgipFetchCounters *counters)
{
	client->table = table->name;
	client->hides_values = table->server->hides_values;
	client->counters = counters;
	settle(client);
}

/* Brings the counters up to date. */
static void
count(SgipClient *client)
{
	const SgipHttpCounters *now = sgip_http_counters(client->lease);

	client->counters->bytes += now->bytes_received - client->counted.bytes_received;
	client->usage.bytes += now->bytes_received - client->counted.bytes_received;
	client->counters->connections += now->connections_opened - client->counted.connections_opened;
	client->counted = *now;
}

/*
 * The lease has gone, and its transfers and the credentials with it; its
 * context goes, too.
 */
static void
clean_up(void *arg)
{
	SgipClient *client = arg;
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
	{
		SgipCall   *call = dlist_container(SgipCall, node, iter.cur);

		sgip_limits_release(&call->token);
		call->transfer = NULL;
	}
	if (client->lease != NULL)
		sgip_usage_add(client->account, &client->usage);
	client->credentials = NULL;
	client->lease = NULL;
	client->lease_context = NULL;
}

/* Looks up the credentials and leases connections, unless there is a lease. */
static void
open_lease(SgipClient *client)
{
	MemoryContext caller;
	SgipHttpPeer peer;

	if (client->lease != NULL)
		return;
	client->lease_context = AllocSetContextCreate(client->context, "sgip_fdw lease",
												  ALLOCSET_SMALL_SIZES);
	client->cleanup.func = clean_up;
	client->cleanup.arg = client;
	MemoryContextRegisterResetCallback(client->lease_context, &client->cleanup);
	caller = MemoryContextSwitchTo(client->lease_context);
	sgip_option_check_ca_file(client->server);
	client->credentials = sgip_credentials_get(client->server, client->user_id);
	client->account.server_id = client->server->id;
	client->account.mapping_id = client->credentials->mapping_id;
	peer.server_id = client->server->id;
	peer.user_id = client->user_id;
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

void
sgip_client_add(SgipClient *client, SgipCall *call, const SgipTask *task,
				const SgipArguments *arguments)
{
	char	   *path = sgip_request_path(client->server, task, arguments);

	call->client = client;
	call->path = sgip_limits_path(path);
	pfree(path);
	dlist_push_tail(&client->calls, &call->node);
}

void
sgip_client_drop(SgipCall *call)
{
	SgipClient *client = call->client;

	sgip_limits_release(&call->token);
	sgip_http_stop(call->transfer);
	dlist_delete(&call->node);
	if (client->lease != NULL)
		sgip_usage_add(client->account, &client->usage);
	if (dlist_is_empty(&client->calls) && client->lease_context != NULL)
		MemoryContextDelete(client->lease_context);
}

/* ----------------------------------------------------------------
 *		Limits
 * ----------------------------------------------------------------
 */

/*
 * Charges the scan for waiting until then.  Time that several calls wait
 * together counts once.  False, without effect, if that is more than the scan
 * may wait.
 */
static bool
charge(SgipClient *client, TimestampTz until, TimestampTz now, bool for_limit)
{
	SgipFetchCounters *counters = client->counters;
	TimestampTz from = Max(now, client->waits_until);
	int64		more_ms = (until - from + 999) / 1000;

	if (more_ms <= 0)
		return true;
	if (counters->waited_ms + more_ms > client->server->max_retry_wait_ms)
		return false;
	counters->waited_ms += more_ms;
	client->usage.waited_us += more_ms * 1000;
	if (for_limit)
		counters->limited_ms += more_ms;
	if (counters->waited_for != client || counters->waited_until < from)
		counters->waited_from = from;
	counters->waited_for = client;
	if (from == now)
		client->waits_from = now;
	counters->waited_until = client->waits_until = until;
	return true;
}

/* The wait for a limit has ended, perhaps early: what was charged for longer is refunded. */
static void
refund(SgipClient *client, TimestampTz now)
{
	/* not more than was charged, if the clock was set back */
	TimestampTz until = Max(now, client->waits_from);
	int64		less_ms;
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
	{
		SgipCall   *call = dlist_container(SgipCall, node, iter.cur);

		if (call->charged)
			until = Max(until, call->not_before);
	}
	less_ms = (client->waits_until - until) / 1000;
	if (less_ms <= 0)
		return;
	client->usage.waited_us -= less_ms * 1000;
	client->waits_until = until;
	settle(client);
}

/* Sends no call on that path before then. */
static void
pause_path(SgipClient *client, uint64 path, TimestampTz until)
{
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
	{
		SgipCall   *call = dlist_container(SgipCall, node, iter.cur);

		if (call->path != path || sgip_client_transfer(call) != NULL || call->not_before > until)
			continue;
		call->not_before = until;
		call->limited = false;
		call->charged = true;
	}
}

/*
 * A wait that is longer than a scan can be charged for was begun before the
 * clock was set back: it ends now.
 */
static void
heed_clock(SgipClient *client, TimestampTz now)
{
	dlist_iter	iter;

	if ((client->waits_until - now) / 1000 <= client->server->max_retry_wait_ms)
		return;
	client->waits_until = now;
	dlist_foreach(iter, &client->calls)
	{
		SgipCall   *call = dlist_container(SgipCall, node, iter.cur);

		call->not_before = Min(call->not_before, now);
	}
}

/* Is it too early to send the call, or to ask about its limit again? */
static bool
is_paused(const SgipCall *call, TimestampTz now)
{
	return call->not_before > now && !(call->limited && sgip_limits_changed(call->path));
}

/* The call no longer waits. */
static void
end_pause(SgipCall *call, TimestampTz now)
{
	bool		limited = call->limited && call->charged;

	call->not_before = 0;
	call->limited = call->charged = false;
	if (limited)
		refund(call->client, now);
}

/* Charges the scan for what the call waits for its limit; false if that is more than it may wait. */
static bool
charge_limit(SgipCall *call, TimestampTz now)
{
	call->charged = charge(call->client, call->not_before, now, true);
	return call->charged;
}

/*
 * Takes a part of what remains of the call's limit; false if it has to wait.
 * A call that is sent ahead may wait for any time: nobody waits for it yet.
 */
static bool
take_limit(SgipCall *call, bool ahead, TimestampTz now)
{
	SgipClient *client = call->client;
	int64		paid_ms = Max((client->waits_until - now) / 1000, 0);
	int64		left_ms = client->server->max_retry_wait_ms - client->counters->waited_ms + paid_ms;
	int64		wait_ms;

	open_lease(client);
	wait_ms = sgip_limits_take(client->account, call->path, ahead ? PG_INT64_MAX : left_ms, &call->token);
	if (wait_ms == 0)
		return true;
	call->not_before = TimestampTzPlusMilliseconds(now, wait_ms);
	call->limited = true;
	if (!ahead)
		(void) charge_limit(call, now);
	return false;
}

bool
sgip_client_has_slot(SgipClient *client)
{
	int			running = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
	{
		SgipTransfer *transfer = dlist_container(SgipCall, node, iter.cur)->transfer;

		if (transfer != NULL && sgip_http_result(transfer)->state == SGIP_HTTP_RUNNING)
			running++;
	}
	return running < client->server->max_concurrency && sgip_http_has_room();
}

bool
sgip_client_may_send(SgipCall *call, bool ahead)
{
	TimestampTz now = GetCurrentTimestamp();

	heed_clock(call->client, now);
	/* one that was to be sent ahead is charged when it is waited for */
	if (is_paused(call, now) && (ahead || !call->limited || charge_limit(call, now)))
		return false;
	if (ahead && !sgip_client_has_slot(call->client))
	{
		end_pause(call, now);
		return false;
	}
	if (!take_limit(call, ahead, now))
		return false;
	end_pause(call, now);
	return true;
}

bool
sgip_client_try_again(SgipCall *call, int64 asked_ms)
{
	SgipClient *client = call->client;
	const SgipHttpHead *head = &sgip_http_result(call->transfer)->head;
	TimestampTz now = GetCurrentTimestamp();
	int64		left = client->server->max_retry_wait_ms - client->counters->waited_ms;
	int64		wait_ms = Min(sgip_retry_backoff_ms(call->tries), left);
	bool		refused = head->status == 429;
	TimestampTz until;

	/* take_limit finds out how long a limit in the headers lasts */
	if (!refused || head->retry_after[0] != '\0')
		wait_ms = Max(wait_ms, asked_ms);
	until = TimestampTzPlusMilliseconds(now, wait_ms);
	if (call->tries > client->server->max_retries || left <= 0 || asked_ms > left ||
		!charge(client, until, now, refused))
		return false;
	sgip_limits_release(&call->token);
	if (!refused)
		client->usage.errors++;
	call->repeat = true;
	pause_path(client, call->path, until);
	return true;
}

/*
 * Processes headers that have arrived: what they say of the limit, and
 * whether the call is to be tried again.  If it may not be, the reader of its
 * answer finds out, if it ever gets there.
 */
static void
look_at_headers(SgipClient *client)
{
	dlist_iter	iter;

	dlist_foreach(iter, &client->calls)
	{
		SgipCall   *call = dlist_container(SgipCall, node, iter.cur);
		const SgipHttpHead *head;

		if (call->transfer == NULL || call->noted)
			continue;
		head = &sgip_http_result(call->transfer)->head;
		if (head->status == 0)
			continue;
		call->noted = true;
		sgip_limits_learn(&call->token, head);
		if (head->status == 429)
			client->usage.refused++;
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

	sgip_http_stop(call->transfer);
	call->transfer = NULL;
	sgip_request_build(client->server, task, client->credentials, arguments, page, &request);
	call->transfer = sgip_http_start(client->lease, &request);
	call->repeat = false;
	call->noted = false;
	call->tries++;
	client->counters->requests++;
	client->usage.requests++;
	if (call->tries > 1)
	{
		client->counters->retries++;
		client->usage.retries++;
	}
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

/*
 * Milliseconds until a call that waits may be sent; -1: none waits.
 * *for_limit: it is a limit that it waits for.
 */
static long
next_wake_ms(SgipClient *client, bool *for_limit)
{
	TimestampTz now = GetCurrentTimestamp();
	long		soonest = -1;
	dlist_iter	iter;

	*for_limit = false;
	heed_clock(client, now);
	dlist_foreach(iter, &client->calls)
	{
		SgipCall   *call = dlist_container(SgipCall, node, iter.cur);
		long		ms;

		if (sgip_client_transfer(call) != NULL || call->not_before == 0)
			continue;
		ms = is_paused(call, now) ? TimestampDifferenceMilliseconds(now, call->not_before) : 0;
		soonest = soonest < 0 ? ms : Min(soonest, ms);
		*for_limit |= call->limited;
	}
	return soonest;
}

void
sgip_client_wait(SgipClient *client)
{
	bool		for_limit;
	long		wake_ms = next_wake_ms(client, &for_limit);

	open_lease(client);
	sgip_http_wait(client->lease, wake_ms, for_limit);
	client->events++;
	look_at_headers(client);
	count(client);
}

int
sgip_client_wait_begin(SgipClient *client, bool at_once)
{
	bool		for_limit;

	open_lease(client);
	return sgip_http_wait_begin(client->lease, at_once ? 0 : next_wake_ms(client, &for_limit));
}

void
sgip_client_wait_end(SgipClient *client)
{
	if (client->lease != NULL)
		sgip_http_wait_end(client->lease);
}
