/* SPDX-License-Identifier: Apache-2.0 */
/* A template is carried out or refused with a reason, and never gives more than its limit. */
#include <stdlib.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "cmd/containerd/hook_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *annotation(const void *arg, const char *key)
{
	return key;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hook_state state = { "id", "/bundle", "/bundle/rootfs", "created",
		7, annotation, NULL };
	AUTO_BUF struct buf out = { .limit = 4096 };
	AUTO_ERR struct err err = { 0 };
	int rc = hook_template_expand((const char *)data, size, &state, &out, &err);

	if (out.size > 4096 || (rc < 0) != (err.kind == ERR_INVALID))
		abort();
	return 0;
}
