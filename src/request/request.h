/*-------------------------------------------------------------------------
 *
 * request.h
 *		What is asked for: from task, options, arguments and page to URL,
 *		headers and body; and the same without secrets, for people.
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
	const char *const *shown;	/* by field, what people see instead of a
								 * value that they may not see; NULL: they see
								 * all */
} SgipArguments;

/* Between the two bounds that an argument with two parameters holds */
#define SGIP_BOUNDS_SEPARATOR '~'

/* Between the values that an argument holds of which a request has several */
#define SGIP_VALUES_SEPARATOR '\n'

/* Which part of a listing is asked for */
typedef struct SgipPage
{
	int			limit;			/* rows per page, 0: not paged */
	int64		offset;			/* SGIP_PAGING_OFFSET */
	const char *cursor;			/* SGIP_PAGING_AFTER_KEY and _LAST; NULL:
								 * first page */
	const char *parent;			/* id that stands in the path, or NULL */
} SgipPage;

/* Fills *request with palloc'd strings; they hold secrets */
extern void sgip_request_build(const SgipServer *server, const SgipTask *task,
							   const SgipCredentials *credentials,
							   const SgipArguments *arguments, const SgipPage *page,
							   SgipHttpRequest *request);

/* The URL without what stands behind "?": limits count by it */
extern char *sgip_request_path(const SgipServer *server, const SgipTask *task,
							   const SgipArguments *arguments, const char *parent);

/* Between the path and the parameters of a POST, when shown to people */
#define SGIP_REQUEST_FORM " form "

/*
 * The same for people: method, path and query without credentials, as in
 * "GET /api/distributor.ip.json?task=usage&user=acme" or
 * "POST /api/distributor.ip.json form task=usage&user=acme", as the
 * parameters are no part of the URL then.  "page" may be NULL.
 * "texts" may hold, by field, what to show instead of a value that is known
 * at run time only (it is shown as it stands); or be NULL.
 */
extern char *sgip_request_describe(const SgipServer *server, const SgipTask *task,
								   const SgipArguments *arguments,
								   const char *const *texts, const SgipPage *page);

/*
 * Path of the one object that the arguments ask for, with "{}" for *id; NULL
 * if they ask for a listing
 */
extern const char *sgip_request_object(const SgipTask *task, const SgipArguments *arguments,
									   const char **id);

/* The same in a message, without what the role that reads it may not see */
extern char *sgip_request_show(const SgipServer *server, const SgipTask *task,
							   const SgipArguments *arguments, const SgipPage *page);

/* Appends text percent-encoded (RFC 3986: all but unreserved characters) */
extern void sgip_request_encode(StringInfo buf, const char *text);

#endif							/* SGIP_REQUEST_H */
