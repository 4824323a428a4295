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
 * decodes to cannot be put off, so this bounds memory.  Half of it costs some
 * four percent of the processor time of a scan, twice as much gains nothing.
 * It is a little less than 16 kB so that the worst of what is decoded stays
 * below 16 MB, where libcurl's buffer would double.
 */
#define SGIP_READ_BYTES 16000

struct SgipTransfer
{
	dlist_node	node;			/* in its lease's transfers */
	SgipLease  *lease;
	SgipHttpResult result;		/* for the transfer's user */

	/* libcurl's part */
	CURL	   *easy;
	struct curl_slist *headers; /* of the request */
	char		error_buffer[CURL_ERROR_SIZE];

	/* progress */
	int64		silence;		/* ns waited since something happened */
	curl_off_t	transferred;	/* bytes received when last looked at */
	bool		connecting;		/* perhaps for the second time */
	bool		opened;			/* it does without kept connections: has
								 * opened a socket, or was told to */
	int			header_lines;	/* received, interim answers included */
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

/*
 * Starts a transfer of the lease; sgip_http_stop or the end of the lease frees
 * it.  Raises an error when out of memory
 */
extern SgipTransfer *sgip_transfer_start(SgipLease *lease, const SgipHttpRequest *request);

/*
 * Starts it again, on a new connection if the one it had was stale: given up
 * by its server.  False if that is not possible
 */
extern bool sgip_transfer_restart(SgipTransfer *transfer, bool stale);

/*
 * Records why it fails, "more" (or NULL) appended to "text"; the first reason
 * stays.  False, which callbacks of libcurl return as the bytes they took
 */
extern bool sgip_transfer_fail(SgipTransfer *transfer, SgipHttpFailure failure,
							   const char *text, const char *more);

/* The same for a code of libcurl */
extern void sgip_transfer_fail_code(SgipTransfer *transfer, CURLcode code);

/* Ends it in the given state, and closes its handle */
extern void sgip_transfer_end(SgipTransfer *transfer, SgipHttpState state);

/* Resumes a paused transfer */
extern void sgip_transfer_resume(SgipTransfer *transfer);

/* Transfers in flight in this backend, paused ones included */
extern int	sgip_transfers_in_flight;

/* Those of them that are connecting */
extern int	sgip_transfers_connecting;

#endif							/* SGIP_TRANSFER_H */
