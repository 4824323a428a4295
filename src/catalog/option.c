/*-------------------------------------------------------------------------
 *
 * option.c
 *		Options of server, user mapping, foreign table and column.
 *
 * One table lists every option with the objects it belongs to and the kind
 * of value it takes; the validator is a loop over it.  Adding an option is
 * adding a row, and a line where it is read.  What an option means for a
 * request is decided elsewhere.
 *
 * Validation looks at syntax only: it never contacts a host and never needs
 * another object to exist, so that pg_dump's output always restores.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <limits.h>
#include <math.h>
#include <sys/stat.h>

#include "access/reloptions.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "common/string.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "catalog/option.h"
#include "compat.h"
#include "http/http.h"

/*
 * Largest file of trust anchors.  That of Debian, with all public
 * authorities, has 220 kB.
 */
#define MAX_CA_FILE_BYTES (4 * 1024 * 1024)

/* Most misspelt letters for which another option is still proposed */
#define MAX_TYPO_DISTANCE 4

/* Objects that have options, as bits */
enum
{
	ON_SERVER = 1,
	ON_MAPPING = 2,
	ON_TABLE = 4,
	ON_COLUMN = 8,
	ON_IMPORT = 16
};

/* Kinds of values */
typedef enum OptionKind
{
	KIND_TEXT,					/* anything without control characters */
	KIND_BOOLEAN,
	KIND_COUNT,					/* whole number from min to max */
	KIND_DURATION,				/* time from min to max milliseconds */
	KIND_COST,					/* number not below zero */
	KIND_CHOICE,				/* one of the words in "choices" */
	KIND_TASK,					/* name of a task of any api_version */
	KIND_FIELD,					/* name of a field of any task */
	KIND_URL,					/* base_url */
	KIND_PROXY,
	KIND_HEADER,				/* value of a header */
	KIND_RESOURCE,
	KIND_KEY_FILE				/* absolute path */
} OptionKind;

typedef struct OptionRow
{
	const char *name;
	int			objects;		/* ON_ bits */
	OptionKind	kind;
	int			min;
	int			max;
	const char *choices;		/* separated by blanks */
	const char *api;			/* the only api_version that has it, or NULL */
} OptionRow;

/*
 * Every option.  An hour bounds all durations: a query that waits longer for
 * one answer is a mistake, and larger values could overflow timers.
 * page_size may be as large as the largest page of any listing (5,000); a
 * listing whose pages are smaller gets its own maximum.
 */
#define OPTION(option_name, where, what, ...) \
	{.name = option_name, .objects = where, .kind = what, ##__VA_ARGS__}

static const OptionRow option_rows[] = {
	OPTION("api_version", ON_SERVER, KIND_CHOICE, .choices = "v2 v3"),
	OPTION("base_url", ON_SERVER, KIND_URL),
	OPTION("allow_http", ON_SERVER, KIND_BOOLEAN),
	OPTION("resource", ON_SERVER, KIND_RESOURCE, .api = "v2"),
	OPTION("http_method", ON_SERVER, KIND_CHOICE, .choices = "get post", .api = "v2"),
	OPTION("keep_connections", ON_SERVER, KIND_BOOLEAN),
	OPTION("connect_timeout", ON_SERVER, KIND_DURATION, .min = 1, .max = 3600000),
	OPTION("read_timeout", ON_SERVER, KIND_DURATION, .min = 1, .max = 3600000),
	OPTION("max_retries", ON_SERVER, KIND_COUNT, .min = 0, .max = 100),
	OPTION("max_retry_wait", ON_SERVER, KIND_DURATION, .min = 0, .max = 3600000),
	OPTION("max_concurrency", ON_SERVER, KIND_COUNT, .min = 1, .max = 64),
	OPTION("page_size", ON_SERVER, KIND_COUNT, .min = 1, .max = 5000, .api = "v3"),
	OPTION("ca_file", ON_SERVER, KIND_TEXT),
	OPTION("proxy", ON_SERVER, KIND_PROXY),
	OPTION("on_behalf_of", ON_SERVER | ON_MAPPING, KIND_HEADER, .api = "v3"),
	OPTION("api_user", ON_MAPPING, KIND_TEXT, .api = "v2"),
	OPTION("api_key", ON_MAPPING, KIND_TEXT),
	OPTION("api_key_file", ON_MAPPING, KIND_KEY_FILE),
	OPTION("task", ON_TABLE, KIND_TASK),
	OPTION("async_capable", ON_SERVER | ON_TABLE, KIND_BOOLEAN),
	OPTION("analyzable", ON_SERVER | ON_TABLE, KIND_BOOLEAN),
	OPTION("fdw_startup_cost", ON_SERVER | ON_TABLE, KIND_COST),
	OPTION("fdw_tuple_cost", ON_SERVER | ON_TABLE, KIND_COST),
	OPTION("field", ON_COLUMN, KIND_FIELD),
	OPTION("constant", ON_COLUMN, KIND_TEXT),
	OPTION("match", ON_COLUMN, KIND_CHOICE, .choices = "exact prefix anywhere"),
	OPTION("prefix", ON_IMPORT, KIND_TEXT),
	OPTION("ip_type", ON_IMPORT, KIND_CHOICE, .choices = "inet text"),
	OPTION("search_columns", ON_IMPORT, KIND_BOOLEAN),
	OPTION("account", ON_IMPORT, KIND_TEXT)
};

/* A server whose options were read and checked; its id is the key */
typedef struct KnownServer
{
	SgipServer	server;
	MemoryContext context;		/* of its strings */
} KnownServer;

/* Those of this session, since one was changed; NULL: not made yet */
static HTAB *known_servers = NULL;

PG_FUNCTION_INFO_V1(sgip_fdw_validator);

/* The ON_ bit of a catalog, and what messages call such an object. */
static int
object_of_catalog(Oid catalog, const char **noun)
{
	switch (catalog)
	{
		case ForeignServerRelationId:
			*noun = "a server";
			return ON_SERVER;
		case UserMappingRelationId:
			*noun = "a user mapping";
			return ON_MAPPING;
		case ForeignTableRelationId:
			*noun = "a foreign table";
			return ON_TABLE;
		case AttributeRelationId:
			*noun = "a column";
			return ON_COLUMN;
		default:
			*noun = "the foreign-data wrapper";
			return 0;
	}
}

int
sgip_control_bytes(const char *p)
{
	if ((unsigned char) p[0] < ' ' || p[0] == 127)
		return 1;
	return GetDatabaseEncoding() == PG_UTF8 && p[0] == '\xC2' && ((unsigned char) p[1] & 0xE0) == 0x80 ? 2 : 0;
}

/* The row of that option for that object, or NULL. */
static const OptionRow *
find_option(const char *name, int object)
{
	for (int i = 0; i < (int) lengthof(option_rows); i++)
	{
		if ((option_rows[i].objects & object) && strcmp(option_rows[i].name, name) == 0)
			return &option_rows[i];
	}
	return NULL;
}

char *
sgip_option_closest(const char *list, const char *name)
{
	const char *lower = asc_tolower(name, strlen(name));
	char	   *closest = NULL;
	int			closest_distance = Min(MAX_TYPO_DISTANCE, (int) strlen(name) / 2) + 1;

	/* varstr_levenshtein takes no more than 255 characters */
	for (const char *p = list; strlen(name) < NAMEDATALEN && *p; p += strspn(p, " "))
	{
		size_t		len = strcspn(p, " ");
		int			distance = varstr_levenshtein_less_equal(lower, strlen(lower), p, len, 1, 1, 1,
															 MAX_TYPO_DISTANCE, true);

		if (distance < closest_distance)
		{
			closest = pnstrdup(p, len);
			closest_distance = distance;
		}
		p += len;
	}
	return closest;
}

char *
sgip_option_quote_words(const char *list)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '"');
	for (const char *p = list; *p; p++)
	{
		if (*p == ' ')
			appendStringInfoString(&buf, "\", \"");
		else
			appendStringInfoChar(&buf, *p);
	}
	appendStringInfoChar(&buf, '"');
	return buf.data;
}

/*
 * Refuses an unknown option.  The hint names the closest one if it could be a
 * typing error, else lists all.
 */
static void
report_unknown_option(const char *name, int object, const char *noun)
{
	StringInfoData list;
	const char *closest;

	initStringInfo(&list);
	for (int i = 0; i < (int) lengthof(option_rows); i++)
	{
		if (option_rows[i].objects & object)
			appendStringInfo(&list, "%s%s", list.len > 0 ? " " : "", option_rows[i].name);
	}
	closest = sgip_option_closest(list.data, name);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\" for %s", name, noun),
			 closest ? errhint("Perhaps you meant the option \"%s\".", closest) :
			 list.len > 0 ? errhint("Valid options for %s are %s.", noun, sgip_option_quote_words(list.data)) :
			 errhint("There are no valid options for %s.", noun)));
}

/* Raises HV024 for a bad value; the hint states the legal ones. */
static void
report_bad_value(const OptionRow *row, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"%s\"", row->name),
			 errhint("%s", hint)));
}

/* Names of all tasks, or (fields) of all fields, separated by blanks. */
static char *
catalogue_names(bool fields)
{
	StringInfoData buf;
	int			count;
	const SgipTask *tasks = sgip_task_list(&count);

	initStringInfo(&buf);
	for (int i = 0; i < count; i++)
	{
		for (int j = 0; j < (fields ? tasks[i].field_count : 1); j++)
		{
			const char *name = fields ? tasks[i].fields[j].name : tasks[i].name;

			if (!sgip_task_has_word(buf.data, name))
				appendStringInfo(&buf, "%s%s", buf.len > 0 ? " " : "", name);
		}
	}
	return buf.data;
}

/* Is name the API's or the default column's name of a field of any task? */
static bool
is_field(const char *name)
{
	int			count;
	const SgipTask *tasks = sgip_task_list(&count);

	for (int i = 0; i < count; i++)
	{
		if (sgip_task_find_field(&tasks[i], name) >= 0)
			return true;
	}
	return false;
}

/* Is that the URL of a loopback address? */
static bool
is_loopback(const char *value)
{
	SgipHttpUrl url;
	struct in_addr address;

	if (!sgip_http_parse_url(value, false, &url))
		return false;
	if (inet_pton(AF_INET, url.host, &address) == 1)
		return ntohl(address.s_addr) >> 24 == 127;
	return pg_strcasecmp(url.host, "localhost") == 0 || strcmp(url.host, "[::1]") == 0;
}

/*
 * What is wrong with a base_url, as a hint; NULL if nothing.  Paths are put
 * behind it, so it must end in its own, and libcurl is more tolerant about
 * slashes than what reads it elsewhere.
 */
static const char *
problem_of_url(const char *value)
{
	SgipHttpUrl url;
	const char *rest;

	if (strchr(value, '@') != NULL)
		return "The URL must not contain a user or password; they belong to the user mapping.";
	if (strpbrk(value, "?#") != NULL)
		return "The URL must not contain a query or fragment; only scheme, host, port and path.";
	if (pg_is_ascii(value) && sgip_http_parse_url(value, false, &url) &&
		(strcmp(url.scheme, "https") == 0 || strcmp(url.scheme, "http") == 0))
	{
		rest = value + strlen(url.scheme);
		if (strncmp(rest, "://", 3) == 0 && rest[3] != '/')
			return NULL;
	}
	return "The URL must have the form https://host[:port][/path] (or http:// for a loopback host), in ASCII.";
}

/*
 * Does libcurl accept this as a proxy?  Its messages about others quote them,
 * password included.
 */
static bool
is_proxy(const char *value)
{
	SgipHttpUrl url;

	return value[0] == '\0' ||
		(pg_is_ascii(value) && strpbrk(value, "?#") == NULL &&
		 sgip_http_parse_url(value, true, &url) && strcmp(url.path, "/") == 0 &&
		 sgip_task_has_word("http https socks4 socks4a socks5 socks5h", url.scheme));
}

/*
 * Does the value begin or end with a blank?  These would be lost in a header,
 * and a value of nothing but blanks would not be sent at all: the request
 * would be for another account than the option says.
 */
static bool
has_outer_blank(const char *value, size_t len)
{
	return len > 0 && (value[0] == ' ' || value[len - 1] == ' ');
}

const char *
sgip_option_key_problem(const char *key, size_t len, SgipApi api)
{
	if (memchr(key, '\0', len) != NULL)
		return "holds NUL bytes, as a text in UTF-16 does";
	if (memchr(key, '\n', len) != NULL || memchr(key, '\r', len) != NULL)
		return "holds more than one line";
	if (has_outer_blank(key, len))
		return "begins or ends with a blank";
	for (size_t i = 0; i < len; i++)
	{
		if ((unsigned char) key[i] < ' ' || key[i] == 127)
			return "holds control characters";
	}
	if (api == SGIP_API_V3 && pg_strncasecmp(key, "Bearer ", 7) == 0)
		return "begins with \"Bearer \", which is not part of a key";
	return NULL;
}

/*
 * Checks that apply when an option is set, and not when it is read.  A file
 * named by api_key_file is read with the server's rights, so only roles that
 * could read it anyway may name one.  Server options can be read by every
 * role, so a password in one deserves a warning.
 */
static void
check_setter(const OptionRow *row, const char *value)
{
	if (row->kind == KIND_KEY_FILE && !has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set the option \"%s\"", row->name),
				 errhint("Only roles with privileges of the role pg_read_server_files may set it.")));
	if (row->kind == KIND_PROXY && strchr(value, '@') != NULL)
		ereport(WARNING,
				(errmsg("every role of this database can read the password in the option \"%s\"", row->name),
				 errdetail("Options of servers are shown by the system catalog pg_foreign_server.")));
}

/*
 * Raises HV024 unless the value is legal for the option.  Control characters
 * never are: a line break would begin another header, and what a terminal
 * obeys must not come into messages that others read.
 */
static void
check_value(const OptionRow *row, const char *value)
{
	int			number;
	double		real;
	bool		flag;

	for (const char *p = value; *p; p++)
	{
		if (sgip_control_bytes(p) > 0)
			report_bad_value(row, "The value must not contain line breaks or other control characters.");
	}

	switch (row->kind)
	{
		case KIND_TEXT:
			break;
		case KIND_BOOLEAN:
			if (!parse_bool(value, &flag))
				report_bad_value(row, "Valid values are \"true\" and \"false\".");
			break;
		case KIND_COUNT:
			if (!parse_int(value, &number, 0, NULL) || number < row->min || number > row->max)
				report_bad_value(row, psprintf("Valid values are whole numbers between %d and %d.",
											   row->min, row->max));
			break;
		case KIND_DURATION:
			if (!parse_int(value, &number, GUC_UNIT_MS, NULL) || number < row->min || number > row->max)
				report_bad_value(row, psprintf("Valid values are durations from %d ms to 1 h, "
											   "such as \"500ms\", \"10s\" or \"2min\"; a bare number is milliseconds.",
											   row->min));
			break;
		case KIND_COST:
			if (!parse_real(value, &real, 0, NULL) || !(real >= 0) || isinf(real))
				report_bad_value(row, "Valid values are numbers not less than 0.");
			break;
		case KIND_CHOICE:
			if (!sgip_task_has_word(row->choices, value))
				report_bad_value(row, psprintf("Valid values are %s.", sgip_option_quote_words(row->choices)));
			break;
		case KIND_TASK:
			if (sgip_task_find(SGIP_API_V2, value) == NULL && sgip_task_find(SGIP_API_V3, value) == NULL)
				report_bad_value(row, psprintf("Valid values are %s.",
											   sgip_option_quote_words(catalogue_names(false))));
			break;
		case KIND_FIELD:
			if (!is_field(value))
				report_bad_value(row, psprintf("Fields of the API are %s; which of them exist depends on the task.",
											   sgip_option_quote_words(catalogue_names(true))));
			break;
		case KIND_URL:
			if (problem_of_url(value) != NULL)
				report_bad_value(row, problem_of_url(value));
			break;
		case KIND_PROXY:
			if (!is_proxy(value))
				report_bad_value(row, "The value has the form [scheme://][user:password@]host[:port], with the scheme http, https, "
								 "socks4, socks4a, socks5 or socks5h; or it is empty, for no proxy.");
			break;
		case KIND_HEADER:
			if (has_outer_blank(value, strlen(value)))
				report_bad_value(row, "The value must not begin or end with a blank.");
			break;
		case KIND_RESOURCE:
			if (value[0] == '\0' ||
				value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] != '\0')
				report_bad_value(row, "The value is a resource of the API such as \"distributor.ip\" or \"reseller.ip\".");
			break;
		case KIND_KEY_FILE:
			if (value[0] != '/')
				report_bad_value(row, "The file must be named by an absolute path on the database server.");
			break;
	}
}

/* Raises an error unless the options are legal for the object. */
static void
validate(List *options, int object, const char *noun)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);
		const OptionRow *row = find_option(def->defname, object);

		if (row == NULL)
			report_unknown_option(def->defname, object, noun);
		check_value(row, defGetString(def));
		check_setter(row, defGetString(def));
	}
}

char *
sgip_option_value(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, name) == 0)
			return defGetString(def);
	}
	return NULL;
}

void
sgip_option_check(const char *name, const char *value)
{
	check_value(find_option(name, ~0), value);
}

/* Value of an option, or NULL; checked again, since the wrapper may have no validator. */
static char *
get_checked(List *options, const char *name)
{
	char	   *value = sgip_option_value(options, name);

	if (value != NULL)
		sgip_option_check(name, value);
	return value;
}

/* Readers of one value; they give the default when the option is absent. */
static const char *
read_text(List *options, const char *name, const char *fallback)
{
	const char *value = get_checked(options, name);

	return value ? value : fallback;
}

static int
read_number(List *options, const char *name, int fallback)
{
	char	   *value = get_checked(options, name);
	int			number;

	/* a duration's reader takes bare numbers as well */
	return value != NULL && parse_int(value, &number, GUC_UNIT_MS, NULL) ? number : fallback;
}

static double
read_cost(List *options, const char *name, double fallback)
{
	char	   *value = get_checked(options, name);
	double		real;

	return value != NULL && parse_real(value, &real, 0, NULL) ? real : fallback;
}

static bool
read_boolean(List *options, const char *name, bool fallback)
{
	char	   *value = get_checked(options, name);
	bool		flag;

	return value != NULL && parse_bool(value, &flag) ? flag : fallback;
}

/* The api_version that the options of a server say. */
static SgipApi
read_api(List *options)
{
	return strcmp(read_text(options, "api_version", "v3"), "v2") == 0 ? SGIP_API_V2 : SGIP_API_V3;
}

/* The first of the options that api does not have and the other version does, or NULL. */
static const OptionRow *
find_misplaced(List *options, SgipApi api)
{
	for (int i = 0; i < (int) lengthof(option_rows); i++)
	{
		const OptionRow *row = &option_rows[i];

		if (row->api != NULL && strcmp(row->api, sgip_task_api_name(api)) != 0 &&
			sgip_option_value(options, row->name) != NULL)
			return row;
	}
	return NULL;
}

/* Refuses options of a mapping that exclude each other, and an invalid key. */
static void
check_mapping(List *options)
{
	const OptionRow *v2 = find_misplaced(options, SGIP_API_V3);
	const OptionRow *v3 = find_misplaced(options, SGIP_API_V2);
	const char *key = sgip_option_value(options, "api_key");
	const char *problem = key ? sgip_option_key_problem(key, strlen(key), v2 ? SGIP_API_V2 : SGIP_API_V3) : NULL;

	if ((key != NULL && sgip_option_value(options, "api_key_file") != NULL) || (v2 != NULL && v3 != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("options \"%s\" and \"%s\" exclude each other",
						v2 && v3 ? v2->name : "api_key", v2 && v3 ? v3->name : "api_key_file"),
				 errhint("Drop one of them.")));
	if (problem != NULL)
		report_bad_value(find_option("api_key", ON_MAPPING),
						 psprintf("The value %s; it must be the key and nothing else.", problem));
}

/*
 * Refuses options of a server that do not go together.  server is NULL while
 * they are being set: a validator does not get its name.
 */
static void
check_server(List *options, const SgipServer *server)
{
	const char *url = sgip_option_value(options, "base_url");
	const char *proxy = sgip_option_value(options, "proxy");
	bool		plain = url != NULL && pg_strncasecmp(url, "http:", 5) == 0;
	const OptionRow *misplaced = find_misplaced(options, read_api(options));

	if (misplaced != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" belongs to api_version %s", misplaced->name, misplaced->api),
				 server ? errdetail("Server \"%s\" speaks %s.", server->name, sgip_task_api_name(server->api)) :
				 errdetail("The server speaks %s.", sgip_task_api_name(read_api(options))),
				 server ? errhint("%s", sgip_option_version_hint(server, sgip_option_alter_server(server, server->api))) :
				 sgip_option_value(options, "api_version") ?
				 errhint("Drop it in the same command (DROP %s), or speak %s (SET api_version '%s').",
						 misplaced->name, misplaced->api, misplaced->api) :
				 errhint("Leave it out, or say in the same command that the server speaks %s: OPTIONS (api_version '%s', …).",
						 misplaced->api, misplaced->api)));
	if (plain && !is_loopback(url) && !read_boolean(options, "allow_http", false))
		report_bad_value(find_option("base_url", ON_SERVER),
						 "Credentials are sent with every request: use https, or http with a loopback host (localhost, 127.0.0.1, [::1]), "
						 "or allow_http 'true' where all that is between is trusted.");
	if (plain && proxy != NULL && proxy[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"proxy\" needs a base_url of https"),
				 errdetail("Credentials are sent with every request, and the proxy of a plain http one would read them."),
				 errhint("Drop the option \"proxy\".")));
}

/*
 * Validates the options of a CREATE or ALTER of a server, user mapping,
 * foreign table or column.
 *
 * A user mapping without options is accepted: pg_dump writes such ones when
 * the role that dumps may not see the options.  Missing credentials are an
 * error when a scan starts.
 */
Datum
sgip_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	const char *noun;
	int			object = object_of_catalog(PG_GETARG_OID(1), &noun);

	validate(options, object, noun);
	if (object == ON_TABLE && sgip_option_value(options, "task") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"task\" is required for a foreign table"),
				 errhint("Valid values are %s.", sgip_option_quote_words(catalogue_names(false)))));
	if (object == ON_SERVER)
		check_server(options, NULL);
	if (object == ON_MAPPING)
		check_mapping(options);
	if (sgip_option_value(options, "constant") != NULL &&
		(sgip_option_value(options, "field") != NULL || sgip_option_value(options, "match") != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"constant\" excludes \"field\" and \"match\""),
				 errhint("A column with a constant is not remote.")));
	PG_RETURN_VOID();
}

char *
sgip_option_alter_server(const SgipServer *server, SgipApi api)
{
	List	   *options = GetForeignServer(server->id)->options;
	bool		has_url = sgip_option_value(options, "base_url") != NULL;
	StringInfoData buf;
	const char *comma = "";

	initStringInfo(&buf);
	appendStringInfo(&buf, "ALTER SERVER %s OPTIONS (", quote_identifier(server->name));
	if (api != server->api)
	{
		appendStringInfo(&buf, "%s api_version '%s'", sgip_option_value(options, "api_version") ? "SET" : "ADD",
						 sgip_task_api_name(api));
		comma = ", ";
		/* a v2 server has a host of its own; v3's is the default */
		if (api == SGIP_API_V3 ? has_url : !has_url)
			appendStringInfoString(&buf, has_url ? ", DROP base_url" : ", ADD base_url 'https://…'");
	}
	for (int i = 0; i < (int) lengthof(option_rows); i++)
	{
		const OptionRow *row = &option_rows[i];

		if (row->api == NULL || strcmp(row->api, sgip_task_api_name(api)) == 0 || sgip_option_value(options, row->name) == NULL)
			continue;
		appendStringInfo(&buf, "%sDROP %s", comma, row->name);
		comma = ", ";
	}
	appendStringInfoString(&buf, ");");
	return buf.data;
}

char *
sgip_option_version_hint(const SgipServer *server, const char *commands)
{
	SgipApi		other = SGIP_OTHER_API(server->api);

	return psprintf("To speak %s: %s To speak %s: %s", sgip_task_api_name(server->api), commands,
					sgip_task_api_name(other), sgip_option_alter_server(server, other));
}

/* Reads and checks the options of a server; strings are palloc'd, or static. */
static void
read_server(Oid server_id, SgipServer *server)
{
	ForeignServer *catalog = GetForeignServer(server_id);
	List	   *options = catalog->options;
	const char *base_url;
	size_t		len;

	server->id = server_id;
	server->name = catalog->servername;
	server->api = read_api(options);
	base_url = read_text(options, "base_url",
						 server->api == SGIP_API_V2 ? "https://sendgrid.com/api" :
						 "https://api.sendgrid.com");
	len = strlen(base_url);
	while (len > 0 && base_url[len - 1] == '/')
		len--;
	server->base_url = pnstrdup(base_url, len);
	server->resource = read_text(options, "resource", "distributor.ip");
	server->post = strcmp(read_text(options, "http_method", "get"), "post") == 0;
	server->keep_connections = read_boolean(options, "keep_connections", true);
	server->connect_timeout_ms = read_number(options, "connect_timeout", 10000);
	server->read_timeout_ms = read_number(options, "read_timeout", 30000);
	server->max_retries = read_number(options, "max_retries", 3);
	server->max_retry_wait_ms = read_number(options, "max_retry_wait", 120000);
	server->max_concurrency = read_number(options, "max_concurrency", 4);
	server->page_size = read_number(options, "page_size", INT_MAX);
	server->ca_file = read_text(options, "ca_file", NULL);
	server->proxy = read_text(options, "proxy", NULL);
	server->on_behalf_of = read_text(options, "on_behalf_of", NULL);
	server->async_capable = read_boolean(options, "async_capable", true);
	server->analyzable = read_boolean(options, "analyzable", true);
	server->startup_cost = read_cost(options, "fdw_startup_cost", SGIP_DEFAULT_STARTUP_COST);
	server->tuple_cost = read_cost(options, "fdw_tuple_cost", SGIP_DEFAULT_TUPLE_COST);
	check_server(options, server);
}

/*
 * Callback: some server was changed.  That is rare, so all are read again.
 * What was handed out is used until the transaction ends.
 */
static void
forget_servers(Datum arg, SgipCacheId cache_id, uint32 hash_value)
{
	HASH_SEQ_STATUS status;
	KnownServer *known;

	hash_seq_init(&status, known_servers);
	while ((known = hash_seq_search(&status)) != NULL)
	{
		if (TopTransactionContext != NULL)
			MemoryContextSetParent(known->context, TopTransactionContext);
		else
			MemoryContextDelete(known->context);
		(void) hash_search(known_servers, &known->server.id, HASH_REMOVE, NULL);
	}
}

/* The server as it was read last, or is read now. */
static KnownServer *
find_server(Oid server_id)
{
	KnownServer read = {0};
	KnownServer *known;
	MemoryContext caller;

	if (known_servers == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(KnownServer)};
		HTAB	   *servers = hash_create("sgip_fdw servers", 16, &ctl, HASH_ELEM | HASH_BLOBS);

		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, forget_servers, (Datum) 0);
		known_servers = servers;
	}
	known = hash_search(known_servers, &server_id, HASH_FIND, NULL);
	if (known != NULL)
		return known;

	read.context = AllocSetContextCreate(CurrentMemoryContext, "sgip_fdw server", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(read.context);
	read_server(server_id, &read.server);
	MemoryContextSwitchTo(caller);
	/* no catalog is looked at from here on, so it is not forgotten meanwhile */
	known = hash_search(known_servers, &server_id, HASH_ENTER, NULL);
	*known = read;
	MemoryContextSetParent(read.context, CacheMemoryContext);
	return known;
}

SgipServer *
sgip_option_server(Oid server_id)
{
	SgipServer *server = palloc(sizeof(SgipServer));

	*server = find_server(server_id)->server;
	/* the caller of a SECURITY DEFINER function sees its messages, too */
	server->hides_values = !sgip_may_use_server(server_id, GetUserId()) ||
		!sgip_may_use_server(server_id, GetOuterUserId());
	return server;
}

const char *
sgip_option_table(Oid table_id, SgipServer *server)
{
	List	   *list = GetForeignTable(table_id)->options;
	const char *task = get_checked(list, "task");

	if (task == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("foreign table \"%s\" has no option \"task\"", get_rel_name(table_id))));
	server->async_capable = read_boolean(list, "async_capable", server->async_capable);
	server->analyzable = read_boolean(list, "analyzable", server->analyzable);
	server->startup_cost = read_cost(list, "fdw_startup_cost", server->startup_cost);
	server->tuple_cost = read_cost(list, "fdw_tuple_cost", server->tuple_cost);
	return task;
}

const char *
sgip_option_column(Oid table_id, AttrNumber attnum, const char **constant, SgipMatch *how)
{
	List	   *list = GetForeignColumnOptions(table_id, attnum);
	const char *match = read_text(list, "match", "");

	*constant = get_checked(list, "constant");
	*how = strcmp(match, "exact") == 0 ? SGIP_MATCH_EXACT :
		strcmp(match, "prefix") == 0 ? SGIP_MATCH_PREFIX :
		strcmp(match, "anywhere") == 0 ? SGIP_MATCH_ANYWHERE : SGIP_MATCH_NONE;
	return sgip_option_value(list, "field");
}

void
sgip_option_import(List *defelems, SgipApi api, SgipImportOptions *options)
{
	validate(defelems, ON_IMPORT, "IMPORT FOREIGN SCHEMA");
	options->prefix = read_text(defelems, "prefix", "");
	options->account = read_text(defelems, "account", NULL);
	/* v2 has no other way to ask for a group; rows of v3 have their pools */
	options->search_columns = read_boolean(defelems, "search_columns", api == SGIP_API_V2);
	options->ip_type = read_text(defelems, "ip_type", "inet");
}

void
sgip_option_check_ca_file(const SgipServer *server)
{
	struct stat st;

	if (server->ca_file == NULL || stat(server->ca_file, &st) < 0)
		return;
	if (!S_ISREG(st.st_mode) || st.st_size < 1 || st.st_size > MAX_CA_FILE_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("could not connect to server \"%s\"", server->name),
				 errdetail("The file named by option \"ca_file\" is not a regular file of 1 to %d bytes.",
						   MAX_CA_FILE_BYTES)));
}
