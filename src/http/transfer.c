/*-------------------------------------------------------------------------
 *
 * transfer.c
 *		Non-blocking HTTP transfers that a backend can wait for.
 *
 * A transfer is one request and what came of it.  It runs on the line that
 * its channel leases (pool.c), when that is driven (event_loop.c).
 * libcurl's callbacks run inside of that.  They must not throw: they record
 * what happened and return.  Whatever reads the answer runs outside.
 *
 * Bytes of an answer go into the transfer's window.  While the window is full
 * the transfer is held back: libcurl stops reading the socket, and TCP stops
 * the server.
 *
 * Deciding what a failure means, trying again, and everything about JSON,
 * options and tables is left to others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"
#include "utils/guc.h"

#include "http/internal.h"

#ifndef SGIP_VERSION
#define SGIP_VERSION "unknown"
#endif

/*
 * Bytes that a window holds before its transfer is held back.  Reading is
 * fastest when a few reads of the socket fit: below 64 kB the time grows,
 * above 128 kB it does not shrink, and what is read ahead is lost when the
 * reader stops early.
 */
#define WINDOW_BYTES (128 * 1024)

/*
 * Most bytes that one read can decode to.  Deflate yields at most 1032 for
 * one, and no other encoding is accepted.  For a moment libcurl and we both
 * hold as much, which makes 17 MB with the worst of answers.
 */
#define MAX_DECODED_BYTES (1032 * SGIP_READ_BYTES)

/*
 * Limits of an answer's headers, trailers and interim answers included.  The
 * API sends about 1 kB in 15 lines; browsers stop at 256 kB.
 */
#define MAX_HEADER_BYTES (256 * 1024)
#define MAX_HEADER_LINES 1000

/* A window that became larger than this is given back once it is empty */
#define MAX_KEPT_WINDOW_BYTES (8 * WINDOW_BYTES)

/* Transfers that wait for their turn, first come first served */
static dlist_head queued_transfers = DLIST_STATIC_INIT(queued_transfers);

/* Transfers in flight and sockets open in this backend */
static int	transfers_in_flight = 0;
static int	sockets_open = 0;

/* GUC sgip_fdw.max_connections */
static int	max_connections = 64;

/*
 * Sets an option of the transfer's handle; a refusal is the failure of the
 * transfer, and FAILACTION says what to do then.
 */
#define CHECK_SETOPT(TRANSFER, OPT, VAL, FAILACTION) \
	do { \
		CURLcode	_code = curl_easy_setopt((TRANSFER)->easy, OPT, VAL); \
		if (_code != CURLE_OK) \
		{ \
			sgip_transfer_fail(TRANSFER, SGIP_HTTP_INTERNAL, \
						"could not set " #OPT, curl_easy_strerror(_code)); \
			FAILACTION; \
		} \
	} while (0)


/* ------------------------------------------------------------------------
 * Failures
 * ------------------------------------------------------------------------
 */

/*
 * Records why a transfer fails, in words of ours and optionally of libcurl.
 * The first reason stays.  libcurl's words can quote the server (names in a
 * certificate), so only printable ASCII is kept.
 */
void
sgip_transfer_fail(SgipTransfer *transfer, SgipHttpFailure failure,
			const char *text, const char *more)
{
	if (transfer->refused)
		return;
	transfer->refused = true;
	transfer->failure = failure;
	snprintf(transfer->failure_text, sizeof(transfer->failure_text),
			 more ? "%s: %s" : "%s", text, more);

	for (char *c = transfer->failure_text; *c != '\0'; c++)
	{
		if ((unsigned char) *c < 0x20 || (unsigned char) *c > 0x7e)
			*c = '?';
	}
}

/*
 * What a code of libcurl means for us.
 */
static SgipHttpFailure
classify(CURLcode code, bool sent)
{
	switch (code)
	{
		case CURLE_COULDNT_RESOLVE_PROXY:
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_CONNECT:
		case CURLE_PROXY:
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CRL_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		case CURLE_SSL_ENGINE_NOTFOUND:
		case CURLE_SSL_ENGINE_SETFAILED:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_USE_SSL_FAILED:
		case CURLE_INTERFACE_FAILED:
			return SGIP_HTTP_CONNECT;

		case CURLE_BAD_CONTENT_ENCODING:
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_UNSUPPORTED_PROTOCOL:	/* HTTP/0.9 */
#if LIBCURL_VERSION_NUM >= 0x080600
		case CURLE_TOO_LARGE:
#endif
		case CURLE_FILESIZE_EXCEEDED:
		case CURLE_TOO_MANY_REDIRECTS:
			return SGIP_HTTP_BROKEN;

		case CURLE_OUT_OF_MEMORY:
		case CURLE_FAILED_INIT:
		case CURLE_URL_MALFORMAT:
		case CURLE_NOT_BUILT_IN:
		case CURLE_UNKNOWN_OPTION:
		case CURLE_BAD_FUNCTION_ARGUMENT:
		case CURLE_ABORTED_BY_CALLBACK:
		case CURLE_WRITE_ERROR:
		case CURLE_READ_ERROR:
			return SGIP_HTTP_INTERNAL;

		default:
			/* lost, cut short, stream errors, and the unknown */
			return sent ? SGIP_HTTP_LOST : SGIP_HTTP_CONNECT;
	}
}

/*
 * libcurl's words for its code.  Its messages name hosts, ports, addresses
 * and certificates, never the URL, except that those about an unusable proxy
 * quote the proxy's URL with its password.
 */
static const char *
describe(const SgipTransfer *transfer, CURLcode code)
{
	if (transfer->error_buffer[0] == '\0' ||
		strstr(transfer->error_buffer, "Unsupported proxy") != NULL)
		return curl_easy_strerror(code);
	return transfer->error_buffer;
}

void
sgip_transfer_fail_code(SgipTransfer *transfer, CURLcode code)
{
	if (code == CURLE_OUT_OF_MEMORY && transfer->sent && transfer->head.status == 0)
		/* this is how libcurl says that a line exceeds its limit of 100 kB */
		sgip_transfer_fail(transfer, SGIP_HTTP_BROKEN,
						   "a header line is too long, or memory is short", NULL);
	else
		sgip_transfer_fail(transfer, classify(code, transfer->sent), describe(transfer, code), NULL);
}


/* ------------------------------------------------------------------------
 * Callbacks of libcurl.  None of these may throw.
 * ------------------------------------------------------------------------
 */

/*
 * Notes a socket among those that the line has open; false if that fails.
 */
static bool
note_socket(SgipLine *line, int fd)
{
	struct stat status;

	if (line->open_sockets == line->socket_room)
	{
		int			room = Max(2 * line->socket_room, 4);
		SgipOpenSocket *sockets = realloc(line->sockets, room * sizeof(SgipOpenSocket));

		if (sockets == NULL)
			return false;
		line->sockets = sockets;
		line->socket_room = room;
	}
	if (fstat(fd, &status) < 0)
		return false;
	line->sockets[line->open_sockets].fd = fd;
	line->sockets[line->open_sockets].inode = status.st_ino;
	line->open_sockets++;
	sockets_open++;
	return true;
}

/*
 * The socket at that place is closed.
 */
static void
forget_socket(SgipLine *line, int place)
{
	line->sockets[place] = line->sockets[--line->open_sockets];
	sockets_open--;
	ReleaseExternalFD();
}

/*
 * Forgets sockets that libcurl closed without calling close_socket.  7.88, at
 * least, does so with one that did not become a connection: because the
 * transfer was stopped before, or another address of the host was faster.
 */
void
sgip_transfer_forget_sockets(SgipLine *line)
{
	for (int i = line->open_sockets - 1; i >= 0; i--)
	{
		struct stat status;

		if (fstat(line->sockets[i].fd, &status) < 0 || !S_ISSOCK(status.st_mode) ||
			status.st_ino != line->sockets[i].inode)
			forget_socket(line, i);
	}
}

/*
 * Opens a socket for a connection, as one of the descriptors that the backend
 * accounts for.
 */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	SgipTransfer *transfer = arg;
	SgipLine   *line = transfer->line;
	curl_socket_t fd;

	if (!AcquireExternalFD())
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
				address->protocol);
	if (fd < 0 || !note_socket(line, fd))
	{
		if (fd >= 0)
			close(fd);
		ReleaseExternalFD();
		return CURL_SOCKET_BAD;
	}
	transfer->opened = true;
	if (line->channel)
		line->channel->counters.connections_opened++;

	/* also on a second try, after a kept connection proved to be dead */
	transfer->connecting = true;
	return fd;
}

/*
 * Closes a socket.  Belongs to the connection, so that it knows the line
 * only.
 */
static int
close_socket(void *arg, curl_socket_t socket)
{
	SgipLine   *line = arg;

	(void) epoll_ctl(line->epoll_fd, EPOLL_CTL_DEL, socket, NULL);
	close(socket);
	for (int i = 0; i < line->open_sockets; i++)
	{
		if (line->sockets[i].fd == socket)
		{
			forget_socket(line, i);
			break;
		}
	}
	return 0;
}

/*
 * The connection stands, the request is about to be written.
 */
static int
begin_request(void *arg, char *peer_ip, char *own_ip, int peer_port,
			  int own_port)
{
	SgipTransfer *transfer = arg;

	transfer->sent = true;
	transfer->connecting = false;
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
	long		status = 0;
	struct curl_header *header = NULL;
	const char *problem = NULL;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return NULL;
	while (problem == NULL &&
		   (header = curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, header)) != NULL)
		problem = sgip_http_head_field(&transfer->head, header->name, header->value);
	if (problem == NULL)
		problem = sgip_http_head_end(&transfer->head, (int) status);
	if (problem != NULL)
		sgip_http_head_clear(&transfer->head);	/* not even its status counts */
	return problem;
}

/*
 * Takes a header line.  libcurl keeps it for read_headers; here it is only
 * counted, and the empty line at the end seen.  Trailers come after that, and
 * nothing may depend on them that was decided before the body.
 */
static size_t
receive_header(char *data, size_t size, size_t count, void *arg)
{
	SgipTransfer *transfer = arg;
	size_t		n = size * count;
	const char *problem = NULL;

	transfer->silence = 0;
	transfer->header_lines++;
	transfer->header_bytes += n;
	if (transfer->header_lines > MAX_HEADER_LINES || transfer->header_bytes > MAX_HEADER_BYTES)
		problem = "the headers of the answer are too large";
	else if (transfer->head.status == 0 && (data[0] == '\r' || data[0] == '\n'))
		problem = read_headers(transfer);
	if (problem != NULL)
	{
		sgip_transfer_fail(transfer, SGIP_HTTP_BROKEN, problem, NULL);
		return 0;
	}
	return n;
}

/*
 * Sees to it that the window can take n more bytes behind what it holds.
 * Returns false when out of memory.
 */
static bool
grow_window(SgipTransfer *transfer, size_t n)
{
	size_t		cap = Max(transfer->cap, WINDOW_BYTES);
	char	   *buffer;

	if (transfer->buffer == NULL && transfer->line->spare_window != NULL)
	{
		transfer->buffer = transfer->line->spare_window;
		transfer->cap = WINDOW_BYTES;
		transfer->line->spare_window = NULL;
	}

	/*
	 * Past what is usual, at once to the most: memory that is not touched
	 * costs nothing, but moving to a larger place does.
	 */
	while (cap - transfer->start - transfer->len < n)
		cap = (transfer->resuming && cap >= MAX_KEPT_WINDOW_BYTES)
			? Max(cap * 2, transfer->target + MAX_DECODED_BYTES) : cap * 2;
	if (cap == transfer->cap && transfer->buffer != NULL)
		return true;
	buffer = realloc(transfer->buffer, cap);
	if (buffer == NULL)
		return false;
	transfer->buffer = buffer;
	transfer->cap = cap;
	return true;
}

/*
 * Takes bytes of the body.  When they do not fit the transfer is held back:
 * libcurl keeps these and whatever else it got from the same read, hands them
 * out when the transfer is resumed, and then they are taken whatever they
 * are.  Holding back again in the midst of that would have libcurl copy the
 * rest each time.
 */
static size_t
receive_body(char *data, size_t size, size_t count, void *arg)
{
	SgipTransfer *transfer = arg;
	size_t		n = size * count;

	transfer->silence = 0;
	if (transfer->len + n > transfer->target && !transfer->resuming)
	{
		transfer->held = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (transfer->len + n > transfer->target + MAX_DECODED_BYTES)
	{
		sgip_transfer_fail(transfer, SGIP_HTTP_BROKEN,
					"the compressed answer becomes too large", NULL);
		return 0;
	}
	if (!grow_window(transfer, n))
	{
		sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);
		return 0;
	}

	memcpy(transfer->buffer + transfer->start + transfer->len, data, n);
	transfer->len += n;
	transfer->body_bytes += n;
	if (transfer->line->channel)
		transfer->line->channel->counters.bytes_received += n;
	return n;
}


/* ------------------------------------------------------------------------
 * Transfers
 * ------------------------------------------------------------------------
 */

/*
 * Whether libcurl's default trust anchors are in a file.  Then its default
 * directory, where it has one, holds the same (Debian's update-ca-certificates
 * writes both), and is left out: since 7.87 libcurl reads a file once for all
 * connections of a line, but with a directory beside it anew for each, which
 * takes 20 to 30 ms in which nobody looks for interrupts.
 */
static bool
has_default_bundle(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	return info->age >= CURLVERSION_SEVENTH && info->cainfo != NULL &&
		access(info->cainfo, R_OK) == 0;
}

/*
 * Makes a handle for the line of the transfer, with what is the same for all
 * requests.  On failure the transfer knows why, and false is returned.
 *
 * HTTP/1.1, also where the server offers HTTP/2.  Transfers are held back all
 * the time, and libcurl does not manage that with several streams of HTTP/2:
 * 7.88 forgets what it read ahead until some timer fires, and some streams
 * fail; 8.14 reads up to 10 MB ahead for each stream that is held back, and
 * some fail.  A connection for each request in flight costs a handshake that
 * is paid once.
 *
 * ca_file is meant as an addition to the system's trust anchors.  libcurl
 * replaces its default bundle file by it but keeps its default directory
 * (CURLOPT_CAPATH), so both count where libcurl was built with a directory,
 * as in Debian; elsewhere the file stands alone.
 */
static bool
make_handle(SgipTransfer *transfer)
{
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
	{
		sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);
		return false;
	}

	/* what we want to hear */
	CHECK_SETOPT(transfer, CURLOPT_HEADERFUNCTION, receive_header, return false);
	CHECK_SETOPT(transfer, CURLOPT_WRITEFUNCTION, receive_body, return false);
	CHECK_SETOPT(transfer, CURLOPT_OPENSOCKETFUNCTION, open_socket, return false);
	CHECK_SETOPT(transfer, CURLOPT_CLOSESOCKETFUNCTION, close_socket, return false);
	CHECK_SETOPT(transfer, CURLOPT_CLOSESOCKETDATA, transfer->line, return false);
	CHECK_SETOPT(transfer, CURLOPT_PREREQFUNCTION, begin_request, return false);
	CHECK_SETOPT(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L, return false);

	/* alarms belong to PostgreSQL; do not join a thread that looks up a name */
	CHECK_SETOPT(transfer, CURLOPT_NOSIGNAL, 1L, return false);
#if LIBCURL_VERSION_NUM >= 0x075700
	CHECK_SETOPT(transfer, CURLOPT_QUICK_EXIT, 1L, return false);
#endif

	/* whom it trusts */
	CHECK_SETOPT(transfer, CURLOPT_SSL_VERIFYPEER, 1L, return false);
	CHECK_SETOPT(transfer, CURLOPT_SSL_VERIFYHOST, 2L, return false);
	if (transfer->line->ca_file)
		CHECK_SETOPT(transfer, CURLOPT_CAINFO, transfer->line->ca_file, return false);
	else if (has_default_bundle())
		CHECK_SETOPT(transfer, CURLOPT_CAPATH, NULL, return false);

	/* what libcurl may do, and may not */
	CHECK_SETOPT(transfer, CURLOPT_PROTOCOLS_STR, "http,https", return false);
	CHECK_SETOPT(transfer, CURLOPT_FOLLOWLOCATION, 0L, return false);
	CHECK_SETOPT(transfer, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED, return false);
	CHECK_SETOPT(transfer, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L, return false);
	CHECK_SETOPT(transfer, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1, return false);
	CHECK_SETOPT(transfer, CURLOPT_ACCEPT_ENCODING, "gzip, deflate", return false);
	CHECK_SETOPT(transfer, CURLOPT_BUFFERSIZE, (long) SGIP_READ_BYTES, return false);
	CHECK_SETOPT(transfer, CURLOPT_USERAGENT, "sgip_fdw/" SGIP_VERSION " (PostgreSQL)", return false);
	return true;
}

/*
 * Sets up a handle for the request, that of an earlier one if there is any,
 * which saves a tenth of a small request's time.  Returns false as above.
 */
static bool
set_up(SgipTransfer *transfer, const SgipHttpRequest *request)
{
	SgipLine   *line = transfer->line;

	transfer->easy = line->spare_easy;
	line->spare_easy = NULL;
	if (transfer->easy == NULL && !make_handle(transfer))
		return false;

	/* whose transfer it is */
	CHECK_SETOPT(transfer, CURLOPT_PRIVATE, transfer, return false);
	CHECK_SETOPT(transfer, CURLOPT_ERRORBUFFER, transfer->error_buffer, return false);
	CHECK_SETOPT(transfer, CURLOPT_HEADERDATA, transfer, return false);
	CHECK_SETOPT(transfer, CURLOPT_WRITEDATA, transfer, return false);
	CHECK_SETOPT(transfer, CURLOPT_OPENSOCKETDATA, transfer, return false);
	CHECK_SETOPT(transfer, CURLOPT_PREREQDATA, transfer, return false);

	/*
	 * We measure time ourselves.  libcurl is told because it divides the time
	 * among the addresses of a host; see take_result() for when it is early.
	 */
	CHECK_SETOPT(transfer, CURLOPT_CONNECTTIMEOUT_MS, (long) line->connect_timeout_ms, return false);

	/*
	 * Credentials travel with the request, so a proxy may carry it only in
	 * TLS.  Plain HTTP goes straight to its host, which is this machine,
	 * whatever proxy the server's environment names.
	 */
	CHECK_SETOPT(transfer, CURLOPT_PROXY,
				 pg_strncasecmp(request->url, "http:", 5) == 0 ? "" : line->proxy,
				 return false);

	/* the request; libcurl copies the URL, but neither headers nor body */
	CHECK_SETOPT(transfer, CURLOPT_URL, request->url, return false);
	for (const char *const *header = request->headers; header && *header; header++)
	{
		struct curl_slist *list = curl_slist_append(transfer->headers, *header);

		if (list == NULL)
		{
			sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);
			return false;
		}
		transfer->headers = list;
	}
	if (transfer->headers)
		CHECK_SETOPT(transfer, CURLOPT_HTTPHEADER, transfer->headers, return false);
	if (request->body)
	{
		transfer->body = strdup(request->body);
		if (transfer->body == NULL)
		{
			sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);
			return false;
		}
		CHECK_SETOPT(transfer, CURLOPT_POSTFIELDSIZE_LARGE,
					 (curl_off_t) strlen(transfer->body), return false);
		CHECK_SETOPT(transfer, CURLOPT_POSTFIELDS, transfer->body, return false);
	}
	return true;
}

/*
 * Keeps the handle for the next request of the line, without anything of this
 * one; or closes it.
 */
static void
give_handle_back(SgipTransfer *transfer)
{
	SgipLine   *line = transfer->line;
	CURL	   *easy = transfer->easy;

	transfer->easy = NULL;
	if (easy == NULL)
		return;
	if (line->spare_easy == NULL && !line->broken &&
		curl_easy_setopt(easy, CURLOPT_URL, NULL) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL) == CURLE_OK)
		line->spare_easy = easy;
	else
		curl_easy_cleanup(easy);
}

/*
 * Lets go of libcurl's handle and of the request with its secrets, and with
 * that of the transfer's place among those in flight.
 */
static void
stop_running(SgipTransfer *transfer)
{
	if (transfer->attached)
	{
		transfer->attached = false;
		transfers_in_flight--;
		if (curl_multi_remove_handle(transfer->line->multi, transfer->easy) != CURLM_OK)
			transfer->line->broken = true;
	}
	give_handle_back(transfer);
	if (transfer->opened)
		sgip_transfer_forget_sockets(transfer->line);

	for (struct curl_slist *header = transfer->headers; header; header = header->next)
		explicit_bzero(header->data, strlen(header->data));
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;

	if (transfer->body)
		explicit_bzero(transfer->body, strlen(transfer->body));
	free(transfer->body);
	transfer->body = NULL;
}

void
sgip_transfer_end(SgipTransfer *transfer, SgipHttpState state)
{
	if (transfer->state == SGIP_HTTP_QUEUED)
		dlist_delete(&transfer->queue_node);
	transfer->state = state;
	transfer->ended_at = sgip_now_ns();
	transfer->held = false;
	stop_running(transfer);
}

/*
 * Sends the transfer on its way.  Idle lines of others give up their sockets
 * if there are too many.
 */
static void
attach(SgipTransfer *transfer)
{
	SgipLine   *line = transfer->line;
	CURLMcode	code;

	while (sockets_open >= max_connections && sgip_line_close_oldest())
		 /* go on */ ;

	if (transfer->state == SGIP_HTTP_QUEUED)
		dlist_delete(&transfer->queue_node);
	transfer->state = SGIP_HTTP_RUNNING;
	transfer->connecting = true;
	code = curl_multi_add_handle(line->multi, transfer->easy);
	if (code != CURLM_OK)
	{
		sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "could not start the transfer",
					curl_multi_strerror(code));
		sgip_transfer_end(transfer, SGIP_HTTP_FAILED);
		return;
	}
	transfer->attached = true;
	transfers_in_flight++;
	line->requests++;
}

void
sgip_transfer_start_queued(void)
{
	while (transfers_in_flight < max_connections &&
		   !dlist_is_empty(&queued_transfers))
		attach(dlist_head_element(SgipTransfer, queue_node, &queued_transfers));
}

SgipTransfer *
sgip_http_start(SgipChannel *channel, const SgipHttpRequest *request,
				bool may_queue)
{
	SgipLine   *line = channel->line;
	SgipTransfer *transfer = MemoryContextAllocZero(TopMemoryContext,
													sizeof(SgipTransfer));

	transfer->line = line;
	transfer->target = WINDOW_BYTES;
	transfer->started_at = sgip_now_ns();
	transfer->state = SGIP_HTTP_RUNNING;
	dlist_push_tail(&line->transfers, &transfer->node);

	if (line->broken)
		sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "the HTTP client broke down", NULL);
	if (line->broken || !set_up(transfer, request))
		sgip_transfer_end(transfer, SGIP_HTTP_FAILED);
	else if (may_queue && transfers_in_flight >= max_connections)
	{
		transfer->state = SGIP_HTTP_QUEUED;
		dlist_push_tail(&queued_transfers, &transfer->queue_node);
	}
	else
		attach(transfer);
	return transfer;
}

void
sgip_http_jump_queue(SgipTransfer *transfer)
{
	if (transfer->state == SGIP_HTTP_QUEUED)
		attach(transfer);
}

void
sgip_http_stop(SgipTransfer *transfer)
{
	SgipLine   *line;

	if (transfer == NULL)
		return;
	line = transfer->line;
	if (transfer->state == SGIP_HTTP_RUNNING || transfer->state == SGIP_HTTP_QUEUED)
		sgip_transfer_end(transfer, SGIP_HTTP_FAILED);

	if (transfer->cap == WINDOW_BYTES && line->spare_window == NULL)
		line->spare_window = transfer->buffer;
	else
		free(transfer->buffer);
	sgip_http_head_clear(&transfer->head);
	dlist_delete(&transfer->node);
	pfree(transfer);
	sgip_transfer_start_queued();
}


/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

SgipHttpState
sgip_http_state(const SgipTransfer *transfer)
{
	return transfer->state;
}

SgipHttpFailure
sgip_http_failure(const SgipTransfer *transfer)
{
	return transfer->failure;
}

const char *
sgip_http_failure_text(const SgipTransfer *transfer)
{
	return transfer->failure_text;
}

bool
sgip_http_connected(const SgipTransfer *transfer)
{
	return transfer->sent;
}

const SgipHttpHead *
sgip_http_head(const SgipTransfer *transfer)
{
	return &transfer->head;
}

int
sgip_http_elapsed_ms(const SgipTransfer *transfer)
{
	int64		end = transfer->ended_at ? transfer->ended_at : sgip_now_ns();

	return (int) Min((end - transfer->started_at) / SGIP_NS_PER_MS, INT_MAX);
}

uint64
sgip_http_received(const SgipTransfer *transfer)
{
	return transfer->body_bytes;
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
	if (transfer->start > 0)
	{
		memmove(transfer->buffer, transfer->buffer + transfer->start, transfer->len);
		transfer->start = 0;
	}
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


/* ------------------------------------------------------------------------
 * Set-up
 * ------------------------------------------------------------------------
 */

int
sgip_http_max_connections(void)
{
	return max_connections;
}

int
sgip_http_in_flight(void)
{
	return transfers_in_flight;
}

const char *
sgip_http_version(void)
{
	static char version[128];
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	snprintf(version, sizeof(version), "libcurl %s (%s)", info->version,
			 info->ssl_version ? info->ssl_version : "no TLS");
	return version;
}

void
sgip_http_init(void)
{
	DefineCustomIntVariable("sgip_fdw.max_connections",
							"Sets the maximum number of requests that this session has in flight.",
							"Further requests wait for their turn, unless a query waits for them alone.",
							&max_connections,
							64,
							1,
							1000,
							PGC_USERSET,
							0,
							NULL,
							NULL,
							NULL);
}
