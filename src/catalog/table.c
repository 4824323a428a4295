/*-------------------------------------------------------------------------
 *
 * table.c
 *		A foreign table as the catalogue sees it.
 *
 * Brings together what the catalogue offers and what the user declared:
 * any subset and order of columns, under names of their own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_attribute.h"
#include "foreign/fdwapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "catalog/table.h"
#include "compat.h"

/* "ip, user (column username), …": the fields of a task, for a hint. */
static char *
list_fields(const SgipTask *task)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < task->field_count; i++)
	{
		const SgipField *field = &task->fields[i];

		appendStringInfo(&buf, "%s\"%s\"", i > 0 ? ", " : "", field->name);
		if (strcmp(field->name, field->column) != 0)
			appendStringInfo(&buf, " (or \"%s\")", field->column);
	}
	return buf.data;
}

/*
 * HINT for a table of the other api_version: commands that drop it and import
 * the one of the server's, if there is one, or that change the server.
 */
static int
mixed_hint(const SgipTable *table, const char *task_name)
{
	const SgipTask *task = sgip_task_find(table->server->api, task_name);
	StringInfoData commands;
	const char *schema = quote_identifier(get_namespace_name(get_rel_namespace(table->id)));

	initStringInfo(&commands);
	appendStringInfo(&commands, "DROP FOREIGN TABLE %s.%s;", schema, quote_identifier(table->name));
	if (task != NULL)
		appendStringInfo(&commands, " IMPORT FOREIGN SCHEMA " SGIP_REMOTE_SCHEMA " LIMIT TO (%s) FROM SERVER %s INTO %s;",
						 task->table, quote_identifier(table->server->name), schema);
	return errhint("%s", sgip_option_version_hint(table->server, commands.data));
}

/* The task of a table; raises an error if the server's API has none so named. */
static const SgipTask *
find_task(const SgipTable *table, const char *name)
{
	const SgipTask *task = sgip_task_find(table->server->api, name);

	if (task == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("foreign table \"%s\" has task \"%s\", which api_version %s does not have",
						table->name, name, sgip_task_api_name(table->server->api)),
				 mixed_hint(table, name)));
	return task;
}

/* Does the task have that field in the other api_version? */
static bool
is_field_of_other(const SgipTask *task, const char *name)
{
	const SgipTask *other = sgip_task_find(SGIP_OTHER_API(task->api), task->name);

	return other != NULL && sgip_task_find_field(other, name) >= 0;
}

/* Fills in one column from its declaration and its options. */
static void
describe_column(const SgipTable *table, Form_pg_attribute attr, SgipColumn *column)
{
	const char *field_name;

	column->live = !attr->attisdropped && !sgip_is_virtual(attr);
	column->field = -1;
	if (!column->live)
		return;

	field_name = sgip_option_column(table->id, attr->attnum, &column->constant, &column->match);
	column->name = pstrdup(NameStr(attr->attname));
	column->type = attr->atttypid;
	column->typmod = attr->atttypmod;
	if (column->constant != NULL)
		return;

	if (field_name == NULL)
		field_name = column->name;
	column->field = sgip_task_find_field(table->task, field_name);
	if (column->field < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
				 errmsg("column \"%s\" of foreign table \"%s\" names no field of task \"%s\"",
						column->name, table->name, table->task->name),
				 is_field_of_other(table->task, field_name) ? mixed_hint(table, table->task->name) :
				 errhint("Fields of this task are %s; the column option \"field\" says which one a column is, "
						 "\"constant\" gives it a fixed value.", list_fields(table->task))));
	if (column->match == SGIP_MATCH_NONE)
		column->match = table->task->fields[column->field].match;
}

SgipTable *
sgip_table_describe(Oid table_id)
{
	SgipTable  *table = palloc0(sizeof(SgipTable));
	Relation	rel = table_open(table_id, NoLock);
	TupleDesc	desc = RelationGetDescr(rel);

	table->id = table_id;
	table->name = pstrdup(RelationGetRelationName(rel));
	table->server = sgip_option_server(GetForeignServerIdByRelId(table_id));
	table->task = find_task(table, sgip_option_table(table_id, table->server));
	table->column_count = desc->natts;
	table->columns = palloc0(desc->natts * sizeof(SgipColumn));
	for (int i = 0; i < desc->natts; i++)
	{
		describe_column(table, TupleDescAttr(desc, i), &table->columns[i]);
		if (table->columns[i].field >= 0 &&
			table->task->fields[table->columns[i].field].kind == SGIP_KIND_ARGUMENT)
			table->search = bms_add_member(table->search, i + 1);
	}

	table_close(rel, NoLock);
	return table;
}

const SgipField *
sgip_table_field(const SgipTable *table, AttrNumber attnum)
{
	int			field;

	if (attnum < 1 || attnum > table->column_count)
		return NULL;
	field = table->columns[attnum - 1].field;
	return field < 0 ? NULL : &table->task->fields[field];
}
