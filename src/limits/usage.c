/*-------------------------------------------------------------------------
 *
 * usage.c
 *		What the accounts of the API were asked by all sessions.
 *
 * A session counts locally and adds that up when a request has ended, so
 * that there is no lock for each row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "limits/shared.h"
#include "limits/usage.h"

void
sgip_usage_add(SgipAccount account, SgipUsage *usage)
{
	static const SgipUsage none;
	SgipAccountEntry *entry;

	if (memcmp(usage, &none, sizeof(none)) == 0)
		return;
	sgip_shared_lock();
	entry = &sgip_shared_find(account, 0, true)->u.account;
	entry->usage.requests += usage->requests;
	entry->usage.rows += usage->rows;
	entry->usage.bytes += usage->bytes;
	entry->usage.retries += usage->retries;
	entry->usage.refused += usage->refused;
	entry->usage.errors += usage->errors;
	entry->usage.waited_us += usage->waited_us;
	sgip_shared_unlock();
	*usage = none;
}

/* Is this the entry of an account of this database? */
static bool
is_account(const SgipEntry *entry)
{
	return OidIsValid(entry->key.account.server_id) && entry->key.path == 0 &&
		entry->key.database_id == MyDatabaseId;
}

List *
sgip_usage_list(void)
{
	List	   *rows = NIL;

	sgip_shared_lock();
	for (SgipEntry *entry = NULL; (entry = sgip_shared_next(entry)) != NULL;)
	{
		SgipUsageRow *row;

		if (!is_account(entry))
			continue;
		row = palloc(sizeof(SgipUsageRow));
		row->account = entry->key.account;
		row->entry = entry->u.account;
		rows = lappend(rows, row);
	}
	sgip_shared_unlock();
	return rows;
}

void
sgip_usage_reset(void)
{
	TimestampTz now = GetCurrentTimestamp();

	sgip_shared_lock();
	for (SgipEntry *entry = NULL; (entry = sgip_shared_next(entry)) != NULL;)
	{
		if (!is_account(entry))
			continue;
		memset(&entry->u.account.usage, 0, sizeof(SgipUsage));
		entry->u.account.since = now;
	}
	sgip_shared_unlock();
}
