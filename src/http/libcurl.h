/*-------------------------------------------------------------------------
 *
 * libcurl.h
 *		libcurl, for the files of this folder alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_LIBCURL_H
#define SGIP_LIBCURL_H

#include <curl/curl.h>

#if LIBCURL_VERSION_NUM < 0x075500
#error "sgip_fdw needs libcurl 7.85 or later"
#endif

#endif							/* SGIP_LIBCURL_H */
