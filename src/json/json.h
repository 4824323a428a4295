/*-------------------------------------------------------------------------
 *
 * json.h
 *		Reads one JSON answer as a stream of complete elements.
 *
 * The reader is fed the bytes of one HTTP answer and hands out its
 * elements (array items, or items of a bare comma list) one at a time,
 * without ever holding the document.  Elements without escapes, exponents
 * and deep nesting are validated and used in place on the pass that finds
 * their end; everything else goes to jansson.  Both ways accept the same
 * documents and give the same values.
 *
 * Knows no socket, no option and no PostgreSQL: errors are return values,
 * memory is malloc'd and owned by the reader.  json.c walks the document,
 * plain.c takes what can be used in place, tree.c wraps jansson; element.c
 * has the values, whichever way they were read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_JSON_H
#define SGIP_JSON_H

#include "json/element.h"

/* What the task says about the shape of its answer */
typedef struct SgipJsonShape
{
	const char *list_key;		/* member holding the elements, or NULL */
	const char *row_key;		/* member that every row has ("ip"): tells a
								 * row from an envelope when the document is a
								 * bare object; NULL: a bare object is no row */
} SgipJsonShape;

typedef enum SgipJsonResult
{
	SGIP_JSON_MORE,				/* pass what is left again, with more bytes */
	SGIP_JSON_ELEMENT,			/* one element */
	SGIP_JSON_END,				/* the document is complete and nothing
								 * follows */
	SGIP_JSON_REMOTE_ERROR,		/* the document is the API's error object */
	SGIP_JSON_INVALID,			/* not JSON of the task's shape */
	SGIP_JSON_NO_MEMORY
} SgipJsonResult;

typedef struct SgipJsonReader SgipJsonReader;

/*
 * A new reader for one answer; NULL when out of memory.  *shape is copied,
 * its strings must outlive the reader.  force_tree: never use an element in
 * place (tests compare the two ways).
 */
extern SgipJsonReader *sgip_json_open(const SgipJsonShape *shape, bool force_tree);

/* Frees the reader and all it owns; NULL is harmless */
extern void sgip_json_close(SgipJsonReader *reader);

/*
 * Next element of the document.
 *
 * data/len are all bytes received and not yet consumed.  *consumed is set,
 * after any result, to how many from the front are done with; what is left
 * must be passed again, at the same or another address, followed by what has
 * arrived since.  After ELEMENT the consumed bytes must stay in place until
 * the next call.  at_end: no more bytes will follow; then MORE is never
 * returned.
 */
extern SgipJsonResult sgip_json_next(SgipJsonReader *reader,
									 const char *data, size_t len, bool at_end,
									 size_t *consumed, SgipElement *element);

/* After INVALID: what is wrong, with the byte position; owned by the reader */
extern const char *sgip_json_problem(const SgipJsonReader *reader);

/* After REMOTE_ERROR: what the API said; owned by the reader */
extern const SgipRemoteError *sgip_json_remote_error(const SgipJsonReader *reader);

/*
 * After END: was the document a list without brackets (or a single element)?
 * Then nothing in it tells a complete one from its beginning.
 */
extern bool sgip_json_is_bare(const SgipJsonReader *reader);

/*
 * After END: member of the object that enclosed the elements, by a path such
 * as "_metadata.next_params.after_key"; ABSENT if there is none.
 */
extern SgipValue sgip_json_envelope(const SgipJsonReader *reader, const char *path);

/*
 * Is this complete document one of the API's error objects?  If so *error
 * says what it reports; error->text is the caller's to free.  For bodies of
 * answers whose status is an error.
 */
extern bool sgip_json_parse_error(const char *data, size_t len, SgipRemoteError *error);

#endif							/* SGIP_JSON_H */
