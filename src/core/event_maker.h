/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads of events, for modules that may not see protobuf: a table that turns what happened
 * into bytes, and one that reads fields of such bytes for filters. wire/ implements both;
 * cmd/containerd hands them to meta/ and events/ (shapes: reference 01 §1.4, fields: §8.4).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct any;
struct container;
struct labels;

/* Every entry fills the empty *ret_payload, which the caller ends with any_done(). Entries are
 * pure functions: no state, any thread, no failure. Text may be NULL, meaning "". */
struct event_maker {
	void (*container_create)(const struct container *c, struct any *ret_payload);
	void (*container_update)(const struct container *c, struct any *ret_payload);
	void (*container_delete)(const char *id, struct any *ret_payload);
	void (*content_create)(const char *digest, int64_t size, struct any *ret_payload);
	void (*content_delete)(const char *digest, struct any *ret_payload);
	void (*image_create)(
			const char *name, const struct labels *labels, struct any *ret_payload);
	void (*image_update)(
			const char *name, const struct labels *labels, struct any *ret_payload);
	void (*image_delete)(const char *name, struct any *ret_payload);
	void (*namespace_create)(
			const char *name, const struct labels *labels, struct any *ret_payload);
	void (*namespace_update)(
			const char *name, const struct labels *labels, struct any *ret_payload);
	void (*namespace_delete)(const char *name, struct any *ret_payload);
	void (*snapshot_prepare)(const char *key, const char *parent, const char *snapshotter,
			struct any *ret_payload);
	void (*snapshot_commit)(const char *key, const char *name, const char *snapshotter,
			struct any *ret_payload);
	void (*snapshot_remove)(
			const char *key, const char *snapshotter, struct any *ret_payload);
};

/* Reads payloads for the filter fields event.*: decoded at most once per event, then asked by
 * every subscriber's filter. */
struct event_reader {
	/* NULL when the type is not known or the bytes are not of that type. The payload
	 * outlives the view. */
	void *(*open)(const struct any *payload);
	/* As filter_field of core/filter.h, for the path behind "event."; the value is borrowed
	 * until the next call or close. */
	bool (*field)(void *view, char *const *path, size_t n, const char **ret_value);
	void (*close)(void *view);
};
