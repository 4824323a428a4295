/*-------------------------------------------------------------------------
 *
 * libcurl_alone.c
 *		What libcurl needs for requests alone: the floor under sgip_fdw.
 *
 * libcurl_alone URL [COUNT [PARALLEL]]
 *
 * Asks COUNT times for the URL, throwing the answers away: one after another
 * on one connection, or with up to PARALLEL at once.  A %d in the URL becomes
 * the number of the request.  Prints milliseconds, bytes, connections.
 *
 *-------------------------------------------------------------------------
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double bytes;
static long connections;

/* Milliseconds on the monotonic clock */
static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* Throws bytes of an answer away */
static size_t
discard(char *data, size_t size, size_t count, void *arg)
{
	(void) data;
	(void) arg;
	bytes += (double) (size * count);
	return size * count;
}

/* Asks for the URL of that number */
static void
aim(CURL *easy, const char *url, int number)
{
	char		text[2048];
	const char *hole = strstr(url, "%d");

	if (hole == NULL)
		snprintf(text, sizeof(text), "%s", url);
	else
		snprintf(text, sizeof(text), "%.*s%d%s", (int) (hole - url), url, number, hole + 2);
	curl_easy_setopt(easy, CURLOPT_URL, text);
}

/* Checks and counts a request that is done */
static void
take(CURL *easy, CURLcode code)
{
	long		opened = 0;

	if (code != CURLE_OK)
	{
		fprintf(stderr, "libcurl: %s\n", curl_easy_strerror(code));
		exit(1);
	}
	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &opened);
	connections += opened;
}

/* A handle that throws its answer away */
static CURL *
make_handle(void)
{
	CURL	   *easy = curl_easy_init();

	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	return easy;
}

/* One after another */
static void
run_serial(const char *url, int count)
{
	CURL	   *easy = make_handle();

	for (int i = 0; i < count; i++)
	{
		aim(easy, url, i + 1);
		take(easy, curl_easy_perform(easy));
	}
	curl_easy_cleanup(easy);
}

/* Many at once */
static void
run_parallel(const char *url, int count, int parallel)
{
	CURLM	   *multi = curl_multi_init();
	int			next = 0;
	int			done = 0;

	while (done < count)
	{
		CURLMsg    *message;
		int			left;

		while (next < count && next - done < parallel)
		{
			CURL	   *easy = make_handle();

			aim(easy, url, ++next);
			curl_multi_add_handle(multi, easy);
		}
		curl_multi_perform(multi, &left);
		while ((message = curl_multi_info_read(multi, &left)) != NULL)
		{
			CURL	   *easy = message->easy_handle;
			CURLcode	code = message->data.result;

			curl_multi_remove_handle(multi, easy);
			take(easy, code);
			curl_easy_cleanup(easy);
			done++;
		}
		if (done < count)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	curl_multi_cleanup(multi);
}

int
main(int argc, char **argv)
{
	int			count = argc > 2 ? atoi(argv[2]) : 1;
	int			parallel = argc > 3 ? atoi(argv[3]) : 1;
	double		start;

	if (argc < 2)
		return 2;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	start = now_ms();
	if (parallel > 1)
		run_parallel(argv[1], count, parallel);
	else
		run_serial(argv[1], count);
	printf("%.3f %.0f %ld\n", now_ms() - start, bytes, connections);
	return 0;
}
