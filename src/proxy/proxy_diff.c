/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_diff.h"

#include <stdlib.h>

#include "api/arena.h"
#include "api/pb/diff.pb-c.h"
#include "api/timestamp.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/diff.h"
#include "proxy/proxy_link.h"
#include "wire/wire_image.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"

#define SERVICE "containerd.services.diff.v1.Diff"

struct proxy_differ {
	struct differ base;
	struct proxy_link *link;
};

static struct proxy_link *link_of(struct differ *self)
{
	return container_of(self, struct proxy_differ, base)->link;
}

static int descriptor_in(const Types__Descriptor *pb, struct arena *a, const char *method,
		const char *object, struct descriptor *ret, struct err *err)
{
	struct descriptor view = wire_descriptor_in(a, pb);

	if (pb == NULL)
		return proxy_bad_answer(method, object, "no descriptor", err);
	if (digest_check(view.digest, NULL, err) < 0)
		return err_wrap(err, "proxy plugin: answer to %s", method);
	*ret = (struct descriptor){ 0 };
	descriptor_copy(ret, &view);
	return 0;
}

static int proxy_apply(struct differ *self, struct ctx *ctx, const struct descriptor *layer,
		const struct mounts *mounts, const struct diff_apply_options *options,
		struct descriptor *ret_applied, struct err *err)
{
	Diff__ApplyRequest r = DIFF__APPLY_REQUEST__INIT;
	Diff__ApplyResponse *answer = NULL;
	ProtobufCMessage *m = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.diff = wire_descriptor_out(&a, layer);
	r.mounts = wire_mounts_out(&a, mounts, &r.n_mounts);
	r.sync_fs = options != NULL && options->sync_fs;
	if (proxy_call(link_of(self), ctx, SERVICE, "Apply", &r.base,
			    &diff__apply_response__descriptor, &a, &m, err) < 0)
		return -1;
	answer = (void *)m;
	return descriptor_in(answer->applied, &a, "Apply", layer->digest, ret_applied, err);
}

static int proxy_compare(struct differ *self, struct ctx *ctx, const struct mounts *lower,
		const struct mounts *upper, const struct diff_create_options *options,
		struct descriptor *ret_diff, struct err *err)
{
	static const struct labels none;
	const struct labels *labels = options->labels == NULL ? &none : options->labels;
	Diff__DiffRequest r = DIFF__DIFF_REQUEST__INIT;
	Diff__DiffResponse *answer = NULL;
	ProtobufCMessage *m = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.left = wire_mounts_out(&a, lower, &r.n_left);
	r.right = wire_mounts_out(&a, upper, &r.n_right);
	r.media_type = str_or(options->media_type, "");
	r.ref = str_or(options->ref, "");
	r.labels = wire_labels_out(
			&a, labels, &diff__diff_request__labels_entry__descriptor, &r.n_labels);
	if (options->source_date_epoch_ns != 0)
		r.source_date_epoch = timestamp_new(&a, options->source_date_epoch_ns);
	if (proxy_call(link_of(self), ctx, SERVICE, "Diff", &r.base,
			    &diff__diff_response__descriptor, &a, &m, err) < 0)
		return -1;
	answer = (void *)m;
	return descriptor_in(answer->diff, &a, "Diff", options->ref, ret_diff, err);
}

static void proxy_free(struct differ *self)
{
	proxy_link_unref(link_of(self));
	free(container_of(self, struct proxy_differ, base));
}

static const struct differ_ops proxy_ops = {
	.apply = proxy_apply,
	.compare = proxy_compare,
	.free = proxy_free,
};

struct differ *proxy_differ_new(struct proxy_link *link, struct pool *pool)
{
	struct proxy_differ *p = xzalloc(sizeof(*p));

	p->base.ops = &proxy_ops;
	p->base.pool = pool;
	p->link = proxy_link_ref(link);
	return &p->base;
}
