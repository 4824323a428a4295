/*
 * test_limits.c - simulates sessions that share a rate limit.
 *
 *	test_limits [SEED]
 *
 * Runs src/limits/limits.c without a server, against a server and a clock that are made up here, so that an hour takes a moment
 * and every reading of the headers is tried: windows that begin with a request, at full minutes, or slide; ends that
 * are rounded up or down, or given as seconds left; clocks that differ; answers that overtake each other; sessions that
 * die at any time.  Prints "ok" or "not ok" for each.
 */
#include "postgres.h"

#include <math.h>

#include "datatype/timestamp.h"

#include "limits/limits.c"
#include "limits/retry.c"

/* without a server to link with, libc's */
#undef printf
#undef snprintf

/* ----------------------------------------------------------------
 *		Stand-ins for the memory, and for latches
 * ----------------------------------------------------------------
 */

#define MAX_ENTRIES 16
#define MAX_SESSIONS 64

static SgipEntry entries[MAX_ENTRIES];
static bool awaits[MAX_SESSIONS];
static int	current;			/* session that runs */
static uint64 seed = 1;

static TimestampTz sim_now;		/* our clock */

TimestampTz
GetCurrentTimestamp(void)
{
	return sim_now;
}

void
sgip_shared_lock(void)
{
}

void
sgip_shared_unlock(void)
{
}

SgipEntry *
sgip_shared_find(SgipAccount account, uint64 path, bool make)
{
	for (int i = 0; i < MAX_ENTRIES; i++)
	{
		SgipSharedKey *key = &entries[i].key;

		if (key->account.server_id == InvalidOid)
		{
			if (!make)
				return NULL;
			key->account = account;
			key->path = path;
		}
		if (memcmp(&key->account, &account, sizeof(account)) == 0 && key->path == path)
			return &entries[i];
	}
	abort();
}

void
sgip_shared_await(SgipEntry *entry)
{
	entry->awaited = true;
	awaits[current] = true;
}

bool
sgip_shared_awaits(uint64 path)
{
	return awaits[current];
}

void
sgip_shared_wake(SgipEntry *entry)
{
	if (entry->awaited)
		memset(awaits, 0, sizeof(awaits));
	entry->awaited = false;
}

void
sgip_shared_forget(SgipEntry *entry)
{
	SgipSharedKey key = entry->key;

	/* its place is kept: a free one would end the search for others */
	sgip_shared_wake(entry);
	memset(entry, 0, sizeof(*entry));
	entry->key = key;
}

uint64
hash_bytes_extended(const unsigned char *k, int keylen, uint64 seed)
{
	uint64		hash = seed;

	while (keylen-- > 0)
		hash = hash * 31 + *k++;
	return hash;
}

pg_prng_state pg_global_prng_state;

/* A number from 0 up to, but without, 1. */
static double
fraction(void)
{
	seed = seed * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
	return (double) (seed >> 11) / (double) (UINT64CONST(1) << 53);
}

double
pg_prng_double(pg_prng_state *state)
{
	return fraction();
}

/* ----------------------------------------------------------------
 *		The server
 * ----------------------------------------------------------------
 */

typedef enum Windows
{
	FIRST, CLOCK, SLIDING
} Windows;

typedef enum Ends
{
	CEIL, FLOOR, LEFT
} Ends;

typedef struct Scenario
{
	int			sessions;
	int			requests;		/* of each session */
	int			in_flight;		/* of them at once */
	int			limit;
	int			seconds;
	Windows		windows;
	Ends		ends;
	double		skew;			/* seconds that the server's clock is ahead */
	double		slow;			/* seconds of a request, there and back, at
								 * most */
	double		deaths;			/* of sessions, for each request */
	int			others;			/* requests of each window that another client
								 * sends */
	bool		one_first;		/* a session sends one, and the others when
								 * that is answered */
	bool		silent;			/* only refusals tell of the limit */
	const char *lie;			/* headers of every good answer instead:
								 * remaining and reset, relative or not */
} Scenario;

static Scenario scenario;
static double window_began;		/* by the server's clock */
static int	window_taken;
static double taken_at[4096];	/* SLIDING: times of requests; a ring */
static int	taken_first;
static int	taken_count;

static const char *
date_of(double clock)
{
	static char text[64];
	time_t		seconds = (time_t) floor(clock);
	struct tm	tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return text;
}

/* What the server answers to a request that arrives at that time of ours. */
static SgipHttpHead
serve(double at)
{
	double		clock = at + scenario.skew;
	double		end;
	int			taken;
	SgipHttpHead head;

	if (scenario.windows == SLIDING)
	{
		while (taken_count > 0 && taken_at[taken_first % 4096] <= clock - scenario.seconds)
		{
			taken_first++;
			taken_count--;
		}
		taken = taken_count;
		end = (taken_count > 0 ? taken_at[taken_first % 4096] : clock) + scenario.seconds;
	}
	else
	{
		if (clock >= window_began + scenario.seconds)
		{
			window_began = scenario.windows == FIRST ? clock : clock - fmod(clock, scenario.seconds);
			window_taken = scenario.others;
		}
		taken = window_taken;
		end = window_began + scenario.seconds;
	}
	memset(&head, 0, sizeof(head));
	head.status = taken < scenario.limit ? 200 : 429;
	if (head.status == 200)
	{
		window_taken++;
		taken_at[(taken_first + taken_count++) % 4096] = clock;
	}
	snprintf(head.rate_limit, sizeof(head.rate_limit), "%d", scenario.limit);
	snprintf(head.rate_remaining, sizeof(head.rate_remaining), "%d", Max(scenario.limit - taken - 1, 0));
	snprintf(head.rate_reset, sizeof(head.rate_reset), "%.0f",
			 scenario.ends == CEIL ? ceil(end) : scenario.ends == FLOOR ? floor(end) : ceil(end - clock));
	strcpy(head.date, date_of(clock));
	if (scenario.silent && head.status == 200)
		head.rate_limit[0] = head.rate_remaining[0] = head.rate_reset[0] = '\0';
	if (scenario.lie != NULL)
		sscanf(scenario.lie, "%63s %63s", head.rate_remaining, head.rate_reset);
	return head;
}

/* ----------------------------------------------------------------
 *		Sessions
 * ----------------------------------------------------------------
 */

#define ROUNDS 100				/* of each scenario */
#define MAX_IN_FLIGHT 8
#define MAX_WAIT_MS 120000		/* max_retry_wait */
#define MAX_TRIES 4				/* max_retries, and the first one */

typedef struct Flight
{
	bool		waits;			/* until "at", or for a wake-up */
	bool		sent;			/* the answer comes at "at" */
	bool		arrived;		/* at the server, at "arrives" */
	int			tries;
	TimestampTz at;
	TimestampTz arrives;
	TimestampTz pause_until;	/* after a refusal */
	SgipLimitToken token;
	SgipHttpHead head;
} Flight;

typedef struct Session
{
	int			left;			/* requests to be made */
	bool		dead;
	bool		failed;
	bool		answered;		/* a good answer has come */
	TimestampTz waits_since;	/* 0: does not wait */
	int64		waited_us;
	int			refused;		/* answers 429 */
	Flight		flights[MAX_IN_FLIGHT];
} Session;

static Session sessions[MAX_SESSIONS];
static const SgipAccount account = {1, 2};

/* Sends the request, or waits. */
static void
try_to_send(Session *session, Flight *flight)
{
	int64		waited = session->waited_us + (session->waits_since ? sim_now - session->waits_since : 0);
	int64		wait_ms = sgip_limits_take(account, sgip_limits_path("https://host/path?query"),
										   MAX_WAIT_MS - waited / 1000, &flight->token);

	flight->waits = wait_ms > 0;
	if (flight->waits)
	{
		if (session->waits_since == 0)
			session->waits_since = sim_now;
		flight->at = sim_now + wait_ms * 1000;
		return;
	}
	if (session->waits_since != 0)
		session->waited_us += sim_now - session->waits_since;
	session->waits_since = 0;
	flight->sent = true;
	flight->arrived = false;
	flight->tries++;
	flight->arrives = sim_now + (TimestampTz) (fraction() * scenario.slow / 2 * USECS_PER_SEC) + 1;
	flight->at = flight->arrives + (TimestampTz) (fraction() * scenario.slow / 2 * USECS_PER_SEC) + 1;
}

/* May the session send another? */
static bool
may_send(const Session *session)
{
	if (!scenario.one_first || session->answered)
		return true;
	for (int i = 0; i < scenario.in_flight; i++)
	{
		if (session->flights[i].sent || session->flights[i].waits)
			return false;
	}
	return true;
}

/* The session is ended. */
static void
die(Session *session)
{
	session->dead = true;
	for (int i = 0; i < scenario.in_flight; i++)
	{
		sgip_limits_release(&session->flights[i].token);
		session->flights[i].sent = session->flights[i].waits = false;
	}
}

/* The answer has come. */
static void
take_answer(Session *session, Flight *flight)
{
	flight->sent = false;
	sgip_limits_learn(&flight->token, &flight->head);
	if (flight->head.status == 200)
	{
		flight->tries = 0;
		session->answered = true;
		return;
	}
	session->refused++;
	session->left++;
	flight->pause_until = sim_now + sgip_retry_backoff_ms(flight->tries) * 1000;
	if (flight->tries >= MAX_TRIES || session->waited_us >= INT64CONST(1000) * MAX_WAIT_MS)
	{
		session->failed = true;
		die(session);
	}
}

/* Everything that happens now; the time when something happens next, or 0. */
static TimestampTz
step(void)
{
	TimestampTz next = 0;

	for (current = 0; current < scenario.sessions; current++)
	{
		Session    *session = &sessions[current];

		for (int i = 0; i < scenario.in_flight && !session->dead; i++)
		{
			Flight	   *flight = &session->flights[i];
			TimestampTz then;

			if (flight->sent && !flight->arrived && flight->arrives <= sim_now)
			{
				flight->head = serve((double) sim_now / USECS_PER_SEC);
				flight->arrived = true;
			}
			if (flight->sent && flight->at <= sim_now)
				take_answer(session, flight);
			if (flight->waits && (flight->at <= sim_now || sgip_limits_changed(flight->token.path)))
			{
				flight->waits = false;
				session->left++;
			}
			if (!flight->waits && !flight->sent && session->left > 0 && flight->pause_until <= sim_now && may_send(session))
			{
				session->left--;
				try_to_send(session, flight);
				if (fraction() < scenario.deaths)
					die(session);
			}
			then = flight->sent && !flight->arrived ? flight->arrives :
				flight->sent || flight->waits ? flight->at :
				session->left > 0 && may_send(session) ? flight->pause_until : 0;
			if (then != 0 && (next == 0 || then < next))
				next = then;
		}
		for (int i = 0; i < scenario.in_flight; i++)
		{
			if (sgip_limits_changed(session->flights[i].token.path) && session->flights[i].waits)
				next = sim_now + 1;
		}
	}
	return next;
}

/* What a run came to */
typedef struct Outcome
{
	double		seconds;
	double		needed;			/* by the limit alone */
	int			refused;
	int			most_refused;	/* of one session */
	int			failed;
	int			unfinished;
	double		longest_wait;
	int			windows;
} Outcome;

static Outcome
run(Scenario what)
{
	Outcome		outcome = {0};
	TimestampTz began;
	TimestampTz next;
	int			wanted = what.sessions * what.requests;

	scenario = what;
	memset(entries, 0, sizeof(entries));
	memset(sessions, 0, sizeof(sessions));
	memset(awaits, 0, sizeof(awaits));
	taken_first = taken_count = window_taken = 0;
	window_began = -1e9;
	sim_now = began = INT64CONST(1700000000) * USECS_PER_SEC + (TimestampTz) (fraction() * 60 * USECS_PER_SEC);
	for (int i = 0; i < what.sessions; i++)
		sessions[i].left = what.requests;
	for (;;)
	{
		next = step();
		if (next == 0 || sim_now > began + INT64CONST(3600) * USECS_PER_SEC)
			break;
		sim_now = Max(next, sim_now + 1);
	}
	outcome.seconds = (double) (sim_now - began) / USECS_PER_SEC;
	/* the last window need not be waited for */
	outcome.needed = (double) what.seconds * ((wanted - 1) / (what.limit - what.others));
	outcome.windows = 2 + (int) (outcome.seconds / what.seconds);
	for (int i = 0; i < what.sessions; i++)
	{
		Session    *session = &sessions[i];

		outcome.refused += session->refused;
		outcome.most_refused = Max(outcome.most_refused, session->refused);
		outcome.failed += session->failed;
		outcome.longest_wait = Max(outcome.longest_wait, session->waited_us / 1e6);
		outcome.unfinished += !session->dead && session->left > 0;
	}
	return outcome;
}

static int	failures = 0;

static void
check(bool good, const char *name, Outcome outcome)
{
	printf("%sok - %s", good ? "" : "not ", name);
	if (!good)
		printf(": %.1f s of %.1f, %d refused, %d of one session in %d windows, %d failed, %d unfinished, waited %.1f s",
			   outcome.seconds, outcome.needed, outcome.refused, outcome.most_refused, outcome.windows,
			   outcome.failed, outcome.unfinished, outcome.longest_wait);
	printf("\n");
	failures += !good;
}

/* Random variations of a scenario: the limit is kept to, and used up. */
static void
keeps_to_limit(const char *name, Scenario one)
{
	Outcome		outcome = {0};
	bool		good = true;
	int			at_first;

	for (int round = 0; round < ROUNDS && good; round++)
	{
		one.sessions = round % 2 ? 8 : 24;
		one.in_flight = 1 + round % 4;
		one.skew = (fraction() - 0.5) * 1000;
		outcome = run(one);
		at_first = one.sessions * (one.one_first ? 1 : one.in_flight);

		/*
		 * Before anything is known, all that can be sent is: if that is one
		 * by each, none of these is refused.  Later an end that was rounded
		 * down costs a probe or two.  Where windows slide, requests come free
		 * one after the other while answers overtake each other: what is not
		 * certainly free then is left until the next time.
		 */
		good = outcome.failed == 0 && outcome.unfinished == 0 &&
			outcome.seconds <= (one.windows == SLIDING ? 1.7 : 1.3) * outcome.needed + 1 + 3 * one.slow &&
			outcome.refused <= (one.one_first ? 0 : at_first) + (one.windows == SLIDING ? 6 : 2) * outcome.windows + one.others &&
			outcome.most_refused <= outcome.windows + at_first / one.sessions - 1;
	}
	check(good, name, outcome);
}

/*
 * Only refusals tell of the limit: each session is refused in each window, but
 * they wait until it ends and no longer.
 */
static void
tells_refusals_only(void)
{
	Scenario	silent = {.sessions = 8, .requests = 7, .in_flight = 1, .limit = 20, .seconds = 10, .slow = 0.4, .silent = true};
	Outcome		outcome = {0};
	bool		good = true;

	for (int round = 0; round < ROUNDS && good; round++)
	{
		outcome = run(silent);
		good = outcome.failed == 0 && outcome.unfinished == 0 && outcome.seconds <= 1.3 * outcome.needed + 1 &&
			outcome.most_refused <= outcome.windows;
	}
	check(good, "only refusals tell of the limit", outcome);
}

/* Whatever the server says, no session waits for longer than a scan may, and nothing fails. */
static void
lies(const char *lie, double seconds)
{
	Scenario	liar = {.sessions = 8, .requests = 20, .in_flight = 2, .limit = 1000000, .seconds = 60, .slow = 0.2, .lie = lie};
	Outcome		outcome = run(liar);
	char		name[200];

	snprintf(name, sizeof(name), "remaining and reset \"%s\": no longer than %.0f s", lie, seconds);
	check(outcome.failed == 0 && outcome.unfinished == 0 && outcome.refused == 0 &&
		  outcome.longest_wait <= MAX_WAIT_MS / 1000 + 1 && outcome.seconds <= seconds, name, outcome);
}

int
main(int argc, char **argv)
{
	static const char *const window_names[] = {"begin with a request", "begin at multiples of their length", "slide"};
	static const char *const end_names[] = {"rounded up", "rounded down", "given as seconds left"};
	static const Scenario usual = {.requests = 7, .limit = 20, .seconds = 10, .slow = 0.4};
	static const struct
	{
		const char *name;
		Scenario	scenario;
	}			special[] = {
		{"sessions that send one request, and more when it is answered",
		{.requests = 6, .limit = 60, .seconds = 8, .slow = 0.1, .one_first = true}},
		{"windows of a second", {.requests = 30, .limit = 20, .seconds = 1, .windows = CLOCK, .slow = 0.04}},
		{"answers that take up to five seconds", {.requests = 3, .limit = 20, .seconds = 30, .slow = 5}},
		{"sessions that die", {.requests = 8, .limit = 20, .seconds = 10, .slow = 0.4, .deaths = 0.05}},
		{"another client who uses the half of it",
		{.requests = 3, .limit = 20, .seconds = 10, .slow = 0.4, .others = 10}}
	};

	seed = argc > 1 ? (uint64) atoll(argv[1]) : 1;
	for (int windows = 0; windows < 3; windows++)
	{
		for (int ends = 0; ends < 3; ends++)
		{
			Scenario	one = usual;
			char		name[200];

			one.windows = windows;
			one.ends = ends;
			snprintf(name, sizeof(name), "windows that %s, ends %s", window_names[windows], end_names[ends]);
			keeps_to_limit(name, one);
		}
	}
	for (size_t i = 0; i < lengthof(special); i++)
		keeps_to_limit(special[i].name, special[i].scenario);
	tells_refusals_only();
	lies("0 3600", 60);
	lies("0 60", 400);
	lies("0 1", 400);
	lies("0 0", 60);
	lies("0 99999999999999999999", 60);
	lies("0 253402300799", 60);
	lies("0 -5", 60);
	lies("-1 60", 60);
	lies("99999999999999999999 60", 60);
	lies("x y", 60);
	return failures > 0;
}
