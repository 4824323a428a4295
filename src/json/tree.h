/*-------------------------------------------------------------------------
 *
 * tree.h
 *		Values that are not plain: a wrapper around jansson.
 *
 * A part of the JSON reader, and the only file of the library that
 * includes jansson.h. (libjansson's json_object() must not be called: the
 * server exports a function of that name, and the call would go there.)
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
	size_t		offset;			/* the text is valid up to here */
	char		text[SGIP_TREE_PROBLEM_BYTES];
} SgipTreeError;

/*
 * Parses a text that is a string or an object, whose nesting the caller has
 * bounded.  *element is what is on the tape then, and its texts are the
 * tape's own.  False if the text is not valid or memory ran out: *error says
 * why.
 */
extern bool sgip_tree_parse(const char *text, size_t len, SgipTape *tape, SgipElement *element,
							SgipTreeError *error);

/* jansson's version; a static string */
extern const char *sgip_tree_version(void);

#endif							/* SGIP_TREE_H */
