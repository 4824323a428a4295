/*-------------------------------------------------------------------------
 *
 * json.c
 *		Reads one JSON answer as a stream of complete elements.
 *
 * The bytes of an answer pass through once.  What may stand between the
 * elements (white space, brackets, commas, the members of an enclosing
 * object) is read here, byte by byte, so that a document can be cut
 * anywhere.  An element is read in one of two ways, which put the same nodes
 * onto a tape:
 *
 *	in place	plain.c walks through what needs no decoding, and notes on
 *				that walk where its keys and values stand.  It never
 *				fails: what it does not take, for whatever reason, is
 *				judged by the other way.
 *	as a tree	walk_value() finds the end of the element by its brackets and
 *				quotes alone, holding the limits of size and depth before
 *				anything is parsed; then jansson parses it (tree.c).
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
 * Left to others: what the members of an element mean (decode.c), and
 * which error a refusal becomes (answer.c, report.c).
 *
 *-------------------------------------------------------------------------
 */
#include "json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/plain.h"
#include "json/tree.h"

/*
 * Room for the text of a problem: that of a tree's, and ours around it, which
 * has less than 100 bytes.  Longer names of members are cut.
 */
#define PROBLEM_BYTES (SGIP_TREE_PROBLEM_BYTES + 160)

/* Room for "element %ld, at byte %zu," */
#define SUBJECT_BYTES 64

/* A step that handed nothing out; besides the values of SgipJsonResult */
#define GO_ON (SGIP_JSON_NO_MEMORY + 1)

/* What stands next in the document */
typedef enum State
{
	AT_START,					/* perhaps a byte order mark */
	AT_TOP,						/* the document */
	IN_OBJECT,					/* more of the enclosing object */
	AT_FIRST,					/* an element, or the end of an empty list */
	AT_ELEMENT,					/* an element */
	AT_SEPARATOR,				/* a comma or the end of the list */
	AT_TAIL,					/* white space only */
	AT_END						/* nothing: the last result stays */
} State;

/* What stands next in the enclosing object, outside nested values */
typedef enum Expect
{
	EXPECT_COMMA,				/* or the opening bracket, or anything
								 * invalid, which jansson reports */
	EXPECT_KEY,
	EXPECT_COLON,
	EXPECT_VALUE
} Expect;

/*
 * Where a walk by brackets and quotes stands; all zero before its first byte.
 * Behind a complete value all but "done" is zero again.
 */
typedef struct Walk
{
	size_t		done;			/* bytes walked */
	int			depth;			/* open brackets */
	bool		in_string;
	bool		escaped;		/* the byte before was a backslash */
} Walk;

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
	State		state;
	bool		bracketed;		/* the elements stand between [ and ] */
	bool		enclosed;		/* ... which is a member of an object */
	long		count;			/* elements handed out */
	SgipJsonResult last;		/* AT_END: the result that stays */

	SgipPattern pattern;		/* how elements are made */

	Walk		walk;			/* IN_OBJECT: through the enclosing object;
								 * else through the element at the front */

	/* the enclosing object: its text without the elements */
	SgipBuffer	enclosing;
	size_t		enclosing_byte; /* position of its first byte */
	size_t		list_at;		/* where in it the elements were left out */
	size_t		list_bytes;		/* how many bytes were left out there */
	Expect		expect;
	size_t		key_at;			/* where in it the latest key begins ... */
	size_t		key_end;		/* ... and ends, quotes included */
	SgipElement envelope;		/* what was parsed of it */

	/* nodes and decoded texts */
	SgipTape	tape;			/* of the element */
	SgipTape	envelope_tape;

	/* what is wrong */
	char		subject[SUBJECT_BYTES];
	char		problem[PROBLEM_BYTES];
	SgipRemoteError remote;
};

/*-------------------------------------------------------------------------
 * Refusals
 *-------------------------------------------------------------------------
 */

/* Position of a byte in the document, counted from 1 */
static size_t
byte_number(const SgipJsonReader *reader, const char *p)
{
	return reader->passed + (size_t) (p - reader->front) + 1;
}

/* Makes the result that of every further call; returns it */
static int
finish(SgipJsonReader *reader, SgipJsonResult result)
{
	reader->state = AT_END;
	reader->last = result;
	return (int) result;
}

/*
 * Says what is wrong with the document; returns SGIP_JSON_INVALID.  The text
 * may quote the document (jansson's does), so that whatever is not printable
 * ASCII is masked: the text goes into messages and logs.
 */
__attribute__((format(printf, 2, 3)))
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
	return finish(reader, SGIP_JSON_INVALID);
}

/* Refuses the next byte, where something else was expected */
static int
refuse_byte(SgipJsonReader *reader, const char *expected)
{
	unsigned char c = (unsigned char) *reader->at;

	return refuse(reader, c > 0x20 && c < 0x7F ?
				  "expected %s, found \"%c\" at byte %zu" :
				  "expected %s, found 0x%02X at byte %zu",
				  expected, c, byte_number(reader, reader->at));
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

/* Position of the value that is being read: the enclosing object, or an element */
static size_t
value_byte(const SgipJsonReader *reader)
{
	return reader->state == IN_OBJECT ? reader->enclosing_byte : byte_number(reader, reader->at);
}

/* That value, as the subject of a refusal */
static const char *
subject(SgipJsonReader *reader)
{
	if (reader->state == IN_OBJECT)
		snprintf(reader->subject, SUBJECT_BYTES, "the object at byte %zu", value_byte(reader));
	else
		snprintf(reader->subject, SUBJECT_BYTES, "element %ld, at byte %zu,",
				 reader->count + 1, value_byte(reader));
	return reader->subject;
}

/* That value has too many open brackets */
static int
refuse_depth(SgipJsonReader *reader)
{
	return refuse(reader, "%s is nested deeper than %d levels", subject(reader), SGIP_JSON_MAX_DEPTH);
}

/* That value is too long */
static int
refuse_size(SgipJsonReader *reader)
{
	return refuse(reader, "%s is larger than %d bytes", subject(reader), SGIP_JSON_MAX_ELEMENT_BYTES);
}

/*-------------------------------------------------------------------------
 * Values as trees
 *-------------------------------------------------------------------------
 */

/* Takes note of one byte */
static inline void
walk_byte(Walk *walk, char c)
{
	if (walk->escaped)
		walk->escaped = false;
	else if (walk->in_string)
	{
		walk->escaped = c == '\\';
		walk->in_string = c != '"';
	}
	else if (c == '"')
		walk->in_string = true;
	else if (c == '{' || c == '[')
		walk->depth++;
	else if (c == '}' || c == ']')
		walk->depth--;
}

/*
 * Goes on looking for the end of a string or object, by quotes and brackets
 * alone.  If the value is valid, this is its end; if it is not, it is still
 * invalid when cut there.  False if the bytes run out, or with too many open
 * brackets.
 */
static bool
walk_value(Walk *walk, const char *text, const char *end)
{
	const char *p = text + walk->done;
	bool		complete = false;

	while (p < end && !complete && walk->depth <= SGIP_JSON_MAX_DEPTH)
	{
		if (walk->in_string && !walk->escaped && (p = skip_plain(p, end)) == end)
			break;
		walk_byte(walk, *p++);
		complete = !walk->in_string && walk->depth <= 0;
	}
	walk->done = (size_t) (p - text);
	return complete;
}

/* Parses the value that is being read, or as much of it as makes one */
static int
parse(SgipJsonReader *reader, const char *text, size_t len, SgipTape *tape, SgipElement *value)
{
	SgipTreeError error;
	size_t		position;

	if (sgip_tree_parse(text, len, tape, value, &error))
		return GO_ON;
	if (error.no_memory)
		return finish(reader, SGIP_JSON_NO_MEMORY);
	position = value_byte(reader) + error.offset;
	if (reader->state == IN_OBJECT && reader->enclosed && error.offset >= reader->list_at)
		position += reader->list_bytes;
	return refuse(reader, "%s is not valid JSON: %s (near byte %zu)", subject(reader), error.text, position);
}

/*-------------------------------------------------------------------------
 * The list
 *-------------------------------------------------------------------------
 */

/* The element at the front ends there: moves behind it and hands it out */
static inline int
hand_out(SgipJsonReader *reader, const char *end, SgipElement *element)
{
	element->number = ++reader->count;
	element->raw.data = reader->at;
	element->raw.len = (size_t) (end - reader->at);
	reader->at = end;
	reader->state = AT_SEPARATOR;
	reader->walk.done = 0;
	return SGIP_JSON_ELEMENT;
}

/*
 * Reads an element that is not plain, or not complete: first its end, then
 * what is in it.  "limit" is the end of the bytes that we may look at.
 */
static int
read_walked(SgipJsonReader *reader, const char *limit, SgipElement *element)
{
	const char *text = reader->at;
	bool		was_cut = reader->walk.done > 0;
	const char *end;
	int			result;

	if (!walk_value(&reader->walk, text, limit))
	{
		if (reader->walk.depth > SGIP_JSON_MAX_DEPTH)
			return refuse_depth(reader);
		if (limit < reader->end)
			return refuse_size(reader);
		return run_out(reader);
	}
	limit = text + reader->walk.done;
	if (was_cut && !reader->force_tree &&
		(end = sgip_plain_read(text, limit, &reader->pattern, &reader->tape, element)) != NULL)
		return hand_out(reader, end, element);
	result = parse(reader, text, (size_t) (limit - text), &reader->tape, element);
	return result == GO_ON ? hand_out(reader, limit, element) : result;
}

/* Reads the element that begins with the next byte */
static inline int
read_element(SgipJsonReader *reader, SgipElement *element)
{
	const char *text = reader->at;
	const char *limit = reader->end;
	const char *end;

	if (*text != '{' && *text != '"')
	{
		if (strchr("[-0123456789tfn", *text) == NULL || *text == '\0')
			return refuse_byte(reader, "an element");
		return refuse(reader, "%s is neither a string nor an object", subject(reader));
	}
	if ((size_t) (limit - text) > SGIP_JSON_MAX_ELEMENT_BYTES)
		limit = text + SGIP_JSON_MAX_ELEMENT_BYTES;
	if (reader->walk.done == 0 && !reader->force_tree &&
		(end = sgip_plain_read(text, limit, &reader->pattern, &reader->tape, element)) != NULL)
		return hand_out(reader, end, element);
	return read_walked(reader, limit, element);
}

/* Goes on behind the closing bracket of the list */
static int
close_list(SgipJsonReader *reader)
{
	if (reader->enclosed)
	{
		/* the bracket itself is read as part of the enclosing object */
		reader->walk.depth = 2;
		reader->list_bytes = byte_number(reader, reader->at) -
			(reader->enclosing_byte + reader->list_at);
		reader->state = IN_OBJECT;
	}
	else
	{
		reader->at++;
		reader->state = AT_TAIL;
	}
	return GO_ON;
}

/* Reads what stands next in the list: separators, an element, its end */
static inline int
read_list(SgipJsonReader *reader, SgipElement *element)
{
	if (reader->state == AT_SEPARATOR)
	{
		reader->at = skip_space(reader->at, reader->end);
		if (reader->at == reader->end)
		{
			if (!reader->bracketed && reader->at_end)
				return finish(reader, SGIP_JSON_END);
			return run_out(reader);
		}
		if (*reader->at == ']' && reader->bracketed)
			return close_list(reader);
		if (*reader->at != ',')
			return refuse_byte(reader, reader->bracketed ?
							   "\",\" or \"]\" behind an element" :
							   "\",\" or the end behind an element");
		reader->at++;
		reader->state = AT_ELEMENT;
	}
	reader->at = skip_space(reader->at, reader->end);
	if (reader->at == reader->end)
		return run_out(reader);
	if (*reader->at == ']' && reader->state == AT_FIRST)
		return close_list(reader);
	return read_element(reader, element);
}

/*-------------------------------------------------------------------------
 * The enclosing object
 *-------------------------------------------------------------------------
 */

/*
 * Parses the enclosing object, or as much of it as makes one, which must not
 * be an error
 */
static int
parse_enclosing(SgipJsonReader *reader)
{
	int			result = parse(reader, reader->enclosing.data, reader->enclosing.len,
							   &reader->envelope_tape, &reader->envelope);

	if (result != GO_ON || !sgip_element_error(&reader->envelope, &reader->remote))
		return result;
	return finish(reader, reader->remote.text != NULL ? SGIP_JSON_REMOTE_ERROR : SGIP_JSON_NO_MEMORY);
}

/* Is the latest key that of the list?  Escapes are decoded: \u0069ps is ips */
static bool
key_is_list(SgipJsonReader *reader)
{
	const char *key = reader->enclosing.data + reader->key_at;
	size_t		len = reader->key_end - reader->key_at;
	const char *list_key = reader->shape.list_key;
	SgipSpan	name = {key + 1, len - 2};
	SgipTreeError error;

	if (list_key == NULL)
		return false;
	if (memchr(key, '\\', len) != NULL)
	{
		if (!sgip_tree_parse(key, len, &reader->envelope_tape, &reader->envelope, &error))
			return false;
		name = sgip_node_text(&reader->envelope, reader->envelope.nodes);
	}
	return name.len == strlen(list_key) && memcmp(name.data, list_key, name.len) == 0;
}

/*
 * The list begins: its opening bracket was kept.  What came before it must be
 * valid and must not be an error.
 */
static int
open_list(SgipJsonReader *reader)
{
	size_t		len = reader->enclosing.len;
	int			result;

	if (reader->enclosed)
		return refuse(reader, "a second \"%s\" at byte %zu", reader->shape.list_key,
					  byte_number(reader, reader->at));
	if (!sgip_buffer_add(&reader->enclosing, "]}", 2))
		return finish(reader, SGIP_JSON_NO_MEMORY);
	result = parse_enclosing(reader);
	reader->enclosing.len = len;
	if (result != GO_ON)
		return result;
	reader->enclosed = true;
	reader->bracketed = true;
	reader->list_at = len;
	reader->walk.depth = 0;
	reader->state = AT_FIRST;
	return GO_ON;
}

/* The enclosing object is complete: what is it? */
static int
close_object(SgipJsonReader *reader, SgipElement *element)
{
	const char *list_key = reader->shape.list_key;
	const char *row_key = reader->shape.row_key;
	const SgipElement *object = &reader->envelope;
	const SgipNode *list = NULL;
	int			result;

	if ((result = parse_enclosing(reader)) != GO_ON)
		return result;
	if (list_key != NULL)
		list = sgip_node_member(object, object->nodes, list_key);
	if (reader->enclosed)
	{
		/* our own empty list, not the API's */
		reader->envelope_tape.nodes[list - object->nodes].kind = SGIP_VALUE_ABSENT;
		reader->state = AT_TAIL;
		return GO_ON;
	}
	if (list != NULL)
		return refuse(reader, "\"%s\" is not a list", list_key);
	if (list_key == NULL && row_key == NULL)
		return refuse(reader, "expected a list, found an object at byte %zu", reader->enclosing_byte);
	if (row_key == NULL || sgip_node_member(object, object->nodes, row_key) == NULL)
		return refuse(reader, "%s has no \"%s\"", subject(reader), list_key != NULL ? list_key : row_key);

	/* the first, or only, row of a list without brackets */
	*element = *object;
	result = hand_out(reader, reader->at, element);
	element->raw.data = reader->enclosing.data;
	element->raw.len = reader->enclosing.len;
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
	if (expected == EXPECT_COMMA && (c == ',' || c == '{'))
		reader->expect = EXPECT_KEY;
	else if (expected == EXPECT_KEY && c == '"')
	{
		reader->key_at = reader->enclosing.len - 1;
		reader->expect = EXPECT_COLON;
	}
	else if (expected == EXPECT_COLON && c == ':')
		reader->expect = EXPECT_VALUE;
	else if (expected == EXPECT_VALUE && c == '[' && key_is_list(reader))
		return open_list(reader);
	return GO_ON;
}

/*
 * Keeps and notes the next byte of the enclosing object.  Within a string no
 * byte matters but its end, which is the end of a key if a colon is expected.
 */
static int
read_object_byte(SgipJsonReader *reader)
{
	Walk	   *walk = &reader->walk;
	bool		in_string = walk->in_string;
	char		c = *reader->at;

	if (reader->enclosing.len == SGIP_JSON_MAX_ELEMENT_BYTES)
		return refuse_size(reader);
	if (!sgip_buffer_add(&reader->enclosing, &c, 1))
		return finish(reader, SGIP_JSON_NO_MEMORY);
	walk_byte(walk, c);
	if (in_string)
	{
		if (!walk->in_string && reader->expect == EXPECT_COLON)
			reader->key_end = reader->enclosing.len;
		return GO_ON;
	}
	if (walk->depth > SGIP_JSON_MAX_DEPTH)
		return refuse_depth(reader);
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
		if (reader->state != IN_OBJECT)
			return GO_ON;
		if (reader->walk.depth == 0)
			return close_object(reader, element);
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
	size_t		len = (size_t) (reader->end - reader->at);
	bool		marked = memcmp(reader->at, "\xEF\xBB\xBF", len < 3 ? len : 3) == 0;

	if (marked && len < 3 && !reader->at_end)
		return SGIP_JSON_MORE;
	if (marked && len >= 3)
		reader->at += 3;
	reader->state = AT_TOP;
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
			reader->state = AT_FIRST;
			return GO_ON;
		case '{':
			reader->enclosing_byte = byte_number(reader, reader->at);
			reader->state = IN_OBJECT;
			return GO_ON;
		case '"':
			reader->state = AT_ELEMENT;
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
	return reader->at_end ? finish(reader, SGIP_JSON_END) : SGIP_JSON_MORE;
}

/* Reads what stands next, whatever it is */
static inline int
read_next(SgipJsonReader *reader, SgipElement *element)
{
	switch (reader->state)
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
		case AT_END:
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
	sgip_tape_free(&reader->tape);
	sgip_tape_free(&reader->envelope_tape);
	sgip_buffer_free(&reader->enclosing);
	free(reader->remote.text);
	free(reader);
}

SgipJsonResult
sgip_json_next(SgipJsonReader *reader, const char *data, size_t len, bool at_end,
			   size_t *consumed, SgipElement *element)
{
	int			result;

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
	const SgipNode *node = reader->enclosed ? reader->envelope.nodes : NULL;

	while (node != NULL && *path != '\0')
	{
		size_t		len = strcspn(path, ".");

		node = sgip_node_find(&reader->envelope, node, path, len);
		path += len;
		path += *path == '.';
	}
	return sgip_node_value(&reader->envelope, node);
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
