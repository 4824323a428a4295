/*-------------------------------------------------------------------------
 *
 * import.c
 *		IMPORT FOREIGN SCHEMA from the catalogue.
 *
 * Nothing is asked of the API: the tables are those of the server's
 * api_version.  LIMIT TO and EXCEPT name them as the catalogue does, without
 * the prefix.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"

#include "plan/import.h"
#include "catalog/option.h"

/* Appends one column definition. */
static void
append_column(StringInfo buf, const SgipField *field, bool *first)
{
	appendStringInfo(buf, "%s\n\t%s %s", *first ? "" : ",",
					 quote_identifier(field->column), field->type);
	*first = false;
	if (strcmp(field->column, field->name) != 0)
		appendStringInfo(buf, " OPTIONS (field %s)", quote_literal_cstr(field->name));
}

/* The CREATE FOREIGN TABLE of a task. */
static char *
create_table(const SgipTask *task, const ImportForeignSchemaStmt *stmt,
			 const SgipImportOptions *options)
{
	StringInfoData buf;
	char	   *table = psprintf("%s%s", options->prefix, task->table);
	bool		first = true;

	if (strlen(table) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("table name \"%s\" is too long", table),
				 errhint("Choose a shorter option \"prefix\".")));

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE FOREIGN TABLE %s.%s (",
					 quote_identifier(stmt->local_schema), quote_identifier(table));
	if (options->account != NULL)
	{
		appendStringInfo(&buf, "\n\taccount text OPTIONS (constant %s)",
						 quote_literal_cstr(options->account));
		first = false;
	}
	for (int i = 0; i < task->field_count; i++)
	{
		if (options->search_columns || task->fields[i].kind != SGIP_KIND_ARGUMENT)
			append_column(&buf, &task->fields[i], &first);
	}
	appendStringInfo(&buf, "\n) SERVER %s OPTIONS (task %s)",
					 quote_identifier(stmt->server_name), quote_literal_cstr(task->name));
	return buf.data;
}

/*
 * Commands that create the tables of the server's api_version.  PostgreSQL
 * applies LIMIT TO and EXCEPT to the names in the commands, which have the
 * prefix; so they are applied here, to the names that users know.
 */
List *
sgipImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid)
{
	SgipServer *server = sgip_option_server(serverOid);
	SgipImportOptions options;
	List	   *commands = NIL;
	List	   *allowed = NIL;
	int			count;
	const SgipTask *tasks = sgip_task_list(&count);

	if (strcmp(stmt->remote_schema, SGIP_REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("schema \"%s\" is not present on server \"%s\"",
						stmt->remote_schema, server->name),
				 errhint("The only remote schema is \"%s\".", SGIP_REMOTE_SCHEMA)));
	sgip_option_import(stmt->options, &options);

	for (int i = 0; i < count; i++)
	{
		const SgipTask *task = &tasks[i];
		bool		listed = false;
		ListCell   *lc;

		if (task->api != server->api)
			continue;
		foreach(lc, stmt->table_list)
			listed |= strcmp(lfirst_node(RangeVar, lc)->relname, task->table) == 0;
		if ((stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO && !listed) ||
			(stmt->list_type == FDW_IMPORT_SCHEMA_EXCEPT && listed))
			continue;
		commands = lappend(commands, create_table(task, stmt, &options));
		allowed = lappend(allowed,
						  makeRangeVar(NULL, psprintf("%s%s", options.prefix, task->table), -1));
	}

	/* the caller checks the names it finds in the commands against the list */
	if (stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO)
		stmt->table_list = allowed;
	else if (stmt->list_type == FDW_IMPORT_SCHEMA_EXCEPT)
		stmt->list_type = FDW_IMPORT_SCHEMA_ALL;
	return commands;
}
