/*-------------------------------------------------------------------------
 *
 * element.c
 *		Values of an element: finding, copying and writing them; errors.
 *
 *-------------------------------------------------------------------------
 */
#include "json/element.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* What precedes the nodes and the text of a packed element */
typedef struct PackHead
{
	uint64_t	shape;
	uint64_t	number;
	uint64_t	text_len;
} PackHead;

/*-------------------------------------------------------------------------
 * Values
 *-------------------------------------------------------------------------
 */

const SgipNode *
sgip_node_find(const SgipElement *element, const SgipNode *object, const char *key, size_t len)
{
	const SgipNode *member;

	if (object == NULL || object->kind != SGIP_VALUE_OBJECT)
		return NULL;
	member = object + 1;
	for (uint32_t n = object->len; n > 0; n--, member += member->size)
	{
		if (member->key_len == len &&
			(len == 0 || memcmp(element->text.data + member->key_at, key, len) == 0))
			return member;
	}
	return NULL;
}

SgipValue
sgip_node_value(const SgipElement *element, const SgipNode *node)
{
	SgipValue	value = {SGIP_VALUE_ABSENT, {NULL, 0}};

	if (node != NULL)
	{
		value.kind = (SgipValueKind) node->kind;
		value.text = sgip_node_text(element, node);
	}
	return value;
}

SgipValue
sgip_json_member(const SgipElement *element, const char *key)
{
	return sgip_node_value(element, sgip_node_member(element, element->nodes, key));
}

/* Appends a string with the escapes that JSON requires. */
static bool
write_string(const char *data, size_t len, SgipBuffer *json)
{
	bool		good = sgip_buffer_add(json, "\"", 1);

	for (size_t i = 0; good && i < len; i++)
	{
		char		escape[8];

		if ((unsigned char) data[i] < 0x20)
		{
			snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char) data[i]);
			good = sgip_buffer_add(json, escape, 6);
		}
		else
			good = ((data[i] != '"' && data[i] != '\\') || sgip_buffer_add(json, "\\", 1)) &&
				sgip_buffer_add(json, data + i, 1);
	}
	return good && sgip_buffer_add(json, "\"", 1);
}

bool
sgip_node_write(const SgipElement *element, const SgipNode *node, SgipBuffer *json)
{
	bool		object = node->kind == SGIP_VALUE_OBJECT;
	const SgipNode *item = node + 1;
	SgipSpan	text = sgip_node_text(element, node);
	bool		good;

	if (node->kind == SGIP_VALUE_STRING)
		return write_string(text.data, text.len, json);
	if (node->kind == SGIP_VALUE_NULL)
		return sgip_buffer_add(json, "null", 4);
	if (!object && node->kind != SGIP_VALUE_LIST)
		return sgip_buffer_add(json, text.data, text.len);
	good = sgip_buffer_add(json, object ? "{" : "[", 1);
	for (uint32_t i = 0; good && i < node->len; i++, item += item->size)
	{
		if (i > 0)
			good = sgip_buffer_add(json, ",", 1);
		if (good && object)
			good = write_string(element->text.data + item->key_at, item->key_len, json) &&
				sgip_buffer_add(json, ":", 1);
		good = good && sgip_node_write(element, item, json);
	}
	return good && sgip_buffer_add(json, object ? "}" : "]", 1);
}

/*-------------------------------------------------------------------------
 * Copies
 *-------------------------------------------------------------------------
 */

size_t
sgip_element_pack_size(const SgipElement *element)
{
	return sizeof(PackHead) + element->nodes[0].size * sizeof(SgipNode) + element->text.len;
}

void
sgip_element_pack(const SgipElement *element, char *to)
{
	PackHead	head = {element->shape, (uint64_t) element->number, element->text.len};
	size_t		bytes = element->nodes[0].size * sizeof(SgipNode);

	memcpy(to, &head, sizeof(head));
	memcpy(to + sizeof(head), element->nodes, bytes);
	if (element->text.len > 0)
		memcpy(to + sizeof(head) + bytes, element->text.data, element->text.len);
}

void
sgip_element_unpack(const char *from, SgipElement *element)
{
	PackHead	head;

	memcpy(&head, from, sizeof(head));
	memset(element, 0, sizeof(*element));
	element->shape = head.shape;
	element->number = (long) head.number;
	element->nodes = (const SgipNode *) (const void *) (from + sizeof(head));
	element->text.data = (const char *) (element->nodes + element->nodes[0].size);
	element->text.len = head.text_len;
	element->raw.data = element->text.data;
}

/*-------------------------------------------------------------------------
 * The API's errors
 *-------------------------------------------------------------------------
 */

/* The text of a member, empty if there is none. */
static SgipSpan
member_text(const SgipElement *element, const SgipNode *object, const char *key)
{
	return sgip_node_value(element, sgip_node_member(element, object, key)).text;
}

/* Adds a message, set off from those before and led by what it is about. */
static bool
add_message(SgipBuffer *words, SgipSpan field, SgipSpan message)
{
	return (words->len == 0 || sgip_buffer_add(words, "; ", 2)) &&
		(field.len == 0 ||
		 (sgip_buffer_add(words, field.data, field.len) && sgip_buffer_add(words, ": ", 2))) &&
		sgip_buffer_add(words, message.data, message.len);
}

/* Adds what one reported error says, in whatever form it comes. */
static bool
add_error(SgipBuffer *words, const SgipElement *element, const SgipNode *error)
{
	static const SgipSpan error_id = {"error_id", 8};
	SgipSpan	message = sgip_node_value(element, error).text;
	SgipSpan	id;

	if (error != NULL && error->kind == SGIP_VALUE_LIST)
	{
		const SgipNode *item = error + 1;

		for (uint32_t n = error->len; n > 0; n--, item += item->size)
		{
			if (!add_error(words, element, item))
				return false;
		}
	}
	else if (error != NULL && error->kind == SGIP_VALUE_OBJECT)
		message = member_text(element, error, "message");
	/* what the API's support asks for */
	id = member_text(element, error, "error_id");
	return (message.len == 0 || add_message(words, member_text(element, error, "field"), message)) &&
		(id.len == 0 || add_message(words, error_id, id));
}

/* The "code" of an error object if it is a number that fits, else 0. */
static int
error_code(const SgipElement *element, const SgipNode *error)
{
	SgipSpan	text = member_text(element, error, "code");
	char		digits[16];
	long		number;

	if (text.len == 0 || text.len >= sizeof(digits))
		return 0;
	memcpy(digits, text.data, text.len);
	digits[text.len] = '\0';
	number = strtol(digits, NULL, 10);
	return number > 0 && number < INT_MAX ? (int) number : 0;
}

bool
sgip_element_error(const SgipElement *element, SgipRemoteError *remote)
{
	const SgipNode *error = sgip_node_member(element, element->nodes, "error");
	const SgipNode *errors = sgip_node_member(element, element->nodes, "errors");
	const SgipNode *message = sgip_node_member(element, element->nodes, "message");
	SgipSpan	said = sgip_node_value(element, message).text;
	SgipBuffer	words = {NULL, 0, 0};

	if ((error == NULL || error->kind == SGIP_VALUE_NULL) &&
		(errors == NULL || errors->len == 0 ||
		 (errors->kind & (SGIP_VALUE_STRING | SGIP_VALUE_LIST | SGIP_VALUE_OBJECT)) == 0) &&
		(said.len != 5 || memcmp(said.data, "error", 5) != 0))
		return false;
	remote->code = error_code(element, error);
	if (!add_error(&words, element, error) || !add_error(&words, element, errors) ||
		(words.len == 0 && !add_error(&words, element, message)) ||
		(words.len == 0 && !sgip_buffer_add(&words, "error", 5)) ||
		!sgip_buffer_add(&words, "", 1))
		sgip_buffer_free(&words);
	remote->text = words.data;
	return true;
}
