/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/kv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "kv/kv_priv.h"

#define MAP_FIRST ((size_t)1 << 30)
/* Larger files take too long to be read whole at each start. */
#define CHECK_AT_OPEN (16 << 20)
#define MAX_READERS   512
/* Mapped pages that were read count as memory of the process until they are given back: here
 * while there is work, by process_rest() when there is none. */
#define TRIM_AFTER ((size_t)8 << 20)

/* The first key of every file: what it holds. Begins with 0 bytes, which no owner may use. */
static const char format_key[] = "\0\0format";
#define FORMAT_KEY  ((struct kv_bytes){ format_key, sizeof(format_key) - 1 })
#define FILE_LAYOUT 1 /* how this module stores long keys */

struct kv_bytes kv_text(const char *text)
{
	return (struct kv_bytes){ text, strlen(text) };
}

/* A write that did not fit shows as EIO or as a short write, which LMDB calls EIO, too. */
static int full_disk_errno(const struct kv *kv, int rc)
{
	struct statvfs fs;

	if (rc == EIO && statvfs(kv->path, &fs) == 0 && fs.f_bavail == 0)
		return ENOSPC;
	return rc;
}

int kv_fail(struct kv *kv, int rc, const char *what, struct err *err)
{
	switch (rc) {
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
		return err_set(err, ERR_DATA_LOSS, "%s: %s: file is damaged", kv->path, what);
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return err_set(err, ERR_PRECONDITION,
				"%s: %s: not a metadata file of this program", kv->path, what);
	case MDB_READERS_FULL:
		return err_set(err, ERR_EXHAUSTED, "%s: %s: too many readers", kv->path, what);
	case MDB_TXN_FULL:
		return err_set(err, ERR_EXHAUSTED, "%s: %s: transaction too large", kv->path,
				what);
	default:
		if (rc > 0)
			return err_sys(err, full_disk_errno(kv, rc), "%s: %s", kv->path, what);
		return err_set(err, ERR_UNKNOWN, "%s: %s: %s", kv->path, what,
				mdb_strerror(rc));
	}
}

/* LMDB does not tell where it mapped the file. */
static void *find_map(int fd)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	void *found = NULL;
	char line[512];
	struct stat st;

	if (maps == NULL)
		return NULL;
	while (fstat(fd, &st) == 0 && found == NULL &&
			fgets(line, sizeof(line), maps) != NULL) {
		uint64_t start, inode;
		unsigned major_nr, minor_nr;

		if (sscanf(line, "%" SCNx64 "-%*x %*s %*x %x:%x %" SCNu64, &start, &major_nr,
				    &minor_nr, &inode) == 4 &&
				inode == st.st_ino && makedev(major_nr, minor_nr) == st.st_dev)
			found = (void *)(uintptr_t)
					start; /* NOLINT(performance-no-int-to-ptr) */
	}
	(void)fclose(maps);
	return found;
}

static int fd_of(struct kv *kv)
{
	int fd = -1;

	(void)mdb_env_get_fd(kv->env, &fd);
	return fd;
}

/* A file cut short would end the process with SIGBUS where a page is missing; a page of zeros
 * is reported as damage instead. (A sound file may be short, too, when its last pages are
 * free.) */
static void fill_up(struct kv *kv)
{
	MDB_envinfo info;
	struct stat st;
	MDB_stat stat;
	int fd = fd_of(kv);
	off_t want;

	if (mdb_env_info(kv->env, &info) != 0 || mdb_env_stat(kv->env, &stat) != 0)
		return;
	want = (off_t)((info.me_last_pgno + 1) * stat.ms_psize);
	if (fstat(fd, &st) == 0 && st.st_size < want)
		(void)!ftruncate(fd, want);
}

static int open_dbi(struct kv *kv)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &kv->dbi);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

static int env_setup(struct kv *kv)
{
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (kv->options.no_sync ? MDB_NOSYNC : 0);
	int rc = mdb_env_create(&kv->env), dead;

	if (rc == 0)
		rc = mdb_env_set_maxreaders(kv->env, MAX_READERS);
	if (rc == 0)
		rc = mdb_env_set_mapsize(kv->env, kv->map_bytes);
	if (rc == 0)
		rc = mdb_env_open(kv->env, kv->path, flags, 0600);
	if (rc == 0 && flock(fd_of(kv), LOCK_EX | LOCK_NB) < 0)
		rc = errno;
	if (rc != 0)
		return rc;
	(void)mdb_reader_check(kv->env, &dead);
	fill_up(kv);
	return open_dbi(kv);
}

int kv_env_open(struct kv *kv, struct err *err)
{
	MDB_envinfo info;
	int rc = env_setup(kv);

	if (rc == EWOULDBLOCK)
		err_set(err, ERR_UNAVAILABLE, "%s: in use by another process", kv->path);
	else if (rc != 0)
		kv_fail(kv, rc, "open", err);
	if (rc != 0) {
		kv_env_close(kv);
		return -1;
	}
	/* An existing file may need more than was asked for. */
	if (mdb_env_info(kv->env, &info) == 0)
		kv->map_bytes = info.me_mapsize;
	kv->map = find_map(fd_of(kv));
	return 0;
}

void kv_env_close(struct kv *kv)
{
	if (kv->env != NULL)
		mdb_env_close(kv->env);
	kv->env = NULL;
	kv->map = NULL;
}

void kv_gate_close(struct kv *kv)
{
	LOCKED(&kv->lock);
	kv->is_gated = true;
	while (kv->readers > 0)
		cond_wait(&kv->changed, &kv->lock);
}

void kv_gate_open(struct kv *kv)
{
	LOCKED(&kv->lock);
	kv->is_gated = false;
	cond_broadcast(&kv->changed);
}

int kv_grow(struct kv *kv, struct err *err)
{
	int rc;

	kv_gate_close(kv);
	rc = mdb_env_set_mapsize(kv->env, kv->map_bytes * 2);
	if (rc == 0)
		kv->map_bytes *= 2;
	kv->map = find_map(fd_of(kv));
	kv_gate_open(kv);
	return rc == 0 ? 0 : kv_fail(kv, rc, "grow", err);
}

/* After a failed write of its head page LMDB refuses the file until it is opened anew. */
int kv_reopen(struct kv *kv, struct err *err)
{
	int rc;

	kv_gate_close(kv);
	kv_env_close(kv);
	rc = kv_env_open(kv, err);
	kv_gate_open(kv);
	return rc;
}

/* The record behind FORMAT_KEY: layout, version (4 bytes each, little endian), format text. */
struct format {
	uint32_t layout, version;
	char *text;
};

static uint32_t read_u32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void write_u32(unsigned char *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(n >> (8 * i));
}

static int write_format(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct format *f = arg;
	size_t size = 8 + strlen(f->text);
	AUTO_FREE unsigned char *bytes = xzalloc(size + 1);

	write_u32(bytes, f->layout);
	write_u32(bytes + 4, f->version);
	memcpy(bytes + 8, f->text, size - 8);
	return kv_put(txn, FORMAT_KEY, (struct kv_bytes){ bytes, size }, err);
}

/* 1 and *ret_format (whose text is owned), 0 for a new file. */
static int read_format(struct kv *kv, struct format *ret_format, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	struct kv_bytes value;
	MDB_stat stat;
	int rc;

	if (kv_read(kv, &txn, err) < 0)
		return -1;
	rc = kv_get(txn, FORMAT_KEY, &value, err);
	if (rc < 0)
		return -1;
	if (rc == 0) {
		if (mdb_stat(txn->txn, kv->dbi, &stat) == 0 && stat.ms_entries == 0)
			return 0;
		return kv_fail(kv, MDB_INVALID, "open", err);
	}
	if (value.size < 8)
		return kv_fail(kv, MDB_CORRUPTED, "open", err);
	*ret_format = (struct format){ read_u32(value.data),
		read_u32((const unsigned char *)value.data + 4),
		xstrndup((const char *)value.data + 8, value.size - 8) };
	return 1;
}

static int check_format(struct kv *kv, struct err *err)
{
	struct format f = { 0 };
	AUTO_FREE char *text = NULL;
	int rc = read_format(kv, &f, err);

	text = f.text;
	if (rc < 0)
		return -1;
	if (rc == 0) {
		f = (struct format){ FILE_LAYOUT, kv->options.version,
			(char *)str_or(kv->options.format, "") };
		kv->version = f.version;
		return kv_update(kv, write_format, &f, err);
	}
	if (kv->options.format != NULL && !str_eq(f.text, kv->options.format))
		return err_set(err, ERR_PRECONDITION, "%s: holds \"%s\", not \"%s\"", kv->path,
				f.text, kv->options.format);
	if (f.layout > FILE_LAYOUT || f.version > kv->options.version)
		return err_set(err, ERR_PRECONDITION,
				"%s: written by a newer version of this program (format %u.%u, "
				"this one knows %u.%u)",
				kv->path, f.layout, f.version, FILE_LAYOUT,
				kv->options.version);
	kv->version = f.version;
	return 0;
}

/* --- new files --- */

static void unlink_both(const char *path)
{
	AUTO_FREE char *lock = xasprintf("%s-lock", path);

	(void)unlink(path);
	(void)unlink(lock);
}

/* With its format inside, and on disk. */
static int fill_new(struct kv *kv, struct err *err)
{
	int rc;

	if (kv_env_open(kv, err) < 0)
		return -1;
	rc = check_format(kv, err);
	if (rc == 0 && (rc = mdb_env_sync(kv->env, 1)) != 0)
		rc = kv_fail(kv, rc, "sync", err);
	kv_env_close(kv);
	return rc;
}

/* Another process may have been faster; then its file is the one to open. */
static int give_name(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0 || errno == EEXIST)
		return 0;
	if (errno == EINVAL && rename(from, to) == 0) /* not on this file system */
		return 0;
	return -errno;
}

/* A file that a crash left half made would not open again: it gets its name when it is whole.
 */
static int create_file(struct kv *kv, struct err *err)
{
	AUTO_FREE char *path = kv->path;
	int rc;

	kv->path = xasprintf("%s.new", path);
	unlink_both(kv->path);
	rc = fill_new(kv, err);
	if (rc == 0) {
		rc = give_name(kv->path, path);
		if (rc < 0)
			rc = err_sys(err, -rc, "%s: rename", kv->path);
	}
	unlink_both(kv->path);
	free(kv->path);
	kv->path = take_ptr(path);
	return rc;
}

/* The first commit is in the file before it has its name; who made a second one has opened it,
 * and so has seen to the name. */
static bool has_synced_name(const struct kv *kv)
{
	MDB_envinfo info;

	return mdb_env_info(kv->env, &info) == 0 && info.me_last_txnid > 1;
}

/* Also for an old file: the one who made it may have been killed before this. */
static int sync_name(const struct kv *kv, struct err *err)
{
	AUTO_FREE char *dir = xstrdup(kv->path);
	char *slash = strrchr(dir, '/');
	AUTO_CLOSE int fd = -1;

	if (slash != NULL)
		slash[slash == dir ? 1 : 0] = '\0';
	fd = open(slash == NULL ? "." : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, errno, "%s: sync directory", kv->path);
	return 0;
}

static bool is_missing(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? errno == ENOENT : st.st_size == 0;
}

uint32_t kv_version(struct kv *kv)
{
	return kv->version;
}

int kv_set_version(struct kv *kv, uint32_t version, struct err *err)
{
	struct format f = { FILE_LAYOUT, version, (char *)str_or(kv->options.format, "") };

	if (kv_update(kv, write_format, &f, err) < 0)
		return -1;
	kv->version = version;
	return 0;
}

static bool is_quickly_checked(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_size <= CHECK_AT_OPEN;
}

int kv_open(const char *path, const struct kv_options *options, struct kv **ret_kv,
		struct err *err)
{
	AUTO(kv_close) struct kv *kv = xzalloc(sizeof(*kv));
	bool is_small;

	ASSERT_MAY_BLOCK();
	mutex_init(&kv->lock, RANK_kv);
	cond_init(&kv->changed);
	list_init(&kv->queue);
	kv->path = xstrdup(path);
	kv->options = *options;
	kv->options.format = xstrdup(options->format);
	kv->map_bytes = options->map_bytes == 0 ? MAP_FIRST : options->map_bytes;
	if (is_missing(path) && create_file(kv, err) < 0)
		return -1;
	is_small = is_quickly_checked(path); /* opening may make it longer */
	if (kv_check_heads(kv->path, err) < 0 || kv_env_open(kv, err) < 0 ||
			(is_small && kv_check_pages(kv->path, err) < 0) ||
			(!has_synced_name(kv) && sync_name(kv, err) < 0) ||
			check_format(kv, err) < 0)
		return -1;
	*ret_kv = take_ptr(kv);
	return 0;
}

void kv_close(struct kv *kv)
{
	if (kv == NULL)
		return;
	kv_env_close(kv);
	cond_done(&kv->changed);
	mutex_done(&kv->lock);
	free((char *)kv->options.format);
	free(kv->path);
	free(kv);
}

static void readers_enter(struct kv *kv)
{
	LOCKED(&kv->lock);
	/* Rare and short: the file had to grow, and readers do not keep their transactions. */
	while (kv->is_gated)
		cond_wait(&kv->changed, &kv->lock);
	kv->readers++;
}

static int fail_suspended(struct kv *kv, struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE, "%s: another process has taken over", kv->path);
}

static bool is_suspended(struct kv *kv)
{
	LOCKED(&kv->lock);
	return kv->is_suspended;
}

static void readers_leave(struct kv *kv)
{
	LOCKED(&kv->lock);
	if (--kv->readers == 0 && kv->is_gated)
		cond_broadcast(&kv->changed);
}

int kv_read(struct kv *kv, struct kv_txn **ret_txn, struct err *err)
{
	struct kv_txn *txn = xzalloc(sizeof(*txn));
	int rc;

	readers_enter(kv);
	if (is_suspended(kv)) {
		readers_leave(kv);
		free(txn);
		return fail_suspended(kv, err);
	}
	txn->kv = kv;
	rc = kv->env == NULL ? MDB_PANIC : mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn->txn);
	if (rc != 0) {
		readers_leave(kv);
		free(txn);
		return kv_fail(kv, rc, "read", err);
	}
	*ret_txn = txn;
	return 0;
}

/* From here on nobody becomes leader. */
static bool begin_suspension(struct kv *kv)
{
	LOCKED(&kv->lock);
	if (kv->has_leader)
		return false;
	kv->is_suspended = true;
	return true;
}

int kv_suspend(struct kv *kv, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (!begin_suspension(kv))
		return err_set(err, ERR_UNAVAILABLE, "%s: a write is under way", kv->path);
	kv_gate_close(kv);
	kv_env_close(kv);
	kv_gate_open(kv);
	return 0;
}

int kv_resume(struct kv *kv, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (!is_suspended(kv))
		return 0;
	if (kv_env_open(kv, err) < 0)
		return -1;
	LOCKED(&kv->lock);
	kv->is_suspended = false;
	return 0;
}

void kv_count_touched(struct kv *kv, size_t bytes)
{
	atomic_fetch_add(&kv->touched, bytes);
}

void kv_trim_if_much(struct kv *kv)
{
	if (atomic_load(&kv->touched) >= TRIM_AFTER)
		kv_trim(kv);
}

void kv_read_end(struct kv_txn *txn)
{
	struct kv *kv;
	int saved = errno;

	if (txn == NULL)
		return;
	kv = txn->kv;
	mdb_txn_abort(txn->txn);
	kv_count_touched(kv, txn->touched);
	readers_leave(kv);
	free(txn);
	kv_trim_if_much(kv);
	errno = saved;
}

void kv_trim(struct kv *kv)
{
	MDB_envinfo info;

	readers_enter(kv);
	/* The file is mapped for reading only, so dropped pages lose nothing. */
	if (kv->map != NULL && mdb_env_info(kv->env, &info) == 0)
		(void)madvise(kv->map, info.me_mapsize, MADV_DONTNEED);
	atomic_store(&kv->touched, 0);
	readers_leave(kv);
}

void kv_stats(struct kv *kv, struct kv_stats *ret_stats)
{
	MDB_envinfo info = { 0 };
	MDB_stat stat = { 0 };

	*ret_stats = (struct kv_stats){ 0 };
	readers_enter(kv);
	if (kv->env != NULL) {
		(void)mdb_env_info(kv->env, &info);
		(void)mdb_env_stat(kv->env, &stat);
	}
	readers_leave(kv);
	LOCKED(&kv->lock);
	ret_stats->entries = stat.ms_entries;
	ret_stats->file_bytes = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
	ret_stats->map_bytes = info.me_mapsize;
	ret_stats->readers = kv->readers;
	ret_stats->commits = kv->commits;
	ret_stats->operations = kv->operations;
}
