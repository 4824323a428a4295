/*-------------------------------------------------------------------------
 *
 * internal.h
 *		What the files of the HTTP client share.
 *
 * transfer.c		transfers: one request and what came of it
 * pool.c	lines: connections that outlive a scan, and their leases
 * event_loop.c	the event loop of a line: sockets, timers, waiting
 * headers.c	headers
 *
 * Nobody else includes this, nor curl/curl.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_INTERNAL_H
#define SGIP_INTERNAL_H

#include <curl/curl.h>
#include <time.h>

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "compat.h"
#include "http/http.h"

#if LIBCURL_VERSION_NUM < 0x075500
#error "sgip_fdw needs libcurl 7.85 or later"
#endif

/*
 * Bytes that libcurl reads at a time. What one read of a compressed answer
 * decodes to cannot be held back, so this bounds memory.  Twice as much would
 * save about a tenth of the processor time of reading, half of it cost as
 * much.  It is a little less than 8 kB so that the worst of what is decoded
 * stays below 8 MB, where libcurl's buffer would double.
 */
#define SGIP_READ_BYTES 8000

/* A millisecond, for times in nanoseconds */
#define SGIP_NS_PER_MS INT64CONST(1000000)

/*
 * A socket that the backend accounts for.  The inode tells it from another
 * that got the same number later.
 */
typedef struct SgipOpenSocket
{
	int			fd;
	ino_t		inode;
} SgipOpenSocket;

/*
 * The lasting part of a channel.
 */
typedef struct SgipLine
{
	dlist_node	node;			/* in all_lines, last used first */
	SgipChannel *channel;		/* who uses it, or NULL: idle */

	/* whom it talks to */
	Oid			server_id;
	Oid			user_id;
	Oid			mapping_id;
	uint32		server_hash;	/* hash values in the system caches */
	uint32		mapping_hash;	/* 0: no mapping, any change counts */
	char	   *ca_file;
	char	   *proxy;
	int			connect_timeout_ms;
	int			read_timeout_ms;

	/* handles */
	CURLM	   *multi;
	int			epoll_fd;		/* -1: none */
	int			timer_fd;		/* -1: none */
	int			acquired_fds;	/* external descriptors, sockets apart */
	SgipOpenSocket *sockets;	/* malloc'd */
	int			open_sockets;	/* of these */
	int			socket_room;
	bool		invalidated;	/* close as soon as it is idle */
	bool		broken;			/* incomplete, or libcurl gave it up */

	/* times on the monotonic clock, nanoseconds; 0: none */
	int64		curl_due;		/* libcurl wants to be called */
	int64		waiting_since;	/* somebody waits on the descriptor */
	int64		wake_at;		/* when he wants to wake in any case */
	int64		idle_since;

	/* transfers, and a window for the next one */
	dlist_head	transfers;
	char	   *spare_window;	/* WINDOW_BYTES, or NULL */
	CURL	   *spare_easy;		/* a handle for the next one, or NULL */

	/* for people */
	TimestampTz created_at;
	uint64		requests;
} SgipLine;

/*
 * The lease of a line.
 */
struct SgipChannel
{
	SgipLine   *line;			/* NULL: given back */
	SgipHttpCounters counters;
	MemoryContextCallback callback;
};

/*
 * One request and what came of it.
 */
struct SgipTransfer
{
	dlist_node	node;			/* in its line's transfers */
	dlist_node	queue_node;		/* in queued_transfers while QUEUED */
	SgipLine   *line;

	/* state */
	SgipHttpState state;
	SgipHttpFailure failure;
	char		failure_text[CURL_ERROR_SIZE];
	int64		started_at;		/* ns */
	int64		ended_at;		/* ns, 0: not yet */
	int64		silence;		/* ns waited since something happened */
	curl_off_t	received;		/* bytes received when we last looked */
	bool		sent;			/* the request was begun */
	bool		connecting;		/* on the way to a connection, maybe again */
	bool		opened;			/* a socket, at least */
	bool		refused;		/* a callback recorded a failure */

	/* libcurl's part */
	CURL	   *easy;
	struct curl_slist *headers;
	char	   *body;			/* form body, ours */
	char		error_buffer[CURL_ERROR_SIZE];
	bool		attached;		/* belongs to the multi handle, is in flight */

	/* headers */
	SgipHttpHead head;
	int			header_lines;	/* received, those of interim answers included */
	size_t		header_bytes;

	uint64		body_bytes;		/* received, decoded */

	/* window: bytes from start to start + len of a buffer of cap bytes */
	char	   *buffer;
	size_t		start;
	size_t		len;
	size_t		cap;
	size_t		target;			/* bytes that it should hold at most */
	bool		held;			/* held back: libcurl does not read */
	bool		resuming;		/* libcurl hands out what it had kept */
};

/*
 * Now on the monotonic clock, in nanoseconds; never 0.
 */
static inline int64
sgip_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 * SGIP_NS_PER_MS + now.tv_nsec + 1;
}

/*
 * Should the window of the transfer not take another read?
 */
static inline bool
sgip_transfer_is_full(const SgipTransfer *transfer)
{
	return transfer->len + SGIP_READ_BYTES > transfer->target;
}

/* In transfer.c; none of these throws */

/* Records why a transfer fails, in our words and optionally somebody's; the first reason stays */
extern void sgip_transfer_fail(SgipTransfer *transfer, SgipHttpFailure failure,
							   const char *text, const char *more);

/* The same for a code of libcurl */
extern void sgip_transfer_fail_code(SgipTransfer *transfer, CURLcode code);

/* The transfer is over, in the given state: its handle and its secrets go */
extern void sgip_transfer_end(SgipTransfer *transfer, SgipHttpState state);

/* Forgets the line's sockets that are closed, which libcurl does not always tell */
extern void sgip_transfer_forget_sockets(SgipLine *line);

/* Starts queued transfers, of any line, while there are places */
extern void sgip_transfer_start_queued(void);

/* In pool.c */

/* Closes the idle line that was used least recently; false if there is none.  Does not throw */
extern bool sgip_line_close_oldest(void);

/*
 * Takes one of the descriptors that extensions may hold, closing what is idle
 * if there is none left.  Raises an error if that does not help.
 */
extern void sgip_line_acquire_fd(SgipLine *line);

/* In event_loop.c */

/* Makes the handles of a line.  What an error leaves behind, sgip_drive_close frees */
extern void sgip_drive_open(SgipLine *line);

/* Closes the handles of a line, of an incomplete one too.  Does not throw */
extern void sgip_drive_close(SgipLine *line);

#endif							/* SGIP_INTERNAL_H */
