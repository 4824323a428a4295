/*-------------------------------------------------------------------------
 *
 * shared.h
 *		Memory that the sessions of a server share: what accounts of the API
 *		were asked, and what is left of their limits.
 *
 * For the files of this folder, and _PG_init.  It is a table of fixed
 * size, in shared memory where possible: the main segment if the library
 * is in shared_preload_libraries, else a dynamic one (PostgreSQL 17 and
 * later).  Otherwise each session has a small table of its own; nothing
 * else differs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_SHARED_H
#define SGIP_SHARED_H

#include "limits/account.h"

/* What an entry is about; compared byte by byte */
typedef struct SgipSharedKey
{
	SgipAccount account;
	Oid			database_id;
	uint32		unused;			/* 0 */
	uint64		path;			/* 0: the account; else its limit on that path */
} SgipSharedKey;

/* A window of a limit on a path; see limits.c */
typedef struct SgipWindow
{
	uint32		number;			/* grows with each window */
	int64		limit;			/* requests in each window */
	int64		remaining;		/* that may still be sent in this one */
	int64		server_end;		/* as the server reports it, in seconds of its
								 * clock */
	TimestampTz ends_at;		/* the same by our clock; 0: a new window, not
								 * reported yet */
	TimestampTz probe_until;	/* until when the answer to a probe is waited
								 * for */
	uint32		pending;		/* requests in flight */
	uint32		answered;		/* requests answered */
	bool		contended;		/* more was wanted than there was */
	bool		guessed;		/* "remaining" neither comes nor follows from
								 * an answer */
} SgipWindow;

typedef struct SgipEntry
{
	SgipSharedKey key;			/* no server: free */
	TimestampTz used_at;
	bool		awaited;		/* sessions wait for a change of it */
	union
	{
		SgipAccountEntry account;
		SgipWindow	window;
	}			u;
} SgipEntry;

/* Requests shared memory if the library is being preloaded; called by _PG_init */
extern void sgip_shared_init(void);

/*
 * Locks and unlocks the table, as an error does.  In between nothing may wait,
 * and entries stay where they are.
 */
extern void sgip_shared_lock(void);
extern void sgip_shared_unlock(void);

/*
 * The entry of an account of this database (path 0), or of a path of it; NULL
 * if there is none and "make" is false.  A new one is all zero, but for the
 * time since when an account is counted; it may replace another that is needed
 * less.  Under the lock.
 */
extern SgipEntry *sgip_shared_find(SgipAccount account, uint64 path, bool make);

/* Wakes the sessions that await an entry, and frees it.  Under the lock */
extern void sgip_shared_forget(SgipEntry *entry);

/*
 * Iterates over all entries, free ones included: the one after this (NULL:
 * the first); NULL at the end.  Under the lock
 */
extern SgipEntry *sgip_shared_next(SgipEntry *entry);

/*
 * A session that called sgip_shared_await for an entry finds its latch set
 * once sgip_shared_wake was called for that entry, or perhaps another.  Until
 * then, and only then, sgip_shared_awaits is true; it needs no lock, the
 * other two do.
 */
extern void sgip_shared_await(SgipEntry *entry);
extern bool sgip_shared_awaits(uint64 path);
extern void sgip_shared_wake(SgipEntry *entry);

#endif							/* SGIP_SHARED_H */
