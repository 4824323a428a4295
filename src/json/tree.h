/*-------------------------------------------------------------------------
 *
 * tree.h
 *		Values that are not plain: the wall around jansson.
 *
 * A part of the reader of JSON.  jansson.h is included by tree.c alone.
 * (libjansson's json_object() must not be called: the server exports a
 * function of that name, and the call would go there.)
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_TREE_H
#define SGIP_TREE_H

#include "json/tape.h"

/* Room for what is wrong with a text; jansson's own words take 160 bytes */
#define SGIP_TREE_PROBLEM_BYTES 160

/* Why a text could not be parsed */
typedef struct SgipTreeError
{
	bool		no_memory;		/* nothing else is said then */
	size_t		offset;			/* how far into the text it is well */
	char		text[SGIP_TREE_PROBLEM_BYTES];
} SgipTreeError;

/*
 * Parses the whole of a string or object, whose nesting was bounded before,
 * onto the tape, whose own text its nodes refer to.  False if the text is not
 * valid or memory ran out, *error tells.
 */
extern bool sgip_tree_parse(const char *text, size_t len, SgipTape *tape, SgipTreeError *error);

/* jansson's version; static */
extern const char *sgip_tree_version(void);

#endif							/* SGIP_TREE_H */
