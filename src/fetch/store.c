/*-------------------------------------------------------------------------
 *
 * store.c
 *		Elements that are kept for several readers.
 *
 * Records stand one after another in memory, until the stores that share a
 * budget have used it up; then a store that is not small writes what it has to
 * a temporary file, and goes on there.  A tuplestore would do the same, but
 * takes 25 kB however few elements there are, and answers to searches are many
 * and small.
 *
 * Readers stand at positions in the sequence of bytes, wherever these are. What
 * they get is a copy, since memory can move or go to the file while one is
 * being used.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "fetch/store.h"

/* The first memory of a store, which grows by doubling */
#define MIN_ROOM_BYTES 1024

/* A store that holds less stays in memory: a file and its buffer take as much */
#define MIN_FILE_BYTES (64 * 1024)

/* What is read from a file, and gathered for it, at once */
#define FILE_BUFFER_BYTES (32 * 1024)

/* What stands before each packed element: the size of the record, aligned */
typedef uint64 RecordSize;

struct SgipStore
{
	MemoryContext context;
	SgipStoreBudget *budget;
	ResourceOwner owner;		/* of the file's owner; NULL: the current one */
	ResourceOwner file_owner;	/* of the file alone */
	BufFile    *file;			/* or NULL */
	int64		begin;			/* bytes in the file; those in memory follow */
	char	   *data;			/* in memory, or NULL */
	size_t		len;
	size_t		room;			/* charged to the budget */
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
 * The file is closed by way of its owner.  BufFileClose would first write what
 * it has gathered, which nobody reads, and that can fail: in an abort, for the
 * second time.
 */
void
sgip_store_end(SgipStore *store)
{
	if (store->file_owner != NULL)
	{
		ResourceOwnerRelease(store->file_owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
		ResourceOwnerRelease(store->file_owner, RESOURCE_RELEASE_LOCKS, false, false);
		ResourceOwnerRelease(store->file_owner, RESOURCE_RELEASE_AFTER_LOCKS, false, false);
		ResourceOwnerDelete(store->file_owner);
	}
	store->budget->used -= store->room;
	MemoryContextDelete(store->context);
}

/* Writes what is in memory to the file, which is made if there is none. */
static void
write_memory(SgipStore *store)
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
	if (BufFileSeek(store->file, 0, store->begin, SEEK_SET) != 0)
		elog(ERROR, "could not seek in a temporary file");
	BufFileWrite(store->file, store->data, store->len);
	store->begin += store->len;
	store->len = 0;
}

/* Room for a record of that size behind the others. */
static char *
add_record(SgipStore *store, size_t size)
{
	size_t		room = Max(Max(2 * store->room, MIN_ROOM_BYTES), store->len + size);

	if (store->len + size > store->room)
	{
		if (store->file != NULL ||
			(store->len >= MIN_FILE_BYTES &&
			 store->budget->used + (int64) (room - store->room) > store->budget->limit))
		{
			write_memory(store);
			room = Max(FILE_BUFFER_BYTES, size);
		}
		store->data = store->data ? repalloc_huge(store->data, room) :
			MemoryContextAllocHuge(store->context, room);
		store->budget->used += (int64) room - (int64) store->room;
		store->room = room;
	}
	store->len += size;
	return store->data + store->len - size;
}

/* Makes the reader's buffer hold at least that many bytes. */
static void
make_room(SgipStoreReader *reader, size_t size)
{
	if (size <= reader->room)
		return;
	if (reader->buffer != NULL)
		pfree(reader->buffer);
	reader->buffer = MemoryContextAlloc(reader->context, size);
	reader->room = size;
}

/* The bytes from the reader's position on, at least so many, in its buffer. */
static const char *
read_bytes(SgipStore *store, SgipStoreReader *reader, size_t least)
{
	size_t		size = least;

	if (reader->position >= reader->begin &&
		reader->position + (int64) least <= reader->begin + (int64) reader->len)
		return reader->buffer + (reader->position - reader->begin);
	if (reader->position < store->begin)
		size = Min(Max(least, FILE_BUFFER_BYTES), (size_t) (store->begin - reader->position));
	make_room(reader, size);
	if (reader->position >= store->begin)
		memcpy(reader->buffer, store->data + (reader->position - store->begin), size);
	else if (BufFileSeek(store->file, 0, reader->position, SEEK_SET) != 0 ||
			 BufFileRead(store->file, reader->buffer, size) != size)
		elog(ERROR, "temporary file is shorter than it was");
	reader->begin = reader->position;
	reader->len = size;
	return reader->buffer;
}

void
sgip_store_add(SgipStore *store, const SgipElement *element)
{
	RecordSize	size = MAXALIGN(sizeof(size) + sgip_element_pack_size(element));
	char	   *record = add_record(store, size);

	memcpy(record, &size, sizeof(size));
	/* what rounding up adds goes to the file, too */
	memset(record + size - MAXIMUM_ALIGNOF, 0, MAXIMUM_ALIGNOF);
	sgip_element_pack(element, record + sizeof(size));
}

bool
sgip_store_next(SgipStore *store, SgipStoreReader *reader, SgipElement *element)
{
	RecordSize	size;

	if (reader->position == store->begin + (int64) store->len)
		return false;
	memcpy(&size, read_bytes(store, reader, sizeof(size)), sizeof(size));
	sgip_element_unpack(read_bytes(store, reader, size) + sizeof(size), element);
	reader->position += size;
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
}
