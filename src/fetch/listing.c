/*-------------------------------------------------------------------------
 *
 * listing.c
 *		A listing of the API: where its pages are, and which of its elements
 *		are new.
 *
 * A listing comes in one answer, or in pages of three kinds; the catalogue
 * says which.  The next page begins behind the rows received, whatever was
 * asked for, and the end has to be proven.  Since rows can be inserted and
 * deleted between two pages, the keys of all rows are remembered, and rows
 * that come again in another page are dropped.  Within a page rows are what
 * they are: only paging makes repeats.
 *
 * Does not deal with transfers: answer.c requests the pages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fetch/listing.h"
#include "request/string_set.h"

/*
 * Pages in a row that bring nothing new before the listing is called stuck,
 * empty ones included.  One can happen when many rows are inserted between
 * two pages.
 */
#define MAX_STALE_PAGES 3

struct SgipListing
{
	const SgipTask *task;
	int			limit;			/* rows that a page is asked for, 0: there is
								 * but one */

	/* keys of elements, NULL if the listing is not paged */
	SgipStringSet *seen;		/* of earlier pages and tries */
	SgipStringSet *present;		/* of this one */
	int			stale_pages;	/* in a row without a new element; -1: this
								 * page has one */

	/*
	 * OFFSET: what the headers of the first page said about the others, so
	 * that several can be asked for at once; step 0: nothing
	 */
	int			step;			/* rows per page */
	int64		last_offset;	/* where the last page begins */
};

SgipListing *
sgip_listing_new(const SgipTask *task, bool single, int page_size)
{
	SgipListing *listing = palloc0(sizeof(SgipListing));

	listing->task = task;
	if (!single && task->paging != SGIP_PAGING_NONE)
		listing->limit = Min(page_size, task->page_max);
	if (listing->limit > 0)
	{
		listing->seen = sgip_string_set_new();
		listing->present = sgip_string_set_new();
	}
	return listing;
}

SgipPage
sgip_listing_first(const SgipListing *listing, int rows)
{
	SgipPage	page = {.limit = listing->limit};

	if (rows > 0)
		page.limit = Min(rows, page.limit);
	return page;
}

/* Number that a parameter of a URL (or NULL) has, -1 if it has none. */
static int64
url_parameter(const char *url, const char *name)
{
	size_t		len = strlen(name);

	for (const char *p = url ? url : ""; (p = strstr(p, name)) != NULL; p += len)
	{
		if (p > url && (p[-1] == '?' || p[-1] == '&') && p[len] == '=')
			return isdigit((unsigned char) p[len + 1]) ? strtoll(p + len + 1, NULL, 10) : -1;
	}
	return -1;
}

bool
sgip_listing_ahead(const SgipListing *listing, const SgipPage *page, SgipPage *next)
{
	if (listing->step == 0 || page->offset + listing->step > listing->last_offset)
		return false;
	*next = *page;
	next->offset += listing->step;
	return true;
}

void
sgip_listing_begin_page(SgipListing *listing)
{
	if (listing->seen != NULL)
		sgip_string_set_move(listing->seen, listing->present);
}

bool
sgip_listing_take(SgipListing *listing, const SgipElement *element)
{
	const SgipTask *task = listing->task;
	SgipValue	key;

	if (listing->seen == NULL)
		return true;
	key = sgip_json_member(element, task->fields[task->key_field].key);
	if ((key.kind != SGIP_VALUE_STRING && key.kind != SGIP_VALUE_NUMBER) ||
		key.text.len > SGIP_MAX_KEY_BYTES)
		return true;
	if (sgip_string_set_has(listing->seen, key.text))
		return false;
	(void) sgip_string_set_add(listing->present, key.text);
	listing->stale_pages = -1;
	return true;
}

bool
sgip_listing_knows_repeats(const SgipListing *listing)
{
	return listing->seen != NULL;
}

/*
 * OFFSET: the next page begins behind the rows received; behind an empty page,
 * where its Link header says, unless that is behind the last one.  The end is
 * an empty page, or a Link header that speaks of pages, if it has no next one
 * and its last one does not lie behind what was received.  What was learnt is
 * forgotten where it proves to be wrong.
 */
static SgipNextPage
next_by_offset(SgipListing *listing, const SgipPage *page, int64 elements,
			   const SgipHttpHead *head, SgipPage *next)
{
	int64		last = url_parameter(head->link_last, "offset");
	int64		named = url_parameter(head->link_next, "offset");

	if (page->offset == 0 && page->limit >= listing->limit &&
		named > 0 && named <= page->limit && last >= named)
	{
		listing->step = (int) named;
		listing->last_offset = last;
	}
	if (elements == 0 && named > page->offset && (last < 0 || last > page->offset))
	{
		next->offset = named;
		return SGIP_NEXT_PAGE;
	}
	if (elements == 0)
		return last > page->offset ? SGIP_NEXT_STUCK : SGIP_NEXT_END;
	next->offset += elements;
	if (head->has_link && head->link_next == NULL && last < next->offset)
		return SGIP_NEXT_END;
	if (elements != listing->step)
		listing->step = 0;
	return SGIP_NEXT_PAGE;
}

/* AFTER_KEY, LAST: the answer says where the next page begins. */
static SgipNextPage
next_by_cursor(const SgipListing *listing, const SgipPage *page, int64 elements,
			   const SgipJsonReader *reader, SgipPage *next)
{
	SgipValue	cursor;

	if (listing->task->paging == SGIP_PAGING_LAST)
		cursor = sgip_json_envelope(reader, "pages.last");
	else
	{
		cursor = sgip_json_envelope(reader, "_metadata.next_params.after_key");
		if (cursor.kind == SGIP_VALUE_ABSENT)
			cursor = sgip_json_envelope(reader, "_metadata.after_key");
	}
	if ((cursor.kind != SGIP_VALUE_STRING && cursor.kind != SGIP_VALUE_NUMBER) ||
		cursor.text.len == 0 ||
		(listing->task->paging == SGIP_PAGING_LAST && elements == 0))
		return SGIP_NEXT_END;
	next->cursor = pnstrdup(cursor.text.data, cursor.text.len);
	return sgip_listing_same_position(page, next) ? SGIP_NEXT_STUCK : SGIP_NEXT_PAGE;
}

SgipNextPage
sgip_listing_next(SgipListing *listing, const SgipPage *page, int64 elements,
				  const SgipHttpHead *head, const SgipJsonReader *reader, SgipPage *next)
{
	SgipNextPage follows;

	*next = *page;
	next->limit = listing->limit;
	if (listing->limit == 0)
		return SGIP_NEXT_END;
	if (listing->task->paging == SGIP_PAGING_OFFSET)
		follows = next_by_offset(listing, page, elements, head, next);
	else
		follows = next_by_cursor(listing, page, elements, reader, next);
	if (follows == SGIP_NEXT_PAGE && listing->seen != NULL &&
		++listing->stale_pages >= MAX_STALE_PAGES)
		return SGIP_NEXT_STUCK;
	return follows;
}

bool
sgip_listing_same_position(const SgipPage *page, const SgipPage *other)
{
	if (page->cursor == NULL || other->cursor == NULL)
		return page->cursor == other->cursor && page->offset == other->offset;
	return strcmp(page->cursor, other->cursor) == 0;
}
