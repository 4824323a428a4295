/*-------------------------------------------------------------------------
 *
 * url.c
 *		URLs as libcurl reads them, by which requests go out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "http/http.h"
#include "http/libcurl.h"

/*
 * Copies a part, which is empty if there is none; false if it does not fit.
 */
static bool
get_part(CURLU *handle, CURLUPart part, char *to, size_t size)
{
	char	   *text = NULL;
	bool		fits = true;

	to[0] = '\0';
	if (curl_url_get(handle, part, &text, 0) == CURLUE_OK)
		fits = strlcpy(to, text, size) < size;
	curl_free(text);
	return fits;
}

/*
 * A proxy is parsed as libcurl parses its option: any scheme is accepted, and
 * a missing one is guessed from the host.
 */
bool
sgip_http_parse_url(const char *text, bool is_proxy, SgipHttpUrl *url)
{
	CURLU	   *handle = curl_url();
	bool		good;

	if (handle == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	good = curl_url_set(handle, CURLUPART_URL, text,
						is_proxy ? CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME : 0) == CURLUE_OK &&
		get_part(handle, CURLUPART_SCHEME, url->scheme, sizeof(url->scheme)) &&
		get_part(handle, CURLUPART_HOST, url->host, sizeof(url->host)) &&
		get_part(handle, CURLUPART_PATH, url->path, sizeof(url->path));
	curl_url_cleanup(handle);
	return good;
}
