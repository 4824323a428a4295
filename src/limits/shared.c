/*-------------------------------------------------------------------------
 *
 * shared.c
 *		Memory that the sessions of a server share.
 *
 * The table consists of small sets.  A key belongs to one of them and may
 * be anywhere in it: a look-up reads a handful of entries, nothing needs
 * cleaning up, and in a full set the entry used least recently is
 * replaced.  Losing an entry only loses what was known.
 *
 * One lock is enough: it is taken a few times for each request, for less than
 * a microsecond.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "limits/shared.h"

/* Entries of a set: more would be looked at for each key, fewer collide early */
#define SET_SIZE 8

/*
 * Sets of the table.  An account has an entry, and one for each path that is
 * asked: 16,384 entries are enough for some thousand accounts, in 2.2 MB.
 * A session alone seldom sees more than a few accounts.
 */
#define SHARED_SETS 2048
#define LOCAL_SETS 16

/* Layout of the memory: this struct with its sets, then an array of one word for each session */
typedef struct SgipShared
{
	LWLock		lock;
	int			tranche;		/* 0: the memory is this session's own */
	uint32		set_count;
	uint32		session_count;
	SgipEntry	entries[FLEXIBLE_ARRAY_MEMBER];
} SgipShared;

static SgipShared *shared = NULL;

/*
 * For each session the entries that it awaits: a bit for those whose path has
 * that number modulo 64.  Changed under the lock.
 */
static pg_atomic_uint64 *awaiting = NULL;

static shmem_request_hook_type next_shmem_request = NULL;
static shmem_startup_hook_type next_shmem_startup = NULL;

/* ----------------------------------------------------------------
 *		The memory
 * ----------------------------------------------------------------
 */

/* Bytes of that many sets, and what is before them. */
static Size
sets_size(uint32 sets)
{
	return MAXALIGN(offsetof(SgipShared, entries) + (Size) sets * SET_SIZE * sizeof(SgipEntry));
}

/* Bytes of a table with that many sets and sessions. */
static Size
table_size(uint32 sets, uint32 sessions)
{
	return sets_size(sets) + sessions * sizeof(pg_atomic_uint64);
}

/* The sessions' words, behind the sets. */
static pg_atomic_uint64 *
sessions_of(SgipShared *table)
{
	return (pg_atomic_uint64 *) ((char *) table + sets_size(table->set_count));
}

/* An empty table. */
static void
init_table(SgipShared *table, uint32 sets, uint32 sessions)
{
	memset(table, 0, table_size(sets, sessions));
	table->set_count = sets;
	table->session_count = sessions;
	for (uint32 i = 0; i < sessions; i++)
		pg_atomic_init_u64(&sessions_of(table)[i], 0);
}

/* An empty table in shared memory, with its lock. */
static void
init_shared_table(void *memory)
{
	SgipShared *table = memory;

	init_table(table, SHARED_SETS, MaxBackends);
	table->tranche = sgip_new_tranche("SgipLimits");
	LWLockInitialize(&table->lock, table->tranche);
}

/* shmem_request_hook */
static void
request_memory(void)
{
	if (next_shmem_request)
		next_shmem_request();
	RequestAddinShmemSpace(table_size(SHARED_SETS, MaxBackends));
}

/* shmem_startup_hook */
static void
startup_memory(void)
{
	bool		found;

	if (next_shmem_startup)
		next_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("sgip_fdw", table_size(SHARED_SETS, MaxBackends), &found);
	if (!found)
		init_shared_table(shared);
	LWLockRelease(AddinShmemInitLock);
}

void
sgip_shared_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	next_shmem_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	next_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = startup_memory;
}

/* Initializes a dynamic segment. */
static void
init_segment(void *memory SGIP_SEGMENT_ARGUMENT)
{
	init_shared_table(memory);
}

/*
 * Attaches to the memory, once in a session.  The segment's name includes
 * version and size, since after an update of the library sessions with the
 * old and the new layout can coexist for a while.
 */
static void
attach(void)
{
	Size		size = table_size(SHARED_SETS, MaxBackends);

	if (shared == NULL && IsUnderPostmaster)
		shared = sgip_named_segment(psprintf("sgip_fdw %s %zu", SGIP_VERSION, size), size, init_segment);
	if (shared == NULL)
	{
		shared = MemoryContextAlloc(TopMemoryContext, table_size(LOCAL_SETS, 1));
		init_table(shared, LOCAL_SETS, 1);
	}
	if (shared->tranche != 0)
		sgip_register_tranche(shared->tranche, "SgipLimits");
	awaiting = &sessions_of(shared)[shared->tranche != 0 ? sgip_session_number() : 0];
	/* clear what an earlier session of the same number left there */
	pg_atomic_write_u64(awaiting, 0);
}

void
sgip_shared_lock(void)
{
	if (awaiting == NULL)
		attach();
	if (shared->tranche != 0)
		LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
}

void
sgip_shared_unlock(void)
{
	if (shared->tranche != 0)
		LWLockRelease(&shared->lock);
}

/* ----------------------------------------------------------------
 *		Entries
 * ----------------------------------------------------------------
 */

/* How much an entry is needed: 0 if it is free, 1 if it is of a window that is over, else 2. */
static int
need_of(const SgipEntry *entry, TimestampTz now)
{
	const SgipWindow *window = &entry->u.window;

	if (!OidIsValid(entry->key.account.server_id))
		return 0;
	return entry->key.path != 0 && window->ends_at != 0 && window->ends_at < now ? 1 : 2;
}

/* Is one entry needed less than the other, or as much and used less recently? */
static bool
is_needed_less(const SgipEntry *one, const SgipEntry *other, TimestampTz now)
{
	int			difference = need_of(one, now) - need_of(other, now);

	return difference != 0 ? difference < 0 : one->used_at < other->used_at;
}

SgipEntry *
sgip_shared_find(SgipAccount account, uint64 path, bool make)
{
	SgipSharedKey key = {.account = account, .database_id = MyDatabaseId, .path = path};
	uint64		hash = hash_bytes_extended((const unsigned char *) &key, sizeof(key), 0);
	SgipEntry  *set = &shared->entries[(hash % shared->set_count) * SET_SIZE];
	SgipEntry  *victim = set;
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < SET_SIZE; i++)
	{
		if (memcmp(&set[i].key, &key, sizeof(key)) == 0)
		{
			set[i].used_at = now;
			return &set[i];
		}
		if (is_needed_less(&set[i], victim, now))
			victim = &set[i];
	}
	if (!make)
		return NULL;
	sgip_shared_forget(victim);
	victim->key = key;
	victim->used_at = now;
	if (path == 0)
		victim->u.account.since = now;
	return victim;
}

void
sgip_shared_forget(SgipEntry *entry)
{
	sgip_shared_wake(entry);
	memset(entry, 0, sizeof(*entry));
}

SgipEntry *
sgip_shared_next(SgipEntry *entry)
{
	entry = entry ? entry + 1 : shared->entries;
	return entry < &shared->entries[shared->set_count * SET_SIZE] ? entry : NULL;
}

/* ----------------------------------------------------------------
 *		Waiting for changes
 * ----------------------------------------------------------------
 */

void
sgip_shared_await(SgipEntry *entry)
{
	entry->awaited = true;
	pg_atomic_fetch_or_u64(awaiting, UINT64CONST(1) << (entry->key.path % 64));
}

bool
sgip_shared_awaits(uint64 path)
{
	return (pg_atomic_read_u64(awaiting) & (UINT64CONST(1) << (path % 64))) != 0;
}

void
sgip_shared_wake(SgipEntry *entry)
{
	uint64		bit = UINT64CONST(1) << (entry->key.path % 64);

	if (!entry->awaited)
		return;
	entry->awaited = false;
	for (uint32 i = 0; i < shared->session_count; i++)
	{
		pg_atomic_uint64 *session = &sessions_of(shared)[i];

		if ((pg_atomic_read_u64(session) & bit) == 0)
			continue;
		pg_atomic_fetch_and_u64(session, ~bit);
		SetLatch(shared->tranche != 0 ? &GetPGProcByNumber(i)->procLatch : MyLatch);
	}
}
