/*-------------------------------------------------------------------------
 *
 * fuzz_head.c
 *		libFuzzer target: the reader of an answer's headers.
 *
 * The input's lines are fed to headers.c as libcurl would.  What they say
 * must not depend on an interim answer before them, on the case of letters in
 * the names of headers, nor on blanks around values; and it must keep to its
 * limits.
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

/* Larger inputs come too near to the limits of headers.c */
#define MAX_LINES 900
#define MAX_BYTES (128 * 1024)

/* How lines are changed on their way to the reader */
typedef enum Change
{
	CHANGE_NOTHING,
	CHANGE_INTERIM,				/* an interim answer comes before them */
	CHANGE_CASE,				/* names have their letters in the other case */
	CHANGE_BLANKS				/* values have blanks around them */
} Change;

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run: libFuzzer keeps the input */
static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Feeds one line, which ends with a line feed, changed or not. */
static const char *
feed_line(SgipHttpHeadReader *reader, const char *line, size_t len, Change change)
{
	const char *colon = memchr(line, ':', len);
	size_t		name_len = colon ? (size_t) (colon - line) : 0;
	size_t		end = len;
	char	   *changed = malloc(len + 4);
	size_t		n = 0;
	const char *problem;

	while (end > 0 && (line[end - 1] == '\r' || line[end - 1] == '\n'))
		end--;
	/* status lines have no name, whatever follows in them */
	if (colon == NULL || name_len >= end || (end > 5 && memcmp(line, "HTTP/", 5) == 0))
		change = CHANGE_NOTHING;
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) line[i];

		if (i == end && change == CHANGE_BLANKS)
			changed[n++] = '\t';
		/* "http/..." must not become a status line */
		if (change == CHANGE_CASE && i < name_len && i > 0 && c < 0x80)
			c = (unsigned char) (islower(c) ? toupper(c) : tolower(c));
		changed[n++] = (char) c;
		if (i == name_len && change == CHANGE_BLANKS)
			changed[n++] = ' ';
	}
	problem = sgip_http_head_line(reader, changed, n);
	free(changed);
	return problem;
}

/* Feeds all lines, as far as they are accepted. */
static const char *
feed(SgipHttpHeadReader *reader, const char *data, size_t size, Change change)
{
	const char *problem = NULL;
	const char *end = data + size;

	memset(reader, 0, sizeof(*reader));
	if (change == CHANGE_INTERIM)
	{
		static const char *const interim[] = {"HTTP/1.1 103 Early Hints\r\n", "Link: <x>; rel=next\r\n",
		"Retry-After: 7\r\n", "Content-Encoding: gzip\r\n", "Content-Length: 7\r\n", "\r\n"};

		for (size_t i = 0; i < sizeof(interim) / sizeof(interim[0]) && problem == NULL; i++)
			problem = sgip_http_head_line(reader, interim[i], strlen(interim[i]));
	}
	while (data < end && problem == NULL)
	{
		const char *newline = memchr(data, '\n', (size_t) (end - data));
		size_t		len = newline ? (size_t) (newline + 1 - data) : (size_t) (end - data);

		problem = feed_line(reader, data, len, change);
		data += len;
	}
	return problem;
}

/* Are both absent, or the same text? */
static bool
same_text(const char *a, const char *b)
{
	return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

/* The text's length; it must end within the space that it has. */
static size_t
bounded(const char *text, size_t size)
{
	size_t		len = strnlen(text, size);

	if (len == size)
		fail("a text does not end");
	return len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char first[] = "HTTP/1.1 ";
	SgipHttpHeadReader plain;
	const char *problem;
	int			lines = 0;

	/* every answer that libcurl takes begins with a status line */
	if (size < sizeof(first) - 1 || memcmp(data, first, sizeof(first) - 1) != 0)
		return 0;
	/* what is added must not be what goes beyond a limit */
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (lines > MAX_LINES || size > MAX_BYTES)
		return 0;
	problem = feed(&plain, (const char *) data, size, CHANGE_NOTHING);
	bounded(plain.head.content_type, sizeof(plain.head.content_type));
	bounded(plain.head.retry_after, sizeof(plain.head.retry_after));
	bounded(plain.head.rate_reset, sizeof(plain.head.rate_reset));
	bounded(plain.head.date, sizeof(plain.head.date));
	bounded(plain.head.location, sizeof(plain.head.location));
	if ((plain.head.link_next && strlen(plain.head.link_next) > SGIP_HTTP_MAX_LINK) ||
		(plain.head.link_last && strlen(plain.head.link_last) > SGIP_HTTP_MAX_LINK))
		fail("a link is too long");
	if ((plain.head.link_next || plain.head.link_last) && !plain.head.has_link)
		fail("a link without a Link header");
	if (plain.done != (plain.head.status >= 200))
		fail("complete without a final status, or the other way round");

	for (Change change = CHANGE_INTERIM; change <= CHANGE_BLANKS; change++)
	{
		SgipHttpHeadReader other;

		if (feed(&other, (const char *) data, size, change) != problem)
			fail("another verdict");
		if (other.done != plain.done || other.head.status != plain.head.status ||
			other.head.tells_end != plain.head.tells_end || other.head.has_link != plain.head.has_link ||
			!same_text(other.head.content_type, plain.head.content_type) ||
			!same_text(other.head.retry_after, plain.head.retry_after) ||
			!same_text(other.head.rate_reset, plain.head.rate_reset) ||
			!same_text(other.head.date, plain.head.date) ||
			!same_text(other.head.location, plain.head.location) ||
			!same_text(other.head.link_next, plain.head.link_next) ||
			!same_text(other.head.link_last, plain.head.link_last))
			fail("other values");
		sgip_http_head_clear(&other);
	}
	sgip_http_head_clear(&plain);
	return 0;
}
