/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/diff_walking.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "diff/diff_priv.h"

static void processor_copy(struct diff_processor *to, const struct diff_processor *from)
{
	*to = (struct diff_processor){
		.id = xstrdup(from->id),
		.accepts = strv_dup(from->accepts),
		.returns = xstrdup(from->returns),
		.path = xstrdup(from->path),
		.args = strv_dup(from->args),
		.env = strv_dup(from->env),
	};
}

static void processor_done(struct diff_processor *p)
{
	free(p->id);
	strv_free(p->accepts);
	free(p->returns);
	free(p->path);
	strv_free(p->args);
	strv_free(p->env);
}

static void walking_free(struct differ *self)
{
	struct diff_walking *d = (struct diff_walking *)self;

	for (size_t i = 0; i < d->processor_count; i++)
		processor_done(&d->processors[i]);
	free(d->processors);
	free(d->temp_root);
	free(d->helper);
	free(d);
}

static const struct differ_ops walking_ops = {
	.apply = diff_walking_apply,
	.compare = diff_walking_compare,
	.free = walking_free,
};

struct differ *diff_walking_new(const struct diff_walking_options *options)
{
	struct diff_walking *d = xzalloc(sizeof(*d));

	d->base.ops = &walking_ops;
	d->content = options->content;
	d->mounts = options->mounts;
	d->temp_root = xstrdup(options->temp_root);
	d->helper = xstrdup(options->helper);
	d->helper_uid = options->helper_uid;
	d->helper_gid = options->helper_gid;
	d->is_durable = !options->not_durable;
	d->is_walking_all = options->walk_all;
	d->zstd_window_log_max = options->zstd_window_log_max;
	d->processors = xcalloc(options->processor_count + 1, sizeof(*d->processors));
	d->processor_count = options->processor_count;
	for (size_t i = 0; i < d->processor_count; i++)
		processor_copy(&d->processors[i], &options->processors[i]);
	return &d->base;
}
