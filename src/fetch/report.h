/*-------------------------------------------------------------------------
 *
 * report.h
 *		Turns remote failures into errors: the only place that does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_REPORT_H
#define SGIP_REPORT_H

#include "compat.h"
#include "catalog/credentials.h"
#include "http/http.h"
#include "json/json.h"

/*
 * HV00L, what users are promised for an answer that is not the JSON of the
 * task.  SQL/MED has no code for it; this one is used by nothing else here.
 */
#define SGIP_ERRCODE_NOT_JSON ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION

/* The failed request, for message, hint and context */
typedef struct SgipErrorContext
{
	const SgipServer *server;
	const SgipCredentials *credentials; /* to take the secret out of what a
										 * server says */
	const char *table;			/* foreign table */
	const char *request;		/* as from sgip_request_show */
	const SgipHttpHead *head;	/* headers of the answer, or NULL */
} SgipErrorContext;

/*
 * The transfer failed: 08001 if it could not connect, 08006 if the connection
 * was lost or silent, 53000 without descriptors, else HV000
 */
extern void sgip_report_transfer(const SgipErrorContext *failed,
								 const SgipHttpResult *result) SGIP_NORETURN;

/* The answer's status is an error: 28000 for 401 and 403, else HV000.  The body may say why */
extern void sgip_report_status(const SgipErrorContext *failed,
							   const char *body, size_t len) SGIP_NORETURN;

/*
 * The retry budget is used up or too small: 53400 under status 429, else
 * HV000.  "tries" were made; the server asked to wait asked_ms, -1 if it did
 * not say.  The body may say more.
 */
extern void sgip_report_retries(const SgipErrorContext *failed, int tries, int64 asked_ms,
								const char *body, size_t len) SGIP_NORETURN;

/* The answer is the API's error object: 28000 if it is about credentials, else HV000 */
extern void sgip_report_remote(const SgipErrorContext *failed,
							   const SgipRemoteError *error) SGIP_NORETURN;

/* The answer is not JSON of the task's shape: HV00L */
extern void sgip_report_invalid(const SgipErrorContext *failed, const char *problem) SGIP_NORETURN;

/* The listing does not advance from page to page: HV000 */
extern void sgip_report_stuck(const SgipErrorContext *failed) SGIP_NORETURN;

/* malloc failed; raises 53200, as palloc would */
extern void sgip_report_no_memory(void) SGIP_NORETURN;

/*
 * What a server said, made fit for a message: valid in the database encoding,
 * without control characters and secrets, not too long; palloc'd.
 */
extern char *sgip_report_clean(const char *text, size_t len,
							   const SgipCredentials *credentials);

#endif							/* SGIP_REPORT_H */
