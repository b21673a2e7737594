/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_adjust.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "nri/nri_adjust_priv.h"
#include "nri/nri_values.h"
#include "oci/cdi.h"
#include "oci/spec.h"
#include "os/mountinfo.h"
#include "text/jnode.h"

#define MOUNTINFO_MAX ((size_t)64 << 20)

/* --- annotations, environment, arguments -------------------------------------------------- */

static void adjust_annotations(struct jnode *spec, const Nri__ContainerAdjustment *a)
{
	bool is_marked;

	for (size_t i = 0; i < a->n_annotations; i++) {
		const char *key = nri_key(a->annotations[i]->key, &is_marked);

		if (!is_marked)
			jnode_set_str(jnode_need_object(spec, "annotations"), key,
					a->annotations[i]->value);
		else
			jnode_remove(jnode_get(spec, "annotations"), key);
	}
}

static bool has_key(const char *entry, const char *key)
{
	size_t n = strlen(key);

	return strncmp(entry, key, n) == 0 && entry[n] == '=';
}

/* The place of a variable in the list; past its end if it has none. */
static size_t find_env(const struct jnode *env, const char *key)
{
	size_t i = 0;

	while (i < jnode_count(env) && !has_key(str_or(jnode_str(jnode_item(env, i)), ""), key))
		i++;
	return i;
}

/* A variable keeps its place in the list. Entries that are no assignment go, as in the
 * original. */
static void adjust_env(struct jnode *spec, const Nri__ContainerAdjustment *a)
{
	struct jnode *env;
	bool is_marked;

	if (a->n_env == 0)
		return;
	env = jnode_need_array(spec_process(spec), "env");
	for (size_t i = jnode_count(env); i-- > 0;)
		if (strchr(str_or(jnode_str(jnode_item(env, i)), ""), '=') == NULL)
			jnode_remove_at(env, i);
	for (size_t i = 0; i < a->n_env; i++) {
		const char *key = nri_key(a->env[i]->key, &is_marked);
		AUTO_FREE char *entry = xasprintf("%s=%s", key, a->env[i]->value);
		size_t at = find_env(env, key);

		if (at < jnode_count(env))
			jnode_remove_at(env, at);
		if (!is_marked && key[0] != '\0')
			jnode_insert(env, at, jnode_text(entry));
	}
}

struct jnode *nri_texts(const char *const *texts, size_t n)
{
	struct jnode *list = jnode_array();

	for (size_t i = 0; i < n; i++)
		jnode_append_str(list, texts[i]);
	return list;
}

static void adjust_args(struct jnode *spec, const Nri__ContainerAdjustment *a)
{
	if (a->n_args > 0)
		jnode_set(spec_process(spec), "args", nri_texts(a->args, a->n_args));
}

/* --- hooks -------------------------------------------------------------------------------- */

static void add_hooks(struct jnode *spec, const char *kind, Nri__Hook *const *hooks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct jnode *hook = jnode_object();

		jnode_set_str(hook, "path", hooks[i]->path);
		if (hooks[i]->n_args > 0)
			jnode_set(hook, "args", nri_texts(hooks[i]->args, hooks[i]->n_args));
		if (hooks[i]->n_env > 0)
			jnode_set(hook, "env", nri_texts(hooks[i]->env, hooks[i]->n_env));
		if (hooks[i]->timeout != NULL)
			jnode_set(hook, "timeout", jnode_i64(hooks[i]->timeout->value));
		jnode_append(jnode_need_array(jnode_need_object(spec, "hooks"), kind), hook);
	}
}

static void adjust_hooks(struct jnode *spec, const Nri__Hooks *h)
{
	if (h == NULL)
		return;
	add_hooks(spec, "prestart", h->prestart, h->n_prestart);
	add_hooks(spec, "poststart", h->poststart, h->n_poststart);
	add_hooks(spec, "poststop", h->poststop, h->n_poststop);
	add_hooks(spec, "createRuntime", h->create_runtime, h->n_create_runtime);
	add_hooks(spec, "createContainer", h->create_container, h->n_create_container);
	add_hooks(spec, "startContainer", h->start_container, h->n_start_container);
}

/* --- CDI ---------------------------------------------------------------------------------- */

static int adjust_cdi(struct jnode *spec, const Nri__ContainerAdjustment *a, struct err *err)
{
	AUTO_STRV char **names = NULL;
	AUTO(cdi_free) struct cdi *cdi = NULL;

	if (a->n_cdi_devices == 0)
		return 0;
	for (size_t i = 0; i < a->n_cdi_devices; i++)
		strv_add(&names, a->cdi_devices[i]->name);
	cdi = cdi_load(cdi_default_dirs);
	return cdi_inject(cdi, spec, names, err) < 0
			       ? err_wrap(err, "CDI device injection failed")
			       : 0;
}

/* --- mounts ------------------------------------------------------------------------------- */

/* True if "path" is "dir" or below it. */
static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 &&
	       (path[n] == '\0' || path[n] == '/' || (n > 0 && dir[n - 1] == '/'));
}

/* How the mount that holds "path" propagates: "rshared", "rslave" or "". */
static int ask_propagation(const char *path, const char **ret, struct err *err)
{
	AUTO_BUF struct buf table = { .limit = MOUNTINFO_MAX };
	struct mountinfo m;
	size_t longest = 0;
	char *at;
	int rc = mountinfo_read(&table);

	if (rc < 0)
		return err_sys(err, -rc, "read mountinfo");
	*ret = NULL;
	for (at = table.data; mountinfo_next(&at, &m);) {
		if (!is_below(path, m.target) || strlen(m.target) < longest)
			continue;
		longest = strlen(m.target);
		*ret = m.is_shared ? "rshared" : m.is_slave ? "rslave" : "";
	}
	if (*ret == NULL)
		return err_plain(err, ERR_UNKNOWN, "failed to get mount info for \"%s\"", path);
	return 0;
}

static int check_propagation(
		const char *source, const char *wanted, const char *also, struct err *err)
{
	const char *is = NULL;

	if (ask_propagation(source, &is, err) < 0)
		return -1;
	if (str_eq(is, wanted) || str_eq(is, also))
		return 0;
	return err_plain(err, ERR_UNKNOWN,
			"path \"%s\" mount propagation is \"%s\", not \"%s%s%s\"", source, is,
			wanted, also == NULL ? "" : " or ", str_or(also, ""));
}

/* A mount that is to propagate needs a root that lets it. */
static int propagate(struct jnode *spec, const Nri__Mount *m, const char *how, struct err *err)
{
	const char *root = str_or(
			jnode_get_str(jnode_get(spec, "linux"), "rootfsPropagation"), "");
	int rc = 0;

	if (str_eq(how, "rshared")) {
		rc = check_propagation(m->source, "rshared", NULL, err);
		if (rc == 0)
			spec_set_propagation(spec, "rshared");
	} else if (str_eq(how, "rslave")) {
		rc = check_propagation(m->source, "rshared", "rslave", err);
		if (rc == 0 && !str_eq(root, "rshared") && !str_eq(root, "rslave"))
			spec_set_propagation(spec, "rslave");
	}
	return rc < 0 ? err_wrap(err, "failed to adjust mounts in OCI Spec") : 0;
}

static void remove_mount(struct jnode *spec, const char *destination)
{
	struct jnode *mounts = jnode_get(spec, "mounts");

	for (size_t i = 0; i < jnode_count(mounts); i++) {
		if (!str_eq(jnode_get_str(jnode_item(mounts, i), "destination"), destination))
			continue;
		jnode_remove_at(mounts, i);
		return;
	}
}

static void add_mount(struct jnode *spec, const Nri__Mount *m)
{
	struct jnode *mount = jnode_object();

	jnode_set_str(mount, "destination", m->destination);
	if (m->type[0] != '\0')
		jnode_set_str(mount, "type", m->type);
	if (m->source[0] != '\0')
		jnode_set_str(mount, "source", m->source);
	if (m->n_options > 0)
		jnode_set(mount, "options", nri_texts(m->options, m->n_options));
	jnode_append(jnode_need_array(spec, "mounts"), mount);
}

/* Slashes of the path as Go's Clean leaves it. */
static size_t depth(const char *path)
{
	size_t n = 0;

	for (const char *c = path; *c != '\0'; c++)
		n += *c == '/' && c[1] != '/' && (c[1] != '\0' || c == path);
	return n;
}

struct place {
	const char *destination;
	size_t depth, at;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->destination, y->destination);

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	if (order != 0)
		return order;
	return x->at < y->at ? -1 : 1;
}

/* What is mounted on has to be there first. */
static void sort_mounts(struct jnode *spec)
{
	struct jnode *old = jnode_need_array(spec, "mounts"), *sorted = jnode_array();
	size_t n = jnode_count(old);
	AUTO_FREE struct place *places = xcalloc(n + 1, sizeof(*places));

	for (size_t i = 0; i < n; i++) {
		const char *to = str_or(jnode_get_str(jnode_item(old, i), "destination"), "");

		places[i] = (struct place){ to, depth(to), i };
	}
	qsort(places, n, sizeof(*places), by_place);
	for (size_t i = 0; i < n; i++)
		jnode_append(sorted, jnode_copy(jnode_item(old, places[i].at)));
	jnode_set(spec, "mounts", sorted);
}

static int adjust_mounts(struct jnode *spec, const Nri__ContainerAdjustment *a, struct err *err)
{
	const char *how = "";
	bool is_marked;

	if (a->n_mounts == 0)
		return 0;
	for (size_t i = 0; i < a->n_mounts; i++) {
		const Nri__Mount *m = a->mounts[i];

		remove_mount(spec, nri_key(m->destination, &is_marked));
		if (is_marked)
			continue;
		for (size_t o = 0; o < m->n_options; o++)
			if (str_eq(m->options[o], "rprivate") ||
					str_eq(m->options[o], "rshared") ||
					str_eq(m->options[o], "rslave"))
				how = m->options[o];
		if (propagate(spec, m, how, err) < 0)
			return -1;
		add_mount(spec, m);
	}
	sort_mounts(spec);
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------- */

static void adjust_rlimits(struct jnode *spec, const Nri__ContainerAdjustment *a)
{
	for (size_t i = 0; i < a->n_rlimits; i++) {
		struct jnode *limit = jnode_object();

		jnode_set_str(limit, "type", a->rlimits[i]->type);
		jnode_set(limit, "hard", jnode_u64(a->rlimits[i]->hard));
		jnode_set(limit, "soft", jnode_u64(a->rlimits[i]->soft));
		jnode_append(jnode_need_array(spec_process(spec), "rlimits"), limit);
	}
}

int nri_adjust_spec(struct jnode *spec, const Nri__ContainerAdjustment *a,
		const struct nri_adjust_options *options, struct err *err)
{
	adjust_annotations(spec, a);
	adjust_env(spec, a);
	adjust_args(spec, a);
	adjust_hooks(spec, a->hooks);
	if (adjust_cdi(spec, a, err) < 0)
		return -1;
	if (a->linux != NULL && nri_adjust_linux(spec, a->linux, options, err) < 0)
		return -1;
	if (adjust_mounts(spec, a, err) < 0)
		return -1;
	adjust_rlimits(spec, a);
	return 0;
}
