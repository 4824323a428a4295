/*-------------------------------------------------------------------------
 *
 * transfer.h
 *		One request and what came of it.
 *
 * None of these throws, unless it says so.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_TRANSFER_H
#define SGIP_TRANSFER_H

#include "http/lease.h"

/*
 * Bytes that libcurl reads at a time.  What one read of a compressed answer
 * decodes to cannot be put off, so this bounds memory.  Twice as much would
 * save about a tenth of the processor time of reading, half of it cost as
 * much.  It is a little less than 8 kB so that the worst of what is decoded
 * stays below 8 MB, where libcurl's buffer would double.
 */
#define SGIP_READ_BYTES 8000

struct SgipTransfer
{
	dlist_node	node;			/* in its lease's transfers */
	SgipLease  *lease;
	SgipHttpResult result;		/* what others may know */

	/* libcurl's part */
	CURL	   *easy;
	struct curl_slist *headers; /* of the request */
	char		error_buffer[CURL_ERROR_SIZE];
	bool		attached;		/* belongs to the multi handle, is in flight */

	/* the way to an answer */
	int64		silence;		/* ns waited since something happened */
	curl_off_t	transferred;	/* bytes received when last looked at */
	bool		connecting;		/* on the way to a connection, maybe again */
	bool		opened;			/* a socket, at least; else a kept connection */
	bool		refused;		/* a callback recorded a failure */
	bool		stale;			/* a kept connection was given up by its
								 * server */
	bool		restarted;		/* on a connection of its own */
	int			header_lines;	/* received, those of interim answers included */
	size_t		header_bytes;

	/* window: bytes from start to start + len of a buffer of cap bytes */
	char	   *buffer;
	size_t		start;
	size_t		len;
	size_t		cap;
	size_t		target;			/* bytes that it should hold at most */
	bool		paused;			/* libcurl does not read */
	bool		resuming;		/* libcurl hands out what it had kept */
};

/* Should the window not take another read? */
static inline bool
sgip_transfer_is_full(const SgipTransfer *transfer)
{
	return transfer->len + SGIP_READ_BYTES > transfer->target;
}

/* A transfer of the lease that is not on its way yet.  Throws when out of memory */
extern SgipTransfer *sgip_transfer_new(SgipLease *lease, const SgipHttpRequest *request);

/* Sends it on its way, unless it has failed already */
extern void sgip_transfer_attach(SgipTransfer *transfer);

/* Begins anew; on a connection of its own if that it had was stale.  False if it cannot */
extern bool sgip_transfer_restart(SgipTransfer *transfer);

/* Records why it fails, in words of ours and optionally others; the first reason stays */
extern void sgip_transfer_fail(SgipTransfer *transfer, SgipHttpFailure failure,
							   const char *text, const char *more);

/* The same for a code of libcurl */
extern void sgip_transfer_fail_code(SgipTransfer *transfer, CURLcode code);

/* It is over, in the given state: its handle goes */
extern void sgip_transfer_end(SgipTransfer *transfer, SgipHttpState state);

/* Moves what the window holds to its beginning */
extern void sgip_transfer_compact(SgipTransfer *transfer);

/* Goes on after a pause */
extern void sgip_transfer_resume(SgipTransfer *transfer);

/* In flight in this backend, paused ones included */
extern int	sgip_transfer_count(void);

/* Of these, on the way to a connection */
extern int	sgip_transfer_connecting(void);

#endif							/* SGIP_TRANSFER_H */
