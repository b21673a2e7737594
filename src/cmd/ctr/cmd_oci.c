/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"

struct spec_args {
	const char *platform;
};

static int run_spec(struct cx *cx)
{
	const char *platform = str_or(CX_ARGS(cx, struct spec_args)->platform, "linux");
	AUTO(ctrd_spec_free) struct ctrd_spec *spec = NULL;
	char *json;

	if (!str_starts(platform, "linux"))
		return out_fail("unsupported platform \"%s\"", platform);
	spec = ctrd_spec_default(((const struct ctr_args *)cx_top(cx)->args)->ns, "");
	json = ctrd_spec_json(spec, "    ");
	printf("%s\n", json);
	ctrd_free(json);
	return 0;
}

static const struct flag spec_flags[] = {
	FLAG("platform", FLAG_TEXT, offsetof(struct spec_args, platform),
			"platform that the spec is for"),
	{ 0 },
};

const struct command oci_commands[] = {
	{ .names = "spec",
			.help = "print the default runtime spec",
			.flags = spec_flags,
			.args_size = sizeof(struct spec_args),
			.run = run_spec },
	{ 0 },
};
