/*-------------------------------------------------------------------------
 *
 * available.c
 *		IPs in use, until it is known which subusers are disabled.
 *
 * Subusers are read after the IPs, as an IP must not look available because
 * of what was true before it was listed.  So the elements that have subusers
 * are kept, as text in a tuplestore, which spills to disk.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "fetch/available.h"
#include "compat.h"
#include "fetch/decode.h"
#include "request/string_set.h"

struct SgipAvailable
{
	MemoryContext context;
	MemoryContextCallback cleanup;
	Tuplestorestate *kept;		/* tag and text of each element */
	TupleTableSlot *slot;
	SgipStringSet *disabled;		/* names */
	SgipJsonReader *reader;		/* of the element that was handed out last */
	SgipElement element;
};

/* Frees what palloc does not own. */
static void
clean_up(void *arg)
{
	SgipAvailable *available = arg;

	sgip_json_close(available->reader);
	available->reader = NULL;
}

SgipAvailable *
sgip_available_new(void)
{
	SgipAvailable *available = palloc0(sizeof(SgipAvailable));
	TupleDesc	desc = CreateTemplateTupleDesc(2);

	available->context = CurrentMemoryContext;
	available->cleanup.func = clean_up;
	available->cleanup.arg = available;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &available->cleanup);

	TupleDescInitEntry(desc, 1, "tag", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "element", TEXTOID, -1, 0);
	TupleDescFinalize(desc);
	available->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	available->kept = tuplestore_begin_heap(false, false, work_mem);
	available->disabled = sgip_string_set_new();
	return available;
}

void
sgip_available_end(SgipAvailable *available)
{
	if (available == NULL)
		return;
	tuplestore_end(available->kept);
	available->kept = NULL;
}

void
sgip_available_keep(SgipAvailable *available, const SgipElement *element, int tag)
{
	MemoryContext caller = MemoryContextSwitchTo(available->context);
	Datum		values[2];
	bool		nulls[2] = {false, false};

	values[0] = Int32GetDatum(tag);
	values[1] = PointerGetDatum(cstring_to_text_with_len(element->raw.data, element->raw.len));
	tuplestore_putvalues(available->kept, available->slot->tts_tupleDescriptor, values, nulls);
	pfree(DatumGetPointer(values[1]));
	MemoryContextSwitchTo(caller);
}

/* The text of a member; false if it is none. */
static bool
member_text(const SgipElement *element, const char *key, SgipSpan *text)
{
	int			hint = 0;
	SgipValue	value = sgip_json_member(element, key, &hint);

	*text = value.text;
	return value.kind == SGIP_VALUE_STRING || value.kind == SGIP_VALUE_LITERAL;
}

void
sgip_available_note(SgipAvailable *available, const SgipElement *subuser)
{
	SgipSpan	flag;
	SgipSpan	name;

	if (member_text(subuser, "disabled", &flag) &&
		flag.len == 4 && memcmp(flag.data, "true", 4) == 0 &&
		member_text(subuser, "username", &name) && name.len <= SGIP_MAX_KEY_BYTES)
		(void) sgip_string_set_add(available->disabled, name);
}

/* Are all subusers of the element known to be disabled? */
static bool
all_disabled(const SgipAvailable *available, const SgipElement *element)
{
	size_t		count = sgip_decode_item_count(element, "subusers");

	for (size_t i = 0; i < count; i++)
	{
		SgipSpan	name;

		if (!sgip_decode_item(element, "subusers", NULL, i, &name) ||
			!sgip_string_set_has(available->disabled, name))
			return false;
	}
	return true;
}

/* Reads the element of a text that has been read before. */
static void
read_again(SgipAvailable *available, const text *raw)
{
	static const SgipJsonShape shape = {NULL, "ip"};
	size_t		consumed;

	sgip_json_close(available->reader);
	available->reader = sgip_json_open(&shape, false);
	if (available->reader == NULL ||
		sgip_json_next(available->reader, VARDATA_ANY(raw), VARSIZE_ANY_EXHDR(raw), true,
					   &consumed, &available->element) != SGIP_JSON_ELEMENT)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
}

const SgipElement *
sgip_available_next(SgipAvailable *available, int *tag)
{
	for (;;)
	{
		/* a tuple read from a file belongs to the slot, which frees it at the next one */
		MemoryContext caller = MemoryContextSwitchTo(available->context);
		bool		found = tuplestore_gettupleslot(available->kept, true, false, available->slot);
		bool		isnull;

		MemoryContextSwitchTo(caller);
		if (!found)
			return NULL;
		CHECK_FOR_INTERRUPTS();
		*tag = DatumGetInt32(slot_getattr(available->slot, 1, &isnull));
		read_again(available, DatumGetTextPP(slot_getattr(available->slot, 2, &isnull)));
		if (all_disabled(available, &available->element))
			return &available->element;
	}
}
