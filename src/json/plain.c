/*-------------------------------------------------------------------------
 *
 * plain.c
 *		Reads elements that can be used in place.
 *
 * What is plain needs no decoding: strings without escapes, short numbers
 * without exponents, words, and lists and objects of these, not deep and with
 * keys that differ.  They are validated on the pass that finds their end, as
 * strictly as jansson does it, and stay where they stand.
 *
 *-------------------------------------------------------------------------
 */
#include "json/plain.h"

/* Deepest nesting that is taken: a list of objects in a row, and one more */
#define MAX_PLAIN_DEPTH 4

/*
 * Most members of an object; each key is compared with all others.  The API's
 * objects have at most 14.
 */
#define MAX_PLAIN_MEMBERS 32

/* Longest number; it must not overflow a double, which jansson would refuse */
#define MAX_PLAIN_NUMBER 40

/* Where a call for each value would cost measurable time */
#if defined(__GNUC__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif

/* Shapes of all readers have different numbers, by which others know them */
static uint64_t last_shape = 0;

/* A walk through an element */
typedef struct Walker
{
	const char *start;			/* positions are relative to this */
	const char *end;
	SgipTape   *tape;
	SgipPattern *pattern;
	uint64_t	shape;			/* of the element */
} Walker;

static const char *take_other(Walker *walker, const char *p, int depth);

/*
 * Behind the UTF-8 sequence that begins at p; NULL if it is none: cut,
 * overlong, a surrogate, past U+10FFFF (RFC 3629, table 3-7 of the Unicode
 * standard; jansson's rule is the same).
 */
static const char *
skip_utf8(const char *p, const char *end)
{
	unsigned char first = (unsigned char) *p;
	int			more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;

	/* only the second byte has a narrower range */
	unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
	unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;

	if (first < 0xC2 || first > 0xF4)
		return NULL;
	for (p++; more > 0; more--, p++)
	{
		if (p == end || (unsigned char) *p < low || (unsigned char) *p > high)
			return NULL;
		low = 0x80;
		high = 0xBF;
	}
	return p;
}

/* The byte at p, or behind the space there; NULL if there is none. */
static inline const char *
next_byte(Walker *walker, const char *p)
{
	if (p < walker->end && (unsigned char) *p > ' ')
		return p;
	p = skip_space(p, walker->end);
	return p < walker->end ? p : NULL;
}

/* Adds a value that stands from "at" to "end"; returns what is behind it. */
static inline const char *
add_value(Walker *walker, SgipValueKind kind, const char *at, const char *end, const char *behind)
{
	return sgip_tape_add(walker->tape, kind, (size_t) (at - walker->start),
						 (size_t) (end - at)) ? behind : NULL;
}

/* The closing quote of the string at p; NULL if it cannot be used as it stands. */
static ALWAYS_INLINE const char *
take_quoted(Walker *walker, const char *p)
{
	const char *end = walker->end;

	if (*p++ != '"')
		return NULL;
	while ((p = skip_plain(p, end)) < end && *p != '"')
	{
		if ((unsigned char) *p < 0x80 || (p = skip_utf8(p, end)) == NULL)
			return NULL;
	}
	return p < end ? p : NULL;
}

/* Takes the value at p, within so many brackets.  Most are strings. */
static ALWAYS_INLINE const char *
take_value(Walker *walker, const char *p, int depth)
{
	const char *quote;

	if (*p != '"')
		return take_other(walker, p, depth);
	quote = take_quoted(walker, p);
	return quote ? add_value(walker, SGIP_VALUE_STRING, p + 1, quote, quote + 1) : NULL;
}

/* Takes the word at p. */
static const char *
take_word(Walker *walker, const char *p, const char *word, size_t len, SgipValueKind kind)
{
	if ((size_t) (walker->end - p) < len || memcmp(p, word, len) != 0)
		return NULL;
	return add_value(walker, kind, p, p + len, p + len);
}

/* The first byte that is no digit, or end. */
static inline const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Takes the number at p: an integer, perhaps with a fraction. */
static const char *
take_number(Walker *walker, const char *p)
{
	const char *end = walker->end;
	const char *digits = *p == '-' ? p + 1 : p;
	const char *last = skip_digits(digits, end);
	const char *fraction;

	if (last == digits || (*digits == '0' && last > digits + 1))
		return NULL;
	if (last < end && *last == '.')
	{
		fraction = last + 1;
		last = skip_digits(fraction, end);
		if (last == fraction)
			return NULL;
	}
	/* what follows is looked at by the caller, and an exponent is none of it */
	if (last - p > MAX_PLAIN_NUMBER)
		return NULL;
	return add_value(walker, SGIP_VALUE_NUMBER, p, last, last);
}

/* Takes the list whose bracket is at p. */
static const char *
take_list(Walker *walker, const char *p, int depth)
{
	uint32_t	list = walker->tape->count;
	uint32_t	len = 0;
	uint8_t		contents = 0;

	if (add_value(walker, SGIP_VALUE_LIST, p, p, p) == NULL ||
		(p = next_byte(walker, p + 1)) == NULL)
		return NULL;
	while (*p != ']')
	{
		uint32_t	item = walker->tape->count;

		if (len > 0 && (*p != ',' || (p = next_byte(walker, p + 1)) == NULL))
			return NULL;
		if ((p = take_value(walker, p, depth)) == NULL || (p = next_byte(walker, p)) == NULL)
			return NULL;
		contents |= walker->tape->nodes[item].kind;
		len++;
	}
	walker->tape->nodes[list].contents = contents;
	sgip_tape_close(walker->tape, list, len);
	return p + 1;
}

/*
 * Takes a key, the colon and the space around it; "object" has so many members
 * before.  *key receives where the key stands.
 */
static const char *
take_key(Walker *walker, const char *p, uint32_t object, uint32_t len, SgipSpan *key)
{
	const char *quote = take_quoted(walker, p);
	SgipNode   *node = &walker->tape->nodes[object];
	SgipElement element;

	if (quote == NULL)
		return NULL;
	key->data = p + 1;
	key->len = (size_t) (quote - key->data);
	p = next_byte(walker, quote + 1);
	if (p == NULL || *p != ':' || len >= MAX_PLAIN_MEMBERS)
		return NULL;
	element.text.data = walker->start;
	node->len = len;
	return sgip_node_find(&element, node, key->data, key->len) ? NULL : next_byte(walker, p + 1);
}

/* Lets the latest member, which begins at that node, have a key. */
static inline void
set_key(Walker *walker, uint32_t member, const char *key, size_t len, int slot)
{
	SgipNode   *node = &walker->tape->nodes[member];

	node->key_at = (uint32_t) (key - walker->start);
	node->key_len = (uint32_t) len;
	node->slot = (uint8_t) slot;
}

/* Does the gap stand at p, where as many bytes as the longest can be read? */
static inline bool
gap_fits(const SgipPattern *pattern, int slot, const char *p)
{
#ifdef SGIP_JSON_SSE2
	const char *text = pattern->gaps[slot].text;
	__m128i		low = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) p),
									 _mm_loadu_si128((const __m128i *) text));
	__m128i		high = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (p + 16)),
									  _mm_loadu_si128((const __m128i *) (text + 16)));
	uint32_t	same = (uint32_t) _mm_movemask_epi8(low) |
		(uint32_t) _mm_movemask_epi8(high) << 16;

	return (~same & pattern->gaps[slot].wanted) == 0;
#else
	return memcmp(p, pattern->gaps[slot].text, (size_t) pattern->gaps[slot].len) == 0;
#endif
}

/* The slot, from that one on, whose gap stands at p; else the number of slots. */
static inline int
find_slot(const Walker *walker, int slot, const char *p)
{
	const SgipPattern *pattern = walker->pattern;

	if (walker->end - p <= SGIP_GAP_BYTES)
		return pattern->count;
	while (slot < pattern->count && !gap_fits(pattern, slot, p))
		slot++;
	return slot;
}

/*
 * Remembers how the element is made, unless it has too many members or a gap
 * is too long.
 */
static void
learn(Walker *walker, uint32_t len)
{
	SgipPattern *pattern = walker->pattern;
	SgipNode   *member = walker->tape->nodes + 1;

	pattern->count = 0;
	if (len > SGIP_MAX_SLOTS)
		return;
	for (uint32_t i = 0; i < len; i++, member += member->size)
	{
		const char *gap = walker->start + member->key_at - 1;
		size_t		gap_len = (size_t) (walker->start + member->at - gap) - (member->kind == SGIP_VALUE_STRING);

		if (gap_len > SGIP_GAP_BYTES)
			return;
		memset(pattern->gaps[i].text, 0, SGIP_GAP_BYTES);
		memcpy(pattern->gaps[i].text, gap, gap_len);
		pattern->gaps[i].len = (int) gap_len;
		pattern->gaps[i].wanted = (uint32_t) ((UINT64_C(1) << gap_len) - 1);
		pattern->gaps[i].key_len = (int) member->key_len;
		member->slot = (uint8_t) i;
	}
	pattern->count = (int) len;
	pattern->shape = ++last_shape;
	walker->shape = pattern->shape;
}

/*
 * Takes the object whose bracket is at p.  As long as the members of an
 * element are those of the elements before, or some of them, in the same
 * order, no key can repeat.
 */
static const char *
take_object(Walker *walker, const char *p, int depth)
{
	const SgipPattern *pattern = walker->pattern;
	uint32_t	object = walker->tape->count;
	bool		alike = depth == 1 && pattern->count > 0;
	uint32_t	len = 0;
	int			slot = 0;

	if (add_value(walker, SGIP_VALUE_OBJECT, p, p, p) == NULL)
		return NULL;
	do
	{
		uint32_t	member = walker->tape->count;
		SgipSpan	key;

		if ((p = next_byte(walker, p + 1)) == NULL)
			return NULL;
		if (alike && (slot = find_slot(walker, slot, p)) < pattern->count)
		{
			key.data = p + 1;
			key.len = (size_t) pattern->gaps[slot].key_len;
			p += pattern->gaps[slot].len;
		}
		else
		{
			alike = false;
			if (*p == '}' && len == 0)
				break;
			if ((p = take_key(walker, p, object, len, &key)) == NULL)
				return NULL;
		}
		if ((p = take_value(walker, p, depth)) == NULL)
			return NULL;
		set_key(walker, member, key.data, key.len, slot++);
		len++;
		if ((p = next_byte(walker, p)) == NULL)
			return NULL;
	} while (*p == ',');
	if (*p != '}')
		return NULL;
	sgip_tape_close(walker->tape, object, len);
	if (alike)
		walker->shape = pattern->shape;
	else if (depth == 1)
		learn(walker, len);
	return p + 1;
}

/* Takes the value at p, within so many brackets, that is no string. */
static const char *
take_other(Walker *walker, const char *p, int depth)
{
	switch (*p)
	{
		case '[':
			return depth < MAX_PLAIN_DEPTH ? take_list(walker, p, depth + 1) : NULL;
		case '{':
			return depth < MAX_PLAIN_DEPTH ? take_object(walker, p, depth + 1) : NULL;
		case 't':
			return take_word(walker, p, "true", 4, SGIP_VALUE_BOOLEAN);
		case 'f':
			return take_word(walker, p, "false", 5, SGIP_VALUE_BOOLEAN);
		case 'n':
			return take_word(walker, p, "null", 4, SGIP_VALUE_NULL);
	}
	return take_number(walker, p);
}

const char *
sgip_plain_read(const char *text, const char *end, SgipPattern *pattern,
				SgipTape *tape, SgipElement *element)
{
	Walker		walker = {text, end, tape, pattern, 0};
	const char *behind;

	tape->count = 0;
	behind = *text == '{' ? take_object(&walker, text, 1) : take_value(&walker, text, 0);
	if (behind != NULL)
		sgip_tape_show(tape, text, (size_t) (behind - text), walker.shape, element);
	return behind;
}
