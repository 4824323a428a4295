/*-------------------------------------------------------------------------
 *
 * element.h
 *		What an answer consists of: elements and the values within them.
 *
 * A value is a node, followed by the nodes of what is in it: an object by
 * its members, a list by its items.  Nodes refer to their texts by offset,
 * not by pointer, so that an element can be copied as it is (packed) and
 * used again without being parsed again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_ELEMENT_H
#define SGIP_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/buffer.h"

/*
 * Largest element (and largest remainder of an enclosing object).  A row of
 * this API is some hundred bytes; a v3 IP shared by 1,000 subusers some ten
 * kilobytes.  1 MiB leaves room for a hundred times that and keeps a hostile
 * server from filling the memory of the backend.
 */
#define SGIP_JSON_MAX_ELEMENT_BYTES (1024 * 1024)

/*
 * Deepest nesting within an element.  The API's deepest is 3 (a list of
 * objects in a row); 32 leaves room for fields that may be added, and that we
 * ignore.
 */
#define SGIP_JSON_MAX_DEPTH 32

/* Borrowed bytes, not terminated */
typedef struct SgipSpan
{
	const char *data;
	size_t		len;
} SgipSpan;

/* Bits, so that a set of kinds is a number */
typedef enum SgipValueKind
{
	SGIP_VALUE_ABSENT = 0,
	SGIP_VALUE_NULL = 1,
	SGIP_VALUE_STRING = 2,
	SGIP_VALUE_NUMBER = 4,
	SGIP_VALUE_BOOLEAN = 8,
	SGIP_VALUE_LIST = 16,
	SGIP_VALUE_OBJECT = 32
} SgipValueKind;

/* Most members of an element that are told apart by slots */
#define SGIP_MAX_SLOTS 16

typedef struct SgipNode
{
	uint8_t		kind;			/* an SgipValueKind */
	uint8_t		contents;		/* LIST: kinds of its items */
	uint8_t		slot;			/* member of an element that has a shape: the
								 * same for the same key in all elements of
								 * that shape */
	uint8_t		padding;		/* zero, since nodes are written to files */
	uint32_t	size;			/* in nodes, with all that is in it: the next
								 * item or member is so much further */
	uint32_t	at;				/* STRING: where its decoded UTF-8, without
								 * NUL, begins; NUMBER: as written; BOOLEAN:
								 * the word */
	uint32_t	len;			/* ... and how long it is; LIST, OBJECT: how
								 * many */
	uint32_t	key_at;			/* member of an object: where its key begins
								 * ... */
	uint32_t	key_len;		/* ... and how long it is */
} SgipNode;

/*
 * One element.  Valid until the next call of sgip_json_next on the same
 * reader, and only while the bytes given to that call stay where they were;
 * if unpacked, as long as the bytes that it was unpacked from.
 */
typedef struct SgipElement
{
	long		number;			/* 1 for the first element of the document */
	SgipSpan	raw;			/* its text as received; not kept by packing */
	uint64_t	shape;			/* elements with the same number have the same
								 * keys in the same slots, some of which may
								 * be absent; 0: nothing is known */
	const SgipNode *nodes;		/* a string or an object, and what is in it */
	SgipSpan	text;			/* what the nodes' positions are relative to */
} SgipElement;

/* A value with its text; lives as long as the element */
typedef struct SgipValue
{
	SgipValueKind kind;
	SgipSpan	text;			/* STRING, NUMBER, BOOLEAN: see above */
} SgipValue;

/* The text of a STRING, NUMBER or BOOLEAN; of anything else it is empty */
static inline SgipSpan
sgip_node_text(const SgipElement *element, const SgipNode *node)
{
	SgipSpan	text = {element->text.data + node->at, node->len};

	if ((node->kind & (SGIP_VALUE_STRING | SGIP_VALUE_NUMBER | SGIP_VALUE_BOOLEAN)) == 0)
		text.len = 0;
	return text;
}

/* A member of an OBJECT, or NULL; of NULL, too */
extern const SgipNode *sgip_node_find(const SgipElement *element, const SgipNode *object,
									  const char *key, size_t len);

static inline const SgipNode *
sgip_node_member(const SgipElement *element, const SgipNode *object, const char *key)
{
	return sgip_node_find(element, object, key, strlen(key));
}

/* A value with its text; ABSENT for NULL */
extern SgipValue sgip_node_value(const SgipElement *element, const SgipNode *node);

/* A member of an element by its name; ABSENT if it has none, as a string has */
extern SgipValue sgip_json_member(const SgipElement *element, const char *key);

/* Appends a value as JSON; false when out of memory */
extern bool sgip_node_write(const SgipElement *element, const SgipNode *node, SgipBuffer *json);

/*
 * Copies of an element that need no parsing.  pack_size is the number of bytes
 * that one takes; pack writes it to "to", which must be aligned for SgipNode;
 * unpack lets *element use it in place, as long as it stays there.  The raw
 * text of what was unpacked is empty.
 */
extern size_t sgip_element_pack_size(const SgipElement *element);
extern void sgip_element_pack(const SgipElement *element, char *to);
extern void sgip_element_unpack(const char *from, SgipElement *element);

/* What the API says when it reports an error in JSON */
typedef struct SgipRemoteError
{
	int			code;			/* the number it gave, or 0 */
	char	   *text;			/* its messages joined by "; ", malloc'd */
} SgipRemoteError;

/*
 * Is this object an error report of the API's?  That is an "error" that is
 * not null, "errors" that are not empty, or "message" that says "error": what
 * the v2 and v3 APIs are known to send, in part under HTTP status 200.  If so
 * *remote says what it reports; its text is the caller's to free, and NULL
 * when out of memory.  The "message" counts only if there is nothing better,
 * because it may be just "error".
 */
extern bool sgip_element_error(const SgipElement *element, SgipRemoteError *remote);

#endif							/* SGIP_ELEMENT_H */
