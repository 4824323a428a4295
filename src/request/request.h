/*-------------------------------------------------------------------------
 *
 * request.h
 *		From task, options, arguments and page to URL, headers and body; and
 *		the same without secrets, for messages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_REQUEST_H
#define SGIP_REQUEST_H

#include "lib/stringinfo.h"

#include "catalog/credentials.h"
#include "http/http.h"

/* Arguments of one search, by field of the task; UTF-8, NULL: not sent */
typedef struct SgipArguments
{
	const char *values[SGIP_MAX_FIELDS];
	const char *parent;			/* id of the parent's row that the listing
								 * belongs to, which stands in the path; NULL:
								 * it belongs to none, or to several */
	const char *const *shown;	/* by field, what EXPLAIN and messages have
								 * instead of a value that is not known yet,
								 * or that their reader may not see; NULL:
								 * they have all values */
} SgipArguments;

/* Separates the two bounds in an argument with two parameters */
#define SGIP_BOUNDS_SEPARATOR '~'

/* Separates the values in an argument of which a request can have several */
#define SGIP_VALUES_SEPARATOR '\n'

/* Which part of a listing is asked for */
typedef struct SgipPage
{
	int			limit;			/* rows per page, 0: not paged */
	int64		offset;			/* SGIP_PAGING_OFFSET */
	const char *cursor;			/* SGIP_PAGING_AFTER_KEY and _LAST; NULL:
								 * first page */
} SgipPage;

/* Fills *request with palloc'd strings, which contain secrets */
extern void sgip_request_build(const SgipServer *server, const SgipTask *task,
							   const SgipCredentials *credentials,
							   const SgipArguments *arguments, const SgipPage *page,
							   SgipHttpRequest *request);

/* The URL without its query, by which limits are counted; palloc'd */
extern char *sgip_request_path(const SgipServer *server, const SgipTask *task,
							   const SgipArguments *arguments);

/* Between the path and the parameters of a POST, in EXPLAIN and messages */
#define SGIP_REQUEST_FORM " form "

/*
 * The request for EXPLAIN and messages: method, path and query without
 * credentials, as in "GET /api/distributor.ip.json?task=usage&user=acme" or,
 * where the parameters are no part of the URL, "POST /api/distributor.ip.json
 * form task=usage&user=acme"; palloc'd.  "page" may be NULL.  hidden: for a
 * role that may not see values; "shown" of the arguments stands for them, or a
 * question mark if the scan that asks is another role's, which may.
 */
extern char *sgip_request_show(const SgipServer *server, const SgipTask *task,
							   const SgipArguments *arguments, const SgipPage *page, bool hidden);

/*
 * Path of the one object that the arguments ask for, with "{}" for *id; NULL
 * if they ask for a listing.  Both are borrowed from task and arguments.
 */
extern const char *sgip_request_object(const SgipTask *task, const SgipArguments *arguments,
									   const char **id);

/* Appends text percent-encoded (RFC 3986: all but unreserved characters) */
extern void sgip_request_encode(StringInfo buf, const char *text);

#endif							/* SGIP_REQUEST_H */
