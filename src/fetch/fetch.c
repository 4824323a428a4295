/*-------------------------------------------------------------------------
 *
 * fetch.c
 *		Reads the listings that answer a scan, and yields their rows.
 *
 * A scan reads a sequence of sources, each a listing (share.c): one for
 * each search, and where the catalogue says so one for each row of a
 * parent listing.  While the first one is being read, later ones are
 * requested as far as the client has slots for them.
 *
 * "available" first reads which subusers are disabled, as an IP in use
 * does not say.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "fetch/fetch.h"
#include "request/string_set.h"

/* Longest id of a parent; it stands in a URL */
#define MAX_ID_BYTES 512

/* Most bytes of the ids that one request names; encoded they are three times as many at worst */
#define MAX_IDS_BYTES 2000

/* What the elements of a source are for */
typedef enum Purpose
{
	FOR_ROWS,					/* rows of the table */
	FOR_PARENTS,				/* ids, each with a listing of its own */
	FOR_DISABLED				/* subusers, to learn which are disabled */
} Purpose;

/* An id whose rows are still to be asked for */
typedef struct Parent
{
	const SgipSearch *search;	/* whose rows these are */
	bool		listed;			/* it comes from a listing */
	bool		lacking;		/* to be named alone, since an answer about
								 * several lacked it */
	bool		seen;			/* a row has come for it */
	char		id[FLEXIBLE_ARRAY_MEMBER];
} Parent;

/* One listing to be read */
typedef struct Source
{
	dlist_node	node;			/* in the fetch's sources */
	Purpose		purpose;
	SgipReader *reader;
	const SgipSearch *search;	/* whose rows these are, or NULL */
	char	   *parent;			/* id of the parent's row that it belongs to,
								 * or NULL */
	List	   *named;			/* Parents that the request names, where it
								 * can name many */
	const char *wanted;			/* FOR_PARENTS: the only id to be taken; NULL:
								 * all are */
	SgipMembers members;		/* of its elements, and what they have to be */
} Source;

struct SgipFetch
{
	MemoryContext context;
	const SgipTable *table;
	const SgipSearches *searches;
	int			rows;			/* that are likely to be read, 0: all */
	SgipShare  *share;
	uint64		events;			/* of the client, when there was nothing to
								 * read; before that more than it can have */

	dlist_head	sources;		/* in the order of their rows */
	int			next_search;	/* first search without a source */
	List	   *parents;		/* Parents without a source */
	bool		one_by_one;		/* an answer about several ids is not complete */
	bool		fell_back;		/* to a listing that other searches may fall
								 * back to */
	SgipStringSet *disabled;	/* names of subusers; NULL: not asked for */

	SgipItems	items;			/* of the present element, to be handed out */
};

SgipFetch *
sgip_fetch_begin(const SgipTable *table, const SgipSearches *searches,
				 SgipShare *share, int rows)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sgip_fdw fetch",
												  ALLOCSET_DEFAULT_SIZES);
	SgipFetch  *fetch = MemoryContextAllocZero(context, sizeof(SgipFetch));

	fetch->context = context;
	fetch->table = table;
	fetch->searches = searches;
	fetch->rows = rows;
	fetch->share = share;
	fetch->events = PG_UINT64_MAX;
	dlist_init(&fetch->sources);
	return fetch;
}

/* ----------------------------------------------------------------
 *		Sources
 * ----------------------------------------------------------------
 */

/* The source that is being read, or NULL if there is none yet. */
static Source *
head_source(SgipFetch *fetch)
{
	return dlist_is_empty(&fetch->sources) ? NULL :
		dlist_head_element(Source, node, &fetch->sources);
}

/* An id for a search; it may be one of a listing. */
static Parent *
new_parent(const SgipSearch *search, const char *id, size_t len, bool listed)
{
	Parent	   *parent = palloc0(offsetof(Parent, id) + len + 1);

	parent->search = search;
	parent->listed = listed;
	memcpy(parent->id, id, len);
	return parent;
}

/*
 * Takes the ids that the next request names, which have all in common, out of
 * those of parents, and puts them into the arguments.
 */
static void
name_parents(SgipFetch *fetch, Source *source, int field, SgipArguments *arguments)
{
	const Parent *first = linitial(fetch->parents);
	int			many = fetch->one_by_one || first->lacking ? 1 : fetch->table->task->fields[field].many;
	StringInfoData buf;
	MemoryContext caller;

	initStringInfo(&buf);
	caller = MemoryContextSwitchTo(fetch->context);
	while (fetch->parents != NIL && list_length(source->named) < many)
	{
		Parent	   *parent = linitial(fetch->parents);

		if (parent != first &&
			(parent->search != first->search || parent->listed != first->listed || parent->lacking ||
			 buf.len + strlen(parent->id) >= MAX_IDS_BYTES))
			break;
		if (buf.len > 0)
			appendStringInfoChar(&buf, SGIP_VALUES_SEPARATOR);
		appendStringInfoString(&buf, parent->id);
		source->named = lappend(source->named, parent);
		fetch->parents = list_delete_first(fetch->parents);
	}
	source->parent = first->listed ? pstrdup(first->id) : NULL;
	MemoryContextSwitchTo(caller);
	arguments->values[field] = buf.data;
}

/* A source to be read after the others. */
static Source *
add_source(SgipFetch *fetch, Purpose purpose, const SgipTask *task,
		   const SgipSearch *search, const SgipArguments *arguments)
{
	Source	   *source = MemoryContextAllocZero(fetch->context, sizeof(Source));
	SgipArguments asked;
	int			parent_field = purpose == FOR_ROWS && task->parent ? sgip_task_parent_field(task) : -1;

	source->purpose = purpose;
	source->search = search;
	memset(&asked, 0, sizeof(asked));
	if (arguments != NULL)
		asked = *arguments;
	if (parent_field >= 0 && task->fields[parent_field].many > 0)
		name_parents(fetch, source, parent_field, &asked);
	else if (parent_field >= 0 && asked.values[parent_field] != NULL)
		source->parent = MemoryContextStrdup(fetch->context, asked.values[parent_field]);
	else if (parent_field >= 0)
	{
		Parent	   *parent = linitial(fetch->parents);

		source->parent = MemoryContextStrdup(fetch->context, parent->id);
		fetch->parents = list_delete_first(fetch->parents);
		pfree(parent);
	}
	asked.parent = source->parent;
	source->reader = sgip_reader_open(fetch->share, task, &asked,
									  purpose == FOR_ROWS ? fetch->rows : 0, fetch->fell_back);
	sgip_members_begin(&source->members, task, purpose == FOR_DISABLED ? "disabled" : NULL);
	dlist_push_tail(&fetch->sources, &source->node);
	return source;
}

/* The ids that a search names, to be asked for as if they were listed. */
static void
take_named(SgipFetch *fetch, const SgipSearch *search, const char *names)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);

	for (const char *end;; names = end + 1)
	{
		end = strchrnul(names, SGIP_VALUES_SEPARATOR);
		fetch->parents = lappend(fetch->parents, new_parent(search, names, end - names, false));
		if (*end == '\0')
			break;
	}
	MemoryContextSwitchTo(caller);
}

/*
 * The source of one search: its own listing, or first that of the parents
 * when the search does not say whose rows are wanted.
 */
static Source *
add_search(SgipFetch *fetch, const SgipSearch *search, const SgipArguments *arguments)
{
	const SgipTask *task = fetch->table->task;
	int			field = task->parent != NULL ? sgip_task_parent_field(task) : -1;

	if (field >= 0 && arguments->values[field] != NULL && task->fields[field].many > 0)
		take_named(fetch, search, arguments->values[field]);
	if (field >= 0 && arguments->values[field] == NULL)
		return add_source(fetch, FOR_PARENTS, sgip_task_find(task->api, task->parent), search, NULL);
	return add_source(fetch, FOR_ROWS, task, search, arguments);
}

/* Adds the source that follows those there are; false if none is known. */
static bool
add_next(SgipFetch *fetch)
{
	const SgipTask *task = fetch->table->task;

	if (task->derive == SGIP_DERIVE_AVAILABLE && fetch->disabled == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(fetch->context);

		fetch->disabled = sgip_string_set_new();
		MemoryContextSwitchTo(caller);
		add_source(fetch, FOR_DISABLED, sgip_task_find(task->api, "subusers"), NULL, NULL);
		return true;
	}
	/* what follows a listing of parents is not known before its end */
	if (!dlist_is_empty(&fetch->sources) &&
		dlist_tail_element(Source, node, &fetch->sources)->purpose == FOR_PARENTS)
		return false;
	if (fetch->parents != NIL)
	{
		add_source(fetch, FOR_ROWS, task, ((Parent *) linitial(fetch->parents))->search, NULL);
		return true;
	}
	if (fetch->next_search < fetch->searches->count)
	{
		const SgipSearch *search = &fetch->searches->items[fetch->next_search++];

		add_search(fetch, search, &search->arguments);
		return true;
	}
	return false;
}

/*
 * A request that named several ids has been answered, or refused.  Those
 * without a row are asked for alone: whether the API considers all ids is not
 * documented.
 */
static void
ask_again(SgipFetch *fetch, Source *source)
{
	MemoryContext caller = MemoryContextSwitchTo(fetch->context);
	List	   *missing = NIL;
	ListCell   *lc;

	foreach(lc, list_length(source->named) > 1 ? source->named : NIL)
	{
		Parent	   *parent = lfirst(lc);

		if (parent->seen)
			continue;
		parent = new_parent(parent->search, parent->id, strlen(parent->id), parent->listed);
		parent->lacking = true;
		missing = lappend(missing, parent);
	}
	fetch->parents = list_concat(missing, fetch->parents);
	MemoryContextSwitchTo(caller);
}

/* Stops a source and forgets it. */
static void
drop_source(Source *source)
{
	sgip_reader_close(source->reader);
	dlist_delete(&source->node);
	if (source->parent != NULL)
		pfree(source->parent);
	list_free_deep(source->named);
	pfree(source);
}

/*
 * What a search was narrowed by was refused, or its empty answer proves
 * nothing: reads the listing with nothing but what decides which rows there
 * are.  PostgreSQL applies the conditions.
 */
static void
fall_back(SgipFetch *fetch, Source *source)
{
	const SgipTask *task = fetch->table->task;
	SgipArguments whole;
	Source	   *other;

	memset(&whole, 0, sizeof(whole));
	whole.shown = source->search->arguments.shown;
	for (int i = 0; i < task->field_count; i++)
	{
		if (task->fields[i].kind == SGIP_KIND_ARGUMENT)
			whole.values[i] = source->search->arguments.values[i];
	}
	fetch->fell_back |= fetch->searches->count > 1 || source->named != NIL;
	other = add_search(fetch, source->search, &whole);
	if (other->purpose == FOR_PARENTS)
		other->wanted = MemoryContextStrdup(fetch->context, source->named == NIL ? source->parent :
											((Parent *) linitial(source->named))->id);
	drop_source(source);
	dlist_move_head(&fetch->sources, &other->node);
}

/* Sends what may be in flight: of the sources there are, and of those that follow. */
static void
send_ahead(SgipFetch *fetch)
{
	int			count = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &fetch->sources)
	{
		if (!sgip_reader_send(dlist_container(Source, node, iter.cur)->reader, count > 0))
			return;
		count++;
	}
	/* sources that are done but unread are bounded too */
	while (count++ < 2 * fetch->table->server->max_concurrency &&
		   sgip_client_has_slot(sgip_share_client(fetch->share)) && add_next(fetch))
	{
		if (!sgip_reader_send(dlist_tail_element(Source, node, &fetch->sources)->reader, count > 1))
			return;
	}
}

/* ----------------------------------------------------------------
 *		Elements
 * ----------------------------------------------------------------
 */

/*
 * Raises an error for what is no row of the task: an error object at the end
 * of a list, say, or an element without the members by which the task
 * decides.
 */
static void
check_element(Source *source, const SgipElement *element)
{
	char		problem[SGIP_PROBLEM_BYTES];
	SgipErrorContext *failed;
	SgipRemoteError error;

	if (sgip_members_find(&source->members, element, problem))
		return;
	failed = sgip_reader_error_context(source->reader);
	if (sgip_element_error(element, &error))
	{
		char	   *said;

		if (error.text == NULL)
			sgip_report_no_memory();
		said = pstrdup(error.text);
		free(error.text);
		error.text = said;
		sgip_report_remote(failed, &error);
	}
	if (element->raw.len > 0)
		sgip_report_invalid(failed,
							psprintf("%s: %s", problem,
									 sgip_report_clean(element->raw.data, element->raw.len,
													   failed->credentials)));
	sgip_report_invalid(failed, problem);
}

/* A row of the parent listing: its id gets a listing of its own. */
static void
take_parent(SgipFetch *fetch, Source *source, const SgipElement *element)
{
	const SgipTask *task = fetch->table->task;
	const SgipField *field = &task->fields[sgip_task_parent_field(task)];
	SgipValue	id = sgip_json_member(element, field->key);
	MemoryContext caller;

	if ((id.kind != SGIP_VALUE_STRING && id.kind != SGIP_VALUE_NUMBER) ||
		id.text.len == 0 || id.text.len > MAX_ID_BYTES ||
		(field->many > 0 && memchr(id.text.data, SGIP_VALUES_SEPARATOR, id.text.len) != NULL))
		sgip_report_invalid(sgip_reader_error_context(source->reader),
							psprintf("Element %ld has no usable id.", element->number));
	/* the listing may stand in for a search that the API refused */
	if (source->wanted != NULL &&
		(strlen(source->wanted) != id.text.len || memcmp(source->wanted, id.text.data, id.text.len) != 0))
		return;
	caller = MemoryContextSwitchTo(fetch->context);
	fetch->parents = lappend(fetch->parents, new_parent(source->search, id.text.data, id.text.len, true));
	MemoryContextSwitchTo(caller);
}

/* Is it the first row for an id that the request names?  The parameter might have no effect. */
static bool
take_named_row(SgipFetch *fetch, Source *source, const SgipElement *element)
{
	const SgipTask *task = fetch->table->task;
	SgipSpan	id = sgip_json_member(element, task->fields[sgip_task_parent_field(task)].key).text;
	bool		fresh = false;
	ListCell   *lc;

	foreach(lc, source->named)
	{
		Parent	   *parent = lfirst(lc);

		if (strlen(parent->id) == id.len && memcmp(parent->id, id.data, id.len) == 0)
		{
			/*
			 * one that an answer about several lacked: they must be asked for
			 * one by one
			 */
			fetch->one_by_one |= parent->lacking;
			fresh |= !parent->seen;
			parent->seen = true;
		}
	}
	return fresh;
}

/* Takes note of a subuser if it is disabled. */
static void
take_subuser(SgipFetch *fetch, const SgipElement *subuser)
{
	SgipSpan	disabled = sgip_json_member(subuser, "disabled").text;
	SgipSpan	name = sgip_json_member(subuser, "username").text;

	if (disabled.data[0] == 't' && name.len <= SGIP_MAX_KEY_BYTES)
		(void) sgip_string_set_add(fetch->disabled, name);
}

/*
 * Are all subusers of the element known to be disabled?  An unknown name
 * counts as active: an IP that may be in use is not available.
 */
static bool
all_disabled(const SgipFetch *fetch, const Source *source, const SgipElement *element)
{
	SgipItems	items;
	const SgipNode *name;

	sgip_items_begin(&items, sgip_members_list(&source->members, source->members.subusers));
	while ((name = sgip_items_next(&items)) != NULL)
	{
		if (!sgip_string_set_has(fetch->disabled, sgip_node_text(element, name)))
			return false;
	}
	return true;
}

/* Processes an element; true if it gives rows of the table. */
static bool
take_element(SgipFetch *fetch, Source *source, const SgipElement *element)
{
	bool		inconclusive;

	check_element(source, element);
	switch (source->purpose)
	{
		case FOR_PARENTS:
			take_parent(fetch, source, element);
			return false;
		case FOR_DISABLED:
			take_subuser(fetch, element);
			return false;
		case FOR_ROWS:
			break;
	}
	if (source->named != NIL && !take_named_row(fetch, source, element))
		return false;
	return sgip_members_derive(&source->members, &inconclusive) &&
		(!inconclusive || all_disabled(fetch, source, element));
}

SgipFetchResult
sgip_fetch_next(SgipFetch *fetch, SgipRow *row, const SgipSearch **search)
{
	for (;;)
	{
		Source	   *source = head_source(fetch);

		row->item = sgip_items_next(&fetch->items);
		if (row->item != NULL)
			return SGIP_FETCH_ROW;
		if (source == NULL)
		{
			if (!add_next(fetch))
				return SGIP_FETCH_END;
			continue;
		}
		switch (sgip_reader_next(source->reader, &row->element))
		{
			case SGIP_ANSWER_ELEMENT:
				if (take_element(fetch, source, row->element))
				{
					row->members = &source->members;
					row->parent = source->parent;
					*search = source->search;
					if (fetch->table->task->unnest == NULL)
						return SGIP_FETCH_ROW;
					sgip_items_begin(&fetch->items,
									 sgip_members_list(&source->members, source->members.unnest));
				}
				/* such elements can be many, and all of them there */
				CHECK_FOR_INTERRUPTS();
				break;
			case SGIP_ANSWER_END:
				ask_again(fetch, source);
				drop_source(source);
				break;
			case SGIP_ANSWER_REFUSED:
				if (list_length(source->named) > 1)
				{
					fetch->one_by_one = true;
					ask_again(fetch, source);
					drop_source(source);
				}
				else
					fall_back(fetch, source);
				break;
			case SGIP_ANSWER_WAIT:
				send_ahead(fetch);
				fetch->events = sgip_share_client(fetch->share)->events;
				return SGIP_FETCH_WAIT;
		}
	}
}

bool
sgip_fetch_has_news(SgipFetch *fetch)
{
	return sgip_share_client(fetch->share)->events != fetch->events;
}

char *
sgip_fetch_describe(SgipFetch *fetch)
{
	Source	   *source = head_source(fetch);

	return source ? unconstify(char *, sgip_reader_error_context(source->reader)->request) : NULL;
}

void
sgip_fetch_end(SgipFetch *fetch)
{
	if (fetch == NULL)
		return;
	while (!dlist_is_empty(&fetch->sources))
		drop_source(head_source(fetch));
	MemoryContextDelete(fetch->context);
}
