/*-------------------------------------------------------------------------
 *
 * headers.c
 *		What the headers of an HTTP answer say.
 *
 * libcurl has dealt with lines, folding and blanks.
 *
 * Sources: RFC 9110 (fields, lists, Content-Length, Retry-After), RFC 8288
 * (Link), SendGrid's "Rate limits" page (X-RateLimit-...).
 *
 *-------------------------------------------------------------------------
 */
#include "http/headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Digits of a Content-Length that fits into 64 bits for certain */
#define MAX_LENGTH_DIGITS 18

/* Is this piece of text the word, whatever the case of its letters? */
static bool
is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

/* Copies a text of len bytes.  One that does not fit is truncated if "cut", else left out. */
static void
copy_text(char *to, size_t size, const char *text, size_t len, bool cut)
{
	if (len >= size)
		len = cut ? size - 1 : 0;
	memcpy(to, text, len);
	to[len] = '\0';
}

/*
 * The next member of a comma-separated list that is not empty, or NULL.  For
 * a header without value libcurl 7.88 gives the end of its line.
 */
static const char *
next_member(const char **list, size_t *len)
{
	const char *begin = *list + strspn(*list, ", \t\r");

	*list = begin + strcspn(begin, ",");
	*len = (size_t) (*list - begin);
	while (*len > 0 && (begin[*len - 1] == ' ' || begin[*len - 1] == '\t'))
		(*len)--;
	return *len > 0 ? begin : NULL;
}

/* Reads past blanks, and past the next byte if it is that one: then true. */
static bool
accept_byte(const char **p, char byte)
{
	*p += strspn(*p, " \t");
	if (**p != byte)
		return false;
	(*p)++;
	return true;
}

/* Reads up to one of the delimiters. */
static const char *
read_token(const char **p, const char *delimiters, size_t *len)
{
	const char *begin = *p;

	*len = strcspn(begin, delimiters);
	*p += *len;
	return begin;
}

/* Reads a parameter's value, which may be quoted; escapes stay as they are. */
static const char *
read_parameter_value(const char **p, size_t *len)
{
	const char *begin;

	if (!accept_byte(p, '"'))
		return read_token(p, ";, \t", len);
	begin = *p;
	while (**p != '\0' && **p != '"')
		*p += (**p == '\\' && (*p)[1] != '\0') ? 2 : 1;
	*len = (size_t) (*p - begin);
	(void) accept_byte(p, '"');
	return begin;
}

/*
 * Notes the target of a link under each of its relations, blank-separated
 * words.  A target that is too long fails the answer: without it, the
 * following pages would be missing.
 */
static const char *
note_link(SgipHttpHead *head, const char *target, size_t target_len,
		  const char *rel, size_t rel_len)
{
	const char *end = rel + rel_len;

	while (rel < end)
	{
		size_t		len = 0;
		char	  **noted = NULL;

		while (rel + len < end && rel[len] != ' ' && rel[len] != '\t')
			len++;
		if (is_word(rel, len, "next"))
			noted = &head->link_next;
		else if (is_word(rel, len, "last"))
			noted = &head->link_last;
		if (noted != NULL || is_word(rel, len, "first") || is_word(rel, len, "prev") || is_word(rel, len, "previous"))
			head->has_link = true;
		if (noted != NULL && target_len > SGIP_HTTP_MAX_LINK)
			return "a target in a Link header is too long";
		if (noted != NULL && *noted == NULL && (*noted = strndup(target, target_len)) == NULL)
			return "memory is short";
		rel += len + 1;
	}
	return NULL;
}

/*
 * Reads the parameters of a link, ;name=value, and notes the link by the first
 * "rel" among them; further ones are to be ignored.
 */
static const char *
read_link_parameters(SgipHttpHead *head, const char **p, const char *target, size_t target_len)
{
	bool		rel_seen = false;
	const char *problem = NULL;

	while (problem == NULL && accept_byte(p, ';'))
	{
		const char *name;
		size_t		name_len;
		const char *value = "";
		size_t		value_len = 0;

		*p += strspn(*p, " \t");
		name = read_token(p, "=;, \t", &name_len);
		if (accept_byte(p, '='))
			value = read_parameter_value(p, &value_len);
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
read_link(SgipHttpHead *head, const char *p)
{
	const char *problem = NULL;

	while (problem == NULL)
	{
		const char *target;
		size_t		target_len;

		while (accept_byte(&p, ','))
			 /* empty members of the list mean nothing */ ;
		if (!accept_byte(&p, '<'))
			break;
		target = read_token(&p, ">", &target_len);
		if (!accept_byte(&p, '>'))
			break;
		problem = read_link_parameters(head, &p, target, target_len);
	}
	return problem;
}

/*
 * Takes a Content-Length, which may be repeated or a list, but with one
 * number only.  libcurl goes by one of them, and the answer would look
 * complete where the other says that it is not.
 */
static const char *
take_length(SgipHttpHead *head, const char *value)
{
	const char *member;
	size_t		len;

	while ((member = next_member(&value, &len)) != NULL)
	{
		if (head->content_length[0] == '\0')
			copy_text(head->content_length, sizeof(head->content_length), member, len, true);
		else if (!is_word(member, len, head->content_length))
			return "the answer has two Content-Lengths that differ";
		/* libcurl, too, ignores a number that it cannot hold */
		if (len <= MAX_LENGTH_DIGITS)
			head->tells_end = true;
	}
	return NULL;
}

/*
 * Refuses encodings that were not asked for, and nested ones.  libcurl would
 * decode them, and then there is no bound on what a few bytes become.  An
 * empty value and "none" are no encodings, though they are often sent.
 */
static const char *
take_encoding(SgipHttpHead *head, const char *value)
{
	const char *member;
	size_t		len;

	while ((member = next_member(&value, &len)) != NULL)
	{
		if (is_word(member, len, "identity") || is_word(member, len, "none"))
			continue;
		if (head->encoded ||
			!(is_word(member, len, "gzip") || is_word(member, len, "x-gzip") || is_word(member, len, "deflate")))
			return "the answer has an encoding that was not asked for";
		head->encoded = true;
	}
	return NULL;
}

/* Likewise: a Transfer-Encoding that compresses would be decoded, too. */
static const char *
take_transfer_encoding(SgipHttpHead *head, const char *value)
{
	const char *member;
	size_t		len;

	while ((member = next_member(&value, &len)) != NULL)
	{
		if (is_word(member, len, "chunked"))
			head->tells_end = true;
		else if (!is_word(member, len, "identity"))
			return "the answer has a transfer encoding that was not asked for";
	}
	return NULL;
}

/* Headers that count: kept as text, or taken by a function */
#define TEXT(header, member, truncate) \
	{.name = header, .offset = offsetof(SgipHttpHead, member), .size = sizeof(((SgipHttpHead *) NULL)->member), .cut = truncate}

static const struct
{
	const char *name;
	const char *(*take) (SgipHttpHead *head, const char *value);
	size_t		offset;
	size_t		size;
	bool		cut;			/* may be truncated */
}			fields[] = {

	TEXT("Retry-After", retry_after, false),
	TEXT("X-RateLimit-Limit", rate_limit, false),
	TEXT("X-RateLimit-Remaining", rate_remaining, false),
	TEXT("X-RateLimit-Reset", rate_reset, false),
	TEXT("Date", date, false),
	TEXT("Location", location, true),
	{.name = "Content-Length", .take = take_length},
	{.name = "Content-Encoding", .take = take_encoding},
	{.name = "Transfer-Encoding", .take = take_transfer_encoding},
	{.name = "Link", .take = read_link}
};

const char *
sgip_http_head_field(SgipHttpHead *head, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
	{
		if (strcasecmp(name, fields[i].name) != 0)
			continue;
		if (fields[i].take != NULL)
			return fields[i].take(head, value);
		copy_text((char *) head + fields[i].offset, fields[i].size, value, strlen(value), fields[i].cut);
		break;
	}
	return NULL;
}

const char *
sgip_http_head_end(SgipHttpHead *head, int status)
{
	head->status = status;
	/* we ask neither for ranges nor for deltas */
	if (status == 206 || status == 226)
		return "the answer is only a part of what was asked for";
	return NULL;
}

void
sgip_http_head_clear(SgipHttpHead *head)
{
	free(head->link_next);
	free(head->link_last);
	memset(head, 0, sizeof(*head));
}
