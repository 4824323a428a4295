/*-------------------------------------------------------------------------
 *
 * session.c
 *		SQL functions about the connections that this session keeps.
 *
 * They do what postgres_fdw's functions of like names do.  The connections
 * themselves are those of src/http.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "http/http.h"

/* Columns of sgip_fdw_connections() */
#define CONNECTION_COLUMNS 7

PG_FUNCTION_INFO_V1(sgip_fdw_connections);
PG_FUNCTION_INFO_V1(sgip_fdw_disconnect);
PG_FUNCTION_INFO_V1(sgip_fdw_disconnect_all);

/*
 * One row for each peer of the session: server and user (NULL if dropped),
 * connections open, whether a scan uses it, whether it may be used again,
 * requests served, age.
 */
Datum
sgip_fdw_connections(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SgipHttpLeaseInfo *infos;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	infos = sgip_http_leases(&count);
	for (int i = 0; i < count; i++)
	{
		ForeignServer *server = GetForeignServerExtended(infos[i].server_id, FSV_MISSING_OK);
		char	   *user = GetUserNameFromId(infos[i].user_id, true);
		Interval	age = {.time = GetCurrentTimestamp() - infos[i].created_at};
		Datum		values[CONNECTION_COLUMNS];
		bool		nulls[CONNECTION_COLUMNS] = {false};

		nulls[0] = server == NULL;
		values[0] = server ? CStringGetTextDatum(server->servername) : (Datum) 0;
		nulls[1] = user == NULL;
		values[1] = user ? CStringGetTextDatum(user) : (Datum) 0;
		values[2] = Int32GetDatum(infos[i].open_sockets);
		values[3] = BoolGetDatum(infos[i].in_use);
		values[4] = BoolGetDatum(!infos[i].invalidated);
		values[5] = Int64GetDatum((int64) infos[i].requests);
		values[6] = IntervalPGetDatum(&age);
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
