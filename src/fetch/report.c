/*-------------------------------------------------------------------------
 *
 * report.c
 *		The one place that turns a remote failure into an error.
 *
 * Every error says in its primary message what happened, in DETAIL what the
 * server said, in HINT what can be done where something can, and in CONTEXT
 * which foreign table and which request it was.  What a server says is
 * cleaned first: it can echo a request, and with it a credential.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "fetch/report.h"

/* Longest quotation of a server, in bytes; enough for a sentence or two */
#define MAX_QUOTED_BYTES 300

/*
 * Shortest secret that is looked for in what a server says.  Shorter ones
 * would turn up in any text by chance.
 */
#define MIN_SECRET_BYTES 4

/* The ways in which a server that quotes a request may spell it */
typedef enum Spelling
{
	SPELT_PLAIN,
	SPELT_URL,					/* %41, and + for a blank */
	SPELT_JSON,					/* \u0041, \/ */
	SPELLINGS
} Spelling;

/* Value of n hexadecimal digits, -1 if they are none. */
static int
hex_value(const char *digits, int n)
{
	int			value = 0;

	for (int i = 0; i < n; i++)
	{
		if (!isxdigit((unsigned char) digits[i]))
			return -1;
		value = value * 16 + (isdigit((unsigned char) digits[i]) ? digits[i] - '0' :
							  pg_ascii_tolower((unsigned char) digits[i]) - 'a' + 10);
	}
	return value;
}

/*
 * Decodes what the text begins with in that spelling: its length in the text,
 * and the bytes that it stands for (up to 4) with their number.
 */
static size_t
decode_spelling(const char *text, Spelling spelling, unsigned char *bytes, int *count)
{
	int			value;

	*count = 1;
	bytes[0] = (unsigned char) *text;
	if (spelling == SPELT_URL && *text == '%' && (value = hex_value(text + 1, 2)) >= 0)
	{
		bytes[0] = value;
		return 3;
	}
	if (spelling == SPELT_JSON && *text == '\\' && text[1] == 'u' && (value = hex_value(text + 2, 4)) > 0)
	{
		unicode_to_utf8(value, bytes);
		*count = value < 0x80 ? 1 : value < 0x800 ? 2 : 3;
		return 6;
	}
	if (spelling == SPELT_JSON && *text == '\\' && text[1] != '\0')
	{
		bytes[0] = (unsigned char) text[1];
		return 2;
	}
	return 1;
}

/* Length of the secret where the text begins with it, however it is spelt; 0: it does not. */
static size_t
secret_length(const char *text, const char *secret)
{
	for (int spelling = 0; spelling < SPELLINGS; spelling++)
	{
		const char *at = text;
		const char *left = secret;

		while (*left != '\0' && *at != '\0')
		{
			unsigned char bytes[MAX_MULTIBYTE_CHAR_LEN + 1];
			int			count;
			size_t		len = decode_spelling(at, spelling, bytes, &count);

			/* forms have + for a blank, and some encode all but + itself */
			if (strncmp(left, (char *) bytes, count) != 0 &&
				!(spelling == SPELT_URL && *at == '+' && *left == ' '))
				break;
			left += count;
			at += len;
		}
		if (*left == '\0')
			return at - text;
	}
	return 0;
}

/* Takes every occurrence of a secret out of the text, in place. */
static void
remove_secret(char *text, const char *secret)
{
	char	   *to = text;

	if (secret == NULL || strlen(secret) < MIN_SECRET_BYTES)
		return;
	while (*text != '\0')
	{
		size_t		len = secret_length(text, secret);

		if (len == 0)
			*to++ = *text++;
		else
		{
			/* there is room, as a secret is longer than its replacement */
			memcpy(to, "***", 3);
			to += 3;
			text += len;
		}
	}
	*to = '\0';
}

char *
sgip_report_clean(const char *text, size_t len, const SgipCredentials *credentials)
{
	/* pnstrdup stops at a NUL */
	char	   *clean = pnstrdup(text, len);
	char	   *end;

	/*
	 * before truncation could leave half of one, and before its bytes are
	 * changed
	 */
	if (credentials != NULL)
	{
		remove_secret(clean, credentials->api_key);
		remove_secret(clean, credentials->api_user);
	}
	for (char *p = clean; *p; p++)
		memset(p, ' ', sgip_control_bytes(p));
	if (GetDatabaseEncoding() != PG_UTF8 ||
		!pg_verify_mbstr(PG_UTF8, clean, strlen(clean), true))
	{
		for (char *p = clean; *p; p++)
		{
			if (IS_HIGHBIT_SET(*p))
				*p = '?';
		}
	}
	if (strlen(clean) > MAX_QUOTED_BYTES)
	{
		int			cut = pg_mbcliplen(clean, strlen(clean), MAX_QUOTED_BYTES);

		clean[cut] = '\0';
		clean = psprintf("%s...", clean);
	}
	while (*clean == ' ')
		clean++;
	end = clean + strlen(clean);
	while (end > clean && end[-1] == ' ')
		*--end = '\0';
	return clean;
}

/* What stands below the message of every error here: DETAIL and HINT, or NULL; CONTEXT. */
static int
add_details(const SgipErrorContext *failed, const char *detail, const char *hint)
{
	if (detail != NULL)
		errdetail_internal("%s", detail);
	if (hint != NULL)
		errhint("%s", hint);
	return errcontext("foreign table \"%s\", request %s to server \"%s\"",
					  failed->table, failed->request, failed->server->name);
}

/* DETAIL that quotes the server; NULL if it said nothing. */
static const char *
quote(const char *said)
{
	return *said ? psprintf("The server said: %s", said) : NULL;
}

/*
 * HINT for a server of SendGrid's own v2 API, which was retired on 10 February
 * 2025 (banner of the v2 documentation); else the one given (or none).
 */
static const char *
retired_hint(const SgipServer *server, const char *otherwise)
{
	const char *host = strstr(server->base_url, "://") + 3;
	size_t		len = strcspn(host, ":/");

	if (server->api == SGIP_API_V2 &&
		((len == 12 && pg_strncasecmp(host, "sendgrid.com", 12) == 0) ||
		 (len > 13 && pg_strncasecmp(host + len - 13, ".sendgrid.com", 13) == 0)))
		return psprintf("SendGrid retired the v2 API in February 2025. To use the API of today: %s",
						sgip_option_alter_server(server, SGIP_API_V3));
	return otherwise;
}

/*
 * HINT where the status, or what the server said, suggests that the account is
 * in another region; else the one given (or none).
 */
static const char *
region_hint(const SgipServer *server, int status, const char *said, const char *otherwise)
{
	bool		is_eu = strstr(server->base_url, "//api.eu.") != NULL;

	if (server->api == SGIP_API_V3 &&
		(status == 451 || strcasestr(said, "region") != NULL || strcasestr(said, "residency") != NULL))
		return psprintf("The key may belong to another region, where base_url is %s.",
						is_eu ? "https://api.sendgrid.com" : "https://api.eu.sendgrid.com");
	return otherwise;
}

/* Does the text of an error object say that the credentials are wrong? */
static bool
is_about_credentials(const SgipRemoteError *error)
{
	/* as recorded from the v2 API, and documented for v3 */
	static const char *const phrases[] = {
		"bad username / password",
		"username and/or password",
		"permission denied",
		"not authorized",
		"authorization required"
	};
	char	   *lower = pstrdup(error->text);
	bool		found = error->code == 401 || error->code == 403;

	/* by ASCII's rules, not those of the locale */
	for (char *p = lower; *p; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	for (int i = 0; i < (int) lengthof(phrases); i++)
		found |= strstr(lower, phrases[i]) != NULL;
	return found;
}

/* Raises 28000. */
static void
report_refused(const SgipErrorContext *failed, const char *said)
{
	const SgipServer *server = failed->server;
	const char *hint = server->api == SGIP_API_V2 ? "Check the options of the user mapping." :
		"Check the options of the user mapping, the key's scopes, and that base_url is the host of the key's region.";

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("server \"%s\" refused the credentials", server->name),
			 add_details(failed, quote(said), region_hint(server, 0, said, hint))));
}

void
sgip_report_transfer(const SgipErrorContext *failed, const SgipHttpResult *result)
{
	const SgipServer *server = failed->server;
	char	   *said = sgip_report_clean(result->failure_text, strlen(result->failure_text),
										 failed->credentials);

	switch (result->failure)
	{
		case SGIP_HTTP_CONNECT:
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("could not connect to server \"%s\"", server->name),
					 add_details(failed, said,
								 "Check the options base_url, proxy, ca_file and connect_timeout of the server, and the network.")));
			break;
		case SGIP_HTTP_SILENT:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("server \"%s\" sent nothing for %d ms", server->name,
							server->read_timeout_ms),
					 add_details(failed, NULL, "The server option read_timeout sets how long to wait.")));
			break;
		case SGIP_HTTP_LOST:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("connection to server \"%s\" was lost before the answer was complete",
							server->name),
					 add_details(failed, said, NULL)));
			break;
		case SGIP_HTTP_BROKEN:
			ereport(ERROR,
					(errcode(ERRCODE_FDW_ERROR),
					 errmsg("answer of server \"%s\" is not valid HTTP", server->name),
					 add_details(failed, said, NULL)));
			break;
		case SGIP_HTTP_DESCRIPTORS:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("too many open files for a connection to server \"%s\"", server->name),
					 add_details(failed,
								 "This session holds as many file descriptors as PostgreSQL lets extensions have, or the system gives no more.",
								 "Raise max_files_per_process, or read fewer foreign tables at the same time.")));
			break;
		case SGIP_HTTP_INTERNAL:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("request to server \"%s\" failed", server->name),
			 add_details(failed, said, NULL)));
}

/* What the body of a failed request says: the API's error, or its beginning. */
static char *
words_of_body(const SgipErrorContext *failed, const char *body, size_t len, SgipRemoteError *error)
{
	char	   *said;

	memset(error, 0, sizeof(*error));
	if (!sgip_json_parse_error(body, len, error))
		return sgip_report_clean(body, len, failed->credentials);
	said = sgip_report_clean(error->text, strlen(error->text), failed->credentials);
	free(error->text);
	error->text = said;
	return said;
}

void
sgip_report_status(const SgipErrorContext *failed, const char *body, size_t len)
{
	const SgipServer *server = failed->server;
	const SgipHttpHead *head = failed->head;
	int			status = head->status;
	const char *hint;
	SgipRemoteError error;
	char	   *said = words_of_body(failed, body, len, &error);

	if (status == 401 || status == 403 || (error.text != NULL && is_about_credentials(&error)))
		report_refused(failed, said);
	if (status >= 300 && status < 400 && status != 304)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("server \"%s\" answered with a redirect (HTTP status %d)", server->name, status),
				 add_details(failed,
							 head->location[0] == '\0' ? NULL :
							 psprintf("It points to %s.",
									  sgip_report_clean(head->location, strlen(head->location), failed->credentials)),
							 retired_hint(server, "Redirects are never followed, because credentials are sent with every request. "
										  "Correct the server option base_url if the new place can be trusted."))));
	if (status == 404 || status == 410)
		hint = retired_hint(server, server->api == SGIP_API_V3 ?
							"Check the server option base_url; it ends before the \"/v3\" of the request's path." :
							"Check the server options base_url, resource and api_version.");
	else
		hint = region_hint(server, status, said, NULL);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("server \"%s\" answered with HTTP status %d", server->name, status),
			 add_details(failed, quote(said), hint)));
}

void
sgip_report_retries(const SgipErrorContext *failed, int tries, int64 asked_ms,
					const char *body, size_t len)
{
	const SgipServer *server = failed->server;
	int			status = failed->head->status;
	SgipRemoteError error;
	char	   *said = words_of_body(failed, body, len, &error);
	StringInfoData detail;

	initStringInfo(&detail);
	if (*said)
		appendStringInfo(&detail, "The server said: %s\n", said);
	if (asked_ms >= 0)
		appendStringInfo(&detail, "The server asked to wait %.0f s; ", asked_ms / 1000.0);
	appendStringInfo(&detail, "%d of at most %d tries were made, waiting at most %d ms in all.",
					 tries, server->max_retries + 1, server->max_retry_wait_ms);
	ereport(ERROR,
			(errcode(status == 429 ? ERRCODE_CONFIGURATION_LIMIT_EXCEEDED : ERRCODE_FDW_ERROR),
			 status == 429 ?
			 errmsg("rate limit of server \"%s\" exceeded", server->name) :
			 errmsg("server \"%s\" answered with HTTP status %d", server->name, status),
			 add_details(failed, detail.data,
						 "Try again later, or raise the server options max_retries and max_retry_wait.")));
}

void
sgip_report_remote(const SgipErrorContext *failed, const SgipRemoteError *error)
{
	char	   *said = sgip_report_clean(error->text, strlen(error->text), failed->credentials);

	if (is_about_credentials(error))
		report_refused(failed, said);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("server \"%s\" reported an error", failed->server->name),
			 add_details(failed, psprintf("The server said: %s", said), NULL)));
}

void
sgip_report_invalid(const SgipErrorContext *failed, const char *problem)
{
	ereport(ERROR,
			(errcode(SGIP_ERRCODE_NOT_JSON),
			 errmsg("answer of server \"%s\" is not the JSON that the task gives",
					failed->server->name),
			 add_details(failed, sgip_report_clean(problem, strlen(problem), failed->credentials),
						 retired_hint(failed->server, NULL))));
}

void
sgip_report_stuck(const SgipErrorContext *failed)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("listing of server \"%s\" does not advance", failed->server->name),
			 add_details(failed,
						 "The server repeats rows or sends pages without any, and does not say that these are all.",
						 NULL)));
}

void
sgip_report_no_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory")));
}
