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

/* Options of a foreign server, or of one of its tables over these */
typedef struct SgipServer
{
	Oid			id;
	const char *name;
	SgipApi		api;
	const char *base_url;		/* without a trailing slash */
	const char *resource;		/* v2 */
	bool		post;			/* v2: parameters are sent in a form body */
	bool		keep_connections;
	int			connect_timeout_ms;
	int			read_timeout_ms;
	int			max_retries;
	int			max_retry_wait_ms;
	int			max_concurrency;
	int			page_size;		/* v3; at most the task's page_max */
	const char *ca_file;		/* or NULL */
	const char *proxy;			/* or NULL */
	const char *on_behalf_of;	/* v3, or NULL; in the database's encoding */
	bool		async_capable;
	bool		analyzable;
	double		startup_cost;
	double		tuple_cost;
	bool		hides_values;	/* the role that reads messages may not use
								 * the server: it may not see what others ask
								 * it for */
} SgipServer;

/* Options of IMPORT FOREIGN SCHEMA */
typedef struct SgipImportOptions
{
	const char *prefix;			/* "" when absent */
	const char *account;		/* or NULL */
	bool		search_columns;
	const char *ip_type;		/* of addresses: inet or text */
} SgipImportOptions;

/*
 * The server's options; they live as long as the current memory context, and
 * not beyond the transaction.  They are read once in a session, until a server
 * is changed.  Raises the validator's errors too, since a wrapper can be
 * created without it.
 */
extern SgipServer *sgip_option_server(Oid server_id);

/*
 * "ALTER SERVER ...;" that switches the server to api and drops the options
 * that only the other version has; for a hint, palloc'd
 */
extern char *sgip_option_alter_server(const SgipServer *server, SgipApi api);

/*
 * The two ways out of a mixture of the versions, for a hint: "commands",
 * which bring the rest to the server's version, or its ALTER SERVER; palloc'd
 */
extern char *sgip_option_version_hint(const SgipServer *server, const char *commands);

/*
 * What is wrong with a key of len bytes, as the predicate of a sentence about
 * it; a static string, NULL if nothing is.  A v2 password may be anything
 * without control characters and surrounding blanks.
 */
extern const char *sgip_option_key_problem(const char *key, size_t len, SgipApi api);

/* A list separated by blanks as "a", "b", "c" for a hint; palloc'd */
extern char *sgip_option_quote_words(const char *list);

/*
 * The word of a list separated by blanks that name could be a misspelling of;
 * palloc'd, or NULL
 */
extern char *sgip_option_closest(const char *list, const char *name);

/*
 * Length of the control character that the string p begins with, 0 if it is
 * none.  In UTF-8 U+0080 to U+009F are some, too: terminals obey them
 */
extern int	sgip_control_bytes(const char *p);

/* Value of an option in a list of DefElems, or NULL */
extern char *sgip_option_value(List *options, const char *name);

/* Raises HV024 if the value, read elsewhere, is not legal for the option */
extern void sgip_option_check(const char *name, const char *value);

/*
 * The task of a foreign table; palloc'd.  Its other options replace those of
 * *server.  Raises HV00J without a task, and the validator's errors
 */
extern const char *sgip_option_table(Oid table_id, SgipServer *server);

/*
 * Options of one column of a foreign table: the field that it names, its
 * constant, how it is compared; NULL or NONE when absent, strings are
 * palloc'd.  Raises the validator's errors
 */
extern const char *sgip_option_column(Oid table_id, AttrNumber attnum,
									  const char **constant, SgipMatch *how);

/* Options of an IMPORT FOREIGN SCHEMA; raises the validator's errors */
extern void sgip_option_import(List *defelems, SgipApi api, SgipImportOptions *options);

/*
 * Raises 08001 if ca_file is no regular file of a plausible size: libcurl
 * would wait for ever if it is a pipe, out of reach of a cancel.  Other
 * problems with the file are left to libcurl
 */
extern void sgip_option_check_ca_file(const SgipServer *server);

#endif							/* SGIP_OPTION_H */
