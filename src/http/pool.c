/*-------------------------------------------------------------------------
 *
 * pool.c
 *		Connections that outlive a scan, and their leases.
 *
 * A "line" is one libcurl multi handle with the connections it keeps, an
 * epoll descriptor and a timer.  The lines of a backend form a pool.  A
 * channel is the lease of a line; it lives in the memory context of the scan,
 * whose reset callback ends the lease, so that an error anywhere leaves
 * neither transfer nor descriptor behind.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/inval.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "http/internal.h"

/*
 * How long an idle channel keeps its connections, and how many of them are
 * kept.  Servers and firewalls drop idle connections after one to a few
 * minutes; the number is that of the sources a large UNION ALL has, at
 * three descriptors each.
 */
#define MAX_IDLE_MS 60000
#define MAX_IDLE_LINES 64

/* Descriptors of a channel with a connection: epoll, timer, socket */
#define CHANNEL_DESCRIPTORS 3

/* All lines of this backend, last used first */
static dlist_head all_lines = DLIST_STATIC_INIT(all_lines);

/*
 * Whether two strings, each possibly NULL, are the same.
 */
static bool
same_text(const char *a, const char *b)
{
	return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

/*
 * Wipes and frees a string of palloc's; a proxy's URL may hold a password.
 */
static void
pfree_wiped(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	pfree(text);
}


/* ------------------------------------------------------------------------
 * Lines
 * ------------------------------------------------------------------------
 */

/*
 * Ends everything that a line consists of.  Does not throw.
 */
static void
close_line(SgipLine *line)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &line->transfers)
		sgip_http_stop(dlist_container(SgipTransfer, node, iter.cur));

	if (line->channel)
		line->channel->line = NULL;
	sgip_drive_close(line);
	free(line->spare_window);
	pfree_wiped(line->ca_file);
	pfree_wiped(line->proxy);
	dlist_delete(&line->node);
	pfree(line);
}

bool
sgip_line_close_oldest(void)
{
	dlist_iter	iter;

	dlist_reverse_foreach(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);

		if (line->channel == NULL)
		{
			close_line(line);
			return true;
		}
	}
	return false;
}

/*
 * Closes idle lines that are invalid, too old, or too many.
 */
static void
tidy_lines(void)
{
	int64		oldest = sgip_now_ns() - MAX_IDLE_MS * SGIP_NS_PER_MS;
	int			kept = 0;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);

		if (line->channel != NULL)
			continue;
		if (line->invalidated || line->broken || line->idle_since < oldest ||
			kept >= MAX_IDLE_LINES)
			close_line(line);
		else
			kept++;
	}
}

/*
 * A foreign server or a user mapping changed (hash value 0: any may have):
 * channels made for it are not to be used again.
 */
static void
invalidate_lines(Datum arg, SgipCacheId cache_id, uint32 hash_value)
{
	dlist_iter	iter;

	dlist_foreach(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);
		uint32		own = cache_id == FOREIGNSERVEROID ? line->server_hash
			: line->mapping_hash;

		if (hash_value == 0 || own == 0 || own == hash_value)
			line->invalidated = true;
	}
}

/*
 * The backend ends.  Closing a line can start queued transfers of others,
 * for which idle lines are closed, so no iterator would be safe.
 */
static void
close_all_lines(int code, Datum arg)
{
	while (!dlist_is_empty(&all_lines))
		close_line(dlist_head_element(SgipLine, node, &all_lines));
}

/*
 * What has to be done once in a backend.  libcurl is never shut down, other
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
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate_lines, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate_lines, (Datum) 0);
	on_proc_exit(close_all_lines, (Datum) 0);
	started = true;
}

/*
 * Takes one of the descriptors that extensions may hold, closing what is
 * idle if there is none left; false if that does not help.
 */
static bool
take_descriptor(void)
{
	while (!AcquireExternalFD())
	{
		if (!sgip_line_close_oldest())
			return false;
	}
	return true;
}

void
sgip_line_acquire_fd(SgipLine *line)
{
	if (!take_descriptor())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not open another HTTP connection"),
				 errdetail("Too many file descriptors are in use in this session.")));
	line->acquired_fds++;
}

bool
sgip_http_has_descriptors(void)
{
	int			taken = 0;

	while (taken < CHANNEL_DESCRIPTORS && take_descriptor())
		taken++;
	for (int i = 0; i < taken; i++)
		ReleaseExternalFD();
	return taken == CHANNEL_DESCRIPTORS;
}

/*
 * Makes a line for the peer and leases it to the channel, which holds it from
 * the start: what an error leaves behind is closed with the lease.
 */
static void
open_line(SgipChannel *channel, const SgipHttpPeer *peer)
{
	SgipLine   *line = MemoryContextAllocZero(TopMemoryContext, sizeof(SgipLine));

	line->epoll_fd = -1;
	line->timer_fd = -1;
	line->broken = true;		/* until it is complete */
	dlist_init(&line->transfers);
	dlist_push_head(&all_lines, &line->node);
	line->channel = channel;
	channel->line = line;

	line->server_id = peer->server_id;
	line->user_id = peer->user_id;
	line->mapping_id = peer->mapping_id;
	line->server_hash = GetSysCacheHashValue1(FOREIGNSERVEROID,
											  ObjectIdGetDatum(peer->server_id));
	if (OidIsValid(peer->mapping_id))
		line->mapping_hash = GetSysCacheHashValue1(USERMAPPINGOID,
												   ObjectIdGetDatum(peer->mapping_id));
	if (peer->ca_file)
		line->ca_file = MemoryContextStrdup(TopMemoryContext, peer->ca_file);
	if (peer->proxy)
		line->proxy = MemoryContextStrdup(TopMemoryContext, peer->proxy);
	line->created_at = GetCurrentTimestamp();

	sgip_drive_open(line);
}

/*
 * An idle line for that peer, or NULL.
 */
static SgipLine *
find_idle_line(const SgipHttpPeer *peer)
{
	dlist_iter	iter;

	dlist_foreach(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);

		if (line->channel == NULL &&
			line->server_id == peer->server_id &&
			line->user_id == peer->user_id &&
			line->mapping_id == peer->mapping_id &&
			same_text(line->ca_file, peer->ca_file) &&
			same_text(line->proxy, peer->proxy))
			return line;
	}
	return NULL;
}


/* ------------------------------------------------------------------------
 * Channels
 * ------------------------------------------------------------------------
 */

/*
 * The owner's memory context goes away.
 */
static void
release_callback(void *arg)
{
	sgip_http_release(arg);
}

SgipChannel *
sgip_http_acquire(const SgipHttpPeer *peer, MemoryContext owner)
{
	SgipChannel *channel = MemoryContextAllocZero(owner, sizeof(SgipChannel));
	SgipLine   *line;

	/* from here on, whatever the channel holds is released with its owner */
	channel->callback.func = release_callback;
	channel->callback.arg = channel;
	MemoryContextRegisterResetCallback(owner, &channel->callback);

	start_library();
	tidy_lines();
	line = find_idle_line(peer);
	if (line == NULL)
		open_line(channel, peer);
	else
	{
		line->channel = channel;
		channel->line = line;
		dlist_move_head(&all_lines, &line->node);
	}
	channel->line->connect_timeout_ms = peer->connect_timeout_ms;
	channel->line->read_timeout_ms = peer->read_timeout_ms;
	return channel;
}

void
sgip_http_release(SgipChannel *channel)
{
	SgipLine   *line = channel->line;
	dlist_mutable_iter iter;

	if (line == NULL)
		return;
	line->waiting_since = 0;
	line->wake_at = 0;
	dlist_foreach_modify(iter, &line->transfers)
		sgip_http_stop(dlist_container(SgipTransfer, node, iter.cur));
	channel->line = NULL;
	line->channel = NULL;
	line->idle_since = sgip_now_ns();
	if (line->invalidated || line->broken)
		close_line(line);
}

const SgipHttpCounters *
sgip_http_counters(const SgipChannel *channel)
{
	return &channel->counters;
}


/* ------------------------------------------------------------------------
 * For people
 * ------------------------------------------------------------------------
 */

SgipHttpChannelInfo *
sgip_http_channels(int *count)
{
	SgipHttpChannelInfo *infos;
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, &all_lines)
		n++;
	infos = palloc0(sizeof(SgipHttpChannelInfo) * Max(n, 1));
	n = 0;
	dlist_foreach(iter, &all_lines)
	{
		const SgipLine *line = dlist_container(SgipLine, node, iter.cur);

		infos[n].server_id = line->server_id;
		infos[n].user_id = line->user_id;
		infos[n].in_use = line->channel != NULL;
		infos[n].invalidated = line->invalidated;
		infos[n].open_sockets = line->open_sockets;
		infos[n].requests = line->requests;
		infos[n].created_at = line->created_at;
		n++;
	}
	*count = n;
	return infos;
}

int
sgip_http_disconnect(Oid server_id)
{
	int			closed = 0;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);

		if (OidIsValid(server_id) && line->server_id != server_id)
			continue;
		if (line->channel != NULL)
			line->invalidated = true;
		else
		{
			close_line(line);
			closed++;
		}
	}
	return closed;
}
