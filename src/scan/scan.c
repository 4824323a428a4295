/*-------------------------------------------------------------------------
 *
 * scan.c
 *		One foreign scan at run time: from values of conditions to tuples.
 *
 * Serves a plain scan, an asynchronous Append and ANALYZE alike: the next
 * row is asked for without waiting, and the caller decides how to wait.
 *
 * Three lifetimes, each a memory context: the scan; the values it was last
 * started with, and their searches; one row.  A rescan reads the same answers
 * again, which are kept where rescans are expected (share.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "scan/scan.h"

struct SgipScan
{
	MemoryContext context;		/* the scan's, with everything below */
	MemoryContext values_context;	/* searches and fetch; reset at a restart */
	MemoryContext row_context;	/* one row */

	SgipTable  *table;
	SgipTupleBuilder *builder;
	SgipScanOrder order;
	const char *const *shown;	/* by field, instead of values; or NULL */

	bool		started;		/* what is below is up to date with the values */
	SgipShare  *share;
	SgipFetch  *fetch;			/* NULL: not begun, or at its end */
	SgipRow		row;			/* the row that was fetched last */
	const SgipSearch *search;	/* which found it */
	size_t		position;		/* of the next tuple of it; 0: there is none */

	SgipFetchCounters counters;
};

/*
 * Is there a field of an anonymous record?  Its name is in the plan that makes
 * the record, which is not known here; deparse_expression() would raise an
 * error.
 */
static bool
has_record_field(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FieldSelect) && exprType((Node *) ((FieldSelect *) node)->arg) == RECORDOID)
		return true;
	return expression_tree_walker(node, has_record_field, context);
}

/*
 * What messages show, by field, instead of values that the role may not see:
 * the expressions.  Determined in advance, since messages are built where
 * catalogs can no longer be read.
 */
static const char *const *
show_expressions(const SgipTable *table, const SgipScanOrder *order)
{
	PlannedStmt *stmt = order->econtext->ecxt_estate->es_plannedstmt;
	Bitmapset  *all = bms_add_range(NULL, 1, list_length(stmt->rtable));
	List	   *context = deparse_context_for_plan_tree(stmt, select_rtable_names_for_explain(stmt->rtable, all));
	const char **shown = palloc0(SGIP_MAX_FIELDS * sizeof(char *));
	ListCell   *lc;
	ListCell   *value;

	context = set_deparse_context_plan(context, order->plan, NIL);
	foreach(lc, sgip_clause_conditions(order->clauses))
	{
		const SgipCondition *condition = lfirst(lc);
		int			field = table->columns[condition->attnum - 1].field;

		foreach(value, condition->values)
		{
			ExprState  *state = lfirst(value);

			if (has_record_field((Node *) state->expr, NULL))
				shown[field] = "?";
			else if (!IsA(state->expr, Const))
				shown[field] = deparse_expression((Node *) state->expr, context, false, false);
		}
	}
	return shown;
}

SgipScan *
sgip_scan_begin(Relation rel, Oid user_id, const SgipScanOrder *order)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sgip_fdw scan",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	SgipScan   *scan = palloc0(sizeof(SgipScan));

	scan->context = context;
	scan->values_context = AllocSetContextCreate(context, "sgip_fdw values",
												 ALLOCSET_SMALL_SIZES);
	scan->row_context = AllocSetContextCreate(context, "sgip_fdw row",
											  ALLOCSET_DEFAULT_SIZES);
	scan->table = sgip_table_describe(RelationGetRelid(rel));
	scan->order = *order;
	scan->builder = sgip_tuple_prepare(scan->table, order->columns);
	scan->share = sgip_share_join(order->statement, scan->table, user_id, order->restarts, &scan->counters);
	if (scan->table->server->hides_values && order->clauses != NIL)
		scan->shown = show_expressions(scan->table, order);
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

/* The condition with its values as they are now, in the current context. */
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
		Oid			type = exprType((Node *) state->expr);
		Datum		value;
		bool		isnull;
		int16		len;
		bool		byval;

		value = ExecEvalExprSwitchContext(state, scan->order.econtext, &isnull);
		get_typlenbyval(type, &len, &byval);
		if (!isnull)
			value = datumCopy(value, byval, len);
		copy->values = lappend(copy->values,
							   makeConst(type, -1, InvalidOid, len, value, isnull, byval));
	}
	return copy;
}

/*
 * The searches that answer the clauses now, in the current context; NULL: no
 * row can satisfy them.  If the whole listing is being read already, searches
 * would only be more requests.
 */
static SgipSearches *
make_searches(SgipScan *scan)
{
	/* the setting may have changed since planning */
	SgipDecision decision = sgip_clause_decide(scan->table, sgip_clause_enabled(scan->order.clauses),
											   known_holds, scan);
	List	   *conditions = NIL;
	SgipSearches *searches;
	ListCell   *lc;

	if (decision.never)
		return NULL;
	sgip_search_refuse_undecided(scan->table, &decision);
	foreach(lc, decision.conditions)
		conditions = lappend(conditions, evaluate_condition(scan, lfirst(lc)));
	searches = sgip_search_evaluate(scan->table, conditions,
									sgip_share_start(scan->share) ? 1 : scan->order.max_searches);
	for (int i = 0; i < searches->count; i++)
		searches->items[i].arguments.shown = scan->shown;
	return searches;
}

/* Evaluates the values, and begins the fetch of what they ask for. */
static void
start(SgipScan *scan)
{
	SgipSearches *searches;
	MemoryContext caller;

	scan->started = true;
	scan->position = 0;
	MemoryContextReset(scan->values_context);
	caller = MemoryContextSwitchTo(scan->values_context);
	searches = make_searches(scan);
	if (searches != NULL && searches->count > 0)
	{
		sgip_tuple_set_local(scan->builder, &searches->local);
		scan->fetch = sgip_fetch_begin(scan->table, searches, scan->share, scan->order.rows);
	}
	MemoryContextSwitchTo(caller);
}

/* Says which value cannot be converted, and which request it came with. */
static void
row_context(void *arg)
{
	SgipScan   *scan = arg;
	char	   *request = scan->fetch ? sgip_fetch_describe(scan->fetch) : NULL;

	sgip_tuple_error_context(scan->builder);
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

	callback.callback = row_context;
	callback.arg = scan;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	MemoryContextReset(scan->row_context);
	caller = MemoryContextSwitchTo(scan->row_context);
	wanted = sgip_tuple_build(scan->builder, &scan->row, scan->search, &scan->position,
							  slot->tts_values, slot->tts_isnull);
	MemoryContextSwitchTo(caller);
	error_context_stack = callback.previous;
	return wanted;
}

/* Ends the fetch, if there is one. */
static void
end_fetch(SgipScan *scan)
{
	sgip_fetch_end(scan->fetch);
	scan->fetch = NULL;
}

/* The next row from the API. */
static SgipFetchResult
fetch_row(SgipScan *scan, TupleTableSlot *slot)
{
	do
	{
		SgipFetchResult result = SGIP_FETCH_ROW;

		/* rows of other searches can be many, without a row for the executor */
		CHECK_FOR_INTERRUPTS();
		if (scan->position == 0)
			result = sgip_fetch_next(scan->fetch, &scan->row, &scan->search);
		if (result == SGIP_FETCH_END)
			end_fetch(scan);
		if (result != SGIP_FETCH_ROW)
			return result;
	} while (!make_row(scan, slot));
	ExecStoreVirtualTuple(slot);
	return SGIP_FETCH_ROW;
}

SgipFetchResult
sgip_scan_next(SgipScan *scan, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	if (!scan->started)
	{
		if (scan->order.async && !sgip_http_has_room())
			return SGIP_FETCH_WAIT;
		start(scan);
	}
	return scan->fetch == NULL ? SGIP_FETCH_END : fetch_row(scan, slot);
}

void
sgip_scan_wait(SgipScan *scan)
{
	sgip_client_wait(sgip_share_client(scan->share));
}

void
sgip_scan_restart(SgipScan *scan)
{
	sgip_share_keep(scan->share);
	end_fetch(scan);
	scan->started = false;
}

/* ----------------------------------------------------------------
 *		Waiting together with other scans
 * ----------------------------------------------------------------
 */

bool
sgip_scan_has_ended(const SgipScan *scan)
{
	return scan->started && scan->fetch == NULL;
}

bool
sgip_scan_has_begun(const SgipScan *scan)
{
	return scan->started;
}

void
sgip_scan_begin_now(SgipScan *scan)
{
	start(scan);
}

bool
sgip_scan_has_news(SgipScan *scan)
{
	return scan->fetch == NULL || sgip_fetch_has_news(scan->fetch);
}

SgipClient *
sgip_scan_client(SgipScan *scan)
{
	return scan->fetch != NULL ? sgip_share_client(scan->share) : NULL;
}

const SgipFetchCounters *
sgip_scan_counters(SgipScan *scan)
{
	/* of what it was charged for, some may have been refunded since it waited */
	(void) sgip_share_client(scan->share);
	return &scan->counters;
}

void
sgip_scan_end(SgipScan *scan)
{
	if (scan == NULL)
		return;
	sgip_fetch_end(scan->fetch);
	sgip_share_leave(scan->share);
	MemoryContextDelete(scan->context);
}
