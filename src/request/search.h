/*-------------------------------------------------------------------------
 *
 * search.h
 *		From the values of conditions to the searches that answer them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_SEARCH_H
#define SGIP_SEARCH_H

#include "fmgr.h"

#include "compat.h"
#include "request/pushdown.h"
#include "request/request.h"

/* A value that a condition compares with, as known now */
typedef struct SgipDatum
{
	Datum		value;
	bool		isnull;
	Oid			type;
} SgipDatum;

/* One of several searches keeps only the rows whose column equals its value */
typedef struct SgipOwnRows
{
	AttrNumber	attnum;			/* 0: keeps every row */
	Oid			text_form;		/* applied to the column first, or InvalidOid */
	FmgrInfo	equal;			/* equal(column, value) */
	Oid			collation;
	Datum		value;
	const char *text;			/* value as its type prints it */
} SgipOwnRows;

typedef struct SgipSearch
{
	SgipArguments arguments;	/* what is sent */
	SgipArguments held;			/* values that search columns hold in its rows */
	bool		held_as_part;	/* a value held was asked for as a part (LIKE) */
	SgipOwnRows own;
} SgipSearch;

/* The searches that together answer a scan, in order */
typedef struct SgipSearches
{
	int			count;			/* 0: no row can satisfy the conditions */
	SgipSearch *items;
	char	   *signature;		/* equal for equal searches */
} SgipSearches;

/*
 * Works out the searches; palloc'd in the current context.  The values of
 * the conditions are SgipDatums.  max_searches: more searches than that cost
 * more than reading everything; it does not bind conditions on search
 * columns, which only searches can answer.  Raises 0A000 for a value that a
 * search column cannot be asked for.
 */
extern SgipSearches *sgip_search_evaluate(const SgipTable *table, List *conditions,
										  int max_searches);

/* What EXPLAIN shows instead of a request that cannot have a row */
#define SGIP_NO_REQUEST "none, no row can satisfy the conditions"

/*
 * The request that a plan will send, for EXPLAIN, without credentials.  The
 * values of the conditions are expressions; value_texts, in the order of all
 * values, how to show those that are not constants.
 */
extern char *sgip_search_describe(const SgipTable *table, List *conditions,
								  List *value_texts);

/* Raises 0A000: the API cannot be asked this about a search column */
extern void sgip_search_report_unusable(const SgipTable *table, AttrNumber attnum,
										const char *detail) SGIP_NORETURN;

#endif							/* SGIP_SEARCH_H */
