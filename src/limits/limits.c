/*-------------------------------------------------------------------------
 *
 * limits.c
 *		Rate limits of the API, which the sessions of an account share.
 *
 * An answer's headers describe the moment at which it was sent: requests
 * that were unanswered then may or may not have been subtracted from what
 * they say remains.  So the remainder is counted here, and corrected where
 * it is certainly wrong.  A request that was taken and never sent is lost
 * until then, or until the window ends; no other error accumulates.
 *
 * When a window ends, the next one is assumed to allow "limit" requests.
 * But if sessions are waiting, one of them sends a probe and the others go
 * by its answer: if the window ends a little later than we thought, or
 * there is none, that costs one refusal instead of one for each session.
 *
 * Headers can be wrong, and servers hostile.  No scan waits for longer on
 * the word of another request's answer than it would for its own: it sends
 * a probe then.  A probe's answer is waited for no longer than PROBE_MS.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/timestamp.h"

#include "limits/limits.h"
#include "limits/retry.h"
#include "limits/shared.h"

/*
 * How long other sessions wait for the answer to a probe.  Its headers come
 * within a second, if the session that sent it reads them; a cursor may not.
 */
#define PROBE_MS 2000

/*
 * An answer with headers about a window proves that it is not over, though
 * its end may have been rounded down.  So it lasts at least this long.
 */
#define ROUNDING_MS 500

/* What the headers of an answer say about its path's limit */
typedef struct LimitHeaders
{
	int64		limit;
	int64		remaining;
	int64		end;			/* of the window, in seconds of the server's
								 * clock */
	int64		slack;			/* seconds that the same end may be off */
	TimestampTz ends_at;		/* the same by our clock, not too early */
	bool		refused;		/* the answer's status is 429 */
} LimitHeaders;

/* A whole number that is not negative; false if it is none. */
static bool
read_number(const char *text, int64 *number)
{
	char	   *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*number = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0;
}

/*
 * Reads the headers; false if they name no limit.  A refusal without numbers
 * means that nothing remains for as long as it asks to wait.
 */
static bool
read_headers(const SgipHttpHead *head, TimestampTz now, LimitHeaders *headers)
{
	int64		clock;
	int64		seconds;
	bool		is_time;

	headers->refused = head->status == 429;
	headers->remaining = 0;
	if (!read_number(head->rate_remaining, &headers->remaining) && !headers->refused)
		return false;
	if (!read_number(head->rate_limit, &headers->limit))
		headers->limit = SGIP_UNLIMITED;
	clock = sgip_retry_clock(head);
	if (!sgip_retry_parse(head->rate_reset, clock, &seconds, &is_time) &&
		!(headers->refused && sgip_retry_parse(head->retry_after, clock, &seconds, &is_time)))
		return false;
	headers->end = clock + seconds;
	headers->slack = is_time ? 0 : 1;
	headers->ends_at = now + Max(seconds, 0) * USECS_PER_SEC;
	return true;
}

/* Milliseconds from now until then, at least 1. */
static int64
ms_until(TimestampTz then, TimestampTz now)
{
	return Max((then - now + 999) / 1000, 1);
}

/* Begins a new window.  What remains of it is a guess until an answer says. */
static void
begin_window(SgipWindow *window, int64 remaining, TimestampTz probe_until)
{
	window->number++;
	window->remaining = remaining;
	window->ends_at = 0;
	window->probe_until = probe_until;
	window->contended = false;
	window->guessed = true;
}

/*
 * The window is over by our clock, and the next one has begun.  It allows as
 * many requests as the last one or, if sessions wait for it, one probe.
 */
static void
next_window(SgipWindow *window, TimestampTz now)
{
	bool		contended = window->contended;

	begin_window(window, contended ? 0 : window->limit, contended ? 0 : now + PROBE_MS * 1000);
	window->guessed = contended;
}

/* Takes a request from the window; returns what sgip_limits_take does. */
static int64
take_from(SgipWindow *window, TimestampTz now, int64 max_wait_ms, SgipLimitToken *token)
{
	if (window->ends_at != 0 && now >= window->ends_at)
		next_window(window, now);
	if (window->remaining > 0)
		window->remaining--;
	else if (max_wait_ms > 0)
	{
		int64		wait_ms = 0;

		if (window->ends_at != 0)
		{
			window->contended = true;
			wait_ms = ms_until(window->ends_at, now);
			if (wait_ms <= max_wait_ms)
				return wait_ms;
		}
		/* not if the clock was set back meanwhile */
		if (now < window->probe_until && window->probe_until - now <= PROBE_MS * 1000)
			return Min(ms_until(window->probe_until, now), max_wait_ms);
		window->probe_until = now + PROBE_MS * 1000;
		token->probe = true;
	}
	token->window = window->number;
	token->answered = window->answered;
	window->pending++;
	return 0;
}

/* The request has been answered, or never will be. */
static void
end_request(SgipWindow *window)
{
	window->answered++;
	if (window->pending > 0)
		window->pending--;
}

/*
 * Applies the headers of the answer to the token's request.  True if waiting
 * sessions should be woken.
 */
static bool
apply_headers(SgipWindow *window, const SgipLimitToken *token, const LimitHeaders *headers, TimestampTz now)
{
	bool		later = headers->end > window->server_end + headers->slack;
	bool		same = !later && headers->end >= window->server_end - headers->slack;
	bool		current = token->window == window->number;
	int64		remaining = window->remaining;
	TimestampTz ends_at = headers->ends_at;
	int64		least;
	bool		changed;

	end_request(window);
	/* not if it is about a window that is over */
	if (!later && !current && (!same || window->ends_at == 0))
		return false;

	/*
	 * requests in flight, and those answered while this one was, may or may
	 * not have been counted
	 */
	least = headers->remaining - window->pending - (window->answered - token->answered - 1);
	if (window->guessed)
		remaining = headers->remaining - window->pending;
	remaining = Max(Min(Max(remaining, least), headers->remaining), 0);
	if (window->ends_at != 0 && same)
		ends_at = Min(window->ends_at, ends_at);
	if (window->ends_at != 0 && later)
	{
		window->number++;
		window->contended = false;
	}
	if (headers->remaining > 0 || headers->refused)
		ends_at = Max(ends_at, now + ROUNDING_MS * 1000);
	/* either more was wanted already, or it is not clear what comes next */
	window->contended |= headers->refused || (remaining == 0 && ends_at <= now);
	changed = token->probe || window->remaining != remaining || window->ends_at != ends_at;
	window->limit = headers->limit;
	window->remaining = remaining;
	window->server_end = headers->end;
	window->ends_at = ends_at;
	window->probe_until = 0;
	window->guessed = false;
	return changed;
}

uint64
sgip_limits_path(const char *url)
{
	uint64		path = hash_bytes_extended((const unsigned char *) url, (int) strcspn(url, "?"), 0);

	/* 0 is the account itself */
	return path ? path : 1;
}

/* The entry of the token's path, created with an unlimited window if there is none. */
static SgipEntry *
find_window(const SgipLimitToken *token)
{
	SgipEntry  *entry = sgip_shared_find(token->account, token->path, true);

	if (entry->u.window.number == 0)
		begin_window(&entry->u.window, SGIP_UNLIMITED, 0);
	return entry;
}

int64
sgip_limits_take(SgipAccount account, uint64 path, int64 max_wait_ms, SgipLimitToken *token)
{
	SgipEntry  *entry;
	int64		wait_ms;

	*token = (SgipLimitToken)
	{
		.account = account, .path = path
	};
	sgip_shared_lock();
	entry = find_window(token);
	wait_ms = take_from(&entry->u.window, GetCurrentTimestamp(), max_wait_ms, token);
	if (wait_ms > 0)
		sgip_shared_await(entry);
	sgip_shared_unlock();
	return wait_ms;
}

bool
sgip_limits_changed(uint64 path)
{
	return !sgip_shared_awaits(path);
}

/*
 * The request brought no limit.  If it was a probe, the next one may be sent
 * at once; and if it succeeded, the path has no limit (any more).
 */
static void
release_token(SgipLimitToken *token, bool answered)
{
	uint64		path = token->path;
	SgipEntry  *account;
	SgipEntry  *entry;

	token->path = 0;
	if (path == 0 || token->window == 0)
		return;
	sgip_shared_lock();
	account = sgip_shared_find(token->account, 0, false);
	entry = sgip_shared_find(token->account, path, false);
	if (entry != NULL)
	{
		bool		probe = token->probe && token->window == entry->u.window.number;

		end_request(&entry->u.window);
		if (probe)
			entry->u.window.probe_until = 0;
		if (answered && (probe || account == NULL || !account->u.account.has_limit))
			sgip_shared_forget(entry);
		else if (probe)
			sgip_shared_wake(entry);
	}
	sgip_shared_unlock();
}

void
sgip_limits_learn(SgipLimitToken *token, const SgipHttpHead *head)
{
	TimestampTz now = GetCurrentTimestamp();
	LimitHeaders headers;
	SgipAccountEntry *account;
	SgipEntry  *entry;

	if (token->path == 0)
		return;
	if (!read_headers(head, now, &headers))
	{
		release_token(token, head->status >= 200 && head->status <= 299);
		return;
	}
	sgip_shared_lock();
	/* for the view sgip_fdw_stats */
	account = &sgip_shared_find(token->account, 0, true)->u.account;
	account->has_limit = true;
	account->limit = headers.limit;
	account->remaining = headers.remaining;
	account->ends_at = headers.ends_at;
	entry = find_window(token);
	if (apply_headers(&entry->u.window, token, &headers, now))
		sgip_shared_wake(entry);
	sgip_shared_unlock();
	token->path = 0;
}

void
sgip_limits_release(SgipLimitToken *token)
{
	release_token(token, false);
}
