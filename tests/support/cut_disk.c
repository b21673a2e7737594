/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that can lose what was not flushed (docs/design/034-power-cuts.md).
 *
 * cut_disk serve DIR BASE LOG: a file system in DIR (FUSE, spoken to the kernel without a
 * library) with two files. "disk" begins as a copy of BASE; a loop device over it is the disk.
 * What is written to it is noted in LOG, and so is each flush. What is written to "mark" is
 * noted between them (a line each). Ends when DIR is unmounted.
 *
 * cut_disk cut BASE LOG OUT SEED: makes OUT what the disk may have after a power cut somewhere
 * behind the first mark: all that was flushed before, and of the rest what SEED decides. Prints
 * the marks that were made before the cut.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_WRITE   (128 * 1024)
#define BUFFER_SIZE (MAX_WRITE + 4096)
#define SECTOR	    512

enum record_type {
	RECORD_WRITE = 1,
	RECORD_FLUSH,
	RECORD_MARK,
};

struct record {
	uint32_t type, size;
	uint64_t offset;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *map_file(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	*ret_size = (size_t)st.st_size;
	p = mmap(NULL, *ret_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		die(path);
	(void)close(fd);
	return p;
}

/* --- serving ------------------------------------------------------------------------------ */

enum node {
	NODE_ROOT = FUSE_ROOT_ID,
	NODE_DISK,
	NODE_MARK,
};

struct server {
	int fuse, log;
	char *disk;
	size_t size;
	char buffer[BUFFER_SIZE];
};

static void note(struct server *s, enum record_type type, uint64_t offset, const void *data,
		size_t size)
{
	struct record r = { type, (uint32_t)size, offset };
	struct iovec parts[] = { { &r, sizeof(r) }, { (void *)data, size } };

	if (writev(s->log, parts, 2) != (ssize_t)(sizeof(r) + size))
		die("write log");
}

static void reply(struct server *s, const struct fuse_in_header *in, int error,
		const void *data, size_t size)
{
	struct fuse_out_header out = { (uint32_t)(sizeof(out) + size), error, in->unique };
	struct iovec parts[] = { { &out, sizeof(out) }, { (void *)data, size } };

	if (writev(s->fuse, parts, 2) < 0 && errno != ENOENT)
		die("answer the kernel");
}

static void fill_attr(const struct server *s, uint64_t node, struct fuse_attr *a)
{
	*a = (struct fuse_attr){ .ino = node, .nlink = 1, .blksize = 4096 };
	a->mode = node == NODE_ROOT ? S_IFDIR | 0700 : S_IFREG | 0600;
	if (node == NODE_DISK) {
		a->size = s->size;
		a->blocks = s->size / SECTOR;
	}
}

static void do_init(struct server *s, const struct fuse_in_header *in)
{
	struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = MAX_WRITE,
		.flags = FUSE_BIG_WRITES,
		.max_background = 16,
		.congestion_threshold = 12,
		.max_write = MAX_WRITE,
		.time_gran = 1 };

	reply(s, in, 0, &out, sizeof(out));
}

static void do_lookup(struct server *s, const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = { .entry_valid = 3600, .attr_valid = 3600 };

	out.nodeid = strcmp(name, "disk") == 0	 ? NODE_DISK
		     : strcmp(name, "mark") == 0 ? NODE_MARK
						 : 0;
	if (out.nodeid == 0) {
		reply(s, in, -ENOENT, NULL, 0);
		return;
	}
	fill_attr(s, out.nodeid, &out.attr);
	reply(s, in, 0, &out, sizeof(out));
}

static void do_attr(struct server *s, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr_valid = 3600 };

	fill_attr(s, in->nodeid, &out.attr);
	reply(s, in, 0, &out, sizeof(out));
}

static void do_open(struct server *s, const struct fuse_in_header *in)
{
	struct fuse_open_out out = { 0 };

	if (in->nodeid == NODE_MARK)
		out.open_flags = FOPEN_DIRECT_IO; /* it has no size */
	reply(s, in, 0, &out, sizeof(out));
}

static void do_read(
		struct server *s, const struct fuse_in_header *in, const struct fuse_read_in *r)
{
	size_t size = r->size;

	if (in->nodeid != NODE_DISK || r->offset >= s->size)
		size = 0;
	else if (size > s->size - r->offset)
		size = s->size - r->offset;
	reply(s, in, 0, size == 0 ? NULL : s->disk + r->offset, size);
}

static void do_write(struct server *s, const struct fuse_in_header *in,
		const struct fuse_write_in *w)
{
	struct fuse_write_out out = { .size = w->size };
	const char *data = (const char *)(w + 1);

	if (in->nodeid == NODE_MARK) {
		note(s, RECORD_MARK, 0, data, w->size);
	} else if (w->offset > s->size || w->size > s->size - w->offset) {
		reply(s, in, -ENOSPC, NULL, 0);
		return;
	} else {
		memcpy(s->disk + w->offset, data, w->size);
		note(s, RECORD_WRITE, w->offset, data, w->size);
	}
	reply(s, in, 0, &out, sizeof(out));
}

static void do_fsync(struct server *s, const struct fuse_in_header *in)
{
	if (in->nodeid == NODE_DISK)
		note(s, RECORD_FLUSH, 0, NULL, 0);
	reply(s, in, 0, NULL, 0);
}

static void serve_one(struct server *s)
{
	const struct fuse_in_header *in = (const void *)s->buffer;
	const void *args = in + 1;
	struct fuse_statfs_out statfs = { { .bsize = 4096, .namelen = 255 } };

	switch (in->opcode) {
	case FUSE_INIT:
		do_init(s, in);
		break;
	case FUSE_LOOKUP:
		do_lookup(s, in, args);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		do_attr(s, in);
		break;
	case FUSE_OPEN:
		do_open(s, in);
		break;
	case FUSE_READ:
		do_read(s, in, args);
		break;
	case FUSE_WRITE:
		do_write(s, in, args);
		break;
	case FUSE_FSYNC:
		do_fsync(s, in);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_DESTROY:
		reply(s, in, 0, NULL, 0);
		break;
	case FUSE_STATFS:
		reply(s, in, 0, &statfs, sizeof(statfs));
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* without an answer */
	default:
		reply(s, in, -ENOSYS, NULL, 0);
	}
}

static void serve(const char *dir, const char *base, const char *log)
{
	static struct server s;
	char options[100];
	ssize_t n;

	s.disk = map_file(base, &s.size);
	s.log = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	s.fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (s.log < 0 || s.fuse < 0)
		die(s.log < 0 ? log : "/dev/fuse");
	(void)snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0",
			s.fuse);
	if (mount("cut_disk", dir, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		die(dir);
	for (;;) {
		n = read(s.fuse, s.buffer, sizeof(s.buffer));
		if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (n < 0 && errno == ENODEV)
			return; /* unmounted */
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			die("read from the kernel");
		serve_one(&s);
	}
}

/* --- cutting ------------------------------------------------------------------------------ */

struct journal {
	const char *bytes;
	size_t size;
	size_t *at; /* where each record begins */
	size_t count, marks, first_mark;
};

static const struct record *record_at(const struct journal *j, size_t i)
{
	return (const void *)(j->bytes + j->at[i]);
}

static void read_journal(struct journal *j, const char *path)
{
	size_t pos = 0;

	j->bytes = map_file(path, &j->size);
	j->at = calloc(j->size / sizeof(struct record) + 1, sizeof(*j->at));
	if (j->at == NULL)
		die("memory");
	while (pos + sizeof(struct record) <= j->size) {
		const struct record *r = (const void *)(j->bytes + pos);

		if (r->size > j->size - pos - sizeof(*r))
			break; /* the server was killed here */
		if (r->type == RECORD_MARK && j->marks++ == 0)
			j->first_mark = j->count;
		j->at[j->count++] = pos;
		pos += sizeof(*r) + r->size;
	}
	if (j->marks == 0) {
		(void)fprintf(stderr, "%s: no marks\n", path);
		exit(1);
	}
}

static uint64_t random_state;

/* splitmix64: the same everywhere, so that a seed names a cut. */
static uint64_t random_below(uint64_t n)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % n;
}

/* Right behind a mark, where a promise is youngest, or anywhere. How many records are before.
 */
static size_t choose_cut(const struct journal *j)
{
	size_t nth = random_below(j->marks);

	if (random_below(2) == 0)
		return j->first_mark + 1 + random_below(j->count - j->first_mark);
	for (size_t i = j->first_mark; i < j->count; i++)
		if (record_at(j, i)->type == RECORD_MARK && nth-- == 0)
			return i + 1;
	return j->count;
}

enum fate {
	FATE_NOTHING, /* of what was not flushed is left */
	FATE_SOME_SECTORS,
	FATE_SOME_WRITES,
	FATE_LATE_WRITES, /* the younger a write, the likelier it is there */
	FATE_COUNT,
};

static bool is_kept(enum fate fate, size_t i, size_t flushed, size_t cut)
{
	switch (fate) {
	case FATE_NOTHING:
		return false;
	case FATE_LATE_WRITES:
		return random_below(cut - flushed + 1) <= i - flushed;
	default:
		return random_below(2) == 0;
	}
}

static void apply(char *disk, size_t size, const struct record *r, bool by_sector)
{
	const char *data = (const char *)(r + 1);

	if (r->offset > size || r->size > size - r->offset)
		return;
	if (!by_sector) {
		memcpy(disk + r->offset, data, r->size);
		return;
	}
	for (size_t at = 0; at < r->size; at += SECTOR) {
		size_t n = r->size - at < SECTOR ? r->size - at : SECTOR;

		if (random_below(2) == 0)
			memcpy(disk + r->offset + at, data + at, n);
	}
}

static void cut(const char *base, const char *log, const char *out, const char *seed)
{
	struct journal j = { 0 };
	size_t size, cut_at, flushed = 0;
	char *disk = map_file(base, &size);
	enum fate fate;
	FILE *f;

	read_journal(&j, log);
	random_state = strtoull(seed, NULL, 10) * 0x2545f4914f6cdd1du + 1;
	fate = (enum fate)random_below(FATE_COUNT);
	cut_at = choose_cut(&j);
	for (size_t i = 0; i < cut_at; i++)
		if (record_at(&j, i)->type == RECORD_FLUSH)
			flushed = i;
	for (size_t i = 0; i < cut_at; i++) {
		const struct record *r = record_at(&j, i);

		if (r->type == RECORD_MARK)
			(void)fwrite(r + 1, 1, r->size, stdout);
		else if (r->type == RECORD_WRITE && i < flushed)
			apply(disk, size, r, false);
		else if (r->type == RECORD_WRITE && is_kept(fate, i, flushed, cut_at))
			apply(disk, size, r, fate == FATE_SOME_SECTORS);
	}
	(void)fprintf(stderr,
			"seed %s: cut at record %zu of %zu, %zu since the last flush, way %d\n",
			seed, cut_at, j.count, cut_at - flushed, fate);
	f = fopen(out, "we");
	if (f == NULL || fwrite(disk, 1, size, f) != size || fclose(f) != 0)
		die(out);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "serve") == 0) {
		serve(argv[2], argv[3], argv[4]);
		return 0;
	}
	if (argc == 6 && strcmp(argv[1], "cut") == 0) {
		cut(argv[2], argv[3], argv[4], argv[5]);
		return 0;
	}
	(void)fprintf(stderr, "usage: cut_disk serve DIR BASE LOG | cut BASE LOG OUT SEED\n");
	return 2;
}
