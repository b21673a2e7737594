/* SPDX-License-Identifier: Apache-2.0 */
#include "shim_box.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/event.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/task.pb-c.h"
#include "api/pb/ttrpc_events.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "loop/loop.h"
#include "os/pipe.h"
#include "os/spawn.h"
#include "os/unix_socket.h"
#include "rpc/server.h"
#include "text/json_out.h"

static char options_type[] = "containerd.runc.v1.Options";
static char process_type[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";

static void note_event(struct box *b, const Types__Envelope *e, const char *id,
		const char *exec_id, uint32_t pid, uint32_t status)
{
	struct box_event *to;

	pthread_mutex_lock(&b->lock);
	if (b->count < ARRAY_LEN(b->log)) {
		to = &b->log[b->count++];
		(void)snprintf(to->topic, sizeof(to->topic), "%s", e->topic);
		if (exec_id == NULL || str_eq(id, exec_id))
			(void)snprintf(to->id, sizeof(to->id), "%s", id);
		else
			(void)snprintf(to->id, sizeof(to->id), "%s/%s", id, exec_id);
		to->pid = pid;
		to->status = status;
	}
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

static void read_event(struct box *b, const Types__Envelope *e, const ProtobufCMessage *m)
{
	const char *url = e->event->type_url;

	if (str_ends(url, "TaskCreate")) {
		const Event__TaskCreate *ev = (const Event__TaskCreate *)m;
		note_event(b, e, ev->container_id, NULL, ev->pid, 0);
	} else if (str_ends(url, "TaskStart")) {
		const Event__TaskStart *ev = (const Event__TaskStart *)m;
		note_event(b, e, ev->container_id, NULL, ev->pid, 0);
	} else if (str_ends(url, "TaskExit")) {
		const Event__TaskExit *ev = (const Event__TaskExit *)m;
		note_event(b, e, ev->container_id, ev->id, ev->pid, ev->exit_status);
	} else if (str_ends(url, "TaskDelete")) {
		const Event__TaskDelete *ev = (const Event__TaskDelete *)m;
		note_event(b, e, ev->container_id, NULL, ev->pid, ev->exit_status);
	} else if (str_ends(url, "TaskExecAdded")) {
		const Event__TaskExecAdded *ev = (const Event__TaskExecAdded *)m;
		note_event(b, e, ev->container_id, ev->exec_id, 0, 0);
	} else if (str_ends(url, "TaskExecStarted")) {
		const Event__TaskExecStarted *ev = (const Event__TaskExecStarted *)m;
		note_event(b, e, ev->container_id, ev->exec_id, ev->pid, 0);
	} else {
		const Event__TaskPaused *ev = (const Event__TaskPaused *)m;
		note_event(b, e, ev->container_id, NULL, 0, 0);
	}
}

static const ProtobufCMessageDescriptor *event_type(const char *url)
{
	static const ProtobufCMessageDescriptor *const known[] = {
		&event__task_create__descriptor, &event__task_start__descriptor,
		&event__task_exit__descriptor, &event__task_delete__descriptor,
		&event__task_exec_added__descriptor, &event__task_exec_started__descriptor,
		&event__task_paused__descriptor, &event__task_resumed__descriptor,
		&event__task_oom__descriptor
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(known[i]->name, url))
			return known[i];
	return NULL;
}

static enum call_fate on_forward(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Types__Envelope *e = ((const TtrpcEvents__ForwardRequest *)request)->envelope;
	const ProtobufCMessageDescriptor *type = event_type(e->event->type_url);
	ProtobufCMessage *m;

	if (type == NULL || pb_decode(type, e->event->value.data, e->event->value.len,
					    call_arena(call), NULL, &m, err) < 0)
		abort(); /* an event that nobody knows */
	read_event(self, e, m);
	return call_answer_empty(call, err);
}

static const struct rpc_method forward = { "Forward",
	&ttrpc_events__forward_request__descriptor, &google__protobuf__empty__descriptor,
	RPC_UNARY, RPC_ON_LOOP, on_forward };
static const struct rpc_service events_service = { "containerd.services.events.ttrpc.v1.Events",
	&forward, 1 };

static void *serve_events(void *arg)
{
	struct box *b = arg;

	loop_run(b->loop);
	return NULL;
}

void box_events_start(struct box *b)
{
	AUTO_ERR struct err err = { 0 };
	int fd = unix_listen(b->events, 0600);

	assert_true(fd >= 0);
	b->loop = loop_new();
	b->server = rpc_server_new(b->loop, NULL, NULL, &(struct rpc_limits){ 0 });
	rpc_server_add(b->server, RPC_TTRPC, &events_service, b);
	if (ttrpc_listen(b->server, fd, true, &err) < 0)
		fail_msg("%s", err_text(&err));
	assert_int_equal(pthread_create(&b->thread, NULL, serve_events, b), 0);
}

void box_events_stop(struct box *b)
{
	if (b->loop == NULL)
		return;
	loop_stop(b->loop);
	pthread_join(b->thread, NULL);
	rpc_server_free(b->server);
	loop_free(b->loop);
	b->loop = NULL;
	(void)unlink(b->events);
}

void box_open(struct box *b)
{
	const char *program = getenv("SHIM_UNDER_TEST");

	*b = (struct box){ .service = "containerd.task.v3.Task" };
	assert_non_null(program);
	tempdir_make(&b->dir);
	(void)snprintf(b->shim, sizeof(b->shim), "%s", program);
	(void)snprintf(b->events, sizeof(b->events), "%s/e.sock", b->dir.path);
	assert_int_equal(mkdirat(b->dir.fd, "bundles", 0700), 0);
	arena_init(&b->arena, 64 << 20);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	box_events_start(b);
}

/* Children of the shim that a failed test left. */
static void kill_tree(pid_t pid)
{
	char path[64];
	AUTO_FREE char *list = NULL;
	char *at, *word;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	list = get_file(AT_FDCWD, path);
	at = list;
	while (at != NULL && (word = strsep(&at, " ")) != NULL)
		if (*word != '\0')
			kill_tree((pid_t)strtol(word, NULL, 10));
	(void)kill(pid, SIGKILL);
}

void box_close(struct box *b)
{
	AUTO_FREE char *command = NULL;
	pid_t pid = b->channel == NULL ? 0 : box_shim_pid(b);

	channel_unref(b->channel);
	b->channel = NULL;
	if (pid > 0 && !box_is_gone(pid))
		kill_tree(pid);
	box_events_stop(b);
	err_clear(&b->err);
	arena_done(&b->arena);
	(void)umount2(b->dir.path, MNT_DETACH);
	tempdir_remove(&b->dir);
}

static void add_strings(struct json_out *j, const char *key, const char *const *texts)
{
	json_out_key(j, key);
	json_out_array(j);
	for (; *texts != NULL; texts++)
		json_out_text(j, *texts);
	json_out_end(j);
}

static void add_process(struct json_out *j, const char *const *args, bool terminal)
{
	static const char *const env[] = { "PATH=/bin", "TERM=xterm", NULL };

	json_out_object(j);
	json_out_key(j, "terminal");
	json_out_bool(j, terminal);
	json_out_key(j, "user");
	json_out_raw(j, "{\"uid\":0,\"gid\":0}", 17);
	add_strings(j, "args", args);
	add_strings(j, "env", env);
	json_out_member(j, "cwd", "/");
	json_out_end(j);
}

static void add_namespaces(struct json_out *j, bool host_pids)
{
	static const char *const types[] = { "mount", "ipc", "uts", "network", "pid" };

	json_out_key(j, "namespaces");
	json_out_array(j);
	for (size_t i = 0; i < ARRAY_LEN(types) - host_pids; i++) {
		json_out_object(j);
		json_out_member(j, "type", types[i]);
		json_out_end(j);
	}
	json_out_end(j);
}

static void write_config(
		struct box *b, const char *id, const struct box_spec *spec, struct buf *out)
{
	static const char mounts[] =
			"[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
			"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
			"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":"
			"\"devpts\",\"options\":[\"newinstance\",\"ptmxmode=0666\"]}]";
	AUTO_FREE char *group = xasprintf("/%s-%s", strrchr(b->dir.path, '/') + 1, id);
	struct json_out j;

	json_out_init(&j, out, NULL);
	json_out_object(&j);
	json_out_member(&j, "ociVersion", "1.0.2");
	json_out_key(&j, "process");
	add_process(&j, spec->args, spec->terminal);
	json_out_key(&j, "root");
	json_out_raw(&j, "{\"path\":\"rootfs\"}", 17);
	json_out_key(&j, "mounts");
	json_out_raw(&j, mounts, sizeof(mounts) - 1);
	if (spec->group != NULL) {
		json_out_key(&j, "annotations");
		json_out_object(&j);
		json_out_member(&j, "io.containerd.runc.v2.group", spec->group);
		json_out_end(&j);
	}
	json_out_key(&j, "linux");
	json_out_object(&j);
	json_out_member(&j, "cgroupsPath", group);
	add_namespaces(&j, spec->host_pids);
	json_out_end(&j);
	json_out_end(&j);
}

static void make_root(int bundle)
{
	static const char *const dirs[] = { "rootfs", "rootfs/bin", "rootfs/proc", "rootfs/dev",
		"rootfs/tmp" };
	static const char *const applets[] = { "sh", "echo", "cat", "sleep", "true", "false",
		"tty", "stty", "head", "ps", "kill", "ls" };
	AUTO_CLOSE int from = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int to = -1;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		assert_int_equal(mkdirat(bundle, dirs[i], 0755), 0);
	to = openat(bundle, "rootfs/bin/busybox", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(sendfile(to, from, NULL, 16 << 20) > 0);
	for (size_t i = 0; i < ARRAY_LEN(applets); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "rootfs/bin/%s", applets[i]);
		assert_int_equal(symlinkat("busybox", bundle, name), 0);
	}
}

char *box_bundle(struct box *b, const char *id, const struct box_spec *spec)
{
	char *path = xasprintf("%s/bundles/%s", b->dir.path, id);
	AUTO_BUF struct buf config = { .limit = 1 << 20 };
	AUTO_CLOSE int fd = -1;

	assert_int_equal(mkdir(path, 0700), 0);
	fd = open(path, O_DIRECTORY | O_CLOEXEC);
	write_config(b, id, spec, &config);
	put_file(fd, "config.json", config.data);
	make_root(fd);
	return path;
}

char *box_run(struct box *b, const char *id, const char *action, const void *input, size_t size,
		int *ret_status, size_t *ret_size)
{
	AUTO_FREE char *cwd = xasprintf("%s/bundles/%s", b->dir.path, id);
	AUTO_FREE char *ttrpc = xasprintf("TTRPC_ADDRESS=%s", b->events);
	AUTO_FREE char *path = xasprintf("PATH=%s", getenv("PATH"));
	AUTO_FREE char *address = xasprintf("%s/c.sock", b->dir.path);
	const char *const args[] = { b->shim, "-namespace", "box", "-address", address,
		"-publish-binary", "/bin/false", "-id", id, action, NULL };
	char *env[] = { ttrpc, path, NULL };
	AUTO_CLOSE int in = -1, in_w = -1, out = -1, out_w = -1;
	struct buf text = { .limit = 1 << 20 };
	struct spawn s = { .path = b->shim,
		.argv = (char *const *)(uintptr_t)args,
		.envp = env,
		.cwd = cwd,
		.fd_count = 3 };
	int status, rc;
	pid_t pid;

	assert_int_equal(pipe_make(&in, &in_w), 0);
	assert_int_equal(pipe_make(&out, &out_w), 0);
	s.fds[0] = in;
	s.fds[1] = s.fds[2] = out_w; /* daemons read both together */
	assert_int_equal(spawn_child(&s, &pid, NULL), 0);
	close_fd(&in);
	close_fd(&out_w);
	rc = size == 0 ? 0 : io_write_all(in_w, input, size);
	assert_true(rc == 0 || rc == -EPIPE); /* it may have had enough */
	close_fd(&in_w);
	assert_int_equal(io_read_all(out, &text), 0); /* the server must not keep it open */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (ret_size != NULL)
		*ret_size = text.size;
	return buf_take_str(&text);
}

void box_connect(struct box *b)
{
	struct ctx ctx = { .deadline_ns = clock_mono_ns() + BOX_MS * NS_PER_MS };

	channel_unref(b->channel);
	b->channel = NULL;
	if (channel_open_ttrpc(NULL, b->address, &ctx, &b->channel, &b->err) < 0)
		fail_msg("%s", err_text(&b->err));
}

void box_start(struct box *b, const char *id)
{
	int status;
	AUTO_FREE char *address = box_run(b, id, "start", NULL, 0, &status, NULL);

	if (status != 0)
		fail_msg("start: %d: %s", status, address);
	(void)snprintf(b->address, sizeof(b->address), "%s", address);
	box_connect(b);
}

/* The socket's peer may still be the helper that made it. */
pid_t box_shim_pid(struct box *b)
{
	TaskV3__ConnectRequest r = TASK_V3__CONNECT_REQUEST__INIT;
	const TaskV3__ConnectResponse *a;

	a = (const TaskV3__ConnectResponse *)box_call(
			b, "Connect", &r.base, &task_v3__connect_response__descriptor);
	return a == NULL ? 0 : (pid_t)a->shim_pid;
}

const ProtobufCMessage *box_call(struct box *b, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer)
{
	struct ctx ctx = { .ns = "box", .deadline_ns = clock_mono_ns() + BOX_MS * NS_PER_MS };
	ProtobufCMessage *m = NULL;

	err_clear(&b->err);
	if (channel_call(b->channel, &ctx, b->service, method, request, answer, &b->arena, &m,
			    &b->err) < 0)
		return NULL;
	return m;
}

struct Google__Protobuf__Any *box_options(struct box *b)
{
	Runc__Options o = RUNC__OPTIONS__INIT;
	Google__Protobuf__Any *any =
			ARENA_NEW(&b->arena, Google__Protobuf__Any, google__protobuf__any);

	o.binary_name = b->runtime == NULL ? "" : b->runtime;
	o.root = arena_printf(&b->arena, "%s/runc", b->dir.path);
	any->type_url = options_type;
	any->value.data = (uint8_t *)(uintptr_t)pb_encode_arena(
			&o.base, &b->arena, &any->value.len);
	return any;
}

static int create(struct box *b, const char *id, const char *in, const char *out,
		const char *err, bool terminal)
{
	TaskV3__CreateTaskRequest r = TASK_V3__CREATE_TASK_REQUEST__INIT;
	const TaskV3__CreateTaskResponse *a;

	r.id = id;
	r.bundle = arena_printf(&b->arena, "%s/bundles/%s", b->dir.path, id);
	r.stdin = in;
	r.stdout = out;
	r.stderr = err;
	r.terminal = terminal;
	r.options = box_options(b);
	a = (const TaskV3__CreateTaskResponse *)box_call(
			b, "Create", &r.base, &task_v3__create_task_response__descriptor);
	return a == NULL ? -1 : (int)a->pid;
}

int box_create(struct box *b, const char *id, const char *in, const char *out, const char *err)
{
	return create(b, id, in, out, err, false);
}

int box_create_terminal(struct box *b, const char *id, const char *in, const char *out)
{
	return create(b, id, in, out, "", true);
}

int box_begin(struct box *b, const char *id, const char *exec_id)
{
	TaskV3__StartRequest r = TASK_V3__START_REQUEST__INIT;
	const TaskV3__StartResponse *a;

	r.id = id;
	r.exec_id = exec_id;
	a = (const TaskV3__StartResponse *)box_call(
			b, "Start", &r.base, &task_v3__start_response__descriptor);
	return a == NULL ? -1 : (int)a->pid;
}

int box_add_exec(struct box *b, const char *id, const char *exec_id, const char *const *args,
		const char *out)
{
	TaskV3__ExecProcessRequest r = TASK_V3__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	AUTO_BUF struct buf spec = { .limit = 1 << 20 };
	struct json_out j;

	json_out_init(&j, &spec, NULL);
	add_process(&j, args, false);
	any.type_url = process_type;
	any.value.data = (uint8_t *)spec.data;
	any.value.len = spec.size;
	r.id = id;
	r.exec_id = exec_id;
	r.stdout = out;
	r.spec = &any;
	return box_call(b, "Exec", &r.base, &google__protobuf__empty__descriptor) == NULL ? -1
											  : 0;
}

int box_kill(struct box *b, const char *id, const char *exec_id, uint32_t signo, bool all)
{
	TaskV3__KillRequest r = TASK_V3__KILL_REQUEST__INIT;

	r.id = id;
	r.exec_id = exec_id;
	r.signal = signo;
	r.all = all;
	return box_call(b, "Kill", &r.base, &google__protobuf__empty__descriptor) == NULL ? -1
											  : 0;
}

int box_wait(struct box *b, const char *id, const char *exec_id)
{
	TaskV3__WaitRequest r = TASK_V3__WAIT_REQUEST__INIT;
	const TaskV3__WaitResponse *a;

	r.id = id;
	r.exec_id = exec_id;
	a = (const TaskV3__WaitResponse *)box_call(
			b, "Wait", &r.base, &task_v3__wait_response__descriptor);
	return a == NULL ? -1 : (int)a->exit_status;
}

int box_delete(struct box *b, const char *id, const char *exec_id)
{
	TaskV3__DeleteRequest r = TASK_V3__DELETE_REQUEST__INIT;
	const TaskV3__DeleteResponse *a;

	r.id = id;
	r.exec_id = exec_id;
	a = (const TaskV3__DeleteResponse *)box_call(
			b, "Delete", &r.base, &task_v3__delete_response__descriptor);
	return a == NULL ? -1 : (int)a->exit_status;
}

int box_status(struct box *b, const char *id, const char *exec_id)
{
	TaskV3__StateRequest r = TASK_V3__STATE_REQUEST__INIT;
	const TaskV3__StateResponse *a;

	r.id = id;
	r.exec_id = exec_id;
	a = (const TaskV3__StateResponse *)box_call(
			b, "State", &r.base, &task_v3__state_response__descriptor);
	return a == NULL ? -1 : (int)a->status;
}

int box_simple(struct box *b, const char *method, const char *id)
{
	TaskV3__ShutdownRequest r = TASK_V3__SHUTDOWN_REQUEST__INIT; /* all have the id as 1 */

	r.id = id;
	return box_call(b, method, &r.base, &google__protobuf__empty__descriptor) == NULL ? -1
											  : 0;
}

char *box_topics(struct box *b, size_t count)
{
	struct buf out = { .limit = 1 << 20 };
	struct timespec end;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += BOX_MS / 1000;
	pthread_mutex_lock(&b->lock);
	while (b->count < count)
		if (pthread_cond_timedwait(&b->changed, &b->lock, &end) != 0)
			break;
	for (size_t i = 0; i < b->count; i++) {
		const char *slash = strchr(b->log[i].id, '/');

		buf_addf(&out, "%s%s", i == 0 ? "" : " ", b->log[i].topic + strlen("/tasks/"));
		if (slash != NULL)
			buf_addf(&out, ":%s", slash + 1);
	}
	pthread_mutex_unlock(&b->lock);
	return buf_take_str(&out);
}

bool box_eventually(bool (*is_so)(void *arg), void *arg)
{
	int64_t end = clock_mono_ns() + BOX_MS * NS_PER_MS;

	while (!is_so(arg)) {
		if (clock_mono_ns() > end)
			return false;
		(void)poll(NULL, 0, 5); /* of other processes nobody tells us */
	}
	return true;
}

bool box_is_gone(pid_t pid)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/stat", (int)pid);
	AUTO_FREE char *stat = get_file(AT_FDCWD, path);
	const char *state = stat == NULL ? NULL : strrchr(stat, ')');

	return state == NULL || state[2] == 'Z';
}
