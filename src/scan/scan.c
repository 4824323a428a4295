/*-------------------------------------------------------------------------
 *
 * scan.c
 *		One foreign scan at run time: from values of conditions to tuples.
 *
 * Serves a plain scan, an asynchronous Append and ANALYZE alike: the next
 * row is asked for without waiting, and whoever asks decides how to wait.
 *
 * Three lifetimes, each a memory context: the scan; the values it was last
 * started with, and their searches; one row.  Where rescans are expected the
 * rows are kept (row_cache.c).  A rescan replays what has been read so far and then
 * goes on reading where it was, so that no answer is asked for twice.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "scan/row_cache.h"
#include "scan/scan.h"

struct SgipScan
{
	MemoryContext context;		/* the scan's, with everything below */
	MemoryContext values_context;	/* searches and fetch; reset at a restart */
	MemoryContext row_context;	/* one row */

	SgipTable  *table;
	Oid			user_id;
	SgipTupleBuilder *maker;
	SgipScanOrder order;

	bool		started;		/* what is below is up to date with the values */
	bool		closed;			/* no row can satisfy the conditions */
	SgipSearches *searches;
	SgipFetch  *fetch;
	bool		fetched_all;	/* the fetch has no more rows */
	SgipRow		row;			/* the row that was fetched last */
	const SgipSearch *search;	/* which found it */
	size_t		position;		/* of the next tuple of it; 0: there is none */

	SgipRowCache   *kept;			/* NULL until rows are kept */

	SgipFetchCounters counters;
};

SgipScan *
sgip_scan_begin(Relation rel, Oid user_id, const SgipScanOrder *order)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sgip_fdw scan",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SgipScan   *scan = palloc0(sizeof(SgipScan));
	Bitmapset  *needed = order->columns;

	scan->context = context;
	scan->values_context = AllocSetContextCreate(context, "sgip_fdw values",
												 ALLOCSET_SMALL_SIZES);
	scan->row_context = AllocSetContextCreate(context, "sgip_fdw row",
											  ALLOCSET_DEFAULT_SIZES);
	scan->table = sgip_table_describe(RelationGetRelid(rel));
	scan->user_id = user_id;
	scan->order = *order;
	/* an empty set is NULL, which would mean all columns */
	if (needed == NULL && !order->all_columns)
		needed = bms_make_singleton(0);
	scan->maker = sgip_tuple_prepare(scan->table, RelationGetDescr(rel), needed);
	MemoryContextSwitchTo(caller);
	return scan;
}

/* Is an expression that is known when the scan starts true? */
static bool
known_holds(void *expression, void *arg)
{
	SgipScan   *scan = arg;
	bool		isnull;
	Datum		value = ExecEvalExprSwitchContext(expression, scan->order.econtext, &isnull);

	return !isnull && DatumGetBool(value);
}

/* The clauses that count now: a setting may have changed since planning. */
static List *
counting_clauses(SgipScan *scan)
{
	List	   *clauses = NIL;
	ListCell   *lc;

	if (sgip_enable_pushdown)
		return scan->order.clauses;
	foreach(lc, scan->order.clauses)
	{
		if (!bms_is_empty(((SgipClause *) lfirst(lc))->search))
			clauses = lappend(clauses, lfirst(lc));
	}
	return clauses;
}

/* The condition with its values as datums, in the current context. */
static SgipCondition *
evaluate_condition(SgipScan *scan, const SgipCondition *condition)
{
	SgipCondition *copy = palloc(sizeof(SgipCondition));
	ListCell   *lc;

	*copy = *condition;
	copy->values = NIL;
	foreach(lc, condition->values)
	{
		ExprState  *state = lfirst(lc);
		SgipDatum  *datum = palloc(sizeof(SgipDatum));
		Datum		value;
		int16		len;
		bool		byval;

		value = ExecEvalExprSwitchContext(state, scan->order.econtext, &datum->isnull);
		datum->type = exprType((Node *) state->expr);
		get_typlenbyval(datum->type, &len, &byval);
		datum->value = datum->isnull ? (Datum) 0 : datumCopy(value, byval, len);
		copy->values = lappend(copy->values, datum);
	}
	return copy;
}

/* The searches that answer the clauses now, in the current context; NULL: no row can satisfy them. */
static SgipSearches *
make_searches(SgipScan *scan)
{
	SgipDecision decision = sgip_clause_decide(counting_clauses(scan), known_holds, scan);
	List	   *conditions = NIL;
	ListCell   *lc;

	if (decision.never)
		return NULL;
	sgip_search_refuse_undecided(scan->table, &decision);
	foreach(lc, decision.conditions)
	{
		const SgipCondition *condition = lfirst(lc);

		if (sgip_enable_pushdown ||
			sgip_table_field(scan->table, condition->attnum)->kind == SGIP_KIND_ARGUMENT)
			conditions = lappend(conditions, evaluate_condition(scan, condition));
	}
	return sgip_search_evaluate(scan->table, conditions, scan->order.max_searches);
}

/* Lets go of the fetch; the rows that it has brought are not all. */
static void
end_fetch(SgipScan *scan)
{
	sgip_fetch_end(scan->fetch);
	scan->fetch = NULL;
	scan->fetched_all = false;
}

/*
 * Evaluates the values.  If the searches are those of the last start, what was
 * fetched for them is good, and so is what is kept of an earlier one; else the
 * fetch begins anew.  If no row can satisfy
 * the conditions, all of it stays for when one can.
 */
static void
start(SgipScan *scan)
{
	MemoryContext fresh;
	MemoryContext caller;
	SgipSearches *searches;

	fresh = AllocSetContextCreate(scan->context, "sgip_fdw values", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(fresh);
	searches = make_searches(scan);
	MemoryContextSwitchTo(caller);
	scan->closed = searches == NULL;
	scan->started = true;
	if (scan->closed)
	{
		MemoryContextDelete(fresh);
		return;
	}
	if (scan->searches != NULL && (scan->kept != NULL || scan->fetched_all) &&
		strcmp(searches->signature, scan->searches->signature) == 0)
	{
		MemoryContextDelete(fresh);
		if (scan->kept != NULL)
			sgip_row_cache_rewind(scan->kept);
		return;
	}
	end_fetch(scan);
	MemoryContextDelete(scan->values_context);
	scan->values_context = fresh;
	scan->searches = searches;
	scan->position = 0;
	sgip_tuple_set_local(scan->maker, &searches->local);
	if (scan->order.keep_rows)
	{
		if (scan->kept == NULL)
		{
			caller = MemoryContextSwitchTo(scan->context);
			scan->kept = sgip_row_cache_new();
			MemoryContextSwitchTo(caller);
		}
		scan->fetched_all = sgip_row_cache_switch(scan->kept, searches->signature);
	}
}

/* Begins the fetch, if it is not begun. */
static void
begin_fetch(SgipScan *scan)
{
	MemoryContext caller;

	if (scan->fetch != NULL)
		return;
	caller = MemoryContextSwitchTo(scan->values_context);
	scan->fetch = sgip_fetch_begin(scan->table, scan->searches, scan->user_id,
								   scan->order.rows, &scan->counters);
	MemoryContextSwitchTo(caller);
}

/* Says which request a row that cannot be converted came with. */
static void
request_context(void *arg)
{
	SgipScan   *scan = arg;
	char	   *request = scan->fetch ? sgip_fetch_describe(scan->fetch) : NULL;

	if (request != NULL)
		errcontext("request %s to server \"%s\"", request, scan->table->server->name);
}

/* Makes the next tuple of the row; false if the row is not one of this search. */
static bool
make_row(SgipScan *scan, TupleTableSlot *slot)
{
	ErrorContextCallback callback;
	MemoryContext caller;
	bool		wanted;

	callback.callback = request_context;
	callback.arg = scan;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	MemoryContextReset(scan->row_context);
	caller = MemoryContextSwitchTo(scan->row_context);
	wanted = sgip_tuple_build(scan->maker, &scan->row, scan->search, &scan->position,
							  slot->tts_values, slot->tts_isnull);
	MemoryContextSwitchTo(caller);
	error_context_stack = callback.previous;
	return wanted;
}

/* The next row from the API. */
static SgipScanResult
fetch_row(SgipScan *scan, TupleTableSlot *slot)
{
	for (;;)
	{
		if (scan->position == 0)
		{
			switch (sgip_fetch_next(scan->fetch, &scan->row, &scan->search))
			{
				case SGIP_FETCH_WAIT:
					return SGIP_SCAN_WAIT;
				case SGIP_FETCH_END:
					sgip_fetch_end(scan->fetch);
					scan->fetch = NULL;
					scan->fetched_all = true;
					if (scan->kept != NULL)
						sgip_row_cache_complete(scan->kept);
					return SGIP_SCAN_END;
				case SGIP_FETCH_ROW:
					break;
			}
		}
		if (make_row(scan, slot))
		{
			ExecStoreVirtualTuple(slot);
			return SGIP_SCAN_ROW;
		}
		/* rows of other searches can be many, without a row for the executor */
		CHECK_FOR_INTERRUPTS();
	}
}

SgipScanResult
sgip_scan_next(SgipScan *scan, TupleTableSlot *slot)
{
	SgipScanResult result;

	ExecClearTuple(slot);
	if (!scan->started)
		start(scan);
	if (scan->closed)
		return SGIP_SCAN_END;
	if (scan->kept != NULL && sgip_row_cache_next(scan->kept, slot))
		return SGIP_SCAN_ROW;
	if (scan->fetched_all || scan->searches->count == 0)
		return SGIP_SCAN_END;

	if (scan->fetch == NULL && scan->order.async && !sgip_http_has_room())
		return SGIP_SCAN_WAIT;
	begin_fetch(scan);
	result = fetch_row(scan, slot);
	if (result == SGIP_SCAN_ROW && scan->kept != NULL)
		sgip_row_cache_add(scan->kept, slot);
	return result;
}

void
sgip_scan_wait(SgipScan *scan)
{
	sgip_fetch_wait(scan->fetch);
}

void
sgip_scan_restart(SgipScan *scan, bool values_may_differ)
{
	if (!scan->started)
		return;
	scan->order.keep_rows = true;
	if (scan->closed && values_may_differ)
	{
		scan->started = false;
		return;
	}
	if (scan->kept == NULL && scan->searches != NULL && !(scan->fetched_all && scan->searches->count == 0))
	{
		end_fetch(scan);
		scan->searches = NULL;
		scan->started = false;
		return;
	}
	if (values_may_differ)
		scan->started = false;
	else if (scan->kept != NULL)
		sgip_row_cache_rewind(scan->kept);
}

bool
sgip_scan_may_begin(SgipScan *scan)
{
	return scan->fetch != NULL || sgip_http_has_room();
}

/* What has come since the scan was last asked will not come again, so it is woken at once. */
int
sgip_scan_wait_begin(SgipScan *scan)
{
	begin_fetch(scan);
	return sgip_client_wait_begin(sgip_fetch_client(scan->fetch), sgip_fetch_has_news(scan->fetch));
}

void
sgip_scan_wait_end(SgipScan *scan)
{
	if (scan->fetch != NULL)
		sgip_client_wait_end(sgip_fetch_client(scan->fetch));
}

const SgipFetchCounters *
sgip_scan_counters(SgipScan *scan)
{
	return &scan->counters;
}

void
sgip_scan_end(SgipScan *scan)
{
	if (scan == NULL)
		return;
	end_fetch(scan);
	sgip_row_cache_end(scan->kept);
	MemoryContextDelete(scan->context);
}
