/*-------------------------------------------------------------------------
 *
 * retry.c
 *		How long to wait before a request is tried again.
 *
 * Sources: RFC 9110 section 10.2.3 (Retry-After); SendGrid's "Rate limits"
 * page (X-RateLimit-Reset is Unix time in seconds, no Retry-After is
 * documented).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "common/pg_prng.h"

#include "fetch/retry.h"

/*
 * First wait without advice from the server, doubled with each try.  Half a
 * second is longer than most hiccups of a load balancer, and three doublings
 * stay below five seconds.
 */
#define FIRST_BACKOFF_MS 500
#define MAX_BACKOFF_MS 60000

/* Added to a reset time, whose fraction of a second is not told */
#define RESET_MARGIN_S 1

/*
 * Longest wait that is believed.  A server that asks for more is broken or
 * hostile; the number only serves to be reported, and must not overflow.
 */
#define MAX_ASKED_S (INT64CONST(10) * 365 * 24 * 3600)

/* Largest number of seconds that is read: the year 9999, as a time */
#define MAX_SECONDS INT64CONST(253402300799)

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

/* A whole number of seconds not below zero; false if the text is none. */
static bool
parse_seconds(const char *text, int64 *seconds)
{
	char	   *end;
	long long	number;

	if (text[0] < '0' || text[0] > '9')
		return false;
	number = strtoll(text, &end, 10);
	/* some servers send a fraction */
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (*end != '\0')
		return false;
	*seconds = Min(number, MAX_SECONDS);
	return true;
}

int64
sgip_retry_asked_ms(const SgipHttpHead *head)
{
	int64		now;
	int64		seconds;

	if (!parse_date(head->date, &now))
		now = (int64) time(NULL);

	if (parse_seconds(head->retry_after, &seconds))
		;
	else if (parse_date(head->retry_after, &seconds))
		seconds -= now;
	else if (head->status == 429 && parse_seconds(head->rate_reset, &seconds))
		seconds = seconds - now + RESET_MARGIN_S;
	else
		return -1;

	return 1000 * Min(Max(seconds, 0), MAX_ASKED_S);
}

/*
 * Milliseconds to wait before try number "tries" when the server did not say:
 * doubling, and between half and one and a half of that at random, so that
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
