/*-------------------------------------------------------------------------
 *
 * report.h
 *		The one place that turns a remote failure into an error.
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

/* What a failed request was, for message, hint and context */
typedef struct SgipErrorContext
{
	const SgipServer *server;
	const SgipCredentials *credentials; /* to take the secret out of what a
										 * server says */
	const char *table;			/* foreign table */
	const char *request;		/* as from sgip_request_describe */
	const SgipHttpHead *head;	/* headers of the answer, or NULL */
} SgipErrorContext;

/* The transfer failed */
extern void sgip_report_transfer(const SgipErrorContext *failed,
								 const SgipHttpResult *result) SGIP_NORETURN;

/* The answer's status says that the request failed; its body may say why */
extern void sgip_report_status(const SgipErrorContext *failed,
							   const char *body, size_t len) SGIP_NORETURN;

/*
 * The retry budget is used up or too small: "tries" were made; the server
 * asked for asked_ms, -1 if it did not say.  The body may say more.
 */
extern void sgip_report_retries(const SgipErrorContext *failed, int tries, int64 asked_ms,
								const char *body, size_t len) SGIP_NORETURN;

/* The answer is the API's error object */
extern void sgip_report_remote(const SgipErrorContext *failed,
							   const SgipRemoteError *error) SGIP_NORETURN;

/* The answer is not the JSON that the task gives */
extern void sgip_report_invalid(const SgipErrorContext *failed, const char *problem) SGIP_NORETURN;

/* The listing does not advance from page to page */
extern void sgip_report_stuck(const SgipErrorContext *failed) SGIP_NORETURN;

/* malloc has no more for us; raises 53200, as palloc would */
extern void sgip_report_no_memory(void) SGIP_NORETURN;

/*
 * Something a server said, fit for a message: valid in the server's encoding,
 * without control characters and secrets, not too long; palloc'd.
 */
extern char *sgip_report_clean(const char *text, size_t len,
							   const SgipCredentials *credentials);

#endif							/* SGIP_REPORT_H */
