/*-------------------------------------------------------------------------
 *
 * clock.c
 *		A clock that can be set: to be preloaded by a server.
 *
 * The file that SGIP_CLOCK names holds the number of seconds that the time is
 * ahead.  What measures lengths of time is as it is.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

/* Seconds that the clock is ahead. */
static long
ahead(void)
{
	const char *name = getenv("SGIP_CLOCK");
	FILE	   *file = name ? fopen(name, "r") : NULL;
	long		seconds = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%ld", &seconds) != 1)
		seconds = 0;
	fclose(file);
	return seconds;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	int			(*real) (struct timeval *restrict, void *restrict) = dlsym(RTLD_NEXT, "gettimeofday");
	int			result = real(now, zone);

	now->tv_sec += ahead();
	return result;
}

time_t
time(time_t *result)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	if (result != NULL)
		*result = now.tv_sec;
	return now.tv_sec;
}
