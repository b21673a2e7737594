/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_stat_priv.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "os/cgroup.h"
#include "os/fs.h"

#define MAX_FILE  (256 * 1024)
#define MAX_NAME  64
#define MAX_SIZES 16

const char *stat_text(const struct cgroup *cg, const char *controller, const char *file,
		struct buf *buf)
{
	buf_clear(buf);
	buf->limit = MAX_FILE;
	if (cgroup_read(cg, controller, file, buf) < 0 || buf->size == 0)
		return NULL;
	return buf->data;
}

bool stat_number(const struct cgroup *cg, const char *controller, const char *file,
		uint64_t *ret)
{
	AUTO_BUF struct buf buf = { 0 };
	const char *text = stat_text(cg, controller, file, &buf);

	*ret = 0;
	return text != NULL && cgroup_parse_number(text, ret);
}

static const char *field_name(const char *kernel, const char *const *aliases)
{
	for (; aliases != NULL && *aliases != NULL; aliases += 2)
		if (str_eq(aliases[0], kernel))
			return aliases[1];
	return kernel;
}

void stat_fill(const char *text, const char *const *aliases, struct ProtobufCMessage *m)
{
	struct cgroup_pair pair;

	while (text != NULL && cgroup_next_pair(&text, &pair)) {
		const ProtobufCFieldDescriptor *f;
		char name[MAX_NAME];

		if (pair.key_size >= sizeof(name))
			continue;
		memcpy(name, pair.key, pair.key_size);
		name[pair.key_size] = '\0';
		f = protobuf_c_message_descriptor_get_field_by_name(
				m->descriptor, field_name(name, aliases));
		if (f != NULL && f->type == PROTOBUF_C_TYPE_UINT64 &&
				f->label != PROTOBUF_C_LABEL_REPEATED)
			memcpy((char *)m + f->offset, &pair.value, sizeof(pair.value));
	}
}

/* "hugepages-2048kB" is "2MB". */
static char *page_size_name(const char *dir, struct arena *a)
{
	static const char *const units[] = { "KB", "MB", "GB" };
	unsigned long long size = 0;
	size_t unit = 0;

	if (!str_starts(dir, "hugepages-"))
		return NULL;
	for (const char *p = dir + 10; isdigit((unsigned char)*p) && size < 1ULL << 40; p++)
		size = size * 10 + (unsigned)(*p - '0');
	for (; size >= 1024 && unit < 2; unit++)
		size /= 1024;
	return arena_printf(a, "%llu%s", size, units[unit]);
}

char **stat_page_sizes(struct arena *a)
{
	char **sizes = arena_calloc(a, MAX_SIZES + 1, sizeof(*sizes));
	AUTO_STRV char **names = NULL;
	size_t count = 0;

	if (fs_list(AT_FDCWD, "/sys/kernel/mm/hugepages", &names) < 0)
		return sizes;
	for (size_t i = 0; names != NULL && names[i] != NULL && count < MAX_SIZES; i++) {
		sizes[count] = page_size_name(names[i], a);
		count += sizes[count] != NULL;
	}
	return sizes;
}

bool stat_next_line(char **at, struct stat_line *ret)
{
	while (*at != NULL && **at != '\0') {
		char *line = strsep(at, "\n");

		ret->device = strsep(&line, " ");
		ret->rest = line;
		if (ret->device != NULL && *ret->device != '\0' && line != NULL)
			return true;
	}
	return false;
}

bool stat_next_value(char **rest, const char **ret_name, uint64_t *ret_value)
{
	char *word;

	while (*rest != NULL && (word = strsep(rest, " ")) != NULL) {
		char *value = strchr(word, '=');

		if (value == NULL)
			continue;
		*value++ = '\0';
		if (!cgroup_parse_number(value, ret_value))
			continue;
		*ret_name = word;
		return true;
	}
	return false;
}
