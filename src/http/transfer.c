/*-------------------------------------------------------------------------
 *
 * transfer.c
 *		One request and what came of it.
 *
 * A transfer runs on a lease when that is driven (event_loop.c).  libcurl's
 * callbacks run inside of that.  They must not throw: they record what
 * happened and return.  Whatever reads the answer runs outside.
 *
 * Bytes of an answer go into the transfer's window.  While the window is full
 * the transfer is paused: libcurl stops reading the socket, and TCP stops the
 * server.
 *
 * Deciding what a failure means, trying again, and everything about JSON,
 * options and tables is left to others.  One failure is handled here, as
 * it says nothing about the request: a kept connection that its server has
 * given up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "storage/fd.h"
#include "utils/timestamp.h"

#include "http/sockets.h"
#include "http/transfer.h"

#ifndef SGIP_VERSION
#define SGIP_VERSION "unknown"
#endif

/*
 * Bytes that a window holds before its transfer is paused.  Reading is
 * fastest when a few reads of the socket fit: below 64 kB the time grows,
 * above 128 kB it does not shrink, and what is read ahead is lost when the
 * reader stops early.
 */
#define WINDOW_BYTES (128 * 1024)

/*
 * First memory of a window.  Most answers are not larger, and for each of them
 * malloc would ask the kernel for a whole window and give it back.
 */
#define FIRST_WINDOW_BYTES (16 * 1024)

/*
 * Most bytes that one read can decode to.  Deflate yields at most 1032 for
 * one, and no other encoding is accepted.  For a moment libcurl and we both
 * hold as much, which makes 33 MB with the worst of answers.
 */
#define MAX_DECODED_BYTES (1032 * SGIP_READ_BYTES)

/* A window that became larger than this is given back once it is empty */
#define MAX_KEPT_WINDOW_BYTES (8 * WINDOW_BYTES)

/*
 * Limits of an answer's headers, trailers and interim answers included.  The
 * API sends about 1 kB in 15 lines; browsers stop at 256 kB.
 */
#define MAX_HEADER_BYTES (256 * 1024)
#define MAX_HEADER_LINES 1000

/*
 * Descriptors that connecting takes beside the socket, for a moment: libcurl's
 * pair with the thread that looks up the name, what that opens, and a file of
 * trust anchors.  They are not counted as held, but there has to be room.
 */
#define CONNECTING_DESCRIPTORS 4

int			sgip_transfers_in_flight = 0;
int			sgip_transfers_connecting = 0;

/*
 * Sets an option of the transfer's handle; a refusal is the failure of the
 * transfer, and the calling function returns false.
 */
#define CHECK_SETOPT(TRANSFER, OPT, VAL) \
	do { \
		CURLcode	_code = curl_easy_setopt((TRANSFER)->easy, OPT, VAL); \
		if (_code != CURLE_OK) \
			return sgip_transfer_fail(TRANSFER, SGIP_HTTP_INTERNAL, \
						"could not set " #OPT, curl_easy_strerror(_code)); \
	} while (0)

/* ----------------------------------------------------------------
 *		Failures
 * ----------------------------------------------------------------
 */

bool
sgip_transfer_fail(SgipTransfer *transfer, SgipHttpFailure failure,
				   const char *text, const char *more)
{
	SgipHttpResult *result = &transfer->result;

	if (result->failure_text[0] == '\0')
	{
		result->failure = failure;
		snprintf(result->failure_text, sizeof(result->failure_text), more ? "%s: %s" : "%s", text, more);
	}
	return false;
}

/*
 * What a code of libcurl means for us.
 */
static SgipHttpFailure
classify(const SgipTransfer *transfer, CURLcode code)
{
	switch (code)
	{
		case CURLE_COULDNT_RESOLVE_PROXY:
		case CURLE_COULDNT_RESOLVE_HOST:
			return SGIP_HTTP_CONNECT;

		case CURLE_BAD_CONTENT_ENCODING:
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_UNSUPPORTED_PROTOCOL:	/* HTTP/0.9 */
#if LIBCURL_VERSION_NUM >= 0x080600
		case CURLE_TOO_LARGE:
#endif
			return SGIP_HTTP_BROKEN;

		case CURLE_OUT_OF_MEMORY:
		case CURLE_FAILED_INIT:
		case CURLE_URL_MALFORMAT:
		case CURLE_NOT_BUILT_IN:
		case CURLE_BAD_FUNCTION_ARGUMENT:
		case CURLE_WRITE_ERROR:
			return SGIP_HTTP_INTERNAL;

		default:
			/* TCP, TLS or proxy; else lost, cut short, and the unknown */
			return transfer->connecting ? SGIP_HTTP_CONNECT : SGIP_HTTP_LOST;
	}
}

/*
 * libcurl's messages name hosts, ports, addresses and certificates, never the
 * URL; only those about an unusable proxy quote the proxy's URL with its
 * password.  When descriptors are used up, libcurl reports it as a host that
 * cannot be resolved or a file without trust anchors.
 */
void
sgip_transfer_fail_code(SgipTransfer *transfer, CURLcode code)
{
	const char *message = transfer->error_buffer;

	if (message[0] == '\0' || strstr(message, "Unsupported proxy") != NULL)
		message = curl_easy_strerror(code);
	if (code == CURLE_OUT_OF_MEMORY && !transfer->connecting && transfer->result.head.status == 0)
		/* how libcurl reports a line over its limit of 100 kB */
		sgip_transfer_fail(transfer, SGIP_HTTP_BROKEN,
						   "a header line is too long, or memory is short", NULL);
	else if (transfer->connecting && sgip_descriptors_used_up(transfer->lease))
		sgip_transfer_fail(transfer, SGIP_HTTP_DESCRIPTORS, "too many open files", NULL);
	else
		sgip_transfer_fail(transfer, classify(transfer, code), message, NULL);
}

/* ----------------------------------------------------------------
 *		Callbacks of libcurl.  None of these may throw.
 * ----------------------------------------------------------------
 */

/*
 * The transfer has a connection, or will never have one.
 */
static void
end_connecting(SgipTransfer *transfer)
{
	sgip_transfers_connecting -= transfer->connecting;
	transfer->connecting = false;
}

/*
 * The transfer is on the way to a connection, or again if a kept one proved to
 * be dead.
 */
static void
begin_connecting(SgipTransfer *transfer)
{
	sgip_transfers_connecting += !transfer->connecting;
	transfer->connecting = true;
	sgip_descriptors_make_room(sgip_transfers_connecting * CONNECTING_DESCRIPTORS);
}

/*
 * Opens a socket for a connection, as one of the descriptors that the backend
 * accounts for.
 */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	SgipTransfer *transfer = arg;
	curl_socket_t fd;

	fd = sgip_socket_open(transfer->lease, address);
	if (fd == CURL_SOCKET_BAD)
	{
		if (errno == EMFILE || errno == ENFILE)
			sgip_transfer_fail(transfer, SGIP_HTTP_DESCRIPTORS, "too many open files", NULL);
		return CURL_SOCKET_BAD;
	}
	transfer->opened = true;
	transfer->lease->counters.connections_opened++;
	begin_connecting(transfer);
	return fd;
}

/*
 * The connection stands, the request is about to be written.
 */
static int
begin_request(void *arg, char *peer_ip, char *own_ip, int peer_port,
			  int own_port)
{
	SgipTransfer *transfer = arg;

	end_connecting(transfer);
	transfer->silence = 0;
	return CURL_PREREQFUNC_OK;
}

/*
 * The headers of an answer are complete: reads them, if it is the final one.
 * Returns what is wrong with them, or NULL.
 */
static const char *
read_headers(SgipTransfer *transfer)
{
	SgipHttpHead *head = &transfer->result.head;
	long		status = 0;
	struct curl_header *header = NULL;
	const char *problem = NULL;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return NULL;
	while (problem == NULL &&
		   (header = curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, header)) != NULL)
		problem = sgip_http_head_field(head, header->name, header->value);
	if (problem == NULL)
		problem = sgip_http_head_end(head, (int) status);
	if (problem != NULL)
		sgip_http_head_clear(head); /* not even its status counts */
	return problem;
}

/*
 * Takes a header line.  libcurl keeps it for read_headers; here lines are only
 * counted, and the empty one at the end is noticed.  Trailers come after
 * that, and nothing that was decided before the body may depend on them.
 *
 * Some servers end a kept connection by an unsolicited 408, which would pass
 * for the answer to the next request.
 */
static size_t
receive_header(char *data, size_t size, size_t count, void *arg)
{
	SgipTransfer *transfer = arg;
	SgipHttpHead *head = &transfer->result.head;
	size_t		n = size * count;
	const char *problem = NULL;

	transfer->silence = 0;
	transfer->header_lines++;
	transfer->header_bytes += n;
	if (transfer->header_lines > MAX_HEADER_LINES || transfer->header_bytes > MAX_HEADER_BYTES)
		problem = "the headers of the answer are too large";
	else if (head->status == 0 && (data[0] == '\r' || data[0] == '\n'))
		problem = read_headers(transfer);
	if (problem != NULL)
		return sgip_transfer_fail(transfer, SGIP_HTTP_BROKEN, problem, NULL);
	if (head->status == 408 && !transfer->opened)
		return 0;				/* take_result starts over */
	return n;
}

/*
 * Makes room for n more bytes behind the window's contents, which move to the
 * beginning of the buffer for that.  Returns false when out of memory.
 */
static bool
grow_window(SgipTransfer *transfer, size_t n)
{
	size_t		cap = Max(transfer->cap, FIRST_WINDOW_BYTES);
	char	   *buffer;

	if (transfer->start > 0 && transfer->cap - transfer->start - transfer->len < n)
	{
		memmove(transfer->buffer, transfer->buffer + transfer->start, transfer->len);
		transfer->start = 0;
	}
	while (cap - transfer->start - transfer->len < n)
		cap *= 2;
	if (cap == transfer->cap)
		return true;
	buffer = realloc(transfer->buffer, cap);
	if (buffer == NULL)
		return false;
	transfer->buffer = buffer;
	transfer->cap = cap;
	return true;
}

/*
 * Takes bytes of the body.  When they do not fit, the transfer is paused:
 * libcurl keeps these and whatever else it got from the same read, hands them
 * out when the transfer is resumed, and then all of them are accepted.
 * Pausing again in the middle of that would have libcurl copy the remainder
 * each time.
 */
static size_t
receive_body(char *data, size_t size, size_t count, void *arg)
{
	SgipTransfer *transfer = arg;
	size_t		n = size * count;

	transfer->silence = 0;
	if (transfer->result.head.status == 0)
		/* libcurl hands out what follows status 101; nothing would read it */
		return sgip_transfer_fail(transfer, SGIP_HTTP_BROKEN, "the answer has no final status", NULL);
	if (transfer->len + n > transfer->target && !transfer->resuming)
	{
		transfer->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (transfer->len + n > transfer->target + MAX_DECODED_BYTES)
		return sgip_transfer_fail(transfer, SGIP_HTTP_BROKEN, "the compressed answer becomes too large", NULL);
	if (!grow_window(transfer, n))
		return sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);

	memcpy(transfer->buffer + transfer->start + transfer->len, data, n);
	transfer->len += n;
	transfer->result.received += n;
	transfer->lease->counters.bytes_received += n;
	return n;
}

/* ----------------------------------------------------------------
 *		Handles
 * ----------------------------------------------------------------
 */

/*
 * Whether libcurl's default trust anchors are in a file.  Then its default
 * directory, where it has one, holds the same (Debian's update-ca-certificates
 * writes both), and is left out: since 7.87 libcurl reads a file once for all
 * connections of a lease, but with a directory beside it anew for each, which
 * takes 20 to 30 ms in which nothing looks for interrupts.
 */
static bool
has_default_bundle(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	return info->age >= CURLVERSION_SEVENTH && info->cainfo != NULL &&
		access(info->cainfo, R_OK) == 0;
}

/*
 * Makes a handle for the transfer's lease, with the options that all requests
 * share.  On failure the transfer has failed, and false is returned.
 *
 * HTTP/1.1, even where the server offers HTTP/2.  Transfers are paused all the
 * time, which libcurl does not manage with several streams of HTTP/2: 7.88
 * forgets what it read ahead until some timer fires, and some streams fail;
 * 8.14 reads up to 10 MB ahead for each paused stream, and some fail.  A
 * connection for each request in flight costs a handshake, once.
 *
 * ca_file adds to the system's trust anchors.  It replaces libcurl's default
 * bundle file but not its default directory (CURLOPT_CAPATH), so both count
 * where libcurl was built with a directory, as in Debian; elsewhere the file
 * stands alone.
 *
 * Credentials are part of the request, so a proxy may carry it only inside
 * TLS: see set_up.  Where the option names one, no_proxy of the environment
 * does not count.  GSSAPI of a SOCKS proxy would block.
 */
static bool
make_handle(SgipTransfer *transfer)
{
	const SgipHttpPeer *peer = &transfer->lease->peer;

	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
		return sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);

	/* callbacks */
	CHECK_SETOPT(transfer, CURLOPT_HEADERFUNCTION, receive_header);
	CHECK_SETOPT(transfer, CURLOPT_WRITEFUNCTION, receive_body);
	CHECK_SETOPT(transfer, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	CHECK_SETOPT(transfer, CURLOPT_CLOSESOCKETFUNCTION, sgip_socket_close);
	CHECK_SETOPT(transfer, CURLOPT_CLOSESOCKETDATA, transfer->lease);
	CHECK_SETOPT(transfer, CURLOPT_PREREQFUNCTION, begin_request);
	CHECK_SETOPT(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

	/* alarms belong to PostgreSQL; do not join a thread that looks up a name */
	CHECK_SETOPT(transfer, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	CHECK_SETOPT(transfer, CURLOPT_QUICK_EXIT, 1L);
#endif

	/* trust anchors and proxies */
	CHECK_SETOPT(transfer, CURLOPT_SSL_VERIFYPEER, 1L);
	CHECK_SETOPT(transfer, CURLOPT_SSL_VERIFYHOST, 2L);
	if (peer->ca_file)
		CHECK_SETOPT(transfer, CURLOPT_CAINFO, peer->ca_file);
	else if (has_default_bundle())
		CHECK_SETOPT(transfer, CURLOPT_CAPATH, NULL);
	CHECK_SETOPT(transfer, CURLOPT_NOPROXY, peer->proxy ? "" : NULL);
	CHECK_SETOPT(transfer, CURLOPT_SOCKS5_AUTH, (long) CURLAUTH_BASIC);

	/* protocols and features */
	CHECK_SETOPT(transfer, CURLOPT_PROTOCOLS_STR, "http,https");
	CHECK_SETOPT(transfer, CURLOPT_FOLLOWLOCATION, 0L);
	CHECK_SETOPT(transfer, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	CHECK_SETOPT(transfer, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	CHECK_SETOPT(transfer, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	CHECK_SETOPT(transfer, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	CHECK_SETOPT(transfer, CURLOPT_BUFFERSIZE, (long) SGIP_READ_BYTES);
	CHECK_SETOPT(transfer, CURLOPT_USERAGENT, "sgip_fdw/" SGIP_VERSION " (PostgreSQL)");
	return true;
}

/*
 * Sets up a handle for the request, that of an earlier one if there is any,
 * which saves a tenth of a small request's time.  Returns false as above.
 */
static bool
set_up(SgipTransfer *transfer, const SgipHttpRequest *request)
{
	SgipLease  *lease = transfer->lease;

	transfer->easy = lease->spare_easy;
	lease->spare_easy = NULL;
	if (transfer->easy == NULL && !make_handle(transfer))
		return false;

	/* arguments of the callbacks */
	CHECK_SETOPT(transfer, CURLOPT_PRIVATE, transfer);
	CHECK_SETOPT(transfer, CURLOPT_ERRORBUFFER, transfer->error_buffer);
	CHECK_SETOPT(transfer, CURLOPT_HEADERDATA, transfer);
	CHECK_SETOPT(transfer, CURLOPT_WRITEDATA, transfer);
	CHECK_SETOPT(transfer, CURLOPT_OPENSOCKETDATA, transfer);
	CHECK_SETOPT(transfer, CURLOPT_PREREQDATA, transfer);

	/*
	 * We measure time ourselves.  libcurl gets the limit because it divides
	 * the time among the addresses of a host; see take_result() for when it
	 * is early.
	 */
	CHECK_SETOPT(transfer, CURLOPT_CONNECTTIMEOUT_MS, (long) lease->peer.connect_timeout_ms);
	CHECK_SETOPT(transfer, CURLOPT_FRESH_CONNECT, 0L);

	/* plain HTTP goes straight to its host, whatever proxy is named */
	CHECK_SETOPT(transfer, CURLOPT_PROXY,
				 pg_strncasecmp(request->url, "http:", 5) == 0 ? "" : lease->peer.proxy);

	/* the request; libcurl copies all but the headers */
	CHECK_SETOPT(transfer, CURLOPT_URL, request->url);
	for (const char *const *header = request->headers; header && *header; header++)
	{
		struct curl_slist *list = curl_slist_append(transfer->headers, *header);

		if (list == NULL)
			return sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);
		transfer->headers = list;
	}
	CHECK_SETOPT(transfer, CURLOPT_HTTPHEADER, transfer->headers);
	if (request->body)
		CHECK_SETOPT(transfer, CURLOPT_COPYPOSTFIELDS, request->body);
	else
		CHECK_SETOPT(transfer, CURLOPT_HTTPGET, 1L);
	return true;
}

/*
 * Takes the handle out of the lease's multi handle, if it is in there, and
 * keeps it for the next request, cleared of this one; or closes it.
 */
static void
give_handle_back(SgipTransfer *transfer)
{
	SgipLease  *lease = transfer->lease;
	CURL	   *easy = transfer->easy;
	CURLMcode	code;

	transfer->easy = NULL;
	if (easy == NULL)
		return;
	code = curl_multi_remove_handle(lease->multi, easy);
	if (code != CURLM_OK)
		lease->broken = curl_multi_strerror(code);
	if (lease->spare_easy == NULL &&
		curl_easy_setopt(easy, CURLOPT_URL, NULL) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, NULL) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL) == CURLE_OK)
		lease->spare_easy = easy;
	else
		curl_easy_cleanup(easy);
}

/* ----------------------------------------------------------------
 *		Life
 * ----------------------------------------------------------------
 */

SgipTransfer *
sgip_transfer_start(SgipLease *lease, const SgipHttpRequest *request)
{
	SgipTransfer *transfer = MemoryContextAllocZero(TopMemoryContext, sizeof(SgipTransfer));
	CURLMcode	code = CURLM_OK;

	transfer->lease = lease;
	transfer->target = WINDOW_BYTES;
	transfer->result.started_at = GetCurrentTimestamp();
	dlist_push_tail(&lease->transfers, &transfer->node);
	lease->requests++;
	sgip_transfers_in_flight++;
	begin_connecting(transfer);
	if (lease->broken)
		sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "the HTTP client broke down", lease->broken);
	else if (set_up(transfer, request))
		code = curl_multi_add_handle(lease->multi, transfer->easy);
	if (code != CURLM_OK)
		sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "could not start the transfer",
						   curl_multi_strerror(code));
	if (transfer->result.failure_text[0] != '\0')
		sgip_transfer_end(transfer, SGIP_HTTP_FAILED);
	return transfer;
}

bool
sgip_transfer_restart(SgipTransfer *transfer, bool stale)
{
	CURLM	   *multi = transfer->lease->multi;

	if (curl_multi_remove_handle(multi, transfer->easy) != CURLM_OK)
		return false;
	if (stale)
	{
		transfer->opened = true;
		begin_connecting(transfer);
		transfer->silence = 0;
		transfer->header_lines = 0;
		transfer->header_bytes = 0;
		sgip_http_head_clear(&transfer->result.head);
		CHECK_SETOPT(transfer, CURLOPT_FRESH_CONNECT, 1L);
	}
	return curl_multi_add_handle(multi, transfer->easy) == CURLM_OK;
}

void
sgip_transfer_end(SgipTransfer *transfer, SgipHttpState state)
{
	transfer->result.state = state;
	transfer->result.ended_at = GetCurrentTimestamp();
	transfer->paused = false;
	sgip_transfers_in_flight--;
	end_connecting(transfer);
	give_handle_back(transfer);
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
	if (transfer->opened)
		sgip_sockets_forget(transfer->lease);
}

void
sgip_http_stop(SgipTransfer *transfer)
{
	if (transfer == NULL)
		return;
	if (transfer->result.state == SGIP_HTTP_RUNNING)
		sgip_transfer_end(transfer, SGIP_HTTP_FAILED);
	free(transfer->buffer);
	sgip_http_head_clear(&transfer->result.head);
	dlist_delete(&transfer->node);
	pfree(transfer);
}

/* ----------------------------------------------------------------
 *		Reading
 * ----------------------------------------------------------------
 */

const SgipHttpResult *
sgip_http_result(const SgipTransfer *transfer)
{
	return &transfer->result;
}

const char *
sgip_http_window(const SgipTransfer *transfer, size_t *len)
{
	*len = transfer->len;
	return transfer->buffer ? transfer->buffer + transfer->start : "";
}

void
sgip_http_consume(SgipTransfer *transfer, size_t len)
{
	Assert(len <= transfer->len);
	transfer->start += len;
	transfer->len -= len;
	if (transfer->len == 0)
	{
		transfer->start = 0;
		if (transfer->cap > MAX_KEPT_WINDOW_BYTES)
		{
			free(transfer->buffer);
			transfer->buffer = NULL;
			transfer->cap = 0;
			transfer->target = WINDOW_BYTES;
		}
	}
}

void
sgip_http_make_room(SgipTransfer *transfer)
{
	if (!sgip_transfer_is_full(transfer))
		return;
	transfer->target *= 2;
	if (!grow_window(transfer, transfer->target - transfer->len))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while enlarging a buffer of %zu bytes for an HTTP answer.",
						   transfer->cap)));
}

void
sgip_transfer_resume(SgipTransfer *transfer)
{
	CURLcode	code;

	/* receive_body runs inside of this */
	transfer->paused = false;
	transfer->silence = 0;
	transfer->resuming = true;
	code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
	transfer->resuming = false;
	if (code != CURLE_OK)
	{
		sgip_transfer_fail_code(transfer, code);
		sgip_transfer_end(transfer, SGIP_HTTP_FAILED);
	}
}
