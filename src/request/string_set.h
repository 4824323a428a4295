/*-------------------------------------------------------------------------
 *
 * keyset.h
 *		A set of short texts: what a listing has brought, whose name is known.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_KEYSET_H
#define SGIP_KEYSET_H

#include "json/json.h"

typedef struct SgipKeySet SgipKeySet;

/* An empty set; in a child of the current memory context, and freed with that at the latest */
extern SgipKeySet *sgip_keyset_new(void);

/* Frees a set and the copies in it; NULL is harmless */
extern void sgip_keyset_free(SgipKeySet *set);

/* Adds a key, of which it keeps a copy; false if it was in the set */
extern bool sgip_keyset_add(SgipKeySet *set, SgipSpan key);

/* Is the key in the set? */
extern bool sgip_keyset_has(const SgipKeySet *set, SgipSpan key);

/*
 * Longest key of a server's that is worth keeping.  Addresses, ids and names
 * are far shorter; this keeps a hostile one from filling the memory faster
 * than it sends rows.
 */
#define SGIP_MAX_KEY_BYTES 512

#endif							/* SGIP_KEYSET_H */
