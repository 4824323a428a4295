/*-------------------------------------------------------------------------
 *
 * request.c
 *		What is asked for: from task, options, arguments and page to URL,
 *		headers and body; and the same without secrets, for people.
 *
 * Sources: v2, "IP Management" and "Web API" of SendGrid's documentation
 * (parameters in the URL or in a form body; api_user and api_key among
 * them); v3, the OpenAPI files named in task.c (bearer key in the
 * Authorization header, On-Behalf-Of as a header).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "request/request.h"

void
sgip_request_encode(StringInfo buf, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (const unsigned char *p = (const unsigned char *) text; *p; p++)
	{
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			(*p >= '0' && *p <= '9') || strchr("-._~", *p) != NULL)
			appendStringInfoCharMacro(buf, *p);
		else
		{
			appendStringInfoCharMacro(buf, '%');
			appendStringInfoCharMacro(buf, hex[*p >> 4]);
			appendStringInfoCharMacro(buf, hex[*p & 15]);
		}
	}
}

/* Appends "name=value" behind "?" or "&"; value is encoded unless verbatim. */
static void
append_parameter(StringInfo buf, char *separator, const char *name,
				 const char *value, bool verbatim)
{
	if (*separator != '\0')
		appendStringInfoChar(buf, *separator);
	*separator = '&';
	appendStringInfo(buf, "%s=", name);
	if (verbatim)
		appendStringInfoString(buf, value);
	else
		sgip_request_encode(buf, value);
}

/*
 * Appends the path of a listing: "/resource.json" of v2, or the task's own
 * with the parent's id in place of "{}".  The path of base_url comes before.
 */
static void
append_path(StringInfo buf, const SgipServer *server, const SgipTask *task,
			const char *parent, bool verbatim)
{
	const char *hole;

	if (task->api == SGIP_API_V2)
	{
		appendStringInfo(buf, "/%s.json", server->resource);
		return;
	}
	hole = strstr(task->path, "{}");
	if (hole == NULL)
	{
		appendStringInfoString(buf, task->path);
		return;
	}
	appendBinaryStringInfo(buf, task->path, hole - task->path);
	if (parent == NULL || verbatim)
		appendStringInfoString(buf, parent ? parent : "{}");
	else
		sgip_request_encode(buf, parent);
	appendStringInfoString(buf, hole + 2);
}

/* Appends where the listing goes on: limit, and offset or cursor. */
static void
append_page(StringInfo buf, char *separator, const SgipTask *task, const SgipPage *page)
{
	char		number[32];

	if (page->limit > 0)
	{
		snprintf(number, sizeof(number), "%d", page->limit);
		append_parameter(buf, separator, "limit", number, true);
	}
	if (task->paging == SGIP_PAGING_OFFSET)
	{
		snprintf(number, sizeof(number), INT64_FORMAT, page->offset);
		append_parameter(buf, separator, "offset", number, true);
	}
	else if (page->cursor != NULL)
		append_parameter(buf, separator,
						 task->paging == SGIP_PAGING_AFTER_KEY ? "after_key" : "offset",
						 page->cursor, false);
}

/* Appends all parameters but credentials. */
static void
append_query(StringInfo buf, char *separator, const SgipTask *task,
			 const SgipArguments *arguments, const char *const *texts,
			 const SgipPage *page)
{
	if (task->api == SGIP_API_V2)
		append_parameter(buf, separator, "task", task->name, true);
	if (task->query != NULL)
	{
		appendStringInfo(buf, "%c%s", *separator, task->query);
		*separator = '&';
	}
	for (int i = 0; i < task->field_count; i++)
	{
		const char *param = task->fields[i].param;

		if (param == NULL || param[0] == '\0')
			continue;
		if (arguments->values[i] != NULL)
			append_parameter(buf, separator, param, arguments->values[i], false);
		else if (texts != NULL && texts[i] != NULL)
			append_parameter(buf, separator, param, texts[i], true);
	}
	if (page != NULL)
		append_page(buf, separator, task, page);
}

/* A header; palloc'd at its size, for a buffer that grows leaves a copy behind. */
static char *
make_header(const char *name, const char *value)
{
	char	   *header = palloc(strlen(name) + strlen(value) + 1);

	strcpy(header, name);
	strcat(header, value);
	return header;
}

char *
sgip_request_path(const SgipServer *server, const SgipTask *task, const char *parent)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfoString(&url, server->base_url);
	append_path(&url, server, task, parent, false);
	return url.data;
}

void
sgip_request_build(const SgipServer *server, const SgipTask *task,
				   const SgipCredentials *credentials,
				   const SgipArguments *arguments, const SgipPage *page,
				   SgipHttpRequest *request)
{
	StringInfoData url;
	StringInfoData body;
	const char **headers = palloc0(4 * sizeof(char *));
	int			count = 0;
	bool		post = server->api == SGIP_API_V2 && server->post;
	char		separator = post ? '\0' : '?';
	StringInfo	query = post ? &body : &url;

	initStringInfo(&url);
	initStringInfo(&body);
	appendStringInfoString(&url, server->base_url);
	append_path(&url, server, task, page->parent, false);
	append_query(query, &separator, task, arguments, NULL, page);

	headers[count++] = pstrdup("Accept: application/json");
	if (server->api == SGIP_API_V2)
	{
		/* room for both now: a buffer that grows leaves a copy behind */
		enlargeStringInfo(query, 3 * (strlen(credentials->api_user) +
									  strlen(credentials->api_key)) + 32);
		append_parameter(query, &separator, "api_user", credentials->api_user, false);
		append_parameter(query, &separator, "api_key", credentials->api_key, false);
	}
	else
	{
		headers[count++] = make_header("Authorization: Bearer ", credentials->api_key);
		if (credentials->on_behalf_of != NULL)
			headers[count++] = make_header("On-Behalf-Of: ", credentials->on_behalf_of);
	}

	request->url = url.data;
	request->body = post ? body.data : NULL;
	request->headers = headers;
}

/* Overwrites a string that held a secret and frees it. */
static void
wipe(const char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(unconstify(char *, text), strlen(text));
	pfree(unconstify(char *, text));
}

void
sgip_request_wipe(SgipHttpRequest *request)
{
	wipe(request->url);
	wipe(request->body);
	for (const char *const *header = request->headers; *header != NULL; header++)
		wipe(*header);
	memset(request, 0, sizeof(*request));
}

/*
 * Encodes control characters, which ids of a server's and options of another
 * user's may have, so that nothing can pass for further lines of a message.
 */
static char *
escape_controls(char *text)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *p = text; *p; p++)
	{
		if ((unsigned char) *p < ' ' || *p == 127)
			appendStringInfo(&buf, "%%%02X", (unsigned char) *p);
		else
			appendStringInfoCharMacro(&buf, *p);
	}
	pfree(text);
	return buf.data;
}

char *
sgip_request_describe(const SgipServer *server, const SgipTask *task,
					  const SgipArguments *arguments,
					  const char *const *texts, const SgipPage *page)
{
	StringInfoData buf;
	const char *path = strchr(strstr(server->base_url, "://") + 3, '/');
	char		separator = '?';
	const char *parent = page ? page->parent : NULL;

	/* the parent's id is an argument like any other, but stands in the path */
	for (int i = 0; i < task->field_count && parent == NULL; i++)
	{
		if (task->fields[i].kind == SGIP_KIND_PARENT)
			parent = arguments->values[i] ? arguments->values[i] : (texts ? texts[i] : NULL);
	}

	initStringInfo(&buf);
	appendStringInfoString(&buf, server->api == SGIP_API_V2 && server->post ? "POST " : "GET ");
	appendStringInfoString(&buf, path ? path : "");
	append_path(&buf, server, task, parent, true);
	append_query(&buf, &separator, task, arguments, texts, page);
	return escape_controls(buf.data);
}
