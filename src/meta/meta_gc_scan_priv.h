/* SPDX-License-Identifier: Apache-2.0 */
/* Reading records for what they refer to (reference 01 §7.3, §7.4). */
#pragma once

#include "meta/meta_graph_priv.h"

struct gc_resource;
struct labels;
struct meta;

/* Told of each reference of a record. Bytes lie in the record. */
struct ref_sink {
	/* flat_too: a snapshot's parent, an image's content. */
	void (*ref)(struct ref_sink *sink, enum node_type type, struct kv_bytes ns,
			struct kv_bytes sub, struct kv_bytes key, bool flat_too);
	/* The object lives as long as the one named. */
	void (*back_ref)(struct ref_sink *sink, enum node_type type, struct kv_bytes ns,
			struct kv_bytes sub, struct kv_bytes key);
	/* A reference to a snapshot if one of the conditions holds. */
	void (*cond_ref)(struct ref_sink *sink, struct kv_bytes ns, struct kv_bytes sub,
			struct kv_bytes key, struct kv_bytes conditions);
};

/* What else the record says. */
struct traits {
	bool is_root;	    /* gc.root */
	bool is_flat;	    /* gc.flat */
	bool expires;	    /* gc.expire: a time that can be read */
	int64_t expires_ns; /* of gc.expire */
	int64_t ingest_expires_ns;
	bool was_used; /* gc.cond.value-usedat */
	int64_t used_ns;
};

/* An object's place among the tables: kind of node, and parts of its key. */
struct object {
	enum node_type type;
	struct kv_bytes ns, sub, key;
};

/* False when the record is damaged. */
MUST_USE bool scan_refs(const struct object *o, struct kv_bytes value, struct ref_sink *sink,
		struct traits *ret_traits);
/* Whether "usedat<2h,usedat>3h" holds for an age. */
bool scan_condition_holds(struct kv_bytes conditions, int64_t age_ns);

/* The back references among the labels of something that has no record. */
void scan_back_refs(const struct object *o, const struct labels *labels, struct ref_sink *sink);

/* Calls each() for every object of every namespace and its record. */
MUST_USE int scan_objects(struct kv_txn *txn,
		int (*each)(void *arg, const struct object *o, struct kv_bytes value,
				struct err *err),
		void *arg, struct err *err);

/* One collection's view. */
struct gc_view {
	struct graph graph;
	int64_t now_ns;
	struct cond_ref *conds;
	size_t cond_count;
	uint32_t *active; /* things without records that are roots */
	size_t active_count;
	struct use *uses;
	size_t use_count;
	uint64_t scanned;
};

void gc_view_init(struct gc_view *v, int64_t now_ns);
void gc_view_done(struct gc_view *v);
/* Notes something that has no record. Before gc_view_mark(). */
void gc_view_add(struct gc_view *v, enum node_type type, const struct gc_resource *r);
/* Reads all records and marks what the roots reach. */
MUST_USE int gc_view_mark(struct gc_view *v, struct kv_txn *txn, struct err *err);
uint32_t gc_view_node(struct gc_view *v, const struct object *o);
