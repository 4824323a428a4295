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

#include "request/clause.h"
#include "request/request.h"
#include "request/string_set.h"

/*
 * Most searches for one scan.  Search columns can be answered in no other
 * way, so their searches are not a matter of cost; but ten thousand requests
 * can only be a mistake.
 */
#define SGIP_MAX_SEARCHES 10000

/* One of several searches keeps only the rows whose column equals its value */
typedef struct SgipOwnRows
{
	const SgipCondition *condition; /* NULL: keeps every row */
	FmgrInfo	equal;			/* its function */
	Datum		value;
} SgipOwnRows;

typedef struct SgipSearch
{
	SgipArguments arguments;	/* what is sent */
	SgipArguments echoed;		/* values of search columns in its rows */
	SgipOwnRows own;
} SgipSearch;

/*
 * A search that is decided here, from a list that each element has: its rows
 * are those whose list has one of the values, or an item with the part in it.
 */
typedef struct SgipLocalSearch
{
	int			field;			/* search column; -1: there is none */
	SgipStringSet *values;
	const char *part;			/* where values is NULL */
} SgipLocalSearch;

/* Is the field a search column that is decided here, and not by the API? */
extern bool sgip_search_is_local(const SgipField *field);

/* The searches that together answer a scan, in order */
typedef struct SgipSearches
{
	int			count;			/* 0: no row can satisfy the conditions */
	SgipSearch *items;
	SgipLocalSearch local;		/* of all of them */
} SgipSearches;

/*
 * Works out the searches; palloc'd in the current context.  The values of the
 * conditions are Consts.  max_searches: with more searches than that, reading
 * everything is cheaper; it does not bind conditions on search columns, which
 * only searches can answer.  Raises 0A000 for a value that a search column
 * cannot be searched by.
 */
extern SgipSearches *sgip_search_evaluate(const SgipTable *table, List *conditions,
										  int max_searches);

/* Are the values, expressions, known when the query is planned? */
extern bool sgip_search_is_constant(const SgipCondition *condition);

/*
 * Raises 0A000 for a constant among the conditions, whose values are
 * expressions, that a search column cannot be searched by
 */
extern void sgip_search_check(const SgipTable *table, List *conditions);

/* Raises 0A000 if the decision leaves a search column undecided */
extern void sgip_search_refuse_undecided(const SgipTable *table, const SgipDecision *decision);

#endif							/* SGIP_SEARCH_H */
