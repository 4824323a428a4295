/*-------------------------------------------------------------------------
 *
 * retry.h
 *		How long to wait before a request is tried again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_RETRY_H
#define SGIP_RETRY_H

#include "http/headers.h"

/* The server's clock when it answered, in Unix seconds; ours if it does not say */
extern int64 sgip_retry_clock(const SgipHttpHead *head);

/*
 * Seconds from that clock on that a header says, as a number of seconds, Unix
 * time or a date (then *is_time); below zero for a time that has passed.
 * False if it says none.
 */
extern bool sgip_retry_parse(const char *text, int64 clock, int64 *seconds, bool *is_time);

/* Does an answer with that status invite another try? */
extern bool sgip_retry_status(int status);

/*
 * Milliseconds that the server asked for by Retry-After or, under status 429,
 * X-RateLimit-Reset (which comes with every answer and is no advice else);
 * seconds to wait, or a time against the server's own Date.  -1 if it asked
 * for none.  The wait is not to be shorter than without advice: a time may
 * have passed, and 0 may be a second cut down.
 */
extern int64 sgip_retry_asked_ms(const SgipHttpHead *head);

/* Milliseconds to wait before try number "tries" (from 1) when not asked */
extern int64 sgip_retry_backoff_ms(int tries);

#endif							/* SGIP_RETRY_H */
