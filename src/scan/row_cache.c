/*-------------------------------------------------------------------------
 *
 * row_cache.c
 *		Rows that a scan keeps, so that nothing is asked for twice.
 *
 * The inner side of a join is started again for each outer row.  The rows of
 * the present searches are kept in a tuplestore, which spills to disk; when
 * the values change, those that are complete are set aside for when the same
 * values come again.  What is set aside is bounded, and goes by age of use.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "scan/row_cache.h"

/*
 * Most searches, and most rows in all, that are set aside.  A tuplestore
 * takes some 25 kB and a row some 100 bytes, so this is 3 MB at most, and
 * covers joins with as many different keys.  For more, there is Memoize.
 */
#define MAX_SET_ASIDE 64
#define MAX_ROWS_SET_ASIDE 10000

/* The rows of one set of searches */
typedef struct RowSet
{
	char	   *signature;
	Tuplestorestate *rows;
	int64		count;
	bool		complete;
} RowSet;

struct SgipRowCache
{
	MemoryContext context;
	RowSet	   *present;		/* NULL before the first searches */
	List	   *aside;			/* RowSets, the last used at the end */
	int64		rows_aside;
	TupleTableSlot *slot;		/* for what is read */
};

SgipRowCache *
sgip_row_cache_new(void)
{
	SgipRowCache   *kept = palloc0(sizeof(SgipRowCache));

	kept->context = CurrentMemoryContext;
	return kept;
}

/* Frees a set of rows; NULL is harmless. */
static void
free_set(RowSet *set)
{
	if (set == NULL)
		return;
	tuplestore_end(set->rows);
	pfree(set->signature);
	pfree(set);
}

/* Sets the present rows aside, or frees them if that is of no use. */
static void
put_aside(SgipRowCache *kept)
{
	RowSet	   *set = kept->present;

	kept->present = NULL;
	if (set == NULL || !set->complete || set->count > MAX_ROWS_SET_ASIDE)
	{
		free_set(set);
		return;
	}
	kept->aside = lappend(kept->aside, set);
	kept->rows_aside += set->count;
	while (list_length(kept->aside) > MAX_SET_ASIDE || kept->rows_aside > MAX_ROWS_SET_ASIDE)
	{
		RowSet	   *oldest = linitial(kept->aside);

		kept->aside = list_delete_first(kept->aside);
		kept->rows_aside -= oldest->count;
		free_set(oldest);
	}
}

/* Takes the rows with that signature from those set aside; NULL if there are none. */
static RowSet *
take_back(SgipRowCache *kept, const char *signature)
{
	ListCell   *lc;

	foreach(lc, kept->aside)
	{
		RowSet	   *set = lfirst(lc);

		if (strcmp(set->signature, signature) != 0)
			continue;
		kept->aside = list_delete_cell(kept->aside, lc);
		kept->rows_aside -= set->count;
		return set;
	}
	return NULL;
}

bool
sgip_row_cache_switch(SgipRowCache *kept, const char *signature)
{
	MemoryContext caller = MemoryContextSwitchTo(kept->context);
	RowSet	   *set;

	put_aside(kept);
	set = take_back(kept, signature);
	if (set == NULL)
	{
		set = palloc0(sizeof(RowSet));
		set->signature = pstrdup(signature);
		set->rows = tuplestore_begin_heap(true, false, work_mem);
		tuplestore_set_eflags(set->rows, EXEC_FLAG_REWIND);
	}
	kept->present = set;
	tuplestore_rescan(set->rows);
	MemoryContextSwitchTo(caller);
	return set->complete;
}

void
sgip_row_cache_add(SgipRowCache *kept, TupleTableSlot *slot)
{
	tuplestore_puttupleslot(kept->present->rows, slot);
	kept->present->count++;
}

void
sgip_row_cache_complete(SgipRowCache *kept)
{
	kept->present->complete = true;
}

void
sgip_row_cache_rewind(SgipRowCache *kept)
{
	tuplestore_rescan(kept->present->rows);
}

bool
sgip_row_cache_next(SgipRowCache *kept, TupleTableSlot *slot)
{
	int			natts = slot->tts_tupleDescriptor->natts;
	MemoryContext caller;
	bool		found;

	if (tuplestore_ateof(kept->present->rows))
		return false;

	/* a tuple read from a file belongs to the slot, which frees it at the next one */
	caller = MemoryContextSwitchTo(kept->context);
	if (kept->slot == NULL)
		kept->slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(slot->tts_tupleDescriptor),
											  &TTSOpsMinimalTuple);
	found = tuplestore_gettupleslot(kept->present->rows, true, false, kept->slot);
	MemoryContextSwitchTo(caller);
	if (!found)
		return false;
	slot_getallattrs(kept->slot);
	memcpy(slot->tts_values, kept->slot->tts_values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, kept->slot->tts_isnull, natts * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	return true;
}

void
sgip_row_cache_end(SgipRowCache *kept)
{
	ListCell   *lc;

	if (kept == NULL)
		return;
	if (kept->slot != NULL)
		ExecDropSingleTupleTableSlot(kept->slot);
	free_set(kept->present);
	foreach(lc, kept->aside)
		free_set(lfirst(lc));
	pfree(kept);
}
