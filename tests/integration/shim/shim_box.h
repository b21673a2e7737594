/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One shim under test: bundles in a private directory, the daemon's side of both connections,
 * and short forms of the calls. Whatever does not come within a generous time fails the test.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/arena.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/err.h"
#include "rpc/channel.h"
#include "support/tempdir.h"

/* Only a failure waits that long. */
#define BOX_MS 30000

struct box_event {
	char topic[64];
	char id[80]; /* container, or "container/exec" */
	uint32_t pid, status;
};

struct box {
	struct tempdir dir;
	char shim[256];	   /* the program */
	char events[128];  /* socket the shim forwards to */
	char sockets[128]; /* directory of the shim's sockets */
	char address[256]; /* the shim's, after start */
	struct channel *channel;
	struct arena arena;
	struct err err;	   /* of the last call that failed */
	struct loop *loop; /* the event receiver's, on its own thread */
	struct rpc_server *server;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct box_event log[512];
	size_t count;
	const char *runtime; /* option binary_name; NULL: runc */
	const char *service;
};

/* shim: path of the program, from SHIM_UNDER_TEST. */
void box_open(struct box *b);
void box_close(struct box *b); /* ends whatever still runs */

/* The receiver of events goes away and comes back. */
void box_events_start(struct box *b);
void box_events_stop(struct box *b);

/* How a bundle differs from the ordinary. */
struct box_spec {
	const char *const *args; /* ends with NULL */
	bool host_pids;
	const char *group; /* annotation; NULL for none */
	bool terminal;
};
/* "<dir>/bundles/<id>" with config.json and a root file system; owned path. */
char *box_bundle(struct box *b, const char *id, const struct box_spec *spec);

/* Runs "shim … start" in the bundle with this on stdin; its stdout, owned. Status in
 * *ret_status. */
char *box_run(struct box *b, const char *id, const char *action, const void *input, size_t size,
		int *ret_status, size_t *ret_size);
/* Starts as an old daemon does, and connects. */
void box_start(struct box *b, const char *id);
void box_connect(struct box *b);
pid_t box_shim_pid(struct box *b);

/* A call with BOX_MS to answer; NULL and b->err on failure. */
const ProtobufCMessage *box_call(struct box *b, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer);
struct Google__Protobuf__Any *box_options(struct box *b); /* with b->runtime */
/* The usual ones; -1 and b->err, or 0 (or the pid). */
int box_create(struct box *b, const char *id, const char *in, const char *out, const char *err);
int box_create_terminal(struct box *b, const char *id, const char *in, const char *out);
int box_begin(struct box *b, const char *id, const char *exec_id);
int box_add_exec(struct box *b, const char *id, const char *exec_id, const char *const *args,
		const char *out);
int box_kill(struct box *b, const char *id, const char *exec_id, uint32_t signo, bool all);
int box_wait(struct box *b, const char *id, const char *exec_id);   /* exit status */
int box_delete(struct box *b, const char *id, const char *exec_id); /* exit status */
int box_status(struct box *b, const char *id, const char *exec_id); /* Task__Status */
int box_simple(struct box *b, const char *method,
		const char *id); /* requests with an id only */

/* Waits until that many events have come, and gives their topics: "create start exit". A
 * topic's
 * "/tasks/" is left out, an exec's id is added after a colon. Owned. */
char *box_topics(struct box *b, size_t count);
bool box_eventually(bool (*is_so)(void *arg), void *arg);
bool box_is_gone(pid_t pid);
