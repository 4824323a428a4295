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
#include "common/string.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "catalog/credentials.h"

/*
 * Largest key file that is read.  A key has 69 characters; a file that is
 * larger than this was named by mistake.
 */
#define MAX_KEY_FILE_BYTES 4096

/* A text of the catalog, or NULL, in UTF-8, which is what the API reads. */
static const char *
to_utf8(const char *text)
{
	/* the encoding is unknown, and a conversion error would quote the bytes */
	return text == NULL || GetDatabaseEncoding() == PG_SQL_ASCII ? text :
		pg_server_to_any(text, strlen(text), PG_UTF8);
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
 * What the user's mapping for the server says, else PUBLIC's, if there is one.
 * (GetUserMapping would raise its own error instead of the one that users are
 * promised, and reveals less of what to do.)
 */
static SgipCredentials *
find_mapping(Oid server_id, Oid user_id)
{
	SgipCredentials *mapping = palloc0(sizeof(SgipCredentials));
	HeapTuple	tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
										ObjectIdGetDatum(user_id), ObjectIdGetDatum(server_id));
	List	   *options;
	Datum		datum;
	bool		isnull;

	mapping->user_id = user_id;
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
								ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server_id));
	if (!HeapTupleIsValid(tuple))
		return mapping;

	mapping->mapping_id = ((Form_pg_user_mapping) GETSTRUCT(tuple))->oid;
	mapping->user_id = ((Form_pg_user_mapping) GETSTRUCT(tuple))->umuser;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple,
							Anum_pg_user_mapping_umoptions, &isnull);
	options = isnull ? NIL : untransformRelOptions(datum);
	mapping->api_user = to_utf8(sgip_option_value(options, "api_user"));
	mapping->api_key = to_utf8(sgip_option_value(options, "api_key"));
	mapping->api_key_file = sgip_option_value(options, "api_key_file");
	mapping->on_behalf_of = to_utf8(sgip_option_value(options, "on_behalf_of"));
	ReleaseSysCache(tuple);
	return mapping;
}

/* "ALTER USER MAPPING FOR ... SERVER ... OPTIONS (changes);" or its like, for a hint. */
static char *
mapping_command(const char *verb, const SgipServer *server, const SgipCredentials *mapping, const char *changes)
{
	return psprintf("%s USER MAPPING FOR %s SERVER %s OPTIONS (%s);", verb,
					OidIsValid(mapping->user_id) ? quote_identifier(GetUserNameFromId(mapping->user_id, false)) : "PUBLIC",
					quote_identifier(server->name), changes);
}

/*
 * Raises HV00D if the mapping has an option of the other api_version: it was
 * made for that version, and the option would be ignored.  The hint has both
 * ways to fix it.
 */
static void
check_version(const SgipServer *server, const SgipCredentials *mapping)
{
	SgipApi		other = SGIP_OTHER_API(server->api);
	const char *changes = "DROP on_behalf_of";

	if ((other == SGIP_API_V2 ? mapping->api_user : mapping->on_behalf_of) == NULL)
		return;
	if (other == SGIP_API_V2)
		changes = mapping->api_key ? "DROP api_user, SET api_key 'SG.…'" :
			mapping->api_key_file ? "DROP api_user" : "DROP api_user, ADD api_key 'SG.…'";
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("option \"%s\" belongs to api_version %s",
					other == SGIP_API_V2 ? "api_user" : "on_behalf_of", sgip_task_api_name(other)),
			 errdetail("The user mapping of \"%s\" has it, and server \"%s\" speaks %s.",
					   MappingUserName(mapping->user_id), server->name, sgip_task_api_name(server->api)),
			 errhint("%s", sgip_option_version_hint(server, mapping_command("ALTER", server, mapping, changes)))));
}

/* The option that a scan cannot start without, and that the mapping lacks; or NULL. */
static const char *
find_lacking(const SgipServer *server, const SgipCredentials *mapping)
{
	if (server->api == SGIP_API_V2 && (mapping->api_user == NULL || mapping->api_user[0] == '\0'))
		return "api_user";
	if (mapping->api_key_file == NULL && (mapping->api_key == NULL || mapping->api_key[0] == '\0'))
		return "api_key";
	return NULL;
}

/*
 * Raises 28000: the mapping lacks the option.  One for v2 without a user may
 * be one for v3.
 */
static void
report_lacking(const SgipServer *server, const SgipCredentials *mapping, const char *option)
{
	const char *user = MappingUserName(mapping->user_id);
	bool		v2 = server->api == SGIP_API_V2;
	bool		is_set = (strcmp(option, "api_user") == 0 ? mapping->api_user : mapping->api_key) != NULL;
	bool		perhaps_v3 = v2 && mapping->api_user == NULL && (mapping->api_key != NULL || mapping->api_key_file != NULL);
	char	   *command;

	if (!OidIsValid(mapping->mapping_id))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no credentials for server \"%s\"", server->name),
				 errdetail("There is no user mapping for \"%s\".", user),
				 errhint("%s", mapping_command("CREATE", server, mapping,
											   v2 ? "api_user '…', api_key '…'" : "api_key 'SG.…'"))));
	command = mapping_command("ALTER", server, mapping, psprintf("%s %s '…'", is_set ? "SET" : "ADD", option));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("no credentials for server \"%s\"", server->name),
			 errdetail("The user mapping of \"%s\" has no option \"%s\".", user, option),
			 errhint("%s", perhaps_v3 ? sgip_option_version_hint(server, command) : command)));
}

/* Raises 28000: the mapping, or its key file, contains no valid key. */
static void
report_bad_key(const SgipServer *server, const SgipCredentials *mapping, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("invalid key for server \"%s\"", server->name),
			 errdetail("The %s of the user mapping of \"%s\" %s.",
					   mapping->api_key_file ? "file named by option \"api_key_file\"" : "option \"api_key\"",
					   MappingUserName(mapping->user_id), problem),
			 errhint("It must hold the key and nothing else.")));
}

/* Raises 28000 unless the key, len bytes before a NUL, is one that can be sent. */
static void
check_key(const SgipServer *server, const SgipCredentials *mapping, const char *key, size_t len)
{
	const char *problem = sgip_option_key_problem(key, len, server->api);

	if (problem == NULL && server->api == SGIP_API_V3 && !pg_is_ascii(key))
		problem = "holds characters that are not ASCII";
	if (problem != NULL)
		report_bad_key(server, mapping, problem);
}

/*
 * Content of the key file without its trailing newline, and without the byte
 * order mark that Windows editors write; palloc'd.  Opening anything but a
 * regular file could block for ever, out of reach of a cancel, so it is
 * opened with O_NONBLOCK and checked first.
 */
static char *
read_key_file(const SgipServer *server, const SgipCredentials *mapping)
{
	int			fd = OpenTransientFile(mapping->api_key_file, O_RDONLY | O_NONBLOCK | PG_BINARY);
	struct stat st;
	char	   *content;
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
						   MappingUserName(mapping->user_id))));
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		report_bad_key(server, mapping, "is not a regular file");
	content = palloc(MAX_KEY_FILE_BYTES + 1);
	do
	{
		got = read(fd, content + len, MAX_KEY_FILE_BYTES + 1 - len);
		len += Max(got, 0);
	} while (got > 0 && len <= MAX_KEY_FILE_BYTES);
	CloseTransientFile(fd);
	if (got < 0 || len > MAX_KEY_FILE_BYTES)
		report_bad_key(server, mapping, got < 0 ? "could not be read" :
					   psprintf("has more than %d bytes", MAX_KEY_FILE_BYTES));
	while (len > 0 && (content[len - 1] == '\n' || content[len - 1] == '\r'))
		len--;
	content[len] = '\0';
	if (len >= 3 && memcmp(content, "\xEF\xBB\xBF", 3) == 0)
	{
		len -= 3;
		content += 3;
	}
	if (len == 0)
		report_bad_key(server, mapping, "is empty");
	check_key(server, mapping, content, len);
	return content;
}

SgipCredentials *
sgip_credentials_get(const SgipServer *server, Oid user_id)
{
	SgipCredentials *mapping = find_mapping(server->id, user_id);
	const char *lacking = find_lacking(server, mapping);

	check_version(server, mapping);
	if (lacking != NULL)
		report_lacking(server, mapping, lacking);
	if (mapping->on_behalf_of != NULL)
		sgip_option_check("on_behalf_of", mapping->on_behalf_of);
	else
		mapping->on_behalf_of = to_utf8(server->on_behalf_of);
	if (mapping->api_key_file != NULL)
		mapping->api_key = read_key_file(server, mapping);
	else
		check_key(server, mapping, mapping->api_key, strlen(mapping->api_key));
	return mapping;
}
