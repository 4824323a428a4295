/*-------------------------------------------------------------------------
 *
 * session.c
 *		SQL functions about the connections that this session keeps, and about
 *		what all sessions have asked for.
 *
 * Those about connections do what postgres_fdw's functions of like names do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_user_mapping.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "http/http.h"
#include "limits/usage.h"

/* Columns of sgip_fdw_connections() */
#define CONNECTION_COLUMNS 8

/* Columns of sgip_fdw_stats() */
#define STATS_COLUMNS 13

PG_FUNCTION_INFO_V1(sgip_fdw_connections);
PG_FUNCTION_INFO_V1(sgip_fdw_disconnect);
PG_FUNCTION_INFO_V1(sgip_fdw_disconnect_all);
PG_FUNCTION_INFO_V1(sgip_fdw_stats);
PG_FUNCTION_INFO_V1(sgip_fdw_stats_reset);

/*
 * One row for each set of connections: its number, server and mapped user
 * (NULL if dropped), connections open, whether a scan uses it, whether it may
 * be used again, requests served, age.
 */
Datum
sgip_fdw_connections(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, sgip_http_leases())
	{
		const SgipHttpLeaseInfo *info = lfirst(cell);
		ForeignServer *server = GetForeignServerExtended(info->server_id, FSV_MISSING_OK);
		char	   *user = OidIsValid(info->user_id) ? GetUserNameFromId(info->user_id, true) : "public";
		Interval	age = {.time = GetCurrentTimestamp() - info->created_at};
		Datum		values[CONNECTION_COLUMNS];
		bool		nulls[CONNECTION_COLUMNS] = {false};

		values[0] = Int32GetDatum((int32) info->number);
		nulls[1] = server == NULL;
		values[1] = server ? CStringGetTextDatum(server->servername) : (Datum) 0;
		nulls[2] = user == NULL;
		values[2] = user ? CStringGetTextDatum(user) : (Datum) 0;
		values[3] = Int32GetDatum(info->open_sockets);
		values[4] = BoolGetDatum(info->in_use);
		values[5] = BoolGetDatum(!info->invalidated);
		values[6] = Int64GetDatum((int64) info->requests);
		values[7] = IntervalPGetDatum(&age);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * Closes the connections to a server; true if there were any.  Those that a
 * scan is using are closed when it ends.  Raises 42704 if there is no such
 * server.
 */
Datum
sgip_fdw_disconnect(PG_FUNCTION_ARGS)
{
	ForeignServer *server = GetForeignServerByName(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);

	PG_RETURN_BOOL(sgip_http_disconnect(server->serverid) > 0);
}

/* The same for all servers. */
Datum
sgip_fdw_disconnect_all(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(sgip_http_disconnect(InvalidOid) > 0);
}

/*
 * The user of a mapping, InvalidOid for PUBLIC; false if the mapping is gone.
 */
static bool
find_mapped_user(Oid mapping_id, Oid *user_id)
{
	HeapTuple	tuple = SearchSysCache1(USERMAPPINGOID, ObjectIdGetDatum(mapping_id));

	if (!HeapTupleIsValid(tuple))
		return false;
	*user_id = ((Form_pg_user_mapping) GETSTRUCT(tuple))->umuser;
	ReleaseSysCache(tuple);
	return true;
}

/*
 * May the current role see what that account was asked?  Allowed are roles
 * that may read all statistics, the owner of the server, and the user of the
 * mapping or, if it is PUBLIC's, every role that may use the server.
 */
static bool
may_see(const ForeignServer *server, Oid mapped_user)
{
	Oid			role = GetUserId();

	if (has_privs_of_role(role, ROLE_PG_READ_ALL_STATS) || has_privs_of_role(role, server->owner))
		return true;
	return OidIsValid(mapped_user) ? has_privs_of_role(role, mapped_user) :
		sgip_may_use_server(server->serverid, role);
}

/* One row for each account that was asked, and that the role may see. */
Datum
sgip_fdw_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, sgip_usage_list())
	{
		const SgipUsageRow *row = lfirst(cell);
		const SgipAccountEntry *entry = &row->entry;
		ForeignServer *server = GetForeignServerExtended(row->account.server_id, FSV_MISSING_OK);
		Oid			user_id;
		char	   *user;
		Datum		values[STATS_COLUMNS];
		bool		nulls[STATS_COLUMNS] = {false};

		if (server == NULL || !find_mapped_user(row->account.mapping_id, &user_id) ||
			!may_see(server, user_id))
			continue;
		user = OidIsValid(user_id) ? GetUserNameFromId(user_id, true) : "public";
		values[0] = DirectFunctionCall1(namein, CStringGetDatum(server->servername));
		nulls[1] = user == NULL;
		values[1] = user ? DirectFunctionCall1(namein, CStringGetDatum(user)) : (Datum) 0;
		values[2] = Int64GetDatum(entry->usage.requests);
		values[3] = Int64GetDatum(entry->usage.rows);
		values[4] = Int64GetDatum(entry->usage.bytes);
		values[5] = Int64GetDatum(entry->usage.retries);
		values[6] = Int64GetDatum(entry->usage.refused);
		values[7] = Int64GetDatum(entry->usage.errors);
		values[8] = Float8GetDatum(entry->usage.waited_us / 1000.0);
		nulls[9] = !entry->has_limit || entry->limit == SGIP_UNLIMITED;
		values[9] = Int64GetDatum(entry->limit);
		nulls[10] = nulls[11] = !entry->has_limit;
		values[10] = Int64GetDatum(entry->remaining);
		values[11] = TimestampTzGetDatum(entry->ends_at);
		values[12] = TimestampTzGetDatum(entry->since);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* Makes the counters of all accounts of this database zero. */
Datum
sgip_fdw_stats_reset(PG_FUNCTION_ARGS)
{
	sgip_usage_reset();
	PG_RETURN_VOID();
}
