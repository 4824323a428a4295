/*-------------------------------------------------------------------------
 *
 * fetch.c
 *		Drives the requests of one scan and yields the rows of their answers.
 *
 * A scan is a sequence of listings: one for each search, and where the
 * catalogue says so one for each row of a parent listing.  A listing is a
 * sequence of pages (listing.c), a page one request.  Pages stand in a queue
 * in the order in which their rows are handed out; the first one is being
 * read, and up to max_concurrency of them are in flight.  A page that is not
 * yet read is held back by its transfer when its window is full, so memory is
 * bounded by the pages in flight.
 *
 * Beyond that, a paged listing remembers the keys of its rows (string_set.c), and
 * "available" keeps the IPs that have subusers (available.c).
 *
 * This file decides what is asked for next and what a failure means for the
 * scan; report.c words the errors, retry.c tells how long to wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "fetch/available.h"
#include "compat.h"
#include "fetch/fetch.h"
#include "http/http.h"
#include "json/json.h"
#include "fetch/listing.h"
#include "fetch/report.h"
#include "request/request.h"
#include "fetch/retry.h"

/* Longest id of a parent; it stands in the path of a URL */
#define MAX_ID_BYTES 512

/* Most bytes of the body of a failed request that are read for its message */
#define MAX_ERROR_BODY_BYTES 8192

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
	SgipListing *listing;
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
	bool		unseen;			/* driven since sgip_fetch_next last looked */
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
	SgipItems	items;
	RemotePage *current;		/* page that the element is from */

	/* IPs in use, until it is known which subusers are disabled; or NULL */
	SgipAvailable *available;
	bool		asked_disabled; /* the listing of subusers was begun */
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
		RemotePage *page = dlist_container(RemotePage, node, iter.cur);

		sgip_json_close(page->reader);
		page->reader = NULL;
	}
	if (fetch->credentials != NULL)
		sgip_credentials_forget(fetch->credentials);
	fetch->credentials = NULL;
}

bool
sgip_fetch_has_place(void)
{
	return active_fetches == 0 ||
		(active_fetches < sgip_http_max_connections() && sgip_http_has_descriptors());
}

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
	fetch->credentials = sgip_credentials_get(fetch->server, user_id);
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

void
sgip_fetch_count(SgipFetch *fetch)
{
	const SgipHttpCounters *now = sgip_http_counters(fetch->channel);

	fetch->counters->bytes += now->bytes_received - fetch->bytes_before;
	fetch->counters->connections += now->connections_opened - fetch->connections_before;
	fetch->bytes_before = now->bytes_received;
	fetch->connections_before = now->connections_opened;
}

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

/* A listing, in the fetch's context. */
static SgipListing *
make_listing(SgipFetch *fetch, SgipPurpose purpose, const SgipTask *task,
			 const SgipSearch *search, const SgipArguments *arguments)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);
	SgipListing *listing = sgip_listing_new(purpose, task, search, arguments);

	MemoryContextSwitchTo(caller);
	return listing;
}

/* A page that begins at that place, behind "after" in the queue, or at its end. */
static RemotePage *
make_page(SgipFetch *fetch, SgipListing *listing, const SgipPage *place, RemotePage *after)
{
	RemotePage *page = MemoryContextAllocZero(fetch->context, sizeof(RemotePage));

	page->listing = listing;
	page->place = *place;
	listing->page_count++;
	if (after != NULL)
		dlist_insert_after(&after->node, &page->node);
	else
		dlist_push_tail(&fetch->pages, &page->node);
	return page;
}

/* The first page of a listing, likewise. */
static void
begin_listing(SgipFetch *fetch, SgipListing *listing, RemotePage *after)
{
	SgipPage	first = sgip_listing_first(listing, fetch->server->page_size);

	make_page(fetch, listing, &first, after);
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
			(errmsg_internal("sgip_fdw: %s, status %d, " UINT64_FORMAT " bytes, " INT64_FORMAT " elements, %d ms, try %d, %s",
							 sgip_request_describe(fetch->server, page->listing->task,
												   &page->listing->arguments, NULL, &page->place),
							 sgip_http_head(page->transfer)->status,
							 sgip_http_received(page->transfer), page->elements,
							 sgip_http_elapsed_ms(page->transfer), page->tries,
							 states[sgip_http_state(page->transfer)])));
}

/* Stops a page and forgets it, and with its last page a listing. */
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
	if (--page->listing->page_count == 0)
		sgip_listing_free(page->listing);
	pfree(page);
}

/* The page behind this one if it belongs to the same listing, else NULL. */
static RemotePage *
next_of_listing(SgipFetch *fetch, RemotePage *page)
{
	RemotePage *next;

	if (!dlist_has_next(&fetch->pages, &page->node))
		return NULL;
	next = dlist_container(RemotePage, node, dlist_next_node(&fetch->pages, &page->node));
	return next->listing == page->listing ? next : NULL;
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
	SgipListing *listing;

	if (task->parent != NULL && arguments->values[sgip_task_parent_field(task)] == NULL)
		listing = make_listing(fetch, SGIP_FOR_PARENTS, sgip_task_find(task->api, task->parent),
							   search, NULL);
	else
		listing = make_listing(fetch, SGIP_FOR_ROWS, task, search, arguments);
	begin_listing(fetch, listing, after);
}

/* Begins the listing of one parent. */
static void
begin_child(SgipFetch *fetch)
{
	SgipListing *listing = make_listing(fetch, SGIP_FOR_ROWS, fetch->table->task,
										fetch->parents_search, NULL);

	listing->parent = linitial(fetch->parents);
	fetch->parents = list_delete_first(fetch->parents);
	begin_listing(fetch, listing, NULL);
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
		RemotePage *tail = dlist_tail_element(RemotePage, node, &fetch->pages);
		SgipPage	next;

		if (sgip_listing_ahead(tail->listing, &tail->place, &next))
		{
			make_page(fetch, tail->listing, &next, tail);
			return true;
		}
		/* what follows a listing of unknown length has to wait for parents */
		if (tail->listing->purpose != SGIP_FOR_ROWS)
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
static const SgipErrorContext *
failed_request(SgipFetch *fetch, RemotePage *page)
{
	SgipErrorContext *failed = palloc(sizeof(SgipErrorContext));

	failed->server = fetch->server;
	failed->credentials = fetch->credentials;
	failed->table = fetch->table->name;
	failed->request = sgip_request_describe(fetch->server, page->listing->task,
											&page->listing->arguments, NULL, &page->place);
	failed->head = page->transfer ? sgip_http_head(page->transfer) : NULL;
	return failed;
}

/* Asks for the page. */
static void
send_page(SgipFetch *fetch, RemotePage *page)
{
	MemoryContext context = AllocSetContextCreate(fetch->context, "sgip_fdw request",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SgipJsonShape shape = sgip_listing_shape(page->listing);
	SgipHttpRequest request;

	Assert(page->transfer == NULL && page->reader == NULL);
	page->reader = sgip_json_open(&shape, false);
	if (page->reader == NULL)
		sgip_report_no_memory();
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
	MemoryContextDelete(context);
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
		RemotePage *page = dlist_container(RemotePage, node, iter.cur);

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
		RemotePage *page = dlist_container(RemotePage, node, iter.cur);
		long		ms;

		if (page->state != PAGE_RESTING)
			continue;
		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), page->wake_at);
		soonest = soonest < 0 ? ms : Min(soonest, ms);
	}
	return soonest;
}

void
sgip_fetch_wait(SgipFetch *fetch)
{
	sgip_http_wait(fetch->channel, next_wake_ms(fetch));
}

/*
 * The descriptor for somebody who waits for several fetches.  What has come
 * since he last asked for a row will not make it readable again, so that he
 * must be woken at once.
 */
int
sgip_fetch_wait_begin(SgipFetch *fetch)
{
	sgip_http_wait_begin(fetch->channel, fetch->unseen ? 0 : next_wake_ms(fetch));
	return sgip_http_descriptor(fetch->channel);
}

void
sgip_fetch_wait_end(SgipFetch *fetch)
{
	sgip_http_wait_end(fetch->channel);
}

bool
sgip_fetch_is_queued(SgipFetch *fetch)
{
	RemotePage *page;

	if (dlist_is_empty(&fetch->pages))
		return false;
	page = dlist_head_element(RemotePage, node, &fetch->pages);
	return page->state == PAGE_SENT && sgip_http_state(page->transfer) == SGIP_HTTP_QUEUED;
}

void
sgip_fetch_jump_queue(SgipFetch *fetch)
{
	if (sgip_fetch_is_queued(fetch))
		sgip_http_jump_queue(dlist_head_element(RemotePage, node, &fetch->pages)->transfer);
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
		sgip_report_retries(failed_request(fetch, page), page->tries, asked);
	rest(fetch, page, wait);
}

/* The transfer failed: another try if that can help, else an error. */
static void
handle_failure(SgipFetch *fetch, RemotePage *page)
{
	SgipHttpFailure failure = sgip_http_failure(page->transfer);
	int64		left = fetch->server->max_retry_wait_ms - fetch->waited_ms;

	if ((failure == SGIP_HTTP_CONNECT || failure == SGIP_HTTP_LOST) &&
		can_repeat(fetch, page) && left > 0)
	{
		rest(fetch, page, Min(sgip_retry_backoff_ms(page->tries), left));
		return;
	}
	sgip_report_transfer(failed_request(fetch, page), failure, sgip_http_failure_text(page->transfer),
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
	SgipListing *listing = page->listing;

	if (sgip_retry_status(status))
	{
		retry_status(fetch, page);
		return;
	}
	if (listing->may_fall_back && listing->elements == 0)
	{
		/* the filter found nothing; or was not understood, or proves nothing */
		if (status == 404 && !sgip_listing_is_inconclusive(listing))
		{
			drop_page(fetch, page);
			return;
		}
		if (status == 400 || (sgip_listing_is_inconclusive(listing) && (status == 404 || status == 403)))
		{
			fall_back(fetch, page);
			return;
		}
	}
	sgip_report_status(failed_request(fetch, page), body, len);
}

/* ----------------------------------------------------------------
 *		The end of a page
 * ----------------------------------------------------------------
 */

/* Drops the pages of this listing that were asked for in advance. */
static void
drop_following(SgipFetch *fetch, RemotePage *page)
{
	RemotePage *next;

	while ((next = next_of_listing(fetch, page)) != NULL)
		drop_page(fetch, next);
}

/* The page is complete: asks for what follows, and forgets it. */
static void
finish_page(SgipFetch *fetch, RemotePage *page)
{
	SgipListing *listing = page->listing;
	RemotePage *ahead = next_of_listing(fetch, page);
	SgipPage	next;
	MemoryContext caller;
	SgipNextPage follows;

	if (listing->elements == 0 && listing->may_fall_back && sgip_listing_is_inconclusive(listing))
	{
		fall_back(fetch, page);
		return;
	}

	/* only now: who stops within the first page shall not have paid for more */
	sgip_listing_learn(listing, &page->place, sgip_http_head(page->transfer));
	caller = MemoryContextSwitchTo(fetch->context);
	follows = sgip_listing_next(listing, &page->place, page->elements, page->fresh,
								sgip_http_head(page->transfer), page->reader, &next);
	MemoryContextSwitchTo(caller);
	switch (follows)
	{
		case SGIP_NEXT_STUCK:
			sgip_report_stuck(failed_request(fetch, page));
			break;
		case SGIP_NEXT_END:
			drop_following(fetch, page);
			break;
		case SGIP_NEXT_PAGE:
			if (ahead != NULL && sgip_listing_same_place(&ahead->place, &next))
				break;
			drop_following(fetch, page);
			make_page(fetch, listing, &next, page);
			break;
	}
	drop_page(fetch, page);
}

/* ----------------------------------------------------------------
 *		Elements
 * ----------------------------------------------------------------
 */

/*
 * What is no row must not pass for one: an error object at the end of a list,
 * say, or an element without the members by which the task decides.
 */
static void
check_element(SgipFetch *fetch, RemotePage *page)
{
	const SgipElement *element = &fetch->element;
	char		problem[SGIP_PROBLEM_BYTES];
	SgipRemoteError error;

	if (sgip_decode_check(&page->listing->check, element, problem))
		return;
	if (sgip_json_parse_error(element->raw.data, element->raw.len, &error))
	{
		char	   *said = pstrdup(error.text);

		free(error.text);
		error.text = said;
		sgip_report_remote(failed_request(fetch, page), &error);
	}
	sgip_report_invalid(failed_request(fetch, page),
						psprintf("%s: %s", problem,
								 sgip_report_clean(element->raw.data, element->raw.len,
												   fetch->credentials)));
}

/* A row of the parent listing: its id gets a listing of its own. */
static void
take_parent(SgipFetch *fetch, RemotePage *page)
{
	int			hint = 0;
	SgipValue	id = sgip_json_member(&fetch->element, "id", &hint);
	MemoryContext caller;

	if ((id.kind != SGIP_VALUE_STRING && id.kind != SGIP_VALUE_LITERAL) ||
		id.text.len == 0 || id.text.len > MAX_ID_BYTES)
		sgip_report_invalid(failed_request(fetch, page),
							psprintf("Element %ld has no usable id.", fetch->element.number));
	caller = MemoryContextSwitchTo(fetch->context);
	fetch->parents = lappend(fetch->parents, pnstrdup(id.text.data, id.text.len));
	fetch->parents_search = page->listing->search;
	MemoryContextSwitchTo(caller);
}

/* Keeps an IP in use until it is known which subusers are disabled. */
static void
keep_in_use(SgipFetch *fetch, const SgipSearch *search)
{
	if (fetch->available == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(fetch->context);

		fetch->available = sgip_available_new();
		MemoryContextSwitchTo(caller);
	}
	sgip_available_keep(fetch->available, &fetch->element,
						(int) (search - fetch->searches->items));
}

/* Does something with an element of a page; true if it gives rows of the table now. */
static bool
take_element(SgipFetch *fetch, RemotePage *page)
{
	SgipListing *listing = page->listing;
	bool		inconclusive;

	page->elements++;
	fetch->counters->rows++;
	check_element(fetch, page);
	if (!sgip_listing_take(listing, &fetch->element))
		return false;
	page->fresh++;

	switch (listing->purpose)
	{
		case SGIP_FOR_PARENTS:
			take_parent(fetch, page);
			return false;
		case SGIP_FOR_DISABLED:
			sgip_available_note(fetch->available, &fetch->element);
			return false;
		case SGIP_FOR_ROWS:
			break;
	}
	if (!sgip_decode_derive(listing->task, &fetch->element, &inconclusive))
		return false;
	if (inconclusive)
	{
		keep_in_use(fetch, listing->search);
		return false;
	}
	return true;
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
	page->accepted = true;
	return true;
}

/* Raises the error of an answer that is not what it should be. */
static void
report_answer(SgipFetch *fetch, RemotePage *page, SgipJsonResult result)
{
	if (result == SGIP_JSON_REMOTE_ERROR)
		sgip_report_remote(failed_request(fetch, page), sgip_json_remote_error(page->reader));
	if (result == SGIP_JSON_INVALID)
		sgip_report_invalid(failed_request(fetch, page), sgip_json_problem(page->reader));
	sgip_report_no_memory();
}

/*
 * The document and the transfer have ended.  A list without brackets ends
 * wherever the connection does, unless HTTP said where it should.
 */
static void
check_end(SgipFetch *fetch, RemotePage *page)
{
	if (sgip_json_is_bare(page->reader) && !page->listing->task->single &&
		!sgip_http_head(page->transfer)->tells_end)
		sgip_report_invalid(failed_request(fetch, page),
							"The list has no brackets, and neither Content-Length nor chunks tell whether this is all of it.");
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
	const SgipTask *subusers = sgip_task_find(fetch->table->task->api, "subusers");

	fetch->asked_disabled = true;
	begin_listing(fetch, make_listing(fetch, SGIP_FOR_DISABLED, subusers, NULL, NULL), NULL);
}

/* The next IP kept that is available after all. */
static SgipFetchResult
next_available(SgipFetch *fetch, SgipRow *row, const SgipSearch **search)
{
	int			index;

	row->element = sgip_available_next(fetch->available, &index);
	if (row->element == NULL)
		return SGIP_FETCH_END;
	*search = &fetch->searches->items[index];
	return SGIP_FETCH_ROW;
}

SgipFetchResult
sgip_fetch_next(SgipFetch *fetch, SgipRow *row, const SgipSearch **search)
{
	const char *unnest = fetch->table->task->unnest;
	bool		driven = false;

	memset(row, 0, sizeof(*row));
	row->element = &fetch->element;
	if (sgip_items_next(&fetch->items, &row->item))
	{
		*search = fetch->current->listing->search;
		return SGIP_FETCH_ROW;
	}

	for (;;)
	{
		RemotePage *page;

		if (dlist_is_empty(&fetch->pages) && !add_page(fetch))
		{
			if (fetch->available == NULL)
				return SGIP_FETCH_END;
			if (fetch->asked_disabled)
				return next_available(fetch, row, search);
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
				sgip_items_begin(&fetch->items, &fetch->element, unnest);
				row->parent = page->listing->parent;
				*search = page->listing->search;
				if (unnest == NULL || sgip_items_next(&fetch->items, &row->item))
					return SGIP_FETCH_ROW;
				break;
			case PAGE_CHANGED:
				break;
			case PAGE_BLOCKED:
				fill_flight(fetch);
				if (driven)
				{
					sgip_fetch_count(fetch);
					fetch->unseen = false;
					return SGIP_FETCH_WAIT;
				}
				sgip_http_drive(fetch->channel);
				driven = true;
				break;
		}
	}
}

void
sgip_fetch_send(SgipFetch *fetch)
{
	if (dlist_is_empty(&fetch->pages))
		(void) add_page(fetch);
	fill_flight(fetch);
	sgip_http_drive(fetch->channel);
	fetch->unseen = true;
}

void
sgip_fetch_end(SgipFetch *fetch)
{
	dlist_iter	iter;

	if (fetch == NULL)
		return;
	dlist_foreach(iter, &fetch->pages)
		log_request(fetch, dlist_container(RemotePage, node, iter.cur));
	sgip_fetch_count(fetch);
	sgip_available_end(fetch->available);
	MemoryContextDelete(fetch->context);
}
