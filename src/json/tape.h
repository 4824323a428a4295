/*-------------------------------------------------------------------------
 *
 * tape.h
 *		The nodes of a value while it is read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_TAPE_H
#define SGIP_TAPE_H

#include "json/element.h"

/* All zero is an empty tape */
typedef struct SgipTape
{
	SgipNode   *nodes;			/* those of room */
	uint32_t	count;
	uint32_t	size;			/* how many there is room for */
	SgipBuffer	room;
	SgipBuffer	text;			/* of values that could not be used in place */
} SgipTape;

/* Makes room for more nodes; false when out of memory */
static inline bool
sgip_tape_grow(SgipTape *tape)
{
	tape->room.len = tape->count * sizeof(SgipNode);
	if (!sgip_buffer_reserve(&tape->room, sizeof(SgipNode)))
		return false;
	tape->nodes = (SgipNode *) (void *) tape->room.data;
	tape->size = (uint32_t) (tape->room.size / sizeof(SgipNode));
	return true;
}

/* Adds a node without contents or key; NULL when out of memory */
static inline SgipNode *
sgip_tape_add(SgipTape *tape, SgipValueKind kind, size_t at, size_t len)
{
	SgipNode   *node;

	if (tape->count == tape->size && !sgip_tape_grow(tape))
		return NULL;
	node = &tape->nodes[tape->count++];
	*node = (SgipNode)
	{
		(uint8_t) kind, 0, 0, 0, 1, (uint32_t) at, (uint32_t) len, 0, 0
	};
	return node;
}

/* The list or object at that index is complete: all behind it is in it */
static inline void
sgip_tape_close(SgipTape *tape, uint32_t index, uint32_t len)
{
	tape->nodes[index].len = len;
	tape->nodes[index].size = tape->count - index;
}

/* Lets an element be what is on the tape; its texts stand in "text" */
static inline void
sgip_tape_show(const SgipTape *tape, const char *text, size_t len, uint64_t shape, SgipElement *element)
{
	element->shape = shape;
	element->nodes = tape->nodes;
	element->text.data = text != NULL ? text : "";
	element->text.len = len;
}

/* Frees all that is on the tape */
static inline void
sgip_tape_free(SgipTape *tape)
{
	sgip_buffer_free(&tape->room);
	sgip_buffer_free(&tape->text);
}

#endif							/* SGIP_TAPE_H */
