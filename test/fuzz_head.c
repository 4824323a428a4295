/*-------------------------------------------------------------------------
 *
 * fuzz_head.c
 *		libFuzzer target: what headers.c makes of an answer's headers.
 *
 * The input is a status line and header lines, which are taken apart here as
 * libcurl does it.  What they say must not depend on the case of letters in
 * the names of headers, nor on a header that is none of ours; and it must
 * keep to its limits.
 *
 * scripts/fuzz builds and runs it.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/headers.h"

/* How headers are changed on their way to the reader */
typedef enum Change
{
	CHANGE_NOTHING,
	CHANGE_CASE,				/* names have their letters in the other case */
	CHANGE_MORE					/* another header stands between them */
} Change;

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run: libFuzzer keeps the input */
static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

/* A copy of the text without blanks around it, in a block of its size. */
static char *
trimmed(const char *text, size_t len)
{
	while (len > 0 && isspace((unsigned char) text[len - 1]))
		len--;
	while (len > 0 && isspace((unsigned char) *text))
	{
		text++;
		len--;
	}
	return strndup(text, len);
}

/* Feeds one header line, changed or not. */
static const char *
feed_line(SgipHttpHead *head, const char *line, size_t len, Change change)
{
	const char *colon = memchr(line, ':', len);
	const char *problem = NULL;
	char	   *name;
	char	   *value;

	if (colon == NULL)
		return NULL;
	name = trimmed(line, (size_t) (colon - line));
	value = trimmed(colon + 1, (size_t) (line + len - colon - 1));
	for (char *c = name; change == CHANGE_CASE && *c != '\0'; c++)
	{
		if ((unsigned char) *c < 0x80)
			*c = (char) (islower((unsigned char) *c) ? toupper((unsigned char) *c) : tolower((unsigned char) *c));
	}
	if (change == CHANGE_MORE)
		problem = sgip_http_head_field(head, "X-Link", "<x>; rel=next");
	if (problem == NULL)
		problem = sgip_http_head_field(head, name, value);
	free(name);
	free(value);
	return problem;
}

/* Feeds all headers, as far as they are accepted. */
static const char *
feed(SgipHttpHead *head, const char *data, size_t size, Change change)
{
	const char *problem = NULL;
	const char *end = data + size;
	int			status = atoi(data + strlen("HTTP/1.1 "));

	memset(head, 0, sizeof(*head));
	while (problem == NULL && (data = memchr(data, '\n', (size_t) (end - data))) != NULL)
	{
		const char *newline;

		data++;
		newline = memchr(data, '\n', (size_t) (end - data));
		problem = feed_line(head, data, (size_t) ((newline ? newline : end) - data), change);
	}
	return problem ? problem : sgip_http_head_end(head, status);
}

/* Are both absent, or the same text? */
static bool
same_text(const char *a, const char *b)
{
	return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

/* The text must end within the space that it has. */
static void
check_bounded(const char *text, size_t size)
{
	if (strnlen(text, size) == size)
		fail("a text does not end");
}

/* What must hold of any head. */
static void
check_head(const SgipHttpHead *head)
{
	check_bounded(head->retry_after, sizeof(head->retry_after));
	check_bounded(head->rate_limit, sizeof(head->rate_limit));
	check_bounded(head->rate_remaining, sizeof(head->rate_remaining));
	check_bounded(head->rate_reset, sizeof(head->rate_reset));
	check_bounded(head->date, sizeof(head->date));
	check_bounded(head->location, sizeof(head->location));
	check_bounded(head->content_length, sizeof(head->content_length));
	if ((head->link_next && strlen(head->link_next) > SGIP_HTTP_MAX_LINK) ||
		(head->link_last && strlen(head->link_last) > SGIP_HTTP_MAX_LINK))
		fail("a link is too long");
	if ((head->link_next || head->link_last) && !head->has_link)
		fail("a link without a Link header");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char first[] = "HTTP/1.1 ";
	char	   *text;
	SgipHttpHead plain;
	const char *problem;

	/* every answer that libcurl takes begins with a status line */
	if (size < sizeof(first) || memcmp(data, first, sizeof(first) - 1) != 0)
		return 0;
	/* libcurl refuses headers with a zero byte; here one ends them */
	text = strndup((const char *) data, size);
	size = strlen(text);
	problem = feed(&plain, text, size, CHANGE_NOTHING);
	check_head(&plain);

	for (Change change = CHANGE_CASE; change <= CHANGE_MORE; change++)
	{
		SgipHttpHead other;

		if (feed(&other, text, size, change) != problem)
			fail("another verdict");
		if (!same_text(other.link_next, plain.link_next) || !same_text(other.link_last, plain.link_last))
			fail("other links");
		free(other.link_next);
		free(other.link_last);
		other.link_next = plain.link_next;
		other.link_last = plain.link_last;
		/* feed begins with all zero, so this compares no other padding */
		if (memcmp(&other, &plain, sizeof(plain)) != 0)
			fail("other values");
	}
	sgip_http_head_clear(&plain);
	free(text);
	return 0;
}
