/*-------------------------------------------------------------------------
 *
 * import.c
 *		IMPORT FOREIGN SCHEMA from the catalogue.
 *
 * Does not contact the API: the tables are those of the server's
 * api_version.  LIMIT TO and EXCEPT use the catalogue's names, without the
 * prefix.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "plan/import.h"
#include "catalog/option.h"

/*
 * Appends one column definition.  It always says which field the column is, so
 * that a column can be renamed.
 */
static void
append_column(StringInfo buf, const SgipField *field, const char *ip_type)
{
	const char *is_inet = strncmp(field->type, "inet", 4) == 0 ? field->type + 4 : NULL;

	appendStringInfo(buf, "%s\n\t%s %s%s OPTIONS (field %s)", buf->data[buf->len - 1] == '(' ? "" : ",",
					 quote_identifier(field->column), is_inet ? ip_type : field->type, is_inet ? is_inet : "",
					 quote_literal_cstr(field->name));
}

/* The CREATE FOREIGN TABLE of a task. */
static char *
create_table(const SgipTask *task, const ImportForeignSchemaStmt *stmt,
			 const SgipImportOptions *options)
{
	StringInfoData buf;
	char	   *table = psprintf("%s%s", options->prefix, task->table);

	if (strlen(table) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("table name \"%s\" is too long", table),
				 errhint("Choose a shorter option \"prefix\".")));

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE FOREIGN TABLE %s.%s (",
					 quote_identifier(stmt->local_schema), quote_identifier(table));
	if (options->account != NULL)
		appendStringInfo(&buf, "\n\taccount text OPTIONS (constant %s)",
						 quote_literal_cstr(options->account));
	for (int i = 0; i < task->field_count; i++)
	{
		if (options->search_columns || task->fields[i].kind != SGIP_KIND_ARGUMENT)
			append_column(&buf, &task->fields[i], options->ip_type);
	}
	appendStringInfo(&buf, "\n) SERVER %s OPTIONS (task %s)",
					 quote_identifier(stmt->server_name), quote_literal_cstr(task->name));
	return buf.data;
}

/*
 * Refuses a name in LIMIT TO or EXCEPT that is no table of the server's
 * api_version: a misspelling would silently have no effect.  The hint also
 * covers a name with the prefix.
 */
static void
check_names(const ImportForeignSchemaStmt *stmt, const SgipServer *server, const char *prefix)
{
	StringInfoData tables;
	StringInfoData others;
	int			count;
	const SgipTask *tasks = sgip_task_list(&count);
	ListCell   *lc;

	initStringInfo(&tables);
	initStringInfo(&others);
	for (int i = 0; i < count; i++)
	{
		StringInfo	list = tasks[i].api == server->api ? &tables : &others;

		appendStringInfo(list, "%s%s", list->len > 0 ? " " : "", tasks[i].table);
	}
	foreach(lc, stmt->table_list)
	{
		const char *name = lfirst_node(RangeVar, lc)->relname;
		size_t		len = strlen(prefix);
		const char *closest;

		if (sgip_task_has_word(tables.data, name))
			continue;
		if (strncmp(name, prefix, len) == 0 && sgip_task_has_word(tables.data, name + len))
			closest = name + len;
		else
			closest = sgip_option_closest(tables.data, name);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
				 errmsg("table \"%s\" is not present on server \"%s\"", name, server->name),
				 sgip_task_has_word(others.data, name) ?
				 errhint("It is one of api_version %s: %s", sgip_task_api_name(SGIP_OTHER_API(server->api)),
						 sgip_option_alter_server(server, SGIP_OTHER_API(server->api))) :
				 closest ? errhint("Perhaps you meant the table \"%s\"; names are without the prefix.", closest) :
				 errhint("Tables of api_version %s are %s.", sgip_task_api_name(server->api), sgip_option_quote_words(tables.data))));
	}
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
	int			count;
	const SgipTask *tasks = sgip_task_list(&count);

	if (strcmp(stmt->remote_schema, SGIP_REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("schema \"%s\" is not present on server \"%s\"",
						stmt->remote_schema, server->name),
				 errhint("The only remote schema is \"%s\".", SGIP_REMOTE_SCHEMA)));
	sgip_option_import(stmt->options, server->api, &options);
	check_names(stmt, server, options.prefix);

	for (int i = 0; i < count; i++)
	{
		if (tasks[i].api == server->api && IsImportableForeignTable(tasks[i].table, stmt))
			commands = lappend(commands, create_table(&tasks[i], stmt, &options));
	}

	/* the caller would check the names it finds in the commands again */
	stmt->list_type = FDW_IMPORT_SCHEMA_ALL;
	return commands;
}
