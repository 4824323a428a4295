/*-------------------------------------------------------------------------
 *
 * retry.h
 *		How long to wait before a request is tried again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_RETRY_H
#define SGIP_RETRY_H

#include "http/http.h"

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

/*
 * Milliseconds until the limit of an answer's path begins anew, where it says
 * that nothing remains of it; -1: it does not.
 */
extern int64 sgip_retry_reset_ms(const SgipHttpHead *head);

/* Milliseconds to wait before try number "tries" (from 1) when not asked */
extern int64 sgip_retry_backoff_ms(int tries);

#endif							/* SGIP_RETRY_H */
