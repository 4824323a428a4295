/*-------------------------------------------------------------------------
 *
 * analyze.c
 *		Samples the rows of a foreign table for ANALYZE.
 *
 * One pass over all rows, with Vitter's algorithm as PostgreSQL has it: the
 * memory needed is that of the sample, however many rows there are.  Every
 * table can be read without a condition, so every table can be analyzed
 * (the option "analyzable" leaves one out).  Search columns get the statistics
 * of what they hold then; what a search by them finds is estimated without
 * these (relation.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/vacuum.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"

#include "scan/analyze.h"
#include "scan/scan.h"

/*
 * Bytes of a row for the relation size that ANALYZE is given, which only has
 * to be above zero: an address, a name and a tuple header.
 */
#define ROW_BYTES 64

/* Where the next row of the sample goes; -1: this row is not in the sample. */
static int
choose_position(ReservoirState state, int target, int have, double seen, double *skip)
{
	if (have < target)
		return have;
	if (*skip < 0)
		*skip = reservoir_get_next_S(state, seen, target);
	if (*skip > 0)
	{
		*skip -= 1;
		return -1;
	}
	*skip = -1;
	return (int) (target * sampler_random_fract(&state->randstate));
}

/* Callback of ANALYZE: up to targrows rows at random, in one pass. */
static int
acquire_sample(Relation relation, int elevel, HeapTuple *rows, int targrows,
			   double *totalrows, double *totaldeadrows)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsVirtual);
	SgipScanOrder order = {
		.columns = bms_add_range(NULL, 1, RelationGetNumberOfAttributes(relation)),
		.max_searches = 1
	};
	SgipScan   *scan = sgip_scan_begin(relation, GetUserId(), &order);
	ReservoirStateData state;
	double		skip = -1;
	double		seen = 0;
	int			have = 0;
	SgipFetchResult result;

	reservoir_init_selection_state(&state, targrows);
	while ((result = sgip_scan_next(scan, slot)) != SGIP_FETCH_END)
	{
		int			place;

		if (result == SGIP_FETCH_WAIT)
		{
			sgip_scan_wait(scan);
			continue;
		}
		CHECK_FOR_INTERRUPTS();
		place = choose_position(&state, targrows, have, seen, &skip);
		seen += 1;
		if (place < 0)
			continue;
		if (place < have)
			heap_freetuple(rows[place]);
		else
			have++;
		rows[place] = ExecCopySlotHeapTuple(slot);
	}
	sgip_scan_end(scan);
	ExecDropSingleTupleTableSlot(slot);

	*totalrows = seen;
	*totaldeadrows = 0;
	ereport(elevel,
			(errmsg("\"%s\": foreign table contains %.0f rows; %d rows in sample",
					RelationGetRelationName(relation), seen, have)));
	return have;
}

/*
 * Allows ANALYZE of a foreign table unless an option excludes it: an ANALYZE
 * of everything reads the foreign partitions of all accounts, and ends at the
 * first one that fails.  The number of pages is not known before the rows are
 * read; one is enough for ANALYZE to trust the number of rows.
 */
bool
sgipAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *func,
						BlockNumber *totalpages)
{
	double		rows = Max(relation->rd_rel->reltuples, 0);

	if (!sgip_table_describe(RelationGetRelid(relation))->server->analyzable)
		return false;
	*func = acquire_sample;
	*totalpages = (BlockNumber) (1 + rows * ROW_BYTES / BLCKSZ);
	return true;
}
