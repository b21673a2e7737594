/* SPDX-License-Identifier: Apache-2.0 */
/* "-info": what this runtime is and what it can do (reference 02 §2.16). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_actions.h"
#include "cmd/shim-runc/runc_options.h"
#include "loop/loop.h"
#include "os/spawn.h"
#include "shim/shim_bootstrap.h"
#include "shim/shim_flags.h"
#include "shim/shim_reaper.h"
#include "shim/shim_runner.h"

#define FEATURES_TYPE "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

struct features {
	struct buf json;
	bool is_done;
};

static void on_features(void *arg, const struct runner_result *result)
{
	struct features *f = arg;

	f->is_done = true;
	if (result->status == 0 && !result->output_cut)
		buf_add(&f->json, result->output, result->output_size);
}

/* Empty if the runtime does not know the question. */
static int ask_features(const char *binary, struct features *f, struct err *err)
{
	AUTO_FREE char *path = NULL;
	struct loop *loop = loop_new();
	AUTO(reaper_free) struct reaper *reaper = reaper_new(loop);
	AUTO_STRV char **argv = NULL;
	struct spawn s = { .fds = { -1, RUNNER_CAPTURE, -1 }, .fd_count = 3 };
	struct runner *running;
	int rc = spawn_find(binary, getenv("PATH"), &path);

	strv_add(&argv, binary);
	strv_add(&argv, "features");
	s.path = path;
	s.argv = argv;
	if (rc < 0)
		(void)err_plain(err, ERR_NOT_FOUND,
				"failed to look up the path of \"%s\": exec: \"%s\": "
				"executable file "
				"not found in $PATH",
				binary, binary);
	else if (runner_start(loop, reaper, &s, on_features, f, &running) < 0)
		f->is_done = true;
	while (rc == 0 && !f->is_done)
		loop_run_once(loop, -1);
	loop_free(loop);
	return rc < 0 ? -1 : 0;
}

static int write_info(const struct shim_bootstrap *boot, struct features *f, struct err *err)
{
	Types__RuntimeInfo info = TYPES__RUNTIME_INFO__INIT;
	Types__RuntimeVersion version = TYPES__RUNTIME_VERSION__INIT;
	Google__Protobuf__Any options = GOOGLE__PROTOBUF__ANY__INIT;
	Google__Protobuf__Any features = GOOGLE__PROTOBUF__ANY__INIT;
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	int rc;

	version.version = CTRD_VERSION;
	info.name = RUNC_SHIM_NAME;
	info.version = &version;
	if (boot->options_type[0] != '\0') {
		options.type_url = (char *)(uintptr_t)boot->options_type;
		options.value.data = (uint8_t *)(uintptr_t)boot->options;
		options.value.len = boot->options_size;
		info.options = &options;
	}
	if (f->json.size > 0) {
		features.type_url = (char *)(uintptr_t)FEATURES_TYPE;
		features.value.data = (uint8_t *)f->json.data;
		features.value.len = f->json.size;
		info.features = &features;
	}
	pb_encode(&info.base, &out);
	rc = io_write_all(STDOUT_FILENO, out.data, out.size);
	return rc < 0 ? err_sys(err, -rc, "write the answer") : 0;
}

int action_info(const struct shim_flags *flags)
{
	AUTO_RUNC_OPTIONS struct runc_options options = { 0 };
	AUTO_BUF struct buf input = { .limit = SHIM_MAX_STDIN };
	struct features f = { .json = { .limit = SIZE_MAX } };
	AUTO_ARENA struct arena arena = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct shim_bootstrap boot;
	int rc;

	arena_init(&arena, (size_t)4 * SHIM_MAX_STDIN);
	rc = io_read_all(STDIN_FILENO, &input);
	if (rc < 0)
		(void)err_sys(&err, -rc, "read stdin");
	else if (shim_bootstrap_read(input.data, input.size, flags, &arena, &boot, &err) == 0 &&
			runc_options_decode(boot.options_type, boot.options, boot.options_size,
					&options, &err) == 0 &&
			ask_features(runc_options_binary(&options), &f, &err) == 0)
		IGNORE(write_info(&boot, &f, &err)); /* said by err */
	buf_done(&f.json);
	return err.kind == ERR_NONE ? 0 : action_fail(&err);
}
