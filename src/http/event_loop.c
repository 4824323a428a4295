/*-------------------------------------------------------------------------
 *
 * event_loop.c
 *		The event loop of a line: sockets, timers, waiting.
 *
 * libcurl tells us which sockets to watch (watch_socket) and when it wants to
 * be called (set_curl_timer); drive_line calls it when one of these is due.
 * Its other callbacks (transfer.c) run inside of that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"

#include "http/internal.h"

/* Connections that one line keeps: more than a scan has requests in flight */
#define MAX_LINE_CONNECTIONS 16

/* Rounds of reading before drive returns, so that it does return */
#define MAX_ROUNDS 16

/* Descriptors looked at in one round; the others come in the next one */
#define MAX_EVENTS 32

/* Sets an option of a multi handle, where a refusal is an error */
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


/* For whom the session waited last, and with what; or NULL */
static WaitEventSet *wait_set = NULL;
static SgipLine *wait_set_line = NULL;


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

	return SGIP_NS_PER_MS * (transfer->connecting ? line->connect_timeout_ms
						: line->read_timeout_ms);
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
		else if (!sgip_transfer_is_full(transfer))
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
		spec.it_value.tv_sec = due / (1000 * SGIP_NS_PER_MS);
		spec.it_value.tv_nsec = due % (1000 * SGIP_NS_PER_MS);
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

	line->curl_due = timeout_ms < 0 ? 0 : sgip_now_ns() + timeout_ms * SGIP_NS_PER_MS;
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

	/* socket_arg is what was assigned to a socket that libcurl told us about */
	if (socket_arg != NULL &&
		epoll_ctl(line->epoll_fd, EPOLL_CTL_MOD, socket, &event) == 0)
		return 0;
	if (epoll_ctl(line->epoll_fd, EPOLL_CTL_ADD, socket, &event) < 0 &&
		(errno != EEXIST ||
		 epoll_ctl(line->epoll_fd, EPOLL_CTL_MOD, socket, &event) < 0))
		return -1;
	return curl_multi_assign(line->multi, socket, line) == CURLM_OK ? 0 : -1;
}


/* ------------------------------------------------------------------------
 * Handles
 * ------------------------------------------------------------------------
 */

/*
 * The line's descriptor goes.
 */
static void
forget_wait_set(SgipLine *line)
{
	if (wait_set_line != line)
		return;
	FreeWaitEventSet(wait_set);
	wait_set = NULL;
	wait_set_line = NULL;
}

void
sgip_drive_open(SgipLine *line)
{
	struct epoll_event event = {0};

	sgip_line_acquire_fd(line);
	line->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (line->epoll_fd < 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not create an epoll descriptor: %m")));
	sgip_line_acquire_fd(line);
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
#if LIBCURL_VERSION_NUM >= 0x081400
	/* do not join a thread that looks up a name, which belongs to the line since then */
	CHECK_MSETOPT(line->multi, CURLMOPT_QUICK_EXIT, 1L);
#endif

	line->broken = false;
}

void
sgip_drive_close(SgipLine *line)
{
	forget_wait_set(line);
	if (line->spare_easy)
		curl_easy_cleanup(line->spare_easy);
	if (line->multi)
		curl_multi_cleanup(line->multi);
	sgip_transfer_forget_sockets(line);
	free(line->sockets);
	if (line->timer_fd >= 0)
		close(line->timer_fd);
	if (line->epoll_fd >= 0)
		close(line->epoll_fd);
	while (line->acquired_fds-- > 0)
		ReleaseExternalFD();
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
		sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "the HTTP client broke down", why);
		sgip_transfer_end(transfer, SGIP_HTTP_FAILED);
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
		began = sgip_now_ns();
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, &before);
	}
	code = curl_multi_socket_action(line->multi, socket, mask, &running);
	if (block)
	{
		int64		took = sgip_now_ns() - began;

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

	if (!transfer->refused && code == CURLE_OK && transfer->head.status != 0)
	{
		sgip_transfer_end(transfer, SGIP_HTTP_DONE);
		return;
	}
	if (code == CURLE_OK)
		sgip_transfer_fail(transfer, SGIP_HTTP_LOST,
					"the connection was closed within the headers", NULL);
	else
		sgip_transfer_fail_code(transfer, code);
	sgip_transfer_end(transfer, SGIP_HTTP_FAILED);
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
		if (!transfer->held || sgip_transfer_is_full(transfer))
			continue;

		/* receive_body runs inside of this */
		transfer->held = false;
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
		if (transfer->held || sgip_transfer_is_full(transfer))
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
			sgip_transfer_fail(transfer, SGIP_HTTP_CONNECT, "no connection in time", NULL);
		else
			sgip_transfer_fail(transfer, SGIP_HTTP_SILENT, "no answer in time", NULL);
		sgip_transfer_end(transfer, SGIP_HTTP_FAILED);
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
	if (line->curl_due != 0 && line->curl_due <= sgip_now_ns() && !line->broken)
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
	sgip_transfer_start_queued();
	return any;
}

bool
sgip_http_drive(SgipChannel *channel)
{
	return drive_line(channel->line);
}


/* ------------------------------------------------------------------------
 * Waiting
 * ------------------------------------------------------------------------
 */

int
sgip_http_descriptor(const SgipChannel *channel)
{
	return channel->line->epoll_fd;
}

void
sgip_http_wait_begin(SgipChannel *channel, long wake_ms)
{
	SgipLine   *line = channel->line;

	if (line->waiting_since != 0)
		sgip_http_wait_end(channel);
	line->waiting_since = sgip_now_ns();
	line->wake_at = wake_ms < 0 ? 0 : line->waiting_since + wake_ms * SGIP_NS_PER_MS;
	arm_timer(line);
}

void
sgip_http_wait_end(SgipChannel *channel)
{
	SgipLine   *line = channel->line;
	int64		waited;
	dlist_iter	iter;

	if (line->waiting_since == 0)
		return;
	waited = sgip_now_ns() - line->waiting_since;
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
 * The set to wait with for the latch, the postmaster and the line, made anew
 * when it was for another line.  WaitLatchOrSocket would make one for each
 * wait, with five calls of the kernel.
 */
static WaitEventSet *
get_wait_set(SgipLine *line)
{
	if (wait_set_line == line)
		return wait_set;
	if (wait_set != NULL)
		FreeWaitEventSet(wait_set);
	wait_set_line = NULL;
	wait_set = NULL;
	wait_set = sgip_create_wait_event_set(3);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, line->epoll_fd, NULL, NULL);
	wait_set_line = line;
	return wait_set;
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
	int64		wake_at = wake_ms < 0 ? 0 : sgip_now_ns() + wake_ms * SGIP_NS_PER_MS;

	if (wait_event == 0)
		wait_event = sgip_wait_event_new("SgipHttp");

	for (;;)
	{
		long		left_ms = -1;
		WaitEvent	event;

		CHECK_FOR_INTERRUPTS();
		if (drive_line(line))
			return;
		if (wake_at != 0)
		{
			int64		left = wake_at - sgip_now_ns();

			if (left <= 0)
				return;
			left_ms = (long) ((left + SGIP_NS_PER_MS - 1) / SGIP_NS_PER_MS);
		}
		else if (!can_happen(line))
			return;

		sgip_http_wait_begin(channel, left_ms);
		(void) WaitEventSetWait(get_wait_set(line), -1, &event, 1, wait_event);
		sgip_http_wait_end(channel);
		if (event.events & WL_LATCH_SET)
			ResetLatch(MyLatch);
	}
}
