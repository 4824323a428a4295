/*-------------------------------------------------------------------------
 *
 * event_loop.h
 *		Driving the transfers of a lease, and waiting for them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_EVENT_LOOP_H
#define SGIP_EVENT_LOOP_H

#include "http/lease.h"

/*
 * Creates the handles of a lease, whose descriptors the caller has acquired.
 * Raises an error if libcurl or the kernel refuses; sgip_event_loop_close
 * then frees what there is.
 */
extern void sgip_event_loop_open(SgipLease *lease);

/* Closes the handles of a lease, complete or not.  Does not throw */
extern void sgip_event_loop_close(SgipLease *lease);

#endif							/* SGIP_EVENT_LOOP_H */
