/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "cmd/ctr/cmd_images.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_out.h"

typedef struct images_export_args args_type;

static int open_output(const char *path, int *ret_fd)
{
	int fd = STDOUT_FILENO;

	if (!str_eq(path, "-")) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0)
			return out_fail("open %s: %s", path, errno_text(errno));
	}
	*ret_fd = fd;
	return 0;
}

int run_images_export(struct cx *cx)
{
	const args_type *args = cx->args;
	struct ctrd_export_options options = CTRD_EXPORT_OPTIONS_INIT;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	struct ctrd_error *error = NULL;
	int status, fd = -1, rc;

	if (str_is_empty(cx_arg(cx, 0)) || str_is_empty(cx_arg(cx, 1)))
		return out_fail("please provide both an output filename and an image reference "
				"to export");
	options.skip_manifest_json = args->skip_manifest_json;
	options.skip_non_distributable = args->skip_non_distributable;
	options.all_platforms = args->all_platforms;
	options.platforms = (const char *const *)args->platforms;
	status = cx_connect(cx, &client);
	if (status == 0)
		status = open_output(cx->argv[0], &fd);
	if (status != 0)
		return status;
	rc = ctrd_images_export(
			client, fd, (const char *const *)cx->argv + 1, &options, &error);
	if (fd != STDOUT_FILENO)
		close_fd(&fd);
	return rc < 0 ? out_error(error) : 0;
}

const struct flag images_export_flags[] = {
	FLAG("skip-manifest-json", FLAG_SWITCH, offsetof(args_type, skip_manifest_json),
			"leave out what only Docker reads"),
	FLAG("skip-non-distributable", FLAG_SWITCH, offsetof(args_type, skip_non_distributable),
			"leave out layers that must not be passed on"),
	FLAG("platform", FLAG_LIST, offsetof(args_type, platforms),
			"export content of this platform"),
	FLAG("all-platforms", FLAG_SWITCH, offsetof(args_type, all_platforms),
			"export content of all platforms"),
	FLAG("local", FLAG_SWITCH, offsetof(args_type, local),
			"work from this side rather than in the daemon"),
	{ 0 },
};
