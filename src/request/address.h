/*-------------------------------------------------------------------------
 *
 * address.h
 *		IPv4 addresses as the API writes them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_ADDRESS_H
#define SGIP_ADDRESS_H

#include "json/element.h"

/*
 * Is the text an IPv4 address in its one plain spelling, four decimal numbers
 * without leading zeros?
 */
static inline bool
sgip_parse_ipv4(SgipSpan text, uint32_t *address)
{
	const char *p = text.data;
	const char *end = p + text.len;

	*address = 0;
	for (int i = 0; i < 4; i++)
	{
		const char *begin = p;
		uint32_t	octet = 0;

		while (p < end && *p >= '0' && *p <= '9' && p - begin < 3)
			octet = octet * 10 + (uint32_t) (*p++ - '0');
		if (p == begin || octet > 255 || (*begin == '0' && p - begin > 1))
			return false;
		*address = *address << 8 | octet;
		if (i < 3 && (p == end || *p++ != '.'))
			return false;
	}
	return p == end;
}

#endif							/* SGIP_ADDRESS_H */
