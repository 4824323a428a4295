/*-------------------------------------------------------------------------
 *
 * sgip_fdw.c
 *		Foreign-data wrapper for SendGrid's IP management.
 *
 * Foreign tables are tasks of the remote API; see task.c for which there
 * are.  This file holds the module's entry points and the executor's
 * callbacks in the order in which they run.  The planner's are in plan.c.
 *
 * The layers of a scan, from the outside in: the executor calls
 * sgip_fdw.c; scan.c makes tuples and replays them; search.c decides what
 * is requested; fetch.c drives the requests; request.c spells them;
 * transfer.c transfers bytes; json.c finds the elements in them; decode.c
 * and tuple.c make values of these.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/execAsync.h"
#include "executor/instrument.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "scan/analyze.h"
#include "compat.h"
#include "http/http.h"
#include "plan/explain.h"
#include "plan/import.h"
#include "json/tree.h"
#include "limits/shared.h"
#include "plan/plan.h"
#include "scan/restart.h"
#include "scan/scan.h"

PG_MODULE_MAGIC;

/* sgip_fdw.enable_pushdown: off sends no condition except search columns */
bool		sgip_enable_pushdown = true;

extern PGDLLEXPORT void _PG_init(void);

PG_FUNCTION_INFO_V1(sgip_fdw_handler);
PG_FUNCTION_INFO_V1(sgip_fdw_version);

/* FDW callback routines */
static void sgipBeginForeignScan(ForeignScanState *node, int eflags);
static TupleTableSlot *sgipIterateForeignScan(ForeignScanState *node);
static void sgipReScanForeignScan(ForeignScanState *node);
static void sgipEndForeignScan(ForeignScanState *node);
static void sgipExplainForeignScan(ForeignScanState *node, ExplainState *es);
static void sgipForeignAsyncRequest(AsyncRequest *areq);
static void sgipForeignAsyncConfigureWait(AsyncRequest *areq);
static void sgipForeignAsyncNotify(AsyncRequest *areq);

/* Module load: settings and callbacks of this backend. */
void
_PG_init(void)
{
	DefineCustomBoolVariable("sgip_fdw.enable_pushdown",
							 "Sends conditions of queries to the API.",
							 "Off, only conditions on search columns are sent; results are the same.",
							 &sgip_enable_pushdown,
							 true, PGC_USERSET, 0, NULL, NULL, NULL);
	sgip_share_init();
	sgip_http_init();
	sgip_shared_init();
	MarkGUCPrefixReserved("sgip_fdw");
}

/* The callbacks of this wrapper. */
Datum
sgip_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = sgipGetForeignRelSize;
	routine->GetForeignPaths = sgipGetForeignPaths;
	routine->GetForeignPlan = sgipGetForeignPlan;
	routine->BeginForeignScan = sgipBeginForeignScan;
	routine->IterateForeignScan = sgipIterateForeignScan;
	routine->ReScanForeignScan = sgipReScanForeignScan;
	routine->EndForeignScan = sgipEndForeignScan;
	routine->ExplainForeignScan = sgipExplainForeignScan;
	routine->AnalyzeForeignTable = sgipAnalyzeForeignTable;
	routine->ImportForeignSchema = sgipImportForeignSchema;
	routine->IsForeignPathAsyncCapable = sgipIsForeignPathAsyncCapable;
	routine->ForeignAsyncRequest = sgipForeignAsyncRequest;
	routine->ForeignAsyncConfigureWait = sgipForeignAsyncConfigureWait;
	routine->ForeignAsyncNotify = sgipForeignAsyncNotify;
	PG_RETURN_POINTER(routine);
}

/* Our version, libcurl's with its TLS library, jansson's. */
Datum
sgip_fdw_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("sgip_fdw %s, %s, jansson %s", SGIP_VERSION,
											  sgip_http_version(), sgip_tree_version())));
}

/*
 * Prepares the scan.  Nothing is sent and no user mapping is looked up before
 * the first row is asked for, and nothing at all happens for plain EXPLAIN.
 */
static void
sgipBeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	SgipScanOrder order = {0};
	ListCell   *lc;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	order.statement = sgip_share_statement(node->ss.ps.state);
	order.restarts = sgip_restart_is_possible(node, eflags, order.statement);
	foreach(lc, (List *) list_nth(plan->fdw_private, SGIP_PLAN_COLUMNS))
		order.columns = bms_add_member(order.columns, lfirst_int(lc));
	order.clauses = sgip_clause_from_plan(list_nth(plan->fdw_private, SGIP_PLAN_CLAUSES),
										  ExecInitExprList(plan->fdw_exprs, (PlanState *) node));
	order.econtext = node->ss.ps.ps_ExprContext;
	order.plan = &plan->scan.plan;
	order.max_searches = intVal(list_nth(plan->fdw_private, SGIP_PLAN_MAX_SEARCHES));
	order.rows = intVal(list_nth(plan->fdw_private, SGIP_PLAN_ROWS));
	order.async = node->ss.ps.async_capable;

	node->fdw_state = sgip_scan_begin(node->ss.ss_currentRelation, sgip_scan_user(node), &order);
}

/*
 * The next row.  Under an asynchronous Append an empty slot also says that
 * there is none yet; sgip_scan_has_ended tells the two apart.
 */
static TupleTableSlot *
sgipIterateForeignScan(ForeignScanState *node)
{
	SgipScan   *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	while (sgip_scan_next(scan, slot) == SGIP_FETCH_WAIT && !node->ss.ps.async_capable)
		sgip_scan_wait(scan);
	return slot;
}

/* Starts again, perhaps with other values of parameters. */
static void
sgipReScanForeignScan(ForeignScanState *node)
{
	if (node->fdw_state != NULL)
		sgip_scan_restart(node->fdw_state);
}

/* Ends the scan.  After an error the scan's memory context does it. */
static void
sgipEndForeignScan(ForeignScanState *node)
{
	sgip_scan_end(node->fdw_state);
	node->fdw_state = NULL;
}

/* The request, and what was counted. */
static void
sgipExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	const SgipFetchCounters *counters;

	sgip_explain_plan(node, es);
	if (!es->analyze || node->fdw_state == NULL)
		return;
	counters = sgip_scan_counters(node->fdw_state);
	ExplainPropertyInteger("Requests", NULL, counters->requests, es);
	ExplainPropertyInteger("Rows Received", NULL, counters->rows, es);
	ExplainPropertyInteger("Bytes Received", NULL, counters->bytes, es);
	ExplainPropertyInteger("Retries", NULL, counters->retries, es);
	ExplainPropertyInteger("Connections Opened", NULL, counters->connections, es);
	if (es->timing && (counters->limited_ms > 0 || es->format != EXPLAIN_FORMAT_TEXT))
		ExplainPropertyFloat("Waited For Limit", "ms", counters->limited_ms, 0, es);
	if (counters->shared > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Rows Shared", NULL, counters->shared, es);
}

/* ----------------------------------------------------------------
 *		Asynchronous execution (nodeAppend.c, execAsync.c)
 * ----------------------------------------------------------------
 */

/* The scan of a request, or NULL if another wrapper serves it. */
static SgipScan *
scan_of(const AsyncRequest *areq)
{
	ForeignScanState *node = (ForeignScanState *) areq->requestee;

	return node->fdwroutine->ForeignAsyncRequest == sgipForeignAsyncRequest ? node->fdw_state : NULL;
}

/* Append requests a row: responds with it, the end, or that it is pending. */
static void
sgipForeignAsyncRequest(AsyncRequest *areq)
{
	/* applies the conditions and projects, as a synchronous call would */
	TupleTableSlot *slot = areq->requestee->ExecProcNodeReal(areq->requestee);

	if (!TupIsNull(slot) || sgip_scan_has_ended(scan_of(areq)))
		ExecAsyncRequestDone(areq, TupIsNull(slot) ? NULL : slot);
	else
		ExecAsyncRequestPending(areq);
}

/*
 * Does an earlier request of the same Append already wait for the same
 * client?  Its descriptor cannot be in a set twice.
 */
static bool
is_waited_for(const AsyncRequest *areq, const SgipClient *client)
{
	const AppendState *append = (const AppendState *) areq->requestor;
	const AsyncRequest *other;

	if (client->waiting_append != append || client->waiting_request >= areq->request_index)
		return false;
	other = append->as_asyncrequests[client->waiting_request];
	return other != NULL && other->callback_pending && scan_of(other) != NULL &&
		sgip_scan_client(scan_of(other)) == client;
}

/*
 * Another scan has driven the client, or the request has not begun: processes
 * now what has arrived, as it will not make the descriptor readable.  Then
 * does what the executor does after a callback.
 */
static void
look_at_news(AsyncRequest *areq)
{
	areq->callback_pending = false;
	sgipForeignAsyncRequest(areq);
	ExecAsyncResponse(areq);
	if (areq->request_complete && areq->requestee->instrument)
		InstrUpdateTupleCount(areq->requestee->instrument, TupIsNull(areq->result) ? 0.0 : 1.0);
}

/*
 * Is there a request before this one whose scan has not begun either?  Scans
 * begin in order as the session has free slots, so an Append of thousands need
 * not look at each of them whenever it waits: the first that has not begun
 * stays pending, and the others follow it.
 */
static bool
follows_another(const AsyncRequest *areq)
{
	const AppendState *append = (const AppendState *) areq->requestor;
	int			before = bms_prev_member(append->as_valid_asyncplans, areq->request_index);
	const SgipScan *scan = before < 0 ? NULL : scan_of(append->as_asyncrequests[before]);

	return scan != NULL && !sgip_scan_has_begun(scan);
}

/* The request's scan has begun: the one that follows it may be next. */
static void
pass_on(const AsyncRequest *areq)
{
	const AppendState *append = (const AppendState *) areq->requestor;
	int			after = bms_next_member(append->as_valid_asyncplans, areq->request_index);
	AsyncRequest *next = after < 0 ? NULL : append->as_asyncrequests[after];
	const SgipScan *scan = next == NULL ? NULL : scan_of(next);

	if (scan != NULL && !sgip_scan_has_begun(scan))
		next->callback_pending = true;
}

/*
 * Append is going to wait: the scan's one descriptor is added to its set.  A
 * scan that has not begun because the session has no free slot adds none if
 * Append waits for another one, which will wake it, or has just got a row, so
 * that it does not wait.  Otherwise the first scan begins in any case: the
 * slots may be taken by a scan that does not go on before this Append does, of
 * an outer Append or another cursor.
 *
 * Scans that share an answer have one descriptor.  The first of them waits on
 * it; each checks here what has arrived while others were served.  If that is
 * a row, Append must not wait, and its latch is set; if it may be one for an
 * earlier scan, the descriptor is made readable.
 */
static void
sgipForeignAsyncConfigureWait(AsyncRequest *areq)
{
	const AppendState *append = (const AppendState *) areq->requestor;
	WaitEventSet *set = append->as_eventset;
	SgipScan   *scan = scan_of(areq);
	SgipClient *client;
	uint64		events;
	int			descriptor;

	Assert(areq->callback_pending);
	if (!sgip_scan_has_begun(scan))
	{
		if (follows_another(areq))
		{
			areq->callback_pending = false;
			return;
		}
		if (!sgip_http_has_room() &&
			(GetNumRegisteredWaitEvents(set) > 1 || append->as_nasyncresults > 0))
			return;
		sgip_scan_begin_now(scan);
		pass_on(areq);
	}
	client = sgip_scan_client(scan);
	events = client ? client->events : 0;
	if (sgip_scan_has_news(scan))
		look_at_news(areq);
	if (areq->request_complete)
	{
		SetLatch(MyLatch);
		return;
	}
	descriptor = sgip_client_wait_begin(client, client->events != events);
	if (is_waited_for(areq, client))
		return;
	AddWaitEventToSet(set, WL_SOCKET_READABLE, descriptor, NULL, areq);
	client->waiting_append = append;
	client->waiting_request = areq->request_index;
}

/* The descriptor was readable. */
static void
sgipForeignAsyncNotify(AsyncRequest *areq)
{
	SgipClient *client = sgip_scan_client(scan_of(areq));

	if (client != NULL)
		sgip_client_wait_end(client);
	sgipForeignAsyncRequest(areq);
}
