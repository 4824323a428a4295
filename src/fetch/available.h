/*-------------------------------------------------------------------------
 *
 * available.h
 *		IPs in use, until it is known which subusers are disabled.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_AVAILABLE_H
#define SGIP_AVAILABLE_H

#include "json/json.h"

typedef struct SgipAvailable SgipAvailable;

/* Keeps nothing and knows nobody; in the current memory context */
extern SgipAvailable *sgip_available_new(void);

/*
 * Lets go of what was kept, to be called before the memory context goes.  After
 * an error that is not needed: a temporary file is its resource owner's.
 */
extern void sgip_available_end(SgipAvailable *available);

/* Keeps a copy of an element, and a number that comes back with it */
extern void sgip_available_keep(SgipAvailable *available, const SgipElement *element, int tag);

/* Takes note of a subuser, an element of that listing, if it is disabled */
extern void sgip_available_note(SgipAvailable *available, const SgipElement *subuser);

/*
 * The next element kept, in the order of keeping, whose subusers are all known
 * to be disabled; NULL at the end.  Lives until the next call.  An unknown
 * name counts as active: an IP that somebody may use is not available.
 */
extern const SgipElement *sgip_available_next(SgipAvailable *available, int *tag);

#endif							/* SGIP_AVAILABLE_H */
