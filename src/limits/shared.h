/*-------------------------------------------------------------------------
 *
 * shared.h
 *		Memory that the sessions of a server share: what accounts of the API
 *		were asked, and what is left of their limits.
 *
 * For the files beside it, and _PG_init.  It is a table of fixed size, in shared memory
 * where that is to be had: the server's own if the library is in
 * shared_preload_libraries, else a dynamic segment (PostgreSQL 17 and later).
 * Otherwise the session has a small one for itself, and nothing else differs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_SHARED_H
#define SGIP_SHARED_H

#include "datatype/timestamp.h"

#include "limits/account.h"

/* What an entry is about; compared byte by byte */
typedef struct SgipSharedKey
{
	SgipAccount account;
	Oid			database_id;
	uint32		unused;			/* 0 */
	uint64		path;			/* 0: the account; else its limit on that path */
} SgipSharedKey;

/* What an account was asked, and told */
typedef struct SgipAccountEntry
{
	SgipUsage	usage;
	TimestampTz since;			/* when the counting began */
	bool		answered;		/* an answer came that told of no limit */
	bool		told;			/* one told: the rest says what */
	int64		limit;
	int64		remaining;
	TimestampTz ends_at;
} SgipAccountEntry;

/* A window of a limit on a path; see limits.c */
typedef struct SgipWindow
{
	uint32		number;			/* grows with each window */
	int64		limit;			/* requests in each window */
	int64		remaining;		/* that may still be sent in this one */
	int64		told_end;		/* as the server tells it, in seconds of its
								 * clock */
	TimestampTz ends_at;		/* the same by our clock; 0: it is new, and
								 * not told yet */
	TimestampTz probe_until;	/* so long the answer to a probe is waited for */
	uint32		pending;		/* requests without answer yet */
	uint32		answered;		/* requests with */
	bool		crowded;		/* more was wanted than there was */
	bool		guessed;		/* what remains was not told, nor follows from
								 * it */
} SgipWindow;

typedef struct SgipEntry
{
	SgipSharedKey key;			/* no server: free */
	TimestampTz used_at;
	bool		awaited;		/* sessions want to know when it changes */
	union
	{
		SgipAccountEntry account;
		SgipWindow	window;
	}			u;
} SgipEntry;

/* Asks for shared memory if that is the time for it; from _PG_init */
extern void sgip_shared_init(void);

/* The key of an account of this database, or of a path of it */
extern SgipSharedKey sgip_shared_key(SgipAccount account, uint64 path);

/* Between these two nothing may throw, and entries stay where they are */
extern void sgip_shared_lock(void);
extern void sgip_shared_unlock(void);

/*
 * The entry of a key, or NULL.  If it has to be made it is all zero, and
 * another that is not needed may be gone.
 */
extern SgipEntry *sgip_shared_find(const SgipSharedKey *key, bool make, TimestampTz now);

/* Is that what the entry is about?  Harmless without the lock, but a guess then */
extern bool sgip_shared_is(const SgipEntry *entry, const SgipSharedKey *key);

/* Makes an entry free */
extern void sgip_shared_forget(SgipEntry *entry);

/* All entries, free ones among them: those after this one (NULL: from the first) */
extern SgipEntry *sgip_shared_next(SgipEntry *entry);

/*
 * A session that awaits an entry finds its latch set when sgip_shared_wake
 * was called for that entry, or perhaps another.  Until then (and only until
 * then) sgip_shared_awaits is true, which needs no lock.
 */
extern void sgip_shared_await(SgipEntry *entry);
extern bool sgip_shared_awaits(uint64 path);
extern void sgip_shared_wake(SgipEntry *entry);

#endif							/* SGIP_SHARED_H */
