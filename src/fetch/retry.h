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
 * Milliseconds that the server asked for, from Retry-After (seconds or a
 * date) or, under status 429, X-RateLimit-Reset (Unix seconds; it comes with
 * every answer and is no advice else), both against the server's own Date; -1
 * if it asked for none.
 */
extern int64 sgip_retry_asked_ms(const SgipHttpHead *head);

/* Milliseconds to wait before try number "tries" (from 1) when not asked */
extern int64 sgip_retry_backoff_ms(int tries);

#endif							/* SGIP_RETRY_H */
