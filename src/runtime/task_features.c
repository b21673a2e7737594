/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a spec asks for and a runtime may not know. Runtimes pass over what they do not know;
 * for id-mapped mounts that would mean files of the wrong owners, so it is asked first
 * (reference 02 §2.16).
 */
#include <stdlib.h>
#include <string.h>

#include "api/pb.h"
#include "api/pb/types.pb-c.h"
#include "api/typeurl.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/any.h"
#include "runtime/runtime_priv.h"
#include "text/json.h"
#include "text/json_span.h"

#define REFUSAL "failed to validate OCI runtime features"

static bool has_option(const struct json *options, const char *word)
{
	for (size_t i = 0; i < json_count(options); i++)
		if (str_eq(json_text(json_item(options, i)), word))
			return true;
	return false;
}

static bool is_idmapped(const struct json_span *item)
{
	AUTO(json_free) struct json *mount = NULL;
	AUTO_ERR struct err err = { 0 };

	if (json_parse(item->data, item->size, &mount, &err) < 0)
		return false; /* the runtime will say what is wrong with it */
	return json_count(json_get(mount, "uidMappings")) > 0 ||
	       json_count(json_get(mount, "gidMappings")) > 0 ||
	       has_option(json_get(mount, "options"), "idmap") ||
	       has_option(json_get(mount, "options"), "ridmap");
}

static bool has_word(const struct any *spec, const char *word)
{
	return memmem(spec->value, spec->size, word, strlen(word)) != NULL;
}

bool task_has_idmapped_mounts(const struct any *spec)
{
	static const char *const path[] = { "mounts", NULL };
	AUTO_ERR struct err err = { 0 };
	struct json_span mounts, item;
	size_t at = 0;

	/* Nearly always no, and then without a look at the structure. */
	if (spec->size == 0 || (!has_word(spec, "idmap") && !has_word(spec, "idMappings")))
		return false;
	if (json_span_find(spec->value, spec->size, path, &mounts, &err) <= 0 ||
			mounts.data[0] != '[')
		return false;
	while (json_span_next(&mounts, &at, &item, &err) > 0)
		if (is_idmapped(&item))
			return true;
	return false;
}

int task_features_have_idmap(const void *features, size_t size, struct err *err)
{
	AUTO(json_free) struct json *doc = NULL;
	const struct json *idmap = NULL;

	if (json_parse(features, size, &doc, err) < 0)
		return err_wrap(err, REFUSAL ": unmarshal runtime features");
	idmap = json_get(json_get(json_get(doc, "linux"), "mountExtensions"), "idmap");
	if (json_bool(json_get(idmap, "enabled")))
		return 0;
	return err_plain(err, ERR_UNKNOWN,
			REFUSAL ": idmap mounts not supported: missing `mountExtensions.idmap` "
				"entry in `features` command");
}

int task_check_features(struct runtime *rt, struct ctx *ctx, const char *binary,
		const struct any *spec, const struct any *options, struct err *err)
{
	struct ctx bounded = runtime_bounded(ctx, rt->timeouts.start);
	AUTO_ARENA struct arena a = { 0 };
	AUTO_BUF struct buf out = { 0 };
	ProtobufCMessage *message = NULL;
	const Google__Protobuf__Any *features = NULL;

	if (!task_has_idmapped_mounts(spec))
		return 0;
	arena_init(&a, SIZE_MAX);
	if (shim_binary_info(binary, &bounded, options, &out, err) < 0 ||
			pb_decode(&types__runtime_info__descriptor, out.data, out.size, &a,
					&pb_limits_reply, &message, err) < 0)
		return err_wrap(err, REFUSAL ": runtime info");
	features = ((const Types__RuntimeInfo *)message)->features;
	if (features != NULL && str_eq(features->type_url, TYPEURL_FEATURES))
		return task_features_have_idmap(features->value.data, features->value.len, err);
	if (features != NULL && typeurl_find(features->type_url) != NULL)
		return 0;
	return err_set(err, ERR_NOT_FOUND,
			REFUSAL ": unmarshal runtime features: type with url %s",
			features == NULL ? "" : features->type_url);
}
