/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a spec, and what an image contributes to it. */
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/image_config.h"
#include "oci/spec.h"
#include "oci/user.h"

struct jnode *spec_process(struct jnode *spec)
{
	return jnode_need_object(spec, "process");
}

void process_set_args(struct jnode *process, char *const *args)
{
	jnode_set(process, "args", jnode_strv(args));
}

void process_set_cwd(struct jnode *process, const char *cwd)
{
	jnode_set_str(process, "cwd", cwd);
}

static bool same_variable(const char *entry, const char *other)
{
	size_t n = strcspn(entry, "=");

	return n == strcspn(other, "=") && memcmp(entry, other, n) == 0;
}

/* Only what stood there before is replaced: a variable given twice is added twice. */
static void merge_env(struct jnode *env, size_t before, const char *entry)
{
	bool removes = strchr(entry, '=') == NULL;

	for (size_t i = before; i-- > 0;) {
		const char *old = str_or(jnode_str(jnode_item(env, i)), "");

		if (!same_variable(old, entry))
			continue;
		jnode_remove_at(env, i);
		jnode_insert(env, i, jnode_text(removes ? "" : entry));
		return;
	}
	if (!removes)
		jnode_append_str(env, entry);
}

void process_add_env(struct jnode *process, char *const *entries)
{
	struct jnode *env;
	size_t before;

	if (entries == NULL || *entries == NULL)
		return;
	env = jnode_need_array(process, "env");
	before = jnode_count(env);
	for (; *entries != NULL; entries++)
		merge_env(env, before, *entries);
	for (size_t i = jnode_count(env); i-- > 0;)
		if (str_is_empty(jnode_str(jnode_item(env, i))))
			jnode_remove_at(env, i);
	if (jnode_count(env) == 0)
		jnode_remove(process, "env");
}

void process_set_terminal(struct jnode *process, bool terminal)
{
	if (terminal)
		jnode_set(process, "terminal", jnode_bool(true));
	else
		jnode_remove(process, "terminal");
}

void process_set_user(struct jnode *process, const struct user_ids *u)
{
	struct jnode *user = jnode_object();

	jnode_set(user, "uid", jnode_u64(u->uid));
	jnode_set(user, "gid", jnode_u64(u->gid));
	for (size_t i = 0; i < u->group_count; i++)
		jnode_append(jnode_need_array(user, "additionalGids"), jnode_u64(u->groups[i]));
	jnode_set(process, "user", user);
}

void process_set_rlimit(struct jnode *process, const char *type, uint64_t soft, uint64_t hard)
{
	struct jnode *limits = jnode_need_array(process, "rlimits"), *limit = jnode_object();
	size_t at = jnode_count(limits);

	for (size_t i = jnode_count(limits); i-- > 0;) {
		if (!str_eq(jnode_get_str(jnode_item(limits, i), "type"), type))
			continue;
		jnode_remove_at(limits, i);
		at = i;
	}
	jnode_set_str(limit, "type", type);
	jnode_set(limit, "hard", jnode_u64(hard));
	jnode_set(limit, "soft", jnode_u64(soft));
	jnode_insert(limits, at, limit);
}

/* The image's variables, overridden by what the process has already. */
static void apply_env(struct jnode *process, char *const *image_env)
{
	static const char *const fallback[] = { SPEC_DEFAULT_PATH, NULL };
	AUTO(jnode_free) struct jnode *own = jnode_copy(jnode_get(process, "env"));
	AUTO_STRV char **entries = NULL;

	if (image_env == NULL || *image_env == NULL)
		image_env = (char *const *)fallback;
	for (size_t i = 0; i < jnode_count(own); i++)
		strv_add(&entries, str_or(jnode_str(jnode_item(own, i)), ""));
	jnode_set(process, "env", jnode_strv(image_env));
	process_add_env(process, entries);
}

void spec_apply_image(
		struct jnode *spec, const struct image_config *image, char *const *extra_args)
{
	struct jnode *process = spec_process(spec), *args = jnode_strv(image->entrypoint);

	apply_env(process, image->env);
	if (extra_args == NULL || *extra_args == NULL)
		extra_args = image->cmd;
	for (; extra_args != NULL && *extra_args != NULL; extra_args++)
		jnode_append_str(args, *extra_args);
	jnode_set(process, "args", args);
	process_set_cwd(process, str_or(image->working_dir, "/"));
}
