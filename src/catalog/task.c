/*-------------------------------------------------------------------------
 *
 * task.c
 *		The static catalogue of what the remote API offers.
 *
 * Sources: v2, SendGrid's "IP Management" page of the reseller API; v3, the
 * OpenAPI files of twilio/sendgrid-oai (tsg_ips_v3, tsg_ip_address_-
 * management_v3, tsg_ip_warmup_v3, tsg_subusers_v3, tsg_reverse_dns_v3,
 * tsg_account_provisioning_v3, tsg_ip_provisioning_v3; 22 Jan 2026).
 *
 * How a parameter matches is chosen so that the API's answer is certain to
 * hold every row SQL wants, whichever reading of the documentation is true:
 *
 * v2 "ip" is "a complete or partial IP address": a leading part is the only
 * part that every reading accepts, so PREFIX.  "user" and "group" are
 * "complete or part of": the page's own example finds user4@example.com by
 * user=example.com, so ANYWHERE.
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

/* The fields of v2 */
#define V2_IP \
	{.name = "ip", .column = "ip", .type = "inet", .kind = SGIP_KIND_SCALAR, \
	 .key = "ip", .param = "ip", .match = SGIP_MATCH_PREFIX}
#define V2_SYSTEM \
	{.name = "system", .column = "include_system", .type = "boolean", \
	 .kind = SGIP_KIND_ARGUMENT, .param = "system", .match = SGIP_MATCH_EXACT, \
	 .values = "true", .absent = "false"}

static const SgipField v2_ip_fields[] = {V2_IP};

static const SgipField v2_all_fields[] = {V2_IP, V2_SYSTEM};

static const SgipField v2_usage_fields[] = {
	V2_IP,
	{.name = "user", .column = "username", .type = "text", .kind = SGIP_KIND_SCALAR,
	.key = "user", .param = "user", .match = SGIP_MATCH_ANYWHERE},
	{.name = "group", .column = "group_name", .type = "text", .kind = SGIP_KIND_ARGUMENT,
	.param = "group", .match = SGIP_MATCH_ANYWHERE},
	V2_SYSTEM
};

/* The fields of v3, one array per kind of element */
#define V3_IP \
	{.name = "ip", .column = "ip", .type = "inet", .kind = SGIP_KIND_SCALAR, \
	 .key = "ip", .param = "ip", .match = SGIP_MATCH_EXACT}
#define V3_POOLS \
	{.name = "pools", .column = "pools", .type = "text[]", .kind = SGIP_KIND_LIST, \
	 .key = "pools", .subkey = "name"}
#define SCALAR(field_name, sql_type) \
	{.name = field_name, .column = field_name, .type = sql_type, \
	 .kind = SGIP_KIND_SCALAR, .key = field_name}
#define TIME(field_name, column_name) \
	{.name = field_name, .column = column_name, .type = "timestamptz", \
	 .kind = SGIP_KIND_TIME, .key = field_name}

static const SgipField v3_ips_fields[] = {
	V3_IP,
	{.name = "subusers", .column = "subusers", .type = "text[]", .kind = SGIP_KIND_LIST,
	.key = "subusers"},
	V3_POOLS,
	SCALAR("rdns", "text"),
	SCALAR("whitelabeled", "boolean"),
	SCALAR("warmup", "boolean"),
	TIME("start_date", "warmup_started_at"),
	TIME("assigned_at", "assigned_at")
};

static const SgipField v3_usage_fields[] = {
	V3_IP,
	{.name = "user", .column = "username", .type = "text", .kind = SGIP_KIND_ITEM,
	.key = "subusers", .param = "subuser", .match = SGIP_MATCH_NONE, .inconclusive = true},
	{.name = "group", .column = "group_name", .type = "text", .kind = SGIP_KIND_ARGUMENT,
	.key = "pools", .match = SGIP_MATCH_ANYWHERE},
	V3_POOLS
};

static const SgipField v3_member_fields[] = {
	{.name = "pool", .column = "pool_name", .type = "text", .kind = SGIP_KIND_ITEM,
	.key = "pools"},
	V3_IP
};

static const SgipField v3_address_fields[] = {
	V3_IP,
	V3_POOLS,
	SCALAR("region", "text"),
	{.name = "is_leased", .column = "is_leased", .type = "boolean", .kind = SGIP_KIND_SCALAR,
	.key = "is_leased", .param = "is_leased", .match = SGIP_MATCH_EXACT, .values = "true false"},
	{.name = "is_enabled", .column = "is_enabled", .type = "boolean", .kind = SGIP_KIND_SCALAR,
	.key = "is_enabled", .param = "is_enabled", .match = SGIP_MATCH_EXACT, .values = "true false"},
	SCALAR("is_parent_assigned", "boolean"),
	SCALAR("is_auto_warmup", "boolean"),
	TIME("added_at", "added_at"),
	TIME("updated_at", "updated_at")
};

static const SgipField v3_pool_fields[] = {
	SCALAR("id", "bigint"),
	SCALAR("name", "text"),
	SCALAR("total_ip_count", "integer"),
	{.name = "regions", .column = "regions", .type = "text[]", .kind = SGIP_KIND_LIST,
	.key = "regions"},
	{.name = "ips_preview", .column = "ips_preview", .type = "inet[]", .kind = SGIP_KIND_LIST,
	.key = "ips_preview", .subkey = "ip"}
};

static const SgipField v3_warmup_fields[] = {
	{.name = "ip", .column = "ip", .type = "inet", .kind = SGIP_KIND_SCALAR, .key = "ip"},
	TIME("start_date", "started_at")
};

static const SgipField v3_remaining_fields[] = {
	SCALAR("remaining", "integer"),
	SCALAR("period", "text"),
	SCALAR("price_per_ip", "numeric")
};

static const SgipField v3_subuser_fields[] = {
	SCALAR("id", "bigint"),
	{.name = "username", .column = "username", .type = "text", .kind = SGIP_KIND_SCALAR,
	.key = "username", .param = "username", .match = SGIP_MATCH_PREFIX, .fold_case = true},
	SCALAR("email", "text"),
	SCALAR("disabled", "boolean"),
	{.name = "region", .column = "region", .type = "text", .kind = SGIP_KIND_SCALAR,
	.key = "region", .param = "region", .match = SGIP_MATCH_EXACT, .values = "global eu"}
};

static const SgipField v3_reverse_dns_fields[] = {
	SCALAR("id", "bigint"),
	{.name = "ip", .column = "ip", .type = "inet", .kind = SGIP_KIND_SCALAR,
	.key = "ip", .param = "ip", .match = SGIP_MATCH_PREFIX},
	SCALAR("rdns", "text"),
	{.name = "users", .column = "usernames", .type = "text[]", .kind = SGIP_KIND_LIST,
	.key = "users", .subkey = "username"},
	SCALAR("subdomain", "text"),
	SCALAR("domain", "text"),
	SCALAR("valid", "boolean"),
	SCALAR("legacy", "boolean"),
	TIME("last_validation_attempt_at", "last_validation_attempt_at")
};

static const SgipField v3_account_fields[] = {
	{.name = "id", .column = "account_id", .type = "text", .kind = SGIP_KIND_SCALAR, .key = "id"},
	SCALAR("email", "text"),
	TIME("created_at", "created_at"),
	TIME("updated_at", "updated_at")
};

static const SgipField v3_account_ip_fields[] = {
	{.name = "account", .column = "account_id", .type = "text", .kind = SGIP_KIND_PARENT,
	.key = "id", .param = "", .match = SGIP_MATCH_EXACT},
	{.name = "ip", .column = "ip", .type = "inet", .kind = SGIP_KIND_SCALAR, .key = "ip"},
	SCALAR("region", "text")
};

#define FIELDS(array) .fields = array, .field_count = lengthof_array(array)

/* A task of v2: one answer, an array or an object that holds it as "ips" */
#define V2_TASK(task_name, table_name, array) \
	{.api = SGIP_API_V2, .name = task_name, .table = table_name, \
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
	V2_TASK("all", "ips_all", v2_all_fields),
	/* IPs that no user uses and no group holds */
	V2_TASK("free", "ips_free", v2_ip_fields),
	/* IPs that a user uses or a group holds */
	V2_TASK("taken", "ips_taken", v2_ip_fields),
	/* IPs that are free or used by inactive users alone */
	V2_TASK("available", "ips_available", v2_ip_fields),
	/* who sends from which IP, one row for each pair */
	V2_TASK("usage", "ips_usage", v2_usage_fields),

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
	/* reverse DNS records of IPs */
	{
		.api = SGIP_API_V3, .name = "reverse_dns", .table = "reverse_dns",
		.path = "/v3/whitelabel/ips",
		.paging = SGIP_PAGING_OFFSET, .page_max = 500,
		FIELDS(v3_reverse_dns_fields), .key_field = 0
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
	}
};

const SgipTask *
sgip_task_list(int *count)
{
	*count = lengthof_array(tasks);
	return tasks;
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

	while (task->fields[field].kind != SGIP_KIND_PARENT)
		field++;
	return field;
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
