/*-------------------------------------------------------------------------
 *
 * fuzz_json.c
 *		libFuzzer target: every way of reading a document must agree.
 *
 * The reader in place, the reader that makes trees, both fed whole, byte by
 * byte and in pieces, and an independent reading of the whole document must
 * come to the same verdict and the same values.
 *
 * scripts/fuzz builds and runs it.
 *
 *-------------------------------------------------------------------------
 */
#include "json_check.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const SgipJsonShape shapes[] = {{"ips", "ip"}, {NULL, "ip"}, {"ips", NULL}};
	SgipRemoteError error;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		const char *failure = check_document((const char *) data, size, &shapes[i], size + i);

		if (failure != NULL)
		{
			fprintf(stderr, "shape %zu: %s\n", i, failure);
			abort();
		}
	}
	if (sgip_json_parse_error((const char *) data, size, &error))
		free(error.text);
	return 0;
}
