/*-------------------------------------------------------------------------
 *
 * http.h
 *		Non-blocking HTTP transfers that a backend can wait for.
 *
 * A lease is one libcurl multi handle with the connections it keeps, an epoll
 * descriptor that becomes readable when there is something to do, and a
 * timer.  A scan acquires one, runs one or more transfers on it and gives it
 * back; the next scan for the same peer finds the connections open.  Nothing
 * here blocks but sgip_http_wait, which waits on the latch and the lease's
 * descriptor so that cancel and terminate act at once.
 *
 * Knows no JSON, option or table.  Failures of a transfer are states, not
 * errors: fetch decides what they mean.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_HTTP_H
#define SGIP_HTTP_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "http/headers.h"

/* The peer of a lease, and how it is reached.  Strings are the caller's, copied. */
typedef struct SgipHttpPeer
{
	Oid			server_id;		/* foreign server */
	Oid			user_id;		/* whose mapping is used; InvalidOid: PUBLIC's */
	Oid			mapping_id;		/* user mapping, or InvalidOid */
	const char *ca_file;		/* extra trust anchors, or NULL */
	const char *proxy;			/* proxy URL, "" for none, or NULL for what
								 * the environment says */
	bool		keep_connections;	/* else they are closed when the statement
									 * ends */
	int			connect_timeout_ms; /* name lookup, TCP and TLS together */
	int			read_timeout_ms;	/* longest silence while we wait */
} SgipHttpPeer;

/* One request.  All strings are the caller's, copied. */
typedef struct SgipHttpRequest
{
	const char *url;
	const char *body;			/* form body of a POST, or NULL for GET */
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
} SgipHttpRequest;

typedef enum SgipHttpState
{
	SGIP_HTTP_RUNNING,			/* in flight, or paused by its reader */
	SGIP_HTTP_DONE,				/* complete: every byte of the answer arrived */
	SGIP_HTTP_FAILED
} SgipHttpState;

typedef enum SgipHttpFailure
{
	SGIP_HTTP_CONNECT,			/* could not connect: name, TCP, TLS, proxy or
								 * time */
	SGIP_HTTP_LOST,				/* connection lost, or answer cut short or
								 * broken */
	SGIP_HTTP_SILENT,			/* nothing arrived for read_timeout */
	SGIP_HTTP_BROKEN,			/* answer's headers or encoding make no sense
								 * or are over a limit */
	SGIP_HTTP_DESCRIPTORS,		/* too many open files */
	SGIP_HTTP_INTERNAL			/* libcurl refused, or out of memory */
} SgipHttpFailure;

/* What came of a request so far */
typedef struct SgipHttpResult
{
	SgipHttpState state;
	SgipHttpFailure failure;	/* if FAILED: why, */
	char		failure_text[256];	/* in libcurl's words or ours, no secret;
									 * may quote the server, or be empty if
									 * stopped */
	SgipHttpHead head;
	uint64		received;		/* bytes of the body, decoded */
	TimestampTz started_at;
	TimestampTz ended_at;		/* 0: it runs */
} SgipHttpResult;

/* Counted since the lease was acquired */
typedef struct SgipHttpCounters
{
	uint64		bytes_received; /* body bytes after decoding */
	uint64		connections_opened;
} SgipHttpCounters;

typedef struct SgipLease SgipLease;
typedef struct SgipTransfer SgipTransfer;

/*
 * Leases connections to that peer: idle ones of the session, or none yet.
 * Raises an error when descriptors or memory are short.  The lease ends with
 * the memory context "owner".
 */
extern SgipLease *sgip_http_acquire(const SgipHttpPeer *peer, MemoryContext owner);

/*
 * Starts a transfer.  Raises an error only when out of memory; whatever else
 * goes wrong is its state.  It lives until it is stopped or its lease ends.
 */
extern SgipTransfer *sgip_http_start(SgipLease *lease, const SgipHttpRequest *request);

/*
 * May a transfer be started that could also be started later?  True if fewer
 * than sgip_fdw.max_connections are in flight in this session, and there are
 * descriptors for a lease and a connection; closes idle ones for that.
 */
extern bool sgip_http_has_room(void);

/*
 * Lets libcurl do what can be done without waiting, for all transfers; true
 * if there was anything.
 */
extern bool sgip_http_drive(SgipLease *lease);

/* What came of the transfer so far; the transfer's, and up to date at any time */
extern const SgipHttpResult *sgip_http_result(const SgipTransfer *transfer);

/*
 * The bytes of the body that have arrived and are not consumed, and how many.
 * They stay in place until the next call of sgip_http_drive, _wait, _consume
 * or _make_room.  _consume drops len of them from the front.
 */
extern const char *sgip_http_window(const SgipTransfer *transfer, size_t *len);
extern void sgip_http_consume(SgipTransfer *transfer, size_t len);

/*
 * The window's contents are of no use without more bytes: makes room, by
 * doubling its size if it is full.  Raises an error when out of memory.  The
 * caller bounds the size, by not asking at its limit.
 */
extern void sgip_http_make_room(SgipTransfer *transfer);

/* Stops the transfer if it runs, and frees it; NULL is harmless */
extern void sgip_http_stop(SgipTransfer *transfer);

/*
 * Waiting begins: returns the one descriptor to wait on, readable when
 * sgip_http_drive has work or wake_ms have passed (-1: none).  read_timeout
 * runs only until sgip_http_wait_end, so that it does not count time during
 * which we pause the transfer ourselves.
 */
extern int	sgip_http_wait_begin(SgipLease *lease, long wake_ms);
extern void sgip_http_wait_end(SgipLease *lease);

/*
 * Waits until there is something to do, wake_ms have passed (-1: no limit) or
 * the session's latch is set, and drives.  Serves interrupts at once.
 * for_limit: the wait is for a rate limit, which has a wait event of its own.
 */
extern void sgip_http_wait(SgipLease *lease, long wake_ms, bool for_limit);

/* Counters of the lease; the lease's, and up to date when it was last driven */
extern const SgipHttpCounters *sgip_http_counters(const SgipLease *lease);

/* A lease, as sgip_fdw_connections() shows it */
typedef struct SgipHttpLeaseInfo
{
	uint32		number;			/* of the session's leases, from 1 */
	Oid			server_id;
	Oid			user_id;
	bool		in_use;			/* by a scan */
	bool		invalidated;	/* to be closed when it is idle */
	int			open_sockets;
	uint64		requests;		/* started since it was made */
	TimestampTz created_at;
} SgipHttpLeaseInfo;

/* The leases of this backend, idle ones included: a list of SgipHttpLeaseInfo */
extern List *sgip_http_leases(void);

/*
 * Closes the idle connections to a server (InvalidOid: to all), and has those
 * in use closed when their lease ends.  Returns how many peers had any.
 */
extern int	sgip_http_disconnect(Oid server_id);

/* Parts of a URL as libcurl reads it, by which requests go out */
typedef struct SgipHttpUrl
{
	char		scheme[16];		/* in lower case */
	char		host[256];		/* an IPv6 address in brackets, an IPv4
								 * address in four numbers however it is spelt */
	char		path[1024];
} SgipHttpUrl;

/*
 * Takes a URL apart; a proxy needs no scheme.  False if libcurl would not
 * take it, or a part is too long.
 */
extern bool sgip_http_parse_url(const char *text, bool is_proxy, SgipHttpUrl *url);

/* libcurl's version with its TLS library; palloc'd */
extern const char *sgip_http_version(void);

/* Defines the GUC and registers cache callbacks; called by _PG_init */
extern void sgip_http_init(void);

#endif							/* SGIP_HTTP_H */
