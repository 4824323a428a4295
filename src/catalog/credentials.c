/*-------------------------------------------------------------------------
 *
 * credentials.c
 *		Credentials of a user: from the user mapping, or the file it names.
 *
 * They are read when the first request is sent, not when a scan is planned
 * or prepared.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "compat.h"
#include "catalog/credentials.h"

/*
 * Largest key file that is read.  A key has 69 characters; a file that is
 * larger than this was named by mistake.
 */
#define MAX_KEY_FILE_BYTES 4096

/* What a user mapping says; or NULL */
typedef struct MappingOptions
{
	Oid			user_id;		/* whose mapping it is, InvalidOid for PUBLIC;
								 * if there is none, whose was looked for */
	const char *api_user;
	const char *api_key;
	const char *api_key_file;
	const char *on_behalf_of;
} MappingOptions;

/* A text of the catalog in UTF-8, which is what the API reads. */
static const char *
to_utf8(const char *text)
{
	/* the encoding is unknown, and a conversion error would quote the bytes */
	return GetDatabaseEncoding() == PG_SQL_ASCII ? text :
		pg_server_to_any(text, strlen(text), PG_UTF8);
}

/* Reads the options of a mapping from the array that the catalog holds. */
static void
read_mapping_options(Datum datum, MappingOptions *options)
{
	ListCell   *lc;

	foreach(lc, untransformRelOptions(datum))
	{
		DefElem    *def = lfirst_node(DefElem, lc);
		char	   *value = defGetString(def);

		if (strcmp(def->defname, "api_user") == 0)
			options->api_user = to_utf8(value);
		else if (strcmp(def->defname, "api_key") == 0)
			options->api_key = to_utf8(value);
		else if (strcmp(def->defname, "api_key_file") == 0)
			options->api_key_file = value;
		else if (strcmp(def->defname, "on_behalf_of") == 0)
			options->on_behalf_of = to_utf8(value);
	}
}

/* Has the user, or PUBLIC for InvalidOid, a mapping of their own at the server? */
static bool
is_mapped(Oid server_id, Oid user_id)
{
	return SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user_id), ObjectIdGetDatum(server_id));
}

Oid
sgip_credentials_owner(Oid server_id, Oid user_id)
{
	return !is_mapped(server_id, user_id) && is_mapped(server_id, InvalidOid) ? InvalidOid : user_id;
}

/*
 * The user's mapping for the server, else PUBLIC's; InvalidOid if neither
 * exists.  (GetUserMapping would raise its own error instead of the one that
 * users are promised, and reveals less of what to do.)
 */
static Oid
find_mapping(Oid server_id, Oid user_id, MappingOptions *options)
{
	HeapTuple	tuple;
	Datum		datum;
	bool		isnull;
	Oid			mapping_id;

	memset(options, 0, sizeof(*options));
	options->user_id = user_id;
	tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
							ObjectIdGetDatum(user_id), ObjectIdGetDatum(server_id));
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
								ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server_id));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;

	mapping_id = ((Form_pg_user_mapping) GETSTRUCT(tuple))->oid;
	options->user_id = ((Form_pg_user_mapping) GETSTRUCT(tuple))->umuser;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple,
							Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		read_mapping_options(datum, options);
	ReleaseSysCache(tuple);
	return mapping_id;
}

/* "ALTER USER MAPPING FOR ... SERVER ... OPTIONS (changes);" or its like, for a hint. */
static char *
mapping_command(const char *verb, const SgipServer *server, const MappingOptions *options, const char *changes)
{
	return psprintf("%s USER MAPPING FOR %s SERVER %s OPTIONS (%s);", verb,
					OidIsValid(options->user_id) ? quote_identifier(GetUserNameFromId(options->user_id, false)) : "PUBLIC",
					quote_identifier(server->name), changes);
}

/*
 * Raises HV00D if the mapping has an option of the other api_version: it was
 * made for that version, and the option would be ignored.  The hint has both
 * ways to fix it.
 */
static void
check_version(const SgipServer *server, MappingOptions *options)
{
	SgipApi		other = SGIP_OTHER_API(server->api);
	const char *changes = "DROP on_behalf_of";

	if ((other == SGIP_API_V2 ? options->api_user : options->on_behalf_of) == NULL)
		return;
	if (other == SGIP_API_V2)
		changes = options->api_key ? "DROP api_user, SET api_key 'SG.…'" :
			options->api_key_file ? "DROP api_user" : "DROP api_user, ADD api_key 'SG.…'";
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("option \"%s\" belongs to api_version %s",
					other == SGIP_API_V2 ? "api_user" : "on_behalf_of", sgip_task_api_name(other)),
			 errdetail("The user mapping of \"%s\" has it, and server \"%s\" speaks %s.",
					   MappingUserName(options->user_id), server->name, sgip_task_api_name(server->api)),
			 errhint("%s", sgip_option_version_hint(server, mapping_command("ALTER", server, options, changes)))));
}

/*
 * Raises 28000: a scan cannot start without credentials.  A mapping for v2
 * without a user may be one for v3.
 */
static void
report_no_credentials(const SgipServer *server, MappingOptions *options, bool mapped)
{
	const char *user = MappingUserName(options->user_id);
	bool		v2 = server->api == SGIP_API_V2;
	const char *option = v2 && (options->api_user == NULL || options->api_user[0] == '\0') ? "api_user" : "api_key";
	bool		is_set = (strcmp(option, "api_user") == 0 ? options->api_user : options->api_key) != NULL;
	bool		perhaps_v3 = v2 && options->api_user == NULL && (options->api_key != NULL || options->api_key_file != NULL);
	char	   *command;

	if (!mapped)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no credentials for server \"%s\"", server->name),
				 errdetail("There is no user mapping for \"%s\".", user),
				 errhint("%s", mapping_command("CREATE", server, options,
											   v2 ? "api_user '…', api_key '…'" : "api_key 'SG.…'"))));
	command = mapping_command("ALTER", server, options, psprintf("%s %s '…'", is_set ? "SET" : "ADD", option));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("no credentials for server \"%s\"", server->name),
			 errdetail("The user mapping of \"%s\" has no option \"%s\".", user, option),
			 errhint("%s", perhaps_v3 ? sgip_option_version_hint(server, command) : command)));
}

/* Raises 28000: the mapping, or its key file, contains no valid key. */
static void
report_bad_key(const SgipServer *server, const MappingOptions *options, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("invalid key for server \"%s\"", server->name),
			 errdetail("The %s of the user mapping of \"%s\" %s.",
					   options->api_key_file ? "file named by option \"api_key_file\"" : "option \"api_key\"",
					   MappingUserName(options->user_id), problem),
			 errhint("It must hold the key and nothing else.")));
}

/* Raises 28000 unless the key is one that can be sent. */
static void
check_key(const SgipServer *server, const MappingOptions *options, const char *key, size_t len)
{
	const char *problem = sgip_option_key_problem(key, len, server->api);

	for (size_t i = 0; i < len && problem == NULL && server->api == SGIP_API_V3; i++)
	{
		if (IS_HIGHBIT_SET(key[i]))
			problem = "holds characters that are not ASCII";
	}
	if (problem != NULL)
		report_bad_key(server, options, problem);
}

/*
 * Content of the key file without its trailing newline, and without the byte
 * order mark that Windows editors write; palloc'd.  Opening anything but a
 * regular file could block for ever, out of reach of a cancel, so it is
 * opened with O_NONBLOCK and checked first.
 */
static char *
read_key_file(const SgipServer *server, const MappingOptions *options)
{
	int			fd = OpenTransientFile(options->api_key_file, O_RDONLY | O_NONBLOCK | PG_BINARY);
	struct stat st;
	char	   *content;
	char	   *key;
	size_t		len = 0;
	ssize_t		got;

	if (fd < 0)
	{
		/*
		 * errcode_for_file_access would report less common reasons as
		 * internal errors
		 */
		int			state = errno == ENOENT ? ERRCODE_UNDEFINED_FILE :
			errno == EACCES ? ERRCODE_INSUFFICIENT_PRIVILEGE : ERRCODE_IO_ERROR;

		ereport(ERROR,
				(errcode(state),
				 errmsg("could not open the key file for server \"%s\": %m", server->name),
				 errdetail("Option \"api_key_file\" of the user mapping of \"%s\" names it.",
						   MappingUserName(options->user_id))));
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		report_bad_key(server, options, "is not a regular file");
	content = palloc(MAX_KEY_FILE_BYTES + 1);
	do
	{
		got = read(fd, content + len, MAX_KEY_FILE_BYTES + 1 - len);
		len += Max(got, 0);
	} while (got > 0 && len <= MAX_KEY_FILE_BYTES);
	CloseTransientFile(fd);
	if (got < 0 || len > MAX_KEY_FILE_BYTES)
		report_bad_key(server, options, got < 0 ? "could not be read" :
					   psprintf("has more than %d bytes", MAX_KEY_FILE_BYTES));
	while (len > 0 && (content[len - 1] == '\n' || content[len - 1] == '\r'))
		len--;
	key = content;
	if (len >= 3 && memcmp(content, "\xEF\xBB\xBF", 3) == 0)
	{
		len -= 3;
		key = memmove(content, content + 3, len);
	}
	if (len == 0)
		report_bad_key(server, options, "is empty");
	check_key(server, options, key, len);
	key[len] = '\0';
	return key;
}

SgipCredentials *
sgip_credentials_get(const SgipServer *server, Oid user_id)
{
	SgipCredentials *credentials = palloc0(sizeof(SgipCredentials));
	MappingOptions options;

	credentials->user_id = user_id;
	credentials->mapping_id = find_mapping(server->id, user_id, &options);
	check_version(server, &options);
	if ((server->api == SGIP_API_V2 && (options.api_user == NULL || options.api_user[0] == '\0')) ||
		(options.api_key_file == NULL && (options.api_key == NULL || options.api_key[0] == '\0')))
		report_no_credentials(server, &options, OidIsValid(credentials->mapping_id));
	credentials->api_user = options.api_user;
	credentials->on_behalf_of = options.on_behalf_of;
	if (options.on_behalf_of != NULL)
		sgip_option_check("on_behalf_of", options.on_behalf_of);
	else if (server->on_behalf_of != NULL)
		credentials->on_behalf_of = to_utf8(server->on_behalf_of);
	if (options.api_key_file != NULL)
		credentials->api_key = read_key_file(server, &options);
	else
	{
		check_key(server, &options, options.api_key, strlen(options.api_key));
		credentials->api_key = options.api_key;
	}
	return credentials;
}
