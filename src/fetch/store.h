/*-------------------------------------------------------------------------
 *
 * store.h
 *		Elements that are kept for several readers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_STORE_H
#define SGIP_STORE_H

#include "utils/resowner.h"

#include "json/json.h"

/* Memory that several stores share before they go to files */
typedef struct SgipStoreBudget
{
	int64		limit;			/* bytes; 0: work_mem when first used */
	int64		used;
} SgipStoreBudget;

typedef struct SgipStore SgipStore;

/* The position of one reader; all zero at the beginning, but for the context */
typedef struct SgipStoreReader
{
	MemoryContext context;		/* of its buffer */
	int64		position;		/* in the store's bytes */
	char	   *buffer;			/* what was read last, or NULL */
	size_t		room;
	int64		begin;			/* of the store's bytes that the buffer holds */
	size_t		len;
} SgipStoreReader;

/*
 * An empty store, in a child of the current context.  Its file, if it comes
 * to have one, belongs to the owner (NULL: the current one at that time),
 * which closes it after an error; sgip_store_end closes it otherwise.
 */
extern SgipStore *sgip_store_new(SgipStoreBudget *budget, ResourceOwner owner);
extern void sgip_store_end(SgipStore *store);

/* Keeps a copy of an element behind the others */
extern void sgip_store_add(SgipStore *store, const SgipElement *element);

/*
 * The next element; false if there is none yet.  It is the reader's own copy,
 * which lives until it reads the next one.
 */
extern bool sgip_store_next(SgipStore *store, SgipStoreReader *reader, SgipElement *element);

/* A copy of an element that is in no store, likewise */
extern void sgip_store_copy(SgipStoreReader *reader, const SgipElement *from, SgipElement *to);

/* Frees what a reader holds */
extern void sgip_store_reader_end(SgipStoreReader *reader);

#endif							/* SGIP_STORE_H */
