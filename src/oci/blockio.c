/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/blockio.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/spec.h"
#include "text/yaml_read.h"

static const struct {
	const char *key, *member;
} throttles[] = {
	{ "ThrottleReadBps", "throttleReadBpsDevice" },
	{ "ThrottleWriteBps", "throttleWriteBpsDevice" },
	{ "ThrottleReadIOPS", "throttleReadIOPSDevice" },
	{ "ThrottleWriteIOPS", "throttleWriteIOPSDevice" },
};

/* "10M", "1Gi", "500": as resource quantities of Kubernetes, whole numbers only. */
static bool quantity(const struct jnode *n, uint64_t *ret)
{
	static const struct {
		const char *suffix;
		uint64_t factor;
	} units[] = { { "", 1 }, { "k", 1000 }, { "M", 1000000 }, { "G", 1000000000 },
		{ "T", 1000000000000 }, { "Ki", 1ULL << 10 }, { "Mi", 1ULL << 20 },
		{ "Gi", 1ULL << 30 }, { "Ti", 1ULL << 40 } };
	AUTO_FREE char *number = NULL;
	AUTO_FREE char *own = n == NULL || jnode_str(n) != NULL ? NULL : jnode_to_text(n, NULL);
	const char *text = own != NULL ? own : str_or(jnode_str(n), "");
	size_t digits = strspn(text, "0123456789");

	number = xstrndup(text, digits);
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(text + digits, units[i].suffix) == 0)
			return str_u64(number, ret) &&
			       !__builtin_mul_overflow(*ret, units[i].factor, ret);
	return false;
}

static void add_device(struct jnode *list, const struct stat *st, const char *key, uint64_t n)
{
	struct jnode *d = jnode_object();

	jnode_set(d, "major", jnode_i64(major(st->st_rdev)));
	jnode_set(d, "minor", jnode_i64(minor(st->st_rdev)));
	jnode_set(d, key, jnode_u64(n));
	jnode_append(list, d);
}

/* Of a partition, the whole disk is meant: limits are the disk's. */
static void whole_disk(struct stat *st)
{
	AUTO_FREE char *dir = xasprintf(
			"/sys/dev/block/%u:%u", major(st->st_rdev), minor(st->st_rdev));
	AUTO_FREE char *partition = xasprintf("%s/partition", dir);
	AUTO_FREE char *parent = NULL;
	AUTO_FREE char *real = realpath(dir, NULL);
	struct stat disk;

	if (real == NULL || stat(partition, &disk) < 0 || strrchr(real, '/') == NULL)
		return;
	*strrchr(real, '/') = '\0';
	parent = xasprintf("/dev/%s", strrchr(real, '/') == NULL ? "" : strrchr(real, '/') + 1);
	if (stat(parent, &disk) == 0 && S_ISBLK(disk.st_mode))
		*st = disk;
}

static int apply_to(const struct jnode *set, const struct stat *st, struct jnode *io,
		struct err *err)
{
	const struct jnode *value;
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(throttles); i++) {
		value = jnode_get(set, throttles[i].key);
		if (value == NULL)
			continue;
		if (!quantity(value, &n))
			return err_set(err, ERR_INVALID, "%s is no quantity", throttles[i].key);
		add_device(jnode_need_array(io, throttles[i].member), st, "rate", n);
	}
	value = jnode_get(set, "Weight");
	if (value == NULL)
		return 0;
	if (!quantity(value, &n) || n > UINT16_MAX)
		return err_set(err, ERR_INVALID, "Weight is out of range");
	add_device(jnode_need_array(io, "weightDevice"), st, "weight", n);
	return 0;
}

static int apply_pattern(
		const struct jnode *set, const char *pattern, struct jnode *io, struct err *err)
{
	glob_t found = { 0 };
	int rc = 0;

	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
			struct stat st;

			if (stat(found.gl_pathv[i], &st) < 0 || !S_ISBLK(st.st_mode))
				continue;
			whole_disk(&st);
			rc = apply_to(set, &st, io, err);
		}
	globfree(&found);
	return rc;
}

static int apply_set(const struct jnode *set, struct jnode *io, struct err *err)
{
	const struct jnode *devices = jnode_get(set, "Devices");
	uint64_t weight;

	if (jnode_count(devices) == 0) {
		if (!quantity(jnode_get(set, "Weight"), &weight) || weight > UINT16_MAX)
			return err_set(err, ERR_INVALID,
					"without Devices there may only be a Weight");
		jnode_set(io, "weight", jnode_u64(weight));
		return 0;
	}
	for (size_t i = 0; i < jnode_count(devices); i++) {
		const char *pattern = jnode_str(jnode_item(devices, i));

		if (pattern == NULL || apply_pattern(set, pattern, io, err) < 0)
			return pattern == NULL ? err_set(err, ERR_INVALID,
								 "a device is no path")
					       : -1;
	}
	return 0;
}

int blockio_apply(struct jnode *spec, const void *file, size_t size, const char *class_name,
		struct err *err)
{
	AUTO(jnode_free) struct jnode *doc = NULL;
	AUTO(jnode_free) struct jnode *io = jnode_object();
	const struct jnode *sets = NULL;

	if (yaml_parse(file, size, &doc, err) < 0)
		return -1;
	sets = jnode_get(jnode_get(doc, "Classes"), class_name);
	if (sets == NULL)
		return err_set(err, ERR_NOT_FOUND, "no OCI BlockIO parameters for class \"%s\"",
				class_name);
	for (size_t i = 0; i < jnode_count(sets); i++)
		if (apply_set(jnode_item(sets, i), io, err) < 0)
			return err_wrap(err, "blockio class %s", class_name);
	jnode_set(jnode_need_object(spec_linux(spec), "resources"), "blockIO", take_ptr(io));
	return 0;
}
