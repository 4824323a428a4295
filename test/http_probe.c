/*-------------------------------------------------------------------------
 *
 * http_probe.c
 *		SQL functions that drive src/http alone, for test/http_probe.sh.
 *
 * Not part of the extension: it is linked with src/http to a library of its
 * own.  A lease here stands for a scan; it ends with each call through the
 * memory context of the call, as a scan would do it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <sys/resource.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/pg_crc.h"
#include "utils/timestamp.h"

#include "http/http.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(probe_fetch);
PG_FUNCTION_INFO_V1(probe_many);
PG_FUNCTION_INFO_V1(probe_stop);
PG_FUNCTION_INFO_V1(probe_fds);
PG_FUNCTION_INFO_V1(probe_rss);
PG_FUNCTION_INFO_V1(probe_cpu);
PG_FUNCTION_INFO_V1(probe_leases);
PG_FUNCTION_INFO_V1(probe_disconnect);

void		_PG_init(void);

/* Most transfers that probe_many runs at once */
#define MAX_MANY 256

static const char *const state_names[] = {"running", "done", "failed"};
static const char *const failure_names[] = {"connect", "lost", "silent", "broken", "descriptors", "internal"};

/* What is known of a transfer while it is read */
typedef struct Reading
{
	SgipTransfer *transfer;
	uint64		length;
	pg_crc32	checksum;
} Reading;

/*
 * Library load.
 */
void
_PG_init(void)
{
	sgip_http_init();
}

/*
 * A setting of the session, or what it is by default.
 */
static const char *
setting(const char *name, const char *unset)
{
	const char *value = GetConfigOption(name, true, false);

	return value && value[0] ? value : unset;
}

/*
 * The peer of a test: everything but names is a setting.
 */
static void
get_peer(SgipHttpPeer *peer, const char *name)
{
	memset(peer, 0, sizeof(*peer));
	peer->server_id = 1000 + (name ? atoi(name) : 0);
	peer->user_id = GetUserId();
	peer->ca_file = setting("probe.ca_file", NULL);
	peer->proxy = setting("probe.proxy", NULL);
	peer->keep_connections = setting("probe.keep_no_connections", NULL) == NULL;
	peer->connect_timeout_ms = atoi(setting("probe.connect_timeout", "10000"));
	peer->read_timeout_ms = atoi(setting("probe.read_timeout", "30000"));
}

/*
 * Builds the record that fetch returns.
 */
static HeapTuple
result_tuple(TupleDesc desc, Reading *reading, const SgipHttpCounters *counters)
{
	Datum		values[10];
	bool		nulls[10] = {0};
	const SgipHttpResult *result = sgip_http_result(reading->transfer);
	const SgipHttpHead *head = &result->head;
	bool		failed = result->state == SGIP_HTTP_FAILED;

	values[0] = CStringGetTextDatum(state_names[result->state]);
	values[1] = Int32GetDatum(head->status);
	values[2] = Int64GetDatum(reading->length);
	values[3] = Int64GetDatum((int64) reading->checksum);
	values[4] = failed ? CStringGetTextDatum(failure_names[result->failure]) : (Datum) 0;
	values[5] = failed ? CStringGetTextDatum(result->failure_text) : (Datum) 0;
	nulls[4] = nulls[5] = !failed;
	values[6] = Int32GetDatum((int32) TimestampDifferenceMilliseconds(result->started_at, result->ended_at));
	values[7] = Int64GetDatum((int64) counters->connections_opened);
	values[8] = CStringGetTextDatum(head->link_next ? head->link_next : "");
	values[9] = CStringGetTextDatum(psprintf("%s|%s|%s|%s|%s", head->content_length,
											 head->retry_after, head->rate_reset,
											 head->location, head->link_last ? head->link_last : ""));
	return heap_form_tuple(desc, values, nulls);
}

/*
 * Takes what the window of a transfer holds, keeping "keep" bytes unread as a
 * reader with an unfinished row would.
 */
static void
take(Reading *reading, size_t keep, size_t limit)
{
	size_t		len;
	const char *bytes = sgip_http_window(reading->transfer, &len);
	bool		over = sgip_http_result(reading->transfer)->state == SGIP_HTTP_DONE;

	if (limit > 0 && reading->length + len > limit)
		len = limit - reading->length;
	if (over)
		keep = 0;
	if (len > keep)
	{
		COMP_TRADITIONAL_CRC32(reading->checksum, bytes, len - keep);
		reading->length += len - keep;
		sgip_http_consume(reading->transfer, len - keep);
	}
	else if (len > 0 && !over)
		sgip_http_make_room(reading->transfer);
}

/*
 * Starts a transfer that is to be read.
 */
static void
begin(Reading *reading, SgipLease *lease, const SgipHttpRequest *request)
{
	reading->transfer = sgip_http_start(lease, request);
	reading->length = 0;
	INIT_TRADITIONAL_CRC32(reading->checksum);
}

/*
 * Reads a transfer to its end, or until "limit" bytes (if not 0) were taken.
 */
static void
read_on(Reading *reading, SgipLease *lease, size_t keep, size_t limit)
{
	for (;;)
	{
		take(reading, keep, limit);
		if (sgip_http_result(reading->transfer)->state != SGIP_HTTP_RUNNING ||
			(limit > 0 && reading->length >= limit))
			break;
		sgip_http_wait(lease, -1, false);
	}
	take(reading, 0, limit);
	FIN_TRADITIONAL_CRC32(reading->checksum);
}

/*
 * fetch(url, body, headers, server, keep, stop_after): one transfer to its
 * end, or until stop_after bytes were taken.
 */
Datum
probe_fetch(PG_FUNCTION_ARGS)
{
	SgipHttpRequest request = {0};
	SgipHttpPeer peer;
	SgipLease  *lease;
	Reading		reading;
	TupleDesc	desc;
	HeapTuple	tuple;
	size_t		keep = PG_GETARG_INT32(4);
	size_t		stop_after = PG_GETARG_INT32(5);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "probe",
												  ALLOCSET_SMALL_SIZES);

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "not a record");
	desc = BlessTupleDesc(desc);

	get_peer(&peer, text_to_cstring(PG_GETARG_TEXT_PP(3)));
	request.url = text_to_cstring(PG_GETARG_TEXT_PP(0));
	request.body = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
	{
		const char **headers = palloc0(2 * sizeof(char *));

		headers[0] = text_to_cstring(PG_GETARG_TEXT_PP(2));
		request.headers = headers;
	}

	lease = sgip_http_acquire(&peer, context);
	begin(&reading, lease, &request);
	read_on(&reading, lease, keep, stop_after);
	tuple = result_tuple(desc, &reading, sgip_http_counters(lease));
	MemoryContextDelete(context);
	PG_RETURN_DATUM(HeapTupleGetDatum(tuple));
}

/*
 * many(url, n, own_leases): n transfers at once, on one lease or on one each;
 * the second is read when the first is done, so that the others are paused.  Returns total length, xor of checksums, and how
 * many were done.
 */
Datum
probe_many(PG_FUNCTION_ARGS)
{
	SgipHttpRequest request = {0};
	SgipHttpPeer peer;
	SgipLease  *leases[MAX_MANY];
	Reading		readings[MAX_MANY];
	int			n = PG_GETARG_INT32(1);
	bool		own = PG_GETARG_BOOL(2);
	int			done = 0;
	uint64		length = 0;
	uint64		connections = 0;
	uint32		sum = 0;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "probe",
												  ALLOCSET_SMALL_SIZES);

	if (n > MAX_MANY)
		elog(ERROR, "too many");
	get_peer(&peer, NULL);
	request.url = text_to_cstring(PG_GETARG_TEXT_PP(0));
	for (int i = 0; i < n; i++)
	{
		leases[i] = (i == 0 || own) ? sgip_http_acquire(&peer, context) : leases[0];
		begin(&readings[i], leases[i], &request);
	}
	for (int i = 0; i < n; i++)
		sgip_http_drive(leases[i]);
	for (int i = 0; i < n; i++)
	{
		read_on(&readings[i], leases[i], 0, 0);
		done += sgip_http_result(readings[i].transfer)->state == SGIP_HTTP_DONE;
		length += readings[i].length;
		sum ^= readings[i].checksum;
		sgip_http_stop(readings[i].transfer);
	}
	for (int i = 0; i < (own ? n : 1); i++)
		connections += sgip_http_counters(leases[i])->connections_opened;
	MemoryContextDelete(context);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("done=%d length=%llu xor=%u connections=%llu",
											  done, (unsigned long long) length, sum,
											  (unsigned long long) connections)));
}

/*
 * stop(url, n): n transfers, each stopped as soon as a byte of the body came.
 */
Datum
probe_stop(PG_FUNCTION_ARGS)
{
	SgipHttpRequest request = {0};
	SgipHttpPeer peer;
	int			n = PG_GETARG_INT32(1);

	get_peer(&peer, NULL);
	request.url = text_to_cstring(PG_GETARG_TEXT_PP(0));
	for (int i = 0; i < n; i++)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "probe",
													  ALLOCSET_SMALL_SIZES);
		SgipLease  *lease = sgip_http_acquire(&peer, context);
		SgipTransfer *transfer = sgip_http_start(lease, &request);
		size_t		len = 0;

		while (len == 0 && sgip_http_result(transfer)->state == SGIP_HTTP_RUNNING)
		{
			sgip_http_wait(lease, -1, false);
			(void) sgip_http_window(transfer, &len);
		}
		if (i % 3 == 0)
			sgip_http_stop(transfer);
		MemoryContextDelete(context);
	}
	PG_RETURN_VOID();
}

/*
 * How many descriptors this process has open.
 */
Datum
probe_fds(PG_FUNCTION_ARGS)
{
	DIR		   *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char		target;
	int			n = 0;

	/* files have a path; PostgreSQL opens and closes these as it likes */
	while (dir && (entry = readdir(dir)) != NULL)
		n += readlinkat(dirfd(dir), entry->d_name, &target, 1) == 1 && target != '/';
	if (dir)
		closedir(dir);
	PG_RETURN_INT32(n);
}

/*
 * Highest resident size of this process so far, in kB.
 */
Datum
probe_rss(PG_FUNCTION_ARGS)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	PG_RETURN_INT32((int32) usage.ru_maxrss);
}

/*
 * Processor time that this process used so far, in ms.
 */
Datum
probe_cpu(PG_FUNCTION_ARGS)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	PG_RETURN_FLOAT8((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000.0 +
					 (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000.0);
}

/*
 * The leases: sockets, use, requests.
 */
Datum
probe_leases(PG_FUNCTION_ARGS)
{
	StringInfoData out;
	ListCell   *cell;

	initStringInfo(&out);
	foreach(cell, sgip_http_leases())
	{
		const SgipHttpLeaseInfo *info = lfirst(cell);

		appendStringInfo(&out, "%u:%s%s%d/%d ", info->server_id,
						 info->in_use ? "busy," : "", info->invalidated ? "invalid," : "",
						 info->open_sockets, (int) info->requests);
	}
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

/*
 * Closes idle leases.
 */
Datum
probe_disconnect(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(sgip_http_disconnect(PG_GETARG_OID(0)));
}
