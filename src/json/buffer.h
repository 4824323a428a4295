/*-------------------------------------------------------------------------
 *
 * buffer.h
 *		A growable buffer of malloc'd bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_BUFFER_H
#define SGIP_BUFFER_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Initial size of a buffer; most contents are shorter */
#define SGIP_BUFFER_START_BYTES 512

/* All zero is an empty buffer */
typedef struct SgipBuffer
{
	char	   *data;			/* malloc'd, or NULL */
	size_t		len;
	size_t		size;
} SgipBuffer;

/* Makes room for "more" bytes behind the contents; false when out of memory */
static inline bool
sgip_buffer_reserve(SgipBuffer *buffer, size_t more)
{
	size_t		size = buffer->size > 0 ? buffer->size : SGIP_BUFFER_START_BYTES;
	char	   *data;

	if (buffer->size - buffer->len >= more)
		return true;
	while (size - buffer->len < more)
		size *= 2;
	data = realloc(buffer->data, size);
	if (data == NULL)
		return false;
	buffer->data = data;
	buffer->size = size;
	return true;
}

/* Appends a copy of bytes; false when out of memory */
static inline bool
sgip_buffer_add(SgipBuffer *buffer, const char *data, size_t len)
{
	if (!sgip_buffer_reserve(buffer, len))
		return false;
	if (len > 0)
		memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	return true;
}

/* Frees the contents; the buffer is empty then */
static inline void
sgip_buffer_free(SgipBuffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}

#endif							/* SGIP_BUFFER_H */
