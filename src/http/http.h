/*-------------------------------------------------------------------------
 *
 * http.h
 *		Non-blocking HTTP transfers that a backend can wait for.
 *
 * A channel is one libcurl multi handle with the connections it keeps, an
 * epoll descriptor that becomes readable when there is something to do, and
 * a timer.  A scan takes a channel, runs one or more transfers on it and
 * gives it back; the next scan for the same peer finds the connections open.
 * Nothing here blocks but sgip_http_wait, which waits on the latch and the
 * channel's descriptor so that cancel and terminate act at once.
 *
 * Knows no JSON, option or table.  Failures of a transfer are states, not
 * errors: fetch.c decides what they mean.  How it is made, and libcurl with
 * it, is behind internal.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_HTTP_H
#define SGIP_HTTP_H

#include "datatype/timestamp.h"

#include "http/headers.h"

/* Whom a channel talks to, and how.  Strings are the caller's, copied. */
typedef struct SgipHttpPeer
{
	Oid			server_id;		/* foreign server */
	Oid			user_id;		/* user whose mapping is used */
	Oid			mapping_id;		/* user mapping, or InvalidOid */
	const char *ca_file;		/* extra trust anchors, or NULL */
	const char *proxy;			/* proxy URL, or NULL for libcurl's default */
	int			connect_timeout_ms; /* name lookup, TCP and TLS together */
	int			read_timeout_ms;	/* longest silence while we wait */
} SgipHttpPeer;

/* One request.  All strings are the caller's; copied (and, where they can hold
 * a secret, wiped) by transfer.c. */
typedef struct SgipHttpRequest
{
	const char *url;
	const char *body;			/* form body of a POST, or NULL for GET */
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
} SgipHttpRequest;

typedef enum SgipHttpState
{
	SGIP_HTTP_QUEUED,			/* waits for a place among max_connections */
	SGIP_HTTP_RUNNING,			/* in flight, or held back by its reader */
	SGIP_HTTP_DONE,				/* complete: every byte of the answer arrived */
	SGIP_HTTP_FAILED			/* see sgip_http_failure */
} SgipHttpState;

typedef enum SgipHttpFailure
{
	SGIP_HTTP_CONNECT,			/* could not connect: name, TCP, TLS, proxy or time */
	SGIP_HTTP_LOST,				/* connection lost, or answer cut short or broken */
	SGIP_HTTP_SILENT,			/* nothing arrived for read_timeout */
	SGIP_HTTP_BROKEN,			/* answer's headers or encoding make no sense or
								 * are over a limit */
	SGIP_HTTP_INTERNAL			/* libcurl refused, or out of memory */
} SgipHttpFailure;

/* Counted since the channel was acquired; for EXPLAIN ANALYZE */
typedef struct SgipHttpCounters
{
	uint64		bytes_received; /* body bytes after decoding */
	uint64		connections_opened;
} SgipHttpCounters;

typedef struct SgipChannel SgipChannel;
typedef struct SgipTransfer SgipTransfer;

/*
 * A channel for that peer: an idle one with its connections, or a new one.
 * Raises an error when descriptors or memory are short.  It is given back by
 * sgip_http_release, or by a reset callback of "owner", whichever comes
 * first; both are harmless after the other.
 */
extern SgipChannel *sgip_http_acquire(const SgipHttpPeer *peer, MemoryContext owner);
extern void sgip_http_release(SgipChannel *channel);

/*
 * Starts a transfer (or queues it).  Never fails by throwing after the
 * transfer exists: what goes wrong is its state.  It lives until it is stopped
 * or its channel is released.  may_queue: whether it may wait for a place
 * among sgip_fdw.max_connections; a scan that the executor waits for alone
 * must not, or it could wait for ever.
 */
extern SgipTransfer *sgip_http_start(SgipChannel *channel,
									 const SgipHttpRequest *request,
									 bool may_queue);

/* Starts a transfer that is queued, though there is no place; harmless otherwise */
extern void sgip_http_jump_queue(SgipTransfer *transfer);

/*
 * Lets libcurl do what can be done without waiting, for all transfers; was
 * there anything?
 */
extern bool sgip_http_drive(SgipChannel *channel);

/* State and findings of a transfer */
extern SgipHttpState sgip_http_state(const SgipTransfer *transfer);
extern SgipHttpFailure sgip_http_failure(const SgipTransfer *transfer);
extern const char *sgip_http_failure_text(const SgipTransfer *transfer);	/* libcurl's words, no secret */
extern bool sgip_http_connected(const SgipTransfer *transfer);	/* request was sent, at least begun */
extern const SgipHttpHead *sgip_http_head(const SgipTransfer *transfer);
extern int	sgip_http_elapsed_ms(const SgipTransfer *transfer);
extern uint64 sgip_http_received(const SgipTransfer *transfer); /* bytes of the body, decoded */

/*
 * The bytes of the body that have arrived and are not consumed.  They stay
 * in place until the next call of sgip_http_drive, _wait, _consume or
 * _make_room.
 */
extern const char *sgip_http_window(const SgipTransfer *transfer, size_t *len);
extern void sgip_http_consume(SgipTransfer *transfer, size_t len);

/*
 * The reader cannot use what the window holds without more: make room (the
 * window doubles if it is full).  Raises an error when out of memory.  The
 * caller bounds it: it stops asking when its limit is reached.
 */
extern void sgip_http_make_room(SgipTransfer *transfer);

/* Stops the transfer if it runs, and frees it; NULL is harmless */
extern void sgip_http_stop(SgipTransfer *transfer);

/* The one descriptor to wait on: readable when sgip_http_drive has work */
extern int	sgip_http_descriptor(const SgipChannel *channel);

/*
 * Somebody begins to wait on the descriptor: timers are armed for libcurl's
 * and our time-outs, and wake_ms from now (-1: none).  The silence of the
 * server counts only between these two calls, so that time during which we
 * ourselves hold the transfer back does not.
 */
extern void sgip_http_wait_begin(SgipChannel *channel, long wake_ms);
extern void sgip_http_wait_end(SgipChannel *channel);

/*
 * Waits until the descriptor is readable or wake_ms have passed (-1: as long
 * as it takes), then drives.  Interrupts are served at once.
 */
extern void sgip_http_wait(SgipChannel *channel, long wake_ms);

/* Also after the channel was released, as long as its owner lives */
extern const SgipHttpCounters *sgip_http_counters(const SgipChannel *channel);

/* What people may want to know of a channel */
typedef struct SgipHttpChannelInfo
{
	Oid			server_id;
	Oid			user_id;
	bool		in_use;			/* by a scan */
	bool		invalidated;	/* to be closed when it is idle */
	int			open_sockets;
	uint64		requests;		/* started since it was made */
	TimestampTz created_at;
} SgipHttpChannelInfo;

/* The channels of this backend: a palloc'd array of "count" */
extern SgipHttpChannelInfo *sgip_http_channels(int *count);

/*
 * Closes the idle channels of a server (InvalidOid: of all) and returns how
 * many; those in use are closed when they are released.
 */
extern int	sgip_http_disconnect(Oid server_id);

/*
 * Are there descriptors for another channel and its connection?  Closes idle
 * ones if need be.
 */
extern bool sgip_http_has_descriptors(void);

/* sgip_fdw.max_connections: transfers that may be in flight in this session */
extern int	sgip_http_max_connections(void);

/* Transfers of this session that are in flight, paused ones included */
extern int	sgip_http_in_flight(void);

/* libcurl's version with its TLS library; static */
extern const char *sgip_http_version(void);

/* GUCs and caches' callbacks; from _PG_init */
extern void sgip_http_init(void);

#endif							/* SGIP_HTTP_H */
