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

/* A field: how it is called, its column, the member that holds it; what else it has follows */
#define FIELD_AS(field_name, column_name, member, field_kind, sql_type, ...) \
	{.name = field_name, .column = column_name, .type = sql_type, .kind = field_kind, \
	 .key = member, __VA_ARGS__}

/* ... where all three are the same */
#define FIELD(field_name, field_kind, sql_type, ...) \
	FIELD_AS(field_name, field_name, field_name, field_kind, sql_type, __VA_ARGS__)
#define TEXT(field_name, ...) FIELD(field_name, SGIP_KIND_TEXT, "text", __VA_ARGS__)
#define BOOLEAN(field_name, ...) FIELD(field_name, SGIP_KIND_BOOLEAN, "boolean", __VA_ARGS__)
#define NUMBER(field_name, sql_type, ...) \
	FIELD(field_name, SGIP_KIND_NUMBER, sql_type, __VA_ARGS__)
#define LIST(field_name, sql_type, ...) \
	FIELD(field_name, SGIP_KIND_LIST, sql_type, __VA_ARGS__)

#define TIME(field_name, column_name) \
	FIELD_AS(field_name, column_name, field_name, SGIP_KIND_TIME, "timestamptz")

/* The address, by which a row of most tasks is known */
#define IP(...) FIELD("ip", SGIP_KIND_TEXT, "inet", .identity = true, __VA_ARGS__)

/* The fields of v2 */
#define V2_IP IP(.param = "ip", .match = SGIP_MATCH_PREFIX)
#define V2_SYSTEM \
	FIELD_AS("system", "include_system", NULL, SGIP_KIND_ARGUMENT, "boolean", \
			 .param = "system", .match = SGIP_MATCH_EXACT, .values = "true", .absent = "false")

static const SgipField v2_ip_fields[] = {V2_IP};

static const SgipField v2_all_fields[] = {V2_IP, V2_SYSTEM};

static const SgipField v2_usage_fields[] = {
	V2_IP,
	FIELD_AS("user", "username", "user", SGIP_KIND_TEXT, "text",
			 .param = "user", .match = SGIP_MATCH_ANYWHERE),
	FIELD_AS("group", "group_name", NULL, SGIP_KIND_ARGUMENT, "text",
			 .param = "group", .match = SGIP_MATCH_ANYWHERE),
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
	FIELD_AS("user", "username", "subusers", SGIP_KIND_ITEM, "text",
			 .param = "subuser", .match = SGIP_MATCH_NONE, .inconclusive = true),
	FIELD_AS("group", "group_name", "pools", SGIP_KIND_ARGUMENT, "text",
			 .match = SGIP_MATCH_ANYWHERE),
	LIST("pools", "text[]")
};

static const SgipField v3_member_fields[] = {
	FIELD_AS("pool", "pool_name", "pools", SGIP_KIND_ITEM, "text"),
	V3_IP
};

static const SgipField v3_address_fields[] = {
	V3_IP,
	LIST("pools", "text[]", .subkey = "name"),
	FIELD_AS("pool_ids", "pool_ids", "pools", SGIP_KIND_LIST, "bigint[]", .subkey = "id",
			 .items = SGIP_KIND_NUMBER, .param = "pool", .match = SGIP_MATCH_EXACT),
	TEXT("region"),
	BOOLEAN("is_leased", .param = "is_leased", .match = SGIP_MATCH_EXACT, .values = "true false"),
	BOOLEAN("is_enabled", .param = "is_enabled", .match = SGIP_MATCH_EXACT, .values = "true false"),
	BOOLEAN("is_parent_assigned", .param = "is_parent_assigned", .match = SGIP_MATCH_EXACT,
			.values = "true false", .not_beside = "pool_ids"),
	BOOLEAN("is_auto_warmup"),
	FIELD("added_at", SGIP_KIND_TIME, "timestamptz", .param = "start_added_at",
		  .param_to = "end_added_at", .match = SGIP_MATCH_EXACT),
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
	FIELD_AS(field_name, field_name, "a_record", field_kind, sql_type, .subkey = member)

static const SgipField v3_reverse_dns_fields[] = {
	NUMBER("id", "bigint", .identity = true, .param = "", .match = SGIP_MATCH_EXACT,
		   .object_path = "/v3/whitelabel/ips/{}"),
	IP(.param = "ip", .match = SGIP_MATCH_PREFIX),
	TEXT("rdns"),
	FIELD_AS("users", "usernames", "users", SGIP_KIND_LIST, "text[]", .subkey = "username"),
	TEXT("subdomain"),
	TEXT("domain"),
	BOOLEAN("valid"),
	BOOLEAN("legacy"),
	TIME("last_validation_attempt_at", "last_validation_attempt_at"),
	FIELD_AS("user_ids", "user_ids", "users", SGIP_KIND_LIST, "bigint[]", .subkey = "user_id",
			 .items = SGIP_KIND_NUMBER),
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

/* The id of the parent's row, which stands in the path */
#define PARENT(field_name, column_name, sql_type) \
	FIELD_AS(field_name, column_name, "id", SGIP_KIND_PARENT, sql_type, \
			 .param = "", .match = SGIP_MATCH_EXACT)

static const SgipField v3_pool_ip_fields[] = {
	PARENT("pool", "pool_id", "bigint"),
	FIELD_AS("pool_name", "pool_name", "pools", SGIP_KIND_PARENT_ITEM, "text", .subkey = "name"),
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
	FIELD_AS("default", "is_default", "default", SGIP_KIND_BOOLEAN, "boolean"),
	BOOLEAN("valid"),
	BOOLEAN("legacy")
};

static const SgipField v3_account_fields[] = {
	FIELD_AS("id", "account_id", "id", SGIP_KIND_TEXT, "text", .identity = true),
	TEXT("email"),
	TIME("created_at", "created_at"),
	TIME("updated_at", "updated_at")
};

static const SgipField v3_account_ip_fields[] = {
	PARENT("account", "account_id", "text"),
	IP(),
	TEXT("region")
};

static const SgipField v3_account_state_fields[] = {
	PARENT("account", "account_id", "text"),
	TEXT("state", .identity = true)
};

#define FIELDS(array) .fields = array, .field_count = lengthof_array(array)

/* A task of v2: one answer, an array or an object that holds it as "ips" */
#define V2_TASK(task_name, table_name, array, strings) \
	{.api = SGIP_API_V2, .name = task_name, .table = table_name, .plain = strings, \
	 .list_key = "ips", FIELDS(array)}

/* A task of v3; what else it has follows */
#define V3_TASK(task_name, table_name, task_path, array, ...) \
	{.api = SGIP_API_V3, .name = task_name, .table = table_name, .path = task_path, \
	 FIELDS(array), __VA_ARGS__}

/*
 * A task over GET /v3/ips: pages of at most 500 (the most that clients use;
 * the specification states no maximum), in a fixed order.
 */
#define V3_IPS_TASK(task_name, table_name, array, ...) \
	V3_TASK(task_name, table_name, "/v3/ips", array, .query = "sort_by_direction=asc", \
			.paging = SGIP_PAGING_OFFSET, .page_max = 500, __VA_ARGS__)

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
	V3_TASK("addresses", "ip_addresses", "/v3/send_ips/ips", v3_address_fields,
			.query = "include_region=true", .list_key = "result",
			.paging = SGIP_PAGING_AFTER_KEY, .page_max = 5000, .key_field = 0),
	/* IP pools */
	V3_TASK("pools", "ip_pools", "/v3/send_ips/pools", v3_pool_fields,
			.query = "include_region=true", .list_key = "result",
			.paging = SGIP_PAGING_AFTER_KEY, .page_max = 100, .key_field = 0),
	/* which IP is in which pool, by the pool's id and with the IP's region */
	V3_TASK("pool_ips", "ip_pool_ips", "/v3/send_ips/pools/{}/ips", v3_pool_ip_fields,
			.query = "include_region=true", .list_key = "result", .parent = "pools",
			.paging = SGIP_PAGING_AFTER_KEY, .page_max = 100, .key_field = 2),
	/* IPs that the account itself, or the subuser acted for, may send from */
	V3_TASK("assigned", "ips_assigned", "/v3/ips/assigned", v3_assigned_fields),
	/* IPs that are warming up */
	V3_TASK("warmup", "ip_warmup", "/v3/ips/warmup", v3_warmup_fields),
	/* how many IPs can still be bought, and their price */
	V3_TASK("remaining", "ip_remaining", "/v3/ips/remaining", v3_remaining_fields,
			.list_key = "results"),
	/* subusers of the account */
	V3_TASK("subusers", "subusers", "/v3/subusers", v3_subuser_fields,
			.query = "include_region=true",
			.paging = SGIP_PAGING_OFFSET, .page_max = 500, .key_field = 0),
	/* how well the mail of subusers is received */
	V3_TASK("subuser_reputations", "subuser_reputations", "/v3/subusers/reputations", v3_reputation_fields,
			.parent = "subusers"),
	/* reverse DNS records of IPs */
	V3_TASK("reverse_dns", "reverse_dns", "/v3/whitelabel/ips", v3_reverse_dns_fields,
			.paging = SGIP_PAGING_OFFSET, .page_max = 500, .key_field = 0),
	/* domains that mail is authenticated for, and the IPs that send it */
	V3_TASK("authenticated_domains", "authenticated_domains", "/v3/whitelabel/domains", v3_domain_fields,
			.paging = SGIP_PAGING_OFFSET, .page_max = 500, .key_field = 0),
	/* the account that is asked, or the subuser acted for */
	V3_TASK("account", "account", "/v3/user/username", v3_own_account_fields,
			.single = true),
	/* what the key may do */
	V3_TASK("scopes", "scopes", "/v3/scopes", v3_scope_fields,
			.list_key = "scopes", .plain = true),
	/* customer accounts of a reseller */
	V3_TASK("partner_accounts", "partner_accounts", "/v3/partners/accounts", v3_account_fields,
			.list_key = "accounts",
			.paging = SGIP_PAGING_LAST, .page_max = 100, .key_field = 0),
	/* IPs of a reseller's customer accounts */
	V3_TASK("partner_account_ips", "partner_account_ips", "/v3/partners/accounts/{}/ips", v3_account_ip_fields,
			.list_key = "result", .parent = "partner_accounts",
			.paging = SGIP_PAGING_LAST, .page_max = 5000, .key_field = 1),
	/* whether a reseller's customer accounts are active */
	V3_TASK("partner_account_states", "partner_account_states", "/v3/partners/accounts/{}/state", v3_account_state_fields,
			.single = true, .parent = "partner_accounts")
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

/* The names "group" and "user" of the API are reserved words of SQL, hence the second name. */
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
