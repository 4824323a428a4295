/*-------------------------------------------------------------------------
 *
 * http.c
 *		Non-blocking HTTP transfers that a backend can wait for.
 *
 * What outlives a scan is a "line": one libcurl multi handle with the
 * connections it keeps, an epoll descriptor and a timer.  The lines of a
 * backend form a pool.  A channel is the lease of a line; it lives in the
 * memory context of the scan, whose reset callback ends the lease, so that
 * an error anywhere leaves neither transfer nor descriptor behind.
 *
 * libcurl tells us which sockets to watch (watch_socket) and when it wants to
 * be called (set_curl_timer); drive_line calls it when one of these is due.
 * Its other callbacks run inside of that.  They must not throw: they record
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

#include <curl/curl.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "http.h"

#if LIBCURL_VERSION_NUM < 0x075500
#error "sgip_fdw needs libcurl 7.85 or later"
#endif

#ifndef SGIP_VERSION
#define SGIP_VERSION "1.0"
#endif

/*
 * Bytes that a window holds before its transfer is held back.  Reading is
 * fastest when a few reads of the socket fit: below 64 kB the time grows,
 * above 128 kB it does not shrink, and what is read ahead is lost when the
 * reader stops early.
 */
#define WINDOW_BYTES (128 * 1024)

/*
 * Bytes that libcurl reads at a time.  What one read of a compressed answer
 * decodes to cannot be held back, so this bounds memory.  Twice as much would
 * save about a tenth of the processor time of reading, half of it cost as
 * much.  It is a little less than 8 kB so that the worst of what is decoded
 * stays below 8 MB, where libcurl's buffer would double.
 */
#define READ_BYTES 8000

/*
 * Most bytes that one read can decode to.  Deflate yields at most 1032 for
 * one, and no other encoding is accepted.  For a moment libcurl and we both
 * hold as much, which makes 17 MB with the worst of answers.
 */
#define MAX_DECODED_BYTES (1032 * READ_BYTES)

/* A window that became larger than this is given back once it is empty */
#define MAX_KEPT_WINDOW_BYTES (8 * WINDOW_BYTES)

/*
 * Limits of an answer's headers, trailers and interim answers included.  The
 * API sends about 1 kB in 15 lines; browsers stop at 256 kB.
 */
#define MAX_HEADER_BYTES (256 * 1024)
#define MAX_HEADER_LINES 1000

/*
 * How long an idle channel keeps its connections, and how many of them are
 * kept.  Servers and firewalls drop idle connections after one to a few
 * minutes; the number is that of the sources a large UNION ALL has, at
 * three descriptors each.
 */
#define MAX_IDLE_MS 60000
#define MAX_IDLE_LINES 64

/* Connections that one line keeps: more than a scan has requests in flight */
#define MAX_LINE_CONNECTIONS 16

/* Rounds of reading before drive returns, so that it does return */
#define MAX_ROUNDS 16

/* Descriptors looked at in one round; the others come in the next one */
#define MAX_EVENTS 32

/* A millisecond, for times in nanoseconds */
#define NS_PER_MS INT64CONST(1000000)

/*
 * A socket that the backend accounts for.  The inode tells it from another
 * that got the same number later.
 */
typedef struct OpenSocket
{
	int			fd;
	ino_t		inode;
} OpenSocket;

/*
 * The lasting part of a channel.
 */
typedef struct SgipLine
{
	dlist_node	node;			/* in all_lines, last used first */
	SgipChannel *channel;		/* who uses it, or NULL: idle */

	/* whom it talks to */
	Oid			server_id;
	Oid			user_id;
	Oid			mapping_id;
	uint32		server_hash;	/* hash values in the system caches */
	uint32		mapping_hash;	/* 0: no mapping, any change counts */
	char	   *ca_file;
	char	   *proxy;
	int			connect_timeout_ms;
	int			read_timeout_ms;

	/* handles */
	CURLM	   *multi;
	int			epoll_fd;		/* -1: none */
	int			timer_fd;		/* -1: none */
	int			acquired_fds;	/* external descriptors, sockets apart */
	OpenSocket *sockets;		/* malloc'd */
	int			open_sockets;	/* of these */
	int			socket_room;
	bool		invalidated;	/* close as soon as it is idle */
	bool		broken;			/* incomplete, or libcurl gave it up */

	/* times on the monotonic clock, nanoseconds; 0: none */
	int64		curl_due;		/* libcurl wants to be called */
	int64		waiting_since;	/* somebody waits on the descriptor */
	int64		wake_at;		/* when he wants to wake in any case */
	int64		idle_since;

	/* transfers, and a window for the next one */
	dlist_head	transfers;
	char	   *spare_window;	/* WINDOW_BYTES, or NULL */

	/* for people */
	TimestampTz created_at;
	uint64		requests;
} SgipLine;

/*
 * The lease of a line.
 */
struct SgipChannel
{
	SgipLine   *line;			/* NULL: given back */
	SgipHttpCounters counters;
	MemoryContextCallback callback;
};

/*
 * One request and what came of it.
 */
struct SgipTransfer
{
	dlist_node	node;			/* in its line's transfers */
	dlist_node	queue_node;		/* in queued_transfers while QUEUED */
	SgipLine   *line;

	/* state */
	SgipHttpState state;
	SgipHttpFailure failure;
	char		failure_text[CURL_ERROR_SIZE];
	int64		started_at;		/* ns */
	int64		ended_at;		/* ns, 0: not yet */
	int64		silence;		/* ns waited since something happened */
	curl_off_t	received;		/* bytes received when we last looked */
	bool		sent;			/* the request was begun */
	bool		connecting;		/* on the way to a connection, maybe again */
	bool		opened;			/* a socket, at least */
	bool		refused;		/* a callback recorded a failure */

	/* libcurl's part */
	CURL	   *easy;
	struct curl_slist *headers;
	char	   *body;			/* form body, ours */
	char		error_buffer[CURL_ERROR_SIZE];
	bool		attached;		/* belongs to the multi handle, is in flight */

	/* headers */
	SgipHttpHead head;
	int			status;			/* of the header lines that are coming */
	bool		head_done;		/* the final answer's headers are complete */
	bool		encoded;		/* they name a content encoding */
	size_t		header_bytes;
	int			header_lines;

	/* window: bytes from start to start + len of a buffer of cap bytes */
	char	   *buffer;
	size_t		start;
	size_t		len;
	size_t		cap;
	size_t		target;			/* bytes that it should hold at most */
	bool		held;			/* held back: libcurl does not read */
	bool		resuming;		/* libcurl hands out what it had kept */
};

/* All lines of this backend */
static dlist_head all_lines = DLIST_STATIC_INIT(all_lines);

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
			set_failure(TRANSFER, SGIP_HTTP_INTERNAL, \
						"could not set " #OPT, curl_easy_strerror(_code)); \
			FAILACTION; \
		} \
	} while (0)

/* The same for a multi handle, where a refusal is an error */
#define CHECK_MSETOPT(MULTI, OPT, VAL) \
	do { \
		CURLMcode	_code = curl_multi_setopt(MULTI, OPT, VAL); \
		if (_code != CURLM_OK) \
			ereport(ERROR, \
					(errcode(ERRCODE_FDW_ERROR), \
					 errmsg("could not set up the HTTP client"), \
					 errdetail("libcurl refused %s: %s.", #OPT, \
							   curl_multi_strerror(_code)))); \
	} while (0)

static void stop_running(SgipTransfer *transfer);
static void start_queued(void);


/* ------------------------------------------------------------------------
 * Small helpers
 * ------------------------------------------------------------------------
 */

/*
 * Now on the monotonic clock, in nanoseconds; never 0.
 */
static int64
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec + 1;
}

/*
 * Whether two strings, each possibly NULL, are the same.
 */
static bool
same_text(const char *a, const char *b)
{
	return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

/*
 * Wipes and frees a string of palloc's; a proxy's URL may hold a password.
 */
static void
pfree_wiped(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	pfree(text);
}

/*
 * Records why a transfer fails, in words of ours and optionally of libcurl.
 * The first reason stays.  libcurl's words can quote the server (names in a
 * certificate), so only printable ASCII is kept.
 */
static void
set_failure(SgipTransfer *transfer, SgipHttpFailure failure,
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


/* ------------------------------------------------------------------------
 * Timer
 * ------------------------------------------------------------------------
 */

/*
 * Longest silence that the transfer's present phase allows, in nanoseconds.
 */
static int64
silence_limit(const SgipTransfer *transfer)
{
	const SgipLine *line = transfer->line;

	return NS_PER_MS * (transfer->connecting ? line->connect_timeout_ms
						: line->read_timeout_ms);
}

/*
 * Whether the window of the transfer should not take another read.
 */
static bool
window_full(const SgipTransfer *transfer)
{
	return transfer->len + READ_BYTES > transfer->target;
}

/*
 * Arms the timer for whatever comes first: libcurl's wish, the end of
 * somebody's patience, or the caller's.
 */
static void
arm_timer(SgipLine *line)
{
	struct itimerspec spec = {0};
	int64		due = line->curl_due;
	dlist_iter	iter;

	if (line->wake_at != 0 && (due == 0 || line->wake_at < due))
		due = line->wake_at;

	dlist_foreach(iter, &line->transfers)
	{
		SgipTransfer *transfer = dlist_container(SgipTransfer, node, iter.cur);
		int64		deadline;

		if (!transfer->attached)
			continue;
		if (!transfer->held)
			deadline = line->waiting_since + silence_limit(transfer) - transfer->silence;
		else if (!window_full(transfer))
			deadline = 1;		/* may go on: at once */
		else
			continue;
		if (due == 0 || deadline < due)
			due = deadline;
	}

	/* an absolute time that has passed fires at once; zero disarms */
	if (due != 0)
	{
		due = Max(due, 1);
		spec.it_value.tv_sec = due / (1000 * NS_PER_MS);
		spec.it_value.tv_nsec = due % (1000 * NS_PER_MS);
	}
	if (timerfd_settime(line->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
		line->broken = true;	/* cannot happen with valid arguments */
}


/* ------------------------------------------------------------------------
 * Callbacks of libcurl.  None of these may throw.
 * ------------------------------------------------------------------------
 */

/*
 * libcurl wants to be called in timeout_ms (-1: not at all).  If somebody is
 * waiting on the descriptor already, he must learn of it.
 */
static int
set_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	SgipLine   *line = arg;

	line->curl_due = timeout_ms < 0 ? 0 : now_ns() + timeout_ms * NS_PER_MS;
	if (line->waiting_since != 0)
		arm_timer(line);
	return 0;
}

/*
 * libcurl wants to hear of a socket, in another way than before, or no more.
 */
static int
watch_socket(CURL *easy, curl_socket_t socket, int what, void *arg,
			 void *socket_arg)
{
	SgipLine   *line = arg;
	struct epoll_event event = {0};

	if (what == CURL_POLL_REMOVE)
	{
		/* the socket may be closed by now, which has the same effect */
		(void) epoll_ctl(line->epoll_fd, EPOLL_CTL_DEL, socket, &event);
		return 0;
	}

	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	event.data.fd = socket;
	if (epoll_ctl(line->epoll_fd, EPOLL_CTL_MOD, socket, &event) < 0 &&
		(errno != ENOENT ||
		 epoll_ctl(line->epoll_fd, EPOLL_CTL_ADD, socket, &event) < 0))
		return -1;
	return 0;
}

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
		OpenSocket *sockets = realloc(line->sockets, room * sizeof(OpenSocket));

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
static void
forget_closed_sockets(SgipLine *line)
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
 * Copies a header's value.  One that does not fit is dropped if a part of it
 * would be understood as something else.
 */
static void
copy_value(char *to, size_t size, const char *value, size_t len, bool whole)
{
	if (len >= size)
		len = whole ? 0 : size - 1;
	memcpy(to, value, len);
	to[len] = '\0';
}

/*
 * Whether the word is among the space-separated ones of a list.
 */
static bool
word_in_list(const char *word, const char *list, size_t len)
{
	size_t		word_len = strlen(word);
	size_t		i = 0;

	while (i < len)
	{
		size_t		begin;

		while (i < len && (list[i] == ' ' || list[i] == '\t'))
			i++;
		begin = i;
		while (i < len && list[i] != ' ' && list[i] != '\t')
			i++;
		if (i - begin == word_len &&
			pg_strncasecmp(list + begin, word, word_len) == 0)
			return true;
	}
	return false;
}

/*
 * Notes the target of a link under each relation it has.  A target that is
 * too long fails the answer: without it, the pages behind would be missing.
 * Returns false in that case.
 */
static bool
note_link(SgipTransfer *transfer, const char *target, size_t target_len,
		  const char *rel, size_t rel_len)
{
	SgipHttpHead *head = &transfer->head;
	bool		next = word_in_list("next", rel, rel_len);
	bool		last = word_in_list("last", rel, rel_len);

	if ((next && target_len >= sizeof(head->link_next)) ||
		(last && target_len >= sizeof(head->link_last)))
	{
		set_failure(transfer, SGIP_HTTP_BROKEN,
					"a target in a Link header is too long", NULL);
		return false;
	}
	if (next && head->link_next[0] == '\0')
		copy_value(head->link_next, sizeof(head->link_next), target, target_len, true);
	if (last && head->link_last[0] == '\0')
		copy_value(head->link_last, sizeof(head->link_last), target, target_len, true);
	return true;
}

/*
 * Reads the value of a Link header (RFC 8288): <target>; name=value; ..., and
 * so on.  What does not have that form ends the reading.
 */
static bool
parse_link(SgipTransfer *transfer, const char *value, size_t len)
{
	const char *p = value;
	const char *end = value + len;

#define SKIP_BLANKS() while (p < end && (*p == ' ' || *p == '\t')) p++

	while (p < end)
	{
		const char *target;
		size_t		target_len;
		bool		rel_seen = false;

		while (p < end && (*p == ' ' || *p == '\t' || *p == ','))
			p++;
		if (p == end || *p != '<')
			return true;
		target = ++p;
		while (p < end && *p != '>')
			p++;
		if (p == end)
			return true;
		target_len = p++ - target;

		for (;;)
		{
			const char *name;
			size_t		name_len;
			const char *param = "";
			size_t		param_len = 0;

			SKIP_BLANKS();
			if (p == end || *p != ';')
				break;
			p++;
			SKIP_BLANKS();
			name = p;
			while (p < end && strchr("=;, \t", *p) == NULL)
				p++;
			name_len = p - name;
			SKIP_BLANKS();
			if (p < end && *p == '=')
			{
				p++;
				SKIP_BLANKS();
				if (p < end && *p == '"')
				{
					param = ++p;
					while (p < end && *p != '"')
						p += (*p == '\\' && p + 1 < end) ? 2 : 1;
					param_len = p - param;
					if (p < end)
						p++;
				}
				else
				{
					param = p;
					while (p < end && strchr(";, \t", *p) == NULL)
						p++;
					param_len = p - param;
				}
			}
			/* the first rel counts, further ones are to be ignored */
			if (!rel_seen && name_len == 3 && pg_strncasecmp(name, "rel", 3) == 0)
			{
				rel_seen = true;
				if (!note_link(transfer, target, target_len, param, param_len))
					return false;
			}
		}
	}
	return true;

#undef SKIP_BLANKS
}

/*
 * Refuses encodings that we did not ask for.  libcurl would decode them, also
 * one in another, and then there is no bound on what a few bytes become.
 */
static bool
take_encoding(SgipTransfer *transfer, const char *value, size_t len)
{
	static const char *const known[] = {"identity", "gzip", "x-gzip", "deflate"};

	for (size_t i = 0; i < lengthof(known) && !transfer->encoded; i++)
	{
		if (len == strlen(known[i]) && pg_strncasecmp(value, known[i], len) == 0)
		{
			transfer->encoded = true;
			return true;
		}
	}
	set_failure(transfer, SGIP_HTTP_BROKEN,
				"the answer has an encoding that was not asked for", NULL);
	return false;
}

/*
 * Takes what we want to know from one header.  Returns false if the answer
 * is to be refused.
 */
static bool
take_header(SgipTransfer *transfer, const char *name, size_t name_len,
			const char *value, size_t len)
{
	SgipHttpHead *head = &transfer->head;

#define IS(NAME) \
	(name_len == sizeof(NAME) - 1 && pg_strncasecmp(name, NAME, name_len) == 0)

	if (IS("Content-Type"))
		copy_value(head->content_type, sizeof(head->content_type), value, len, false);
	else if (IS("Retry-After"))
		copy_value(head->retry_after, sizeof(head->retry_after), value, len, true);
	else if (IS("X-RateLimit-Reset"))
		copy_value(head->rate_reset, sizeof(head->rate_reset), value, len, true);
	else if (IS("Date"))
		copy_value(head->date, sizeof(head->date), value, len, true);
	else if (IS("Location"))
		copy_value(head->location, sizeof(head->location), value, len, false);
	else if (IS("Content-Encoding"))
		return take_encoding(transfer, value, len);
	else if (IS("Link"))
	{
		head->has_link = true;
		return parse_link(transfer, value, len);
	}
	return true;

#undef IS
}

/*
 * Takes a header line, status lines and the empty line at the end included.
 * Interim answers (1xx) leave nothing behind; trailers are not looked at, as
 * nothing may depend on them that was decided before the body.
 */
static size_t
receive_header(char *data, size_t size, size_t count, void *arg)
{
	SgipTransfer *transfer = arg;
	size_t		n = size * count;
	size_t		len = n;
	const char *colon;

	transfer->silence = 0;
	transfer->header_bytes += n;
	transfer->header_lines++;
	if (transfer->header_bytes > MAX_HEADER_BYTES ||
		transfer->header_lines > MAX_HEADER_LINES)
	{
		set_failure(transfer, SGIP_HTTP_BROKEN,
					"the headers of the answer are too large", NULL);
		return 0;
	}
	if (transfer->head_done)
		return n;

	while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n'))
		len--;

	if (len == 0)
	{
		if (transfer->status >= 200)
		{
			transfer->head.status = transfer->status;
			transfer->head_done = true;
		}
	}
	else if (len > 5 && memcmp(data, "HTTP/", 5) == 0)
	{
		const char *p = data + 5;
		const char *end = data + len;

		memset(&transfer->head, 0, sizeof(transfer->head));
		transfer->encoded = false;
		transfer->status = 0;
		while (p < end && *p != ' ')
			p++;
		while (p < end && *p == ' ')
			p++;
		for (int i = 0; i < 3 && p < end && *p >= '0' && *p <= '9'; i++)
			transfer->status = transfer->status * 10 + (*p++ - '0');
	}
	else if ((colon = memchr(data, ':', len)) != NULL)
	{
		const char *value = colon + 1;
		const char *end = data + len;

		while (value < end && (*value == ' ' || *value == '\t'))
			value++;
		while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if (!take_header(transfer, data, colon - data, value, end - value))
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
		set_failure(transfer, SGIP_HTTP_BROKEN,
					"the compressed answer becomes too large", NULL);
		return 0;
	}
	if (!grow_window(transfer, n))
	{
		set_failure(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);
		return 0;
	}

	memcpy(transfer->buffer + transfer->start + transfer->len, data, n);
	transfer->len += n;
	if (transfer->line->channel)
		transfer->line->channel->counters.bytes_received += n;
	return n;
}


/* ------------------------------------------------------------------------
 * Lines
 * ------------------------------------------------------------------------
 */

/*
 * Ends everything that a line consists of.  Does not throw.
 */
static void
close_line(SgipLine *line)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &line->transfers)
		sgip_http_stop(dlist_container(SgipTransfer, node, iter.cur));

	if (line->channel)
		line->channel->line = NULL;
	if (line->multi)
		curl_multi_cleanup(line->multi);
	forget_closed_sockets(line);
	free(line->sockets);
	if (line->timer_fd >= 0)
		close(line->timer_fd);
	if (line->epoll_fd >= 0)
		close(line->epoll_fd);
	while (line->acquired_fds-- > 0)
		ReleaseExternalFD();
	free(line->spare_window);
	pfree_wiped(line->ca_file);
	pfree_wiped(line->proxy);
	dlist_delete(&line->node);
	pfree(line);
}

/*
 * Closes the idle line that was used least recently; false if there is none.
 */
static bool
close_oldest_idle(void)
{
	dlist_iter	iter;

	dlist_reverse_foreach(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);

		if (line->channel == NULL)
		{
			close_line(line);
			return true;
		}
	}
	return false;
}

/*
 * Closes idle lines that are invalid, too old, or too many.
 */
static void
tidy_lines(void)
{
	int64		oldest = now_ns() - MAX_IDLE_MS * NS_PER_MS;
	int			kept = 0;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);

		if (line->channel != NULL)
			continue;
		if (line->invalidated || line->broken || line->idle_since < oldest ||
			kept >= MAX_IDLE_LINES)
			close_line(line);
		else
			kept++;
	}
}

/*
 * A foreign server or a user mapping changed (hash value 0: any may have):
 * channels made for it are not to be used again.
 */
static void
invalidate_lines(Datum arg, SgipCacheId cache_id, uint32 hash_value)
{
	dlist_iter	iter;

	dlist_foreach(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);
		uint32		own = cache_id == FOREIGNSERVEROID ? line->server_hash
			: line->mapping_hash;

		if (hash_value == 0 || own == 0 || own == hash_value)
			line->invalidated = true;
	}
}

/*
 * The backend ends.  Closing a line can start queued transfers of others,
 * for which idle lines are closed, so no iterator would be safe.
 */
static void
close_all_lines(int code, Datum arg)
{
	while (!dlist_is_empty(&all_lines))
		close_line(dlist_head_element(SgipLine, node, &all_lines));
}

/*
 * What has to be done once in a backend.  libcurl is never shut down, other
 * extensions in this process may use it.
 */
static void
start_library(void)
{
	static bool started = false;

	if (started)
		return;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("could not initialize the HTTP client")));
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate_lines, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate_lines, (Datum) 0);
	on_proc_exit(close_all_lines, (Datum) 0);
	started = true;
}

/*
 * Takes one of the descriptors that extensions may hold, closing what is
 * idle if there is none left.
 */
static void
acquire_descriptor(SgipLine *line)
{
	while (!AcquireExternalFD())
	{
		if (!close_oldest_idle())
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("could not open another HTTP connection"),
					 errdetail("Too many file descriptors are in use in this session.")));
	}
	line->acquired_fds++;
}

/*
 * Makes a line for the peer and leases it to the channel, which holds it from
 * the start: what an error leaves behind is closed with the lease.
 */
static void
open_line(SgipChannel *channel, const SgipHttpPeer *peer)
{
	SgipLine   *line = MemoryContextAllocZero(TopMemoryContext, sizeof(SgipLine));
	struct epoll_event event = {0};

	line->epoll_fd = -1;
	line->timer_fd = -1;
	line->broken = true;
	dlist_init(&line->transfers);
	dlist_push_head(&all_lines, &line->node);
	line->channel = channel;
	channel->line = line;

	line->server_id = peer->server_id;
	line->user_id = peer->user_id;
	line->mapping_id = peer->mapping_id;
	line->server_hash = GetSysCacheHashValue1(FOREIGNSERVEROID,
											  ObjectIdGetDatum(peer->server_id));
	if (OidIsValid(peer->mapping_id))
		line->mapping_hash = GetSysCacheHashValue1(USERMAPPINGOID,
												   ObjectIdGetDatum(peer->mapping_id));
	if (peer->ca_file)
		line->ca_file = MemoryContextStrdup(TopMemoryContext, peer->ca_file);
	if (peer->proxy)
		line->proxy = MemoryContextStrdup(TopMemoryContext, peer->proxy);
	line->created_at = GetCurrentTimestamp();

	acquire_descriptor(line);
	line->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (line->epoll_fd < 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not create an epoll descriptor: %m")));
	acquire_descriptor(line);
	line->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (line->timer_fd < 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not create a timer descriptor: %m")));
	event.events = EPOLLIN;
	event.data.fd = line->timer_fd;
	if (epoll_ctl(line->epoll_fd, EPOLL_CTL_ADD, line->timer_fd, &event) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not watch a timer descriptor: %m")));

	line->multi = curl_multi_init();
	if (line->multi == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	CHECK_MSETOPT(line->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	CHECK_MSETOPT(line->multi, CURLMOPT_SOCKETDATA, line);
	CHECK_MSETOPT(line->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer);
	CHECK_MSETOPT(line->multi, CURLMOPT_TIMERDATA, line);
	CHECK_MSETOPT(line->multi, CURLMOPT_MAXCONNECTS, (long) MAX_LINE_CONNECTIONS);

	line->broken = false;
}

/*
 * An idle line for that peer, or NULL.
 */
static SgipLine *
find_idle_line(const SgipHttpPeer *peer)
{
	dlist_iter	iter;

	dlist_foreach(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);

		if (line->channel == NULL &&
			line->server_id == peer->server_id &&
			line->user_id == peer->user_id &&
			line->mapping_id == peer->mapping_id &&
			same_text(line->ca_file, peer->ca_file) &&
			same_text(line->proxy, peer->proxy))
			return line;
	}
	return NULL;
}


/* ------------------------------------------------------------------------
 * Channels
 * ------------------------------------------------------------------------
 */

/*
 * The owner's memory context goes away.
 */
static void
release_callback(void *arg)
{
	sgip_http_release(arg);
}

/*
 * Leases a line to the caller: an idle one, or a new one.
 */
SgipChannel *
sgip_http_acquire(const SgipHttpPeer *peer, MemoryContext owner)
{
	SgipChannel *channel = MemoryContextAllocZero(owner, sizeof(SgipChannel));
	SgipLine   *line;

	/* from here on, whatever the channel holds is released with its owner */
	channel->callback.func = release_callback;
	channel->callback.arg = channel;
	MemoryContextRegisterResetCallback(owner, &channel->callback);

	start_library();
	tidy_lines();
	line = find_idle_line(peer);
	if (line == NULL)
		open_line(channel, peer);
	else
	{
		line->channel = channel;
		channel->line = line;
		dlist_move_head(&all_lines, &line->node);
	}
	channel->line->connect_timeout_ms = peer->connect_timeout_ms;
	channel->line->read_timeout_ms = peer->read_timeout_ms;
	return channel;
}

/*
 * Ends the lease, and the transfers that are left.  Does not throw.
 */
void
sgip_http_release(SgipChannel *channel)
{
	SgipLine   *line = channel->line;
	dlist_mutable_iter iter;

	if (line == NULL)
		return;
	line->waiting_since = 0;
	line->wake_at = 0;
	dlist_foreach_modify(iter, &line->transfers)
		sgip_http_stop(dlist_container(SgipTransfer, node, iter.cur));
	channel->line = NULL;
	line->channel = NULL;
	line->idle_since = now_ns();
	if (line->invalidated || line->broken)
		close_line(line);
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
 * Sets up the handle for the request.  On failure the transfer knows why, and
 * false is returned.
 *
 * HTTP/1.1, also where the server offers HTTP/2.  Transfers are held back all
 * the time, and libcurl 7.88 does not manage that with HTTP/2: what it read
 * ahead is forgotten until some timer fires, and streams that are held back
 * together with others fail.  A connection for each request in flight costs
 * a handshake that is paid once.
 *
 * ca_file is meant as an addition to the system's trust anchors.  libcurl
 * replaces its default bundle file by it but keeps its default directory
 * (CURLOPT_CAPATH), so both count where libcurl was built with a directory,
 * as in Debian; elsewhere the file stands alone.
 */
static bool
set_up(SgipTransfer *transfer, const SgipHttpRequest *request)
{
	SgipLine   *line = transfer->line;

	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
	{
		set_failure(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);
		return false;
	}

	/* what we want to hear */
	CHECK_SETOPT(transfer, CURLOPT_PRIVATE, transfer, return false);
	CHECK_SETOPT(transfer, CURLOPT_ERRORBUFFER, transfer->error_buffer, return false);
	CHECK_SETOPT(transfer, CURLOPT_HEADERFUNCTION, receive_header, return false);
	CHECK_SETOPT(transfer, CURLOPT_HEADERDATA, transfer, return false);
	CHECK_SETOPT(transfer, CURLOPT_WRITEFUNCTION, receive_body, return false);
	CHECK_SETOPT(transfer, CURLOPT_WRITEDATA, transfer, return false);
	CHECK_SETOPT(transfer, CURLOPT_OPENSOCKETFUNCTION, open_socket, return false);
	CHECK_SETOPT(transfer, CURLOPT_OPENSOCKETDATA, transfer, return false);
	CHECK_SETOPT(transfer, CURLOPT_CLOSESOCKETFUNCTION, close_socket, return false);
	CHECK_SETOPT(transfer, CURLOPT_CLOSESOCKETDATA, line, return false);
	CHECK_SETOPT(transfer, CURLOPT_PREREQFUNCTION, begin_request, return false);
	CHECK_SETOPT(transfer, CURLOPT_PREREQDATA, transfer, return false);
	CHECK_SETOPT(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L, return false);

	/* alarms belong to PostgreSQL; do not join a thread that looks up a name */
	CHECK_SETOPT(transfer, CURLOPT_NOSIGNAL, 1L, return false);
#if LIBCURL_VERSION_NUM >= 0x075700
	CHECK_SETOPT(transfer, CURLOPT_QUICK_EXIT, 1L, return false);
#endif

	/* what libcurl may do, and may not */
	CHECK_SETOPT(transfer, CURLOPT_PROTOCOLS_STR, "http,https", return false);
	CHECK_SETOPT(transfer, CURLOPT_FOLLOWLOCATION, 0L, return false);
	CHECK_SETOPT(transfer, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED, return false);
	CHECK_SETOPT(transfer, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L, return false);
	CHECK_SETOPT(transfer, CURLOPT_SSL_VERIFYPEER, 1L, return false);
	CHECK_SETOPT(transfer, CURLOPT_SSL_VERIFYHOST, 2L, return false);
	CHECK_SETOPT(transfer, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1, return false);
	CHECK_SETOPT(transfer, CURLOPT_ACCEPT_ENCODING, "gzip, deflate", return false);
	CHECK_SETOPT(transfer, CURLOPT_BUFFERSIZE, (long) READ_BYTES, return false);
	CHECK_SETOPT(transfer, CURLOPT_USERAGENT, "sgip_fdw/" SGIP_VERSION " (PostgreSQL)", return false);

	/*
	 * We measure time ourselves.  libcurl is told because it divides the time
	 * among the addresses of a host; see collect_ended for when it is early.
	 */
	CHECK_SETOPT(transfer, CURLOPT_CONNECTTIMEOUT_MS, (long) line->connect_timeout_ms, return false);

	if (line->ca_file)
		CHECK_SETOPT(transfer, CURLOPT_CAINFO, line->ca_file, return false);
	else if (has_default_bundle())
		CHECK_SETOPT(transfer, CURLOPT_CAPATH, NULL, return false);
	if (line->proxy)
		CHECK_SETOPT(transfer, CURLOPT_PROXY, line->proxy, return false);

	/* the request; libcurl copies the URL, but neither headers nor body */
	CHECK_SETOPT(transfer, CURLOPT_URL, request->url, return false);
	for (const char *const *header = request->headers; header && *header; header++)
	{
		struct curl_slist *list = curl_slist_append(transfer->headers, *header);

		if (list == NULL)
		{
			set_failure(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);
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
			set_failure(transfer, SGIP_HTTP_INTERNAL, "out of memory", NULL);
			return false;
		}
		CHECK_SETOPT(transfer, CURLOPT_POSTFIELDSIZE_LARGE,
					 (curl_off_t) strlen(transfer->body), return false);
		CHECK_SETOPT(transfer, CURLOPT_POSTFIELDS, transfer->body, return false);
	}
	return true;
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
	if (transfer->easy)
		curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
	if (transfer->opened)
		forget_closed_sockets(transfer->line);

	for (struct curl_slist *header = transfer->headers; header; header = header->next)
		explicit_bzero(header->data, strlen(header->data));
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;

	if (transfer->body)
		explicit_bzero(transfer->body, strlen(transfer->body));
	free(transfer->body);
	transfer->body = NULL;
}

/*
 * The transfer is over, in the given state.
 */
static void
end_transfer(SgipTransfer *transfer, SgipHttpState state)
{
	if (transfer->state == SGIP_HTTP_QUEUED)
		dlist_delete(&transfer->queue_node);
	transfer->state = state;
	transfer->ended_at = now_ns();
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

	while (sockets_open >= max_connections && close_oldest_idle())
		 /* go on */ ;

	if (transfer->state == SGIP_HTTP_QUEUED)
		dlist_delete(&transfer->queue_node);
	transfer->state = SGIP_HTTP_RUNNING;
	transfer->connecting = true;
	code = curl_multi_add_handle(line->multi, transfer->easy);
	if (code != CURLM_OK)
	{
		set_failure(transfer, SGIP_HTTP_INTERNAL, "could not start the transfer",
					curl_multi_strerror(code));
		end_transfer(transfer, SGIP_HTTP_FAILED);
		return;
	}
	transfer->attached = true;
	transfers_in_flight++;
	line->requests++;
}

/*
 * Starts queued transfers while there are places.  Their owners learn of it
 * because libcurl asks for its timer at once.
 */
static void
start_queued(void)
{
	while (transfers_in_flight < max_connections &&
		   !dlist_is_empty(&queued_transfers))
		attach(dlist_head_element(SgipTransfer, queue_node, &queued_transfers));
}

/*
 * Starts or queues a transfer.
 */
SgipTransfer *
sgip_http_start(SgipChannel *channel, const SgipHttpRequest *request,
				bool may_queue)
{
	SgipLine   *line = channel->line;
	SgipTransfer *transfer = MemoryContextAllocZero(TopMemoryContext,
													sizeof(SgipTransfer));

	transfer->line = line;
	transfer->target = WINDOW_BYTES;
	transfer->started_at = now_ns();
	transfer->state = SGIP_HTTP_RUNNING;
	dlist_push_tail(&line->transfers, &transfer->node);

	if (line->broken)
		set_failure(transfer, SGIP_HTTP_INTERNAL, "the HTTP client broke down", NULL);
	if (line->broken || !set_up(transfer, request))
		end_transfer(transfer, SGIP_HTTP_FAILED);
	else if (may_queue && transfers_in_flight >= max_connections)
	{
		transfer->state = SGIP_HTTP_QUEUED;
		dlist_push_tail(&queued_transfers, &transfer->queue_node);
	}
	else
		attach(transfer);
	return transfer;
}

/*
 * Stops and frees a transfer.  Does not throw.
 */
void
sgip_http_stop(SgipTransfer *transfer)
{
	SgipLine   *line;

	if (transfer == NULL)
		return;
	line = transfer->line;
	if (transfer->state == SGIP_HTTP_RUNNING || transfer->state == SGIP_HTTP_QUEUED)
		end_transfer(transfer, SGIP_HTTP_FAILED);

	if (transfer->cap == WINDOW_BYTES && line->spare_window == NULL)
		line->spare_window = transfer->buffer;
	else
		free(transfer->buffer);
	dlist_delete(&transfer->node);
	pfree(transfer);
	start_queued();
}


/* ------------------------------------------------------------------------
 * Driving
 * ------------------------------------------------------------------------
 */

/*
 * The line cannot go on: fails what is in flight on it.  Returns whether
 * there was anything.
 */
static bool
fail_all(SgipLine *line, const char *why)
{
	bool		any = false;
	dlist_iter	iter;

	line->broken = true;
	dlist_foreach(iter, &line->transfers)
	{
		SgipTransfer *transfer = dlist_container(SgipTransfer, node, iter.cur);

		if (!transfer->attached)
			continue;
		set_failure(transfer, SGIP_HTTP_INTERNAL, "the HTTP client broke down", why);
		end_transfer(transfer, SGIP_HTTP_FAILED);
		any = true;
	}
	return any;
}

/*
 * Lets libcurl act on a socket, or on its timer.  All signals are blocked
 * while it might start a thread that looks up a name: a thread inherits what
 * is blocked, and PostgreSQL's signal handlers must not run in it.  That is
 * until an answer comes, since a kept connection can prove to be dead.
 *
 * What libcurl itself takes to connect (OpenSSL reads all trust anchors for
 * each connection) counts as waiting.  It could take longer than
 * connect_timeout, and take_result would start over for ever.
 */
static void
act(SgipLine *line, curl_socket_t socket, int mask)
{
	sigset_t	all;
	sigset_t	before;
	bool		block = false;
	int64		began = 0;
	CURLMcode	code;
	int			running;
	dlist_iter	iter;

	dlist_foreach(iter, &line->transfers)
	{
		SgipTransfer *transfer = dlist_container(SgipTransfer, node, iter.cur);

		if (transfer->attached && transfer->header_lines == 0)
			block = true;
	}

	if (block)
	{
		began = now_ns();
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, &before);
	}
	code = curl_multi_socket_action(line->multi, socket, mask, &running);
	if (block)
	{
		int64		took = now_ns() - began;

		sigprocmask(SIG_SETMASK, &before, NULL);
		dlist_foreach(iter, &line->transfers)
		{
			SgipTransfer *transfer = dlist_container(SgipTransfer, node, iter.cur);

			if (transfer->attached && transfer->connecting)
				transfer->silence += took;
		}
	}

	if (code != CURLM_OK)
		(void) fail_all(line, curl_multi_strerror(code));
}

/*
 * libcurl is done with the transfer.
 */
static void
take_result(SgipTransfer *transfer, CURLcode code)
{
	/*
	 * libcurl's clock for connecting also runs while nobody waits.  If it is
	 * earlier than ours, start over; ours goes on.
	 */
	if (code == CURLE_OPERATION_TIMEDOUT && !transfer->sent &&
		transfer->silence < silence_limit(transfer) &&
		curl_multi_remove_handle(transfer->line->multi, transfer->easy) == CURLM_OK &&
		curl_multi_add_handle(transfer->line->multi, transfer->easy) == CURLM_OK)
		return;

	if (!transfer->refused && code == CURLE_OK && transfer->head_done)
	{
		end_transfer(transfer, SGIP_HTTP_DONE);
		return;
	}
	if (code == CURLE_OK)
		set_failure(transfer, SGIP_HTTP_LOST,
					"the connection was closed within the headers", NULL);
	else
		set_failure(transfer, classify(code, transfer->sent),
					describe(transfer, code), NULL);
	end_transfer(transfer, SGIP_HTTP_FAILED);
}

/*
 * Looks after transfers that libcurl has ended.
 */
static void
collect_ended(SgipLine *line)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(line->multi, &left)) != NULL)
	{
		char	   *private = NULL;
		CURLcode	code = message->data.result;

		if (message->msg == CURLMSG_DONE &&
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK)
			take_result((SgipTransfer *) private, code);
	}
}

/*
 * Makes the windows ready for reading: moves what they hold to their
 * beginning, and lets transfers go on whose window has room again.
 */
static void
resume_transfers(SgipLine *line)
{
	dlist_iter	iter;

	dlist_foreach(iter, &line->transfers)
	{
		SgipTransfer *transfer = dlist_container(SgipTransfer, node, iter.cur);
		CURLcode	code;

		if (!transfer->attached)
			continue;
		if (transfer->start > 0)
		{
			memmove(transfer->buffer, transfer->buffer + transfer->start, transfer->len);
			transfer->start = 0;
		}
		if (!transfer->held || window_full(transfer))
			continue;

		/* receive_body runs inside of this */
		transfer->held = false;
		transfer->silence = 0;
		transfer->resuming = true;
		code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
		transfer->resuming = false;
		if (code != CURLE_OK)
		{
			set_failure(transfer, classify(code, transfer->sent),
						describe(transfer, code), NULL);
			end_transfer(transfer, SGIP_HTTP_FAILED);
		}
	}
}

/*
 * After a round: looks which transfers received something (compressed bytes
 * may have come that yielded none), and whether there is room for another
 * round everywhere.
 */
static bool
look_at_windows(SgipLine *line)
{
	bool		more = false;
	dlist_iter	iter;

	dlist_foreach(iter, &line->transfers)
	{
		SgipTransfer *transfer = dlist_container(SgipTransfer, node, iter.cur);
		curl_off_t	received;

		if (!transfer->attached)
			continue;
		if (curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received) == CURLE_OK &&
			received != transfer->received)
		{
			transfer->received = received;
			transfer->silence = 0;
		}
		if (transfer->held || window_full(transfer))
			return false;
		more = true;
	}
	return more;
}

/*
 * Fails the transfers for which we waited too long; true if there were any.
 */
static bool
check_deadlines(SgipLine *line)
{
	bool		any = false;
	dlist_iter	iter;

	dlist_foreach(iter, &line->transfers)
	{
		SgipTransfer *transfer = dlist_container(SgipTransfer, node, iter.cur);

		if (!transfer->attached || transfer->held ||
			transfer->silence < silence_limit(transfer))
			continue;
		if (transfer->connecting)
			set_failure(transfer, SGIP_HTTP_CONNECT, "no connection in time", NULL);
		else
			set_failure(transfer, SGIP_HTTP_SILENT, "no answer in time", NULL);
		end_transfer(transfer, SGIP_HTTP_FAILED);
		any = true;
	}
	return any;
}

/*
 * Whether somebody wants this session to stop and may have it.  One call of
 * libcurl can take some 30 ms (a TLS handshake begins with reading all trust
 * anchors), and many transfers can begin together.
 */
static bool
must_return(void)
{
	return InterruptPending && INTERRUPTS_CAN_BE_PROCESSED();
}

/*
 * One round: acts on every descriptor that is ready and on libcurl's timer,
 * or on one of them at least.  Returns whether there was anything.
 */
static bool
drive_round(SgipLine *line)
{
	struct epoll_event events[MAX_EVENTS];
	int			n = epoll_wait(line->epoll_fd, events, MAX_EVENTS, 0);
	bool		any = n > 0;

	for (int i = 0; i < n && !line->broken && (i == 0 || !must_return()); i++)
	{
		uint32		what = events[i].events;
		int			mask = 0;

		if (events[i].data.fd == line->timer_fd)
		{
			uint64		expirations;

			/* what it was armed for is found out below and by the caller */
			if (read(line->timer_fd, &expirations, sizeof(expirations)) < 0 &&
				errno != EAGAIN)
				line->broken = true;
			continue;
		}
		if (what & (EPOLLIN | EPOLLHUP | EPOLLERR))
			mask |= CURL_CSELECT_IN;
		if (what & EPOLLOUT)
			mask |= CURL_CSELECT_OUT;
		if (what & EPOLLERR)
			mask |= CURL_CSELECT_ERR;
		act(line, events[i].data.fd, mask);
	}
	if (line->curl_due != 0 && line->curl_due <= now_ns() && !line->broken)
	{
		line->curl_due = 0;
		act(line, CURL_SOCKET_TIMEOUT, 0);
		any = true;
	}
	return any;
}

/*
 * Does what can be done without waiting; returns whether there was anything.
 */
static bool
drive_line(SgipLine *line)
{
	bool		any = false;

	resume_transfers(line);
	for (int round = 0; round < MAX_ROUNDS && !line->broken; round++)
	{
		if (!drive_round(line))
			break;
		any = true;
		collect_ended(line);
		if (!look_at_windows(line) || must_return())
			break;
	}
	if (line->broken && fail_all(line, NULL))
		any = true;
	if (check_deadlines(line))
		any = true;
	start_queued();
	return any;
}

/*
 * Lets libcurl do what can be done without waiting, for all transfers.
 */
void
sgip_http_drive(SgipChannel *channel)
{
	(void) drive_line(channel->line);
}


/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */

/*
 * The one descriptor to wait on.
 */
int
sgip_http_descriptor(const SgipChannel *channel)
{
	return channel->line->epoll_fd;
}

/*
 * Somebody begins to wait (or goes on, if he did not say that he ended).
 */
void
sgip_http_wait_begin(SgipChannel *channel, long wake_ms)
{
	SgipLine   *line = channel->line;

	if (line->waiting_since != 0)
		sgip_http_wait_end(channel);
	line->waiting_since = now_ns();
	line->wake_at = wake_ms < 0 ? 0 : line->waiting_since + wake_ms * NS_PER_MS;
	arm_timer(line);
}

/*
 * He ends, and the silence that he waited through counts.
 */
void
sgip_http_wait_end(SgipChannel *channel)
{
	SgipLine   *line = channel->line;
	int64		waited;
	dlist_iter	iter;

	if (line->waiting_since == 0)
		return;
	waited = now_ns() - line->waiting_since;
	line->waiting_since = 0;
	line->wake_at = 0;
	dlist_foreach(iter, &line->transfers)
	{
		SgipTransfer *transfer = dlist_container(SgipTransfer, node, iter.cur);

		if (transfer->attached && !transfer->held)
			transfer->silence += waited;
	}
}

/*
 * Whether anything can happen on the line while its windows stay as they are.
 */
static bool
can_happen(SgipLine *line)
{
	dlist_iter	iter;

	dlist_foreach(iter, &line->transfers)
	{
		SgipTransfer *transfer = dlist_container(SgipTransfer, node, iter.cur);

		if ((transfer->attached && !transfer->held) ||
			transfer->state == SGIP_HTTP_QUEUED)
			return true;
	}
	return false;
}

/*
 * Waits until there is something to do, and does it.  What can be done at
 * once is done without asking the kernel to wait, which is most of it when an
 * answer streams in.
 */
void
sgip_http_wait(SgipChannel *channel, long wake_ms)
{
	static uint32 wait_event = 0;
	SgipLine   *line = channel->line;
	int64		wake_at = wake_ms < 0 ? 0 : now_ns() + wake_ms * NS_PER_MS;

	if (wait_event == 0)
		wait_event = sgip_wait_event_new("SgipHttp");

	for (;;)
	{
		long		left_ms = -1;
		int			events;

		CHECK_FOR_INTERRUPTS();
		if (drive_line(line))
			return;
		if (wake_at != 0)
		{
			int64		left = wake_at - now_ns();

			if (left <= 0)
				return;
			left_ms = (long) ((left + NS_PER_MS - 1) / NS_PER_MS);
		}
		else if (!can_happen(line))
			return;

		sgip_http_wait_begin(channel, left_ms);
		events = WaitLatchOrSocket(MyLatch,
								   WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH,
								   line->epoll_fd, -1L, wait_event);
		sgip_http_wait_end(channel);
		if (events & WL_LATCH_SET)
			ResetLatch(MyLatch);
	}
}


/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

/*
 * State of the transfer.
 */
SgipHttpState
sgip_http_state(const SgipTransfer *transfer)
{
	return transfer->state;
}

/*
 * Why it failed; meaningful if it did.
 */
SgipHttpFailure
sgip_http_failure(const SgipTransfer *transfer)
{
	return transfer->failure;
}

/*
 * The same in words.
 */
const char *
sgip_http_failure_text(const SgipTransfer *transfer)
{
	return transfer->failure_text;
}

/*
 * Whether the server may have seen the request.
 */
bool
sgip_http_connected(const SgipTransfer *transfer)
{
	return transfer->sent;
}

/*
 * What the headers said.
 */
const SgipHttpHead *
sgip_http_head(const SgipTransfer *transfer)
{
	return &transfer->head;
}

/*
 * How long it took, or takes by now.
 */
int
sgip_http_elapsed_ms(const SgipTransfer *transfer)
{
	int64		end = transfer->ended_at ? transfer->ended_at : now_ns();

	return (int) Min((end - transfer->started_at) / NS_PER_MS, INT_MAX);
}

/*
 * The bytes that are there.
 */
const char *
sgip_http_window(const SgipTransfer *transfer, size_t *len)
{
	*len = transfer->len;
	return transfer->buffer ? transfer->buffer + transfer->start : "";
}

/*
 * The reader is done with the first len bytes.
 */
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

/*
 * The reader needs more than fits: doubles the window if it is full.
 */
void
sgip_http_make_room(SgipTransfer *transfer)
{
	if (transfer->start > 0)
	{
		memmove(transfer->buffer, transfer->buffer + transfer->start, transfer->len);
		transfer->start = 0;
	}
	if (!window_full(transfer))
		return;
	transfer->target *= 2;
	if (!grow_window(transfer, transfer->target - transfer->len))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while enlarging a buffer of %zu bytes for an HTTP answer.",
						   transfer->cap)));
}

/*
 * sgip_fdw.max_connections.
 */
int
sgip_http_max_connections(void)
{
	return max_connections;
}

/*
 * What was counted since the channel was acquired; also after its release.
 */
const SgipHttpCounters *
sgip_http_counters(const SgipChannel *channel)
{
	return &channel->counters;
}


/* ------------------------------------------------------------------------
 * For people, and set-up
 * ------------------------------------------------------------------------
 */

/*
 * The channels of this backend.
 */
SgipHttpChannelInfo *
sgip_http_channels(int *count)
{
	SgipHttpChannelInfo *infos;
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, &all_lines)
		n++;
	infos = palloc0(sizeof(SgipHttpChannelInfo) * Max(n, 1));
	n = 0;
	dlist_foreach(iter, &all_lines)
	{
		const SgipLine *line = dlist_container(SgipLine, node, iter.cur);

		infos[n].server_id = line->server_id;
		infos[n].user_id = line->user_id;
		infos[n].in_use = line->channel != NULL;
		infos[n].invalidated = line->invalidated;
		infos[n].open_sockets = line->open_sockets;
		infos[n].requests = line->requests;
		infos[n].created_at = line->created_at;
		n++;
	}
	*count = n;
	return infos;
}

/*
 * Closes what is idle, and has the rest closed on release.
 */
int
sgip_http_disconnect(Oid server_id)
{
	int			closed = 0;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &all_lines)
	{
		SgipLine   *line = dlist_container(SgipLine, node, iter.cur);

		if (OidIsValid(server_id) && line->server_id != server_id)
			continue;
		if (line->channel != NULL)
			line->invalidated = true;
		else
		{
			close_line(line);
			closed++;
		}
	}
	return closed;
}

/*
 * libcurl's version with its TLS library.
 */
const char *
sgip_http_version(void)
{
	static char version[128];
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	snprintf(version, sizeof(version), "libcurl %s (%s)", info->version,
			 info->ssl_version ? info->ssl_version : "no TLS");
	return version;
}

/*
 * Defines the GUC.  Called when the library is loaded, possibly by the
 * postmaster, so that anything else waits for the first channel.
 */
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
