/*-------------------------------------------------------------------------
 *
 * event_loop.c
 *		Driving the transfers of a lease, and waiting for them.
 *
 * libcurl tells us which sockets to watch (watch_socket) and when to call
 * it (set_curl_timer); drive calls it when one of these is due.  Its other
 * callbacks (transfer.c) run inside of that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/latch.h"

#include "compat.h"
#include "http/event_loop.h"
#include "http/sockets.h"
#include "http/transfer.h"

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

/*
 * What a scan waits with.  WaitLatchOrSocket would make a set for each wait,
 * with five calls of the kernel: a tenth of the time of a small query.
 */
static WaitEventSet *wait_set = NULL;
static SgipLease *wait_set_lease = NULL;

/* Goes through the transfers of a lease that are in flight */
#define foreach_in_flight(transfer, iter, lease) \
	dlist_foreach(iter, &(lease)->transfers) \
		if ((transfer = dlist_container(SgipTransfer, node, (iter).cur))->result.state == SGIP_HTTP_RUNNING)

/* ----------------------------------------------------------------
 *		Timer
 * ----------------------------------------------------------------
 */

/*
 * Longest silence that the transfer's present phase allows, in nanoseconds.
 */
static int64
silence_limit(const SgipTransfer *transfer)
{
	const SgipHttpPeer *peer = &transfer->lease->peer;

	return SGIP_NS_PER_MS * (transfer->connecting ? peer->connect_timeout_ms : peer->read_timeout_ms);
}

/*
 * When to wake up without an event on a socket: for libcurl's timer, a
 * time-out, the end of a pause, or the caller.  0: never.
 */
static int64
next_due(SgipLease *lease)
{
	int64		due = lease->curl_due;
	SgipTransfer *transfer;
	dlist_iter	iter;

	if (lease->wake_at != 0 && (due == 0 || lease->wake_at < due))
		due = lease->wake_at;
	foreach_in_flight(transfer, iter, lease)
	{
		int64		deadline = 1;

		if (!transfer->paused)
			deadline = Max(lease->waiting_since + silence_limit(transfer) - transfer->silence, 1);
		else if (sgip_transfer_is_full(transfer))
			continue;
		if (due == 0 || deadline < due)
			due = deadline;
	}
	return due;
}

/*
 * Arms the timer for what is due next.
 */
static void
arm_timer(SgipLease *lease)
{
	int64		due = next_due(lease);
	struct itimerspec spec = {0};

	/* an absolute time that has passed fires at once; zero disarms */
	spec.it_value.tv_sec = due / (1000 * SGIP_NS_PER_MS);
	spec.it_value.tv_nsec = due % (1000 * SGIP_NS_PER_MS);
	(void) timerfd_settime(lease->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* ----------------------------------------------------------------
 *		Callbacks of libcurl.  None of these may throw.
 * ----------------------------------------------------------------
 */

/*
 * Callback: libcurl is to be called in timeout_ms (-1: not at all).  If the
 * descriptor is already being waited for, the timer is armed anew.
 */
static int
set_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	SgipLease  *lease = arg;

	lease->curl_due = timeout_ms < 0 ? 0 : sgip_now_ns() + timeout_ms * SGIP_NS_PER_MS;
	if (lease->waiting_since != 0)
		arm_timer(lease);
	return 0;
}

/*
 * Callback: a socket is to be watched, watched in another way, or no longer.
 */
static int
watch_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *unused)
{
	SgipLease  *lease = arg;
	struct epoll_event event = {0};

	if (what == CURL_POLL_REMOVE)
	{
		/* the socket may be closed by now, which has the same effect */
		(void) epoll_ctl(lease->epoll_fd, EPOLL_CTL_DEL, socket, &event);
		return 0;
	}

	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	event.data.fd = socket;

	if (epoll_ctl(lease->epoll_fd, EPOLL_CTL_ADD, socket, &event) < 0 &&
		(errno != EEXIST ||
		 epoll_ctl(lease->epoll_fd, EPOLL_CTL_MOD, socket, &event) < 0))
		return -1;
	return 0;
}

/* ----------------------------------------------------------------
 *		Handles
 * ----------------------------------------------------------------
 */

/*
 * Raises an error for a failed system call.  Running out of descriptors
 * should not happen, as they are counted; but other code may hold uncounted
 * ones, and there is a system-wide limit.
 */
static void
report_kernel(const char *what)
{
	bool		too_many = errno == EMFILE || errno == ENFILE;

	ereport(ERROR,
			(errcode(too_many ? ERRCODE_INSUFFICIENT_RESOURCES : ERRCODE_SYSTEM_ERROR),
			 errmsg("could not create %s for HTTP: %m", what),
			 too_many ? errhint("Lower max_files_per_process, or raise the operating system's limit.") : 0));
}

void
sgip_event_loop_open(SgipLease *lease)
{
	struct epoll_event event = {0};

	lease->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (lease->epoll_fd < 0)
		report_kernel("an epoll descriptor");
	lease->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	event.events = EPOLLIN | EPOLLET;	/* need not be read */
	event.data.fd = lease->timer_fd;
	if (lease->timer_fd < 0 ||
		epoll_ctl(lease->epoll_fd, EPOLL_CTL_ADD, lease->timer_fd, &event) < 0)
		report_kernel("a timer");

	lease->multi = curl_multi_init();
	if (lease->multi == NULL)
	{
		if (sgip_descriptors_used_up(lease))
			report_kernel("a client");
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	}
	CHECK_MSETOPT(lease->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	CHECK_MSETOPT(lease->multi, CURLMOPT_SOCKETDATA, lease);
	CHECK_MSETOPT(lease->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer);
	CHECK_MSETOPT(lease->multi, CURLMOPT_TIMERDATA, lease);
	CHECK_MSETOPT(lease->multi, CURLMOPT_MAXCONNECTS, (long) SGIP_MAX_CONNECTIONS);
#if LIBCURL_VERSION_NUM >= 0x081400

	/*
	 * do not join a thread that looks up a name, which belongs to the multi
	 * handle since then
	 */
	CHECK_MSETOPT(lease->multi, CURLMOPT_QUICK_EXIT, 1L);
#endif

	lease->broken = NULL;
}

/* Frees the set of wait events. */
static void
forget_wait_set(void)
{
	if (wait_set != NULL)
		FreeWaitEventSet(wait_set);
	wait_set = NULL;
	wait_set_lease = NULL;
}

void
sgip_event_loop_close(SgipLease *lease)
{
	if (lease->spare_easy)
		curl_easy_cleanup(lease->spare_easy);
	if (lease->multi)
		curl_multi_cleanup(lease->multi);
	sgip_sockets_forget(lease);
	if (wait_set_lease == lease)
		forget_wait_set();
	if (lease->timer_fd >= 0)
		close(lease->timer_fd);
	if (lease->epoll_fd >= 0)
		close(lease->epoll_fd);
}

/* ----------------------------------------------------------------
 *		Driving
 * ----------------------------------------------------------------
 */

/*
 * Lets libcurl act on a socket, or on its timer.  All signals are blocked: it
 * may start a thread to look up a name, which inherits the signal mask, and
 * PostgreSQL's signal handlers must not run in a thread.
 *
 * The time that libcurl itself takes to connect (OpenSSL reads all trust
 * anchors for each connection) counts as waiting.  It could exceed
 * connect_timeout, and take_result would start over for ever.
 */
static void
act(SgipLease *lease, curl_socket_t socket, int mask)
{
	sigset_t	all;
	sigset_t	before;
	int64		began = sgip_now_ns();
	CURLMcode	code;
	int			running;
	SgipTransfer *transfer;
	dlist_iter	iter;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	code = curl_multi_socket_action(lease->multi, socket, mask, &running);
	sigprocmask(SIG_SETMASK, &before, NULL);
	foreach_in_flight(transfer, iter, lease)
	{
		if (transfer->connecting)
			transfer->silence += sgip_now_ns() - began;
	}
	if (code != CURLM_OK)
		lease->broken = curl_multi_strerror(code);
}

/*
 * libcurl is done with the transfer.
 */
static void
take_result(SgipTransfer *transfer, CURLcode code)
{
	SgipHttpResult *result = &transfer->result;

	/*
	 * A kept connection may end just when it is used again.  libcurl then
	 * tries another one, but that may have ended too.  Or it ended by a 408
	 * (see receive_header).
	 */
	bool		stale = !transfer->opened &&
		(result->head.status == 408 ||
		 (transfer->header_lines == 0 &&
		  (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING)));

	/*
	 * libcurl's clock for connecting also runs while nothing waits.  If it
	 * expires before ours, start over; ours goes on.
	 */
	if ((stale ||
		 (code == CURLE_OPERATION_TIMEDOUT && transfer->connecting && transfer->silence < silence_limit(transfer))) &&
		sgip_transfer_restart(transfer, stale))
		return;

	if (result->failure_text[0] == '\0' && code == CURLE_OK && result->head.status != 0)
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
collect_ended(SgipLease *lease)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(lease->multi, &left)) != NULL)
	{
		char	   *private = NULL;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		take_result((SgipTransfer *) private, message->data.result);
	}
}

/*
 * After a round: looks which transfers received something (compressed bytes
 * may have come that yielded none), and whether there is room for another
 * round everywhere.
 */
static bool
look_at_windows(SgipLease *lease)
{
	bool		more = false;
	SgipTransfer *transfer;
	dlist_iter	iter;

	foreach_in_flight(transfer, iter, lease)
	{
		curl_off_t	received = 0;

		curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
		if (received != transfer->transferred)
		{
			transfer->transferred = received;
			transfer->silence = 0;
		}
		if (transfer->paused || sgip_transfer_is_full(transfer))
			return false;
		more = true;
	}
	return more;
}

/*
 * Fails the transfers for which we waited too long, or all if the lease cannot
 * go on; true if there were any.
 */
static bool
fail_hopeless(SgipLease *lease)
{
	bool		any = false;
	SgipTransfer *transfer;
	dlist_iter	iter;

	foreach_in_flight(transfer, iter, lease)
	{
		if (lease->broken)
			sgip_transfer_fail(transfer, SGIP_HTTP_INTERNAL, "the HTTP client broke down", lease->broken);
		else if (transfer->paused || transfer->silence < silence_limit(transfer))
			continue;
		else if (transfer->connecting)
			sgip_transfer_fail(transfer, SGIP_HTTP_CONNECT, "no connection in time", NULL);
		else
			sgip_transfer_fail(transfer, SGIP_HTTP_SILENT, "no answer in time", NULL);
		sgip_transfer_end(transfer, SGIP_HTTP_FAILED);
		any = true;
	}
	return any;
}

/*
 * Is there an interrupt that can be processed now?  One call of libcurl can
 * take some 30 ms (a TLS handshake begins with reading all trust anchors),
 * and many transfers can begin together.
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
drive_round(SgipLease *lease)
{
	struct epoll_event events[MAX_EVENTS];
	int			n = epoll_wait(lease->epoll_fd, events, MAX_EVENTS, 0);
	bool		any = n > 0;

	for (int i = 0; i < n && !lease->broken && (i == 0 || !must_return()); i++)
	{
		uint32		what = events[i].events;
		int			mask = 0;

		/* the reason is found out below and by the caller */
		if (events[i].data.fd == lease->timer_fd)
			continue;
		if (what & (EPOLLIN | EPOLLHUP | EPOLLERR))
			mask |= CURL_CSELECT_IN;
		if (what & EPOLLOUT)
			mask |= CURL_CSELECT_OUT;
		act(lease, events[i].data.fd, mask);
	}
	if (lease->curl_due != 0 && lease->curl_due <= sgip_now_ns() && !lease->broken)
	{
		lease->curl_due = 0;
		act(lease, CURL_SOCKET_TIMEOUT, 0);
		any = true;
	}
	return any;
}

bool
sgip_http_drive(SgipLease *lease)
{
	bool		any = false;
	SgipTransfer *transfer;
	dlist_iter	iter;

	foreach_in_flight(transfer, iter, lease)
	{
		if (transfer->paused && !sgip_transfer_is_full(transfer))
			sgip_transfer_resume(transfer);
	}
	for (int round = 0; round < MAX_ROUNDS && !lease->broken; round++)
	{
		if (!drive_round(lease))
			break;
		any = true;
		collect_ended(lease);
		if (!look_at_windows(lease) || must_return())
			break;
	}
	return fail_hopeless(lease) || any;
}

/* ----------------------------------------------------------------
 *		Waiting
 * ----------------------------------------------------------------
 */

int
sgip_http_wait_begin(SgipLease *lease, long wake_ms)
{
	sgip_http_wait_end(lease);
	lease->waiting_since = sgip_now_ns();
	lease->wake_at = wake_ms < 0 ? 0 : lease->waiting_since + wake_ms * SGIP_NS_PER_MS;
	arm_timer(lease);
	return lease->epoll_fd;
}

void
sgip_http_wait_end(SgipLease *lease)
{
	int64		waited;
	SgipTransfer *transfer;
	dlist_iter	iter;

	if (lease->waiting_since == 0)
		return;
	waited = sgip_now_ns() - lease->waiting_since;
	lease->waiting_since = 0;
	lease->wake_at = 0;
	foreach_in_flight(transfer, iter, lease)
	{
		if (!transfer->paused)
			transfer->silence += waited;
	}
}

/*
 * The set to wait with for the latch, the postmaster and the lease, made anew
 * when the last one was for another lease.
 */
static WaitEventSet *
get_wait_set(SgipLease *lease)
{
	if (wait_set_lease == lease)
		return wait_set;
	forget_wait_set();
	wait_set = sgip_create_wait_event_set(3);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, lease->epoll_fd, NULL, NULL);
	wait_set_lease = lease;
	return wait_set;
}

/*
 * First does what can be done without asking the kernel to wait, which is
 * most of it when an answer streams in.
 */
void
sgip_http_wait(SgipLease *lease, long wake_ms, bool for_limit)
{
	static uint32 wait_events[2] = {0, 0};
	WaitEvent	event;

	if (wait_events[for_limit] == 0)
		wait_events[for_limit] = sgip_wait_event_new(for_limit ? "SgipRateLimit" : "SgipHttp");

	CHECK_FOR_INTERRUPTS();
	if (sgip_http_drive(lease))
		return;
	if (wake_ms < 0 && next_due(lease) == 0)
		return;					/* nothing could happen */
	(void) sgip_http_wait_begin(lease, wake_ms);
	(void) WaitEventSetWait(get_wait_set(lease), -1, &event, 1, wait_events[for_limit]);
	sgip_http_wait_end(lease);
	if (event.events & WL_LATCH_SET)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	(void) sgip_http_drive(lease);
}
