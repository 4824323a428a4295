/*-------------------------------------------------------------------------
 *
 * table.h
 *		A foreign table as the catalogue sees it: its task, and which field
 *		each column is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_TABLE_H
#define SGIP_TABLE_H

#include "nodes/bitmapset.h"

#include "catalog/option.h"

typedef struct SgipColumn
{
	bool		live;			/* false: dropped, or PostgreSQL computes it */
	const char *name;
	Oid			type;
	int32		typmod;
	int			field;			/* index into the task's fields, -1: constant */
	const char *constant;		/* value of every row, or NULL */
	SgipMatch	match;			/* how the API compares this column's
								 * parameter */
} SgipColumn;

typedef struct SgipTable
{
	Oid			id;
	const char *name;
	SgipServer *server;			/* with the table's own options */
	const SgipTask *task;
	int			column_count;
	SgipColumn *columns;		/* by attribute number - 1 */
	Bitmapset  *search;			/* attribute numbers of search columns */
} SgipTable;

/*
 * Describes a foreign table that the caller has locked; palloc'd.  Raises
 * HV005 for a column that names no field of the table's task (its message
 * names the column, the table and the fields that exist), HV024 for a task
 * that the server's API does not have.
 */
extern SgipTable *sgip_table_describe(Oid table_id);

/* The field of a column, or NULL for a constant or dropped one */
extern const SgipField *sgip_table_field(const SgipTable *table, AttrNumber attnum);

#endif							/* SGIP_TABLE_H */
