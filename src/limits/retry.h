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
 * Parses a header that is a number of seconds, Unix time or a date (then
 * *is_time) into seconds from that clock on, negative for a time that has
 * passed.  False if it is none of these.
 */
extern bool sgip_retry_parse(const char *text, int64 clock, int64 *seconds, bool *is_time);

/* Is that a status after which a request may be tried again? */
extern bool sgip_retry_status(int status);

/*
 * Milliseconds that the server asked to wait by Retry-After or, under status
 * 429, X-RateLimit-Reset (with other statuses it is no advice); either a
 * number of seconds, or a time compared with the answer's Date. -1 if it
 * asked for none.  Do not wait less than without advice: the time may have
 * passed, and 0 may be a fraction of a second cut off.
 */
extern int64 sgip_retry_asked_ms(const SgipHttpHead *head);

/* Milliseconds to wait before try number "tries" (from 1) when not asked */
extern int64 sgip_retry_backoff_ms(int tries);

#endif							/* SGIP_RETRY_H */
