/*-------------------------------------------------------------------------
 *
 * tuple.c
 *		From a row of the API to the values of a tuple.
 *
 * Texts become values through the types' own input functions, looked up once
 * for a scan.  Columns that the query does not use are not converted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "fetch/report.h"
#include "scan/tuple.h"

/* How one column is made */
typedef struct Converter
{
	AttrNumber	attnum;
	const char *name;			/* of the column */
	const SgipField *field;		/* NULL: constant */
	int			field_index;
	Oid			type;
	int32		typmod;
	FmgrInfo	input;
	Oid			ioparam;
	bool		plain_text;		/* text or varchar without length */
	int			hint;			/* where the member was found last time */
	Datum		constant;		/* where there is no field */
} Converter;

struct SgipTupleBuilder
{
	const SgipTable *table;
	int			column_count;
	int			count;
	Converter  *converters;
	bool		local_search;	/* the task has fields that are searched here */
	bool		recode;			/* the database's encoding is not the answer's */
	SgipScratch scratch;
	MemoryContextCallback cleanup;

	/* for the error context: what is being converted */
	long		element_number;
	const char *column;
};

/* Frees the scratch, which is malloc's. */
static void
free_scratch(void *arg)
{
	sgip_decode_free(&((SgipTupleBuilder *) arg)->scratch);
}

/* Says which value an input function refused. */
static void
conversion_context(void *arg)
{
	SgipTupleBuilder *maker = arg;

	if (maker->column != NULL && maker->element_number == 0)
		errcontext("constant of column \"%s\" of foreign table \"%s\"",
				   maker->column, maker->table->name);
	else if (maker->column != NULL)
		errcontext("column \"%s\" of foreign table \"%s\", element %ld of the answer",
				   maker->column, maker->table->name, maker->element_number);
}

/* Value of a type's input function for a text in the server's encoding. */
static Datum
convert(Converter *converter, char *text)
{
	return InputFunctionCall(&converter->input, text, converter->ioparam, converter->typmod);
}

/* Is the field a search column of which this wrapper decides, and not the API? */
static bool
is_local_search(const SgipField *field)
{
	return field->kind == SGIP_KIND_ARGUMENT && field->param == NULL;
}

/* Has the task such fields? */
static bool
has_local_search(const SgipTask *task)
{
	for (int i = 0; i < task->field_count; i++)
	{
		if (is_local_search(&task->fields[i]))
			return true;
	}
	return false;
}

/* Sets up one column; a constant is converted here, once. */
static void
prepare_column(SgipTupleBuilder *maker, Converter *converter, AttrNumber attnum)
{
	const SgipColumn *column = &maker->table->columns[attnum - 1];
	Oid			function;

	converter->attnum = attnum;
	converter->name = column->name;
	converter->field = sgip_table_field(maker->table, attnum);
	converter->field_index = column->field;
	converter->type = column->type;
	converter->typmod = column->typmod;
	converter->plain_text = column->typmod < 0 &&
		(column->type == TEXTOID || column->type == VARCHAROID);
	getTypeInputInfo(column->type, &function, &converter->ioparam);
	fmgr_info(function, &converter->input);
	if (column->constant != NULL)
	{
		maker->column = column->name;
		converter->constant = convert(converter, pstrdup(column->constant));
		maker->column = NULL;
	}
}

SgipTupleBuilder *
sgip_tuple_prepare(const SgipTable *table, TupleDesc desc, Bitmapset *needed)
{
	SgipTupleBuilder *maker = palloc0(sizeof(SgipTupleBuilder));
	ErrorContextCallback callback;

	maker->table = table;
	maker->local_search = has_local_search(table->task);
	maker->recode = GetDatabaseEncoding() != PG_UTF8;
	maker->column_count = desc->natts;
	maker->converters = palloc0(desc->natts * sizeof(Converter));
	maker->cleanup.func = free_scratch;
	maker->cleanup.arg = maker;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &maker->cleanup);

	callback.callback = conversion_context;
	callback.arg = maker;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	for (AttrNumber attnum = 1; attnum <= desc->natts; attnum++)
	{
		if (table->columns[attnum - 1].live &&
			(needed == NULL || bms_is_member(attnum, needed)))
			prepare_column(maker, &maker->converters[maker->count++], attnum);
	}
	error_context_stack = callback.previous;
	return maker;
}

/* Does the text hold ASCII only, which is the same in every server encoding? */
static bool
is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(text[i]))
			return false;
	}
	return true;
}

/* The value of a text of the answer, UTF-8. */
static Datum
text_datum(const SgipTupleBuilder *maker, Converter *converter, SgipSpan text)
{
	char		small[64];
	char	   *terminated;

	if (maker->recode && !is_ascii(text.data, text.len))
	{
		char	   *source = pnstrdup(text.data, text.len);

		terminated = pg_any_to_server(source, text.len, PG_UTF8);
		return convert(converter, terminated);
	}
	if (converter->plain_text)
		return PointerGetDatum(cstring_to_text_with_len(text.data, text.len));

	/* input functions want a terminated string, and keep no pointer to it */
	if (text.len < sizeof(small))
		terminated = small;
	else
		terminated = palloc(text.len + 1);
	memcpy(terminated, text.data, text.len);
	terminated[text.len] = '\0';
	return convert(converter, terminated);
}

/* The text that a search column holds in the rows of this search. */
static bool
search_text(const SgipField *field, int index, const SgipSearch *search, SgipSpan *text)
{
	const char *value = search ? search->held.values[index] : NULL;

	if (value == NULL)
		value = field->absent;
	if (value == NULL)
		return false;
	text->data = value;
	text->len = strlen(value);
	return true;
}

/* Fills in one column. */
static void
make_column(SgipTupleBuilder *maker, Converter *converter, const SgipRow *row,
			const SgipSearch *search, Datum *value, bool *isnull)
{
	const SgipField *field = converter->field;
	SgipSpan	text = {NULL, 0};
	SgipDecoded decoded;

	if (field == NULL)
	{
		*value = converter->constant;
		*isnull = false;
		return;
	}
	maker->column = converter->name;
	if (field->kind == SGIP_KIND_ARGUMENT)
		decoded = search_text(field, converter->field_index, search, &text) ?
			SGIP_DECODED_TEXT : SGIP_DECODED_NULL;
	else
		decoded = sgip_decode_field(row, field, &converter->hint, &maker->scratch, &text);

	switch (decoded)
	{
		case SGIP_DECODED_NULL:
			*value = (Datum) 0;
			*isnull = true;
			return;
		case SGIP_DECODED_TEXT:
			*value = text_datum(maker, converter, text);
			*isnull = false;
			return;
		case SGIP_DECODED_MISFIT:
			ereport(ERROR,
					(errcode(SGIP_ERRCODE_NOT_JSON),
					 errmsg("field \"%s\" of the answer has an unexpected form", field->key)));
			return;
		case SGIP_DECODED_NO_MEMORY:
			sgip_report_no_memory();
	}
}

/*
 * Does the element's list hold the value a search column was given, or one
 * that has it as a part?  This is how v3 decides about groups.
 */
static bool
list_holds(const SgipElement *element, const char *key, const char *value, bool as_part)
{
	size_t		count = sgip_decode_item_count(element, key);
	size_t		len = strlen(value);
	int			hint = 0;

	if (sgip_json_member(element, key, &hint).kind == SGIP_VALUE_ABSENT)
		ereport(ERROR,
				(errcode(SGIP_ERRCODE_NOT_JSON),
				 errmsg("field \"%s\" is missing in the answer", key)));
	for (size_t i = 0; i < count; i++)
	{
		SgipSpan	item;

		if (!sgip_decode_item(element, key, NULL, i, &item))
			continue;
		if (as_part ? memmem(item.data, item.len, value, len) != NULL :
			item.len == len && memcmp(item.data, value, len) == 0)
			return true;
	}
	return false;
}

/* Does the row satisfy the searches that are decided here? */
static bool
satisfies_local_search(const SgipTask *task, const SgipRow *row, const SgipSearch *search)
{
	for (int i = 0; i < task->field_count; i++)
	{
		const SgipField *field = &task->fields[i];

		if (is_local_search(field) && search->held.values[i] != NULL &&
			!list_holds(row->element, field->key, search->held.values[i], search->held_as_part))
			return false;
	}
	return true;
}

/* Is the row one that this search keeps, rather than another? */
static bool
is_own_row(const SgipOwnRows *own, const Datum *values, const bool *nulls)
{
	Datum		value;

	if (own->attnum == 0)
		return true;
	if (nulls[own->attnum - 1])
		return false;
	value = values[own->attnum - 1];
	if (OidIsValid(own->text_form))
		value = OidFunctionCall1(own->text_form, value);
	return DatumGetBool(FunctionCall2Coll(unconstify(FmgrInfo *, &own->equal),
										  own->collation, value, own->value));
}

bool
sgip_tuple_build(SgipTupleBuilder *maker, const SgipRow *row,
			  const SgipSearch *search, Datum *values, bool *nulls)
{
	ErrorContextCallback callback;

	if (maker->local_search && search != NULL &&
		!satisfies_local_search(maker->table->task, row, search))
		return false;

	callback.callback = conversion_context;
	callback.arg = maker;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	memset(values, 0, maker->column_count * sizeof(Datum));
	memset(nulls, true, maker->column_count * sizeof(bool));
	maker->element_number = row->element->number;
	for (int i = 0; i < maker->count; i++)
	{
		Converter  *converter = &maker->converters[i];

		make_column(maker, converter, row, search,
					&values[converter->attnum - 1], &nulls[converter->attnum - 1]);
	}

	error_context_stack = callback.previous;
	return search == NULL || is_own_row(&search->own, values, nulls);
}
