/*-------------------------------------------------------------------------
 *
 * headers.h
 *		What the headers of an HTTP answer say.
 *
 * Needs neither PostgreSQL nor libcurl, so that it can be fuzzed alone.
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
 * What the headers of an answer said.  Texts that are too long to mean
 * anything are empty, but location is cut.
 */
typedef struct SgipHttpHead
{
	int			status;			/* 0: headers are not complete yet */
	char		retry_after[64];
	char		rate_limit[64]; /* X-RateLimit-Limit */
	char		rate_remaining[64]; /* X-RateLimit-Remaining */
	char		rate_reset[64]; /* X-RateLimit-Reset */
	char		date[64];
	char		location[512];
	char		content_length[64]; /* without anything but a number */
	bool		encoded;		/* the body is compressed */
	bool		tells_end;		/* by Content-Length or chunks: an answer that
								 * is cut short cannot pass for a complete one */
	bool		has_link;		/* a Link header named another page: the
								 * first, previous, next or last one */
	char	   *link_next;		/* target of rel="next", malloc'd, or NULL */
	char	   *link_last;		/* target of rel="last", malloc'd, or NULL */
} SgipHttpHead;

/*
 * Takes one header of the final answer; name and value without blanks around
 * them.  Returns NULL, or a static text: why the answer must be refused for
 * it.
 */
extern const char *sgip_http_head_field(SgipHttpHead *head, const char *name, const char *value);

/*
 * Call when all headers were taken: sets the status.  Returns NULL, or a
 * static text: why an answer of that status cannot be a complete one.
 */
extern const char *sgip_http_head_end(SgipHttpHead *head, int status);

/* Frees what the head owns; it is empty then */
extern void sgip_http_head_clear(SgipHttpHead *head);

#endif							/* SGIP_HEADERS_H */
