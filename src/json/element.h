/*-------------------------------------------------------------------------
 *
 * element.h
 *		What an answer consists of: elements and the values within them.
 *
 * The types that the reader of JSON and its parts share with those who use
 * what it read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_ELEMENT_H
#define SGIP_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Largest element (and largest rest of an enclosing object).  A row of this
 * API is some hundred bytes; a v3 IP shared by 1,000 subusers some ten
 * kilobytes.  1 MiB leaves room for a hundred times that and keeps a hostile
 * server from filling the memory of the backend.
 */
#define SGIP_JSON_MAX_ELEMENT_BYTES (1024 * 1024)

/*
 * Deepest nesting within an element.  The API's deepest is 3 (a list of
 * objects in a row); 32 lets fields be added that we ignore anyway.
 */
#define SGIP_JSON_MAX_DEPTH 32

/* Most members of an object that is used in place; more go to jansson */
#define SGIP_JSON_MAX_FLAT 8

/* Bytes that somebody else owns; not terminated */
typedef struct SgipSpan
{
	const char *data;
	size_t		len;
} SgipSpan;

typedef enum SgipValueKind
{
	SGIP_VALUE_ABSENT,
	SGIP_VALUE_NULL,
	SGIP_VALUE_STRING,			/* text: decoded UTF-8, without NUL */
	SGIP_VALUE_LITERAL,			/* text: a number as written, true or false */
	SGIP_VALUE_LIST,
	SGIP_VALUE_OBJECT
} SgipValueKind;

/* A value within an element; lives as long as the element */
typedef struct SgipValue
{
	SgipValueKind kind;
	SgipSpan	text;			/* STRING, LITERAL: see above */
	const void *node;			/* LIST, OBJECT: the parsed value */
} SgipValue;

/*
 * One element.  Valid until the next call of sgip_json_next on the same
 * reader, and only while the bytes given to that call stay where they were.
 */
typedef struct SgipElement
{
	long		number;			/* 1 for the first element of the document */
	SgipSpan	raw;			/* its text as received */
	enum
	{
		SGIP_ELEMENT_STRING,	/* a string: raw value in "string" */
		SGIP_ELEMENT_FLAT,		/* object of plain strings: "members" */
		SGIP_ELEMENT_TREE		/* anything else: "tree" */
	}			form;
	SgipSpan	string;
	int			member_count;
	struct
	{
		SgipSpan	key;
		SgipSpan	value;
	}			members[SGIP_JSON_MAX_FLAT];
	void	   *tree;			/* jansson's value, the reader's own */
} SgipElement;

/* The API's own words when it reports an error in JSON */
typedef struct SgipRemoteError
{
	int			code;			/* the number it gave, or 0 */
	char	   *text;			/* its messages joined by "; ", malloc'd; never
								 * NULL after success */
} SgipRemoteError;

/* Items of a LIST value: how many, and one of them */
extern size_t sgip_json_list_length(const SgipValue *list);
extern SgipValue sgip_json_list_item(const SgipValue *list, size_t index);

/* Member of an OBJECT value */
extern SgipValue sgip_json_object_member(const SgipValue *object, const char *key);

#endif							/* SGIP_ELEMENT_H */
