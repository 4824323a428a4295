/*-------------------------------------------------------------------------
 *
 * sockets.h
 *		Descriptors: counted for PostgreSQL, and the sockets of a lease.
 *
 * None of these throws.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_SOCKETS_H
#define SGIP_SOCKETS_H

#include "http/lease.h"

/*
 * Acquires that many of the descriptors that PostgreSQL lets extensions hold.
 * False, and none is acquired, unless one more is left over to wait with.
 */
extern bool sgip_descriptors_acquire(int count);

/* Releases descriptors that were acquired */
extern void sgip_descriptors_release(int count);

/*
 * Has PostgreSQL close files of its own until that many descriptors more are
 * free, without acquiring them
 */
extern void sgip_descriptors_make_room(int count);

/* Has the process or the system run out of descriptors?  The lease's handles must be open */
extern bool sgip_descriptors_used_up(const SgipLease *lease);

/* Sockets open in this backend */
extern int	sgip_sockets_open;

/*
 * Descriptors of a lease: epoll, timer, the pair by which libcurl can be woken
 * (one, in newer versions), and a connection, though there may be none yet.
 */
#define SGIP_LEASE_DESCRIPTORS 5

/*
 * Opens a socket of the lease and acquires its descriptor; CURL_SOCKET_BAD
 * and errno if that fails
 */
extern curl_socket_t sgip_socket_open(SgipLease *lease, const struct curl_sockaddr *address);

/* CURLOPT_CLOSESOCKETFUNCTION; its argument is the lease */
extern int	sgip_socket_close(void *arg, curl_socket_t socket);

/* Releases the lease's sockets that are closed, of which libcurl does not always tell us */
extern void sgip_sockets_forget(SgipLease *lease);

/* Is this entry still the socket that was opened?  Safe in signal handlers */
extern bool sgip_socket_is_ours(const SgipOpenSocket *socket);

#endif							/* SGIP_SOCKETS_H */
