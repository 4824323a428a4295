/*-------------------------------------------------------------------------
 *
 * limits.c
 *		Rate limits of the API, which the sessions of an account share.
 *
 * What an answer tells is true when it was sent, and others arrive meanwhile:
 * of what it says to remain, requests without answer may have been subtracted
 * or not.  So what remains is counted here, and corrected where that is
 * certainly wrong.  What was taken and never sent is lost until then, or until
 * the window ends; there is no other debt.
 *
 * When a window ends, what the next one allows is known to be "limit", and
 * that is taken from.  But if sessions wait, one of them sends a probe and the
 * others go on by its answer: a window that ends a little later than we
 * thought, or is none, costs one refusal then instead of one for each.
 *
 * Headers can be wrong, and servers hostile.  No number is believed that
 * makes a scan wait for longer than it would wait for an answer to itself: it
 * sends a probe then.  A probe is waited for no longer than PROBE_MS.
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
 * So long others wait for the answer to a probe.  Its headers come within a
 * second, if the session that sent it looks at them; a cursor may not.
 */
#define PROBE_MS 2000

/*
 * A window that an answer tells of is not over yet, though its end may have
 * been rounded down.  So long it lasts at least.
 */
#define ROUNDING_MS 500

/* What the headers of an answer tell about its path's limit */
typedef struct Told
{
	int64		limit;
	int64		remaining;
	int64		end;			/* of the window, in seconds of the server's
								 * clock */
	int64		slack;			/* seconds that the same end may be off */
	TimestampTz ends_at;		/* it by our clock, not too early */
	bool		refused;		/* the answer is no other than that */
} Told;

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
 * Reads the headers; false if they tell nothing.  A refusal without numbers
 * tells that nothing remains as long as it asks to wait.
 */
static bool
read_told(const SgipHttpHead *head, TimestampTz now, Told *told)
{
	int64		clock;
	int64		seconds;
	bool		is_time;

	told->refused = head->status == 429;
	told->remaining = 0;
	if (!read_number(head->rate_remaining, &told->remaining) && !told->refused)
		return false;
	if (!read_number(head->rate_limit, &told->limit))
		told->limit = SGIP_UNLIMITED;
	clock = sgip_retry_clock(head);
	if (!sgip_retry_parse(head->rate_reset, clock, &seconds, &is_time) &&
		!(told->refused && sgip_retry_parse(head->retry_after, clock, &seconds, &is_time)))
		return false;
	told->end = clock + seconds;
	told->slack = is_time ? 0 : 1;
	told->ends_at = now + Max(seconds, 0) * USECS_PER_SEC;
	return true;
}

/* Milliseconds from now until then, and not less than one. */
static int64
ms_until(TimestampTz then, TimestampTz now)
{
	return Max((then - now + 999) / 1000, 1);
}

/* A new window.  What remains of it is a guess until an answer tells. */
static void
begin_window(SgipWindow *window, int64 remaining, TimestampTz probe_until)
{
	window->number++;
	window->remaining = remaining;
	window->ends_at = 0;
	window->probe_until = probe_until;
	window->crowded = false;
	window->guessed = true;
}

/*
 * The window is over by our clock, and the next one has begun.  It allows what
 * the last one did, or, if sessions wait for it, one request to see.
 */
static void
next_window(SgipWindow *window, TimestampTz now)
{
	if (window->crowded)
		begin_window(window, 0, 0);
	else
	{
		begin_window(window, window->limit, now + PROBE_MS * 1000);
		window->guessed = false;
	}
}

/* Takes a request from the window; returns what sgip_limits_take does. */
static int64
take_from(SgipWindow *window, TimestampTz now, int64 patience_ms, SgipLimitToken *token)
{
	if (window->ends_at != 0 && now >= window->ends_at)
		next_window(window, now);
	if (window->remaining > 0)
		window->remaining--;
	else if (patience_ms > 0)
	{
		int64		wait_ms = 0;

		if (window->ends_at != 0)
		{
			window->crowded = true;
			wait_ms = ms_until(window->ends_at, now);
			if (wait_ms <= patience_ms)
				return wait_ms;
		}
		if (now < window->probe_until)
			return Min(ms_until(window->probe_until, now), patience_ms);
		window->probe_until = now + PROBE_MS * 1000;
		token->probe = true;
	}
	token->window = window->number;
	token->answered = window->answered;
	window->pending++;
	return 0;
}

/* The request has its answer, or will have none. */
static void
put_back(SgipWindow *window, const SgipLimitToken *token)
{
	window->answered++;
	if (token->window != 0 && window->pending > 0)
		window->pending--;
}

/*
 * Takes over what the answer to the request of that token tells.  True if
 * sessions that wait should know.
 */
static bool
note(SgipWindow *window, const SgipLimitToken *token, const Told *told, TimestampTz now)
{
	bool		later = told->end > window->told_end + told->slack;
	bool		same = !later && told->end >= window->told_end - told->slack;
	bool		current = token->window == window->number;
	int64		remaining = window->remaining;
	TimestampTz ends_at = told->ends_at;
	int64		least;
	bool		changed;

	put_back(window, token);
	/* not if it tells of a window that is over */
	if (!later && !current && (!same || window->ends_at == 0))
		return false;

	/*
	 * those under way, and answered while this one was, may have been counted
	 * or not
	 */
	least = token->window == 0 ? 0 : told->remaining - window->pending - (window->answered - token->answered - 1);
	if (window->guessed)
		remaining = told->remaining - window->pending;
	remaining = Max(Min(Max(remaining, least), told->remaining), 0);
	if (window->ends_at != 0 && same)
		ends_at = Min(window->ends_at, ends_at);
	if (window->ends_at != 0 && later)
	{
		window->number++;
		window->crowded = false;
	}
	if (told->remaining > 0 || told->refused)
		ends_at = Max(ends_at, now + ROUNDING_MS * 1000);
	/* either more was wanted already, or it is not clear what comes next */
	window->crowded |= told->refused || (remaining == 0 && ends_at <= now);
	changed = token->probe || window->remaining != remaining || window->ends_at != ends_at;
	window->limit = told->limit;
	window->remaining = remaining;
	window->told_end = told->end;
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

/*
 * Do the account's answers tell of no limit?  Then requests cost one look at a
 * flag; the lock is not needed for what can be true a moment later.  Until the
 * first answer has come requests are counted, for it does not tell how many
 * others are under way.
 */
static bool
is_silent(SgipAccount account)
{
	static SgipEntry *last = NULL;
	SgipSharedKey key = sgip_shared_key(account, 0);

	if (last == NULL || !sgip_shared_is(last, &key))
	{
		sgip_shared_lock();
		last = sgip_shared_find(&key, false, GetCurrentTimestamp());
		sgip_shared_unlock();
	}
	return last != NULL && last->u.account.answered && !last->u.account.told;
}

/* The entry of a path, made if it must be: nothing is known of it then. */
static SgipEntry *
find_window(const SgipSharedKey *key, TimestampTz now)
{
	SgipEntry  *entry = sgip_shared_find(key, true, now);

	if (entry->u.window.number == 0)
		begin_window(&entry->u.window, SGIP_UNLIMITED, 0);
	return entry;
}

int64
sgip_limits_take(SgipAccount account, uint64 path, int64 patience_ms, SgipLimitToken *token)
{
	SgipSharedKey key;
	TimestampTz now;
	SgipEntry  *entry;
	int64		wait_ms;

	memset(token, 0, sizeof(*token));
	token->account = account;
	token->path = path;
	if (is_silent(account))
		return 0;

	key = sgip_shared_key(account, path);
	now = GetCurrentTimestamp();
	sgip_shared_lock();
	entry = find_window(&key, now);
	wait_ms = take_from(&entry->u.window, now, patience_ms, token);
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

/* The account's entry, made if it must be. */
static SgipAccountEntry *
find_account(SgipAccount account, TimestampTz now)
{
	SgipSharedKey key = sgip_shared_key(account, 0);
	SgipAccountEntry *entry = &sgip_shared_find(&key, true, now)->u.account;

	if (entry->since == 0)
		entry->since = now;
	return entry;
}

/* What the account was told last, for people. */
static void
note_account(SgipAccountEntry *account, const Told *told)
{
	account->told = true;
	account->limit = told->limit;
	account->remaining = told->remaining;
	account->ends_at = told->ends_at;
}

/*
 * The request has told nothing.  If it was a probe the next one may be sent at
 * once; and if it was answered well, there is no limit (any more) that is told.
 */
static void
give_back(SgipLimitToken *token, bool answered)
{
	SgipSharedKey key = sgip_shared_key(token->account, token->path);
	TimestampTz now = GetCurrentTimestamp();
	SgipEntry  *entry;

	if (token->path != 0 && token->window != 0)
	{
		bool		told = true;

		sgip_shared_lock();
		if (answered)
		{
			SgipAccountEntry *account = find_account(token->account, now);

			account->answered = true;
			told = account->told;
		}
		entry = sgip_shared_find(&key, false, now);
		if (entry != NULL)
		{
			bool		probe = token->probe && token->window == entry->u.window.number;

			put_back(&entry->u.window, token);
			if (probe)
				entry->u.window.probe_until = 0;
			if (answered && (probe || !told))
				sgip_shared_forget(entry);
			else if (probe)
				sgip_shared_wake(entry);
		}
		sgip_shared_unlock();
	}
	token->path = 0;
}

void
sgip_limits_learn(SgipLimitToken *token, const SgipHttpHead *head)
{
	SgipSharedKey path = sgip_shared_key(token->account, token->path);
	TimestampTz now = GetCurrentTimestamp();
	Told		told;
	SgipEntry  *entry;

	if (token->path == 0)
		return;
	if (!read_told(head, now, &told))
	{
		give_back(token, head->status >= 200 && head->status <= 299);
		return;
	}
	sgip_shared_lock();
	note_account(find_account(token->account, now), &told);
	entry = find_window(&path, now);
	if (note(&entry->u.window, token, &told, now))
		sgip_shared_wake(entry);
	sgip_shared_unlock();
	token->path = 0;
}

void
sgip_limits_return(SgipLimitToken *token)
{
	give_back(token, false);
}
