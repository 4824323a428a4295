/*-------------------------------------------------------------------------
 *
 * decode.h
 *		From an element of an answer to the texts of a row's fields.
 *
 * Needs no PostgreSQL, so that it can be fuzzed by itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_DECODE_H
#define SGIP_DECODE_H

#include "json/json.h"
#include "catalog/task.h"

/* A growing buffer for values that are not texts of the answer as they stand */
typedef struct SgipScratch
{
	char	   *data;			/* malloc'd, or NULL */
	size_t		len;
	size_t		size;
} SgipScratch;

/* One row of a task: an element, or one item of the array it is unnested by */
typedef struct SgipRow
{
	const SgipElement *element;
	SgipSpan	item;			/* of the unnested array */
	const char *parent;			/* id of the parent's row, or NULL */
} SgipRow;

typedef enum SgipDecoded
{
	SGIP_DECODED_NULL,			/* absent or null */
	SGIP_DECODED_TEXT,			/* *text: UTF-8, without NUL, not terminated */
	SGIP_DECODED_MISFIT,		/* not a value that the field can have */
	SGIP_DECODED_NO_MEMORY
} SgipDecoded;

/*
 * The value of a field as text that PostgreSQL's input functions read: lists
 * as array literals, times as ISO 8601 in UTC.  *text lives until the next
 * call with the same scratch, and no longer than the element.  *hint as in
 * sgip_json_member.
 */
extern SgipDecoded sgip_decode_field(const SgipRow *row, const SgipField *field,
									 int *hint, SgipScratch *scratch, SgipSpan *text);

/* Room for what sgip_decode_check says; longer names of members are cut */
#define SGIP_PROBLEM_BYTES 160

/* What an element has to have to be taken for a row of a task */
typedef struct SgipElementCheck
{
	const SgipTask *task;
	const char *decisive[2];	/* members by which the task decides, or NULL */
	int			hints[SGIP_MAX_FIELDS];
} SgipElementCheck;

/*
 * Sets up the check for a task.  "decisive" is one more member that must be
 * there, since something is decided by it; or NULL.
 */
extern void sgip_decode_check_begin(SgipElementCheck *check, const SgipTask *task,
									const char *decisive);

/*
 * Is the element one of the task's rows?  It has what identifies one, its
 * members are of the types that the API documents, and those by which the
 * task decides are there.  If not, "problem" (of SGIP_PROBLEM_BYTES) says
 * why.
 */
extern bool sgip_decode_check(SgipElementCheck *check, const SgipElement *element,
							  char *problem);

/*
 * Does the task give rows for this element?  *inconclusive: it does if all its
 * subusers are disabled, which the element does not tell.
 */
extern bool sgip_decode_derive(const SgipTask *task, const SgipElement *element,
							   bool *inconclusive);

/* Items of a list member: how many (0 if it is null or absent), and one */
extern size_t sgip_decode_item_count(const SgipElement *element, const char *key);
extern bool sgip_decode_item(const SgipElement *element, const char *key,
							 const char *subkey, size_t index, SgipSpan *text);

/* Where handing out the items of a list stands */
typedef struct SgipItems
{
	const SgipElement *element;
	const char *key;			/* member that is the list */
	size_t		next;
	size_t		count;
} SgipItems;

/* Begins with the list of that name (NULL: with an empty one) */
extern void sgip_items_begin(SgipItems *items, const SgipElement *element, const char *key);

/*
 * The next item that is a text; false at the end.  The element must be the
 * one that it was begun with.
 */
extern bool sgip_items_next(SgipItems *items, SgipSpan *item);

/* Frees what the scratch holds */
extern void sgip_decode_free(SgipScratch *scratch);

#endif							/* SGIP_DECODE_H */
