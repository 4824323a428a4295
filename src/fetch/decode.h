/*-------------------------------------------------------------------------
 *
 * decode.h
 *		What the members of an element are to a task: its fields.
 *
 * Needs no PostgreSQL, so that it can be fuzzed by itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_DECODE_H
#define SGIP_DECODE_H

#include "json/json.h"
#include "catalog/task.h"

/* Room for what is wrong with an element; longer names of members are cut */
#define SGIP_PROBLEM_BYTES 160

/* Room for a time that is written as a text, terminated */
#define SGIP_TIME_BYTES 64

/*
 * The members of a task's elements.  Which slot of a shape is which of them is
 * remembered, so that elements that are made alike need no look at their keys.
 */
typedef struct SgipMembers
{
	const SgipTask *task;
	int			count;
	const SgipField *fields[SGIP_MAX_FIELDS];	/* by member, one of those
												 * that it is */
	uint8_t		bad_kinds[SGIP_MAX_FIELDS]; /* of value that each must not
											 * have */
	uint8_t		bad_items[SGIP_MAX_FIELDS]; /* ... and not in its list */
	uint32_t	required;		/* bits of those that must be there ... */
	uint32_t	not_null;		/* ... and must not be null */
	int			of_field[SGIP_MAX_FIELDS];	/* the member that it is; -1: none */
	bool		is_part[SGIP_MAX_FIELDS];	/* the field is a part of the
											 * member */
	bool		has_parts;		/* something is: it, or the items of a list */
	int			subusers;		/* those by which tasks decide; -1: none */
	int			pools;
	int			unnest;

	/* of the element at hand; NULL: absent */
	const SgipNode *nodes[SGIP_MAX_FIELDS];

	uint64_t	shape;			/* of the latest element that had one */
	int			of_slot[SGIP_MAX_SLOTS];
} SgipMembers;

/* One row of a task: an element, or one item of the array it is unnested by */
typedef struct SgipRow
{
	const SgipElement *element;
	const SgipMembers *members; /* of the element */
	const SgipNode *item;		/* of the unnested array, or NULL */
	const char *parent;			/* id of the parent's row, or NULL */
} SgipRow;

/*
 * Sets up the members of a task.  "decisive" is one more that must be there,
 * since something is decided by it; or NULL.
 */
extern void sgip_members_begin(SgipMembers *members, const SgipTask *task, const char *decisive);

/*
 * Finds the members of an element; they stay valid as long as it is.  False if
 * it is none of the task's rows: one has what identifies it, its members are
 * of the types that the API documents, and those by which the task decides
 * are there.  Then "problem" (of SGIP_PROBLEM_BYTES) says why.
 */
extern bool sgip_members_find(SgipMembers *members, const SgipElement *element, char *problem);

/*
 * Does the task give rows for the element whose members these are?
 * *inconclusive: it does if all its subusers are disabled, which the element
 * does not tell.
 */
extern bool sgip_members_derive(const SgipMembers *members, bool *inconclusive);

/* The value of a field that is a part of its member; NULL if it is absent */
extern const SgipNode *sgip_row_part(const SgipRow *row, int field);

/* The value of a field of the answer; NULL if it is absent */
static inline const SgipNode *
sgip_row_node(const SgipRow *row, int field)
{
	const SgipMembers *members = row->members;

	if (members->is_part[field])
		return sgip_row_part(row, field);
	return members->nodes[members->of_field[field]];
}

/* The list with that number (of SgipMembers); NULL: it is absent, or there is none */
static inline const SgipNode *
sgip_members_list(const SgipMembers *members, int number)
{
	return number >= 0 ? members->nodes[number] : NULL;
}

/* The part of a list's item that the field takes: itself, or a member of it */
extern const SgipNode *sgip_item_part(const SgipElement *element, const SgipNode *item,
									  const SgipField *field);

/* Where handing out the items of a list stands */
typedef struct SgipItems
{
	const SgipNode *next;
	uint32_t	left;
} SgipItems;

/* Begins with the items of a list (NULL, or null: with none) */
extern void sgip_items_begin(SgipItems *items, const SgipNode *list);

/* The next item; NULL at the end */
extern const SgipNode *sgip_items_next(SgipItems *items);

/* What a text is as a time */
typedef enum SgipTime
{
	SGIP_TIME_NONE,				/* an empty text: there is none */
	SGIP_TIME_MICROS,			/* *micros since 1970 */
	SGIP_TIME_TEXT,				/* perhaps one that is written in another way */
	SGIP_TIME_MISFIT			/* a number that is no time of the years 1 to
								 * 9999 */
} SgipTime;

/*
 * A time as the API gives it: a number, in a string or not, is Unix seconds.
 * A string is taken for a number only from 1973 on, since 20060102 is a date
 * as well.
 */
extern SgipTime sgip_decode_time(SgipSpan text, bool is_string, int64_t *micros);

/* Writes a time as ISO 8601 in UTC */
extern void sgip_write_time(int64_t micros, char iso[SGIP_TIME_BYTES]);

/* An integer of few digits, as nearly all are; false if the text is none */
extern bool sgip_decode_integer(SgipSpan text, int64_t *number);

#endif							/* SGIP_DECODE_H */
