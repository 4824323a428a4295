/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Differences between the PostgreSQL versions we build against.
 *
 * The only file that mentions PG_VERSION_NUM.  Everything else is written
 * for the newest version and calls what is defined here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_COMPAT_H
#define SGIP_COMPAT_H

#if PG_VERSION_NUM >= 170000
#include "utils/wait_event.h"
#else
#include "pgstat.h"
#endif

/*
 * A function that does not return; PostgreSQL's own macro goes behind the
 * declaration until 17 and before it since 18.
 */
#define SGIP_NORETURN __attribute__((noreturn))

/*
 * Identifier of one of our wait events.  Extensions can name theirs since 17;
 * before that all are "Extension".  Naming one takes shared memory, so call
 * this in a backend only.
 */
#if PG_VERSION_NUM >= 170000
#define sgip_wait_event_new(name)	WaitEventExtensionNew(name)
#else
#define sgip_wait_event_new(name)	PG_WAIT_EXTENSION
#endif

/*
 * A set of wait events that lasts as long as the session.  It belongs to a
 * memory context until 16, to a resource owner or to none since 17.
 */
#if PG_VERSION_NUM >= 170000
#define sgip_create_wait_event_set(n)	CreateWaitEventSet(NULL, n)
#else
#define sgip_create_wait_event_set(n)	CreateWaitEventSet(TopMemoryContext, n)
#endif

/*
 * Shared memory without a restart: a segment that the first backend to ask
 * for its name creates, and "init" fills; NULL before 17.  Write the
 * arguments of init as (void *memory SGIP_SEGMENT_ARGUMENT).
 */
#if PG_VERSION_NUM >= 190000
#include "storage/dsm_registry.h"
#define SGIP_SEGMENT_ARGUMENT	,void *unused
#define sgip_named_segment(name, size, init) GetNamedDSMSegment(name, size, init, &(bool) {false}, NULL)
#elif PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
#define SGIP_SEGMENT_ARGUMENT
#define sgip_named_segment(name, size, init) GetNamedDSMSegment(name, size, init, &(bool) {false})
#else
#define SGIP_SEGMENT_ARGUMENT
#define sgip_named_segment(name, size, init) ((void) (name), (void) (size), (void) (init), NULL)
#endif

/* A tranche of LWLocks; its name is known to all sessions since 19 */
#if PG_VERSION_NUM >= 190000
#define sgip_new_tranche(name)	LWLockNewTrancheId(name)
#define sgip_register_tranche(tranche, name) ((void) 0)
#else
#define sgip_new_tranche(name)	LWLockNewTrancheId()
#define sgip_register_tranche(tranche, name) LWLockRegisterTranche(tranche, name)
#endif

/* The number of this session, below MaxBackends */
#if PG_VERSION_NUM >= 170000
#define sgip_session_number()	MyProcNumber
#else
#define sgip_session_number()	(MyProc->pgprocno)
#endif

/* May the role use that server? */
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_foreign_server.h"
#define sgip_may_use_server(server_id, role) \
	(object_aclcheck(ForeignServerRelationId, server_id, role, ACL_USAGE) == ACLCHECK_OK)
#else
#define sgip_may_use_server(server_id, role) \
	(pg_foreign_server_aclcheck(server_id, role, ACL_USAGE) == ACLCHECK_OK)
#endif

/* Macros about varlena values have a header of their own since 16 */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/*
 * EXPLAIN's functions moved to headers of their own in 18.
 */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#else
#include "commands/explain.h"
#endif

/*
 * The user whose mapping a running scan uses: the one that PostgreSQL checks
 * permissions for.  The plan carries it since 16, the range table before.
 */
#if PG_VERSION_NUM >= 160000
#define sgip_scan_user(node) \
	(OidIsValid(((ForeignScan *) (node)->ss.ps.plan)->checkAsUser) ? \
	 ((ForeignScan *) (node)->ss.ps.plan)->checkAsUser : GetUserId())
#else
#define sgip_scan_user(node) \
	(OidIsValid(exec_rt_fetch(((Scan *) (node)->ss.ps.plan)->scanrelid, (node)->ss.ps.state)->checkAsUser) ? \
	 exec_rt_fetch(((Scan *) (node)->ss.ps.plan)->scanrelid, (node)->ss.ps.state)->checkAsUser : GetUserId())
#endif

/*
 * create_foreignscan_path without what we never use (target, disabled nodes,
 * pathkeys, outer path).
 */
#if PG_VERSION_NUM >= 180000
#define sgip_create_foreignscan_path(root, rel, rows, startup, total, outer) \
	create_foreignscan_path(root, rel, NULL, rows, 0, startup, total, NIL, outer, NULL, NIL, NIL)
#elif PG_VERSION_NUM >= 170000
#define sgip_create_foreignscan_path(root, rel, rows, startup, total, outer) \
	create_foreignscan_path(root, rel, NULL, rows, startup, total, NIL, outer, NULL, NIL, NIL)
#else
#define sgip_create_foreignscan_path(root, rel, rows, startup, total, outer) \
	create_foreignscan_path(root, rel, NULL, rows, startup, total, NIL, outer, NULL, NIL)
#endif

/* Expected number of elements of an array expression; takes root since 17 */
#if PG_VERSION_NUM >= 170000
#define sgip_estimate_array_length(root, expr) estimate_array_length(root, expr)
#else
#define sgip_estimate_array_length(root, expr) ((double) estimate_array_length(expr))
#endif

/* A virtual generated column (since 18): PostgreSQL computes it, so it is never requested */
#ifdef ATTRIBUTE_GENERATED_VIRTUAL
#define sgip_is_virtual(attr)		((attr)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define sgip_is_virtual(attr)		false
#endif

/* Type of a syscache callback's cache identifier; an enum since 19 */
#if PG_VERSION_NUM >= 190000
#include "utils/syscache.h"
typedef SysCacheIdentifier SgipCacheId;
#else
typedef int SgipCacheId;
#endif

/* Since 19 a hand-made tuple descriptor must be finalized before it is used */
#if PG_VERSION_NUM < 190000
#define TupleDescFinalize(desc)		((void) 0)
#endif

#endif							/* SGIP_COMPAT_H */
