/*-------------------------------------------------------------------------
 *
 * task.c
 *		The static catalogue of what the remote API offers.
 *
 * Sources: v2, SendGrid's "IP Management" page of the reseller API; v3, the
 * OpenAPI files of twilio/sendgrid-oai (tsg_ips_v3, tsg_ip_address_-
 * management_v3, tsg_ip_warmup_v3, tsg_subusers_v3, tsg_reverse_dns_v3,
 * tsg_account_provisioning_v3, tsg_ip_provisioning_v3, tsg_user_v3,
 * tsg_scopes_v3, tsg_domain_authentication_v3; 22 Jan 2026).
 *
 * How a parameter matches is chosen so that the API's answer is certain to
 * hold every row SQL wants, whichever reading of the documentation is true:
 *
 * v2 "ip" is "a complete or partial IP address": a leading part is the only
 * part that every reading accepts, so PREFIX.  "user" and "group" are
 * "complete or part of": the page's own example finds user4@example.com by
 * user=example.com, so ANYWHERE.
 *
 * v3 start_added_at and end_added_at: whether rows at the very ends are
 * found is open, so they are sent a second wider.  "pool" of
 * /v3/send_ips/ips and "region" of /v3/send_ips/pools find what a list has.
 * One pool by its id lacks the list of regions, and a listing of pools is
 * one request anyway; one reverse DNS record is what it is in the listing.
 *
 * v3 usernames= of /v3/subusers/reputations is documented as a text, the
 * example has two subusers: several are named by several parameters, and
 * those that are missing in the answer are asked for alone.
 *
 * v3 /v3/ips?ip= is exact or wider, so EXACT.  /v3/ips?subuser= is certain
 * only for a real subuser and not for the parent account's own name, so it
 * is sent only where the user says so by the column option "match".
 *
 *-------------------------------------------------------------------------
 */
#include "catalog/task.h"

#include <string.h>

#define lengthof_array(a) ((int) (sizeof(a) / sizeof((a)[0])))

/* A field that stands in the answer under its own name; what else it has follows */
#define FIELD(field_name, field_kind, sql_type, ...) \
	{.name = field_name, .column = field_name, .type = sql_type, .kind = field_kind, \
	 .key = field_name, __VA_ARGS__}
#define TEXT(field_name, ...) FIELD(field_name, SGIP_KIND_TEXT, "text", __VA_ARGS__)
#define BOOLEAN(field_name, ...) FIELD(field_name, SGIP_KIND_BOOLEAN, "boolean", __VA_ARGS__)
#define NUMBER(field_name, sql_type, ...) \
	FIELD(field_name, SGIP_KIND_NUMBER, sql_type, __VA_ARGS__)
#define LIST(field_name, sql_type, ...) \
	FIELD(field_name, SGIP_KIND_LIST, sql_type, __VA_ARGS__)

/* ... and the same with a column of another name */
#define TIME(field_name, column_name) \
	{.name = field_name, .column = column_name, .type = "timestamptz", \
	 .kind = SGIP_KIND_TIME, .key = field_name}

/* The address, by which a row of most tasks is known */
#define IP(...) FIELD("ip", SGIP_KIND_TEXT, "inet", .identity = true, __VA_ARGS__)

/* The fields of v2 */
#define V2_IP IP(.param = "ip", .match = SGIP_MATCH_PREFIX)
#define V2_SYSTEM \
	{.name = "system", .column = "include_system", .type = "boolean", \
	 .kind = SGIP_KIND_ARGUMENT, .param = "system", .match = SGIP_MATCH_EXACT, \
	 .values = "true", .absent = "false"}

static const SgipField v2_ip_fields[] = {V2_IP};

static const SgipField v2_all_fields[] = {V2_IP, V2_SYSTEM};

static const SgipField v2_usage_fields[] = {
	V2_IP,
	{.name = "user", .column = "username", .type = "text", .kind = SGIP_KIND_TEXT,
	.key = "user", .param = "user", .match = SGIP_MATCH_ANYWHERE},
	{.name = "group", .column = "group_name", .type = "text", .kind = SGIP_KIND_ARGUMENT,
	.param = "group", .match = SGIP_MATCH_ANYWHERE},
	V2_SYSTEM
};

/* The fields of v3, one array per kind of element */
#define V3_IP IP(.param = "ip", .match = SGIP_MATCH_EXACT)

static const SgipField v3_ips_fields[] = {
	V3_IP,
	LIST("subusers", "text[]"),
	LIST("pools", "text[]"),
	TEXT("rdns"),
	BOOLEAN("whitelabeled"),
	BOOLEAN("warmup"),
	TIME("start_date", "warmup_started_at"),
	TIME("assigned_at", "assigned_at")
};

static const SgipField v3_usage_fields[] = {
	V3_IP,
	{.name = "user", .column = "username", .type = "text", .kind = SGIP_KIND_ITEM,
	.key = "subusers", .param = "subuser", .match = SGIP_MATCH_NONE, .inconclusive = true},
	{.name = "group", .column = "group_name", .type = "text", .kind = SGIP_KIND_ARGUMENT,
	.key = "pools", .match = SGIP_MATCH_ANYWHERE},
	LIST("pools", "text[]")
};

static const SgipField v3_member_fields[] = {
	{.name = "pool", .column = "pool_name", .type = "text", .kind = SGIP_KIND_ITEM,
	.key = "pools"},
	V3_IP
};

static const SgipField v3_address_fields[] = {
	V3_IP,
	LIST("pools", "text[]", .subkey = "name"),
	{.name = "pool_ids", .column = "pool_ids", .type = "bigint[]", .kind = SGIP_KIND_LIST,
		.key = "pools", .subkey = "id", .items = SGIP_KIND_NUMBER,
	.param = "pool", .match = SGIP_MATCH_EXACT},
	TEXT("region"),
	BOOLEAN("is_leased", .param = "is_leased", .match = SGIP_MATCH_EXACT, .values = "true false"),
	BOOLEAN("is_enabled", .param = "is_enabled", .match = SGIP_MATCH_EXACT, .values = "true false"),
	BOOLEAN("is_parent_assigned", .param = "is_parent_assigned", .match = SGIP_MATCH_EXACT,
			.values = "true false", .not_beside = "pool_ids"),
	BOOLEAN("is_auto_warmup"),
	{.name = "added_at", .column = "added_at", .type = "timestamptz", .kind = SGIP_KIND_TIME,
		.key = "added_at", .param = "start_added_at", .param_to = "end_added_at",
	.match = SGIP_MATCH_EXACT},
	TIME("updated_at", "updated_at")
};

static const SgipField v3_pool_fields[] = {
	NUMBER("id", "bigint", .identity = true),
	TEXT("name"),
	NUMBER("total_ip_count", "integer"),
	LIST("regions", "text[]", .param = "region", .match = SGIP_MATCH_EXACT, .values = "eu us"),
	LIST("ips_preview", "inet[]")
};

static const SgipField v3_warmup_fields[] = {
	IP(),
	TIME("start_date", "started_at")
};

static const SgipField v3_remaining_fields[] = {
	NUMBER("remaining", "integer", .identity = true),
	TEXT("period"),
	NUMBER("price_per_ip", "numeric")
};

static const SgipField v3_subuser_fields[] = {
	NUMBER("id", "bigint", .identity = true),
	TEXT("username", .identity = true, .param = "username", .match = SGIP_MATCH_PREFIX,
		 .fold_case = true),
	TEXT("email"),
	BOOLEAN("disabled"),
	TEXT("region", .param = "region", .match = SGIP_MATCH_EXACT, .values = "global eu")
};

/* A member of the DNS record that a reverse DNS record requires */
#define A_RECORD(field_name, field_kind, sql_type, member) \
	{.name = field_name, .column = field_name, .type = sql_type, .kind = field_kind, \
	 .key = "a_record", .subkey = member}

static const SgipField v3_reverse_dns_fields[] = {
	NUMBER("id", "bigint", .identity = true, .param = "", .match = SGIP_MATCH_EXACT,
		   .object_path = "/v3/whitelabel/ips/{}"),
	IP(.param = "ip", .match = SGIP_MATCH_PREFIX),
	TEXT("rdns"),
	{.name = "users", .column = "usernames", .type = "text[]", .kind = SGIP_KIND_LIST,
	.key = "users", .subkey = "username"},
	TEXT("subdomain"),
	TEXT("domain"),
	BOOLEAN("valid"),
	BOOLEAN("legacy"),
	TIME("last_validation_attempt_at", "last_validation_attempt_at"),
	{.name = "user_ids", .column = "user_ids", .type = "bigint[]", .kind = SGIP_KIND_LIST,
	.key = "users", .subkey = "user_id", .items = SGIP_KIND_NUMBER},
	A_RECORD("a_record_valid", SGIP_KIND_BOOLEAN, "boolean", "valid"),
	A_RECORD("a_record_host", SGIP_KIND_TEXT, "text", "host"),
	A_RECORD("a_record_data", SGIP_KIND_TEXT, "text", "data")
};

static const SgipField v3_assigned_fields[] = {
	IP(),
	LIST("pools", "text[]"),
	BOOLEAN("warmup"),
	TIME("start_date", "warmup_started_at")
};

static const SgipField v3_pool_ip_fields[] = {
	{.name = "pool", .column = "pool_id", .type = "bigint", .kind = SGIP_KIND_PARENT,
	.key = "id", .param = "", .match = SGIP_MATCH_EXACT},
	{.name = "pool_name", .column = "pool_name", .type = "text", .kind = SGIP_KIND_PARENT_ITEM,
	.key = "pools", .subkey = "name"},
	IP(),
	TEXT("region")
};

static const SgipField v3_own_account_fields[] = {
	TEXT("username", .identity = true),
	NUMBER("user_id", "bigint")
};

static const SgipField v3_scope_fields[] = {
	TEXT("scope", .identity = true)
};

/* Some fifty usernames fit into the line of a request */
static const SgipField v3_reputation_fields[] = {
	TEXT("username", .identity = true, .param = "usernames", .match = SGIP_MATCH_EXACT, .many = 50),
	NUMBER("reputation", "numeric")
};

static const SgipField v3_domain_fields[] = {
	NUMBER("id", "bigint", .identity = true),
	TEXT("domain"),
	TEXT("subdomain"),
	TEXT("username"),
	NUMBER("user_id", "bigint"),
	LIST("ips", "inet[]"),
	{.name = "default", .column = "is_default", .type = "boolean", .kind = SGIP_KIND_BOOLEAN,
	.key = "default"},
	BOOLEAN("valid"),
	BOOLEAN("legacy")
};

static const SgipField v3_account_fields[] = {
	{.name = "id", .column = "account_id", .type = "text", .kind = SGIP_KIND_TEXT, .key = "id",
	.identity = true},
	TEXT("email"),
	TIME("created_at", "created_at"),
	TIME("updated_at", "updated_at")
};

static const SgipField v3_account_ip_fields[] = {
	{.name = "account", .column = "account_id", .type = "text", .kind = SGIP_KIND_PARENT,
	.key = "id", .param = "", .match = SGIP_MATCH_EXACT},
	IP(),
	TEXT("region")
};

static const SgipField v3_account_state_fields[] = {
	{.name = "account", .column = "account_id", .type = "text", .kind = SGIP_KIND_PARENT,
	.key = "id", .param = "", .match = SGIP_MATCH_EXACT},
	TEXT("state", .identity = true)
};

#define FIELDS(array) .fields = array, .field_count = lengthof_array(array)

/* A task of v2: one answer, an array or an object that holds it as "ips" */
#define V2_TASK(task_name, table_name, array, strings) \
	{.api = SGIP_API_V2, .name = task_name, .table = table_name, .plain = strings, \
	 .paging = SGIP_PAGING_NONE, .list_key = "ips", FIELDS(array), .key_field = -1}

/*
 * A task over GET /v3/ips: pages of at most 500 (the most that clients use;
 * the specification states no maximum), in a fixed order.
 */
#define V3_IPS_TASK(task_name, table_name, array, ...) \
	{.api = SGIP_API_V3, .name = task_name, .table = table_name, \
	 .path = "/v3/ips", .query = "sort_by_direction=asc", \
	 .paging = SGIP_PAGING_OFFSET, .page_max = 500, FIELDS(array), __VA_ARGS__}

static const SgipTask tasks[] = {
	/* every IP of the account */
	V2_TASK("all", "ips_all", v2_all_fields, true),
	/* IPs that no user uses and no group holds */
	V2_TASK("free", "ips_free", v2_ip_fields, true),
	/* IPs that a user uses or a group holds */
	V2_TASK("taken", "ips_taken", v2_ip_fields, true),
	/* IPs that are free or used by inactive users alone */
	V2_TASK("available", "ips_available", v2_ip_fields, true),
	/* who sends from which IP, one row for each pair */
	V2_TASK("usage", "ips_usage", v2_usage_fields, false),

	/* every IP of the account */
	V3_IPS_TASK("all", "ips_all", v3_ips_fields,
				.derive = SGIP_DERIVE_ALL, .key_field = 0),
	/* IPs with neither subuser nor pool */
	V3_IPS_TASK("free", "ips_free", v3_ips_fields,
				.derive = SGIP_DERIVE_FREE, .key_field = 0),
	/* IPs with a subuser or a pool */
	V3_IPS_TASK("taken", "ips_taken", v3_ips_fields,
				.derive = SGIP_DERIVE_TAKEN, .key_field = 0),
	/* IPs that are free or used by disabled subusers alone */
	V3_IPS_TASK("available", "ips_available", v3_ips_fields,
				.derive = SGIP_DERIVE_AVAILABLE, .key_field = 0),
	/* who sends from which IP, one row for each pair */
	V3_IPS_TASK("usage", "ips_usage", v3_usage_fields,
				.unnest = "subusers", .key_field = 0),
	/* which IP is in which pool, one row for each pair */
	V3_IPS_TASK("pool_members", "ip_pool_members", v3_member_fields,
				.unnest = "pools", .key_field = 1),
	/* IPs with region, ownership and state (IP address management) */
	{
		.api = SGIP_API_V3, .name = "addresses", .table = "ip_addresses",
		.path = "/v3/send_ips/ips", .query = "include_region=true",
		.paging = SGIP_PAGING_AFTER_KEY, .page_max = 5000, .list_key = "result",
		FIELDS(v3_address_fields), .key_field = 0
	},
	/* IP pools */
	{
		.api = SGIP_API_V3, .name = "pools", .table = "ip_pools",
		.path = "/v3/send_ips/pools", .query = "include_region=true",
		.paging = SGIP_PAGING_AFTER_KEY, .page_max = 100, .list_key = "result",
		FIELDS(v3_pool_fields), .key_field = 0
	},
	/* which IP is in which pool, by the pool's id and with the IP's region */
	{
		.api = SGIP_API_V3, .name = "pool_ips", .table = "ip_pool_ips",
		.path = "/v3/send_ips/pools/{}/ips", .query = "include_region=true",
		.paging = SGIP_PAGING_AFTER_KEY, .page_max = 100, .list_key = "result",
		.parent = "pools",
		FIELDS(v3_pool_ip_fields), .key_field = 2
	},
	/* IPs that the account itself, or the subuser acted for, may send from */
	{
		.api = SGIP_API_V3, .name = "assigned", .table = "ips_assigned",
		.path = "/v3/ips/assigned",
		.paging = SGIP_PAGING_NONE,
		FIELDS(v3_assigned_fields), .key_field = -1
	},
	/* IPs that are warming up */
	{
		.api = SGIP_API_V3, .name = "warmup", .table = "ip_warmup",
		.path = "/v3/ips/warmup",
		.paging = SGIP_PAGING_NONE,
		FIELDS(v3_warmup_fields), .key_field = -1
	},
	/* how many IPs can still be bought, and their price */
	{
		.api = SGIP_API_V3, .name = "remaining", .table = "ip_remaining",
		.path = "/v3/ips/remaining",
		.paging = SGIP_PAGING_NONE, .list_key = "results",
		FIELDS(v3_remaining_fields), .key_field = -1
	},
	/* subusers of the account */
	{
		.api = SGIP_API_V3, .name = "subusers", .table = "subusers",
		.path = "/v3/subusers", .query = "include_region=true",
		.paging = SGIP_PAGING_OFFSET, .page_max = 500,
		FIELDS(v3_subuser_fields), .key_field = 0
	},
	/* how well the mail of subusers is received */
	{
		.api = SGIP_API_V3, .name = "subuser_reputations", .table = "subuser_reputations",
		.path = "/v3/subusers/reputations",
		.paging = SGIP_PAGING_NONE,
		.parent = "subusers",
		FIELDS(v3_reputation_fields), .key_field = -1
	},
	/* reverse DNS records of IPs */
	{
		.api = SGIP_API_V3, .name = "reverse_dns", .table = "reverse_dns",
		.path = "/v3/whitelabel/ips",
		.paging = SGIP_PAGING_OFFSET, .page_max = 500,
		FIELDS(v3_reverse_dns_fields), .key_field = 0
	},
	/* domains that mail is authenticated for, and the IPs that send it */
	{
		.api = SGIP_API_V3, .name = "authenticated_domains", .table = "authenticated_domains",
		.path = "/v3/whitelabel/domains",
		.paging = SGIP_PAGING_OFFSET, .page_max = 500,
		FIELDS(v3_domain_fields), .key_field = 0
	},
	/* the account that is asked, or the subuser acted for */
	{
		.api = SGIP_API_V3, .name = "account", .table = "account",
		.path = "/v3/user/username",
		.paging = SGIP_PAGING_NONE, .single = true,
		FIELDS(v3_own_account_fields), .key_field = -1
	},
	/* what the key may do */
	{
		.api = SGIP_API_V3, .name = "scopes", .table = "scopes",
		.path = "/v3/scopes",
		.paging = SGIP_PAGING_NONE, .list_key = "scopes", .plain = true,
		FIELDS(v3_scope_fields), .key_field = -1
	},
	/* customer accounts of a reseller */
	{
		.api = SGIP_API_V3, .name = "partner_accounts", .table = "partner_accounts",
		.path = "/v3/partners/accounts",
		.paging = SGIP_PAGING_LAST, .page_max = 100, .list_key = "accounts",
		FIELDS(v3_account_fields), .key_field = 0
	},
	/* IPs of a reseller's customer accounts */
	{
		.api = SGIP_API_V3, .name = "partner_account_ips", .table = "partner_account_ips",
		.path = "/v3/partners/accounts/{}/ips",
		.paging = SGIP_PAGING_LAST, .page_max = 5000, .list_key = "result",
		.parent = "partner_accounts",
		FIELDS(v3_account_ip_fields), .key_field = 1
	},
	/* whether a reseller's customer accounts are active */
	{
		.api = SGIP_API_V3, .name = "partner_account_states", .table = "partner_account_states",
		.path = "/v3/partners/accounts/{}/state",
		.paging = SGIP_PAGING_NONE, .single = true,
		.parent = "partner_accounts",
		FIELDS(v3_account_state_fields), .key_field = -1
	}
};

const SgipTask *
sgip_task_list(int *count)
{
	*count = lengthof_array(tasks);
	return tasks;
}

const char *
sgip_task_api_name(SgipApi api)
{
	return api == SGIP_API_V2 ? "v2" : "v3";
}

const SgipTask *
sgip_task_find(SgipApi api, const char *name)
{
	for (int i = 0; i < lengthof_array(tasks); i++)
	{
		if (tasks[i].api == api && strcmp(tasks[i].name, name) == 0)
			return &tasks[i];
	}
	return NULL;
}

/*
 * Index of the field with that API name or default column name, or -1.  The
 * names "group" and "user" of the API are reserved words of SQL, hence the
 * second name.
 */
int
sgip_task_find_field(const SgipTask *task, const char *name)
{
	for (int i = 0; i < task->field_count; i++)
	{
		if (strcmp(task->fields[i].name, name) == 0 ||
			strcmp(task->fields[i].column, name) == 0)
			return i;
	}
	return -1;
}

int
sgip_task_parent_field(const SgipTask *task)
{
	int			field = 0;

	while (task->fields[field].kind != SGIP_KIND_PARENT && task->fields[field].many == 0)
		field++;
	return field;
}

const char *
sgip_task_row_key(const SgipTask *task)
{
	for (int i = 0; i < task->field_count; i++)
	{
		const SgipField *field = &task->fields[i];

		if (field->identity && (task->single || strcmp(field->key, "ip") == 0))
			return field->key;
	}
	return NULL;
}

bool
sgip_task_has_word(const char *list, const char *word)
{
	size_t		len = strlen(word);

	for (const char *p = list; len > 0 && (p = strstr(p, word)) != NULL; p += len)
	{
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return strchr(word, ' ') == NULL;
	}
	return false;
}
