/* SPDX-License-Identifier: Apache-2.0 */
/* From files of a control group to the Metrics messages. What is missing stays zero or absent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct CgroupsV1__Metrics;
struct CgroupsV2__Metrics;
struct ProtobufCMessage;
struct arena;
struct buf;
struct cgroup;

struct CgroupsV1__Metrics *stat_v1(const struct cgroup *cg, struct arena *a);
struct CgroupsV2__Metrics *stat_v2(const struct cgroup *cg, struct arena *a);

/* The text of a file; NULL if it is not there or empty. The buffer owns it. */
const char *stat_text(const struct cgroup *cg, const char *controller, const char *file,
		struct buf *buf);
/* False, and 0, if there is no such number. */
bool stat_number(const struct cgroup *cg, const char *controller, const char *file,
		uint64_t *ret);

/* Sets the message's numbers from lines "name value". Where the kernel's name is not the
 * field's, the pairs in "aliases" (kernel's, field's, …, NULL) say so. */
void stat_fill(const char *text, const char *const *aliases, struct ProtobufCMessage *m);

/* "2MB", "1GB": the sizes of huge pages this machine has, in the arena, NULL-terminated. */
char **stat_page_sizes(struct arena *a);

/* Lines "device name=value name=value": moves on; false at the end. "at" is cut up. */
struct stat_line {
	char *device;
	char *rest; /* give to stat_next_value() */
};
bool stat_next_line(char **at, struct stat_line *ret);
bool stat_next_value(char **rest, const char **ret_name, uint64_t *ret_value);
