/*-------------------------------------------------------------------------
 *
 * listing.h
 *		A listing of the API: where its pages are, and which of its elements
 *		are new.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_LISTING_H
#define SGIP_LISTING_H

#include "http/http.h"
#include "json/json.h"
#include "request/request.h"

typedef struct SgipListing SgipListing;

/* What follows a page */
typedef enum SgipNextPage
{
	SGIP_NEXT_PAGE,				/* another page */
	SGIP_NEXT_END,				/* nothing, and that is proven */
	SGIP_NEXT_STUCK				/* the same again: the listing does not
								 * advance */
} SgipNextPage;

/*
 * A listing of the task, in the current memory context.  single: what is
 * asked for is one object of it.  page_size: rows to ask for in a page, if the
 * API gives as many.
 */
extern SgipListing *sgip_listing_new(const SgipTask *task, bool single, int page_size);

/* Where the first page begins; rows: it is asked for no more than that, 0: no bound */
extern SgipPage sgip_listing_first(const SgipListing *listing, int rows);

/*
 * Where the page behind this one begins, as far as the headers of the first
 * one have told; nothing is known before that is complete.
 */
extern bool sgip_listing_ahead(const SgipListing *listing, const SgipPage *page,
							   SgipPage *next);

/* A try of a page begins: what an earlier page or try has brought is not new */
extern void sgip_listing_begin_page(SgipListing *listing);

/*
 * Takes an element of the page; false if it came before, in another page or
 * another try.
 */
extern bool sgip_listing_take(SgipListing *listing, const SgipElement *element);

/* Can a page be asked for again, though elements of it have been taken? */
extern bool sgip_listing_knows_repeats(const SgipListing *listing);

/*
 * What follows a page that is complete and has so many elements; *next
 * receives where it begins, its cursor in the current memory context.
 */
extern SgipNextPage sgip_listing_next(SgipListing *listing, const SgipPage *page,
									  int64 elements, const SgipHttpHead *head,
									  const SgipJsonReader *reader, SgipPage *next);

/* Do two pages of one listing begin at the same position? */
extern bool sgip_listing_same_position(const SgipPage *page, const SgipPage *other);

#endif							/* SGIP_LISTING_H */
