/*-------------------------------------------------------------------------
 *
 * answer.c
 *		One listing that is being read: its pages, as they arrive.
 *
 * A page is one request.  Pages stand in a queue in the order of their
 * elements; the first one is being read, others are in flight as far as it is
 * known where they begin and the client has slots for them.  A page that is
 * not yet read is held back by its transfer when its window is full, so
 * memory is bounded by the pages in flight.
 *
 * This file decides what a failure means for the listing. client.c decides
 * whether something is sent again, listing.c where pages begin and end,
 * and report.c words the errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "fetch/answer.h"
#include "fetch/listing.h"
#include "limits/retry.h"

/* Most bytes of the body of a failed request that are read for its message */
#define MAX_ERROR_BODY_BYTES 8192

/* Longest document of only "null", with the white space around it */
#define MAX_NULL_BYTES 64

/* One request: a page of the listing */
typedef struct AnswerPage
{
	dlist_node	node;			/* in the answer's queue */
	SgipPage	position;
	SgipCall	call;
	SgipJsonReader *reader;		/* of this try, or NULL: nothing of it was
								 * read yet */
	size_t		used;			/* bytes of the element handed out last, which
								 * stay in the transfer's window as long as it
								 * lives */
	int64		elements;		/* received in this try */
} AnswerPage;

struct SgipAnswer
{
	MemoryContext context;
	MemoryContextCallback cleanup;
	SgipClient *client;
	const SgipTask *task;
	SgipArguments arguments;
	bool		single;			/* it is one object, and no listing */
	bool		narrowed;		/* by an argument without which there is more */
	bool		inconclusive;	/* and no element proves nothing */
	SgipListing *listing;
	dlist_head	pages;			/* in the order of their elements */
	int64		elements;		/* received in all pages */
	SgipElement element;
};

/* Discards what a try of a page has brought. */
static void
forget_try(AnswerPage *page)
{
	page->call.client->usage.rows += page->elements;
	sgip_json_close(page->reader);
	page->reader = NULL;
	page->used = 0;
	page->elements = 0;
}

/* Frees what is not palloc'd, and stops requests. */
static void
clean_up(void *arg)
{
	SgipAnswer *answer = arg;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &answer->pages)
	{
		AnswerPage *page = dlist_container(AnswerPage, node, iter.cur);

		forget_try(page);
		dlist_delete(&page->node);
		sgip_client_drop(&page->call);
	}
}

/* Appends a page that begins at that position. */
static AnswerPage *
add_page(SgipAnswer *answer, const SgipPage *position)
{
	AnswerPage *page = MemoryContextAllocZero(answer->context, sizeof(AnswerPage));

	page->position = *position;
	sgip_client_add(answer->client, &page->call, answer->task, &answer->arguments);
	/* the client had to have memory for it */
	dlist_push_tail(&answer->pages, &page->node);
	return page;
}

/*
 * A single id from a parent listing does not count: nothing wider can be
 * requested instead.
 */
bool
sgip_answer_is_narrowed(const SgipTask *task, const SgipArguments *arguments)
{
	for (int i = 0; i < task->field_count; i++)
	{
		const SgipField *field = &task->fields[i];
		const char *value = arguments->values[i];

		if (value != NULL && field->kind != SGIP_KIND_ARGUMENT &&
			(field->many == 0 || arguments->parent == NULL || strchr(value, SGIP_VALUES_SEPARATOR) != NULL))
			return true;
	}
	return false;
}

/* Copies the arguments, and determines what they do to the listing. */
static void
set_arguments(SgipAnswer *answer, const SgipArguments *arguments)
{
	const char **shown = arguments->shown ? palloc0(SGIP_MAX_FIELDS * sizeof(char *)) : NULL;

	answer->arguments.shown = shown;
	answer->arguments.parent = arguments->parent ? pstrdup(arguments->parent) : NULL;
	for (int i = 0; i < answer->task->field_count; i++)
	{
		if (arguments->values[i] == NULL)
			continue;
		answer->arguments.values[i] = pstrdup(arguments->values[i]);
		if (shown != NULL && arguments->shown[i] != NULL)
			shown[i] = pstrdup(arguments->shown[i]);
		answer->inconclusive |= answer->task->fields[i].inconclusive;
	}
}

SgipAnswer *
sgip_answer_begin(SgipClient *client, const SgipTask *task,
				  const SgipArguments *arguments, int rows)
{
	MemoryContext context = AllocSetContextCreate(client->context, "sgip_fdw answer",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SgipAnswer *answer = palloc0(sizeof(SgipAnswer));
	SgipPage	first;
	const char *id;

	answer->context = context;
	answer->client = client;
	answer->task = task;
	answer->narrowed = sgip_answer_is_narrowed(task, arguments);
	set_arguments(answer, arguments);
	answer->single = task->single || sgip_request_object(task, arguments, &id) != NULL;
	answer->listing = sgip_listing_new(task, answer->single, client->server->page_size);
	dlist_init(&answer->pages);
	answer->cleanup.func = clean_up;
	answer->cleanup.arg = answer;
	MemoryContextRegisterResetCallback(context, &answer->cleanup);
	first = sgip_listing_first(answer->listing, rows);
	add_page(answer, &first);
	MemoryContextSwitchTo(caller);
	return answer;
}

/* ----------------------------------------------------------------
 *		Pages
 * ----------------------------------------------------------------
 */

/* The page that is being read, or NULL at the end of the listing. */
static AnswerPage *
head_page(const SgipAnswer *answer)
{
	return dlist_is_empty(unconstify(dlist_head *, &answer->pages)) ? NULL :
		dlist_head_element(AnswerPage, node, unconstify(dlist_head *, &answer->pages));
}

SgipErrorContext *
sgip_answer_error_context(const SgipAnswer *answer)
{
	SgipErrorContext *failed = palloc0(sizeof(SgipErrorContext));
	const AnswerPage *page = head_page(answer);

	failed->server = answer->client->server;
	failed->credentials = answer->client->credentials;
	failed->table = answer->client->table;
	failed->request = sgip_request_show(failed->server, answer->task, &answer->arguments,
										page ? &page->position : NULL,
										answer->client->hides_values);
	if (page != NULL && page->call.transfer != NULL)
		failed->head = &sgip_http_result(page->call.transfer)->head;
	if (failed->head == NULL || failed->head->status != 429)
		answer->client->usage.errors++;
	return failed;
}

/*
 * Logs one line for each request, for debugging: the request without
 * credentials, and its outcome.  How much came is shown only where values
 * are, too: otherwise the messages of another role's function could tell its
 * caller of rows that its conditions hide.
 */
static void
log_request(const SgipAnswer *answer, const AnswerPage *page)
{
	const SgipServer *server = answer->client->server;
	bool		hidden = answer->client->hides_values;
	const SgipHttpResult *result;
	const char *amount = "";

	if (page->call.transfer == NULL || !message_level_is_interesting(DEBUG1))
		return;
	result = sgip_http_result(page->call.transfer);
	if (!hidden)
		amount = psprintf(UINT64_FORMAT " bytes, " INT64_FORMAT " elements, ",
						  result->received, page->elements);
	ereport(DEBUG1,
			(errmsg_internal("sgip_fdw: %s, status %d, %s%ld ms, try %d, %s",
							 sgip_request_show(server, answer->task, &answer->arguments, &page->position, hidden),
							 result->head.status, amount,
							 TimestampDifferenceMilliseconds(result->started_at,
															 result->ended_at ? result->ended_at : GetCurrentTimestamp()),
							 page->call.tries,
							 result->state == SGIP_HTTP_DONE ? "complete" :
							 result->state == SGIP_HTTP_FAILED ? "failed" : "stopped")));
}

/* Stops a page and forgets it. */
static void
drop_page(SgipAnswer *answer, AnswerPage *page)
{
	log_request(answer, page);
	forget_try(page);
	dlist_delete(&page->node);
	sgip_client_drop(&page->call);
	if (page->position.cursor != NULL)
		pfree(unconstify(char *, page->position.cursor));
	pfree(page);
}

/* Drops all pages but the first one. */
static void
drop_following(SgipAnswer *answer)
{
	AnswerPage *head = head_page(answer);

	while (dlist_has_next(&answer->pages, &head->node))
		drop_page(answer, dlist_tail_element(AnswerPage, node, &answer->pages));
}

void
sgip_answer_end(SgipAnswer *answer)
{
	if (answer == NULL)
		return;
	while (!dlist_is_empty(&answer->pages))
		drop_page(answer, dlist_tail_element(AnswerPage, node, &answer->pages));
	MemoryContextDelete(answer->context);
}

/* Was the page refused for good?  Then nothing behind it will be read. */
static bool
is_refused(const AnswerPage *page)
{
	const SgipTransfer *transfer = sgip_client_transfer(&page->call);
	int			status = transfer ? sgip_http_result(transfer)->head.status : 0;

	return status != 0 && (status < 200 || status > 299);
}

/* Sends a page if it is to be sent and may be; false if it is and may not. */
static bool
send_page(SgipAnswer *answer, AnswerPage *page, bool ahead)
{
	if (sgip_client_transfer(&page->call) != NULL)
		return true;
	if (!sgip_client_may_send(&page->call, ahead))
		return false;
	log_request(answer, page);
	forget_try(page);
	sgip_client_send(&page->call, answer->task, &answer->arguments, &page->position);
	return true;
}

bool
sgip_answer_send(SgipAnswer *answer, bool ahead)
{
	int			count = 0;
	dlist_iter	iter;
	AnswerPage *tail;
	SgipPage	next;

	dlist_foreach(iter, &answer->pages)
	{
		AnswerPage *page = dlist_container(AnswerPage, node, iter.cur);

		if (!send_page(answer, page, ahead) || is_refused(page))
			return false;
		ahead = true;
		count++;
	}
	if (count == 0)
		return true;
	tail = dlist_tail_element(AnswerPage, node, &answer->pages);
	/* pages that are done but unread are bounded too */
	while (sgip_listing_ahead(answer->listing, &tail->position, &next))
	{
		if (count++ >= 2 * answer->client->server->max_concurrency ||
			!sgip_client_has_slot(answer->client))
			return false;
		tail = add_page(answer, &next);
		if (!send_page(answer, tail, true))
			return false;
	}
	return true;
}

/* ----------------------------------------------------------------
 *		What comes of a request
 * ----------------------------------------------------------------
 */

/* What reading a page came to */
typedef enum PageResult
{
	PAGE_ELEMENT,				/* answer->element is its next one */
	PAGE_BLOCKED,				/* nothing more without waiting */
	PAGE_CHANGED,				/* the page is done with, or is sent again:
								 * look again */
	PAGE_REFUSED				/* see SGIP_ANSWER_REFUSED */
} PageResult;

/*
 * Schedules another try of a page if the connection has failed, before the
 * answer or within it; false if there must be none.
 */
static bool
try_again(SgipAnswer *answer, AnswerPage *page)
{
	const SgipHttpResult *result = sgip_http_result(page->call.transfer);

	return result->state == SGIP_HTTP_FAILED &&
		(result->failure == SGIP_HTTP_CONNECT || result->failure == SGIP_HTTP_LOST) &&
		(page->elements == 0 || sgip_listing_knows_repeats(answer->listing)) &&
		sgip_client_try_again(&page->call, -1);
}

/* The transfer failed: another try if that can help, else an error. */
static PageResult
handle_failure(SgipAnswer *answer, AnswerPage *page)
{
	if (try_again(answer, page))
		return PAGE_CHANGED;
	sgip_report_transfer(sgip_answer_error_context(answer), sgip_http_result(page->call.transfer));
}

/*
 * Does the body say that there is no account of the id in the path?  It is
 * the one refusal that the API documents as an answer.  Any other 404 means
 * that there is no such path, so that the URL is wrong.
 */
static bool
says_no_account(const char *body, size_t len)
{
	SgipRemoteError error;
	bool		found;

	memset(&error, 0, sizeof(error));
	if (!sgip_json_parse_error(body, len, &error))
		return false;
	found = strcasestr(error.text, "account not found") != NULL;
	free(error.text);
	return found;
}

/*
 * The answer is no 2xx, and as much of its body has come as is wanted.
 * Returns what to do if it is no error.
 */
static PageResult
handle_status(SgipAnswer *answer, AnswerPage *page, const char *body, size_t len)
{
	const SgipHttpHead *head = &sgip_http_result(page->call.transfer)->head;
	int			status = head->status;

	if (sgip_retry_status(status))
		sgip_report_retries(sgip_answer_error_context(answer), page->call.tries,
							sgip_retry_asked_ms(head), body, len);
	if (status == 404 && answer->arguments.parent != NULL && answer->elements == 0)
	{
		if (says_no_account(body, len))
		{
			drop_following(answer);
			drop_page(answer, page);
			return PAGE_CHANGED;
		}
		/* its words decide: they may have been cut short */
		if (try_again(answer, page))
			return PAGE_CHANGED;
	}
	/* with a wrong key the whole listing would be refused, too */
	if (status >= 400 && status <= 499 && status != 401 && answer->narrowed && answer->elements == 0)
		return PAGE_REFUSED;
	sgip_report_status(sgip_answer_error_context(answer), body, len);
}

/* The page is complete: adds what follows, and forgets it. */
static PageResult
finish_page(SgipAnswer *answer, AnswerPage *page)
{
	const SgipHttpHead *head = &sgip_http_result(page->call.transfer)->head;
	AnswerPage *ahead = dlist_has_next(&answer->pages, &page->node) ?
		dlist_container(AnswerPage, node, dlist_next_node(&answer->pages, &page->node)) : NULL;
	SgipPage	next;
	MemoryContext caller;
	SgipNextPage follows;

	if (answer->elements == 0 && answer->inconclusive)
		return PAGE_REFUSED;
	caller = MemoryContextSwitchTo(answer->context);
	follows = sgip_listing_next(answer->listing, &page->position, page->elements,
								head, page->reader, &next);
	MemoryContextSwitchTo(caller);
	if (follows == SGIP_NEXT_STUCK)
		sgip_report_stuck(sgip_answer_error_context(answer));
	if (follows == SGIP_NEXT_END || ahead == NULL ||
		!sgip_listing_same_position(&ahead->position, &next))
	{
		drop_following(answer);
		if (follows == SGIP_NEXT_PAGE)
			add_page(answer, &next);
	}
	drop_page(answer, page);
	return PAGE_CHANGED;
}

/*
 * Is the whole answer "null", or empty under status 204?  That is an empty
 * list where the API documents a list.  PAGE_ELEMENT: it is something else;
 * PAGE_BLOCKED: it is not that yet.
 */
static PageResult
read_null(SgipAnswer *answer, AnswerPage *page)
{
	const SgipTask *task = answer->task;
	const SgipHttpResult *result = sgip_http_result(page->call.transfer);
	size_t		len;
	const char *data = sgip_http_window(page->call.transfer, &len);

	if (task->api != SGIP_API_V3 || task->list_key != NULL || answer->single ||
		len > MAX_NULL_BYTES || result->received != len)
		return PAGE_ELEMENT;
	while (len > 0 && isspace((unsigned char) data[len - 1]))
		len--;
	while (len > 0 && isspace((unsigned char) *data))
	{
		data++;
		len--;
	}
	if (result->head.status != 204 &&
		(len > 4 || (len > 0 && memcmp(data, "null", len) != 0) || (len < 4 && result->state == SGIP_HTTP_DONE)))
		return PAGE_ELEMENT;
	switch (result->state)
	{
		case SGIP_HTTP_RUNNING:
			break;
		case SGIP_HTTP_DONE:
			return finish_page(answer, page);
		case SGIP_HTTP_FAILED:
			return handle_failure(answer, page);
	}
	return PAGE_BLOCKED;
}

/* Looks at the answer's status; PAGE_ELEMENT if elements may be read. */
static PageResult
accept_answer(SgipAnswer *answer, AnswerPage *page)
{
	SgipTransfer *transfer = page->call.transfer;
	SgipHttpState state = sgip_http_result(transfer)->state;
	int			status = sgip_http_result(transfer)->head.status;
	size_t		len;
	const char *body;

	if (status == 0)
		return state == SGIP_HTTP_FAILED ? handle_failure(answer, page) : PAGE_BLOCKED;
	if (status >= 200 && status <= 299)
		return read_null(answer, page);

	/* the body says why, if it comes */
	body = sgip_http_window(transfer, &len);
	if (state == SGIP_HTTP_RUNNING && len < MAX_ERROR_BODY_BYTES)
		return PAGE_BLOCKED;
	return handle_status(answer, page, body, Min(len, MAX_ERROR_BODY_BYTES));
}

/* ----------------------------------------------------------------
 *		Reading
 * ----------------------------------------------------------------
 */

/* Begins to read what a try brings. */
static void
begin_try(SgipAnswer *answer, AnswerPage *page)
{
	SgipJsonShape shape;

	shape.list_key = answer->task->list_key;
	/* what tells a row from an envelope */
	shape.row_key = sgip_task_row_key(answer->task);
	page->reader = sgip_json_open(&shape, false);
	if (page->reader == NULL)
		sgip_report_no_memory();
	sgip_listing_begin_page(answer->listing);
}

/* The JSON of a page has given something else than an element. */
static PageResult
handle_json(SgipAnswer *answer, AnswerPage *page, SgipJsonResult json)
{
	const SgipHttpResult *result = sgip_http_result(page->call.transfer);

	if (json == SGIP_JSON_NO_MEMORY)
		sgip_report_no_memory();
	if (json == SGIP_JSON_INVALID)
		sgip_report_invalid(sgip_answer_error_context(answer), sgip_json_problem(page->reader));
	if (json == SGIP_JSON_REMOTE_ERROR && answer->narrowed && answer->elements == 0)
		return PAGE_REFUSED;
	if (json == SGIP_JSON_REMOTE_ERROR)
		sgip_report_remote(sgip_answer_error_context(answer), sgip_json_remote_error(page->reader));
	if (json == SGIP_JSON_END)
	{
		/*
		 * a list without brackets ends wherever the connection does, unless
		 * HTTP said where it should
		 */
		if (sgip_json_is_bare(page->reader) && !answer->single && !result->head.tells_end)
			sgip_report_invalid(sgip_answer_error_context(answer),
								"The list has no brackets, and neither Content-Length nor chunks tell whether this is all of it.");
		return finish_page(answer, page);
	}
	if (result->state == SGIP_HTTP_FAILED)
		return handle_failure(answer, page);
	sgip_http_make_room(page->call.transfer);
	return PAGE_BLOCKED;
}

/* Reads the next element of a page from what has arrived. */
static PageResult
read_page(SgipAnswer *answer, AnswerPage *page)
{
	SgipTransfer *transfer = sgip_client_transfer(&page->call);
	PageResult	result;
	SgipJsonResult json;
	const char *data;
	size_t		len;
	size_t		consumed;

	if (transfer == NULL)
		return PAGE_BLOCKED;
	if (page->reader == NULL)
		begin_try(answer, page);
	/* an answer with an element has been accepted */
	result = page->elements > 0 ? PAGE_ELEMENT : accept_answer(answer, page);
	if (result != PAGE_ELEMENT)
		return result;
	sgip_http_consume(transfer, page->used);
	data = sgip_http_window(transfer, &len);
	json = sgip_json_next(page->reader, data, len, sgip_http_result(transfer)->state == SGIP_HTTP_DONE,
						  &consumed, &answer->element);
	page->used = json == SGIP_JSON_ELEMENT ? consumed : 0;
	if (json == SGIP_JSON_ELEMENT)
		return PAGE_ELEMENT;
	sgip_http_consume(transfer, consumed);
	return handle_json(answer, page, json);
}

SgipAnswerResult
sgip_answer_next(SgipAnswer *answer, const SgipElement **element)
{
	bool		driven = false;
	AnswerPage *page;

	while ((page = head_page(answer)) != NULL)
	{
		switch (read_page(answer, page))
		{
			case PAGE_ELEMENT:
				page->elements++;
				answer->elements++;
				answer->client->counters->rows++;
				if (!sgip_listing_take(answer->listing, &answer->element))
					break;
				*element = &answer->element;
				return SGIP_ANSWER_ELEMENT;
			case PAGE_CHANGED:
				/* others come while the next one, which may be there, is read */
				(void) sgip_answer_send(answer, false);
				sgip_client_drive(answer->client);
				break;
			case PAGE_REFUSED:
				return SGIP_ANSWER_REFUSED;
			case PAGE_BLOCKED:
				(void) sgip_answer_send(answer, false);
				if (driven)
					return SGIP_ANSWER_WAIT;
				sgip_client_drive(answer->client);
				driven = true;
				break;
		}
	}
	return SGIP_ANSWER_END;
}
