/*-------------------------------------------------------------------------
 *
 * tuple.c
 *		From a row of the API to the values of a tuple.
 *
 * A value is made by the input function of its column's type, looked up
 * once for a scan.  For common types the same value is made faster,
 * without that function: see Way.  Columns that the query does not use are
 * not converted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inet.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "fetch/report.h"
#include "request/address.h"
#include "scan/tuple.h"

/* Microseconds from 1970 to 2000 */
#define UNIX_TO_POSTGRES_MICROS \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * USECS_PER_SEC)

/*
 * Largest power of ten of a whole number that is written with one.  The
 * largest bigint has 19 digits; beyond this the digits, which a message would
 * show, could be a hundred thousand.
 */
#define MAX_WHOLE_EXPONENT 40

/* How values of a type are made */
typedef enum Way
{
	WAY_INPUT,					/* by its input function */
	WAY_TEXT,					/* text, or varchar without length: as it
								 * stands */
	WAY_INET,					/* inet: a plain IPv4 address */
	WAY_BOOLEAN,				/* boolean: the words of JSON */
	WAY_INTEGER,				/* int2, int4, int8: digits; 1.0 is one as
								 * well */
	WAY_TIMESTAMPTZ,			/* timestamptz: seconds */
	WAY_JSON					/* json, jsonb: the value as JSON, whatever it
								 * is */
} Way;

/* How values of a type are made */
typedef struct Maker
{
	Oid			type;
	int32		typmod;
	Way			way;
	FmgrInfo	input;
	Oid			ioparam;
	int16		len;			/* as items of an array are stored */
	bool		byval;
	char		align;
} Maker;

/* How one column is made */
typedef struct Converter
{
	AttrNumber	attnum;
	const SgipColumn *column;
	const SgipField *field;		/* NULL: constant */
	Maker		maker;
	bool		is_array;
	Maker		item;			/* of an array, or a domain over one; else of
								 * text */
	Datum		constant;		/* where there is no field */
} Converter;

struct SgipTupleBuilder
{
	const SgipTable *table;
	int			count;
	Converter  *converters;
	const SgipLocalSearch *local;	/* search that is decided here */
	SgipSpan	found;			/* by it, in the element at hand */
	bool		recode;			/* the database's encoding is not the answer's */
	SgipBuffer	json;			/* for values that become JSON */
	MemoryContextCallback cleanup;

	/* for the error context: what is being converted */
	long		element_number;
	const char *column;
};

/* Frees what is malloc'd. */
static void
free_json(void *arg)
{
	sgip_buffer_free(&((SgipTupleBuilder *) arg)->json);
}

void
sgip_tuple_error_context(void *arg)
{
	const SgipTupleBuilder *builder = arg;

	if (builder->column != NULL && builder->element_number == 0)
		errcontext("constant of column \"%s\" of foreign table \"%s\"",
				   builder->column, builder->table->name);
	else if (builder->column != NULL)
		errcontext("column \"%s\" of foreign table \"%s\", element %ld of the answer",
				   builder->column, builder->table->name, builder->element_number);
}

/*-------------------------------------------------------------------------
 * Setting up
 *-------------------------------------------------------------------------
 */

/* Value of a type's input function for a text in the server's encoding; NULL is NULL. */
static Datum
convert(Maker *maker, char *text)
{
	return InputFunctionCall(&maker->input, text, maker->ioparam, maker->typmod);
}

/*
 * How values of a type are made, if it has no modifier.  The input function of
 * a domain checks its constraints; what it is given is the same as for the
 * type below it.
 */
static Way
way_of(Oid type)
{
	switch (getBaseType(type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return WAY_INTEGER;
		case JSONOID:
		case JSONBOID:
			return WAY_JSON;
	}
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
			return WAY_TEXT;
		case INETOID:
			return WAY_INET;
		case BOOLOID:
			return WAY_BOOLEAN;
		case TIMESTAMPTZOID:
			return WAY_TIMESTAMPTZ;
	}
	return WAY_INPUT;
}

/* Looks up how values of a type are made. */
static void
prepare_maker(Maker *maker, Oid type, int32 typmod)
{
	Oid			function;

	maker->type = type;
	maker->typmod = typmod;
	maker->way = typmod < 0 ? way_of(type) : WAY_INPUT;
	getTypeInputInfo(type, &function, &maker->ioparam);
	fmgr_info(function, &maker->input);
	get_typlenbyvalalign(type, &maker->len, &maker->byval, &maker->align);
}

/* Sets up one column; a constant is converted here, once. */
static void
prepare_column(SgipTupleBuilder *builder, Converter *converter, AttrNumber attnum)
{
	const SgipColumn *column = &builder->table->columns[attnum - 1];
	Oid			item_type = get_base_element_type(column->type);

	converter->attnum = attnum;
	converter->column = column;
	converter->field = sgip_table_field(builder->table, attnum);
	converter->is_array = OidIsValid(get_element_type(column->type));
	prepare_maker(&converter->maker, column->type, column->typmod);
	if (OidIsValid(item_type))
		prepare_maker(&converter->item, item_type, column->typmod);
	else
		prepare_maker(&converter->item, TEXTOID, -1);
	if (column->constant != NULL)
	{
		builder->column = column->name;
		converter->constant = convert(&converter->maker, pstrdup(column->constant));
		builder->column = NULL;
	}
}

SgipTupleBuilder *
sgip_tuple_prepare(const SgipTable *table, Bitmapset *needed)
{
	SgipTupleBuilder *builder = palloc0(sizeof(SgipTupleBuilder));
	ErrorContextCallback callback;

	builder->table = table;
	builder->recode = GetDatabaseEncoding() != PG_UTF8;
	builder->converters = palloc0(table->column_count * sizeof(Converter));
	builder->cleanup.func = free_json;
	builder->cleanup.arg = builder;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &builder->cleanup);

	callback.callback = sgip_tuple_error_context;
	callback.arg = builder;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	for (AttrNumber attnum = 1; attnum <= table->column_count; attnum++)
	{
		if (table->columns[attnum - 1].live && bms_is_member(attnum, needed))
			prepare_column(builder, &builder->converters[builder->count++], attnum);
	}
	error_context_stack = callback.previous;
	return builder;
}

/*-------------------------------------------------------------------------
 * Values
 *-------------------------------------------------------------------------
 */

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

/* A plain IPv4 address, as inet_in() would make it; false if it is none. */
static bool
make_address(SgipSpan text, Datum *value)
{
	inet	   *address;
	uint32		number;

	if (!sgip_parse_ipv4(text, &number))
		return false;
	address = palloc0(sizeof(inet));
	ip_family(address) = PGSQL_AF_INET;
	ip_bits(address) = 32;
	number = pg_hton32(number);
	memcpy(ip_addr(address), &number, sizeof(number));
	SET_INET_VARSIZE(address);
	*value = InetPGetDatum(address);
	return true;
}

/*
 * An integer of few digits, as the type's input function would make it; false
 * if it is none, or does not fit.
 */
static bool
make_integer(Oid type, SgipSpan text, Datum *value)
{
	int64		number;

	if (!sgip_decode_integer(text, &number))
		return false;
	if (type == INT8OID)
		*value = Int64GetDatum(number);
	else if (type == INT4OID && number == (int32) number)
		*value = Int32GetDatum((int32) number);
	else if (type == INT2OID && number == (int16) number)
		*value = Int16GetDatum((int16) number);
	else
		return false;
	return true;
}

/*
 * A whole number that is written in another way, such as 1.0 or 1e6; false if
 * it is none.  What is no number, or one of more digits than any integer has,
 * is left to the type, whose message shows it as it came.
 */
static bool
make_whole(Maker *maker, SgipSpan text, Datum *value)
{
	char	   *copy = pnstrdup(text.data, text.len);
	char	   *exponent = strpbrk(copy, "eE");
	long		power = exponent != NULL ? strtol(exponent + 1, NULL, 10) : 0;
	char	   *end;
	Datum		number;
	Datum		whole;

	if (strspn(copy, "+-.0123456789eE") != text.len || strpbrk(copy, ".eE") == NULL)
		return false;
	if (power > MAX_WHOLE_EXPONENT || power < -MAX_WHOLE_EXPONENT)
		return false;
	(void) strtod(copy, &end);
	if (*end != '\0')
		return false;
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(copy), ObjectIdGetDatum(InvalidOid),
								 Int32GetDatum(-1));
	whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)))
		return false;
	*value = convert(maker, DatumGetCString(DirectFunctionCall1(numeric_out, whole)));
	return true;
}

/* Converts a text of the answer, UTF-8, by the input function. */
static Datum
input_value(const SgipTupleBuilder *builder, Maker *maker, SgipSpan text)
{
	char	   *copy = pnstrdup(text.data, text.len);

	if (builder->recode && !is_ascii(text.data, text.len))
		copy = pg_any_to_server(copy, text.len, PG_UTF8);
	return convert(maker, copy);
}

/* The value of a text of the answer, UTF-8. */
static Datum
make_value(const SgipTupleBuilder *builder, Maker *maker, SgipSpan text)
{
	Datum		value;

	switch (maker->way)
	{
		case WAY_TEXT:
			if (builder->recode && !is_ascii(text.data, text.len))
				break;
			return PointerGetDatum(cstring_to_text_with_len(text.data, text.len));
		case WAY_INET:
			if (make_address(text, &value))
				return value;
			break;
		case WAY_BOOLEAN:
			if (text.len == 4 && memcmp(text.data, "true", 4) == 0)
				return BoolGetDatum(true);
			if (text.len == 5 && memcmp(text.data, "false", 5) == 0)
				return BoolGetDatum(false);
			break;
		case WAY_INTEGER:
			if (make_integer(maker->type, text, &value) || make_whole(maker, text, &value))
				return value;
			break;
		default:
			break;
	}
	return input_value(builder, maker, text);
}

/* Refuses a value that is not what its field can be. */
static void
refuse_value(const SgipField *field)
{
	ereport(ERROR,
			(errcode(SGIP_ERRCODE_NOT_JSON),
			 errmsg("field \"%s\" of the answer has an unexpected form", field->key)));
}

/* A time; *isnull if there is none. */
static Datum
make_moment(const SgipTupleBuilder *builder, Converter *converter, SgipSpan text, bool is_string,
			bool *isnull)
{
	char		iso[SGIP_TIME_BYTES];
	int64		micros = 0;

	switch (sgip_decode_time(text, is_string, &micros))
	{
		case SGIP_TIME_NONE:
			*isnull = true;
			return (Datum) 0;
		case SGIP_TIME_MISFIT:
			refuse_value(converter->field);
			break;
		case SGIP_TIME_TEXT:
			break;
		case SGIP_TIME_MICROS:
			if (converter->maker.way == WAY_TIMESTAMPTZ)
				return TimestampTzGetDatum(micros - UNIX_TO_POSTGRES_MICROS);
			sgip_write_time(micros, iso);
			text.data = iso;
			text.len = strlen(iso);
			break;
	}
	return make_value(builder, &converter->maker, text);
}

/* A list: an array, or what the type's input function makes of the text of one. */
static Datum
make_list(const SgipTupleBuilder *builder, Converter *converter, const SgipElement *element,
		  const SgipNode *list)
{
	Maker	   *item = &converter->item;
	uint32		count = list->kind == SGIP_VALUE_LIST ? list->len : 0;
	const SgipNode *node = list + 1;
	Datum		few[16];
	Datum	   *items = count <= lengthof(few) ? few : palloc(count * sizeof(Datum));
	ArrayType  *array;

	for (uint32 i = 0; i < count; i++, node += node->size)
		items[i] = make_value(builder, item,
							  sgip_node_text(element, sgip_item_part(element, node, converter->field)));
	array = construct_array(items, (int) count, item->type, item->len, item->byval, item->align);
	if (converter->is_array)
		return PointerGetDatum(array);
	return convert(&converter->maker, OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array)));
}

/* The text of a field that is no part of the answer, as JSON. */
static Datum
make_given_json(SgipTupleBuilder *builder, Converter *converter, SgipSpan text)
{
	StringInfoData json;

	if (strcmp(converter->field->type, "text") != 0)
		return input_value(builder, &converter->maker, text);
	initStringInfo(&json);
	escape_json(&json, pnstrdup(text.data, text.len));
	text.data = json.data;
	text.len = json.len;
	return input_value(builder, &converter->maker, text);
}

/* A value as JSON; a list that is null is an empty one. */
static Datum
make_json(SgipTupleBuilder *builder, Converter *converter, const SgipElement *element,
		  const SgipNode *node)
{
	SgipSpan	json;

	builder->json.len = 0;
	if (!(node->kind == SGIP_VALUE_NULL ? sgip_buffer_add(&builder->json, "[]", 2) :
		  sgip_node_write(element, node, &builder->json)))
		sgip_report_no_memory();
	json.data = builder->json.data;
	json.len = builder->json.len;
	return input_value(builder, &converter->maker, json);
}

/*-------------------------------------------------------------------------
 * Rows
 *-------------------------------------------------------------------------
 */

/* The text of a field that is no part of the answer; NULL: it has none. */
static SgipSpan
given_text(const SgipTupleBuilder *builder, const Converter *converter, const SgipRow *row,
		   const SgipSearch *search)
{
	SgipSpan	text = {NULL, 0};

	if (builder->local != NULL && builder->local->field == converter->column->field)
		return builder->found;
	text.data = converter->field->kind == SGIP_KIND_PARENT ? row->parent :
		search->echoed.values[converter->column->field];
	if (text.data == NULL)
		text.data = converter->field->absent;
	if (text.data != NULL)
		text.len = strlen(text.data);
	return text;
}

/* The value of a field; *isnull if it has none. */
static Datum
make_field(SgipTupleBuilder *builder, Converter *converter, const SgipRow *row,
		   const SgipSearch *search, bool *isnull)
{
	const SgipField *field = converter->field;
	const SgipElement *element = row->element;
	const SgipNode *node;
	SgipSpan	text;

	if (field->kind == SGIP_KIND_ARGUMENT || field->kind == SGIP_KIND_PARENT)
	{
		text = given_text(builder, converter, row, search);
		*isnull = text.data == NULL;
		if (*isnull)
			return (Datum) 0;
		return converter->maker.way == WAY_JSON ? make_given_json(builder, converter, text) :
			make_value(builder, &converter->maker, text);
	}
	node = sgip_row_node(row, converter->column->field);
	*isnull = node == NULL || (node->kind == SGIP_VALUE_NULL && field->kind != SGIP_KIND_LIST);
	if (*isnull)
		return (Datum) 0;
	if (converter->maker.way == WAY_JSON)
		return make_json(builder, converter, element, node);
	if (field->kind == SGIP_KIND_LIST)
		return make_list(builder, converter, element, node);
	text = sgip_node_text(element, node);
	if (field->kind == SGIP_KIND_TIME)
		return make_moment(builder, converter, text, node->kind == SGIP_VALUE_STRING, isnull);
	return make_value(builder, &converter->maker, text);
}

/* Is the item of a list one that is searched for?  What is found is echoed in the row. */
static bool
finds_item(SgipTupleBuilder *builder, SgipSpan item)
{
	const SgipLocalSearch *local = builder->local;

	if (local->values != NULL)
	{
		builder->found = item;
		return sgip_string_set_has(local->values, item);
	}
	builder->found.data = local->part;
	builder->found.len = strlen(local->part);
	return memmem(item.data, item.len, local->part, builder->found.len) != NULL;
}

/* Is the item, number "index" of the list, one that came before in it? */
static bool
is_repeated(const SgipRow *row, const SgipNode *list, size_t index, SgipSpan item)
{
	SgipItems	items;

	sgip_items_begin(&items, list);
	while (index-- > 0)
	{
		SgipSpan	other = sgip_node_text(row->element, sgip_items_next(&items));

		if (other.len == item.len && memcmp(other.data, item.data, item.len) == 0)
			return true;
	}
	return false;
}

/*
 * Looks in the element's list, from *position on, for what is searched here:
 * this is how v3 decides about groups.  *position moves behind what is found;
 * a part is looked for once.
 */
static bool
search_locally(SgipTupleBuilder *builder, const SgipRow *row, size_t *position)
{
	int			field = builder->local->field;
	const SgipNode *list = row->members->nodes[row->members->of_field[field]];
	SgipItems	items;
	const SgipNode *item;
	size_t		index = 0;

	if (list == NULL)
		ereport(ERROR,
				(errcode(SGIP_ERRCODE_NOT_JSON),
				 errmsg("field \"%s\" is missing in the answer",
						row->members->task->fields[field].key)));
	sgip_items_begin(&items, list);
	for (; (item = sgip_items_next(&items)) != NULL; index++)
	{
		SgipSpan	text = sgip_node_text(row->element, item);

		/* repeats of an item can be many, behind many others */
		CHECK_FOR_INTERRUPTS();
		if (index < *position || !finds_item(builder, text) || is_repeated(row, list, index, text))
			continue;
		*position = builder->local->values == NULL ? 0 : index + 1;
		return true;
	}
	*position = 0;
	return false;
}

/* Is the row one that this search keeps, rather than another? */
static bool
is_own_row(const SgipOwnRows *own, const Datum *values, const bool *nulls)
{
	const SgipCondition *condition = own->condition;
	Datum		value;

	if (condition == NULL)
		return true;
	if (nulls[condition->attnum - 1])
		return false;
	value = values[condition->attnum - 1];
	if (OidIsValid(condition->text_form))
		value = OidFunctionCall1(condition->text_form, value);
	return DatumGetBool(FunctionCall2Coll(unconstify(FmgrInfo *, &own->equal),
										  condition->collation, value, own->value));
}

void
sgip_tuple_set_local(SgipTupleBuilder *builder, const SgipLocalSearch *local)
{
	builder->local = local->field >= 0 ? local : NULL;
}

bool
sgip_tuple_build(SgipTupleBuilder *builder, const SgipRow *row, const SgipSearch *search,
				 size_t *position, Datum *values, bool *nulls)
{
	if (builder->local != NULL && !search_locally(builder, row, position))
		return false;

	memset(nulls, true, builder->table->column_count * sizeof(bool));
	builder->element_number = row->element->number;
	for (int i = 0; i < builder->count; i++)
	{
		Converter  *converter = &builder->converters[i];
		Datum	   *value = &values[converter->attnum - 1];
		bool	   *isnull = &nulls[converter->attnum - 1];

		*isnull = false;
		builder->column = converter->column->name;
		*value = converter->field == NULL ? converter->constant :
			make_field(builder, converter, row, search, isnull);
		/* the input function of a domain may refuse NULL */
		if (*isnull && !converter->maker.input.fn_strict)
			*value = convert(&converter->maker, NULL);
	}
	builder->column = NULL;
	return is_own_row(&search->own, values, nulls);
}
