/*-------------------------------------------------------------------------
 *
 * retry.c
 *		How long to wait before a request is tried again.
 *
 * Sources: RFC 9110 section 10.2.3 (Retry-After); SendGrid's "Rate limits"
 * page (X-RateLimit-Reset is Unix time in seconds, no Retry-After is
 * documented); the IETF's draft of RateLimit headers, in which a reset is the
 * number of seconds left.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "common/pg_prng.h"

#include "limits/retry.h"

/*
 * First wait without advice from the server, doubled with each try.  Half a
 * second is longer than most hiccups of a load balancer, and three doublings
 * stay below five seconds.
 */
#define FIRST_BACKOFF_MS 500
#define MAX_BACKOFF_MS 60000

/* Added to a reset time, which has no fraction of a second */
#define RESET_MARGIN_S 1

/*
 * Longest wait that is believed.  A server that asks for more is broken or
 * hostile; the number only serves to be reported, and must not overflow.
 */
#define MAX_ASKED_S (INT64CONST(10) * 365 * 24 * 3600)

/* Largest number of seconds that is read: the year 9999, as a time */
#define MAX_SECONDS INT64CONST(253402300799)

/*
 * A number of seconds from here on is a time, below it a wait, whatever the
 * header means by it.  As a time it is in 2001, as a wait 32 years.
 */
#define FIRST_UNIX_TIME INT64CONST(1000000000)

bool
sgip_retry_status(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/* Unix seconds of an HTTP date (IMF-fixdate); false if it is none. */
static bool
parse_date(const char *text, int64 *seconds)
{
	struct tm	tm;
	const char *end;

	memset(&tm, 0, sizeof(tm));
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (end == NULL || *end != '\0')
		return false;
	*seconds = (int64) timegm(&tm);
	return true;
}

int64
sgip_retry_clock(const SgipHttpHead *head)
{
	int64		seconds;

	return parse_date(head->date, &seconds) ? seconds : (int64) time(NULL);
}

bool
sgip_retry_parse(const char *text, int64 clock, int64 *seconds, bool *is_time)
{
	char	   *end;

	*is_time = true;
	if (text[0] < '0' || text[0] > '9')
	{
		if (!parse_date(text, seconds))
			return false;
	}
	else
	{
		*seconds = Min(strtoll(text, &end, 10), MAX_SECONDS);
		/* some servers send a fraction */
		if (*end == '.')
			end += 1 + strspn(end + 1, "0123456789");
		if (*end != '\0')
			return false;
		*is_time = *seconds >= FIRST_UNIX_TIME;
	}
	if (*is_time)
		*seconds -= clock;
	*seconds = Min(*seconds, MAX_ASKED_S);
	return true;
}

int64
sgip_retry_asked_ms(const SgipHttpHead *head)
{
	int64		seconds;
	bool		is_time;

	if (sgip_retry_parse(head->retry_after, sgip_retry_clock(head), &seconds, &is_time))
		return 1000 * Max(seconds, 0);
	if (head->status == 429 &&
		sgip_retry_parse(head->rate_reset, sgip_retry_clock(head), &seconds, &is_time))
		return 1000 * Max(seconds + RESET_MARGIN_S, 0);
	return -1;
}

/*
 * Doubling, and between half and one and a half of that at random, so that
 * many sessions do not come back at once.
 */
int64
sgip_retry_backoff_ms(int tries)
{
	double		wait = FIRST_BACKOFF_MS;

	for (int i = 1; i < tries && wait < MAX_BACKOFF_MS; i++)
		wait *= 2;
	wait *= 0.5 + pg_prng_double(&pg_global_prng_state);
	return (int64) Min(wait, MAX_BACKOFF_MS);
}
