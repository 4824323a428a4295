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
 * Makes the handles of a lease, whose descriptors have been counted.  What an
 * error leaves behind, sgip_event_loop_close frees.
 */
extern void sgip_event_loop_open(SgipLease *lease);

/* Closes the handles of a lease, of an incomplete one too.  Does not throw */
extern void sgip_event_loop_close(SgipLease *lease);

#endif							/* SGIP_EVENT_LOOP_H */
