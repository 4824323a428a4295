/*-------------------------------------------------------------------------
 *
 * listing.h
 *		A listing of the API: its pages, and which of its elements are new.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_LISTING_H
#define SGIP_LISTING_H

#include "http/http.h"
#include "fetch/decode.h"
#include "json/json.h"
#include "request/string_set.h"
#include "request/request.h"
#include "request/search.h"

/* What the elements of a listing are for */
typedef enum SgipPurpose
{
	SGIP_FOR_ROWS,				/* rows of the table */
	SGIP_FOR_PARENTS,			/* ids, each with a listing of its own */
	SGIP_FOR_DISABLED			/* subusers, to learn which are disabled */
} SgipPurpose;

typedef struct SgipListing
{
	SgipPurpose purpose;
	const SgipTask *task;
	const SgipSearch *search;	/* whose rows these are, or NULL */
	SgipArguments arguments;	/* what is sent */
	const char *parent;			/* id in the path, or NULL */
	bool		may_fall_back;	/* an answer that refuses what is sent proves
								 * nothing: the whole can be listed */

	SgipElementCheck check;		/* what its elements have to have */

	int			page_count;		/* pages that there are of it, for fetch.c */

	/* progress */
	int64		elements;		/* received in all pages */
	int			stale_pages;	/* pages in a row without a new element */
	SgipStringSet *seen;			/* keys of elements, or NULL if unpaged */
	int			key_hint;

	/* OFFSET: what the first page told about the others; step 0: nothing */
	int			step;			/* rows per page */
	int64		last_offset;	/* where the last page begins */
} SgipListing;

/* What follows a page */
typedef enum SgipNextPage
{
	SGIP_NEXT_PAGE,				/* another page */
	SGIP_NEXT_END,				/* nothing, and that is proven */
	SGIP_NEXT_STUCK				/* what has been before: the listing does not advance */
} SgipNextPage;

/*
 * A listing of the task; in the current memory context.  "arguments" may be
 * NULL: everything.
 */
extern SgipListing *sgip_listing_new(SgipPurpose purpose, const SgipTask *task,
									 const SgipSearch *search,
									 const SgipArguments *arguments);

/* Frees a listing with what it remembers */
extern void sgip_listing_free(SgipListing *listing);

/* What an answer looks like; its texts are the catalogue's */
extern SgipJsonShape sgip_listing_shape(const SgipListing *listing);

/* Is something sent of which an empty or refused answer proves nothing? */
extern bool sgip_listing_is_inconclusive(const SgipListing *listing);

/* Where the first page begins */
extern SgipPage sgip_listing_first(const SgipListing *listing, int page_size);

/*
 * Learns from the headers of the first page, when it is complete, where the
 * others begin, so that several can be asked for at once.
 */
extern void sgip_listing_learn(SgipListing *listing, const SgipPage *page,
							   const SgipHttpHead *head);

/* Where the page behind this one begins, as far as that is known in advance */
extern bool sgip_listing_ahead(const SgipListing *listing, const SgipPage *page,
							   SgipPage *next);

/*
 * What follows a page that is complete, has so many elements and so many new
 * ones; *next receives where it begins, its cursor in the current memory
 * context.
 */
extern SgipNextPage sgip_listing_next(SgipListing *listing, const SgipPage *page,
									  int64 elements, int64 fresh,
									  const SgipHttpHead *head, const SgipJsonReader *reader,
									  SgipPage *next);

/* Do two pages of one listing begin at the same place? */
extern bool sgip_listing_same_place(const SgipPage *page, const SgipPage *other);

/* Counts an element; false if it came before, in another page or another try */
extern bool sgip_listing_take(SgipListing *listing, const SgipElement *element);

#endif							/* SGIP_LISTING_H */
