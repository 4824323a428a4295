/*-------------------------------------------------------------------------
 *
 * tree.h
 *		JSON values as trees: the wall around jansson.
 *
 * A part of the reader of JSON.  jansson.h is included by tree.c alone.
 * (libjansson's json_object() must not be called: the server exports a
 * function of that name, and the call would go there.)
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_TREE_H
#define SGIP_TREE_H

#include "json/element.h"

/* A value as jansson keeps it */
typedef struct json_t SgipTree;

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
 * Parses the whole of a string or object, whose nesting was bounded before.
 * The result is the caller's to free; NULL if the text is not valid or
 * memory ran out, *error tells.
 */
extern SgipTree *sgip_tree_parse(const char *text, size_t len, SgipTreeError *error);

/* Frees a value and all below; NULL is harmless */
extern void sgip_tree_free(SgipTree *tree);

/* A value as others see it; NULL is an absent one */
extern SgipValue sgip_tree_value(const SgipTree *tree);

/* A member of an object, or NULL; the object's own */
extern const SgipTree *sgip_tree_member(const SgipTree *object, const char *key);

/* Takes a member out of an object */
extern void sgip_tree_drop(SgipTree *object, const char *key);

/* Is the text of a string, quotes and escapes included, the one given? */
extern bool sgip_tree_spells(const char *text, size_t len, const char *string);

/*
 * Is this object the API's way to report an error?  An "error" that is not
 * null, "errors" that are not empty, or "message" that says "error": what the
 * v2 and v3 APIs are known to send, in part under HTTP status 200.
 */
extern bool sgip_tree_is_error(const SgipTree *object);

/*
 * What an error object says, into *remote, whose text is the caller's to
 * free.  Its "message" counts only if there is nothing better, because it
 * may be just "error".  False when out of memory.
 */
extern bool sgip_tree_describe_error(const SgipTree *object, SgipRemoteError *remote);

/* jansson's version; static */
extern const char *sgip_tree_version(void);

#endif							/* SGIP_TREE_H */
