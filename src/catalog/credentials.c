/*-------------------------------------------------------------------------
 *
 * credentials.c
 *		Credentials of a user: from the user mapping, or the file it names.
 *
 * They are read when a scan starts and wiped when it ends.  Every copy that
 * is made here is wiped; PostgreSQL's caches keep theirs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "compat.h"
#include "catalog/credentials.h"

/*
 * Largest key file that is read.  A key has 69 characters; a file that is
 * larger than this was named by mistake.
 */
#define MAX_KEY_FILE_BYTES 4096

/* What a user mapping says; strings of our own, which can be wiped, or NULL */
typedef struct MappingOptions
{
	char	   *api_user;
	char	   *api_key;
	char	   *api_key_file;
	char	   *on_behalf_of;
} MappingOptions;

/* Overwrites a string of palloc's that may be secret, and frees it. */
static void
wipe(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	pfree(text);
}

/* A copy of len bytes of the catalog, in UTF-8, which is what the API reads. */
static char *
utf8_copy(const char *data, size_t len)
{
	char	   *copy = pnstrdup(data, len);
	char	   *utf8 = copy;

	/* of bytes in no encoding nothing is known; a complaint would quote them */
	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		utf8 = pg_server_to_any(copy, len, PG_UTF8);
	if (utf8 != copy)
		wipe(copy);
	return utf8;
}

/*
 * Reads the options of a mapping from the array that the catalog holds.
 * untransformRelOptions would leave copies of the key that nobody wipes.
 */
static void
read_mapping_options(Datum datum, MappingOptions *options)
{
	const struct
	{
		const char *prefix;
		char	  **value;
		bool		sent;
	}			wanted[] = {
		{"api_user=", &options->api_user, true},
		{"api_key=", &options->api_key, true},
		{"api_key_file=", &options->api_key_file, false},
		{"on_behalf_of=", &options->on_behalf_of, true}
	};
	ArrayType  *array = DatumGetArrayTypeP(datum);
	Datum	   *items;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		const char *item = VARDATA_ANY(DatumGetPointer(items[i]));
		size_t		len = VARSIZE_ANY_EXHDR(DatumGetPointer(items[i]));

		for (int j = 0; j < (int) lengthof(wanted); j++)
		{
			size_t		prefix_len = strlen(wanted[j].prefix);

			if (len >= prefix_len && memcmp(item, wanted[j].prefix, prefix_len) == 0)
				*wanted[j].value = wanted[j].sent ? utf8_copy(item + prefix_len, len - prefix_len) :
					pnstrdup(item + prefix_len, len - prefix_len);
		}
	}
	pfree(items);
	if ((Pointer) array != DatumGetPointer(datum))
	{
		explicit_bzero(array, VARSIZE(array));
		pfree(array);
	}
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
	tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
							ObjectIdGetDatum(user_id), ObjectIdGetDatum(server_id));
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
								ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server_id));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;

	mapping_id = ((Form_pg_user_mapping) GETSTRUCT(tuple))->oid;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple,
							Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		read_mapping_options(datum, options);
	ReleaseSysCache(tuple);
	return mapping_id;
}

/* Raises 28000: a scan cannot start without credentials. */
static void
report_no_credentials(const SgipServer *server, Oid user_id, bool mapped,
					  const char *option, bool is_set)
{
	const char *user = quote_identifier(GetUserNameFromId(user_id, false));
	const char *name = quote_identifier(server->name);
	const char *both = server->api == SGIP_API_V2 ? "api_user '…', api_key '…'" : "api_key '…'";

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("no credentials for server \"%s\"", server->name),
			 mapped ?
			 errdetail("The user mapping of \"%s\" has no option \"%s\".",
					   GetUserNameFromId(user_id, false), option) :
			 errdetail("There is no user mapping for \"%s\".",
					   GetUserNameFromId(user_id, false)),
			 mapped ?
			 errhint("ALTER USER MAPPING FOR %s SERVER %s OPTIONS (%s %s '…');", user, name,
					 is_set ? "SET" : "ADD", option) :
			 errhint("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (%s);", user, name, both)));
}

/* Raises 28000: what api_key_file names is no file with a key. */
static void
report_no_key_file(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("could not read a key from the file named by option \"api_key_file\""),
			 errhint("It must be a regular file that holds nothing but the key, at most %d bytes.",
					 MAX_KEY_FILE_BYTES)));
}

/*
 * Content of a key file without its trailing newline; palloc'd.  Not by way
 * of stdio, whose buffer nobody would wipe.  Opening anything but a regular
 * file could take for ever, out of reach of a cancel, so it is opened without
 * waiting and looked at first.
 */
static char *
read_key_file(const char *path)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	struct stat st;
	char	   *key;
	size_t		len = 0;
	ssize_t		got;

	if (fd < 0)
	{
		/* errcode_for_file_access would call the rarer reasons internal errors */
		int			state = errno == ENOENT ? ERRCODE_UNDEFINED_FILE :
			errno == EACCES ? ERRCODE_INSUFFICIENT_PRIVILEGE : ERRCODE_IO_ERROR;

		ereport(ERROR,
				(errcode(state),
				 errmsg("could not open the file named by option \"api_key_file\": %m")));
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		report_no_key_file();
	key = palloc(MAX_KEY_FILE_BYTES + 1);
	do
	{
		got = read(fd, key + len, MAX_KEY_FILE_BYTES + 1 - len);
		len += Max(got, 0);
	} while (got > 0 && len <= MAX_KEY_FILE_BYTES);
	if (got < 0 || len > MAX_KEY_FILE_BYTES)
	{
		explicit_bzero(key, MAX_KEY_FILE_BYTES + 1);
		report_no_key_file();
	}
	CloseTransientFile(fd);
	while (len > 0 && (key[len - 1] == '\n' || key[len - 1] == '\r'))
		len--;
	key[len] = '\0';
	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the file named by option \"api_key_file\" is empty")));
	if (strlen(key) != len || strpbrk(key, "\r\n") != NULL)
	{
		explicit_bzero(key, MAX_KEY_FILE_BYTES + 1);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the file named by option \"api_key_file\" holds more than one line"),
				 errhint("The file must hold nothing but the key.")));
	}
	return key;
}

SgipCredentials *
sgip_credentials_get(const SgipServer *server, Oid user_id)
{
	SgipCredentials *credentials = palloc0(sizeof(SgipCredentials));
	MappingOptions options;
	bool		has_user;
	bool		has_key;

	credentials->user_id = user_id;
	credentials->mapping_id = find_mapping(server->id, user_id, &options);
	credentials->api_user = options.api_user;
	credentials->on_behalf_of = options.on_behalf_of;
	if (credentials->on_behalf_of == NULL && server->on_behalf_of != NULL)
		credentials->on_behalf_of = utf8_copy(server->on_behalf_of, strlen(server->on_behalf_of));
	credentials->api_key = options.api_key_file ? read_key_file(options.api_key_file) : options.api_key;

	has_user = credentials->api_user != NULL && credentials->api_user[0] != '\0';
	has_key = credentials->api_key != NULL && credentials->api_key[0] != '\0';
	if ((server->api == SGIP_API_V2 && !has_user) || !has_key)
	{
		bool		user_missing = server->api == SGIP_API_V2 && !has_user;
		bool		is_set = (user_missing ? credentials->api_user : credentials->api_key) != NULL;
		bool		mapped = OidIsValid(credentials->mapping_id);

		sgip_credentials_forget(credentials);
		report_no_credentials(server, user_id, mapped, user_missing ? "api_user" : "api_key", is_set);
	}
	return credentials;
}

void
sgip_credentials_forget(SgipCredentials *credentials)
{
	if (credentials == NULL)
		return;
	wipe(credentials->api_user);
	wipe(credentials->api_key);
	pfree(credentials);
}
