/*-------------------------------------------------------------------------
 *
 * option.h
 *		Options of wrapper, server, user mapping, foreign table and column:
 *		validated when the DDL runs, read as typed structs afterwards.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_OPTION_H
#define SGIP_OPTION_H

#include "access/attnum.h"
#include "nodes/pg_list.h"

#include "catalog/task.h"

/* Defaults that are also documented in the README */
#define SGIP_DEFAULT_STARTUP_COST 100.0
#define SGIP_DEFAULT_TUPLE_COST 0.2

/* Options of a foreign server; strings are palloc'd */
typedef struct SgipServer
{
	Oid			id;
	char	   *name;
	SgipApi		api;
	char	   *base_url;		/* without a trailing slash */
	bool		base_url_is_set;
	char	   *resource;		/* v2 */
	bool		post;			/* v2: parameters travel in a form body */
	int			connect_timeout_ms;
	int			read_timeout_ms;
	int			max_retries;
	int			max_retry_wait_ms;
	int			max_concurrency;
	int			page_size;		/* v3 */
	char	   *ca_file;		/* or NULL */
	char	   *proxy;			/* or NULL */
	char	   *on_behalf_of;	/* v3, or NULL; in the database's encoding */
	bool		async_capable;
	double		startup_cost;
	double		tuple_cost;
} SgipServer;

/* Options of a foreign table, over the server's */
typedef struct SgipTableOptions
{
	char	   *task;			/* never NULL */
	bool		async_capable;
	double		startup_cost;
	double		tuple_cost;
} SgipTableOptions;

/* Options of a column; each NULL when absent */
typedef struct SgipColumnOptions
{
	char	   *field;
	char	   *constant;
	char	   *match;
} SgipColumnOptions;

/* Options of IMPORT FOREIGN SCHEMA */
typedef struct SgipImportOptions
{
	char	   *prefix;			/* "" when absent */
	char	   *account;		/* or NULL */
	bool		search_columns;
} SgipImportOptions;

/* The server's options; raises an error if the server does not exist */
extern SgipServer *sgip_option_server(Oid server_id);

/* Options of a foreign table; defaults come from its server */
extern void sgip_option_table(Oid table_id, const SgipServer *server,
							  SgipTableOptions *options);

/* Options of one column of a foreign table */
extern void sgip_option_column(Oid table_id, AttrNumber attnum,
							   SgipColumnOptions *options);

/* Options of an IMPORT FOREIGN SCHEMA; raises the validator's errors */
extern void sgip_option_import(List *defelems, SgipImportOptions *options);

/* Raises 08001 if ca_file names what cannot be read like a file */
extern void sgip_option_check_ca_file(const SgipServer *server);

/* Match named by the column option, which the validator has checked */
extern SgipMatch sgip_option_match(const char *name);

#endif							/* SGIP_OPTION_H */
