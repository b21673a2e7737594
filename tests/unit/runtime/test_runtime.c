/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime over a fake shim: everything from Create to Delete, and above all what happens
 * when shims or daemons go away in between. Its "binary" is a shell script.
 */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/container.h"
#include "core/event.h"
#include "core/mount.h"
#include "core/mount_manager.h"
#include "core/sandbox.h"
#include "core/task.h"
#include "loop/loop.h"
#include "os/fs.h"
#include "runtime/runtime.h"
#include "support/fake_shim.h"

/* Containers: there is one of every id but "stranger". */

static char *shim_path;
static const char mapped_spec[] = "{\"mounts\":[{\"options\":[\"idmap\"]}]}";

static int get_container(struct container_store *self, struct ctx *ctx, const char *id,
		struct container **ret, struct err *err)
{
	if (strcmp(id, "stranger") == 0)
		return err_set(err, ERR_NOT_FOUND, "container \"%s\" in namespace \"%s\"", id,
				ctx->ns);
	*ret = container_new(id);
	(*ret)->runtime_name = xstrdup(shim_path);
	any_set(&(*ret)->spec, "spec", "{}", 2);
	if (str_starts(id, "in-pod"))
		(*ret)->sandbox = xstrdup("pod");
	if (str_starts(id, "in-old-pod"))
		(*ret)->sandbox = xstrdup("old-pod");
	if (strcmp(id, "mapped") == 0)
		any_set(&(*ret)->spec, "spec", mapped_spec, strlen(mapped_spec));
	return 0;
}

static const struct container_store_ops containers_ops = { .get = get_container };

/* Sandboxes: there is a record of every id but "old-pod". */

static int get_sandbox(struct sandbox_store *self, struct ctx *ctx, const char *id,
		struct sandbox **ret, struct err *err)
{
	if (strcmp(id, "old-pod") == 0)
		return err_set(err, ERR_NOT_FOUND, "sandbox %s", id);
	*ret = sandbox_new(id);
	return 0;
}

static const struct sandbox_store_ops sandboxes_ops = { .get = get_sandbox };

/* Mounts: whatever is of type "odd" becomes one of type "even"; what was done is noted. */

struct fake_mounts {
	struct mount_manager base;
	char did[256];
};

static bool are_odd(struct mount_manager *self, const struct mounts *m)
{
	return m->count > 0 && strcmp(m->items[0].type, "odd") == 0;
}

static void did(struct mount_manager *self, const char *what, const char *name)
{
	struct fake_mounts *f = (struct fake_mounts *)self;
	size_t n = strlen(f->did);

	(void)snprintf(f->did + n, sizeof(f->did) - n, "%s %s ", what, name);
}

static int make_even(struct mount_manager *self, struct ctx *ctx,
		const struct mount_activate *r, struct activation *ret, struct err *err)
{
	if (r->allowed != NULL)
		did(self, "allowed", r->allowed[1]);
	if (strcmp(r->mounts->items[0].source, "broken") == 0)
		return err_plain(err, ERR_UNKNOWN, "broken mount");
	assert_string_equal(labels_find(r->labels, "containerd.io/gc.bref.container"), r->name);
	did(self, "activate", r->name);
	*ret = (struct activation){ .name = xstrdup(r->name) };
	(void)mounts_add(&ret->system, "even", r->mounts->items[0].source, "");
	return 0;
}

static int undo_even(
		struct mount_manager *self, struct ctx *ctx, const char *name, struct err *err)
{
	did(self, "deactivate", name);
	return err_set(err, ERR_NOT_FOUND, "%s", "");
}

static const struct mount_manager_ops mounts_ops = { are_odd, make_even, undo_even, NULL,
	NULL };

/* Events: topics in order. */

struct bus {
	struct event_bus base;
	struct mutex lock;
	struct cond changed;
	char **topics;
};

static int publish(struct event_bus *self, const struct event *e, struct err *err)
{
	struct bus *b = (struct bus *)self;

	LOCKED(&b->lock);
	strv_add(&b->topics, e->topic);
	cond_broadcast(&b->changed);
	return 0;
}

static const struct event_bus_ops bus_ops = { .publish = publish };

struct world {
	char top[32];
	int top_fd;
	char *socket;
	struct fake_shim shim;
	struct container_store containers;
	struct sandbox_store sandboxes;
	struct fake_mounts mounts;
	struct bus bus;
	struct loop *loop;
	unsigned long thread;
	struct runtime *rt;
	struct task_service *tasks;
	struct ctx ctx;
	struct err err;
};

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* A daemon comes up over what is there. */
static void start_daemon(struct world *w)
{
	AUTO_FREE char *state = xasprintf("%s/state", w->top);
	AUTO_FREE char *root = xasprintf("%s/root", w->top);
	struct runtime_options o = { .containers = &w->containers,
		.sandboxes = &w->sandboxes,
		.mounts = &w->mounts.base,
		.events = &w->bus.base,
		.state_dir = state,
		.root_dir = root,
		.grpc_address = "/g",
		.ttrpc_address = "/t",
		.socket_dir = w->top,
		.daemon_binary = "/d",
		.timeouts = { .shutdown = 500 * NS_PER_MS,
				.state = 300 * NS_PER_MS,
				.stats = 300 * NS_PER_MS,
				.cleanup = 2 * NS_PER_S } };

	w->loop = o.loop = loop_new();
	assert_ok(runtime_new(&o, &w->rt, &w->err), &w->err);
	w->tasks = runtime_tasks(w->rt);
	runtime_load(w->rt);
	assert_int_equal(thread_start(&w->thread, loop_thread, w->loop, "loop"), 0);
}

static void stop_daemon(struct world *w)
{
	runtime_free(w->rt);
	loop_stop(w->loop);
	thread_join(w->thread);
	loop_free(w->loop);
}

static void write_shim(struct world *w, const char *start, const char *delete)
{
	AUTO_FREE char *text = xasprintf("#!/bin/sh\n"
					 "for last; do :; done\n"
					 "echo $last >>%s/calls\n"
					 "case $last in\n"
					 "start) cat >/dev/null; %s;;\n"
					 "delete) %s;;\n"
					 "esac\n",
			w->top, start, delete);

	assert_int_equal(io_replace_file(w->top_fd, "containerd-shim-fake-v1", text,
					 strlen(text), 0755),
			0);
}

/* Writes the usual script: says where the fake shim is, deletes with status 137. */
static void write_good_shim(struct world *w)
{
	AUTO_FREE char *start = xasprintf("printf unix://%s", w->socket);

	write_shim(w, start, "printf '\\010\\007\\020\\211\\001'");
}

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	strcpy(w->top, "/tmp/ctrd-rt-XXXXXX");
	assert_non_null(mkdtemp(w->top));
	w->top_fd = open(w->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->socket = xasprintf("%s/s", w->top);
	shim_path = xasprintf("%s/containerd-shim-fake-v1", w->top);
	write_good_shim(w);
	fake_shim_init(&w->shim);
	fake_shim_start(&w->shim, w->socket);
	w->containers.ops = &containers_ops;
	w->sandboxes.ops = &sandboxes_ops;
	w->mounts.base.ops = &mounts_ops;
	w->bus.base.ops = &bus_ops;
	mutex_init(&w->bus.lock, RANK_event_queue);
	cond_init(&w->bus.changed);
	w->ctx.ns = "ns";
	start_daemon(w);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	stop_daemon(w);
	fake_shim_done(&w->shim);
	assert_int_equal(fs_remove_all(AT_FDCWD, w->top), 0);
	strv_free(w->bus.topics);
	cond_done(&w->bus.changed);
	mutex_done(&w->bus.lock);
	close_fd(&w->top_fd);
	free(take_ptr(shim_path));
	free(w->socket);
	err_clear(&w->err);
	free(w);
	return 0;
}

static int create(struct world *w, const char *id, uint32_t *ret_pid)
{
	struct mounts none = { 0 };
	struct task_create r = { .id = id, .rootfs = &none };
	uint32_t pid;

	return task_create(w->tasks, &w->ctx, &r, ret_pid == NULL ? &pid : ret_pid, &w->err);
}

struct seen {
	uint32_t pid, exit_status;
	int64_t exited_ns;
	enum task_status status;
	size_t count;
	char id[64];
};

static void see(void *arg, const struct task_reply *r)
{
	struct seen *s = arg;

	s->pid = r->pid;
	s->exit_status = r->exit_status;
	s->exited_ns = r->exited_ns;
	s->count = r->count;
	if (r->processes != NULL && r->count > 0) {
		s->status = r->processes[0].status;
		(void)snprintf(s->id, sizeof(s->id), "%s", r->processes[0].id);
	}
	if (r->metrics != NULL && r->count > 0)
		(void)snprintf(s->id, sizeof(s->id), "%s", r->metrics[0].id);
}

static int ask(struct world *w, enum task_verb verb, const char *id, const char *exec_id,
		struct seen *ret)
{
	struct task_request r = { .verb = verb, .id = id, .exec_id = exec_id };
	struct seen ignored;

	if (verb == TASK_KILL)
		r.kill.signal = 9;
	if (verb == TASK_EXEC)
		r.exec.spec = (struct any){ true, (char *)"p", (char *)"{}", 2 };
	return task_call_wait(
			w->tasks, &w->ctx, &r, see, ret == NULL ? &ignored : ret, &w->err);
}

static void expect(struct world *w, int rc, enum err_kind kind, const char *text)
{
	assert_int_equal(rc, -1);
	if (w->err.kind != kind)
		fail_msg("kind %d: %s", w->err.kind, err_text(&w->err));
	if (text != NULL)
		assert_string_equal(err_text(&w->err), text);
	err_clear(&w->err);
}

static bool is_there(struct world *w, const char *name)
{
	return faccessat(w->top_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static char *read_file(struct world *w, const char *name)
{
	struct buf b = { .limit = 100000 };

	if (io_read_file(w->top_fd, name, &b) < 0)
		return xstrdup("");
	return buf_take_str(&b);
}

/* "start", "delete": how often the binary was run that way. */
static size_t runs_of(struct world *w, const char *action)
{
	AUTO_FREE char *calls = read_file(w, "calls");
	size_t n = 0;

	for (char *p = calls; (p = strstr(p, action)) != NULL; p++)
		n++;
	return n;
}

static void wait_for_topic(struct world *w, const char *topic)
{
	LOCKED(&w->bus.lock);
	while (!strv_has(w->bus.topics, topic))
		cond_wait(&w->bus.changed, &w->bus.lock);
}

static void a_task_lives_from_create_to_delete(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *bootstrap = NULL, *want = NULL;
	struct seen s;
	uint32_t pid;

	assert_ok(create(w, "c1", &pid), &w->err);
	assert_int_equal(pid, 4711);
	assert_true(is_there(w, "state/ns/c1/rootfs"));
	assert_true(is_there(w, "root/ns/c1"));
	bootstrap = read_file(w, "state/ns/c1/bootstrap.json");
	want = xasprintf("{\"version\":2,\"address\":\"unix://%s\",\"protocol\":\"ttrpc\"}",
			w->socket);
	assert_string_equal(bootstrap, want);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_int_equal(s.status, TASK_CREATED);
	assert_string_equal(s.id, "c1");
	assert_ok(ask(w, TASK_START, "c1", "", &s), &w->err);
	assert_int_equal(s.pid, 4711);
	assert_ok(ask(w, TASK_PIDS, "c1", "", &s), &w->err);
	assert_int_equal(s.count, 1);
	expect(w, ask(w, TASK_DELETE, "c1", "", NULL), ERR_UNKNOWN,
			"failed to delete task: cannot delete a running process");
	assert_ok(ask(w, TASK_KILL, "c1", "", NULL), &w->err);
	assert_ok(ask(w, TASK_WAIT, "c1", "", &s), &w->err);
	assert_int_equal(s.exit_status, 137);
	assert_int_equal(s.exited_ns, 77);
	assert_ok(ask(w, TASK_DELETE, "c1", "", &s), &w->err);
	assert_int_equal(s.exit_status, 137);
	assert_int_equal(s.exited_ns, 88);
	assert_int_equal(w->shim.shutdowns, 1);
	/* Everything is gone when Delete answers: the id may come back at once. */
	assert_false(is_there(w, "state/ns/c1"));
	assert_false(is_there(w, "root/ns/c1"));
	expect(w, ask(w, TASK_STATE, "c1", "", NULL), ERR_NOT_FOUND, "task c1 not found");
	assert_null(w->bus.topics);
}

static void processes_in_a_task(void **state)
{
	struct world *w = *state;
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(ask(w, TASK_EXEC, "c1", "e1", NULL), &w->err);
	expect(w, ask(w, TASK_EXEC, "c1", "../e", NULL), ERR_INVALID, NULL);
	expect(w, ask(w, TASK_EXEC, "c1", "", NULL), ERR_INVALID, "exec id cannot be empty");
	assert_ok(ask(w, TASK_START, "c1", "e1", &s), &w->err);
	assert_ok(ask(w, TASK_STATE, "c1", "e1", &s), &w->err);
	assert_string_equal(s.id, "e1");
	expect(w, ask(w, TASK_STATE, "c1", "e2", NULL), ERR_NOT_FOUND,
			"process does not exist e2: not found");
	fake_shim_exit(&w->shim, "c1/e1", 3);
	assert_ok(ask(w, TASK_WAIT, "c1", "e1", &s), &w->err);
	assert_int_equal(s.exit_status, 3);
	assert_ok(ask(w, TASK_DELETE_PROCESS, "c1", "e1", &s), &w->err);
	assert_string_equal(s.id, "e1");
	assert_int_equal(s.exit_status, 3);
	assert_true(fake_shim_has(&w->shim, "c1"));
}

static void who_does_not_exist_is_not_found(void **state)
{
	struct world *w = *state;

	expect(w, ask(w, TASK_START, "stranger", "", NULL), ERR_NOT_FOUND,
			"container \"stranger\" in namespace \"ns\": not found");
	expect(w, create(w, "stranger", NULL), ERR_NOT_FOUND, NULL);
	expect(w, ask(w, TASK_KILL, "c9", "", NULL), ERR_NOT_FOUND, "task c9 not found");
	expect(w, create(w, "bad/../id", NULL), ERR_INVALID, NULL);
	w->ctx.ns = NULL;
	expect(w, ask(w, TASK_LIST, "", "", NULL), ERR_PRECONDITION, NULL);
	expect(w, create(w, "c1", NULL), ERR_PRECONDITION,
			"namespace is required: failed precondition");
}

static void an_id_has_one_task(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	expect(w, create(w, "c1", NULL), ERR_EXISTS, "task c1: already exists");
	assert_true(is_there(w, "state/ns/c1"));
	w->ctx.ns = "other";
	assert_ok(create(w, "c1", NULL), &w->err);
}

static void a_failed_start_leaves_nothing(void **state)
{
	struct world *w = *state;

	write_shim(w, "echo no; exit 1", ":");
	expect(w, create(w, "c1", NULL), ERR_UNKNOWN,
			"failed to start shim: start failed: no\n: exit status 1");
	assert_false(is_there(w, "state/ns/c1"));
	assert_false(is_there(w, "root/ns/c1"));
	assert_int_equal(runs_of(w, "delete"), 1);
	write_shim(w, "printf unix:///nowhere/s", ":");
	expect(w, create(w, "c1", NULL), ERR_UNAVAILABLE, NULL);
	assert_false(is_there(w, "state/ns/c1"));
	write_good_shim(w);
	assert_ok(create(w, "c1", NULL), &w->err);
}

static void a_missing_runtime_is_named(void **state)
{
	struct world *w = *state;
	struct mounts none = { 0 };
	struct task_create r = { .id = "c1", .rootfs = &none, .runtime_path = "io.no.such" };
	uint32_t pid;

	expect(w, task_create(w->tasks, &w->ctx, &r, &pid, &w->err), ERR_UNKNOWN,
			"failed to start shim: failed to resolve runtime path: runtime "
			"\"io.no.such\" binary not installed \"containerd-shim-no-such\": file "
			"does not exist");
	assert_false(is_there(w, "state/ns/c1"));
}

static void a_failed_create_leaves_nothing_and_says_nothing(void **state)
{
	struct world *w = *state;

	w->shim.fail_create = "OCI runtime create failed: no such binary";
	expect(w, create(w, "c1", NULL), ERR_UNKNOWN,
			"failed to create shim task: OCI runtime create failed: no such "
			"binary");
	assert_false(is_there(w, "state/ns/c1"));
	assert_int_equal(runs_of(w, "delete"), 1); /* half a container may be there */
	assert_int_equal(w->shim.shutdowns, 1);
	assert_null(w->bus.topics);
}

static void a_shim_that_claims_three_may_serve_two(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *start = xasprintf("printf '{\"version\":3,\"address\":\"unix://%s\","
					  "\"protocol\":\"ttrpc\"}'",
			w->socket);
	struct seen s;

	fake_shim_stop(&w->shim);
	w->shim.only_v2 = true;
	fake_shim_start(&w->shim, w->socket);
	write_shim(w, start, ":");
	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	/* The next daemon starts with what the file says: 3. */
	stop_daemon(w);
	start_daemon(w);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_int_equal(s.status, TASK_CREATED);
}

static void the_death_of_a_shim_is_told_once(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	fake_shim_stop(&w->shim);
	wait_for_topic(w, "/tasks/delete");
	assert_int_equal(strv_len(w->bus.topics), 2);
	assert_string_equal(w->bus.topics[0], "/tasks/exit");
	assert_false(is_there(w, "state/ns/c1"));
	assert_int_equal(runs_of(w, "delete"), 1);
	expect(w, ask(w, TASK_STATE, "c1", "", NULL), ERR_NOT_FOUND, "task c1 not found");
}

struct late {
	struct mutex lock;
	struct cond changed;
	bool is_done;
	enum err_kind kind;
	char text[100];
};

static void come(void *arg, const struct task_reply *reply, const struct err *err)
{
	struct late *l = arg;

	LOCKED(&l->lock);
	l->is_done = true;
	if (err != NULL) {
		l->kind = err->kind;
		(void)snprintf(l->text, sizeof(l->text), "%s", err_text(err));
	}
	cond_broadcast(&l->changed);
}

static void late_init(struct late *l)
{
	*l = (struct late){ 0 };
	mutex_init(&l->lock, RANK_daemon);
	cond_init(&l->changed);
}

static void late_wait(struct late *l)
{
	mutex_lock(&l->lock);
	while (!l->is_done)
		cond_wait(&l->changed, &l->lock);
	mutex_unlock(&l->lock);
	cond_done(&l->changed);
	mutex_done(&l->lock);
}

static void waits_on_a_shim_that_dies_fail(void **state)
{
	struct world *w = *state;
	struct task_request r = { .verb = TASK_WAIT, .id = "c1" };
	struct late l;

	late_init(&l);
	assert_ok(create(w, "c1", NULL), &w->err);
	task_call(w->tasks, &w->ctx, &r, come, &l);
	fake_shim_mute(&w->shim, true); /* else the fake would answer before it goes */
	fake_shim_stop(&w->shim);
	late_wait(&l);
	assert_int_not_equal(l.kind, ERR_NONE);
}

static void a_frozen_shim_costs_others_nothing(void **state)
{
	struct world *w = *state;
	struct task_request get = { .verb = TASK_STATE, .id = "c1" };
	struct late frozen[20];
	struct fake_shim other;
	AUTO_FREE char *socket = xasprintf("%s/o", w->top);
	AUTO_FREE char *start = xasprintf("printf unix://%s", socket);
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	fake_shim_init(&other);
	fake_shim_start(&other, socket);
	write_shim(w, start, ":");
	assert_ok(create(w, "c2", NULL), &w->err);
	fake_shim_mute(&w->shim, true);
	for (size_t i = 0; i < ARRAY_LEN(frozen); i++) {
		late_init(&frozen[i]);
		task_call(w->tasks, &w->ctx, &get, come, &frozen[i]);
	}
	assert_ok(ask(w, TASK_STATE, "c2", "", &s), &w->err);
	assert_int_equal(s.status, TASK_CREATED);
	/* List leaves out who does not answer in time. */
	assert_ok(ask(w, TASK_LIST, "", "", &s), &w->err);
	assert_int_equal(s.count, 1);
	assert_string_equal(s.id, "c2");
	for (size_t i = 0; i < ARRAY_LEN(frozen); i++) {
		late_wait(&frozen[i]);
		assert_int_equal(frozen[i].kind, ERR_DEADLINE);
	}
	fake_shim_mute(&w->shim, false);
	stop_daemon(w);
	fake_shim_done(&other);
	start_daemon(w);
}

static void a_restarted_daemon_finds_its_tasks(void **state)
{
	struct world *w = *state;
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(create(w, "c2", NULL), &w->err);
	assert_ok(ask(w, TASK_START, "c1", "", NULL), &w->err);
	stop_daemon(w);
	fake_shim_exit(&w->shim, "c1", 42); /* while nobody looked */
	start_daemon(w);
	assert_ok(ask(w, TASK_LIST, "", "", &s), &w->err);
	assert_int_equal(s.count, 2);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_int_equal(s.status, TASK_STOPPED);
	assert_ok(ask(w, TASK_DELETE, "c1", "", &s), &w->err);
	assert_int_equal(s.exit_status, 42);
	assert_false(is_there(w, "state/ns/c1"));
	assert_true(fake_shim_has(&w->shim, "c2"));
	assert_int_equal(runs_of(w, "start"), 2);
}

static void shims_that_died_meanwhile_are_cleaned_up_in_silence(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	fake_shim_stop(&w->shim);
	start_daemon(w);
	expect(w, ask(w, TASK_STATE, "c1", "", NULL), ERR_NOT_FOUND, "task c1 not found");
	stop_daemon(w); /* waits for the clean-up */
	assert_false(is_there(w, "state/ns/c1"));
	assert_false(is_there(w, "root/ns/c1"));
	assert_int_equal(runs_of(w, "delete"), 1);
	assert_null(w->bus.topics);
	start_daemon(w);
}

/* A daemon that died between making the shim and making the task. */
static void a_shim_without_its_task_is_shut_down(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	free(map_remove(&w->shim.tasks, "c1"));
	start_daemon(w);
	mutex_lock(&w->shim.lock);
	while (w->shim.shutdowns == 0)
		cond_wait(&w->shim.changed, &w->shim.lock);
	mutex_unlock(&w->shim.lock);
	stop_daemon(w);
	assert_false(is_there(w, "state/ns/c1"));
	start_daemon(w);
}

static void frozen_shims_do_not_hold_up_the_start(void **state)
{
	struct world *w = *state;
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	fake_shim_mute(&w->shim, true);
	start_daemon(w);
	expect(w, ask(w, TASK_STATE, "c1", "", NULL), ERR_DEADLINE, NULL);
	/* It thaws, and nothing was lost. */
	fake_shim_mute(&w->shim, false);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_int_equal(s.status, TASK_CREATED);
	assert_int_equal(runs_of(w, "delete"), 0);
}

static void an_old_address_file_is_enough(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *address = xasprintf("unix://%s", w->socket);
	AUTO_CLOSE int bundle = -1;
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	bundle = openat(w->top_fd, "state/ns/c1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(unlinkat(bundle, "bootstrap.json", 0), 0);
	assert_int_equal(io_replace_file(bundle, "address", address, strlen(address), 0644), 0);
	start_daemon(w);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_true(is_there(w, "state/ns/c1/bootstrap.json"));
}

static void leftovers_of_all_kinds_are_removed_at_start(void **state)
{
	struct world *w = *state;

	stop_daemon(w);
	assert_int_equal(mkdirat(w->top_fd, "state/ns", 0711) < 0 && errno != EEXIST, 0);
	assert_int_equal(mkdirat(w->top_fd, "state/ns/empty", 0700), 0);
	assert_int_equal(mkdirat(w->top_fd, "state/ns/..half", 0700), 0);
	assert_int_equal(mkdirat(w->top_fd, "state/ns/.gone", 0700), 0);
	assert_int_equal(mkdirat(w->top_fd, "root/ns", 0711) < 0 && errno != EEXIST, 0);
	assert_int_equal(mkdirat(w->top_fd, "root/ns/stray", 0700), 0);
	start_daemon(w);
	stop_daemon(w);
	assert_false(is_there(w, "state/ns/empty"));
	assert_false(is_there(w, "state/ns/..half"));
	assert_false(is_there(w, "state/ns/.gone"));
	assert_false(is_there(w, "root/ns/stray"));
	start_daemon(w);
}

static void tasks_that_share_a_shim_leave_it_one_by_one(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(create(w, "c2", NULL), &w->err);
	assert_ok(ask(w, TASK_DELETE, "c1", "", NULL), &w->err);
	assert_int_equal(w->shim.shutdowns, 1);
	assert_ok(ask(w, TASK_STATE, "c2", "", NULL), &w->err);
	assert_null(w->bus.topics);
}

static void a_container_of_a_sandbox_lives_in_its_shim(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *start = xasprintf("printf '{\"version\":3,\"address\":\"unix://%s\","
					  "\"protocol\":\"ttrpc\"}'",
			w->socket);
	AUTO_FREE char *url = xasprintf("ttrpc+unix://%s", w->socket), *text = NULL;
	struct mounts none = { 0 };
	struct task_create r = {
		.id = "in-pod-2", .rootfs = &none, .api_address = url, .api_version = 3
	};
	struct seen s;
	uint32_t pid;

	write_shim(w, start, ":");
	assert_ok(create(w, "pod", NULL), &w->err);
	/* Found by the sandbox's task, or where the client says. */
	assert_ok(create(w, "in-pod-1", NULL), &w->err);
	assert_ok(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), &w->err);
	assert_int_equal(runs_of(w, "start"), 1);
	text = read_file(w, "state/ns/in-pod-1/sandbox");
	assert_string_equal(text, "pod");
	/* The next daemon knows as well that this shim is not theirs to end. */
	stop_daemon(w);
	start_daemon(w);
	assert_ok(ask(w, TASK_DELETE, "in-pod-1", "", NULL), &w->err);
	assert_ok(ask(w, TASK_STATE, "in-pod-2", "", &s), &w->err);
	assert_int_equal(w->shim.shutdowns, 0);
	r.api_address = "unix:///no/protocol";
	r.id = "in-pod-3";
	expect(w, task_create(w->tasks, &w->ctx, &r, &pid, &w->err), ERR_INVALID, NULL);
	assert_false(is_there(w, "state/ns/in-pod-3"));
	/* A shim of version 2 cannot host others: it is started anew. */
	r.api_address = url;
	r.api_version = 2;
	assert_ok(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), &w->err);
	assert_int_equal(runs_of(w, "start"), 2);
}

/* Of a pod that a daemon of 1.x made there is no record. */
static void a_container_of_an_unknown_sandbox_gets_a_shim_of_its_own(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "in-old-pod", NULL), &w->err);
	assert_int_equal(runs_of(w, "start"), 1);
	expect(w, create(w, "in-pod-1", NULL), ERR_NOT_FOUND,
			"failed to start shim: can't find shim for sandbox pod: not found");
	assert_false(is_there(w, "state/ns/in-pod-1"));
	assert_int_equal(runs_of(w, "start"), 1);
}

static void a_root_file_system_may_need_more_than_a_mount(void **state)
{
	struct world *w = *state;
	AUTO_MOUNTS struct mounts m = { 0 };
	struct task_create r = { .id = "c1", .rootfs = &m };
	uint32_t pid;

	(void)mounts_add(&m, "odd", "src", "");
	assert_ok(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), &w->err);
	assert_string_equal(w->shim.rootfs, "even src");
	assert_string_equal(w->mounts.did, "activate c1 ");
	assert_ok(ask(w, TASK_DELETE, "c1", "", NULL), &w->err);
	assert_string_equal(w->mounts.did, "activate c1 deactivate c1 ");
	/* What is not made is not undone; what is made is. */
	free(m.items[0].source);
	m.items[0].source = xstrdup("broken");
	expect(w, task_create(w->tasks, &w->ctx, &r, &pid, &w->err), ERR_UNKNOWN,
			"broken mount");
	assert_false(is_there(w, "state/ns/c1"));
	assert_string_equal(w->mounts.did, "activate c1 deactivate c1 ");
	free(m.items[0].source);
	m.items[0].source = xstrdup("src");
	w->shim.fail_create = "no";
	fake_shim_stop(&w->shim);
	fake_shim_start(&w->shim, w->socket);
	assert_int_equal(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), -1);
	err_clear(&w->err);
	assert_string_equal(
			w->mounts.did, "activate c1 deactivate c1 activate c1 deactivate c1 ");
}

/* RuntimeInfo with the annotation, as a shim writes it for "-info". */
static void a_shim_says_what_it_mounts_itself(void **state)
{
	struct world *w = *state;
	AUTO_MOUNTS struct mounts m = { 0 };
	struct task_create r = { .id = "c1", .rootfs = &m };
	AUTO_FREE char *text = xasprintf("#!/bin/sh\n"
					 "for last; do :; done\n"
					 "case $last in\n"
					 "-info) printf '\\052\\057\\012\\042"
					 "containerd.io/runtime-allow-mounts"
					 "\\022\\011a/*,erofs';;\n"
					 "start) cat >/dev/null; printf unix://%s;;\n"
					 "esac\n",
			w->socket);
	uint32_t pid;

	assert_int_equal(io_replace_file(w->top_fd, "containerd-shim-fake-v1", text,
					 strlen(text), 0755),
			0);
	(void)mounts_add(&m, "odd", "src", "");
	assert_ok(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), &w->err);
	assert_string_equal(w->mounts.did, "allowed erofs activate c1 ");
}

static void mounts_that_the_runtime_cannot_map_are_refused(void **state)
{
	struct world *w = *state;

	expect(w, create(w, "mapped", NULL), ERR_NOT_FOUND,
			"failed to validate OCI runtime features: unmarshal runtime features: "
			"type with url : not found");
	assert_false(is_there(w, "state/ns/mapped"));
	assert_int_equal(runs_of(w, "start"), 0);
}

static void runtime_info_comes_from_the_binary(void **state)
{
	struct world *w = *state;
	struct any options = { 0 };
	AUTO_ANY struct any info = { 0 };

	assert_ok(task_runtime_info(w->tasks, &w->ctx, shim_path, &options, &info, &w->err),
			&w->err);
	assert_string_equal(info.type_url, "containerd.types.RuntimeInfo");
	expect(w, task_runtime_info(w->tasks, &w->ctx, "io.no.such", &options, &info, &w->err),
			ERR_UNKNOWN, NULL);
}

static void metrics_are_filtered(void **state)
{
	struct world *w = *state;
	char *filters[] = { (char *)"id==c2", NULL }, *bad[] = { (char *)"id=", NULL };
	struct task_request r = { .verb = TASK_METRICS, .metrics.filters = filters };
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(create(w, "c2", NULL), &w->err);
	assert_ok(task_call_wait(w->tasks, &w->ctx, &r, see, &s, &w->err), &w->err);
	assert_int_equal(s.count, 1);
	assert_string_equal(s.id, "c2");
	r.metrics.filters = bad;
	expect(w, task_call_wait(w->tasks, &w->ctx, &r, see, &s, &w->err), ERR_INVALID, NULL);
	filters[0] = NULL;
	r.metrics.filters = filters;
	assert_ok(task_call_wait(w->tasks, &w->ctx, &r, see, &s, &w->err), &w->err);
	assert_int_equal(s.count, 2);
}

/* What shims log goes to our standard error; here that is a pipe for a while. */
static void the_log_of_a_shim_is_copied_also_after_a_restart(void **state)
{
	struct world *w = *state;
	int ends[2], saved = dup(STDERR_FILENO), log;
	char got[100] = "";

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	start_daemon(w);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	log = openat(w->top_fd, "state/ns/c1/log", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(log, "hello\n", 6), 6);
	assert_int_equal(read(ends[0], got, sizeof(got)), 6);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	assert_string_equal(got, "hello\n");
	close(log);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

static void no_descriptor_stays_open(void **state)
{
	struct world *w = *state;
	AUTO_STRV char **before = NULL, **after = NULL;

	assert_ok(create(w, "c0", NULL), &w->err); /* the pools have started */
	assert_int_equal(fs_list(AT_FDCWD, "/proc/self/fd", &before), 0);
	for (int i = 0; i < 20; i++) {
		assert_ok(create(w, "c1", NULL), &w->err);
		assert_ok(ask(w, TASK_DELETE, "c1", "", NULL), &w->err);
	}
	/* What a Delete leaves for later is over. */
	assert_true(runtime_settle(w->rt, clock_mono_ns() + 10 * NS_PER_S));
	/* Fifos and connections are closed on the loop: ask it something, then look. */
	assert_ok(ask(w, TASK_STATE, "c0", "", NULL), &w->err);
	assert_int_equal(fs_list(AT_FDCWD, "/proc/self/fd", &after), 0);
	assert_true(strv_len(after) <= strv_len(before) + 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_task_lives_from_create_to_delete),
		T(processes_in_a_task),
		T(who_does_not_exist_is_not_found),
		T(an_id_has_one_task),
		T(a_failed_start_leaves_nothing),
		T(a_missing_runtime_is_named),
		T(a_failed_create_leaves_nothing_and_says_nothing),
		T(a_shim_that_claims_three_may_serve_two),
		T(the_death_of_a_shim_is_told_once),
		T(waits_on_a_shim_that_dies_fail),
		T(a_frozen_shim_costs_others_nothing),
		T(a_restarted_daemon_finds_its_tasks),
		T(shims_that_died_meanwhile_are_cleaned_up_in_silence),
		T(a_shim_without_its_task_is_shut_down),
		T(frozen_shims_do_not_hold_up_the_start),
		T(an_old_address_file_is_enough),
		T(leftovers_of_all_kinds_are_removed_at_start),
		T(tasks_that_share_a_shim_leave_it_one_by_one),
		T(a_container_of_a_sandbox_lives_in_its_shim),
		T(a_container_of_an_unknown_sandbox_gets_a_shim_of_its_own),
		T(a_root_file_system_may_need_more_than_a_mount),
		T(a_shim_says_what_it_mounts_itself),
		T(mounts_that_the_runtime_cannot_map_are_refused),
		T(runtime_info_comes_from_the_binary),
		T(metrics_are_filtered),
		T(the_log_of_a_shim_is_copied_also_after_a_restart),
		T(no_descriptor_stays_open),
	};

	log_setup(STDERR_FILENO, LOG_PANIC, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
