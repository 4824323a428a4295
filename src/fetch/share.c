/*-------------------------------------------------------------------------
 *
 * share.c
 *		One question, one listing: which scans read which answer.
 *
 * What a snapshot is to tables, an answer is to listings.  Scans of one
 * statement that may need the same listing register when the executor
 * initializes the plan; so at the first row it is known which scans share.
 * A scan that shares with no other reads a stream, and nothing is stored.
 * Answers that are shared, or read again, are in a registry: of the
 * statement or, under REPEATABLE READ, of the transaction.  Their elements
 * are stored as they are read; each reader advances by itself, and one
 * that needs an element that is not there yet reads on in the answer.  So
 * no scan waits for another.
 *
 * An answer is identified by server, user mapping, their options as they are
 * now, path and arguments.  An answer to no arguments also serves readers that
 * have some, because PostgreSQL applies the conditions anyway.
 *
 * Answers of a transaction belong to it: they survive a savepoint if they are
 * complete or were read outside of it, and go before the transaction ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#include "compat.h"
#include "fetch/share.h"
#include "fetch/store.h"

/*
 * Answers that a statement keeps without readers, for values that come again;
 * fewer if they fill work_mem.
 */
#define MAX_KEPT 1000

/* ... and of these, how many may be incomplete: each holds a connection */
#define MAX_PAUSED 8

/* A paused answer is read to its end, but no more elements than that */
#define MAX_DRAINED 1000

/* Whose answers a registry holds */
typedef enum Scope
{
	OF_SCAN,					/* of one scan that reads them again */
	OF_STATEMENT,
	OF_TRANSACTION
} Scope;

typedef struct SharedAnswer SharedAnswer;

/* What is known by a hash value, of a statement's listings or of the keys of a registry's answers */
typedef struct Entry
{
	uint64		hash;
	int			scans;			/* that may read the listing; a collision only
								 * stores in vain */
	SharedAnswer *shared;		/* the answer */
	char		status;			/* simplehash.h's */
} Entry;

#define SH_PREFIX entries
#define SH_ELEMENT_TYPE Entry
#define SH_KEY_TYPE uint64
#define SH_KEY hash
#define SH_HASH_KEY(table, key) ((uint32) (key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct SgipRegistry
{
	MemoryContext context;
	SgipStoreBudget budget;
	List	   *clients;		/* one for each server and user mapping */
	entries_hash *index;		/* of answers, by hash values of their keys */
	dlist_head	answers;		/* SharedAnswers, the last used at the end */
};

typedef enum AnswerState
{
	ANSWER_READING,				/* there may be more elements */
	ANSWER_COMPLETE,
	ANSWER_REFUSED,				/* see SGIP_ANSWER_REFUSED */
	ANSWER_FAILED				/* not to be used any more; so it is while it
								 * is being read on, in case that fails */
} AnswerState;

/* An answer that several may read, or one several times */
struct SharedAnswer
{
	dlist_node	node;			/* in its registry's answers */
	MemoryContext context;
	MemoryContextCallback cleanup;
	uint64		hash;			/* of the key */
	char	   *key;
	AnswerState state;
	bool		refusable;		/* it is or may come to be REFUSED */
	SgipClient *client;
	SgipAnswer *answer;			/* while READING; else NULL, or to be stopped */
	SgipStore  *store;
	const SgipFetchCounters *asker; /* the scan that read on last */
	SubTransactionId subid;		/* the outermost of its readers, ever */
	dlist_head	readers;
};

struct SgipShare
{
	MemoryContext context;
	MemoryContextCallback cleanup;
	SgipStatement *statement;	/* or NULL */
	const SgipTable *table;
	Oid			user_id;
	Oid			counted_user;	/* whose mapping that user had when it began */
	bool		keep;
	SgipFetchCounters *counters;
	SgipRegistry *registry;		/* NULL before the start */
	Scope		scope;			/* of that */
	SgipClient *client;			/* of that, for the server and mapping */
	SubTransactionId subid;		/* with whose rollback it ends */
	dlist_head	readers;
};

struct SgipReader
{
	dlist_node	node;			/* in its share's readers */
	dlist_node	shared_node;	/* in its answer's */
	SgipShare  *share;
	SgipAnswer *direct;			/* an answer that no other reads, or NULL */
	SharedAnswer *shared;		/* or one of the registry; NULL if that has
								 * gone */
	char	   *request;		/* of an answer of the registry, as messages
								 * for this scan's role show it; NULL: as
								 * those of all do */
	SgipStoreReader position;
	SgipElement element;		/* that was handed out last */
};

/* sgip_fdw.share_listings: off, each scan sends its own requests */
static bool share_listings = true;

static dlist_head statements = DLIST_STATIC_INIT(statements);
static SgipRegistry *transaction_registry = NULL;

/* ----------------------------------------------------------------
 *		Statements
 * ----------------------------------------------------------------
 */

/* Callback: the executor's run is over. */
static void
forget_statement(void *arg)
{
	dlist_delete(&((SgipStatement *) arg)->node);
}

/*
 * The subtransaction with which goes what is in that context: the present one
 * or, if the context is below a portal's, that in which the portal was created.
 * A cursor can be read in other subtransactions than its own, and its functions
 * begin statements there.
 */
static SubTransactionId
owning_subtransaction(MemoryContext context)
{
	Portal		unnamed = GetPortalByName("");

	for (; context != NULL; context = MemoryContextGetParent(context))
	{
		/* a portal's context is identified by its name */
		Portal		portal = context->ident ? GetPortalByName(context->ident) : NULL;

		if (portal == NULL || portal->portalContext != context)
			portal = unnamed;
		if (portal != NULL && portal->portalContext == context)
			return Min(portal->createSubid, GetCurrentSubTransactionId());
	}
	return GetCurrentSubTransactionId();
}

SgipStatement *
sgip_share_statement(EState *estate)
{
	SgipStatement *statement;
	dlist_iter	iter;

	dlist_foreach(iter, &statements)
	{
		statement = dlist_container(SgipStatement, node, iter.cur);
		if (statement->estate == estate)
			return statement;
	}
	statement = MemoryContextAllocZero(estate->es_query_cxt, sizeof(SgipStatement));
	statement->estate = estate;
	statement->subid = owning_subtransaction(estate->es_query_cxt);
	statement->wanted = entries_create(estate->es_query_cxt, 8, NULL);
	statement->cleanup.func = forget_statement;
	statement->cleanup.arg = statement;
	dlist_push_head(&statements, &statement->node);
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &statement->cleanup);
	return statement;
}

/* How many scans of the statement may read that task's listing. */
static int *
count_wanted(SgipShare *share, const SgipTask *task)
{
	const char *path = task->path ? task->path : task->name;
	uint64		account = (uint64) share->table->server->id << 32 | share->counted_user;
	uint64		listing = hash_bytes_extended((const unsigned char *) path, strlen(path), account);
	bool		found;
	Entry	   *entry = entries_insert(share->statement->wanted, listing, &found);

	if (!found)
		entry->scans = 0;
	return &entry->scans;
}

/* The further listing that a scan of the task may read, or NULL. */
static const SgipTask *
other_task(const SgipTask *task)
{
	if (task->derive == SGIP_DERIVE_AVAILABLE && task->api == SGIP_API_V3)
		return sgip_task_find(task->api, "subusers");
	return task->parent ? sgip_task_find(task->api, task->parent) : NULL;
}

/* ----------------------------------------------------------------
 *		Registries
 * ----------------------------------------------------------------
 */

/* The registry there; if there is none an empty one, in a child of that context. */
static SgipRegistry *
get_registry(SgipRegistry **registry, MemoryContext parent)
{
	MemoryContext context;

	if (*registry == NULL)
	{
		context = AllocSetContextCreate(parent, "sgip_fdw answers", ALLOCSET_SMALL_SIZES);
		*registry = MemoryContextAllocZero(context, sizeof(SgipRegistry));
		(*registry)->context = context;
		(*registry)->index = entries_create(context, 8, NULL);
		dlist_init(&(*registry)->answers);
	}
	return *registry;
}

/* Callback: the answer is freed, and its readers get no more of it. */
static void
detach_readers(void *arg)
{
	SharedAnswer *shared = arg;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &shared->readers)
	{
		dlist_delete(iter.cur);
		dlist_container(SgipReader, shared_node, iter.cur)->shared = NULL;
	}
}

/* Stops an answer and frees it. */
static void
forget(SgipRegistry *registry, SharedAnswer *shared)
{
	Entry	   *entry = entries_lookup(registry->index, shared->hash);

	if (entry != NULL && entry->shared == shared)
		entries_delete_item(registry->index, entry);
	dlist_delete(&shared->node);
	sgip_answer_end(shared->answer);
	sgip_store_end(shared->store);
	MemoryContextDelete(shared->context);
}

/* Ends a registry with all its answers; NULL is harmless. */
static void
end_registry(SgipRegistry *registry)
{
	if (registry == NULL)
		return;
	while (!dlist_is_empty(&registry->answers))
		forget(registry, dlist_head_element(SharedAnswer, node, &registry->answers));
	MemoryContextDelete(registry->context);
}

/* The answer known by that key, or NULL. */
static SharedAnswer *
find(SgipRegistry *registry, const char *key)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) key, strlen(key), 0);
	Entry	   *entry = entries_lookup(registry->index, hash);

	if (entry == NULL || strcmp(entry->shared->key, key) != 0 || entry->shared->state == ANSWER_FAILED)
		return NULL;
	return entry->shared;
}

/* ----------------------------------------------------------------
 *		Reading on
 * ----------------------------------------------------------------
 */

/* Stores the next element, on behalf of that scan; does not wait. */
static SgipAnswerResult
advance(SharedAnswer *shared, SgipShare *share)
{
	const SgipElement *element;
	SgipAnswerResult result;

	shared->state = ANSWER_FAILED;
	shared->asker = share->counters;

	/*
	 * the answer may be another scan's: make_room() drains the least recently
	 * used
	 */
	sgip_client_serve(shared->client, share->table, share->counters);
	result = sgip_answer_next(shared->answer, &element);
	if (result == SGIP_ANSWER_ELEMENT)
		sgip_store_add(shared->store, element);
	if (result == SGIP_ANSWER_ELEMENT || result == SGIP_ANSWER_END)
		shared->refusable = false;
	shared->state = result == SGIP_ANSWER_END ? ANSWER_COMPLETE :
		result == SGIP_ANSWER_REFUSED ? ANSWER_REFUSED : ANSWER_READING;
	if (shared->state != ANSWER_READING)
	{
		/* it has no more to say: what it needed goes */
		sgip_answer_end(shared->answer);
		shared->answer = NULL;
	}
	return result;
}

/*
 * Starts statement_timeout where PostgreSQL does not have it run: within a
 * COMMIT, and when the client closes a portal.  Returns whether it has; an
 * error ends all timeouts.
 */
static bool
start_timeout(void)
{
	if (ActivePortal != NULL || MyProcPort == NULL ||
		StatementTimeout <= 0 || get_timeout_active(STATEMENT_TIMEOUT))
		return false;
	enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
	return true;
}

/* Reads on, up to the end or so many elements; waits. */
static void
read_on(SharedAnswer *shared, SgipShare *share, int64 most)
{
	bool		timed = shared->state == ANSWER_READING && start_timeout();

	while (most-- > 0 && shared->state == ANSWER_READING)
	{
		/* nothing is waited for where the server is as fast as we are */
		CHECK_FOR_INTERRUPTS();
		if (advance(shared, share) == SGIP_ANSWER_WAIT)
			sgip_client_wait(shared->client);
	}
	if (timed)
		disable_timeout(STATEMENT_TIMEOUT, false);
}

/* Makes room for another answer: drops the least recently used that have no readers. */
static void
make_room(SgipShare *share)
{
	SgipRegistry *registry = share->registry;
	int			paused = 0;
	dlist_iter	iter;
	dlist_mutable_iter next;

	if (share->scope == OF_TRANSACTION)
		return;
	dlist_foreach(iter, &registry->answers)
	{
		SharedAnswer *shared = dlist_container(SharedAnswer, node, iter.cur);

		if (shared->state == ANSWER_READING && dlist_is_empty(&shared->readers))
			paused++;
	}
	dlist_foreach_modify(next, &registry->answers)
	{
		SharedAnswer *shared = dlist_container(SharedAnswer, node, next.cur);
		bool		full = registry->index->members >= MAX_KEPT ||
			registry->budget.used > registry->budget.limit;

		if (!full && paused < MAX_PAUSED)
			return;
		if (!dlist_is_empty(&shared->readers))
			continue;
		if (shared->state == ANSWER_READING)
		{
			paused--;
			/* most answers to a value are near their end */
			read_on(shared, share, MAX_DRAINED);
		}
		if (full || shared->state == ANSWER_READING)
			forget(registry, shared);
	}
}

/* ----------------------------------------------------------------
 *		Transactions
 * ----------------------------------------------------------------
 */

/*
 * The transaction ends: answers do not outlive it, nor their files its resource
 * owner.  That is at any event, whichever comes first: parallel workers have
 * events of their own, and what other modules do before a commit can make a
 * registry after ours was ended.
 */
static void
end_transaction(XactEvent event, void *arg)
{
	SgipRegistry *registry = transaction_registry;

	transaction_registry = NULL;
	end_registry(registry);
}

/*
 * A subtransaction ends.  If it is rolled back, what is not complete goes,
 * unless it was read outside and an error has not interrupted that.  Whatever
 * began in it, or in one that was released into it, has the same number or a
 * later one.
 */
static void
end_subtransaction(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	dlist_mutable_iter next;

	if (event != SUBXACT_EVENT_ABORT_SUB || transaction_registry == NULL)
		return;
	dlist_foreach_modify(next, &transaction_registry->answers)
	{
		SharedAnswer *shared = dlist_container(SharedAnswer, node, next.cur);

		if (shared->answer != NULL && (shared->state == ANSWER_FAILED || shared->subid >= subid))
			forget(transaction_registry, shared);
	}
}

/* ----------------------------------------------------------------
 *		Scans
 * ----------------------------------------------------------------
 */

/* The scan is freed: its readers are no longer readers of answers that outlive it. */
static void
detach_scan(void *arg)
{
	SgipShare  *share = arg;
	dlist_iter	iter;

	dlist_foreach(iter, &share->readers)
	{
		SgipReader *reader = dlist_container(SgipReader, node, iter.cur);

		if (reader->shared != NULL)
			dlist_delete(&reader->shared_node);
	}
}

SgipShare *
sgip_share_join(SgipStatement *statement, const SgipTable *table, Oid user_id,
				bool keep, SgipFetchCounters *counters)
{
	SgipShare  *share = palloc0(sizeof(SgipShare));

	share->context = CurrentMemoryContext;
	share->statement = statement;
	share->table = table;
	share->user_id = user_id;
	share->counted_user = sgip_credentials_owner(table->server->id, user_id);
	share->keep = keep;
	share->counters = counters;
	share->subid = statement ? statement->subid : GetCurrentSubTransactionId();
	dlist_init(&share->readers);
	share->cleanup.func = detach_scan;
	share->cleanup.arg = share;
	MemoryContextRegisterResetCallback(share->context, &share->cleanup);
	if (statement != NULL)
	{
		const SgipTask *other = other_task(table->task);

		statement->scans++;
		(*count_wanted(share, table->task))++;
		if (other != NULL)
			(*count_wanted(share, other))++;
	}
	return share;
}

void
sgip_share_leave(SgipShare *share)
{
	SgipStatement *statement = share->statement;

	if (share->scope == OF_SCAN)
		end_registry(share->registry);
	share->registry = NULL;
	if (statement != NULL && --statement->scans == 0)
	{
		end_registry(statement->registry);
		statement->registry = NULL;
	}
}

void
sgip_share_keep(SgipShare *share)
{
	share->keep = true;
}

/* Hash value of a row of a catalog and what stood before; releases the row. */
static uint64
hash_row(HeapTuple row, uint64 hash)
{
	if (!HeapTupleIsValid(row))
		return hash;
	hash = hash_bytes_extended((const unsigned char *) GETSTRUCT(row),
							   row->t_len - row->t_data->t_hoff, hash);
	ReleaseSysCache(row);
	return hash;
}

/*
 * What the answers of a server depend on besides the request: the server and
 * the mapping, with oid, owner, name and options as they are now.
 */
static uint64
fingerprint(Oid server_id, Oid mapped_user)
{
	uint64		hash = hash_row(SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(server_id)), 0);

	return hash_row(SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(mapped_user),
									ObjectIdGetDatum(server_id)), hash);
}

/* The registry that the scan belongs to. */
static SgipRegistry *
choose_registry(SgipShare *share)
{
	const SgipTask *other = other_task(share->table->task);
	SgipStatement *statement = share->statement;

	if (statement == NULL || !share_listings)
		return get_registry(&share->registry, share->context);
	if (IsolationUsesXactSnapshot())
	{
		share->scope = OF_TRANSACTION;
		return get_registry(&transaction_registry, TopTransactionContext);
	}
	if (*count_wanted(share, share->table->task) == 1 && (other == NULL || *count_wanted(share, other) == 1))
		return get_registry(&share->registry, share->context);
	share->scope = OF_STATEMENT;
	return get_registry(&statement->registry, statement->estate->es_query_cxt);
}

/*
 * The client that the registry has for the scan's server and mapping.  It asks
 * with the mapping that it was made for, whoever reads.
 */
static SgipClient *
find_client(SgipShare *share)
{
	SgipRegistry *registry = share->registry;
	SgipServer *server = share->table->server;
	Oid			mapped_user = sgip_credentials_owner(server->id, share->user_id);
	uint64		options = share->scope == OF_TRANSACTION ? fingerprint(server->id, mapped_user) : 0;
	MemoryContext caller;
	SgipClient *client;
	ListCell   *lc;

	foreach(lc, registry->clients)
	{
		client = lfirst(lc);
		if (client->server->id == server->id && client->user_id == mapped_user &&
			client->options == options)
			return client;
	}
	caller = MemoryContextSwitchTo(registry->context);
	/* the scan's own server would not live long enough */
	client = sgip_client_new(share->scope == OF_SCAN ? server : sgip_option_server(server->id),
							 mapped_user);
	client->options = options;
	registry->clients = lappend(registry->clients, client);
	MemoryContextSwitchTo(caller);
	return client;
}

/*
 * The key of an answer: server, mapping and request.  "whole": without
 * arguments that narrow the listing.
 */
static char *
make_key(SgipShare *share, const SgipTask *task, const SgipArguments *arguments, bool whole)
{
	SgipArguments asked = *arguments;
	char	   *request;
	char	   *key;

	for (int i = 0; i < task->field_count && whole; i++)
	{
		if (task->fields[i].kind != SGIP_KIND_ARGUMENT && task->fields[i].kind != SGIP_KIND_PARENT)
			asked.values[i] = NULL;
	}
	asked.shown = NULL;
	request = sgip_request_show(share->table->server, task, &asked, NULL, false);
	key = psprintf("%p %s", share->client, request);
	pfree(request);
	return key;
}

/*
 * The answer that a reader of those arguments can read, or NULL.  A search for
 * an id is the same request as the listing of a parent with that id.  But it
 * may be refused, and then the listing of parents is read instead, for which a
 * refusal must be an error: else it would be read again and again.
 */
static SharedAnswer *
find_for(SgipShare *share, const SgipTask *task, const SgipArguments *arguments)
{
	SharedAnswer *shared = NULL;

	/* most scans share nothing, and then no key has to be made */
	for (int whole = 0; whole < 2 && shared == NULL && share->registry->index->members > 0; whole++)
	{
		char	   *key = make_key(share, task, arguments, whole);

		shared = find(share->registry, key);
		pfree(key);
	}
	if (shared != NULL && shared->refusable && !sgip_answer_is_narrowed(task, arguments))
		return NULL;
	return shared;
}

bool
sgip_share_start(SgipShare *share)
{
	static const SgipArguments none;

	if (share->registry == NULL)
	{
		share->registry = choose_registry(share);
		share->client = find_client(share);
	}
	return find_for(share, share->table->task, &none) != NULL;
}

SgipClient *
sgip_share_client(SgipShare *share)
{
	if (share->client != NULL)
		sgip_client_serve(share->client, share->table, share->counters);
	return share->client;
}

/* ----------------------------------------------------------------
 *		Readers
 * ----------------------------------------------------------------
 */

/* A new answer, which is found from now on. */
static SharedAnswer *
begin_shared(SgipShare *share, const SgipTask *task, const SgipArguments *arguments)
{
	SgipRegistry *registry = share->registry;
	MemoryContext context = AllocSetContextCreate(registry->context, "sgip_fdw shared answer",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SharedAnswer *shared = palloc0(sizeof(SharedAnswer));
	bool		found;

	shared->context = context;
	shared->key = make_key(share, task, arguments, false);
	shared->hash = hash_bytes_extended((const unsigned char *) shared->key, strlen(shared->key), 0);
	shared->subid = share->subid;
	shared->client = share->client;
	shared->refusable = sgip_answer_is_narrowed(task, arguments);
	dlist_init(&shared->readers);
	shared->cleanup.func = detach_readers;
	shared->cleanup.arg = shared;
	MemoryContextRegisterResetCallback(context, &shared->cleanup);
	shared->store = sgip_store_new(&registry->budget,
								   share->scope == OF_TRANSACTION ? TopTransactionResourceOwner : NULL);
	shared->answer = sgip_answer_begin(share->client, task, arguments, 0);
	entries_insert(registry->index, shared->hash, &found)->shared = shared;
	dlist_push_tail(&registry->answers, &shared->node);
	MemoryContextSwitchTo(caller);
	return shared;
}

SgipReader *
sgip_reader_open(SgipShare *share, const SgipTask *task, const SgipArguments *arguments,
				 int rows, bool again)
{
	SgipReader *reader = MemoryContextAllocZero(share->context, sizeof(SgipReader));
	const SgipServer *server = share->table->server;
	SharedAnswer *shared = find_for(share, task, arguments);

	reader->share = share;
	reader->position.context = share->context;
	dlist_push_tail(&share->readers, &reader->node);
	if (shared == NULL && (again || share->keep || share->scope == OF_TRANSACTION ||
						   (share->scope == OF_STATEMENT && *count_wanted(share, task) > 1)))
	{
		make_room(share);
		shared = begin_shared(share, task, arguments);
	}
	if (shared == NULL)
	{
		reader->direct = sgip_answer_begin(sgip_share_client(share), task, arguments, rows);
		return reader;
	}
	if (server->hides_values)
		reader->request = MemoryContextStrdup(share->context,
											  sgip_request_show(server, task, arguments, NULL, true));
	reader->shared = shared;
	shared->subid = Min(shared->subid, share->subid);
	dlist_push_tail(&shared->readers, &reader->shared_node);
	dlist_move_tail(&share->registry->answers, &shared->node);
	return reader;
}

/* Raises an error: the answer was given up while it was being read. */
static void
report_given_up(const SgipShare *share)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("listing of server \"%s\" was given up", share->table->server->name),
			 errdetail("Another query that read it has failed, and it cannot be read on."),
			 errcontext("foreign table \"%s\"", share->table->name)));
}

/* The next element of an answer that was asked for by this reader alone. */
static SgipAnswerResult
next_direct(SgipReader *reader, const SgipElement **element)
{
	SgipShare  *share = reader->share;
	SgipAnswerResult result;

	if (share->scope == OF_SCAN)
		return sgip_answer_next(reader->direct, element);
	(void) sgip_share_client(share);
	result = sgip_answer_next(reader->direct, element);
	/* another scan may use the client before the element has been used */
	if (result == SGIP_ANSWER_ELEMENT)
	{
		sgip_store_copy(&reader->position, *element, &reader->element);
		*element = &reader->element;
	}
	return result;
}

SgipAnswerResult
sgip_reader_next(SgipReader *reader, const SgipElement **element)
{
	SgipShare  *share = reader->share;
	SharedAnswer *shared = reader->shared;

	if (reader->direct != NULL)
		return next_direct(reader, element);
	for (;;)
	{
		if (shared == NULL || shared->state == ANSWER_FAILED)
			report_given_up(share);
		if (sgip_store_next(shared->store, &reader->position, &reader->element))
		{
			if (shared->asker != share->counters)
				share->counters->shared++;
			*element = &reader->element;
			return SGIP_ANSWER_ELEMENT;
		}
		if (shared->state != ANSWER_READING)
			return shared->state == ANSWER_COMPLETE ? SGIP_ANSWER_END : SGIP_ANSWER_REFUSED;
		if (advance(shared, share) == SGIP_ANSWER_WAIT)
			return SGIP_ANSWER_WAIT;
	}
}

bool
sgip_reader_send(SgipReader *reader, bool ahead)
{
	SgipAnswer *answer = reader->direct ? reader->direct :
		reader->shared && reader->shared->state == ANSWER_READING ? reader->shared->answer : NULL;

	if (answer == NULL)
		return true;
	(void) sgip_share_client(reader->share);
	return sgip_answer_send(answer, ahead);
}

SgipErrorContext *
sgip_reader_error_context(const SgipReader *reader)
{
	SgipErrorContext *failed;

	/* the scan that the client worked for last may have ended */
	(void) sgip_share_client(reader->share);
	if (reader->direct != NULL)
		return sgip_answer_error_context(reader->direct);
	if (reader->shared != NULL && reader->shared->answer != NULL)
		failed = sgip_answer_error_context(reader->shared->answer);
	else
	{
		failed = palloc0(sizeof(SgipErrorContext));
		failed->server = reader->share->table->server;
		failed->table = reader->share->table->name;
		failed->request = reader->shared ? strchr(reader->shared->key, ' ') + 1 : "";
	}
	if (reader->request != NULL)
		failed->request = reader->request;
	return failed;
}

/*
 * Does the scan go if there is an error now?  A cursor of an outer
 * subtransaction survives the rollback.  If closing it failed, PostgreSQL would
 * take it for open, and crash at the next FETCH.
 */
static bool
may_fail(const SgipShare *share)
{
	return share->subid >= GetCurrentSubTransactionId();
}

void
sgip_reader_close(SgipReader *reader)
{
	SgipShare  *share = reader->share;
	SharedAnswer *shared = reader->shared;

	sgip_answer_end(reader->direct);
	sgip_store_reader_end(&reader->position);
	if (shared != NULL)
	{
		if (share->scope == OF_TRANSACTION && may_fail(share) &&
			dlist_head_node(&shared->readers) == dlist_tail_node(&shared->readers))
			read_on(shared, share, PG_INT64_MAX);
		dlist_delete(&reader->shared_node);
	}
	if (reader->request != NULL)
		pfree(reader->request);
	dlist_delete(&reader->node);
	pfree(reader);
}

void
sgip_share_init(void)
{
	DefineCustomBoolVariable("sgip_fdw.share_listings",
							 "Lets scans of one statement, or of one REPEATABLE READ transaction, read one answer.",
							 "Off, each scan asks for itself.",
							 &share_listings,
							 true, PGC_USERSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}
