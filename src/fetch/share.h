/*-------------------------------------------------------------------------
 *
 * share.h
 *		One question, one listing: which scans read which answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_SHARE_H
#define SGIP_SHARE_H

#include "nodes/execnodes.h"

#include "catalog/table.h"
#include "fetch/answer.h"

typedef struct SgipRegistry SgipRegistry;

/* A statement, that is, a run of the executor */
typedef struct SgipStatement
{
	dlist_node	node;			/* in those of this backend */
	const EState *estate;
	SubTransactionId subid;		/* with whose rollback it ends */
	MemoryContextCallback cleanup;
	struct entries_hash *wanted;	/* listings, and how many scans may read
									 * each */
	int			scans;			/* that have not ended */
	SgipRegistry *registry;		/* answers that its scans share, or NULL */

	/* for the makers of its scans */
	bool		planned;		/* the next one is known */
	Bitmapset  *restarted;		/* plan_node_ids of scans that can be started
								 * again */
} SgipStatement;

/* A scan as a participant in sharing */
typedef struct SgipShare SgipShare;

/* Reads one listing, alone or with others */
typedef struct SgipReader SgipReader;

/* The statement of a running executor; known from now on until that ends */
extern SgipStatement *sgip_share_statement(EState *estate);

/*
 * A scan begins, which may read listings of that table's task.  The share is
 * in the current context, whose end leaves it after an error;
 * sgip_share_leave leaves it otherwise.  statement: NULL shares with no other
 * scan.  keep: the scan can be started again.  What is done for it is added to
 * *counters.  Nothing is decided before sgip_share_start.
 */
extern SgipShare *sgip_share_join(SgipStatement *statement, const SgipTable *table, Oid user_id,
								  bool keep, SgipFetchCounters *counters);
extern void sgip_share_leave(SgipShare *share);

/* The scan has turned out to be started again */
extern void sgip_share_keep(SgipShare *share);

/*
 * The first row is asked for, so that all scans of the statement are known.
 * Returns whether the whole listing of the task is being read already, so that
 * searches would only be more requests.
 */
extern bool sgip_share_start(SgipShare *share);

/* The client that reads for the scan, set up to work for it; NULL before sgip_share_start */
extern SgipClient *sgip_share_client(SgipShare *share);

/*
 * Begins to read a listing: for the arguments see sgip_answer_begin.  Several
 * may be open.  again: it will be read more than once.  It is closed before
 * the share is left.
 */
extern SgipReader *sgip_reader_open(SgipShare *share, const SgipTask *task,
									const SgipArguments *arguments, int rows, bool again);

/* As sgip_answer_next, sgip_answer_send and sgip_answer_error_context */
extern SgipAnswerResult sgip_reader_next(SgipReader *reader, const SgipElement **element);
extern bool sgip_reader_send(SgipReader *reader, bool ahead);
extern SgipErrorContext *sgip_reader_error_context(const SgipReader *reader);

/*
 * Ends reading.  A listing that has to hold until the transaction ends is read
 * to its end first if no other scan reads it, which may wait and fail.  Neither
 * happens to a scan of a cursor that would survive the failure.
 */
extern void sgip_reader_close(SgipReader *reader);

/* Defines the GUC and registers callbacks; called by _PG_init */
extern void sgip_share_init(void);

#endif							/* SGIP_SHARE_H */
