/*-------------------------------------------------------------------------
 *
 * request.c
 *		From task, options, arguments and page to URL, headers and body; and
 *		the same without secrets, for messages.
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

const char *
sgip_request_object(const SgipTask *task, const SgipArguments *arguments, const char **id)
{
	for (int i = 0; i < task->field_count; i++)
	{
		if (task->fields[i].object_path != NULL && arguments->values[i] != NULL)
		{
			*id = arguments->values[i];
			return task->fields[i].object_path;
		}
	}
	return NULL;
}

/*
 * Appends the path of what is asked for: "/resource.json" of v2, or the
 * task's own or that of one object, with an id in place of "{}".  The path of
 * base_url comes before.
 */
static void
append_path(StringInfo buf, const SgipServer *server, const SgipTask *task,
			const SgipArguments *arguments, bool verbatim)
{
	const char *parent = arguments->parent;
	const char *path = sgip_request_object(task, arguments, &parent);
	const char *hole;

	if (task->api == SGIP_API_V2)
	{
		appendStringInfo(buf, "/%s.json", server->resource);
		return;
	}
	if (path == NULL)
		path = task->path;
	hole = strstr(path, "{}");
	if (hole == NULL)
	{
		appendStringInfoString(buf, path);
		return;
	}
	appendBinaryStringInfo(buf, path, hole - path);
	if (parent == NULL || verbatim)
		appendStringInfoString(buf, parent ? parent : "{}");
	else
		sgip_request_encode(buf, parent);
	appendStringInfoString(buf, hole + 2);
}

/* Appends where the listing goes on: limit, and offset or cursor, perhaps hidden. */
static void
append_page(StringInfo buf, char *separator, const SgipTask *task, const SgipPage *page, bool hidden)
{
	char		number[32];

	if (page->limit == 0)
		return;
	snprintf(number, sizeof(number), "%d", page->limit);
	append_parameter(buf, separator, "limit", number, true);
	if (task->paging == SGIP_PAGING_OFFSET)
	{
		snprintf(number, sizeof(number), INT64_FORMAT, page->offset);
		append_parameter(buf, separator, "offset", number, true);
	}
	else if (page->cursor != NULL)
		append_parameter(buf, separator,
						 task->paging == SGIP_PAGING_AFTER_KEY ? "after_key" : "offset",
						 hidden ? "..." : page->cursor, hidden);
}

/* The separator of values as a string, for strtok_r() */
static const char SEPARATORS[] = {SGIP_VALUES_SEPARATOR, '\0'};

/*
 * Appends one argument.  A range has two parameters, of which one without a
 * bound is not sent; if its bounds are expressions, it is shown under the name
 * of its field.
 */
static void
append_argument(StringInfo buf, char *separator, const SgipField *field,
				const char *value, bool verbatim)
{
	const char *upper = strchr(value, SGIP_BOUNDS_SEPARATOR);

	if (field->many > 0 && !verbatim)
	{
		char	   *values = pstrdup(value);
		char	   *rest;

		for (char *one = strtok_r(values, SEPARATORS, &rest); one != NULL; one = strtok_r(NULL, SEPARATORS, &rest))
			append_parameter(buf, separator, field->param, one, false);
	}
	else if (field->param_to == NULL)
		append_parameter(buf, separator, field->param, value, verbatim);
	else if (upper == NULL || value[strspn(value, "0123456789~")] != '\0')
		append_parameter(buf, separator, field->name, value, verbatim);
	else
	{
		if (upper != value)
			append_parameter(buf, separator, field->param, pnstrdup(value, upper - value), true);
		if (upper[1] != '\0')
			append_parameter(buf, separator, field->param_to, upper + 1, true);
	}
}

/*
 * Appends all parameters but credentials.  "texts" has, by field, which values
 * of the arguments are to be shown as they are; or is NULL.
 */
static void
append_query(StringInfo buf, char *separator, const SgipTask *task,
			 const SgipArguments *arguments, const char *const *texts,
			 const SgipPage *page, bool hidden)
{
	const char *id;
	bool		object = sgip_request_object(task, arguments, &id) != NULL;

	if (task->api == SGIP_API_V2)
		append_parameter(buf, separator, "task", task->name, true);
	if (task->query != NULL)
	{
		appendStringInfo(buf, "%c%s", *separator, task->query);
		*separator = '&';
	}
	/* nothing narrows one object */
	for (int i = 0; i < task->field_count && !object; i++)
	{
		const SgipField *field = &task->fields[i];

		if (field->param != NULL && field->param[0] != '\0' && arguments->values[i] != NULL)
			append_argument(buf, separator, field, arguments->values[i], texts != NULL && texts[i] != NULL);
	}
	if (page != NULL)
		append_page(buf, separator, task, page, hidden);
}

char *
sgip_request_path(const SgipServer *server, const SgipTask *task,
				  const SgipArguments *arguments)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfoString(&url, server->base_url);
	append_path(&url, server, task, arguments, false);
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
	append_path(&url, server, task, arguments, false);
	append_query(query, &separator, task, arguments, NULL, page, false);

	headers[count++] = pstrdup("Accept: application/json");
	if (server->api == SGIP_API_V2)
	{
		append_parameter(query, &separator, "api_user", credentials->api_user, false);
		append_parameter(query, &separator, "api_key", credentials->api_key, false);
	}
	else
	{
		headers[count++] = psprintf("Authorization: Bearer %s", credentials->api_key);
		if (credentials->on_behalf_of != NULL)
			headers[count++] = psprintf("On-Behalf-Of: %s", credentials->on_behalf_of);
	}

	request->url = url.data;
	request->body = post ? body.data : NULL;
	request->headers = headers;
}

/*
 * Encodes control characters, which ids sent by a server or options of
 * another user may contain, so that nothing can pass for another line of a
 * message.
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
sgip_request_show(const SgipServer *server, const SgipTask *task,
				  const SgipArguments *arguments, const SgipPage *page, bool hidden)
{
	StringInfoData buf;
	const char *path = strchr(strstr(server->base_url, "://") + 3, '/');
	bool		post = server->api == SGIP_API_V2 && server->post;
	char		separator = post ? '\0' : '?';
	const char *texts[SGIP_MAX_FIELDS] = {NULL};
	SgipArguments shown = *arguments;

	if (hidden)
		shown.parent = NULL;
	for (int i = 0; i < task->field_count; i++)
	{
		if (arguments->shown != NULL)
			texts[i] = arguments->shown[i];
		else if (hidden && arguments->values[i] != NULL)
			texts[i] = "?";
		if (texts[i] != NULL)
			shown.values[i] = texts[i];

		/*
		 * the parent's id is an argument like any other, but stands in the
		 * path
		 */
		if (task->fields[i].kind == SGIP_KIND_PARENT && shown.parent == NULL)
			shown.parent = shown.values[i];
	}

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s %s", post ? "POST" : "GET", path ? path : "");
	append_path(&buf, server, task, &shown, true);
	if (post)
		appendStringInfoString(&buf, SGIP_REQUEST_FORM);
	append_query(&buf, &separator, task, &shown, texts, page, hidden);
	return escape_controls(buf.data);
}
