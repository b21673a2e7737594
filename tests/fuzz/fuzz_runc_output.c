/* SPDX-License-Identifier: Apache-2.0 */
/* What a runtime prints and logs, and what a container's config.json says: the first byte
 * chooses. */
#include <stdint.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "cmd/shim-runc/runc_bundle.h"
#include "cmd/shim-runc/runc_options.h"
#include "cmd/shim-runc/runc_pids.h"
#include "cmd/shim-runc/runc_spec.h"

static int parse(uint8_t which, const char *text, size_t size, struct err *err)
{
	AUTO_RUNC_OPTIONS struct runc_options options = { 0 };
	AUTO_BUF struct buf out = { .limit = 1 << 20 };
	AUTO_FREE uint32_t *pids = NULL;
	AUTO_FREE char *found = NULL;
	size_t count;

	switch (which % 6) {
	case 0:
		return runc_log_last_error(text, size, &found, err);
	case 1:
		return runc_parse_pids(text, size, &pids, &count, err);
	case 2:
		return runc_spec_group(text, size, &found, err);
	case 3:
		return runc_spec_set_terminal(text, size, true, &out, err);
	case 4:
		return runc_options_from_json(text, size, &options, err);
	default:
		return runc_spec_has_own_pids(text, size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *text = NULL;
	int rc;

	if (size == 0)
		return 0;
	text = malloc(size); /* exactly: a byte too many is noticed */
	for (size_t i = 1; i < size; i++)
		text[i - 1] = (char)data[i];
	rc = parse(data[0], text, size - 1, &err);
	if ((rc < 0) != (err.kind != ERR_NONE))
		abort();
	return 0;
}
