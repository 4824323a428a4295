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

/*
 * A function that does not return; PostgreSQL's own macro goes behind the
 * declaration until 17 and before it since 18.
 */
#define SGIP_NORETURN __attribute__((noreturn))

/*
 * What became otherwise with 17:
 *
 * Extensions can name their wait events; before that all are "Extension".
 * Naming one takes shared memory, so call sgip_wait_event_new in a backend
 * only.  A set of wait events that lasts as long as the session belongs to no
 * resource owner, instead of to a memory context.  The number of this session,
 * below MaxBackends, is a variable.  The expected number of elements of an
 * array expression takes root.
 */
#if PG_VERSION_NUM >= 170000
#include "utils/wait_event.h"
#define sgip_wait_event_new(name)	WaitEventExtensionNew(name)
#define sgip_create_wait_event_set(n)	CreateWaitEventSet(NULL, n)
#define sgip_session_number()	MyProcNumber
#define sgip_estimate_array_length(root, expr) estimate_array_length(root, expr)
#else
#include "pgstat.h"
#define sgip_wait_event_new(name)	PG_WAIT_EXTENSION
#define sgip_create_wait_event_set(n)	CreateWaitEventSet(TopMemoryContext, n)
#define sgip_session_number()	(MyProc->pgprocno)
#define sgip_estimate_array_length(root, expr) ((double) estimate_array_length(expr))
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

/*
 * What became otherwise with 16: the question whether a role may use a server;
 * macros about varlena values have a header of their own; the user that
 * permissions are checked for, InvalidOid for the current one, is in the plan
 * of a scan, and before in the range table.
 */
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_foreign_server.h"
#include "varatt.h"
#define sgip_may_use_server(server_id, role) \
	(object_aclcheck(ForeignServerRelationId, server_id, role, ACL_USAGE) == ACLCHECK_OK)
#define sgip_check_as_user(node)	(((ForeignScan *) (node)->ss.ps.plan)->checkAsUser)
#else
#define sgip_may_use_server(server_id, role) \
	(pg_foreign_server_aclcheck(server_id, role, ACL_USAGE) == ACLCHECK_OK)
#define sgip_check_as_user(node) \
	(exec_rt_fetch(((Scan *) (node)->ss.ps.plan)->scanrelid, (node)->ss.ps.state)->checkAsUser)
#endif

/* The user whose mapping a running scan uses */
#define sgip_scan_user(node) \
	(OidIsValid(sgip_check_as_user(node)) ? sgip_check_as_user(node) : GetUserId())

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

#endif							/* SGIP_COMPAT_H */
