/*-------------------------------------------------------------------------
 *
 * limits.h
 *		Rate limits of the API, which the sessions of an account share.
 *
 * An answer's headers tell how many requests its path allows in a window of
 * time, how many of these remain, and when the window ends.  A session takes
 * one of those that remain before it sends a request, tells what the answer's
 * headers say, and waits when there is none.  Nothing here waits: the caller
 * does, and the session's latch is set when it is worth to ask again.
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
	uint32		window;			/* that it was taken from; 0: none */
	uint32		answered;		/* how many of them had been answered then */
	bool		probe;			/* others wait for what its answer tells */
} SgipLimitToken;

/* What stands for the path of a URL; its query does not count */
extern uint64 sgip_limits_path(const char *url);

/*
 * Takes a request from what remains of the limit on that path.  Returns 0 if
 * it may be sent now, else after how many milliseconds, or when
 * sgip_limits_changed, to ask again.  A wait of more than patience_ms is not
 * believed: one session sends a request to see, and without any patience so
 * does each.
 */
extern int64 sgip_limits_take(SgipAccount account, uint64 path, int64 patience_ms,
							  SgipLimitToken *token);

/* Is it worth to ask again about a path, though the time has not come? */
extern bool sgip_limits_changed(uint64 path);

/* The answer's headers have come: what they tell is what all sessions know */
extern void sgip_limits_learn(SgipLimitToken *token, const SgipHttpHead *head);

/* There will be no answer; harmless after sgip_limits_learn, or without a token */
extern void sgip_limits_return(SgipLimitToken *token);

#endif							/* SGIP_LIMITS_H */
