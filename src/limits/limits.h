/*-------------------------------------------------------------------------
 *
 * limits.h
 *		Rate limits of the API, which the sessions of an account share.
 *
 * An answer's headers say how many requests its path allows in a window of
 * time, how many of these remain, and when the window ends.  A session
 * takes one of those that remain before it sends a request, and passes on
 * the answer's headers.  Nothing here waits: the caller does, and its
 * latch is set when asking again may help.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_LIMITS_H
#define SGIP_LIMITS_H

#include "http/headers.h"
#include "limits/account.h"

/* A request that is to be sent, or was */
typedef struct SgipLimitToken
{
	SgipAccount account;
	uint64		path;			/* of sgip_limits_path */
	uint32		window;			/* it was taken from; 0: none */
	uint32		answered;		/* how many of them had been answered then */
	bool		probe;			/* others wait for its answer */
} SgipLimitToken;

/* Hash value of a URL's path; the query does not count.  Never 0 */
extern uint64 sgip_limits_path(const char *url);

/*
 * Takes a request from what remains of the limit on that path.  Returns 0 if
 * it may be sent now, else how many milliseconds to wait before asking again;
 * sgip_limits_changed says whether to ask earlier.  No more than max_wait_ms
 * are returned: if the limit would take longer, one session at a time sends a
 * probe.  With max_wait_ms of 0 or less every request may be sent.  Fills in
 * *token, which must be passed to sgip_limits_learn or _release.
 */
extern int64 sgip_limits_take(SgipAccount account, uint64 path, int64 max_wait_ms,
							  SgipLimitToken *token);

/* May sgip_limits_take say something else about the path by now, though the wait is not over? */
extern bool sgip_limits_changed(uint64 path);

/* Passes on the headers of an answer, for all sessions.  Consumes the token */
extern void sgip_limits_learn(SgipLimitToken *token, const SgipHttpHead *head);

/* There will be no answer.  Harmless after sgip_limits_learn, or if the token is all zero */
extern void sgip_limits_release(SgipLimitToken *token);

#endif							/* SGIP_LIMITS_H */
