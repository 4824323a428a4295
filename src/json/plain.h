/*-------------------------------------------------------------------------
 *
 * plain.h
 *		Elements that can be used in place, and the bytes of JSON text.
 *
 * A part of the JSON reader: json.c reads the document with this, and
 * leaves to tree.c what is not plain.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_PLAIN_H
#define SGIP_PLAIN_H

#include "json/tape.h"

#if defined(__SSE2__) && !defined(SGIP_JSON_PORTABLE)
#include <emmintrin.h>
#define SGIP_JSON_SSE2
#endif

/* Longest text between two values that is remembered */
#define SGIP_GAP_BYTES 32

/*
 * Elements of an answer resemble each other: what is between the values of an
 * object, keys included, is mostly the same as in the element before, except
 * that a member can be missing.  This remembers it, so that it need not be
 * parsed again.
 */
typedef struct SgipPattern
{
	uint64_t	shape;			/* number of what is known, 0: nothing is */
	int			count;			/* members, each in a slot */
	struct
	{
		char		text[SGIP_GAP_BYTES];	/* from the key to the value */
		int			len;
		uint32_t	wanted;		/* a bit for each of its bytes */
		int			key_len;
	}			gaps[SGIP_MAX_SLOTS];
} SgipPattern;

/*
 * Takes the element at "text", a string or an object, if it can be used in
 * place: returns what is behind it, and *element is what is on the tape then.
 * There must be a byte.  NULL if it cannot, is not complete, not valid, or
 * memory ran out: whatever it is, that is for jansson to say.  *pattern serves
 * one answer, all zero at first.
 */
extern const char *sgip_plain_read(const char *text, const char *end, SgipPattern *pattern,
								   SgipTape *tape, SgipElement *element);

/* The first byte that is not white space, or end */
static inline const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/*
 * The first byte that is not plain within a string, or end: a quote, a
 * backslash, a control character, or one that is not ASCII.
 */
static inline const char *
skip_plain(const char *p, const char *end)
{
#ifdef SGIP_JSON_SSE2
	const __m128i space = _mm_set1_epi8(0x20);
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');

	while (end - p >= 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) p);
		__m128i		odd = _mm_cmplt_epi8(bytes, space); /* signed: 0x80.. too */
		unsigned	mask;

		odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, quote));
		odd = _mm_or_si128(odd, _mm_cmpeq_epi8(bytes, backslash));
		mask = (unsigned) _mm_movemask_epi8(odd);
		if (mask != 0)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#else
	const uint64_t ones = UINT64_C(0x0101010101010101);

	/* eight at a time; (x - ones) & ~x has a high bit if a byte of x is zero */
	while (end - p >= 8)
	{
		uint64_t	bytes;
		uint64_t	quote;
		uint64_t	backslash;
		uint64_t	odd;

		memcpy(&bytes, p, sizeof(bytes));
		quote = bytes ^ (ones * '"');
		backslash = bytes ^ (ones * '\\');
		odd = bytes | ((bytes - ones * 0x20) & ~bytes) |
			((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
		if ((odd & (ones * 0x80)) != 0)
			break;
		p += 8;
	}
#endif
	while (p < end && (unsigned char) *p >= 0x20 && (unsigned char) *p < 0x80 &&
		   *p != '"' && *p != '\\')
		p++;
	return p;
}

#endif							/* SGIP_PLAIN_H */
