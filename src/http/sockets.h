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
 * Counts so many more descriptors among those that extensions may hold, if
 * there are as many and another for whoever waits.
 */
extern bool sgip_descriptors_acquire(int count);

extern void sgip_descriptors_release(int count);

/* Has PostgreSQL close files of its own where so many more would be too many */
extern void sgip_descriptors_make_room(int count);

/* Is there none left in the process or the system? */
extern bool sgip_descriptors_used_up(const SgipLease *lease);

/* Sockets open in this backend */
extern int	sgip_sockets_open(void);

/*
 * Descriptors of a lease: epoll, timer, the pair by which libcurl can be woken
 * (one, in newer versions), and a connection, though there may be none yet.
 */
#define SGIP_LEASE_DESCRIPTORS 5

/* Opens a socket of the lease; CURL_SOCKET_BAD if that fails, and errno */
extern curl_socket_t sgip_socket_open(SgipLease *lease, const struct curl_sockaddr *address);

/* CURLOPT_CLOSESOCKETFUNCTION; its argument is the lease */
extern int	sgip_socket_close(void *arg, curl_socket_t socket);

/* Forgets the lease's sockets that are closed, which libcurl does not always tell */
extern void sgip_sockets_forget(SgipLease *lease);

/* Is this entry still the socket that was opened?  Also in signal handlers */
extern bool sgip_socket_is_ours(const SgipOpenSocket *socket);

#endif							/* SGIP_SOCKETS_H */
