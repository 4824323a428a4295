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

#include "task.h"

/* Defaults that are also documented in the README */
#define SGIP_DEFAULT_STARTUP_COST 100.0
#define SGIP_DEFAULT_TUPLE_COST 0.2

/* Options of a foreign server; strings are palloc'd */
typedef struct SgipServer
{
	Oid			id;
	char	   *name;
	SgipApi		api;
	bool		api_is_set;		/* api_version stands in the server's options */
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
	char	   *on_behalf_of;	/* v3, or NULL; a mapping's own comes first */
	bool		async_capable;
	double		startup_cost;
	double		tuple_cost;
} SgipServer;

/* What a user mapping says */
typedef struct SgipCredentials
{
	Oid			user_id;		/* whose mapping was looked for */
	Oid			mapping_id;		/* the mapping found; PUBLIC's perhaps */
	char	   *api_user;		/* v2 */
	char	   *api_key;		/* never NULL or empty */
	char	   *on_behalf_of;	/* v3, or NULL */
} SgipCredentials;

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

/*
 * Credentials that this user has for the server: own mapping, or PUBLIC's.
 * api_key_file is read now.  Raises 28000 when there is none.  The caller
 * hands the result to sgip_option_forget when it has been used.
 */
extern SgipCredentials *sgip_option_credentials(const SgipServer *server, Oid user_id);

/* Raises 08001 if ca_file names what cannot be read like a file */
extern void sgip_option_check_ca_file(const SgipServer *server);

/* Wipes the credentials; the struct must not be used afterwards.  NULL is harmless */
extern void sgip_option_forget(SgipCredentials *credentials);

/* Match named by the column option, which the validator has checked */
extern SgipMatch sgip_option_match(const char *name);

#endif							/* SGIP_OPTION_H */
