/*-------------------------------------------------------------------------
 *
 * listing.c
 *		A listing of the API: its pages, and which of its elements are new.
 *
 * A listing is all that the API has for one search (or one parent).  It comes
 * in one answer, or in pages of three kinds; the catalogue says which.  The
 * next page begins behind the rows received, whatever was asked for, and the
 * end has to be proven.  Since rows can be inserted and deleted between two
 * pages, the keys of all rows are remembered, and rows that come again are
 * dropped.
 *
 * Knows no transfer: fetch.c asks for the pages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fetch/listing.h"

/*
 * Pages in a row that bring nothing but repeats before the listing is called
 * stuck.  One can happen when many rows are inserted between two pages.
 */
#define MAX_STALE_PAGES 3

SgipListing *
sgip_listing_new(SgipPurpose purpose, const SgipTask *task,
				 const SgipSearch *search, const SgipArguments *arguments)
{
	SgipListing *listing = palloc0(sizeof(SgipListing));
	bool		filtered = false;

	listing->purpose = purpose;
	listing->task = task;
	listing->search = search;
	if (arguments != NULL)
		listing->arguments = *arguments;
	for (int i = 0; i < task->field_count; i++)
	{
		if (listing->arguments.values[i] == NULL)
			continue;
		filtered = true;
		if (task->fields[i].kind == SGIP_KIND_PARENT)
			listing->parent = pstrdup(listing->arguments.values[i]);
	}
	sgip_decode_check_begin(&listing->check, task,
							purpose == SGIP_FOR_DISABLED ? "disabled" : NULL);
	listing->may_fall_back = filtered && task->api == SGIP_API_V3;
	if (task->paging != SGIP_PAGING_NONE && task->key_field >= 0)
		listing->seen = sgip_string_set_new();
	return listing;
}

void
sgip_listing_free(SgipListing *listing)
{
	sgip_string_set_free(listing->seen);
	if (listing->parent != NULL)
		pfree(unconstify(char *, listing->parent));
	pfree(listing);
}

SgipJsonShape
sgip_listing_shape(const SgipListing *listing)
{
	SgipJsonShape shape;

	shape.list_key = listing->task->list_key;
	/* what tells a row from an envelope */
	shape.row_key = sgip_task_row_key(listing->task);
	return shape;
}

bool
sgip_listing_is_inconclusive(const SgipListing *listing)
{
	for (int i = 0; i < listing->task->field_count; i++)
	{
		if (listing->arguments.values[i] != NULL && listing->task->fields[i].inconclusive)
			return true;
	}
	return false;
}

SgipPage
sgip_listing_first(const SgipListing *listing, int page_size)
{
	SgipPage	page = {.parent = listing->parent};

	if (listing->task->paging != SGIP_PAGING_NONE)
		page.limit = Min(page_size, listing->task->page_max);
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

void
sgip_listing_learn(SgipListing *listing, const SgipPage *page, const SgipHttpHead *head)
{
	int64		next = url_parameter(head->link_next, "offset");
	int64		last = url_parameter(head->link_last, "offset");

	if (listing->task->paging != SGIP_PAGING_OFFSET || listing->step != 0 ||
		page->offset != 0 || next <= 0 || next > page->limit || last < next)
		return;
	listing->step = (int) next;
	listing->last_offset = last;
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

/*
 * OFFSET: the next page begins behind the rows received.  The end is an empty
 * page, or a Link header without a next one.  What was learnt is forgotten
 * where it proves to be wrong.
 */
static SgipNextPage
next_by_offset(SgipListing *listing, const SgipPage *page, int64 elements,
			   const SgipHttpHead *head, SgipPage *next)
{
	if (elements == 0 || (head->has_link && head->link_next == NULL))
		return SGIP_NEXT_END;
	if (elements != listing->step)
		listing->step = 0;
	next->offset += elements;
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
	if ((cursor.kind != SGIP_VALUE_STRING && cursor.kind != SGIP_VALUE_LITERAL) ||
		cursor.text.len == 0 ||
		(listing->task->paging == SGIP_PAGING_LAST && elements == 0))
		return SGIP_NEXT_END;
	next->cursor = pnstrdup(cursor.text.data, cursor.text.len);
	return sgip_listing_same_place(page, next) ? SGIP_NEXT_STUCK : SGIP_NEXT_PAGE;
}

SgipNextPage
sgip_listing_next(SgipListing *listing, const SgipPage *page, int64 elements, int64 fresh,
				  const SgipHttpHead *head, const SgipJsonReader *reader, SgipPage *next)
{
	if (listing->seen != NULL && elements > 0)
	{
		listing->stale_pages = fresh > 0 ? 0 : listing->stale_pages + 1;
		if (listing->stale_pages >= MAX_STALE_PAGES)
			return SGIP_NEXT_STUCK;
	}
	*next = *page;
	switch (listing->task->paging)
	{
		case SGIP_PAGING_NONE:
			break;
		case SGIP_PAGING_OFFSET:
			return next_by_offset(listing, page, elements, head, next);
		case SGIP_PAGING_AFTER_KEY:
		case SGIP_PAGING_LAST:
			return next_by_cursor(listing, page, elements, reader, next);
	}
	return SGIP_NEXT_END;
}

bool
sgip_listing_same_place(const SgipPage *page, const SgipPage *other)
{
	if (page->cursor == NULL || other->cursor == NULL)
		return page->cursor == other->cursor && page->offset == other->offset;
	return strcmp(page->cursor, other->cursor) == 0;
}

bool
sgip_listing_take(SgipListing *listing, const SgipElement *element)
{
	const SgipTask *task = listing->task;
	SgipValue	key;

	listing->elements++;
	if (listing->seen == NULL)
		return true;
	key = sgip_json_member(element, task->fields[task->key_field].key, &listing->key_hint);
	if ((key.kind != SGIP_VALUE_STRING && key.kind != SGIP_VALUE_LITERAL) ||
		key.text.len > SGIP_MAX_KEY_BYTES)
		return true;
	return sgip_string_set_add(listing->seen, key.text);
}
