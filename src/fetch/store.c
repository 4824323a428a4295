/*-------------------------------------------------------------------------
 *
 * store.c
 *		Elements that are kept for several readers.
 *
 * Records stand one after another in memory, in chunks, until the stores that
 * share a budget have used it up; then a store that is not small writes what
 * it has to a temporary file, and goes on there.  A tuplestore would do the
 * same, but takes 25 kB however few elements there are, and answers to
 * searches are many and small.
 *
 * Readers stand at positions in the sequence of bytes, wherever these are. What
 * they get is a copy, since chunks can go to the file while one is being used.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "fetch/store.h"

/* Chunks grow from the first to the last of these sizes, in bytes */
#define MIN_CHUNK_BYTES 1024
#define MAX_CHUNK_BYTES (64 * 1024)

/* A store that holds less stays in memory: a file and its buffer take as much */
#define MIN_FILE_BYTES (64 * 1024)

/* What is read from a file, and gathered for it, at once */
#define FILE_BUFFER_BYTES (32 * 1024)

/* A piece of the sequence of bytes */
typedef struct Chunk
{
	int64		begin;			/* of it in the sequence */
	size_t		len;
	size_t		room;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Chunk;

/* What stands before each packed element */
typedef struct RecordHeader
{
	uint64		size;			/* with this header, and aligned */
} RecordHeader;

struct SgipStore
{
	MemoryContext context;
	SgipStoreBudget *budget;
	ResourceOwner owner;		/* of the file's owner; NULL: the current one */
	ResourceOwner file_owner;	/* of the file alone */
	int64		bytes;			/* in all */
	Chunk	  **chunks;			/* what is in memory: with a file, the last
								 * bytes alone */
	int			chunk_count;
	int			chunk_room;
	int64		charged;		/* to the budget */
	BufFile    *file;			/* the bytes before the chunks, or NULL */
};

SgipStore *
sgip_store_new(SgipStoreBudget *budget, ResourceOwner owner)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sgip_fdw store",
												  ALLOCSET_SMALL_SIZES);
	SgipStore  *store = MemoryContextAllocZero(context, sizeof(SgipStore));

	store->context = context;
	store->budget = budget;
	store->owner = owner;
	if (budget->limit == 0)
		budget->limit = (int64) work_mem * 1024;
	return store;
}

/*
 * Closes the file, by way of its owner.  BufFileClose would first write what
 * it has gathered, which nobody reads, and that can fail: in an abort, for the
 * second time.
 */
static void
close_file(SgipStore *store)
{
	ResourceOwner owner = store->file_owner;

	store->file = NULL;
	store->file_owner = NULL;
	if (owner == NULL)
		return;
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_LOCKS, false, false);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_AFTER_LOCKS, false, false);
	ResourceOwnerDelete(owner);
}

void
sgip_store_end(SgipStore *store)
{
	if (store == NULL)
		return;
	close_file(store);
	store->budget->used -= store->charged;
	MemoryContextDelete(store->context);
}

/* Adds a chunk with room for a record of that size. */
static Chunk *
add_chunk(SgipStore *store, size_t size)
{
	size_t		room = store->file != NULL ? FILE_BUFFER_BYTES :
		Min(MIN_CHUNK_BYTES << Min(store->chunk_count, 6), MAX_CHUNK_BYTES);
	Chunk	   *chunk;

	if (store->chunk_count == store->chunk_room)
	{
		int			more = Max(2 * store->chunk_room, 8);

		store->chunks = store->chunks ? repalloc(store->chunks, more * sizeof(Chunk *)) :
			MemoryContextAlloc(store->context, more * sizeof(Chunk *));
		store->chunk_room = more;
	}
	room = Max(room, size);
	chunk = MemoryContextAlloc(store->context, offsetof(Chunk, data) + room);
	chunk->begin = store->bytes;
	chunk->len = 0;
	chunk->room = room;
	store->chunks[store->chunk_count++] = chunk;
	store->charged += room;
	store->budget->used += room;
	return chunk;
}

/* Writes the chunks to the file, which is made if there is none. */
static void
write_chunks(SgipStore *store)
{
	if (store->file == NULL)
	{
		ResourceOwner caller = CurrentResourceOwner;
		MemoryContext context = MemoryContextSwitchTo(store->context);

		store->file_owner = ResourceOwnerCreate(store->owner ? store->owner : caller, "sgip_fdw store");
		CurrentResourceOwner = store->file_owner;
		store->file = BufFileCreateTemp(false);
		CurrentResourceOwner = caller;
		MemoryContextSwitchTo(context);
	}
	if (store->chunk_count > 0 && BufFileSeek(store->file, 0, store->chunks[0]->begin, SEEK_SET) != 0)
		elog(ERROR, "could not seek in a temporary file");
	for (int i = 0; i < store->chunk_count; i++)
	{
		BufFileWrite(store->file, store->chunks[i]->data, store->chunks[i]->len);
		store->charged -= store->chunks[i]->room;
		store->budget->used -= store->chunks[i]->room;
		pfree(store->chunks[i]);
	}
	store->chunk_count = 0;
}

/* Room for a record of that size behind the others. */
static char *
add_record(SgipStore *store, size_t size)
{
	Chunk	   *chunk = store->chunk_count > 0 ? store->chunks[store->chunk_count - 1] : NULL;
	char	   *record;

	if (chunk == NULL || chunk->len + size > chunk->room)
	{
		if (chunk != NULL &&
			(store->file != NULL ||
			 (store->budget->used + (int64) size > store->budget->limit && store->bytes >= MIN_FILE_BYTES)))
			write_chunks(store);
		chunk = add_chunk(store, size);
	}
	record = chunk->data + chunk->len;
	chunk->len += size;
	store->bytes += size;
	return record;
}

/* Makes the reader's buffer hold at least that many bytes. */
static void
make_room(SgipStoreReader *reader, size_t size)
{
	if (size <= reader->room)
		return;
	if (reader->buffer != NULL)
		pfree(reader->buffer);
	reader->buffer = NULL;
	reader->len = 0;
	reader->room = 0;
	reader->buffer = MemoryContextAlloc(reader->context, size);
	reader->room = size;
}

/* Reads bytes of the file from the reader's position on; at least that many. */
static void
read_file(SgipStore *store, SgipStoreReader *reader, int64 end, size_t least)
{
	size_t		size = Min(Max(least, FILE_BUFFER_BYTES), (size_t) (end - reader->position));

	make_room(reader, size);
	reader->len = 0;
	if (BufFileSeek(store->file, 0, reader->position, SEEK_SET) != 0 ||
		BufFileRead(store->file, reader->buffer, size) != size)
		elog(ERROR, "temporary file is shorter than it was");
	reader->begin = reader->position;
	reader->len = size;
}

/* The chunk that the reader's position is in. */
static Chunk *
find_chunk(SgipStore *store, SgipStoreReader *reader)
{
	Chunk	   *chunk;

	if (reader->chunk >= store->chunk_count ||
		store->chunks[reader->chunk]->begin > reader->position)
		reader->chunk = 0;
	chunk = store->chunks[reader->chunk];
	while (reader->position >= chunk->begin + (int64) chunk->len)
		chunk = store->chunks[++reader->chunk];
	return chunk;
}

/* The record at the reader's position, in its buffer. */
static const char *
read_record(SgipStore *store, SgipStoreReader *reader)
{
	int64		in_file = store->chunk_count > 0 ? store->chunks[0]->begin : store->bytes;
	size_t		size;

	if (reader->position >= in_file)
	{
		Chunk	   *chunk = find_chunk(store, reader);
		const char *record = chunk->data + (reader->position - chunk->begin);

		size = ((const RecordHeader *) record)->size;
		make_room(reader, size);
		memcpy(reader->buffer, record, size);
		reader->begin = reader->position;
		reader->len = size;
	}
	else
	{
		int64		end = reader->begin + (int64) reader->len;

		if (reader->position < reader->begin || reader->position + (int64) sizeof(RecordHeader) > end)
			read_file(store, reader, in_file, sizeof(RecordHeader));
		size = ((const RecordHeader *) (reader->buffer + (reader->position - reader->begin)))->size;
		if (reader->position + (int64) size > reader->begin + (int64) reader->len)
			read_file(store, reader, in_file, size);
	}
	return reader->buffer + (reader->position - reader->begin);
}

void
sgip_store_add(SgipStore *store, const SgipElement *element)
{
	RecordHeader header = {.size = MAXALIGN(sizeof(RecordHeader) + sgip_element_pack_size(element))};
	char	   *record = add_record(store, header.size);

	memcpy(record, &header, sizeof(header));
	/* what rounding up adds goes to the file, too */
	memset(record + header.size - MAXIMUM_ALIGNOF, 0, MAXIMUM_ALIGNOF);
	sgip_element_pack(element, record + sizeof(header));
}

bool
sgip_store_next(SgipStore *store, SgipStoreReader *reader, SgipElement *element)
{
	const char *record;

	if (reader->position == store->bytes)
		return false;
	record = read_record(store, reader);
	reader->position += ((const RecordHeader *) record)->size;
	sgip_element_unpack(record + sizeof(RecordHeader), element);
	return true;
}

void
sgip_store_copy(SgipStoreReader *reader, const SgipElement *from, SgipElement *to)
{
	make_room(reader, sgip_element_pack_size(from));
	sgip_element_pack(from, reader->buffer);
	sgip_element_unpack(reader->buffer, to);
}

void
sgip_store_reader_end(SgipStoreReader *reader)
{
	if (reader->buffer != NULL)
		pfree(reader->buffer);
	reader->buffer = NULL;
	reader->position = reader->begin = 0;
	reader->len = reader->room = 0;
	reader->chunk = 0;
}
