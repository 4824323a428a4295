/*-------------------------------------------------------------------------
 *
 * lease.h
 *		Connections to one peer, which a scan leases; the clock.
 *
 * The files of this folder share the struct.  Each has a header of its own
 * and calls only those before it:
 *
 * sockets.c		descriptors
 * transfer.c		one request and what came of it
 * event_loop.c		driving and waiting
 * pool.c			leases, from acquiring to closing; requests on them
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_LEASE_H
#define SGIP_LEASE_H

#include <time.h>

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "http/http.h"
#include "http/libcurl.h"

/*
 * Connections that libcurl keeps: as many as may be in flight, or it would
 * close those whose transfer ends while so many others run.  That is the
 * largest value of the option max_concurrency.
 */
#define SGIP_MAX_CONNECTIONS 64

/*
 * Sockets of a lease.  libcurl opens two for a connection where the host has
 * addresses of two families, until one of them stands.
 */
#define SGIP_MAX_SOCKETS (2 * SGIP_MAX_CONNECTIONS)

/* A millisecond, for times in nanoseconds */
#define SGIP_NS_PER_MS INT64CONST(1000000)

/* The inode tells a socket from another that got the same number later */
typedef struct SgipOpenSocket
{
	int			fd;
	ino_t		inode;
} SgipOpenSocket;

/* See http.h */
struct SgipLease
{
	dlist_node	node;			/* in the pool, used last first */
	MemoryContext context;		/* of its own; it and the peer's strings */
	MemoryContextCallback callback; /* of whoever leased it */
	bool		in_use;

	/* identity */
	SgipHttpPeer peer;
	uint32		server_hash;	/* hash values in the system caches */
	uint32		mapping_hash;	/* 0: no mapping, any change counts */

	/* handles */
	CURLM	   *multi;
	CURL	   *spare_easy;		/* for the next transfer, or NULL */
	int			epoll_fd;		/* -1: none */
	int			timer_fd;		/* -1: none */
	MemoryContext kept_in;		/* its connections end with this context, if
								 * they are not to be kept; or NULL */
	bool		invalidated;	/* not to be leased again */
	const char *broken;			/* why it cannot be used: incomplete, or what
								 * libcurl said when it gave up; or NULL */
	int			open_sockets;	/* of these */
	SgipOpenSocket sockets[SGIP_MAX_SOCKETS];

	/* times on the monotonic clock, nanoseconds; 0: none */
	int64		curl_due;		/* libcurl wants to be called */
	int64		waiting_since;	/* its descriptor is waited for */
	int64		wake_at;		/* it is to become readable in any case */
	int64		idle_since;

	dlist_head	transfers;
	SgipHttpCounters counters;

	/* for sgip_fdw_connections() */
	uint32		number;			/* of the session's leases, from 1 */
	TimestampTz created_at;
	uint64		requests;
};

/*
 * Now on the monotonic clock, in nanoseconds; never 0.
 */
static inline int64
sgip_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 * SGIP_NS_PER_MS + now.tv_nsec + 1;
}

#endif							/* SGIP_LEASE_H */
