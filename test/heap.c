/*-------------------------------------------------------------------------
 *
 * heap.c
 *		A function for tests that look for leaks: what malloc has handed out.
 *
 * Exact, unlike the process's size: it counts bytes in use, whatever malloc
 * keeps for the next time.  test/backend.py compiles it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <malloc.h>

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(heap_bytes);

/* Bytes in use of the heap and of blocks with a mapping of their own. */
Datum
heap_bytes(PG_FUNCTION_ARGS)
{
	struct mallinfo2 info = mallinfo2();

	PG_RETURN_INT64((int64) (info.uordblks + info.hblkhd));
}
