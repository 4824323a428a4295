/*-------------------------------------------------------------------------
 *
 * string_set.h
 *		A set of short texts: keys of elements seen, and known names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_STRING_SET_H
#define SGIP_STRING_SET_H

#include "json/json.h"

typedef struct SgipStringSet SgipStringSet;

/* An empty set; in a child of the current memory context, and freed with that at the latest */
extern SgipStringSet *sgip_string_set_new(void);

/* Frees a set and the copies in it; NULL is harmless */
extern void sgip_string_set_free(SgipStringSet *set);

/* Adds a key, of which it keeps a copy; false if it was in the set */
extern bool sgip_string_set_add(SgipStringSet *set, SgipSpan key);

/* Moves the keys of one set into another */
extern void sgip_string_set_move(SgipStringSet *to, SgipStringSet *from);

/* Is the key in the set? */
extern bool sgip_string_set_has(const SgipStringSet *set, SgipSpan key);

/*
 * Longest key of a server's that is worth keeping.  Addresses, ids and names
 * are far shorter; this keeps a hostile one from filling the memory faster
 * than it sends rows.
 */
#define SGIP_MAX_KEY_BYTES 512

#endif							/* SGIP_STRING_SET_H */
