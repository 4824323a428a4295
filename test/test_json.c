/*-------------------------------------------------------------------------
 *
 * test_json.c
 *		Tests the reader of JSON: a corpus of documents, limits, mutations, speed.
 *
 *	gcc -O2 -Wall -Wextra -Isrc test/test_json.c src/json/{element,json,plain,tree}.c -ljansson -o test_json
 *	./test_json [--seed N] [--mutations N] [DIRECTORY]
 *	./test_json --print FILE	what the reader says about one document
 *	./test_json --bench			time for each element
 *
 * A case of the corpus is a file NAME.json and what is said about it in
 * NAME.expect: its elements, one on a line, then the verdict.  NAME.shape, if
 * there is one, has lines "list_key KEY" and "row_key KEY" ("-" for none)
 * where they are not "ips" and "ip", and lines "envelope PATH" for what to
 * look up behind the end.  DIRECTORY (test/json) has the documents that are
 * accepted in good/ and the others in bad/.
 *
 *-------------------------------------------------------------------------
 */
#include <dirent.h>
#include <time.h>

#include "json/tree.h"

#include "json_check.h"

/* Mutations for each document of the corpus */
#define DEFAULT_MUTATIONS 400

/* Documents above this are not mutated: nothing is found that small ones lack */
#define MUTABLE_BYTES 4096

/* What the bench reads, and in windows of what size */
#define BENCH_ELEMENTS 1000000
#define BENCH_WINDOW (128 * 1024)

/* A document of the corpus */
typedef struct Case
{
	char		name[256];		/* path without .json */
	bool		good;
	Text		doc;
	Text		expect;
	Text		shape_text;		/* owner of what follows */
	Reading		how;
} Case;

static long passed = 0;
static long failed = 0;

/* Counts one check, and names it if it failed */
static bool
check(bool ok, const char *name, const char *what)
{
	if (ok)
		passed++;
	else
	{
		failed++;
		printf("FAILED %s: %s\n", name, what);
	}
	return ok;
}

/* Reads a file; false if there is none */
static bool
load(Text *text, const char *name, const char *suffix)
{
	char		path[512];
	char		buffer[4096];
	size_t		n;
	FILE	   *file;

	clear(text);
	snprintf(path, sizeof(path), "%s%s", name, suffix);
	file = fopen(path, "rb");
	if (file == NULL)
		return false;
	while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
		put_bytes(text, buffer, n);
	fclose(file);
	return true;
}

/* Takes the lines of a .shape file, which is cut into strings */
static void
take_shape(Case *c)
{
	char	   *line;

	c->how.shape.list_key = "ips";
	c->how.shape.row_key = "ip";
	c->how.exact = true;
	for (line = strtok(c->shape_text.data, "\n"); line != NULL; line = strtok(NULL, "\n"))
	{
		char	   *value = strchr(line, ' ');

		if (value == NULL)
			continue;
		*value++ = '\0';
		if (strcmp(line, "list_key") == 0)
			c->how.shape.list_key = strcmp(value, "-") == 0 ? NULL : value;
		else if (strcmp(line, "row_key") == 0)
			c->how.shape.row_key = strcmp(value, "-") == 0 ? NULL : value;
		else if (strcmp(line, "envelope") == 0 && c->how.path_count < MAX_PATHS)
			c->how.paths[c->how.path_count++] = value;
	}
}

/* Loads a case by its path without .json */
static bool
load_case(Case *c, const char *name)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	if (!load(&c->doc, name, ".json"))
		return false;
	load(&c->expect, name, ".expect");
	load(&c->shape_text, name, ".shape");
	take_shape(c);
	return true;
}

/*-------------------------------------------------------------------------
 * The corpus
 *-------------------------------------------------------------------------
 */

/* Every way of feeding must say what the case expects */
static void
test_case(const Case *c)
{
	static const struct
	{
		size_t		piece;
		uint64_t	seed;
		const char *what;
	}			feeds[] = {
		{0, 0, "whole"}, {1, 0, "byte by byte"}, {2, 0, "in pairs"},
		{7, 11, "in random pieces"}, {40, 12, "in random pieces"}, {300, 13, "in random pieces"}
	};
	Text		text = {NULL, 0, 0};
	char		what[100];
	size_t		i;

	for (i = 0; i < 2 * sizeof(feeds) / sizeof(feeds[0]); i++)
	{
		Reading		how = c->how;

		how.force_tree = i % 2 == 1;
		how.piece = feeds[i / 2].piece;
		how.seed = feeds[i / 2].seed;
		read_document(&text, c->doc.data, c->doc.len, &how);
		snprintf(what, sizeof(what), "%s, %s", feeds[i / 2].what,
				 how.force_tree ? "as trees" : "in place");
		if (!check(strcmp(text.data, c->expect.data) == 0, c->name, what))
			printf("  expected:\n%s  read:\n%s", c->expect.data, text.data);
	}
	i = text.len >= 4 && strcmp(text.data + text.len - 4, "end\n") == 0;
	check(c->good == (i == 1), c->name, "stands in the right directory");
	check(check_document(c->doc.data, c->doc.len, &c->how.shape, 5) == NULL,
		  c->name, "jansson's opinion of the whole");
	free(text.data);
}

/* Orders cases by name, so that mutations repeat */
static int
compare_cases(const void *a, const void *b)
{
	return strcmp(((const Case *) a)->name, ((const Case *) b)->name);
}

/* Adds the cases of a directory; returns how many there are now */
static size_t
load_directory(Case **cases, size_t count, const char *directory, bool good)
{
	DIR		   *dir = opendir(directory);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
	{
		size_t		len = strlen(entry->d_name);
		char		name[512];

		if (len < 5 || strcmp(entry->d_name + len - 5, ".json") != 0)
			continue;
		snprintf(name, sizeof(name), "%s/%.*s", directory, (int) (len - 5), entry->d_name);
		*cases = need(realloc(*cases, (count + 1) * sizeof(Case)));
		if (check(load_case(&(*cases)[count], name), name, "can be read"))
			(*cases)[count++].good = good;
	}
	if (dir != NULL)
		closedir(dir);
	return count;
}

/*-------------------------------------------------------------------------
 * Mutations
 *-------------------------------------------------------------------------
 */

/* Replaces "cut" bytes at a place by others */
static void
splice(Text *text, size_t at, size_t cut, const char *data, size_t len)
{
	Text		result = {NULL, 0, 0};

	put_bytes(&result, text->data, at);
	put_bytes(&result, data, len);
	put_bytes(&result, text->data + at + cut, text->len - at - cut);
	free(text->data);
	*text = result;
}

/* Changes the document in one way or another */
static void
mutate(Text *text, const Case *cases, size_t count, uint64_t *state)
{
	static const char *const scraps[] = {
		"\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "null", "true", "0", "-1", "1e999",
		"12345678901234567890123", "1.50", "\\u0000", "\\ud83d\\ude00", "\\ud83d", "\\n", "\xC3\xA9",
		"\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF",
		"\x01", "\x7F", "1.0", "-", "01", "1.", "false", "nul", "[\"a\",1]", "{\"a\":[]}", "\"pools\":[", "\"warmup\":true,", "\xEF\xBB\xBF", "\"ip\":", "\"ips\":", "\"ips\":[", "\"error\":", "\"errors\":[",
		"\"message\":\"error\"", "{\"ip\":\"1\"}", "\"i\\u0070s\"", "},{", "\"a\",", "[]", "{}"
	};
	const Case *other = &cases[next_random(state) % count];
	size_t		at = next_random(state) % (text->len + 1);
	size_t		left = text->len - at;
	size_t		some = left > 0 ? next_random(state) % (left < 20 ? left + 1 : 20) : 0;
	const char *scrap = scraps[next_random(state) % (sizeof(scraps) / sizeof(scraps[0]))];
	char		byte = (char) next_random(state);

	switch (next_random(state) % 7)
	{
		case 0:
			splice(text, at, left > 0, &byte, 1);
			break;
		case 1:
			splice(text, at, 0, scrap, strlen(scrap));
			break;
		case 2:
			splice(text, at, some, scrap, strlen(scrap));
			break;
		case 3:
			splice(text, at, some, "", 0);
			break;
		case 4:
			splice(text, at, left, "", 0);
			break;
		case 5:
			splice(text, next_random(state) % (text->len + 1), 0, text->data + at, some);
			break;
		case 6:
			if (other->doc.len > 0 && other->doc.len < MUTABLE_BYTES)
			{
				size_t		from = next_random(state) % other->doc.len;
				size_t		len = next_random(state) % (other->doc.len - from + 1);

				splice(text, at, some, other->doc.data + from, len < 80 ? len : 80);
			}
			break;
	}
}

/* Every way of reading must agree about every mutation */
static void
test_mutations(const Case *cases, size_t count, long mutations, uint64_t seed)
{
	Text		text = {NULL, 0, 0};
	long		n;

	for (size_t i = 0; i < count; i++)
	{
		uint64_t	state = seed + i;

		if (cases[i].doc.len > MUTABLE_BYTES)
			continue;
		for (n = 0; n < mutations; n++)
		{
			size_t		times = 1 + next_random(&state) % 3;
			const char *failure;

			clear(&text);
			put_bytes(&text, cases[i].doc.data, cases[i].doc.len);
			while (times-- > 0)
				mutate(&text, cases, count, &state);
			failure = check_document(text.data, text.len, &cases[i].how.shape, seed + n);
			if (!check(failure == NULL, cases[i].name, failure))
			{
				printf("  mutation %ld: ", n);
				fwrite(text.data, 1, text.len, stdout);
				printf("\n");
			}
		}
	}
	free(text.data);
}

/*-------------------------------------------------------------------------
 * Limits and other cases that are made here
 *-------------------------------------------------------------------------
 */

/* Adds the same bytes many times */
static void
put_many(Text *text, const char *string, size_t times)
{
	while (times-- > 0)
		put(text, string);
}

/* Fed in several ways, the text written down must end with these words */
static void
expect_words(const char *name, const Text *doc, const char *words)
{
	static const size_t pieces[] = {0, 1, 70000};
	Text		text = {NULL, 0, 0};
	size_t		len = strlen(words);

	for (size_t i = 0; i < 6; i++)
	{
		size_t		piece = pieces[i / 2];
		Reading		how = {
			.shape = {"ips", "ip"}, .in_place = true, .piece = piece,
			.seed = piece > 1 ? 3 : 0, .force_tree = i % 2 == 1
		};

		read_document(&text, doc->data, doc->len, &how);
		if (!check(text.len >= len && strcmp(text.data + text.len - len, words) == 0, name,
				   how.force_tree ? "as trees" : "in place"))
			printf("  expected: %s  read: %.300s\n", words,
				   text.len > 300 ? text.data + text.len - 300 : text.data);
	}
	free(text.data);
}

/* A document of a head, filling up to the limit, and a tail */
static void
test_size(const char *name, const char *head, const char *filling, const char *tail,
		  size_t around, const char *refusal)
{
	Text		doc = {NULL, 0, 0};
	size_t		room = SGIP_JSON_MAX_ELEMENT_BYTES - (strlen(head) + strlen(tail) - around);

	put(&doc, head);
	put_many(&doc, filling, room / strlen(filling));
	put_many(&doc, "x", room % strlen(filling));
	put(&doc, tail);
	expect_words(name, &doc, "end\n");

	splice(&doc, strlen(head), 0, "x", 1);
	expect_words(name, &doc, refusal);

	/* it is refused before its end is there */
	memset(doc.data + doc.len - strlen(tail), 'x', strlen(tail));
	expect_words(name, &doc, refusal);
	free(doc.data);
}

/* An element, and the rest of an enclosing object, of the largest size */
static void
test_sizes(void)
{
	static const char *const element =
		"invalid: element 1, at byte 2, is larger than 1048576 bytes\n";
	static const char *const object =
		"invalid: the object at byte 1 is larger than 1048576 bytes\n";

	test_size("largest string", "[\"", "abcdefgh", "\"]", 2, element);
	test_size("largest string with escapes", "[\"", "\\u00e9\\n", "\"]", 2, element);
	test_size("largest string beyond ASCII", "[\"", "\xE2\x82\xAC", "\"]", 2, element);
	test_size("largest flat object", "[{\"ip\":\"1\",\"user\":\"", "y", "\"}]", 2, element);
	test_size("largest tree", "[{\"ip\":\"1\",\"id\":7,\"user\":\"", "z", "\"}]", 2, element);
	test_size("largest head", "{\"note\":\"", "n", "\",\"ips\":[\"a\",\"b\"]}", 7, object);
	test_size("largest tail", "{\"ips\":[{\"ip\":\"1\"} ],\"note\":\"", "n", "\"}", 11, object);
	test_size("largest bare row", "{\"ip\":\"1\",\"note\":\"", "n", "\"}", 0, object);
}

/* A document that opens many brackets within head and tail */
static void
test_depth(const char *name, const char *head, size_t levels, const char *tail,
		   bool closed, const char *words)
{
	Text		doc = {NULL, 0, 0};

	put(&doc, head);
	put_many(&doc, "[", levels);
	if (closed)
	{
		put_many(&doc, "]", levels);
		put(&doc, tail);
	}
	expect_words(name, &doc, words);
	free(doc.data);
}

/* An element that is cut at the largest size is cut, not too large */
static void
test_cut_size(void)
{
	Text		doc = {NULL, 0, 0};

	put(&doc, "[\"");
	put_many(&doc, "x", SGIP_JSON_MAX_ELEMENT_BYTES - 1);
	expect_words("cut at the largest size", &doc,
				 "invalid: the answer ends too early, after byte 1048577\n");
	put(&doc, "x");
	expect_words("cut behind the largest size", &doc,
				 "invalid: element 1, at byte 2, is larger than 1048576 bytes\n");
	free(doc.data);
}

/* Nesting up to the limit, one past it, and far past it */
static void
test_depths(void)
{
	static const char *const element =
		"invalid: element 1, at byte 2, is nested deeper than 32 levels\n";
	static const char *const object =
		"invalid: the object at byte 1 is nested deeper than 32 levels\n";
	size_t		most = SGIP_JSON_MAX_DEPTH - 1;

	test_depth("deepest element", "[{\"a\":", most, "}]", true, "end\n");
	test_depth("too deep element", "[{\"a\":", most + 1, "}]", true, element);
	test_depth("too deep element, cut", "[{\"a\":", most + 1, "", false, element);
	test_depth("100000 levels", "[{\"a\":", 100000, "}]", true, element);
	test_depth("100000 levels, cut", "[{\"a\":", 100000, "", false, element);
	test_depth("deepest head", "{\"a\":", most, ",\"ips\":[]}", true, "end\n");
	test_depth("too deep head", "{\"a\":", most + 1, ",\"ips\":[]}", true, object);
	test_depth("deepest tail", "{\"ips\":[],\"a\":", most, "}", true, "end\n");
	test_depth("too deep tail", "{\"ips\":[],\"a\":", most + 1, "}", true, object);
	test_depth("too deep tail, cut", "{\"ips\":[],\"a\":", 100000, "", false, object);
	test_depth("100000 lists", "", 100000, "", true,
			   "invalid: element 1, at byte 2, is neither a string nor an object\n");
}

/* A list of many elements of every form */
static void
test_many(void)
{
	Text		doc = {NULL, 0, 0};

	put(&doc, "{\"a\":1,\"ips\":[");
	for (int i = 0; i < 5000; i++)
		put(&doc, i % 3 == 0 ? "{\"ip\":\"1\",\"user\":\"u\"}," : i % 3 == 1 ? "\"x\"," : "{\"ip\":2},");
	put(&doc, "\"last\"],\"b\":null}");
	expect_words("many elements", &doc, "\"last\"\nend\n");
	free(doc.data);
}

/* Bodies of failed answers, as sgip_json_parse_error() reads them */
static void
test_errors(void)
{
	static const struct
	{
		const char *body;
		int			code;
		const char *text;		/* NULL: no error object */
	}			errors[] = {
		{"{\"error\":{\"code\":401,\"message\":\"Permission denied\"}}", 401, "Permission denied"},
		{"\xEF\xBB\xBF\n {\"error\" : \"Bad username / password\"}\r\n", 0, "Bad username / password"},
		{"{\"message\":\"error\",\"errors\":[\"a\",\"b\"]}", 0, "a; b"},
		{"{\"message\":\"error\"}", 0, "error"},
		{"{\"errors\":[{\"field\":null,\"message\":\"too many requests\"}]}", 0, "too many requests"},
		{"{\"errors\":[{\"field\":\"ip\",\"message\":\"not found\",\"help\":{}}],\"id\":\"x\"}", 0, "ip: not found"},
		{"{\"errors\":[{\"message\":\"a\",\"error_id\":\"10-5\"},{\"field\":\"\",\"message\":\"b\"}]}", 0, "a; error_id: 10-5; b"},
		{"{\"error\":\"x\",\"ips\":[1,2]}", 0, "x"},
		{"{\"error\":7}", 0, "7"},
		{"{\"error\":{\"code\":99999999999,\"message\":null}}", 0, "error"},
		{"{\"error\":{\"code\":\"404\",\"message\":\"m\"}}", 404, "m"},
		{"{\"errors\":[]}", 0, NULL},
		{"{\"error\":null}", 0, NULL},
		{"{\"message\":\"fine\"}", 0, NULL},
		{"{\"error\":\"x\"} x", 0, NULL},
		{"{\"error\":\"x\"", 0, NULL},
		{"[{\"error\":\"x\"}]", 0, NULL},
		{"\"error\"", 0, NULL},
		{"<html>error</html>", 0, NULL},
		{"", 0, NULL}
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
	{
		SgipRemoteError error = {-1, NULL};
		bool		found;

		found = sgip_json_parse_error(errors[i].body, strlen(errors[i].body), &error);
		check(found == (errors[i].text != NULL), errors[i].body, "is an error or not");
		if (found && errors[i].text != NULL)
		{
			check(strcmp(error.text, errors[i].text) == 0, errors[i].body, error.text);
			check(error.code == errors[i].code, errors[i].body, "code");
		}
		free(error.text);
	}
	check(!sgip_json_parse_error(NULL, 0, NULL), "no body", "is no error");
}

/* Reads the first element of a document */
static SgipJsonReader *
read_first(const char *doc, SgipElement *element)
{
	SgipJsonShape shape = {NULL, NULL};
	SgipJsonReader *reader = need(sgip_json_open(&shape, false));
	size_t		consumed;

	if (sgip_json_next(reader, doc, strlen(doc), true, &consumed, element) != SGIP_JSON_ELEMENT)
		check(false, doc, "is an element");
	return reader;
}

/* Members are found by their whole names */
static void
test_members(void)
{
	static const char doc[] = "[{\"ip\":\"1\",\"user\":\"2\",\"\":\"3\",\"i\":\"4\",\"o\":{\"ipx\":\"5\"}}]";
	static const char *const keys[] = {"ip", "user", "", "i"};
	static const char *const values[] = {"1", "2", "3", "4"};
	SgipElement element;
	SgipJsonReader *reader = read_first(doc, &element);
	int			i;

	for (i = 0; i < 4; i++)
	{
		SgipValue	value = sgip_json_member(&element, keys[i]);

		check(value.kind == SGIP_VALUE_STRING && value.text.len == 1 &&
			  value.text.data[0] == values[i][0], "members", keys[i]);
	}
	check(sgip_json_member(&element, "ipx").kind == SGIP_VALUE_ABSENT, "members", "ipx");
	sgip_json_close(reader);
}

/* Elements with some of the keys of the one before are of its shape */
static void
test_shapes(void)
{
	static const char doc[] = "[{\"a\":1,\"b\":[\"x\"],\"c\":null},{\"a\":2,\"c\":3},{\"b\":1},{\"b\":1,\"a\":2},"
		"{\"b\":7,\"a\":8                                       }]";
	SgipJsonShape shape = {NULL, NULL};
	SgipJsonReader *reader = need(sgip_json_open(&shape, false));
	SgipElement element;
	size_t		done = 0;
	size_t		consumed;
	uint64_t	shapes[5] = {0};
	int			i;

	for (i = 0; i < 5; i++)
	{
		if (sgip_json_next(reader, doc + done, strlen(doc) - done, true, &consumed, &element) != SGIP_JSON_ELEMENT)
			break;
		done += consumed;
		shapes[i] = element.shape;
		if (i == 1)
			check(element.nodes[2].slot == 2, "shapes", "slot of a member behind one that is missing");
	}
	check(i == 5 && shapes[0] != 0, "shapes", "there are");
	check(shapes[1] == shapes[0] && shapes[2] == shapes[0], "shapes", "are the same with members missing");
	check(shapes[3] != shapes[0] && shapes[3] != 0, "shapes", "differ where members come in another order");
	check(shapes[4] == shapes[3], "shapes", "are the same whatever stands behind the members");
	sgip_json_close(reader);
}

/* What is plain is used in place, and nothing else */
static void
test_places(void)
{
	static const struct
	{
		const char *doc;
		bool		in_place;
	}			places[] = {
		{"[\"a\"]", true},
		{"[\"\\n\"]", false},
		{"[{}]", true},
		{"[{\"a\":\"\xC3\xA9\"}]", true},
		{"[{\"a\":\"\\n\"}]", false},
		{"[{\"\\u0061\":\"n\"}]", false},
		{"[{\"a\":1,\"b\":-0,\"c\":0.50,\"d\":true,\"e\":false,\"f\":null}]", true},
		{"[{\"a\":1e3}]", false},
		{"[{\"a\":1E3}]", false},
		{"[{\"a\":1234567890123456789012345678901234567890}]", true},
		{"[{\"a\":12345678901234567890123456789012345678901}]", false},
		{"[{\"a\":[\"b\",1,null,{\"c\":[]}]}]", true},
		{"[{\"a\":[[[]]]}]", true},
		{"[{\"a\":[[[[]]]]}]", false},
		{"[{\"a\":[\"\\/\"]}]", false}
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
	{
		SgipElement element;
		SgipJsonReader *reader = read_first(places[i].doc, &element);

		check((element.text.data == places[i].doc + 1) == places[i].in_place, places[i].doc, "in place");
		sgip_json_close(reader);
	}
}

/* Calls of jansson's allocator until it fails; negative: never */
static long allocations_left = -1;

static void *
failing_malloc(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	return malloc(size);
}

/*
 * Whichever allocation of jansson fails, the document is not accepted and
 * nothing leaks.  (jansson's lexer calls some of them invalid tokens.)
 */
static void
test_memory(void)
{
	static const char doc[] = "{\"a\":1.5,\"ips\":[{\"ip\":\"1\\n\",\"n\":[12,{\"b\":3}]}],"
		"\"c\":{\"d\":\"e\"}}";
	Text		whole = {NULL, 0, 0};
	Text		text = {NULL, 0, 0};
	Reading		how = {.shape = {"ips", NULL}, .exact = true};
	long		complete = 0;
	long		n;

	read_document(&whole, doc, strlen(doc), &how);
	json_set_alloc_funcs(failing_malloc, free);
	for (n = 0; n < 200; n++)
	{
		SgipJsonReader *reader = need(sgip_json_open(&how.shape, false));
		SgipElement element;
		SgipJsonResult result;
		size_t		consumed;
		size_t		done = 0;

		allocations_left = n;
		do
		{
			result = sgip_json_next(reader, doc + done, strlen(doc) - done, true, &consumed, &element);
			done += consumed;
		} while (result == SGIP_JSON_ELEMENT);
		if (result == SGIP_JSON_END)
			complete++;
		else
			check(complete == 0 && (result == SGIP_JSON_NO_MEMORY || result == SGIP_JSON_INVALID),
				  "out of memory", "is refused");
		sgip_json_close(reader);
		allocations_left = -1;
	}
	json_set_alloc_funcs(malloc, free);
	check(complete > 0 && complete < 200, "out of memory", "happens, and ends");
	read_document(&text, doc, strlen(doc), &how);
	check(strcmp(text.data, whole.data) == 0, "out of memory", "nothing remains of it");
	free(text.data);
	free(whole.data);
}

/*-------------------------------------------------------------------------
 * Speed
 *-------------------------------------------------------------------------
 */

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* Reads all elements in windows, asking each for two members; returns bytes */
static size_t
bench_read(const Text *doc, bool force_tree, bool members, long *count)
{
	SgipJsonShape shape = {"ips", "ip"};
	SgipJsonReader *reader = need(sgip_json_open(&shape, force_tree));
	SgipElement element;
	SgipJsonResult result;
	size_t		done = 0;
	size_t		there = 0;
	size_t		bytes = 0;
	size_t		consumed;

	do
	{
		result = sgip_json_next(reader, doc->data + done, there - done, there == doc->len,
								&consumed, &element);
		done += consumed;
		if (result == SGIP_JSON_MORE)
			there = doc->len - there < BENCH_WINDOW ? doc->len : there + BENCH_WINDOW;
		else if (result == SGIP_JSON_ELEMENT && members)
		{
			bytes += sgip_json_member(&element, "ip").text.len;
			bytes += sgip_json_member(&element, "user").text.len;
		}
	} while (result == SGIP_JSON_ELEMENT || result == SGIP_JSON_MORE);
	*count = element.number;
	if (result != SGIP_JSON_END)
		printf("bench: %s\n", sgip_json_problem(reader));
	sgip_json_close(reader);
	return bytes;
}

/* Prints the best of some runs over a million rows of one form */
static void
bench(const char *name, const char *format, bool force_tree, bool members)
{
	Text		doc = {NULL, 0, 0};
	double		best = 1e9;
	long		count = 0;
	size_t		bytes = 0;

	put(&doc, "[");
	for (int i = 0; i < BENCH_ELEMENTS; i++)
	{
		char		row[300];

		snprintf(row, sizeof(row), format, i > 0 ? "," : "", i >> 16 & 255, i >> 8 & 255, i & 255, i);
		put(&doc, row);
	}
	put(&doc, "]");
	for (int i = 0; i < (force_tree ? 3 : 7); i++)
	{
		double		start = now_ms();

		bytes = bench_read(&doc, force_tree, members, &count);
		if (now_ms() - start < best)
			best = now_ms() - start;
	}
	printf("%-28s %8ld elements %5.1f MB %7.1f ms %7.1f ns each (%zu bytes of values)\n",
		   name, count, doc.len / 1e6, best, best * 1e6 / count, bytes);
	free(doc.data);
}

static int
run_bench(void)
{
	static const char usage[] = "%s{\"ip\":\"10.%03d.%03d.%03d\",\"user\":\"customer_%07d\"}";

	static const char ips[] = "%s{\"ip\":\"10.%d.%d.%d\",\"subusers\":[\"customer_%d\"],\"rdns\":\"o1.em.example.com\","
		"\"pools\":[\"west\",\"east\"],\"warmup\":false,\"start_date\":null,\"whitelabeled\":true,"
		"\"assigned_at\":1482883200}";

	bench("usage rows", usage, false, false);
	bench("usage rows, both members", usage, false, true);
	bench("usage rows, spaced", "%s\n { \"ip\" : \"10.%d.%d.%d\", \"user\" : \"customer_%d\" }", false, true);
	bench("rows beyond ASCII", "%s{\"ip\":\"10.%d.%d.%d\",\"user\":\"k\xC3\xB6ln_%07d\"}", false, true);
	bench("rows of /v3/ips", ips, false, false);
	bench("rows of /v3/ips, as trees", ips, true, false);
	bench("strings", "%s\"10.%d.%d.%d\"", false, true);
	bench("usage rows, as trees", usage, true, true);
	return 0;
}

/*-------------------------------------------------------------------------
 * Main
 *-------------------------------------------------------------------------
 */

/* Prints what the reader says about one document */
static int
print_case(const char *file)
{
	Case		c;
	Text		text = {NULL, 0, 0};
	char		name[256];
	size_t		len = strlen(file);

	if (len > 5 && strcmp(file + len - 5, ".json") == 0)
		len -= 5;
	snprintf(name, sizeof(name), "%.*s", (int) len, file);
	if (!load_case(&c, name))
	{
		fprintf(stderr, "cannot read \"%s.json\"\n", name);
		return 2;
	}
	read_document(&text, c.doc.data, c.doc.len, &c.how);
	fwrite(text.data, 1, text.len, stdout);
	free(text.data);
	free(c.doc.data);
	free(c.expect.data);
	free(c.shape_text.data);
	return 0;
}

/* All tests over the corpus in that directory */
static void
test_corpus(const char *directory, long mutations, uint64_t seed)
{
	Case	   *cases = NULL;
	size_t		count = 0;
	char		path[400];

	snprintf(path, sizeof(path), "%s/good", directory);
	count = load_directory(&cases, count, path, true);
	snprintf(path, sizeof(path), "%s/bad", directory);
	count = load_directory(&cases, count, path, false);
	if (!check(count > 0, directory, "has documents"))
		return;
	qsort(cases, count, sizeof(Case), compare_cases);
	for (size_t i = 0; i < count; i++)
		test_case(&cases[i]);
	test_mutations(cases, count, mutations, seed);
	for (size_t i = 0; i < count; i++)
	{
		free(cases[i].doc.data);
		free(cases[i].expect.data);
		free(cases[i].shape_text.data);
	}
	free(cases);
}

int
main(int argc, char **argv)
{
	const char *directory = "test/json";
	long		mutations = DEFAULT_MUTATIONS;
	uint64_t	seed = 1;

	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--bench") == 0)
			return run_bench();
		if (strcmp(argv[i], "--print") == 0 && i + 1 < argc)
			return print_case(argv[i + 1]);
		if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--mutations") == 0 && i + 1 < argc)
			mutations = atol(argv[++i]);
		else
			directory = argv[i];
	}
	test_corpus(directory, mutations, seed);
	test_sizes();
	test_cut_size();
	test_depths();
	test_many();
	test_errors();
	test_members();
	test_shapes();
	test_places();
	test_memory();
	check(sgip_tree_version()[0] != '\0', "version", "is known");
	sgip_json_close(NULL);
	printf("test_json: %ld passed, %ld failed\n", passed, failed);
	return failed > 0;
}
