/*-------------------------------------------------------------------------
 *
 * sgip_fdw.c
 *		Foreign-data wrapper for SendGrid's IP management.
 *
 * Foreign tables are tasks of the remote API; see task.c for which there
 * are.  This file holds the module's entry points and the executor's
 * callbacks in the order in which they run.  The planner's are in plan.c.
 *
 * Portions of a scan, from outside to inside: sgip_fdw.c is called by the
 * executor; scan.c makes tuples and replays them; search.c decides what is
 * asked for; fetch.c drives the requests; request.c spells them; transfer.c
 * transfers bytes; json.c finds the elements in them; decode.c and tuple.c
 * make values of these.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/execAsync.h"
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
#include "scan/scan.h"

PG_MODULE_MAGIC;

/* sgip_fdw.enable_pushdown: off sends no condition except search columns */
bool		sgip_enable_pushdown = true;

/* ForeignScanState.fdw_state */
typedef struct SgipScanState
{
	SgipScan   *scan;
	bool		async;			/* runs under an asynchronous Append */
	bool		at_end;			/* the last row has been handed out */
} SgipScanState;

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

/* Helper functions */
static SgipScan *scan_of(const AsyncRequest *areq);
static void produce_async(AsyncRequest *areq);

/* Module load: settings and callbacks of this backend. */
void
_PG_init(void)
{
	DefineCustomBoolVariable("sgip_fdw.enable_pushdown",
							 "Sends conditions of queries to the API.",
							 "Off, only conditions on search columns are sent; results are the same.",
							 &sgip_enable_pushdown,
							 true, PGC_USERSET, 0, NULL, NULL, NULL);
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

/* Own version, libcurl's with its TLS library, jansson's. */
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
	SgipScanState *state;
	EState	   *estate = node->ss.ps.state;
	SgipScanOrder order = {0};
	ListCell   *lc;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	/*
	 * A nested loop's inner side; a scan whose values come from outside; and a
	 * part of a subplan (they are initialized one after another, before the
	 * main plan), which can be started again for values used above the scan.
	 */
	order.keep_rows = (eflags & EXEC_FLAG_REWIND) || !bms_is_empty(plan->scan.plan.extParam) ||
		list_length(estate->es_subplanstates) < list_length(estate->es_plannedstmt->subplans);
	foreach(lc, (List *) list_nth(plan->fdw_private, SGIP_PLAN_COLUMNS))
		order.columns = bms_add_member(order.columns, lfirst_int(lc));
	order.clauses = sgip_clause_from_plan(list_nth(plan->fdw_private, SGIP_PLAN_CLAUSES),
										  ExecInitExprList(plan->fdw_exprs, (PlanState *) node));
	order.econtext = node->ss.ps.ps_ExprContext;
	order.max_searches = intVal(list_nth(plan->fdw_private, SGIP_PLAN_MAX_SEARCHES));
	order.rows = intVal(list_nth(plan->fdw_private, SGIP_PLAN_ROWS));
	order.async = node->ss.ps.async_capable;

	state = palloc0(sizeof(SgipScanState));
	state->async = order.async;
	state->scan = sgip_scan_begin(node->ss.ss_currentRelation, sgip_scan_user(node), &order);
	node->fdw_state = state;
}

/*
 * The next row.  Under an asynchronous Append an empty slot also says that
 * there is none yet; at_end tells the two apart.
 */
static TupleTableSlot *
sgipIterateForeignScan(ForeignScanState *node)
{
	SgipScanState *state = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	for (;;)
	{
		switch (sgip_scan_next(state->scan, slot))
		{
			case SGIP_SCAN_ROW:
				return slot;
			case SGIP_SCAN_END:
				state->at_end = true;
				return slot;
			case SGIP_SCAN_WAIT:
				if (state->async)
					return slot;
				sgip_scan_wait(state->scan);
				break;
		}
	}
}

/* Starts again, perhaps with other values of parameters. */
static void
sgipReScanForeignScan(ForeignScanState *node)
{
	SgipScanState *state = node->fdw_state;

	if (state == NULL)
		return;
	state->at_end = false;
	sgip_scan_restart(state->scan, node->ss.ps.chgParam != NULL);
}

/* Ends the scan.  After an error the scan's memory context does it. */
static void
sgipEndForeignScan(ForeignScanState *node)
{
	SgipScanState *state = node->fdw_state;

	if (state != NULL)
		sgip_scan_end(state->scan);
	node->fdw_state = NULL;
}

/* The request, and what was counted. */
static void
sgipExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	SgipScanState *state = node->fdw_state;
	const SgipFetchCounters *counters;

	sgip_explain_plan(node, es);
	if (!es->analyze || state == NULL)
		return;
	counters = sgip_scan_counters(state->scan);
	ExplainPropertyInteger("Requests", NULL, counters->requests, es);
	ExplainPropertyInteger("Rows Received", NULL, counters->rows, es);
	ExplainPropertyInteger("Bytes Received", NULL, counters->bytes, es);
	ExplainPropertyInteger("Retries", NULL, counters->retries, es);
	ExplainPropertyInteger("Connections Opened", NULL, counters->connections, es);
	if (es->timing && (counters->limited_ms > 0 || es->format != EXPLAIN_FORMAT_TEXT))
		ExplainPropertyFloat("Waited For Limit", "ms", counters->limited_ms, 0, es);
}

/* ----------------------------------------------------------------
 *		Asynchronous execution (nodeAppend.c, execAsync.c)
 * ----------------------------------------------------------------
 */

/* Append wants a row: answers now, or says that one is pending. */
static void
sgipForeignAsyncRequest(AsyncRequest *areq)
{
	produce_async(areq);
}

/* The scan of a request. */
static SgipScan *
scan_of(const AsyncRequest *areq)
{
	return ((SgipScanState *) ((ForeignScanState *) areq->requestee)->fdw_state)->scan;
}

/*
 * Append is going to wait: the one descriptor of the scan is added to its set.
 * A scan that has not begun since the session has no free slot adds none, if
 * another one of this Append is waited for, which will wake it.  The first one
 * begins in any case: what holds the slots may belong to a scan that does not
 * go on before this Append does, an Append around it or another cursor.
 */
static void
sgipForeignAsyncConfigureWait(AsyncRequest *areq)
{
	WaitEventSet *set = ((AppendState *) areq->requestor)->as_eventset;
	SgipScan   *scan = scan_of(areq);

	Assert(areq->callback_pending);
	if (!sgip_scan_may_begin(scan) && GetNumRegisteredWaitEvents(set) > 1)
		return;
	AddWaitEventToSet(set, WL_SOCKET_READABLE, sgip_scan_wait_begin(scan), NULL, areq);
}

/* The descriptor was readable. */
static void
sgipForeignAsyncNotify(AsyncRequest *areq)
{
	sgip_scan_wait_end(scan_of(areq));
	produce_async(areq);
}

/* Answers with the next row, the end, or "not yet". */
static void
produce_async(AsyncRequest *areq)
{
	ForeignScanState *node = (ForeignScanState *) areq->requestee;
	SgipScanState *state = node->fdw_state;
	TupleTableSlot *slot;

	/* applies the conditions and projects, as a synchronous call would */
	slot = areq->requestee->ExecProcNodeReal(areq->requestee);
	if (!TupIsNull(slot) || state->at_end)
		ExecAsyncRequestDone(areq, TupIsNull(slot) ? NULL : slot);
	else
		ExecAsyncRequestPending(areq);
}
