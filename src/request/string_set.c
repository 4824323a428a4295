/*-------------------------------------------------------------------------
 *
 * string_set.c
 *		A set of short texts: keys of elements seen, and known names.
 *
 * Nearly all keys are IPv4 addresses, and those of an account stand close
 * together.  So an address takes a bit in the map of its /24 network: a
 * million of neighbours need 300 kB, and if no two share a network each
 * needs about 70 bytes.  Other keys are kept as they are and need about 60
 * bytes more than their text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "request/address.h"
#include "request/string_set.h"

/* Bits of a machine word in the map of a network */
#define WORD_BITS 64

/* A /24 network and which of its addresses are in the set */
typedef struct Network
{
	uint32		prefix;			/* hash key: the address without its last
								 * octet */
	uint64		members[256 / WORD_BITS];
} Network;

/* Any other key; the hash key is the text, not where it stands */
typedef struct Other
{
	SgipSpan	text;
} Other;

struct SgipStringSet
{
	MemoryContext context;
	HTAB	   *networks;
	HTAB	   *others;
};

/* Hash value of a text. */
static uint32
hash_text(const void *key, Size size)
{
	const SgipSpan *text = key;

	return hash_bytes((const unsigned char *) text->data, text->len);
}

/* 0 if two texts are the same. */
static int
compare_text(const void *a, const void *b, Size size)
{
	const SgipSpan *left = a;
	const SgipSpan *right = b;

	return left->len != right->len || memcmp(left->data, right->data, left->len) != 0;
}

/* Makes the set empty, in a context of its own below that one. */
static void
make_empty(SgipStringSet *set, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "sgip_fdw keys", ALLOCSET_DEFAULT_SIZES);
	HASHCTL		networks = {.keysize = sizeof(uint32), .entrysize = sizeof(Network)};
	HASHCTL		others = {.keysize = sizeof(SgipSpan), .entrysize = sizeof(Other),
	.hash = hash_text, .match = compare_text};

	networks.hcxt = others.hcxt = context;
	set->networks = hash_create("sgip_fdw networks", 64, &networks,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	set->others = hash_create("sgip_fdw keys", 64, &others,
							  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	set->context = context;
}

SgipStringSet *
sgip_string_set_new(void)
{
	SgipStringSet *set = palloc(sizeof(SgipStringSet));

	make_empty(set, CurrentMemoryContext);
	return set;
}

void
sgip_string_set_free(SgipStringSet *set)
{
	if (set == NULL)
		return;
	MemoryContextDelete(set->context);
	pfree(set);
}

/* The word and bit of an address in the map of its network. */
static uint64 *
member_word(Network *network, uint32 address, uint64 *bit)
{
	uint32		last = address & 255;

	*bit = UINT64CONST(1) << (last % WORD_BITS);
	return &network->members[last / WORD_BITS];
}

/* Adds an address. */
static bool
add_address(SgipStringSet *set, uint32 address)
{
	uint32		prefix = address >> 8;
	bool		found;
	Network    *network = hash_search(set->networks, &prefix, HASH_ENTER, &found);
	uint64		bit;
	uint64	   *word = member_word(network, address, &bit);

	if (!found)
		memset(network->members, 0, sizeof(network->members));
	found = (*word & bit) != 0;
	*word |= bit;
	return !found;
}

bool
sgip_string_set_add(SgipStringSet *set, SgipSpan key)
{
	uint32		address;
	bool		found;
	Other	   *other;
	char	   *copy;

	if (sgip_parse_ipv4(key, &address))
		return add_address(set, address);
	if (hash_search(set->others, &key, HASH_FIND, NULL) != NULL)
		return false;

	/* copy first, so that after an error no entry points to borrowed memory */
	copy = MemoryContextAlloc(set->context, Max(key.len, 1));
	memcpy(copy, key.data, key.len);
	key.data = copy;
	other = hash_search(set->others, &key, HASH_ENTER, &found);
	other->text = key;
	return true;
}

void
sgip_string_set_move(SgipStringSet *to, SgipStringSet *from)
{
	MemoryContext context = from->context;
	HASH_SEQ_STATUS status;
	Network    *network;
	Other	   *other;

	hash_seq_init(&status, from->networks);
	while ((network = hash_seq_search(&status)) != NULL)
	{
		bool		found;
		Network    *same = hash_search(to->networks, &network->prefix, HASH_ENTER, &found);

		for (int i = 0; i < (int) lengthof(network->members); i++)
			same->members[i] = network->members[i] | (found ? same->members[i] : 0);
	}
	hash_seq_init(&status, from->others);
	while ((other = hash_seq_search(&status)) != NULL)
		(void) sgip_string_set_add(to, other->text);
	make_empty(from, MemoryContextGetParent(context));
	MemoryContextDelete(context);
}

bool
sgip_string_set_has(const SgipStringSet *set, SgipSpan key)
{
	uint32		address;
	uint32		prefix;
	uint64		bit;
	Network    *network;

	if (!sgip_parse_ipv4(key, &address))
		return hash_search(set->others, &key, HASH_FIND, NULL) != NULL;
	prefix = address >> 8;
	network = hash_search(set->networks, &prefix, HASH_FIND, NULL);
	return network != NULL && (*member_word(network, address, &bit) & bit) != 0;
}
