/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image_config.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/image_spec.h"
#include "text/jnode.h"

/* The document is bounded already; these keep one field from being all of it. */
#define MAX_STRINGS 16384
#define MAX_LABELS  4096

void image_config_done(struct image_config *c)
{
	platform_done(&c->platform);
	free(c->user);
	free(c->working_dir);
	free(c->stop_signal);
	strv_free(c->env);
	strv_free(c->entrypoint);
	strv_free(c->cmd);
	labels_done(&c->labels);
	free(c->rootfs_type);
	strv_free(c->diff_ids);
	*c = (struct image_config){ 0 };
}

static int read_strings(
		const struct jnode *list, const char *what, char ***ret, struct err *err)
{
	char **v;
	size_t n = 0;

	if (jnode_count(list) > MAX_STRINGS)
		return err_set(err, ERR_EXHAUSTED, "%s has %zu entries", what,
				jnode_count(list));
	v = xcalloc(jnode_count(list) + 1, sizeof(*v));
	for (size_t i = 0; i < jnode_count(list); i++)
		v[n++] = xstrdup(str_or(jnode_str(jnode_item(list, i)), ""));
	*ret = v;
	return 0;
}

static int read_labels(const struct jnode *n, struct labels *ret, struct err *err)
{
	if (jnode_count(n) > MAX_LABELS)
		return err_set(err, ERR_EXHAUSTED, "%zu labels", jnode_count(n));
	for (size_t i = 0; jnode_is(n, JSON_KIND_OBJECT) && i < jnode_count(n); i++)
		labels_set(ret, jnode_key(n, i), str_or(jnode_str(jnode_item(n, i)), ""));
	return 0;
}

static int read_run(const struct jnode *run, struct image_config *c, struct err *err)
{
	c->user = xstrdup(str_or(jnode_get_str(run, "User"), ""));
	c->working_dir = xstrdup(str_or(jnode_get_str(run, "WorkingDir"), ""));
	c->stop_signal = xstrdup(str_or(jnode_get_str(run, "StopSignal"), ""));
	if (read_strings(jnode_get(run, "Env"), "Env", &c->env, err) < 0)
		return -1;
	if (read_strings(jnode_get(run, "Entrypoint"), "Entrypoint", &c->entrypoint, err) < 0)
		return -1;
	if (read_strings(jnode_get(run, "Cmd"), "Cmd", &c->cmd, err) < 0)
		return -1;
	return read_labels(jnode_get(run, "Labels"), &c->labels, err);
}

static int read_rootfs(const struct jnode *rootfs, struct image_config *c, struct err *err)
{
	const struct jnode *list = jnode_get(rootfs, "diff_ids");

	c->rootfs_type = xstrdup(str_or(jnode_get_str(rootfs, "type"), ""));
	if (jnode_count(list) > OCI_MAX_LAYERS)
		return err_set(err, ERR_EXHAUSTED, "%zu layers", jnode_count(list));
	if (read_strings(list, "diff_ids", &c->diff_ids, err) < 0)
		return -1;
	c->diff_count = strv_len(c->diff_ids);
	for (size_t i = 0; i < c->diff_count; i++)
		if (digest_check(c->diff_ids[i], NULL, err) < 0)
			return err_wrap(err, "diff id %zu", i);
	return 0;
}

int image_config_parse(const void *data, size_t size, struct image_config *ret, struct err *err)
{
	AUTO(jnode_free) struct jnode *doc = NULL;
	AUTO_IMAGE_CONFIG struct image_config c = { 0 };

	if (jnode_parse(data, size, &doc, err) < 0)
		return -1;
	if (!jnode_is(doc, JSON_KIND_OBJECT))
		return err_set(err, ERR_INVALID, "image config is no object");
	platform_set(&c.platform, jnode_get_str(doc, "os"), jnode_get_str(doc, "architecture"),
			jnode_get_str(doc, "variant"));
	c.platform.os_version = xstrdup(jnode_get_str(doc, "os.version"));
	if (read_run(jnode_get(doc, "config"), &c, err) < 0)
		return err_wrap(err, "image config");
	if (read_rootfs(jnode_get(doc, "rootfs"), &c, err) < 0)
		return err_wrap(err, "image config");
	*ret = c;
	c = (struct image_config){ 0 };
	return 0;
}
