/*-------------------------------------------------------------------------
 *
 * fetch.c
 *		Drives the requests of one scan and yields the rows of their answers.
 *
 * A scan is a sequence of listings: one for each search, and where the
 * catalogue says so one for each row of a parent listing.  A listing is a
 * sequence of pages, a page one request.  Pages stand in a queue in the order
 * in which their rows are handed out; the first one is being read, and up to
 * max_concurrency of them are in flight.  A page that is not yet read is held
 * back by its transfer when its window is full, so memory is bounded by the
 * pages in flight.
 *
 * Beyond that, a paged listing remembers the keys of its rows (about a
 * hundred bytes each) to drop those that come again when rows are inserted
 * or deleted between two pages; and "available" keeps the IPs that have
 * subusers in a tuplestore, which spills to disk, until it knows which
 * subusers are disabled.
 *
 * This file decides what is asked for next and what a failure means for the
 * scan; report.c words the errors, retry.c tells how long to wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "fetch.h"
#include "http.h"
#include "json.h"
#include "report.h"
#include "request.h"
#include "retry.h"

/*
 * Longest key that is remembered: ids and IP addresses are shorter.  A row
 * with a longer key is never taken for a repeat.
 */
#define KEY_BYTES 64

/*
 * Longest name of a disabled subuser that is remembered.  Names are shorter;
 * a longer one counts as active, which is the safe side.
 */
#define NAME_BYTES 512

/*
 * Pages in a row that bring nothing but repeats before the listing is called
 * stuck.  One can happen when many rows are inserted between two pages.
 */
#define MAX_STALE_PAGES 3

/* Most bytes of the body of a failed request that are read for its message */
#define MAX_ERROR_BODY_BYTES 8192

/* What the elements of a listing are for */
typedef enum Purpose
{
	FOR_ROWS,					/* rows of the table */
	FOR_PARENTS,				/* ids, each with a listing of its own */
	FOR_DISABLED				/* names of disabled subusers */
} Purpose;

typedef struct Listing
{
	Purpose		purpose;
	const SgipTask *task;
	const SgipSearch *search;	/* FOR_ROWS */
	SgipArguments arguments;	/* what is sent */
	char	   *parent;			/* id in the path, or NULL */
	int64		last_offset;	/* OFFSET: where the last page begins, if known */
	int			step;			/* OFFSET: rows per page, 0: not known */
	bool		may_fall_back;	/* a refused answer says nothing */
	int64		elements;		/* received in all pages */
	int			stale_pages;	/* pages in a row without a new row */
	HTAB	   *seen;			/* keys of rows, or NULL if unpaged */
	int			key_hint;
	bool		has_address;	/* every element has a member "ip" */
	int			address_hint;
} Listing;

typedef enum PageState
{
	PAGE_NEW,					/* not asked for yet */
	PAGE_SENT,					/* its transfer is under way or done */
	PAGE_RESTING				/* waits before it is asked for again */
} PageState;

/* One request: a page of a listing */
typedef struct RemotePage
{
	dlist_node	node;			/* in the fetch's queue */
	Listing    *listing;
	SgipPage	place;
	PageState	state;
	SgipTransfer *transfer;
	SgipJsonReader *reader;
	bool		accepted;		/* its status was good: elements may be read */
	size_t		used;			/* bytes of the element handed out last, which stay
								 * in the transfer's window as long as it lives */
	int			tries;			/* requests made */
	TimestampTz wake_at;		/* RESTING: when to try again */
	int64		elements;		/* received in this try */
	int64		fresh;			/* of those, not seen in an earlier page */
} RemotePage;

struct SgipFetch
{
	MemoryContext context;
	MemoryContextCallback cleanup;
	const SgipTable *table;
	const SgipServer *server;
	SgipCredentials *credentials;
	const SgipSearches *searches;
	bool		may_queue;
	SgipChannel *channel;
	SgipFetchCounters *counters;
	uint64		bytes_before;	/* the channel's counters when last looked at */
	uint64		connections_before;

	dlist_head	pages;			/* in the order of their rows */
	int			next_search;	/* first search without a listing */
	List	   *parents;		/* ids whose listings are still to be made */
	const SgipSearch *parents_search;
	int64		waited_ms;		/* of the retry budget */

	/* an element that is handed out item by item */
	SgipElement element;
	bool		unnesting;
	size_t		next_item;
	size_t		item_count;
	RemotePage	   *current;		/* page that the element is from */

	/* "available": IPs in use, until it is known which subusers are disabled */
	Tuplestorestate *in_use;
	TupleTableSlot *in_use_slot;
	HTAB	   *disabled;		/* names; NULL until that listing is begun */
	SgipJsonReader *in_use_reader;
	SgipElement in_use_element;
};

/* Fetches of this backend that hold a channel */
static int	active_fetches = 0;

/* Frees what palloc does not own; the context that holds the fetch goes. */
static void
fetch_cleanup(void *arg)
{
	SgipFetch  *fetch = arg;
	dlist_iter	iter;

	active_fetches--;
	dlist_foreach(iter, &fetch->pages)
	{
		RemotePage	   *page = dlist_container(RemotePage, node, iter.cur);

		sgip_json_close(page->reader);
		page->reader = NULL;
	}
	sgip_json_close(fetch->in_use_reader);
	fetch->in_use_reader = NULL;
	if (fetch->in_use != NULL)
		tuplestore_end(fetch->in_use);
	fetch->in_use = NULL;
	if (fetch->credentials != NULL)
		sgip_option_forget(fetch->credentials);
	fetch->credentials = NULL;
}

/*
 * May another fetch begin, of one that can wait for others?  A channel takes
 * three descriptors, and PostgreSQL has some hundred for us.
 */
bool
sgip_fetch_has_place(void)
{
	return active_fetches < sgip_http_max_connections();
}

/* Begins a fetch; nothing is sent yet. */
SgipFetch *
sgip_fetch_begin(const SgipTable *table, const SgipSearches *searches,
				 Oid user_id, bool may_queue, SgipFetchCounters *counters)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sgip_fdw fetch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SgipFetch  *fetch = palloc0(sizeof(SgipFetch));
	SgipHttpPeer peer;

	fetch->context = context;
	fetch->table = table;
	fetch->server = table->server;
	fetch->searches = searches;
	fetch->may_queue = may_queue;
	fetch->counters = counters;
	dlist_init(&fetch->pages);
	fetch->cleanup.func = fetch_cleanup;
	fetch->cleanup.arg = fetch;
	MemoryContextRegisterResetCallback(context, &fetch->cleanup);
	active_fetches++;

	sgip_option_check_ca_file(fetch->server);
	fetch->credentials = sgip_option_credentials(fetch->server, user_id);
	peer.server_id = fetch->server->id;
	peer.user_id = fetch->credentials->user_id;
	peer.mapping_id = fetch->credentials->mapping_id;
	peer.ca_file = fetch->server->ca_file;
	peer.proxy = fetch->server->proxy;
	peer.connect_timeout_ms = fetch->server->connect_timeout_ms;
	peer.read_timeout_ms = fetch->server->read_timeout_ms;
	fetch->channel = sgip_http_acquire(&peer, context);

	MemoryContextSwitchTo(caller);
	return fetch;
}

/* Adds what the channel counted since last time. */
void
sgip_fetch_count(SgipFetch *fetch)
{
	const SgipHttpCounters *now = sgip_http_counters(fetch->channel);

	fetch->counters->bytes += now->bytes_received - fetch->bytes_before;
	fetch->counters->connections += now->connections_opened - fetch->connections_before;
	fetch->bytes_before = now->bytes_received;
	fetch->connections_before = now->connections_opened;
}

/* The request whose rows are being handed out, for an error's context. */
char *
sgip_fetch_describe(SgipFetch *fetch)
{
	RemotePage *page = fetch->current;

	if (page == NULL)
		return NULL;
	return sgip_request_describe(fetch->server, page->listing->task,
								 &page->listing->arguments, NULL, &page->place);
}

/* ----------------------------------------------------------------
 *		Listings and pages
 * ----------------------------------------------------------------
 */

/* Does the listing consist of pages that can repeat a row? */
static bool
is_paged(const Listing *listing)
{
	return listing->task->paging != SGIP_PAGING_NONE && listing->task->key_field >= 0;
}

/* Is something sent that leaves rows out of the answer? */
static bool
is_filtered(const Listing *listing)
{
	for (int i = 0; i < listing->task->field_count; i++)
	{
		if (listing->arguments.values[i] != NULL)
			return true;
	}
	return false;
}

/* Is an argument sent whose empty answer proves nothing? */
static bool
is_doubtful(const Listing *listing)
{
	for (int i = 0; i < listing->task->field_count; i++)
	{
		if (listing->arguments.values[i] != NULL && listing->task->fields[i].doubtful)
			return true;
	}
	return false;
}

/* A listing without arguments; in the fetch's context. */
static Listing *
make_listing(SgipFetch *fetch, Purpose purpose, const SgipTask *task)
{
	Listing    *listing = MemoryContextAllocZero(fetch->context, sizeof(Listing));

	listing->purpose = purpose;
	listing->task = task;
	listing->last_offset = -1;
	listing->has_address = sgip_task_find_field(task, "ip") >= 0;
	if (is_paged(listing))
	{
		HASHCTL		ctl;

		ctl.keysize = KEY_BYTES;
		ctl.entrysize = KEY_BYTES;
		ctl.hcxt = fetch->context;
		listing->seen = hash_create("sgip_fdw keys", 256, &ctl,
									HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	}
	return listing;
}

/* A page of the listing, behind "after" in the queue, or at its end. */
static RemotePage *
make_page(SgipFetch *fetch, Listing *listing, RemotePage *after)
{
	RemotePage	   *page = MemoryContextAllocZero(fetch->context, sizeof(RemotePage));

	page->listing = listing;
	page->place.parent = listing->parent;
	if (listing->task->paging != SGIP_PAGING_NONE)
		page->place.limit = Min(fetch->server->page_size, listing->task->page_max);
	if (after != NULL)
		dlist_insert_after(&after->node, &page->node);
	else
		dlist_push_tail(&fetch->pages, &page->node);
	return page;
}

/*
 * One line for each request in the log of somebody who debugs: what was
 * asked, without credentials, and what came of it.
 */
static void
log_request(const SgipFetch *fetch, const RemotePage *page)
{
	static const char *const states[] = {"queued", "stopped", "complete", "failed"};

	if (page->transfer == NULL || !message_level_is_interesting(DEBUG1))
		return;
	ereport(DEBUG1,
			(errmsg_internal("sgip_fdw: %s, status %d, " INT64_FORMAT " elements, %d ms, try %d, %s",
							 sgip_request_describe(fetch->server, page->listing->task,
												   &page->listing->arguments, NULL, &page->place),
							 sgip_http_head(page->transfer)->status, page->elements,
							 sgip_http_elapsed_ms(page->transfer), page->tries,
							 states[sgip_http_state(page->transfer)])));
}

/* Stops a page and forgets it. */
static void
drop_page(SgipFetch *fetch, RemotePage *page)
{
	log_request(fetch, page);
	sgip_json_close(page->reader);
	page->reader = NULL;
	sgip_http_stop(page->transfer);
	dlist_delete(&page->node);
	if (fetch->current == page)
		fetch->current = NULL;
	if (page->place.cursor != NULL)
		pfree(unconstify(char *, page->place.cursor));
	pfree(page);
}

/* The page behind this one if it belongs to the same listing, else NULL. */
static RemotePage *
next_of_listing(SgipFetch *fetch, RemotePage *page)
{
	RemotePage	   *next;

	if (!dlist_has_next(&fetch->pages, &page->node))
		return NULL;
	next = dlist_container(RemotePage, node, dlist_next_node(&fetch->pages, &page->node));
	return next->listing == page->listing ? next : NULL;
}

/* The parent's task, of a listing that needs an id in its path. */
static const SgipTask *
parent_task(const SgipTask *task)
{
	return task->parent ? sgip_task_find(task->api, task->parent) : NULL;
}

/*
 * Begins the listing of one search: its own, or first that of the parents
 * when the search does not say whose rows are wanted.
 */
static void
begin_search(SgipFetch *fetch, const SgipSearch *search, const SgipArguments *arguments,
			 RemotePage *after)
{
	const SgipTask *task = fetch->table->task;
	Listing    *listing;

	if (task->parent != NULL)
	{
		int			field = 0;

		while (task->fields[field].kind != SGIP_KIND_PARENT)
			field++;
		if (arguments->values[field] == NULL)
		{
			listing = make_listing(fetch, FOR_PARENTS, parent_task(task));
			listing->search = search;
			make_page(fetch, listing, after);
			return;
		}
	}

	listing = make_listing(fetch, FOR_ROWS, task);
	listing->search = search;
	listing->arguments = *arguments;
	for (int i = 0; i < task->field_count; i++)
	{
		if (task->fields[i].kind == SGIP_KIND_PARENT)
			listing->parent = MemoryContextStrdup(fetch->context, arguments->values[i]);
	}
	listing->may_fall_back = task->api == SGIP_API_V3 && is_filtered(listing);
	make_page(fetch, listing, after);
}

/* Begins the listing of one parent. */
static void
begin_child(SgipFetch *fetch)
{
	Listing    *listing = make_listing(fetch, FOR_ROWS, fetch->table->task);

	listing->search = fetch->parents_search;
	listing->parent = linitial(fetch->parents);
	fetch->parents = list_delete_first(fetch->parents);
	make_page(fetch, listing, NULL);
}

/*
 * Adds pages to the queue whose place is known: of further searches and
 * parents, and of a listing whose end is known.  False if there is none.
 */
static bool
add_page(SgipFetch *fetch)
{
	if (!dlist_is_empty(&fetch->pages))
	{
		RemotePage	   *tail = dlist_tail_element(RemotePage, node, &fetch->pages);
		Listing    *listing = tail->listing;

		if (listing->step > 0 && tail->place.offset + listing->step <= listing->last_offset)
		{
			RemotePage	   *page = make_page(fetch, listing, tail);

			page->place.offset = tail->place.offset + listing->step;
			return true;
		}
		/* what follows a listing of unknown length has to wait for parents */
		if (listing->purpose != FOR_ROWS)
			return false;
	}
	if (fetch->parents != NIL)
	{
		begin_child(fetch);
		return true;
	}
	if (fetch->next_search < fetch->searches->count)
	{
		const SgipSearch *search = &fetch->searches->items[fetch->next_search];

		fetch->next_search++;
		begin_search(fetch, search, &search->arguments, NULL);
		return true;
	}
	return false;
}

/* ----------------------------------------------------------------
 *		Requests
 * ----------------------------------------------------------------
 */

/* What an error about this page needs to know. */
static SgipFailed
failed_request(SgipFetch *fetch, RemotePage *page)
{
	SgipFailed	failed;

	failed.server = fetch->server;
	failed.credentials = fetch->credentials;
	failed.table = fetch->table->name;
	failed.request = sgip_request_describe(fetch->server, page->listing->task,
										   &page->listing->arguments, NULL, &page->place);
	failed.head = page->transfer ? sgip_http_head(page->transfer) : NULL;
	return failed;
}

/* What the answer of a listing looks like. */
static SgipJsonShape
shape_of(const SgipTask *task)
{
	SgipJsonShape shape;

	shape.list_key = task->list_key;
	/* what tells a row from an envelope: every listing of IPs has it */
	shape.row_key = sgip_task_find_field(task, "ip") >= 0 ? "ip" : NULL;
	return shape;
}

/* Asks for the page. */
static void
send_page(SgipFetch *fetch, RemotePage *page)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);
	SgipJsonShape shape = shape_of(page->listing->task);
	SgipHttpRequest request;

	Assert(page->transfer == NULL && page->reader == NULL);
	page->reader = sgip_json_open(&shape, false);
	if (page->reader == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	sgip_request_build(fetch->server, page->listing->task, fetch->credentials,
					   &page->listing->arguments, &page->place, &request);
	page->transfer = sgip_http_start(fetch->channel, &request, fetch->may_queue);
	sgip_request_wipe(&request);
	page->state = PAGE_SENT;
	page->accepted = false;
	page->used = 0;
	page->elements = 0;
	page->tries++;
	fetch->counters->requests++;
	if (page->tries > 1)
		fetch->counters->retries++;
	MemoryContextSwitchTo(caller);
}

/* Is the transfer of this page still taking part in the concurrency? */
static bool
in_flight(const RemotePage *page)
{
	SgipHttpState state;

	if (page->state != PAGE_SENT)
		return page->state == PAGE_RESTING;
	state = sgip_http_state(page->transfer);
	return state == SGIP_HTTP_RUNNING || state == SGIP_HTTP_QUEUED;
}

/* Sends what may be in flight: pages of the queue, and those to come. */
static void
fill_flight(SgipFetch *fetch)
{
	int			flying = 0;
	int			queued = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &fetch->pages)
	{
		RemotePage	   *page = dlist_container(RemotePage, node, iter.cur);

		if (page->state == PAGE_RESTING && GetCurrentTimestamp() >= page->wake_at)
			page->state = PAGE_NEW;
		if (page->state == PAGE_NEW && flying < fetch->server->max_concurrency)
			send_page(fetch, page);
		if (in_flight(page))
			flying++;
		queued++;
	}
	/* pages that are done but unread are bounded too */
	while (flying < fetch->server->max_concurrency &&
		   queued < 2 * fetch->server->max_concurrency && add_page(fetch))
	{
		send_page(fetch, dlist_tail_element(RemotePage, node, &fetch->pages));
		flying++;
		queued++;
	}
}

/* Milliseconds until the first resting page is to be sent again; -1: none. */
static long
next_wake_ms(SgipFetch *fetch)
{
	long		soonest = -1;
	dlist_iter	iter;

	dlist_foreach(iter, &fetch->pages)
	{
		RemotePage	   *page = dlist_container(RemotePage, node, iter.cur);
		long		ms;

		if (page->state != PAGE_RESTING)
			continue;
		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), page->wake_at);
		soonest = soonest < 0 ? ms : Min(soonest, ms);
	}
	return soonest;
}

/* Waits until there can be more to say. */
void
sgip_fetch_wait(SgipFetch *fetch)
{
	sgip_http_wait(fetch->channel, next_wake_ms(fetch));
}

/* The descriptor for somebody who waits for several fetches. */
int
sgip_fetch_wait_begin(SgipFetch *fetch)
{
	sgip_http_wait_begin(fetch->channel, next_wake_ms(fetch));
	return sgip_http_descriptor(fetch->channel);
}

void
sgip_fetch_wait_end(SgipFetch *fetch)
{
	sgip_http_wait_end(fetch->channel);
}

/* Lets the page rest for so long, then it is asked for again. */
static void
rest(SgipFetch *fetch, RemotePage *page, int64 wait_ms)
{
	log_request(fetch, page);
	fetch->waited_ms += wait_ms;
	sgip_http_stop(page->transfer);
	page->transfer = NULL;
	sgip_json_close(page->reader);
	page->reader = NULL;
	page->state = PAGE_RESTING;
	page->wake_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms);
}

/*
 * May the page be asked for again?  Not when rows of it have been handed out
 * and nothing would tell that they come again.
 */
static bool
can_repeat(const SgipFetch *fetch, const RemotePage *page)
{
	return page->tries <= fetch->server->max_retries &&
		(page->elements == 0 || page->listing->seen != NULL);
}

/*
 * The answer's status asks for another try.  Waits within the budget, else
 * raises an error at once.
 */
static void
retry_status(SgipFetch *fetch, RemotePage *page)
{
	const SgipHttpHead *head = sgip_http_head(page->transfer);
	int64		asked = sgip_retry_asked_ms(head);
	int64		left = fetch->server->max_retry_wait_ms - fetch->waited_ms;
	int64		wait = asked >= 0 ? asked : Min(sgip_retry_backoff_ms(page->tries), left);

	if (!can_repeat(fetch, page) || wait > left || left <= 0)
	{
		SgipFailed	failed = failed_request(fetch, page);

		sgip_report_retries(&failed, page->tries, asked);
	}
	rest(fetch, page, wait);
}

/* The transfer failed: another try if that can help, else an error. */
static void
handle_failure(SgipFetch *fetch, RemotePage *page)
{
	SgipHttpFailure failure = sgip_http_failure(page->transfer);
	int64		left = fetch->server->max_retry_wait_ms - fetch->waited_ms;
	SgipFailed	failed;

	if ((failure == SGIP_HTTP_CONNECT || failure == SGIP_HTTP_LOST) &&
		can_repeat(fetch, page) && left > 0)
	{
		rest(fetch, page, Min(sgip_retry_backoff_ms(page->tries), left));
		return;
	}
	failed = failed_request(fetch, page);
	sgip_report_transfer(&failed, failure, sgip_http_failure_text(page->transfer),
						 sgip_http_connected(page->transfer));
}

/*
 * Reads the listing again from its beginning without arguments; PostgreSQL
 * applies the conditions.
 */
static void
fall_back(SgipFetch *fetch, RemotePage *page)
{
	SgipArguments none;

	memset(&none, 0, sizeof(none));
	begin_search(fetch, page->listing->search, &none, page);
	drop_page(fetch, page);
}

/*
 * The answer is no 2xx.  Returns when the page has been dealt with otherwise
 * than by an error.
 */
static void
handle_status(SgipFetch *fetch, RemotePage *page, const char *body, size_t len)
{
	int			status = sgip_http_head(page->transfer)->status;
	Listing    *listing = page->listing;
	SgipFailed	failed;

	if (sgip_retry_status(status))
	{
		retry_status(fetch, page);
		return;
	}
	if (listing->may_fall_back && listing->elements == 0)
	{
		/* the filter found nothing; or was not understood, or proves nothing */
		if (status == 404 && !is_doubtful(listing))
		{
			drop_page(fetch, page);
			return;
		}
		if (status == 400 || (is_doubtful(listing) && (status == 404 || status == 403)))
		{
			fall_back(fetch, page);
			return;
		}
	}
	failed = failed_request(fetch, page);
	sgip_report_status(&failed, body, len);
}

/* ----------------------------------------------------------------
 *		The end of a page
 * ----------------------------------------------------------------
 */

/* Number that a parameter of a URL has, -1 if it has none. */
static int64
url_parameter(const char *url, const char *name)
{
	size_t		len = strlen(name);

	for (const char *p = url; (p = strstr(p, name)) != NULL; p += len)
	{
		if (p > url && (p[-1] == '?' || p[-1] == '&') && p[len] == '=')
			return isdigit((unsigned char) p[len + 1]) ? strtoll(p + len + 1, NULL, 10) : -1;
	}
	return -1;
}

/*
 * Learns from the Link header of a listing's first page where the others
 * begin, so that several can be asked for at once.  The server's own next
 * offset tells its page size, which may be smaller than asked for.
 */
static void
learn_places(RemotePage *page, const SgipHttpHead *head)
{
	Listing    *listing = page->listing;
	int64		next = url_parameter(head->link_next, "offset");
	int64		last = url_parameter(head->link_last, "offset");

	if (listing->task->paging != SGIP_PAGING_OFFSET || listing->step != 0 ||
		page->place.offset != 0 || next <= 0 || next > page->place.limit || last < next)
		return;
	listing->step = (int) next;
	listing->last_offset = last;
}

/* Drops the pages of this listing that were asked for in advance. */
static void
drop_following(SgipFetch *fetch, RemotePage *page)
{
	RemotePage	   *next;

	while ((next = next_of_listing(fetch, page)) != NULL)
		drop_page(fetch, next);
	page->listing->step = 0;
	page->listing->last_offset = -1;
}

/*
 * OFFSET: the next page begins behind the rows received, whatever was asked
 * for.  The end is an empty page, or a Link header without a next one.
 */
static void
continue_by_offset(SgipFetch *fetch, RemotePage *page)
{
	const SgipHttpHead *head = sgip_http_head(page->transfer);
	int64		offset = page->place.offset + page->elements;
	RemotePage	   *next = next_of_listing(fetch, page);

	if (page->elements == 0 || (head->has_link && head->link_next[0] == '\0'))
	{
		drop_following(fetch, page);
		return;
	}
	if (next != NULL && next->place.offset == offset)
		return;
	if (next != NULL)
		drop_following(fetch, page);
	else if (page->listing->step > 0 && offset > page->listing->last_offset)
		page->listing->step = 0;
	next = make_page(fetch, page->listing, page);
	next->place.offset = offset;
}

/* The cursor of the next page, NULL at the end of the listing; palloc'd. */
static char *
next_cursor(SgipFetch *fetch, RemotePage *page)
{
	SgipValue	cursor;

	if (page->listing->task->paging == SGIP_PAGING_LAST)
	{
		cursor = sgip_json_envelope(page->reader, "pages.last");
		if (page->elements == 0)
			return NULL;
	}
	else
	{
		cursor = sgip_json_envelope(page->reader, "_metadata.next_params.after_key");
		if (cursor.kind == SGIP_VALUE_ABSENT)
			cursor = sgip_json_envelope(page->reader, "_metadata.after_key");
	}
	if ((cursor.kind != SGIP_VALUE_STRING && cursor.kind != SGIP_VALUE_LITERAL) ||
		cursor.text.len == 0)
		return NULL;
	return pnstrdup(cursor.text.data, cursor.text.len);
}

/* AFTER_KEY, LAST: the answer says where the next page begins. */
static void
continue_by_cursor(SgipFetch *fetch, RemotePage *page)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);
	char	   *cursor = next_cursor(fetch, page);
	RemotePage	   *next;

	MemoryContextSwitchTo(caller);
	if (cursor == NULL)
		return;
	if (page->place.cursor != NULL && strcmp(page->place.cursor, cursor) == 0)
	{
		SgipFailed	failed = failed_request(fetch, page);

		sgip_report_stuck(&failed);
	}
	next = make_page(fetch, page->listing, page);
	next->place.cursor = cursor;
}

/* The page is complete: asks for what follows, and forgets it. */
static void
finish_page(SgipFetch *fetch, RemotePage *page)
{
	Listing    *listing = page->listing;

	if (listing->seen != NULL && page->elements > 0)
	{
		listing->stale_pages = page->fresh > 0 ? 0 : listing->stale_pages + 1;
		if (listing->stale_pages >= MAX_STALE_PAGES)
		{
			SgipFailed	failed = failed_request(fetch, page);

			sgip_report_stuck(&failed);
		}
	}
	if (listing->elements == 0 && listing->may_fall_back && is_doubtful(listing))
	{
		fall_back(fetch, page);
		return;
	}
	switch (listing->task->paging)
	{
		case SGIP_PAGING_NONE:
			break;
		case SGIP_PAGING_OFFSET:
			continue_by_offset(fetch, page);
			break;
		case SGIP_PAGING_AFTER_KEY:
		case SGIP_PAGING_LAST:
			continue_by_cursor(fetch, page);
			break;
	}
	drop_page(fetch, page);
}

/* ----------------------------------------------------------------
 *		Elements
 * ----------------------------------------------------------------
 */

/* Has a row with this key come in an earlier page (or an earlier try)? */
static bool
is_repeat(Listing *listing, const SgipElement *element)
{
	const SgipField *field;
	SgipValue	value;
	char		key[KEY_BYTES];
	bool		found;

	if (listing->seen == NULL)
		return false;
	field = &listing->task->fields[listing->task->key_field];
	value = sgip_json_member(element, field->key, &listing->key_hint);
	if ((value.kind != SGIP_VALUE_STRING && value.kind != SGIP_VALUE_LITERAL) ||
		value.text.len >= KEY_BYTES)
		return false;
	memset(key, 0, sizeof(key));
	memcpy(key, value.text.data, value.text.len);
	(void) hash_search(listing->seen, key, HASH_ENTER, &found);
	return found;
}

/*
 * Every element of a listing of IPs has an address.  One without is no row:
 * an error object at the end of a list, say, and must not pass for one.
 */
static void
check_address(SgipFetch *fetch, RemotePage *page)
{
	Listing    *listing = page->listing;
	SgipValue	value;
	SgipRemoteError error;
	SgipFailed	failed;

	if (!listing->has_address)
		return;
	value = sgip_json_member(&fetch->element, "ip", &listing->address_hint);
	if (value.kind != SGIP_VALUE_ABSENT && value.kind != SGIP_VALUE_NULL)
		return;
	failed = failed_request(fetch, page);
	if (sgip_json_parse_error(fetch->element.raw.data, fetch->element.raw.len, &error))
	{
		char	   *said = pstrdup(error.text);

		free(error.text);
		error.text = said;
		sgip_report_remote(&failed, &error);
	}
	sgip_report_invalid(&failed, psprintf("element %ld has no \"ip\": %s", fetch->element.number,
										  sgip_report_clean(fetch->element.raw.data,
															fetch->element.raw.len,
															fetch->credentials)));
}

/* Text of a member of the element in a buffer of that size; false if none. */
static bool
member_text(const SgipElement *element, const char *key, char *buf, size_t size)
{
	int			hint = 0;
	SgipValue	value = sgip_json_member(element, key, &hint);

	if ((value.kind != SGIP_VALUE_STRING && value.kind != SGIP_VALUE_LITERAL) ||
		value.text.len >= size)
		return false;
	memset(buf, 0, size);
	memcpy(buf, value.text.data, value.text.len);
	return true;
}

/* A row of the parent listing: its id gets a listing of its own. */
static void
take_parent(SgipFetch *fetch, RemotePage *page)
{
	char		id[NAME_BYTES];
	MemoryContext caller;

	if (!member_text(&fetch->element, "id", id, sizeof(id)))
	{
		SgipFailed	failed = failed_request(fetch, page);

		sgip_report_invalid(&failed, psprintf("Element %ld has no usable id.",
											  fetch->element.number));
	}
	caller = MemoryContextSwitchTo(fetch->context);
	fetch->parents = lappend(fetch->parents, pstrdup(id));
	fetch->parents_search = page->listing->search;
	MemoryContextSwitchTo(caller);
}

/* A subuser: remembered if it is disabled. */
static void
take_subuser(SgipFetch *fetch)
{
	char		flag[8];
	char		name[NAME_BYTES];

	if (member_text(&fetch->element, "disabled", flag, sizeof(flag)) &&
		strcmp(flag, "true") == 0 &&
		member_text(&fetch->element, "username", name, sizeof(name)))
		(void) hash_search(fetch->disabled, name, HASH_ENTER, NULL);
}

/* Keeps an IP in use until it is known which subusers are disabled. */
static void
keep_in_use(SgipFetch *fetch, const SgipSearch *search)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (fetch->in_use == NULL)
	{
		TupleDesc	desc = CreateTemplateTupleDesc(2);

		TupleDescInitEntry(desc, 1, "search", INT4OID, -1, 0);
		TupleDescInitEntry(desc, 2, "element", TEXTOID, -1, 0);
		fetch->in_use_slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
		fetch->in_use = tuplestore_begin_heap(false, false, work_mem);
	}
	values[0] = Int32GetDatum((int32) (search - fetch->searches->items));
	values[1] = PointerGetDatum(cstring_to_text_with_len(fetch->element.raw.data,
														 fetch->element.raw.len));
	tuplestore_putvalues(fetch->in_use, fetch->in_use_slot->tts_tupleDescriptor, values, nulls);
	pfree(DatumGetPointer(values[1]));
	MemoryContextSwitchTo(caller);
}

/*
 * Does something with an element of a page; true if it gives rows of the
 * table now.
 */
static bool
take_element(SgipFetch *fetch, RemotePage *page)
{
	Listing    *listing = page->listing;
	bool		doubtful;

	page->elements++;
	listing->elements++;
	fetch->counters->rows++;
	check_address(fetch, page);
	if (is_repeat(listing, &fetch->element))
		return false;
	page->fresh++;

	switch (listing->purpose)
	{
		case FOR_PARENTS:
			take_parent(fetch, page);
			return false;
		case FOR_DISABLED:
			take_subuser(fetch);
			return false;
		case FOR_ROWS:
			break;
	}
	if (!sgip_decode_derive(listing->task, &fetch->element, &doubtful))
		return false;
	if (doubtful)
	{
		keep_in_use(fetch, listing->search);
		return false;
	}
	return true;
}

/* Begins to hand out an element, item by item where the task says so. */
static void
begin_items(SgipFetch *fetch)
{
	const char *unnest = fetch->table->task->unnest;

	fetch->unnesting = unnest != NULL;
	fetch->next_item = 0;
	fetch->item_count = unnest ? sgip_decode_item_count(&fetch->element, unnest) : 0;
}

/* The next row of the element that is being unnested; false at its end. */
static bool
next_item(SgipFetch *fetch, SgipRow *row)
{
	while (fetch->unnesting)
	{
		if (fetch->next_item >= fetch->item_count)
			fetch->unnesting = false;
		else if (sgip_decode_item(&fetch->element, fetch->table->task->unnest, "name",
								  fetch->next_item++, &row->item))
			return true;
	}
	return false;
}

/* ----------------------------------------------------------------
 *		Reading
 * ----------------------------------------------------------------
 */

/* What reading a page came to */
typedef enum PageResult
{
	PAGE_ELEMENT,				/* fetch->element is its next one */
	PAGE_BLOCKED,				/* nothing more without waiting */
	PAGE_CHANGED				/* the page is done with, or rests: look again */
} PageResult;

/* Looks at the answer's status; true if elements may be read. */
static bool
accept_answer(SgipFetch *fetch, RemotePage *page, PageResult *result)
{
	SgipHttpState state = sgip_http_state(page->transfer);
	int			status = sgip_http_head(page->transfer)->status;
	size_t		len;
	const char *body;

	*result = PAGE_BLOCKED;
	if (status == 0)
	{
		if (state == SGIP_HTTP_FAILED)
		{
			handle_failure(fetch, page);
			*result = PAGE_CHANGED;
		}
		return false;
	}
	body = sgip_http_window(page->transfer, &len);
	if (status < 200 || status > 299)
	{
		/* the body says why, if it comes */
		if (state == SGIP_HTTP_RUNNING && len < MAX_ERROR_BODY_BYTES &&
			!sgip_retry_status(status))
			return false;
		handle_status(fetch, page, body, Min(len, MAX_ERROR_BODY_BYTES));
		*result = PAGE_CHANGED;
		return false;
	}
	learn_places(page, sgip_http_head(page->transfer));
	page->accepted = true;
	return true;
}

/* Raises the error of an answer that is not what it should be. */
static void
report_answer(SgipFetch *fetch, RemotePage *page, SgipJsonResult result)
{
	SgipFailed	failed = failed_request(fetch, page);

	if (result == SGIP_JSON_REMOTE_ERROR)
		sgip_report_remote(&failed, sgip_json_remote_error(page->reader));
	if (result == SGIP_JSON_INVALID)
		sgip_report_invalid(&failed, sgip_json_problem(page->reader));
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory")));
}

/*
 * The document and the transfer have ended.  A list without brackets ends
 * wherever the connection does, unless HTTP said where it should.
 */
static void
check_end(SgipFetch *fetch, RemotePage *page)
{
	if (sgip_json_is_bare(page->reader) && !sgip_http_head(page->transfer)->tells_end)
	{
		SgipFailed	failed = failed_request(fetch, page);

		sgip_report_invalid(&failed, "The list has no brackets, and neither Content-Length nor chunks tell whether this is all of it.");
	}
}

/* Reads the next element of a page from what has arrived. */
static PageResult
read_page(SgipFetch *fetch, RemotePage *page)
{
	PageResult	result;
	SgipHttpState state;
	SgipJsonResult json;
	const char *data;
	size_t		len;
	size_t		consumed;

	if (page->state != PAGE_SENT)
		return PAGE_BLOCKED;
	if (!page->accepted && !accept_answer(fetch, page, &result))
		return result;

	if (page->used > 0)
	{
		sgip_http_consume(page->transfer, page->used);
		page->used = 0;
	}
	state = sgip_http_state(page->transfer);
	data = sgip_http_window(page->transfer, &len);
	json = sgip_json_next(page->reader, data, len, state == SGIP_HTTP_DONE,
						  &consumed, &fetch->element);
	if (json == SGIP_JSON_ELEMENT)
	{
		page->used = consumed;
		return PAGE_ELEMENT;
	}
	sgip_http_consume(page->transfer, consumed);
	if (json == SGIP_JSON_END)
	{
		check_end(fetch, page);
		finish_page(fetch, page);
		return PAGE_CHANGED;
	}
	if (json != SGIP_JSON_MORE)
		report_answer(fetch, page, json);
	if (state == SGIP_HTTP_FAILED)
	{
		handle_failure(fetch, page);
		return PAGE_CHANGED;
	}
	sgip_http_make_room(page->transfer);
	return PAGE_BLOCKED;
}

/* Begins to read which subusers are disabled. */
static void
begin_disabled(SgipFetch *fetch)
{
	HASHCTL		ctl;

	ctl.keysize = NAME_BYTES;
	ctl.entrysize = NAME_BYTES;
	ctl.hcxt = fetch->context;
	fetch->disabled = hash_create("sgip_fdw disabled subusers", 64, &ctl,
								  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	make_page(fetch, make_listing(fetch, FOR_DISABLED, sgip_task_find(SGIP_API_V3, "subusers")),
			  NULL);
}

/* Are all subusers of the element known to be disabled? */
static bool
all_disabled(SgipFetch *fetch, const SgipElement *element)
{
	size_t		count = sgip_decode_item_count(element, "subusers");

	for (size_t i = 0; i < count; i++)
	{
		SgipSpan	name;
		char		key[NAME_BYTES];

		if (!sgip_decode_item(element, "subusers", NULL, i, &name) || name.len >= NAME_BYTES)
			return false;
		memset(key, 0, sizeof(key));
		memcpy(key, name.data, name.len);
		if (hash_search(fetch->disabled, key, HASH_FIND, NULL) == NULL)
			return false;
	}
	return true;
}

/* The next IP kept whose subusers are all disabled; false at the end. */
static bool
next_in_use(SgipFetch *fetch, SgipRow *row, const SgipSearch **search)
{
	static const SgipJsonShape shape = {NULL, "ip"};

	for (;;)
	{
		/* a tuple read from a file belongs to the slot, which frees it at the next one */
		MemoryContext caller = MemoryContextSwitchTo(fetch->context);
		bool		found = tuplestore_gettupleslot(fetch->in_use, true, false,
													fetch->in_use_slot);
		bool		isnull;
		text	   *raw;
		size_t		consumed;
		int			index;

		MemoryContextSwitchTo(caller);
		if (!found)
			return false;
		index = DatumGetInt32(slot_getattr(fetch->in_use_slot, 1, &isnull));
		raw = DatumGetTextPP(slot_getattr(fetch->in_use_slot, 2, &isnull));
		sgip_json_close(fetch->in_use_reader);
		fetch->in_use_reader = sgip_json_open(&shape, false);
		if (fetch->in_use_reader == NULL ||
			sgip_json_next(fetch->in_use_reader, VARDATA_ANY(raw), VARSIZE_ANY_EXHDR(raw), true,
						   &consumed, &fetch->in_use_element) != SGIP_JSON_ELEMENT)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
		if (!all_disabled(fetch, &fetch->in_use_element))
			continue;
		row->element = &fetch->in_use_element;
		*search = &fetch->searches->items[index];
		return true;
	}
}

/* The next row, without waiting. */
SgipFetchResult
sgip_fetch_next(SgipFetch *fetch, SgipRow *row, const SgipSearch **search)
{
	bool		driven = false;

	memset(row, 0, sizeof(*row));
	row->element = &fetch->element;
	if (fetch->unnesting && next_item(fetch, row))
	{
		*search = fetch->current->listing->search;
		return SGIP_FETCH_ROW;
	}

	for (;;)
	{
		RemotePage	   *page;

		if (dlist_is_empty(&fetch->pages) && !add_page(fetch))
		{
			if (fetch->in_use == NULL)
				return SGIP_FETCH_END;
			if (fetch->disabled != NULL)
				return next_in_use(fetch, row, search) ? SGIP_FETCH_ROW : SGIP_FETCH_END;
			begin_disabled(fetch);
		}
		page = dlist_head_element(RemotePage, node, &fetch->pages);
		if (page->state != PAGE_SENT)
			fill_flight(fetch);
		switch (read_page(fetch, page))
		{
			case PAGE_ELEMENT:
				fetch->current = page;
				if (!take_element(fetch, page))
					break;
				begin_items(fetch);
				row->parent = page->listing->parent;
				*search = page->listing->search;
				if (!fetch->unnesting || next_item(fetch, row))
					return SGIP_FETCH_ROW;
				break;
			case PAGE_CHANGED:
				break;
			case PAGE_BLOCKED:
				fill_flight(fetch);
				if (driven)
				{
					sgip_fetch_count(fetch);
					return SGIP_FETCH_WAIT;
				}
				sgip_http_drive(fetch->channel);
				driven = true;
				break;
		}
	}
}

/* Sends the first requests, without waiting for a row to be asked for. */
void
sgip_fetch_send(SgipFetch *fetch)
{
	if (dlist_is_empty(&fetch->pages))
		(void) add_page(fetch);
	fill_flight(fetch);
	sgip_http_drive(fetch->channel);
}

/* Ends the fetch; transfers under way are stopped. */
void
sgip_fetch_end(SgipFetch *fetch)
{
	dlist_iter	iter;

	if (fetch == NULL)
		return;
	dlist_foreach(iter, &fetch->pages)
		log_request(fetch, dlist_container(RemotePage, node, iter.cur));
	sgip_fetch_count(fetch);
	MemoryContextDelete(fetch->context);
}
