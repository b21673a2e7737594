/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "oci/spec.h"

static const char *const names[] = { "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",
	"FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE",
	"NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE",
	"SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT",
	"SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
	"AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
	"WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE" };

static const char *const sets[] = { "bounding", "effective", "permitted" };

char **capability_names(uint64_t mask)
{
	char **v = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if ((mask >> i & 1) != 0)
			strv_addf(&v, "CAP_%s", names[i]);
	return v;
}

static struct jnode *capabilities(struct jnode *spec)
{
	return jnode_need_object(spec_process(spec), "capabilities");
}

void spec_set_capabilities(struct jnode *spec, char *const *wanted)
{
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		jnode_set(capabilities(spec), sets[i], jnode_strv(wanted));
}

static size_t find_text(const struct jnode *array, const char *text)
{
	for (size_t i = 0; i < jnode_count(array); i++)
		if (str_eq(jnode_str(jnode_item(array, i)), text))
			return i;
	return SIZE_MAX;
}

void spec_add_capabilities(struct jnode *spec, char *const *wanted)
{
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct jnode *set = jnode_need_array(capabilities(spec), sets[i]);

		for (char *const *c = wanted; c != NULL && *c != NULL; c++)
			if (find_text(set, *c) == SIZE_MAX)
				jnode_append_str(set, *c);
	}
}

static void drop(struct jnode *caps, const char *set_name, char *const *unwanted)
{
	struct jnode *set = jnode_get(caps, set_name);

	for (; set != NULL && unwanted != NULL && *unwanted != NULL; unwanted++) {
		size_t i = find_text(set, *unwanted);

		if (i != SIZE_MAX)
			jnode_remove_at(set, i);
	}
	if (set != NULL && jnode_count(set) == 0)
		jnode_remove(caps, set_name);
}

void spec_drop_capabilities(struct jnode *spec, char *const *unwanted)
{
	struct jnode *caps = capabilities(spec);

	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		drop(caps, sets[i], unwanted);
	drop(caps, "inheritable", unwanted);
}
