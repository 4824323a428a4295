/*-------------------------------------------------------------------------
 *
 * task.h
 *		The static catalogue of what the remote API offers.
 *
 * One entry per (API version, task): its path, how it pages,
 * where its elements stand in the answer, which fields a row has, and which
 * search parameters exist and how the API compares them.  Validator hints,
 * IMPORT FOREIGN SCHEMA, request building, decoding and pushdown all read
 * this; a new table is a new entry in task.c and nothing else.
 *
 * Pure data and look-up: compiles without PostgreSQL, libcurl and jansson.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_TASK_H
#define SGIP_TASK_H

#include <stdbool.h>
#include <stddef.h>

/* The only remote schema that IMPORT FOREIGN SCHEMA knows */
#define SGIP_REMOTE_SCHEMA "sendgrid"

/* Generations of the Web API, value of the server option api_version */
typedef enum SgipApi
{
	SGIP_API_V2,				/* distributor.ip / reseller.ip, one answer */
	SGIP_API_V3					/* the Web API of today, paged */
} SgipApi;

#define SGIP_OTHER_API(api) ((api) == SGIP_API_V2 ? SGIP_API_V3 : SGIP_API_V2)

/* How the API compares the value of a search parameter with its field */
typedef enum SgipMatch
{
	SGIP_MATCH_NONE,			/* there is no such parameter */
	SGIP_MATCH_EXACT,			/* the whole value only */
	SGIP_MATCH_PREFIX,			/* the value is the beginning of the field */
	SGIP_MATCH_ANYWHERE			/* the value is some part of the field */
} SgipMatch;

/* How a field's value stands in an element */
typedef enum SgipKind
{
	SGIP_KIND_TEXT,				/* string */
	SGIP_KIND_NUMBER,			/* number, or a string that holds one */
	SGIP_KIND_BOOLEAN,			/* true or false */
	SGIP_KIND_TIME,				/* Unix seconds, as number or string, or ISO
								 * text */
	SGIP_KIND_LIST,				/* array of what "items" says */
	SGIP_KIND_ITEM,				/* the item of the unnested array */
	SGIP_KIND_PARENT,			/* id of the parent's row; stands in the path */
	SGIP_KIND_PARENT_ITEM,		/* string: the member subkey of that item of
								 * the list at key whose "id" is the parent's */
	SGIP_KIND_ARGUMENT			/* not in the answer: argument of the search,
								 * sent as param, or where that is NULL looked
								 * for in the list at key */
} SgipKind;

/* How many requests a listing takes and how the next one is found */
typedef enum SgipPaging
{
	SGIP_PAGING_NONE,			/* one answer holds everything */
	SGIP_PAGING_OFFSET,			/* limit/offset in rows, perhaps a Link header */
	SGIP_PAGING_AFTER_KEY,		/* limit/after_key, _metadata.next_params */
	SGIP_PAGING_LAST			/* limit/offset = last id, pages.last */
} SgipPaging;

/* Which elements of the v3 listing are rows of the table (API.md section 4) */
typedef enum SgipDerive
{
	SGIP_DERIVE_ALL,			/* every element */
	SGIP_DERIVE_FREE,			/* neither subuser nor pool */
	SGIP_DERIVE_TAKEN,			/* a subuser or a pool */
	SGIP_DERIVE_AVAILABLE		/* free, or all its subusers are disabled */
} SgipDerive;

typedef struct SgipField
{
	const char *name;			/* the API's name: value of column option
								 * "field" */
	const char *column;			/* name of the column that IMPORT makes; a
								 * column of either name is this field */
	const char *type;			/* SQL type of the column that IMPORT makes */
	SgipKind	kind;
	const char *key;			/* member of the element that holds it, or
								 * NULL */
	const char *subkey;			/* the value is an object, or the items of the
								 * list are, of which this member is taken; or
								 * NULL */
	SgipKind	items;			/* SGIP_KIND_LIST: what is in it, TEXT or
								 * NUMBER */
	bool		identity;		/* an element that lacks it is no row of the
								 * task */
	const char *param;			/* search parameter of the request, or NULL;
								 * of a time the lower bound, in Unix seconds */
	const char *param_to;		/* TIME: likewise the upper bound, or NULL */
	int			many;			/* rows are found by this parameter alone,
								 * which one request can have so often; the
								 * values are the parent's; 0: it is an
								 * ordinary parameter */
	const char *not_beside;		/* the API refuses the parameter beside that
								 * of the field of this name; or NULL */
	const char *object_path;	/* path of the one object that has the value
								 * "{}" in this field, where that is less than
								 * the listing */
	SgipMatch	match;			/* how the API compares that parameter, unless
								 * the column option "match" says otherwise */
	const char *values;			/* the only values that the parameter may
								 * have, separated by blanks; NULL: any */
	bool		fold_case;		/* the API folds case, by rules of its own
								 * beyond ASCII: only an ASCII beginning may
								 * be sent */
	const char *absent;			/* value of a search column that no condition
								 * gives one, or NULL */
	bool		inconclusive;	/* an empty or refused answer proves nothing:
								 * then the whole listing is read */
} SgipField;

/* No task has more; lets callers keep values in plain arrays */
#define SGIP_MAX_FIELDS 16

typedef struct SgipTask
{
	SgipApi		api;
	const char *name;			/* value of the table option "task" */
	const char *table;			/* name of the table that IMPORT makes */
	const char *path;			/* v3: path after base_url, "{}" stands for
								 * the parent's id; v2: NULL */
	const char *query;			/* v3: fixed part of the query string, or NULL */
	SgipPaging	paging;
	int			page_max;		/* most rows the API gives per page; 0 =
								 * unpaged */
	bool		single;			/* the answer is one object, which is the row */
	const char *list_key;		/* member that holds the elements when the
								 * answer is an object, or NULL */
	bool		plain;			/* the API documents lists of plain strings,
								 * each of which stands for the first field */
	const char *unnest;			/* array member, one row for each item; or
								 * NULL */
	SgipDerive	derive;
	const char *parent;			/* task whose rows each have one such listing */
	const SgipField *fields;
	int			field_count;
	int			key_field;		/* field that tells rows of a paged listing
								 * apart (before unnesting) */
} SgipTask;

/* All tasks, v2 first; *count receives how many */
extern const SgipTask *sgip_task_list(int *count);

/* "v2" or "v3" */
extern const char *sgip_task_api_name(SgipApi api);

/* The task of that name, or NULL */
extern const SgipTask *sgip_task_find(SgipApi api, const char *name);

/* Index of the field with that API name or default column name, or -1 */
extern int	sgip_task_find_field(const SgipTask *task, const char *name);

/* Index of the field of a task with a parent that says whose rows are listed */
extern int	sgip_task_parent_field(const SgipTask *task);

/*
 * Member that tells a row from an object around rows, where a row may stand
 * alone: in listings of IPs, and where the answer is one object; else NULL
 */
extern const char *sgip_task_row_key(const SgipTask *task);

/* Is the word one of those that list holds, separated by blanks? */
extern bool sgip_task_has_word(const char *list, const char *word);

#endif							/* SGIP_TASK_H */
