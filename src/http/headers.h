/*-------------------------------------------------------------------------
 *
 * headers.h
 *		What the headers of an HTTP answer say.
 *
 * Fed one header line at a time; needs neither PostgreSQL nor libcurl.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_HEADERS_H
#define SGIP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Longest target of a Link header: a server repeats the request's URL in it,
 * with values of up to 2,000 bytes that encoding makes 6,000.
 */
#define SGIP_HTTP_MAX_LINK 8192

/*
 * What the headers of an answer said; complete as soon as status is not 0.
 * retry_after, rate_reset and date are empty when they are too long to mean
 * anything; content_type and location are cut.
 */
typedef struct SgipHttpHead
{
	int			status;			/* 0: headers are not complete yet */
	char		content_type[128];
	char		retry_after[64];
	char		rate_reset[64]; /* X-RateLimit-Reset */
	char		date[64];
	char		location[512];
	bool		tells_end;		/* by Content-Length or chunks: an answer that is
								 * cut short cannot pass for a complete one */
	bool		has_link;		/* a Link header came */
	char	   *link_next;		/* target of rel="next", malloc'd, or NULL */
	char	   *link_last;		/* target of rel="last", malloc'd, or NULL */
} SgipHttpHead;

/* Where the reading of an answer's headers stands; all zero before the first line */
typedef struct SgipHttpHeadReader
{
	SgipHttpHead head;			/* status is 0 until they are complete */
	bool		done;			/* the final answer's headers are complete */
	int			lines;			/* of all header blocks */
	size_t		bytes;
	int			status;			/* of the block that is coming */
	bool		encoded;		/* it names a content encoding */
} SgipHttpHeadReader;

/*
 * Takes a header line as it was received, status lines and the empty line at
 * the end included.  Interim answers (1xx) leave nothing behind; trailers are
 * counted and not looked at, as nothing may depend on them that was decided
 * before the body.  Returns NULL, or what is wrong with the headers so that
 * the answer must be refused; static.
 */
extern const char *sgip_http_head_line(SgipHttpHeadReader *reader, const char *data, size_t len);

/* Frees what the reader's head holds; it is empty then */
extern void sgip_http_head_clear(SgipHttpHeadReader *reader);

#endif							/* SGIP_HEADERS_H */
