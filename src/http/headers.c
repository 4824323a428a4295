/*-------------------------------------------------------------------------
 *
 * headers.c
 *		What the headers of an HTTP answer say.
 *
 * Sources: RFC 9110 (fields, Retry-After), RFC 8288 (Link), SendGrid's "Rate
 * limits" page (X-RateLimit-Reset).
 *
 *-------------------------------------------------------------------------
 */
#include "http/headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * Limits of an answer's headers, trailers and interim answers included.  The
 * API sends about 1 kB in 15 lines; browsers stop at 256 kB.
 */
#define MAX_HEADER_BYTES (256 * 1024)
#define MAX_HEADER_LINES 1000

/* Digits of a Content-Length that fits into 64 bits for certain */
#define MAX_LENGTH_DIGITS 18

/* A piece of a header's value that is being read */
typedef struct Text
{
	const char *p;				/* the next byte */
	const char *end;
} Text;

/*
 * Copies a header's value.  One that does not fit is dropped if a part of it
 * would be understood as something else.
 */
static void
copy_value(char *to, size_t size, const char *value, size_t len, bool whole)
{
	if (len >= size)
		len = whole ? 0 : size - 1;
	memcpy(to, value, len);
	to[len] = '\0';
}

/* Is this piece of text the word, whatever the case of its letters? */
static bool
is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

/* Is the word among the blank-separated ones of a list? */
static bool
word_in_list(const char *word, const char *list, size_t len)
{
	const char *end = list + len;

	while (list < end)
	{
		const char *begin;

		while (list < end && (*list == ' ' || *list == '\t'))
			list++;
		begin = list;
		while (list < end && *list != ' ' && *list != '\t')
			list++;
		if (is_word(begin, (size_t) (list - begin), word))
			return true;
	}
	return false;
}

/*
 * Notes the target of a link under each relation it has.  A target that is
 * too long fails the answer: without it, the pages behind would be missing.
 */
static const char *
note_link(SgipHttpHead *head, const char *target, size_t target_len,
		  const char *rel, size_t rel_len)
{
	bool		next = word_in_list("next", rel, rel_len);
	bool		last = word_in_list("last", rel, rel_len);

	if ((next || last) && target_len > SGIP_HTTP_MAX_LINK)
		return "a target in a Link header is too long";
	if ((next && head->link_next == NULL &&
		 (head->link_next = strndup(target, target_len)) == NULL) ||
		(last && head->link_last == NULL &&
		 (head->link_last = strndup(target, target_len)) == NULL))
		return "memory is short";
	return NULL;
}

/* Reads past blanks. */
static void
skip_blanks(Text *text)
{
	while (text->p < text->end && (*text->p == ' ' || *text->p == '\t'))
		text->p++;
}

/* Reads past blanks, and past the next byte if it is that one: then true. */
static bool
accept_byte(Text *text, char byte)
{
	skip_blanks(text);
	if (text->p == text->end || *text->p != byte)
		return false;
	text->p++;
	return true;
}

/* Reads a token up to one of the delimiters. */
static const char *
read_token(Text *text, const char *delimiters, size_t *len)
{
	const char *begin = text->p;

	while (text->p < text->end && strchr(delimiters, *text->p) == NULL)
		text->p++;
	*len = (size_t) (text->p - begin);
	return begin;
}

/* Reads a parameter's value, which may be quoted; escapes stay as they are. */
static const char *
read_parameter_value(Text *text, size_t *len)
{
	const char *begin;

	if (!accept_byte(text, '"'))
		return read_token(text, ";, \t", len);
	begin = text->p;
	while (text->p < text->end && *text->p != '"')
		text->p += (*text->p == '\\' && text->p + 1 < text->end) ? 2 : 1;
	*len = (size_t) (text->p - begin);
	(void) accept_byte(text, '"');
	return begin;
}

/*
 * Reads the parameters of a link, ;name=value, and notes the link by the first
 * "rel" among them; further ones are to be ignored.
 */
static const char *
read_link_parameters(SgipHttpHead *head, Text *text, const char *target, size_t target_len)
{
	bool		rel_seen = false;
	const char *problem = NULL;

	while (problem == NULL && accept_byte(text, ';'))
	{
		const char *name;
		size_t		name_len;
		const char *value = "";
		size_t		value_len = 0;

		skip_blanks(text);
		name = read_token(text, "=;, \t", &name_len);
		if (accept_byte(text, '='))
			value = read_parameter_value(text, &value_len);
		if (rel_seen || !is_word(name, name_len, "rel"))
			continue;
		rel_seen = true;
		problem = note_link(head, target, target_len, value, value_len);
	}
	return problem;
}

/*
 * Reads the value of a Link header: <target>; name=value; ..., and so on.
 * What does not have that form ends the reading.
 */
static const char *
read_link(SgipHttpHead *head, const char *value, size_t len)
{
	Text		text = {value, value + len};
	const char *problem = NULL;

	while (problem == NULL)
	{
		const char *target;
		size_t		target_len;

		while (accept_byte(&text, ','))
			 /* empty members of the list mean nothing */ ;
		if (!accept_byte(&text, '<'))
			break;
		target = read_token(&text, ">", &target_len);
		if (!accept_byte(&text, '>'))
			break;
		problem = read_link_parameters(head, &text, target, target_len);
	}
	return problem;
}

/*
 * Refuses encodings that were not asked for.  libcurl would decode them, also
 * one in another, and then there is no bound on what a few bytes become.
 */
static const char *
take_encoding(SgipHttpHeadReader *reader, const char *value, size_t len)
{
	static const char *const known[] = {"identity", "gzip", "x-gzip", "deflate"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !reader->encoded; i++)
	{
		if (is_word(value, len, known[i]))
		{
			reader->encoded = true;
			return NULL;
		}
	}
	return "the answer has an encoding that was not asked for";
}

/* Takes what is wanted from one header. */
static const char *
take_field(SgipHttpHeadReader *reader, const char *name, size_t name_len,
		   const char *value, size_t len)
{
	SgipHttpHead *head = &reader->head;

	if (is_word(name, name_len, "Content-Type"))
		copy_value(head->content_type, sizeof(head->content_type), value, len, false);
	else if (is_word(name, name_len, "Retry-After"))
		copy_value(head->retry_after, sizeof(head->retry_after), value, len, true);
	else if (is_word(name, name_len, "X-RateLimit-Reset"))
		copy_value(head->rate_reset, sizeof(head->rate_reset), value, len, true);
	else if (is_word(name, name_len, "Date"))
		copy_value(head->date, sizeof(head->date), value, len, true);
	else if (is_word(name, name_len, "Location"))
		copy_value(head->location, sizeof(head->location), value, len, false);
	else if (is_word(name, name_len, "Content-Length"))
		/* libcurl, too, takes no notice of a number that it cannot hold */
		head->tells_end = len > 0 && len <= MAX_LENGTH_DIGITS;
	else if (is_word(name, name_len, "Transfer-Encoding"))
		head->tells_end = is_word(value, len, "chunked");
	else if (is_word(name, name_len, "Content-Encoding"))
		return take_encoding(reader, value, len);
	else if (is_word(name, name_len, "Link"))
	{
		head->has_link = true;
		return read_link(head, value, len);
	}
	return NULL;
}

void
sgip_http_head_clear(SgipHttpHeadReader *reader)
{
	free(reader->head.link_next);
	free(reader->head.link_last);
	memset(&reader->head, 0, sizeof(reader->head));
}

/* A status line: "HTTP/1.1 200 OK".  A new block of headers begins. */
static void
begin_block(SgipHttpHeadReader *reader, const char *data, size_t len)
{
	const char *p = data;
	const char *end = data + len;

	sgip_http_head_clear(reader);
	reader->encoded = false;
	reader->status = 0;
	while (p < end && *p != ' ')
		p++;
	while (p < end && *p == ' ')
		p++;
	for (int i = 0; i < 3 && p < end && *p >= '0' && *p <= '9'; i++)
		reader->status = reader->status * 10 + (*p++ - '0');
}

const char *
sgip_http_head_line(SgipHttpHeadReader *reader, const char *data, size_t len)
{
	const char *colon;
	const char *value;

	reader->bytes += len;
	reader->lines++;
	if (reader->bytes > MAX_HEADER_BYTES || reader->lines > MAX_HEADER_LINES)
		return "the headers of the answer are too large";
	if (reader->done)
		return NULL;

	while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n'))
		len--;
	if (len == 0)
	{
		reader->done = reader->status >= 200;
		if (reader->done)
			reader->head.status = reader->status;
		return NULL;
	}
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0)
	{
		begin_block(reader, data, len);
		return NULL;
	}
	colon = memchr(data, ':', len);
	if (colon == NULL)
		return NULL;
	value = colon + 1;
	len = (size_t) (data + len - value);
	while (len > 0 && (*value == ' ' || *value == '\t'))
	{
		value++;
		len--;
	}
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	return take_field(reader, data, (size_t) (colon - data), value, len);
}
