/*-------------------------------------------------------------------------
 *
 * json.c
 *		Reads one JSON answer as a stream of complete elements.
 *
 * The bytes of an answer pass through once.  What may stand between the
 * elements (white space, brackets, commas, the members of an enclosing
 * object) is read here, byte by byte, so that a document can be cut
 * anywhere.  An element is read in one of two ways:
 *
 *	in place	read_plain() walks a string, or a flat object of strings, and
 *				notes on that walk where its keys and values stand.  It takes
 *				only what needs no decoding, and never complains: what it does
 *				not take is "odd", and judged by the other way.
 *	as a tree	walk_value() finds the end of the element by its brackets and
 *				quotes alone, holding the limits of size and depth before
 *				anything is parsed; then jansson parses it.
 *
 * Since every refusal within an element comes from the second way, both give
 * the same verdict in the same words.  An element that is cut by the end of
 * the window is remembered by how far it was walked, so that the cost stays
 * linear however small the pieces are.
 *
 * An enclosing object is kept as text with its list emptied, {"a":1,"ips":[]},
 * and parsed by jansson twice: when the list begins, so that an error which
 * the API reports ahead of it is seen before any row, and when it closes.
 *
 * Left to others: what the members of an element mean (row.c), and what a
 * refusal becomes for the user (fetch.c).
 *
 * jansson keeps no number as it was written, and this API's prices must not
 * pass through a double.  So keep_numbers() puts into each parsed value, in
 * the place of every number, a string of a NUL byte and the text of the
 * number.  No string of the document can look like that: jansson refuses
 * \u0000.  A number beyond a double's range (1e999) is refused by jansson, a
 * long integer is not.
 *
 *-------------------------------------------------------------------------
 */
#include "json.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#if defined(__SSE2__) && !defined(SGIP_JSON_PORTABLE)
#include <emmintrin.h>
#define SGIP_JSON_SSE2
#endif

/* json_error_code() came with 2.11; members keep their order since 2.8 */
#if JANSSON_VERSION_HEX < 0x020b00
#error "jansson 2.11 or newer is needed"
#endif

/*
 * How jansson is to read.  JSON_DECODE_ANY: an element may be a string.
 * JSON_DECODE_INT_AS_REAL: integers past 64 bits are not refused; nothing is
 * lost by it, because the value that jansson computes is never looked at.
 */
#define PARSE_FLAGS \
	(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL)

/* First memory for an enclosing object; most are shorter than this */
#define REST_START_BYTES 512

/*
 * Room for the text of a problem: jansson's own is at most 160 bytes, ours
 * around it less than 100.  Longer names of members are cut.
 */
#define PROBLEM_BYTES 320

/* Longest name within a path of sgip_json_envelope; the API's have ten bytes */
#define PATH_NAME_BYTES 64

/* Numbers up to this length, which is nearly all, need no memory to be kept */
#define SHORT_NUMBER_BYTES 48

/* A step that handed nothing out; besides the values of SgipJsonResult */
#define GO_ON (SGIP_JSON_NO_MEMORY + 1)

/* What stands next in the document */
typedef enum Place
{
	AT_START,					/* perhaps a byte order mark */
	AT_TOP,						/* the document */
	IN_OBJECT,					/* more of the enclosing object */
	AT_FIRST,					/* an element, or the end of an empty list */
	AT_ELEMENT,					/* an element */
	AT_SEPARATOR,				/* a comma or the end of the list */
	AT_TAIL,					/* white space only */
	AT_REST						/* nothing: the last result stays */
} Place;

/* What stands next in the enclosing object, outside nested values */
typedef enum Expect
{
	EXPECT_KEY,
	EXPECT_COLON,
	EXPECT_VALUE,
	EXPECT_COMMA				/* or anything wrong: jansson will tell */
} Expect;

/* Where a walk by brackets and quotes stands; all zero before its first byte */
typedef struct Walk
{
	size_t		done;			/* bytes walked */
	int			depth;			/* open brackets */
	bool		in_string;
	bool		escaped;		/* the byte before was a backslash */
} Walk;

typedef enum WalkResult
{
	WALK_COMPLETE,				/* walk->done bytes are the value */
	WALK_SHORT,					/* the bytes ran out */
	WALK_DEEP					/* more open brackets than allowed */
} WalkResult;

typedef enum PlainResult
{
	PLAIN_DONE,					/* used in place */
	PLAIN_SHORT,				/* the bytes ran out */
	PLAIN_ODD					/* needs jansson, to be decoded or refused */
} PlainResult;

/* Text under construction; failed when memory ran out */
typedef struct Words
{
	char	   *text;
	size_t		len;
	bool		failed;
} Words;

struct SgipJsonReader
{
	/* given at open */
	SgipJsonShape shape;
	bool		force_tree;

	/* the bytes given to this call */
	const char *front;			/* the first */
	const char *at;				/* the next to be read */
	const char *end;			/* behind the last */
	bool		at_end;			/* nothing follows them */
	size_t		passed;			/* bytes of the document before the front */

	/* where we are */
	Place		place;
	bool		bracketed;		/* the elements stand between [ and ] */
	bool		enclosed;		/* ... which is a member of an object */
	long		count;			/* elements handed out */
	SgipJsonResult last;		/* AT_REST: the result that stays */

	/* the element that stands at the front, if it was incomplete */
	bool		cut;
	Walk		walk;

	/* the enclosing object: its text without the elements */
	char	   *rest;
	size_t		rest_len;
	size_t		rest_size;
	size_t		rest_byte;		/* position of its first byte */
	size_t		list_at;		/* where in it the elements were left out */
	size_t		list_bytes;		/* how many bytes were left out there */
	Walk		rest_walk;
	Expect		expect;
	size_t		key_at;			/* where in it the latest key begins ... */
	size_t		key_end;		/* ... and ends, quotes included */
	bool		at_list;		/* that key is the list's */
	bool		odd_list;		/* the list's value is no list */

	/* values handed out; freed by the next call, and by close */
	json_t	   *tree;			/* of the element */
	json_t	   *envelope;		/* of the enclosing object */

	/* what is wrong */
	char		problem[PROBLEM_BYTES];
	SgipRemoteError remote;
};

/*-------------------------------------------------------------------------
 * Refusals
 *-------------------------------------------------------------------------
 */

/* Position of a byte in the document; the first is 1, as people count */
static size_t
byte_number(const SgipJsonReader *reader, const char *p)
{
	return reader->passed + (size_t) (p - reader->front) + 1;
}

/* Lets *result be what every further call gives; returns it */
static int
rest_at(SgipJsonReader *reader, SgipJsonResult result)
{
	reader->place = AT_REST;
	reader->last = result;
	return (int) result;
}

/*
 * Says what is wrong with the document; returns SGIP_JSON_INVALID.  The text
 * may quote the document (jansson's does), so that whatever is not printable
 * ASCII is masked: the text goes into messages and logs.
 */
static int	refuse(SgipJsonReader *reader, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 2, 3)))
#endif
;

static int
refuse(SgipJsonReader *reader, const char *format,...)
{
	va_list		args;
	char	   *p;

	va_start(args, format);
	vsnprintf(reader->problem, sizeof(reader->problem), format, args);
	va_end(args);
	for (p = reader->problem; *p != '\0'; p++)
	{
		if ((unsigned char) *p < 0x20 || (unsigned char) *p > 0x7E)
			*p = '?';
	}
	return rest_at(reader, SGIP_JSON_INVALID);
}

/* Refuses the next byte, where something else was expected */
static int
refuse_byte(SgipJsonReader *reader, const char *expected)
{
	unsigned char c = (unsigned char) *reader->at;
	size_t		number = byte_number(reader, reader->at);

	if (c > 0x20 && c < 0x7F)
		return refuse(reader, "expected %s, found \"%c\" at byte %zu", expected, c, number);
	return refuse(reader, "expected %s, found 0x%02X at byte %zu", expected, c, number);
}

/* No byte is left where the document must go on */
static int
run_out(SgipJsonReader *reader)
{
	if (!reader->at_end)
		return SGIP_JSON_MORE;
	return refuse(reader, "the answer ends too early, after byte %zu",
				  byte_number(reader, reader->end) - 1);
}

/*-------------------------------------------------------------------------
 * Bytes and strings
 *-------------------------------------------------------------------------
 */

/* The first byte that is not white space, or end */
static inline const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/*
 * The first byte that is not plain within a string, or end: a quote, a
 * backslash, a control character, or one that is not ASCII.
 */
static inline const char *
skip_plain(const char *p, const char *end)
{
#ifdef SGIP_JSON_SSE2
	const __m128i space = _mm_set1_epi8(0x20);
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');

	while (end - p >= 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) p);
		__m128i		odd = _mm_cmplt_epi8(bytes, space); /* signed: 0x80.. too */
		unsigned	mask;

		odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, quote));
		odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, backslash));
		mask = (unsigned) _mm_movemask_epi8(odd);
		if (mask != 0)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#else
	const uint64_t ones = UINT64_C(0x0101010101010101);

	/* eight at a time; (x - ones) & ~x has a high bit if a byte of x is zero */
	while (end - p >= 8)
	{
		uint64_t	bytes;
		uint64_t	quote;
		uint64_t	backslash;
		uint64_t	odd;

		memcpy(&bytes, p, sizeof(bytes));
		quote = bytes ^ (ones * '"');
		backslash = bytes ^ (ones * '\\');
		odd = bytes | ((bytes - ones * 0x20) & ~bytes) |
			((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
		if ((odd & (ones * 0x80)) != 0)
			break;
		p += 8;
	}
#endif
	while (p < end && (unsigned char) *p >= 0x20 && (unsigned char) *p < 0x80 &&
		   *p != '"' && *p != '\\')
		p++;
	return p;
}

/*
 * Behind the UTF-8 sequence that begins at p; end if it is cut there, NULL if
 * it is none: overlong, a surrogate, past U+10FFFF (RFC 3629, table 3-7 of
 * the Unicode standard; jansson's rule is the same).
 */
static const char *
skip_utf8(const char *p, const char *end)
{
	unsigned char first = (unsigned char) *p;
	unsigned char low = 0x80;
	unsigned char high = 0xBF;
	int			more;

	if (first >= 0xC2 && first <= 0xDF)
		more = 1;
	else if (first >= 0xE0 && first <= 0xEF)
		more = 2;
	else if (first >= 0xF0 && first <= 0xF4)
		more = 3;
	else
		return NULL;

	/* only the second byte has a narrower range */
	if (first == 0xE0)
		low = 0xA0;
	else if (first == 0xED)
		high = 0x9F;
	else if (first == 0xF0)
		low = 0x90;
	else if (first == 0xF4)
		high = 0x8F;

	for (p++; more > 0; more--, p++)
	{
		if (p == end)
			return end;
		if ((unsigned char) *p < low || (unsigned char) *p > high)
			return NULL;
		low = 0x80;
		high = 0xBF;
	}
	return p;
}

/*
 * The closing quote of the string whose inside begins at p; end if the bytes
 * run out, NULL if the string cannot be used as it stands.
 */
static inline const char *
find_quote(const char *p, const char *end)
{
	for (;;)
	{
		p = skip_plain(p, end);
		if (p == end || *p == '"')
			return p;
		if ((unsigned char) *p < 0x80)
			return NULL;
		p = skip_utf8(p, end);
		if (p == NULL)
			return NULL;
	}
}

/*-------------------------------------------------------------------------
 * Elements in place
 *-------------------------------------------------------------------------
 */

/* Takes a plain string at *p, which moves behind it */
static inline PlainResult
take_string(const char **p, const char *end, SgipSpan *span)
{
	const char *quote;

	if (*p == end)
		return PLAIN_SHORT;
	if (**p != '"')
		return PLAIN_ODD;
	quote = find_quote(*p + 1, end);
	if (quote == NULL)
		return PLAIN_ODD;
	if (quote == end)
		return PLAIN_SHORT;
	span->data = *p + 1;
	span->len = (size_t) (quote - span->data);
	*p = quote + 1;
	return PLAIN_DONE;
}

/* Takes the colon at *p with the space around it */
static inline PlainResult
take_colon(const char **p, const char *end)
{
	*p = skip_space(*p, end);
	if (*p == end)
		return PLAIN_SHORT;
	if (**p != ':')
		return PLAIN_ODD;
	*p = skip_space(*p + 1, end);
	return PLAIN_DONE;
}

/* Is the key of the latest member that of an earlier one? */
static inline bool
repeats_key(const SgipElement *element, int latest)
{
	const SgipSpan *key = &element->members[latest].key;
	int			i;

	for (i = 0; i < latest; i++)
	{
		const SgipSpan *other = &element->members[i].key;

		if (other->len == key->len && memcmp(other->data, key->data, key->len) == 0)
			return true;
	}
	return false;
}

/*
 * Takes a flat object at *p: members are plain strings, few, and of different
 * names.
 */
static inline PlainResult
take_flat(const char **p, const char *end, SgipElement *element)
{
	int			n = 0;

	*p = skip_space(*p + 1, end);
	if (*p < end && **p == '}')
		(*p)++;
	else
	{
		for (;;)
		{
			PlainResult result;

			if (n == SGIP_JSON_MAX_FLAT)
				return PLAIN_ODD;
			if ((result = take_string(p, end, &element->members[n].key)) != PLAIN_DONE ||
				(result = take_colon(p, end)) != PLAIN_DONE ||
				(result = take_string(p, end, &element->members[n].value)) != PLAIN_DONE)
				return result;
			if (repeats_key(element, n))
				return PLAIN_ODD;
			n++;
			*p = skip_space(*p, end);
			if (*p == end)
				return PLAIN_SHORT;
			if (**p == '}')
				break;
			if (**p != ',')
				return PLAIN_ODD;
			*p = skip_space(*p + 1, end);
		}
		(*p)++;
	}
	element->form = SGIP_ELEMENT_FLAT;
	element->member_count = n;
	return PLAIN_DONE;
}

/* Takes the element at *p if it can be used in place; *p moves behind it */
static inline PlainResult
read_plain(const char **p, const char *end, SgipElement *element)
{
	if (**p == '{')
		return take_flat(p, end, element);
	element->form = SGIP_ELEMENT_STRING;
	return take_string(p, end, &element->string);
}

/*
 * Is the plain key that text?  Names are short: a call of strncmp() would cost
 * more than this.  A plain key holds no NUL, so that the loop ends within both.
 */
static inline bool
span_is(const SgipSpan *key, const char *text)
{
	size_t		i;

	for (i = 0; i < key->len; i++)
	{
		if (text[i] != key->data[i])
			return false;
	}
	return text[key->len] == '\0';
}

/*-------------------------------------------------------------------------
 * Elements as trees
 *-------------------------------------------------------------------------
 */

/*
 * Takes note of one byte outside strings.  False if it opens one bracket too
 * many.
 */
static inline bool
walk_byte(Walk *walk, char c)
{
	if (c == '"')
		walk->in_string = true;
	else if (c == '{' || c == '[')
		return ++walk->depth <= SGIP_JSON_MAX_DEPTH;
	else if (c == '}' || c == ']')
		walk->depth--;
	return true;
}

/* Takes note of one byte within a string; the opening quote is not part of it */
static inline void
walk_string_byte(Walk *walk, char c)
{
	if (walk->escaped)
		walk->escaped = false;
	else if (c == '\\')
		walk->escaped = true;
	else if (c == '"')
		walk->in_string = false;
}

/*
 * Goes on looking for the end of a string or object, by quotes and brackets
 * alone.  If the value is valid, this is its end; if it is not, it is still
 * invalid when cut there.
 */
static WalkResult
walk_value(Walk *walk, const char *text, size_t len)
{
	const char *end = text + len;
	const char *p = text + walk->done;
	WalkResult	result = WALK_SHORT;

	while (p < end && result == WALK_SHORT)
	{
		if (walk->in_string)
		{
			if (!walk->escaped && (p = skip_plain(p, end)) == end)
				break;
			walk_string_byte(walk, *p++);
		}
		else if (!walk_byte(walk, *p++))
			result = WALK_DEEP;
		if (!walk->in_string && walk->depth <= 0 && result == WALK_SHORT)
			result = WALK_COMPLETE;
	}
	walk->done = (size_t) (p - text);
	return result;
}

/* One byte on, but not beyond the end */
static inline const char *
skip_byte(const char *p, const char *end)
{
	return p < end ? p + 1 : end;
}

/* Behind the string that begins at p, in text that jansson accepted */
static const char *
skip_string(const char *p, const char *end)
{
	for (p = skip_byte(p, end); p < end && *p != '"'; p++)
	{
		if (*p == '\\' && end - p > 1)
			p++;
	}
	return skip_byte(p, end);
}

/* The next value or closing bracket from p on, in text that jansson accepted */
static const char *
skip_filler(const char *p, const char *end)
{
	while (p < end && strchr(" \n\r\t,:", *p) != NULL)
		p++;
	return p;
}

/* Behind the number or word that begins at p, in text that jansson accepted */
static const char *
skip_word(const char *p, const char *end)
{
	while (p < end && strchr(" \n\r\t,]}", *p) == NULL)
		p++;
	return p;
}

/* What stands in for a number; NULL when out of memory */
static json_t *
number_new(const char *text, size_t len)
{
	char		buffer[SHORT_NUMBER_BYTES + 1];
	char	   *marked = buffer;
	json_t	   *number;

	if (len > SHORT_NUMBER_BYTES && (marked = malloc(len + 1)) == NULL)
		return NULL;
	marked[0] = '\0';
	memcpy(marked + 1, text, len);
	number = json_stringn_nocheck(marked, len + 1);
	if (marked != buffer)
		free(marked);
	return number;
}

static bool keep_numbers(json_t *value, const char **p, const char *end);

/*
 * Reads past the item at *p.  If it is a number, *number becomes what stands
 * in for it.  False when out of memory.
 */
static bool
keep_item(json_t *item, const char **p, const char *end, json_t **number)
{
	const char *start = *p;

	*number = NULL;
	if (json_is_object(item) || json_is_array(item))
		return keep_numbers(item, p, end);
	if (json_is_string(item))
	{
		*p = skip_string(start, end);
		return true;
	}
	*p = skip_word(start, end);
	if (!json_is_number(item))
		return true;
	*number = number_new(start, (size_t) (*p - start));
	return *number != NULL;
}

/*
 * Walks an object or array together with its text, which stands at *p, and
 * puts what was written in the place of every number.  Members come in the
 * order of the text.  The depth was limited before.  False when out of
 * memory.
 */
static bool
keep_numbers(json_t *value, const char **p, const char *end)
{
	json_t	   *number;
	size_t		i;
	void	   *member;

	*p = skip_filler(skip_byte(*p, end), end);
	for (i = 0; i < json_array_size(value); i++, *p = skip_filler(*p, end))
	{
		if (!keep_item(json_array_get(value, i), p, end, &number))
			return false;
		if (number != NULL && json_array_set_new(value, i, number) != 0)
			return false;
	}
	for (member = json_object_iter(value); member != NULL;
		 member = json_object_iter_next(value, member), *p = skip_filler(*p, end))
	{
		*p = skip_filler(skip_string(*p, end), end);
		if (!keep_item(json_object_iter_value(member), p, end, &number))
			return false;
		if (number != NULL && json_object_iter_set_new(value, member, number) != 0)
			return false;
	}
	*p = skip_byte(*p, end);
	return true;
}

/* Fills in an error as jansson does, "offset" bytes being well */
static void
set_error(json_error_t *error, const char *text, size_t offset)
{
	memset(error, 0, sizeof(*error));
	snprintf(error->text, sizeof(error->text), "%s", text);
	error->position = (int) offset + 1;
}

/*
 * Parses the whole of a string or object.  NULL if it is not valid or memory
 * ran out: out_of_memory() of *error tells.
 *
 * jansson loses a NUL byte that it has to look at twice, the one behind a
 * number or a word, and so accepts [1<NUL>].  We do not.  That both read the
 * text alike is checked in the end, should there be more of that kind.
 */
static json_t *
parse(const char *text, size_t len, json_error_t *error)
{
	const char *nul = memchr(text, '\0', len);
	const char *p = text;
	json_t	   *value;
	bool		kept;

	if (nul != NULL)
	{
		set_error(error, "a NUL byte", (size_t) (nul - text));
		return NULL;
	}
	value = json_loadb(text, len, PARSE_FLAGS, error);
	if (!json_is_object(value))
		return value;
	kept = keep_numbers(value, &p, text + len);
	if (kept && p == text + len)
		return value;
	set_error(error, kept ? "unclear text" : "", 0);
	json_decref(value);
	return NULL;
}

/*
 * Did parse() fail for want of memory?  jansson then mostly leaves no text.
 * (Its lexer may call it an invalid token; a failure it is all the same.)
 */
static bool
out_of_memory(const json_error_t *error)
{
	return error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory;
}

/*
 * How far into the text parse() failed.  jansson counts the bytes it has
 * read: the last of them belongs to the token that it complains about, or
 * stands right before a byte that can be in none.
 */
static size_t
error_offset(const json_error_t *error)
{
	return error->position > 0 ? (size_t) error->position - 1 : 0;
}

/* Parses an element of that text for handing out */
static int
read_tree(SgipJsonReader *reader, const char *text, size_t len, SgipElement *element)
{
	json_error_t error;

	reader->tree = parse(text, len, &error);
	if (reader->tree == NULL)
	{
		if (out_of_memory(&error))
			return rest_at(reader, SGIP_JSON_NO_MEMORY);
		return refuse(reader, "element %ld, at byte %zu, is not valid JSON: %s (near byte %zu)",
					  reader->count + 1, byte_number(reader, text), error.text,
					  byte_number(reader, text) + error_offset(&error));
	}
	if (json_is_string(reader->tree))
	{
		element->form = SGIP_ELEMENT_STRING;
		element->string.data = json_string_value(reader->tree);
		element->string.len = json_string_length(reader->tree);
	}
	else
	{
		element->form = SGIP_ELEMENT_TREE;
		element->tree = reader->tree;
	}
	return SGIP_JSON_ELEMENT;
}

/*-------------------------------------------------------------------------
 * The list
 *-------------------------------------------------------------------------
 */

/* The element of that text is complete: moves behind it and hands it out */
static inline int
hand_out(SgipJsonReader *reader, const char *text, const char *end, SgipElement *element)
{
	element->number = ++reader->count;
	element->raw.data = text;
	element->raw.len = (size_t) (end - text);
	reader->at = end;
	reader->place = AT_SEPARATOR;
	reader->cut = false;
	return SGIP_JSON_ELEMENT;
}

/* The element at the front is not complete in the bytes we may look at */
static int
wait_for_element(SgipJsonReader *reader)
{
	if ((size_t) (reader->end - reader->at) > SGIP_JSON_MAX_ELEMENT_BYTES)
		return refuse(reader, "element %ld, at byte %zu, is larger than %d bytes",
					  reader->count + 1, byte_number(reader, reader->at),
					  SGIP_JSON_MAX_ELEMENT_BYTES);
	if (!reader->cut)
	{
		reader->cut = true;
		memset(&reader->walk, 0, sizeof(reader->walk));
	}
	return run_out(reader);
}

/*
 * Reads an element that may have been cut before, or that is known not to be
 * plain: first its end, then what is in it.
 */
static int
read_walked(SgipJsonReader *reader, const char *limit, bool plain, SgipElement *element)
{
	const char *text = reader->at;
	const char *p = text;
	int			result;

	if (!reader->cut)
		memset(&reader->walk, 0, sizeof(reader->walk));
	switch (walk_value(&reader->walk, text, (size_t) (limit - text)))
	{
		case WALK_SHORT:
			reader->cut = true;
			return wait_for_element(reader);
		case WALK_DEEP:
			return refuse(reader, "element %ld, at byte %zu, is nested deeper than %d levels",
						  reader->count + 1, byte_number(reader, text),
						  SGIP_JSON_MAX_DEPTH);
		case WALK_COMPLETE:
			break;
	}
	limit = text + reader->walk.done;
	if (plain && read_plain(&p, limit, element) == PLAIN_DONE)
		return hand_out(reader, text, limit, element);
	result = read_tree(reader, text, (size_t) (limit - text), element);
	if (result == SGIP_JSON_ELEMENT)
		hand_out(reader, text, limit, element);
	return result;
}

/* Reads the element that begins with the next byte */
static inline int
read_element(SgipJsonReader *reader, SgipElement *element)
{
	const char *text = reader->at;
	const char *limit = reader->end;
	const char *p = text;

	if (*text != '{' && *text != '"')
	{
		if (strchr("[-0123456789tfn", *text) == NULL || *text == '\0')
			return refuse_byte(reader, "an element");
		return refuse(reader, "element %ld, at byte %zu, is neither a string nor an object",
					  reader->count + 1, byte_number(reader, text));
	}
	if ((size_t) (limit - text) > SGIP_JSON_MAX_ELEMENT_BYTES)
		limit = text + SGIP_JSON_MAX_ELEMENT_BYTES;
	if (reader->cut)
		return read_walked(reader, limit, !reader->force_tree, element);
	if (reader->force_tree)
		return read_walked(reader, limit, false, element);
	switch (read_plain(&p, limit, element))
	{
		case PLAIN_DONE:
			return hand_out(reader, text, p, element);
		case PLAIN_SHORT:
			return wait_for_element(reader);
		case PLAIN_ODD:
			break;
	}
	return read_walked(reader, limit, false, element);
}

/* Goes on behind the closing bracket of the list */
static int
close_list(SgipJsonReader *reader)
{
	if (reader->enclosed)
	{
		/* the bracket itself is read as part of the enclosing object */
		reader->list_bytes = byte_number(reader, reader->at) -
			(reader->rest_byte + reader->list_at);
		reader->place = IN_OBJECT;
	}
	else
	{
		reader->at++;
		reader->place = AT_TAIL;
	}
	return GO_ON;
}

/* Reads what stands next in the list: separators, an element, its end */
static inline int
read_list(SgipJsonReader *reader, SgipElement *element)
{
	if (reader->place == AT_SEPARATOR)
	{
		reader->at = skip_space(reader->at, reader->end);
		if (reader->at == reader->end)
		{
			if (!reader->bracketed && reader->at_end)
				return rest_at(reader, SGIP_JSON_END);
			return run_out(reader);
		}
		if (*reader->at == ']' && reader->bracketed)
			return close_list(reader);
		if (*reader->at != ',')
			return refuse_byte(reader, reader->bracketed ?
							   "\",\" or \"]\" behind an element" :
							   "\",\" or the end behind an element");
		reader->at++;
		reader->place = AT_ELEMENT;
	}
	reader->at = skip_space(reader->at, reader->end);
	if (reader->at == reader->end)
		return run_out(reader);
	if (*reader->at == ']' && reader->place == AT_FIRST)
		return close_list(reader);
	return read_element(reader, element);
}

/*-------------------------------------------------------------------------
 * Values
 *-------------------------------------------------------------------------
 */

/* A parsed value as others see it; NULL is an absent one */
static SgipValue
value_of(const json_t *node)
{
	SgipValue	value = {SGIP_VALUE_ABSENT, {NULL, 0}, NULL};

	if (node == NULL)
		return value;
	switch (json_typeof(node))
	{
		case JSON_NULL:
			value.kind = SGIP_VALUE_NULL;
			break;
		case JSON_STRING:
			value.kind = SGIP_VALUE_STRING;
			value.text.data = json_string_value(node);
			value.text.len = json_string_length(node);
			if (value.text.len > 0 && value.text.data[0] == '\0')
			{
				value.kind = SGIP_VALUE_LITERAL;
				value.text.data++;
				value.text.len--;
			}
			break;
		case JSON_TRUE:
		case JSON_FALSE:
			value.kind = SGIP_VALUE_LITERAL;
			value.text.data = json_is_true(node) ? "true" : "false";
			value.text.len = strlen(value.text.data);
			break;
		case JSON_ARRAY:
			value.kind = SGIP_VALUE_LIST;
			value.node = node;
			break;
		case JSON_OBJECT:
			value.kind = SGIP_VALUE_OBJECT;
			value.node = node;
			break;
		case JSON_INTEGER:
		case JSON_REAL:
			break;				/* keep_numbers() left none */
	}
	return value;
}

/*-------------------------------------------------------------------------
 * The API's errors
 *-------------------------------------------------------------------------
 */

/* Is this member a text, and if so, that one? */
static bool
member_is(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL && strcmp(value, text) == 0;
}

/*
 * Is this object the API's way to report an error?  An "error" that is not
 * null, "errors" that are not empty, or "message" that says "error": what the
 * v2 and v3 APIs are known to send, in part under HTTP status 200.
 */
static bool
is_error(const json_t *object)
{
	const json_t *error = json_object_get(object, "error");
	const json_t *errors = json_object_get(object, "errors");
	SgipValue	words = value_of(errors);

	if (error != NULL && !json_is_null(error))
		return true;
	if (json_array_size(errors) > 0 || json_object_size(errors) > 0 ||
		(words.kind == SGIP_VALUE_STRING && words.text.len > 0))
		return true;
	return member_is(object, "message", "error");
}

/* Adds bytes to the text, and keeps it terminated */
static void
append(Words *words, const char *data, size_t len)
{
	char	   *text = words->failed ? NULL : realloc(words->text, words->len + len + 1);

	if (text == NULL)
	{
		words->failed = true;
		return;
	}
	memcpy(text + words->len, data, len);
	words->len += len;
	text[words->len] = '\0';
	words->text = text;
}

/* Adds a message, set off from those before and led by what it is about */
static void
append_message(Words *words, SgipValue field, SgipValue message)
{
	if (words->len > 0)
		append(words, "; ", 2);
	if (field.text.len > 0)
	{
		append(words, field.text.data, field.text.len);
		append(words, ": ", 2);
	}
	append(words, message.text.data, message.text.len);
}

/* Adds what one reported error says, in whatever form it comes */
static void
append_error(Words *words, const json_t *error)
{
	SgipValue	none = value_of(NULL);
	size_t		i;

	for (i = 0; i < json_array_size(error); i++)
		append_error(words, json_array_get(error, i));
	if (json_is_object(error))
	{
		SgipValue	message = value_of(json_object_get(error, "message"));

		if (message.text.len > 0)
			append_message(words, value_of(json_object_get(error, "field")), message);
	}
	else if (value_of(error).text.len > 0)
		append_message(words, none, value_of(error));
}

/* The "code" of an error object if it is a number that fits, else 0 */
static int
error_code(const json_t *error)
{
	SgipValue	code = value_of(json_object_get(error, "code"));
	long		number;

	if (code.text.len == 0)
		return 0;
	number = strtol(code.text.data, NULL, 10);
	return number > 0 && number < INT_MAX ? (int) number : 0;
}

/*
 * What an error object says.  Its "message" counts only if there is nothing
 * better, because it may be just "error".  False when out of memory.
 */
static bool
describe_error(const json_t *object, SgipRemoteError *remote)
{
	Words		words = {NULL, 0, false};

	append_error(&words, json_object_get(object, "error"));
	append_error(&words, json_object_get(object, "errors"));
	if (words.len == 0)
		append_error(&words, json_object_get(object, "message"));
	if (words.len == 0)
		append(&words, "error", 5);
	if (words.failed)
	{
		free(words.text);
		return false;
	}
	remote->code = error_code(json_object_get(object, "error"));
	remote->text = words.text;
	return true;
}

/* Ends the document with what the API said in the object */
static int
report_error(SgipJsonReader *reader, const json_t *object)
{
	if (!describe_error(object, &reader->remote))
		return rest_at(reader, SGIP_JSON_NO_MEMORY);
	return rest_at(reader, SGIP_JSON_REMOTE_ERROR);
}

/*-------------------------------------------------------------------------
 * The enclosing object
 *-------------------------------------------------------------------------
 */

/* Keeps one byte of the enclosing object */
static int
keep_byte(SgipJsonReader *reader, char c)
{
	if (reader->rest_len == SGIP_JSON_MAX_ELEMENT_BYTES)
		return refuse(reader, "the object at byte %zu is larger than %d bytes",
					  reader->rest_byte, SGIP_JSON_MAX_ELEMENT_BYTES);
	if (reader->rest_len == reader->rest_size)
	{
		size_t		size = reader->rest_size > 0 ? 2 * reader->rest_size : REST_START_BYTES;
		char	   *rest = realloc(reader->rest, size);

		if (rest == NULL)
			return rest_at(reader, SGIP_JSON_NO_MEMORY);
		reader->rest = rest;
		reader->rest_size = size;
	}
	reader->rest[reader->rest_len++] = c;
	return GO_ON;
}

/* Parses the enclosing object, or as much of it as makes one */
static int
parse_rest(SgipJsonReader *reader, const char *text, size_t len, json_t **value)
{
	json_error_t error;
	size_t		position;

	*value = parse(text, len, &error);
	if (*value != NULL)
		return GO_ON;
	if (out_of_memory(&error))
		return rest_at(reader, SGIP_JSON_NO_MEMORY);
	position = reader->rest_byte + error_offset(&error);
	if (reader->enclosed && error_offset(&error) >= reader->list_at)
		position += reader->list_bytes;
	return refuse(reader, "the object at byte %zu is not valid JSON: %s (near byte %zu)",
				  reader->rest_byte, error.text, position);
}

/* Is the latest key that of the list?  Escapes are decoded: \u0069ps is ips */
static bool
key_is_list(const SgipJsonReader *reader)
{
	const char *key = reader->rest + reader->key_at;
	size_t		len = reader->key_end - reader->key_at;
	const char *list_key = reader->shape.list_key;
	json_t	   *decoded;
	bool		same;

	if (list_key == NULL)
		return false;
	if (memchr(key, '\\', len) == NULL)
		return len == strlen(list_key) + 2 && memcmp(key + 1, list_key, len - 2) == 0;
	decoded = json_loadb(key, len, JSON_DECODE_ANY, NULL);
	same = decoded != NULL && strcmp(json_string_value(decoded), list_key) == 0;
	json_decref(decoded);
	return same;
}

/*
 * The list begins: its opening bracket was kept.  What came before it must be
 * valid and must not be an error.
 */
static int
open_list(SgipJsonReader *reader)
{
	static const char closing[] = {']', '}'};
	char	   *head;
	json_t	   *value;
	int			result;

	if (reader->enclosed)
		return refuse(reader, "a second \"%s\" at byte %zu", reader->shape.list_key,
					  byte_number(reader, reader->at));
	if ((head = malloc(reader->rest_len + sizeof(closing))) == NULL)
		return rest_at(reader, SGIP_JSON_NO_MEMORY);
	memcpy(head, reader->rest, reader->rest_len);
	memcpy(head + reader->rest_len, closing, sizeof(closing));
	result = parse_rest(reader, head, reader->rest_len + sizeof(closing), &value);
	free(head);
	if (result != GO_ON)
		return result;
	if (is_error(value))
		result = report_error(reader, value);
	else
	{
		reader->enclosed = true;
		reader->bracketed = true;
		reader->list_at = reader->rest_len;
		reader->place = AT_FIRST;
	}
	json_decref(value);
	return result;
}

/* The enclosing object is complete: what is it? */
static int
close_object(SgipJsonReader *reader, SgipElement *element)
{
	const char *list_key = reader->shape.list_key;
	const char *row_key = reader->shape.row_key;
	int			result;

	result = parse_rest(reader, reader->rest, reader->rest_len, &reader->envelope);
	if (result != GO_ON)
		return result;
	if (is_error(reader->envelope))
		return report_error(reader, reader->envelope);
	if (reader->odd_list)
		return refuse(reader, "\"%s\" is not a list", list_key);
	if (reader->enclosed)
	{
		/* our own empty list, not the API's */
		json_object_del(reader->envelope, list_key);
		reader->place = AT_TAIL;
		return GO_ON;
	}
	if (list_key == NULL && row_key == NULL)
		return refuse(reader, "expected a list, found an object at byte %zu", reader->rest_byte);
	if (row_key == NULL || json_object_get(reader->envelope, row_key) == NULL)
		return refuse(reader, "the object at byte %zu has no \"%s\"", reader->rest_byte,
					  list_key != NULL ? list_key : row_key);

	/* the first, or only, row of a list without brackets */
	reader->tree = reader->envelope;
	reader->envelope = NULL;
	element->form = SGIP_ELEMENT_TREE;
	element->tree = reader->tree;
	result = hand_out(reader, reader->at, reader->at, element);
	element->raw.data = reader->rest;
	element->raw.len = reader->rest_len;
	return result;
}

/*
 * Takes note of one byte that stands directly in the enclosing object, outside
 * strings and nested values, looking for the key and value of the list.  Does
 * not judge: a missing comma only means that no key is seen until jansson
 * finds it missing.
 */
static int
note_byte(SgipJsonReader *reader, char c)
{
	Expect		expected = reader->expect;

	if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
		return GO_ON;
	reader->expect = EXPECT_COMMA;
	switch (expected)
	{
		case EXPECT_KEY:
			if (c == '"')
			{
				reader->key_at = reader->rest_len - 1;
				reader->expect = EXPECT_COLON;
			}
			break;
		case EXPECT_COLON:
			if (c == ':')
			{
				reader->at_list = key_is_list(reader);
				reader->expect = EXPECT_VALUE;
			}
			break;
		case EXPECT_VALUE:
			if (reader->at_list && c == '[')
				return open_list(reader);
			reader->odd_list |= reader->at_list;
			break;
		case EXPECT_COMMA:
			if (c == ',')
				reader->expect = EXPECT_KEY;
			break;
	}
	return GO_ON;
}

/*
 * Keeps and notes the next byte of the enclosing object.  Within a string no
 * byte matters but its end, which is the end of a key if a colon is expected.
 */
static int
read_object_byte(SgipJsonReader *reader)
{
	Walk	   *walk = &reader->rest_walk;
	char		c = *reader->at;
	int			result = keep_byte(reader, c);

	if (result != GO_ON)
		return result;
	if (walk->in_string)
	{
		walk_string_byte(walk, c);
		if (!walk->in_string && reader->expect == EXPECT_COLON)
			reader->key_end = reader->rest_len;
		return GO_ON;
	}
	if (!walk_byte(walk, c))
		return refuse(reader, "the object at byte %zu is nested deeper than %d levels",
					  reader->rest_byte, SGIP_JSON_MAX_DEPTH);
	if (walk->depth == 1 || (walk->depth == 2 && (c == '[' || c == '{')))
		return note_byte(reader, c);
	return GO_ON;
}

/* Reads on in the enclosing object, until its list begins or it is complete */
static int
read_object(SgipJsonReader *reader, SgipElement *element)
{
	while (reader->at < reader->end)
	{
		int			result = read_object_byte(reader);

		if (result != GO_ON)
			return result;
		reader->at++;
		if (reader->rest_walk.depth == 0)
			return close_object(reader, element);
		if (reader->place != IN_OBJECT)
			return GO_ON;
	}
	return run_out(reader);
}

/*-------------------------------------------------------------------------
 * The document
 *-------------------------------------------------------------------------
 */

/* Reads past a byte order mark, which may be cut as well */
static int
read_mark(SgipJsonReader *reader)
{
	static const char mark[] = {'\xEF', '\xBB', '\xBF'};
	size_t		len = (size_t) (reader->end - reader->at);
	size_t		n = 0;

	while (n < sizeof(mark) && n < len && reader->at[n] == mark[n])
		n++;
	if (n == len && n < sizeof(mark) && !reader->at_end)
		return SGIP_JSON_MORE;
	if (n == sizeof(mark))
		reader->at += n;
	reader->place = AT_TOP;
	return GO_ON;
}

/* Reads what kind of document it is */
static int
read_top(SgipJsonReader *reader)
{
	reader->at = skip_space(reader->at, reader->end);
	if (reader->at == reader->end)
		return reader->at_end ? refuse(reader, "the answer is empty") : SGIP_JSON_MORE;
	switch (*reader->at)
	{
		case '[':
			reader->at++;
			reader->bracketed = true;
			reader->place = AT_FIRST;
			return GO_ON;
		case '{':
			reader->rest_byte = byte_number(reader, reader->at);
			reader->place = IN_OBJECT;
			/* the bracket itself is no key */
			reader->expect = EXPECT_KEY;
			reader->rest_walk.depth = 1;
			reader->at++;
			return keep_byte(reader, '{');
		case '"':
			reader->place = AT_ELEMENT;
			return GO_ON;
	}
	return refuse_byte(reader, "JSON");
}

/* Reads what follows the document, which must be nothing */
static int
read_tail(SgipJsonReader *reader)
{
	reader->at = skip_space(reader->at, reader->end);
	if (reader->at < reader->end)
		return refuse_byte(reader, "the end of the answer");
	return reader->at_end ? rest_at(reader, SGIP_JSON_END) : SGIP_JSON_MORE;
}

/* Reads what stands next, whatever it is */
static inline int
read_next(SgipJsonReader *reader, SgipElement *element)
{
	switch (reader->place)
	{
		case AT_FIRST:
		case AT_ELEMENT:
		case AT_SEPARATOR:
			return read_list(reader, element);
		case AT_START:
			return read_mark(reader);
		case AT_TOP:
			return read_top(reader);
		case IN_OBJECT:
			return read_object(reader, element);
		case AT_TAIL:
			return read_tail(reader);
		case AT_REST:
			break;
	}
	return (int) reader->last;
}

/*-------------------------------------------------------------------------
 * The contract of json.h
 *-------------------------------------------------------------------------
 */

SgipJsonReader *
sgip_json_open(const SgipJsonShape *shape, bool force_tree)
{
	SgipJsonReader *reader = calloc(1, sizeof(SgipJsonReader));

	if (reader != NULL)
	{
		reader->shape = *shape;
		reader->force_tree = force_tree;
	}
	return reader;
}

void
sgip_json_close(SgipJsonReader *reader)
{
	if (reader == NULL)
		return;
	json_decref(reader->tree);
	json_decref(reader->envelope);
	free(reader->rest);
	free(reader->remote.text);
	free(reader);
}

SgipJsonResult
sgip_json_next(SgipJsonReader *reader, const char *data, size_t len, bool at_end,
			   size_t *consumed, SgipElement *element)
{
	int			result;

	if (reader->tree != NULL)
	{
		json_decref(reader->tree);
		reader->tree = NULL;
	}
	reader->front = data != NULL ? data : "";
	reader->at = reader->front;
	reader->end = reader->front + len;
	reader->at_end = at_end;
	do
		result = read_next(reader, element);
	while (result == GO_ON);
	*consumed = (size_t) (reader->at - reader->front);
	reader->passed += *consumed;
	return (SgipJsonResult) result;
}

const char *
sgip_json_problem(const SgipJsonReader *reader)
{
	return reader->problem;
}

bool
sgip_json_is_bare(const SgipJsonReader *reader)
{
	return !reader->bracketed;
}

const SgipRemoteError *
sgip_json_remote_error(const SgipJsonReader *reader)
{
	return &reader->remote;
}

SgipValue
sgip_json_envelope(const SgipJsonReader *reader, const char *path)
{
	const json_t *node = reader->envelope;

	while (node != NULL && *path != '\0')
	{
		char		name[PATH_NAME_BYTES];
		size_t		len = strcspn(path, ".");

		if (len >= sizeof(name))
			return value_of(NULL);
		memcpy(name, path, len);
		name[len] = '\0';
		node = json_object_get(node, name);
		path += len;
		path += *path == '.';
	}
	return value_of(node);
}

SgipValue
sgip_json_member(const SgipElement *element, const char *key, int *hint)
{
	SgipValue	value = {SGIP_VALUE_STRING, {NULL, 0}, NULL};
	int			tried;
	int			i = *hint;

	if (element->form == SGIP_ELEMENT_TREE)
		return value_of(json_object_get(element->tree, key));
	if (element->form == SGIP_ELEMENT_STRING)
	{
		value.text = element->string;
		return value;
	}
	for (tried = 0; tried < element->member_count; tried++, i++)
	{
		const SgipSpan *name;

		if (i < 0 || i >= element->member_count)
			i = 0;
		name = &element->members[i].key;
		if (span_is(name, key))
		{
			*hint = i;
			value.text = element->members[i].value;
			return value;
		}
	}
	value.kind = SGIP_VALUE_ABSENT;
	return value;
}

size_t
sgip_json_list_length(const SgipValue *list)
{
	return json_array_size(list->node);
}

SgipValue
sgip_json_list_item(const SgipValue *list, size_t index)
{
	return value_of(json_array_get(list->node, index));
}

SgipValue
sgip_json_object_member(const SgipValue *object, const char *key)
{
	return value_of(json_object_get(object->node, key));
}

bool
sgip_json_parse_error(const char *data, size_t len, SgipRemoteError *error)
{
	SgipJsonShape shape = {NULL, NULL};
	SgipJsonReader *reader = sgip_json_open(&shape, false);
	SgipElement element;
	size_t		consumed;
	bool		found = false;

	if (reader == NULL)
		return false;

	/* such an object ends any document; what must not follow it is more */
	if (sgip_json_next(reader, data, len, true, &consumed, &element) == SGIP_JSON_REMOTE_ERROR &&
		skip_space(data + consumed, data + len) == data + len)
	{
		*error = reader->remote;
		reader->remote.text = NULL;
		found = true;
	}
	sgip_json_close(reader);
	return found;
}

const char *
sgip_json_version(void)
{
#if JANSSON_VERSION_HEX >= 0x020d00
	return jansson_version_str();
#else
	return JANSSON_VERSION;
#endif
}
