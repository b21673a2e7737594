/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the place of containerd-layer-helper: what one that was taken over by a layer could do.
 * The name it is started by says what; for the other of the two stages it becomes "real",
 * which lies beside it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "archive/layer_record.h"
#include "archive/layer_told.h"
#include "base/attr.h"
#include "base/auto.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

static void send_records(struct buf *out)
{
	IGNORE(io_write_all(LAYER_FD_RECORDS, out->data, out->size));
}

static void be_bad(const char *how)
{
	struct buf out = { .limit = SIZE_MAX };
	struct tar_entry file = { .type = TAR_FILE,
		.path = "f",
		.link = "",
		.mode = 0644,
		.size = 10,
		.data_size = 10 };

	if (str_eq(how, "exit"))
		_exit(3);
	if (str_eq(how, "crash"))
		(void)raise(SIGKILL);
	if (str_eq(how, "noise"))
		buf_add_str(&out, "noise that is no record");
	if (str_eq(how, "ahead"))
		layer_put_position(&out, 1 << 30);
	if (str_eq(how, "far")) {
		layer_put_entry(&out, &file);
		layer_put_extent(&out, 0, 1 << 30, 10);
	}
	if (str_eq(how, "more")) {
		layer_put_entry(&out, &file);
		layer_put_extent(&out, 5, 0, 10);
	}
	if (str_eq(how, "less")) {
		layer_put_entry(&out, &file);
		layer_put_end(&out, 0);
	}
	if (str_eq(how, "escape")) {
		file.path = "../../../../../../../tmp/escaped";
		file.size = file.data_size = 0;
		layer_put_entry(&out, &file);
		layer_put_end(&out, 0);
	}
	send_records(&out);
	for (;;) /* "stuck", and what the others do afterwards */
		(void)pause();
}

int main(int argc, char **argv)
{
	const char *self = (const char *)getauxval(AT_EXECFN);
	const char *name = strrchr(self, '/') + 1;
	size_t stage = strcspn(name, "-");

	if (strlen(argv[1]) == stage && strncmp(argv[1], name, stage) == 0) {
		be_bad(name + stage + 1);
	} else {
		AUTO_FREE char *real = xasprintf("%.*sreal", (int)(name - self), self);

		(void)execv(real, argv);
	}
	return 127;
}
