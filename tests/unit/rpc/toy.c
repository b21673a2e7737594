/* SPDX-License-Identifier: Apache-2.0 */
#include "toy.h"

#include "unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err_details.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "rpc/call.h"

void toy_init(struct toy *t)
{
	*t = (struct toy){ 0 };
	mutex_init(&t->lock, RANK_task);
	cond_init(&t->changed);
}

void toy_done(struct toy *t)
{
	cond_done(&t->changed);
	mutex_done(&t->lock);
}

static void toy_add(struct toy *t, size_t *what, size_t n)
{
	LOCKED(&t->lock);
	*what += n;
	cond_broadcast(&t->changed);
}

void toy_wait(struct toy *t, const size_t *what, size_t want)
{
	int64_t until = clock_mono_ns() + 60 * NS_PER_S;
	LOCKED(&t->lock);

	while (*what < want)
		if (!cond_wait_until(&t->changed, &t->lock, until))
			fail_msg("waited for %zu, got %zu", want, *what);
}

size_t toy_look(struct toy *t, const size_t *what)
{
	LOCKED(&t->lock);
	return *what;
}

Google__Protobuf__Any *toy_any(struct arena *a, const char *text, size_t size)
{
	Google__Protobuf__Any *any = ARENA_NEW(a, Google__Protobuf__Any, google__protobuf__any);

	any->type_url = arena_strdup(a, text);
	any->value.data = arena_alloc(a, size + 1);
	any->value.len = size;
	memset(any->value.data, 'x', size);
	return any;
}

static enum call_fate echo(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	return call_answer(call, request, err);
}

static void put_value(struct pb_sink *s, const void *what)
{
	const ProtobufCBinaryData *value = what;

	if (value->len == 0)
		return;
	pb_room(s, value->len);
	memcpy(s->at, value->data, value->len);
	s->at += value->len;
}

/* The value four times, the last of which counts; begins anew on a worker. */
static enum call_fate pack(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)request;

	for (int i = 0; i < 4; i++)
		call_pack(call, 2, put_value, &any->value);
	return call_can_move(call) ? call_to_worker(call, pack, self, request, err)
				   : call_answer_packed(call, err);
}

static enum call_fate refuse(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)request;

	err_set(err, ERR_NOT_FOUND, "thing %s", any->type_url);
	return CALL_FAILED;
}

/* The same, and "part" failed as well, and there is a note for those who know it. */
static enum call_fate refuse_twice(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	AUTO_ERR struct err part = { 0 };

	(void)refuse(call, self, request, err);
	err_set(&part, ERR_INVALID, "part");
	err_join(err, &part);
	err_add_detail(err, "t.v1.Note", "\1\0\377", 3);
	return CALL_FAILED;
}

/* Answers with a value of as many bytes as the text says. */
static enum call_fate big(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)request;
	uint64_t size;

	assert_true(str_u64(any->type_url, &size));
	return call_answer(call, &toy_any(call_arena(call), "big", size)->base, err);
}

/* "namespace lease header" */
static enum call_fate who(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)request;
	const struct ctx *ctx = call_ctx(call);
	struct arena *a = call_arena(call);
	const char *text = arena_printf(a, "%s %s %s", str_or(ctx->ns, "-"),
			str_or(ctx->lease, "-"), str_or(call_header(call, any->type_url), "-"));

	return call_answer(call, &toy_any(a, text, 0)->base, err);
}

/* Known to the toy, which finishes it, and to the call's cancellation: the last one frees. */
struct parker {
	struct cancel_hook hook;
	struct toy *toy;
	struct call *call;
	bool is_stream;
	atomic_int refs;
};

static void parker_unref(struct parker *p)
{
	if (atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	call_unref(p->call);
	free(p);
}

static void parked_cancelled(struct cancel_hook *hook)
{
	struct parker *p = container_of(hook, struct parker, hook);

	toy_add(p->toy, &p->toy->cancelled, 1);
	parker_unref(p);
}

static enum call_fate park_it(struct toy *t, struct call *call, bool is_stream)
{
	struct parker *p = xzalloc(sizeof(*p));
	LOCKED(&t->lock);

	p->hook.fired = parked_cancelled;
	p->toy = t;
	p->call = call_ref(call);
	p->is_stream = is_stream;
	atomic_init(&p->refs, 2);
	if (!cancel_hook_add(call_ctx(call)->cancel, &p->hook))
		parker_unref(p);
	t->parked[t->parked_count++] = p;
	cond_broadcast(&t->changed);
	return CALL_PARKED;
}

static enum call_fate park(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	return park_it(self, call, false);
}

struct call *toy_first_parked(struct toy *t)
{
	LOCKED(&t->lock);
	assert_true(t->parked_count > 0);
	return call_ref(t->parked[0]->call);
}

void toy_finish_parked(struct toy *t, const struct err *why)
{
	struct parker *parked[2000];
	size_t count;

	mutex_lock(&t->lock);
	count = t->parked_count;
	memcpy(parked, t->parked, count * sizeof(parked[0]));
	t->parked_count = 0;
	mutex_unlock(&t->lock);
	for (size_t i = 0; i < count; i++) {
		struct call *call = parked[i]->call;
		struct err err = { 0 };

		if (why == NULL && !parked[i]->is_stream)
			(void)call_answer(call, &toy_any(call_arena(call), "parked", 0)->base,
					&err);
		call_finish(call, why);
		if (cancel_hook_remove(call_ctx(call)->cancel, &parked[i]->hook))
			parker_unref(parked[i]);
		parker_unref(parked[i]);
	}
}

struct blocker {
	struct cancel_hook hook;
	struct toy *toy;
	bool fired;
};

static void blocker_fired(struct cancel_hook *hook)
{
	struct blocker *b = container_of(hook, struct blocker, hook);
	LOCKED(&b->toy->lock);

	b->fired = true;
	cond_broadcast(&b->toy->changed);
}

/* Holds its worker until the call is cancelled. */
static enum call_fate block(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	struct toy *t = self;
	struct blocker b = { .hook.fired = blocker_fired, .toy = t };

	toy_add(t, &t->blocked, 1);
	if (cancel_hook_add(call_ctx(call)->cancel, &b.hook)) {
		LOCKED(&t->lock);
		while (!b.fired)
			cond_wait(&t->changed, &t->lock);
	}
	toy_add(t, &t->cancelled, 1);
	assert_true(ctx_done(call_ctx(call), err));
	return CALL_FAILED;
}

/* As many messages as the text says, each of the request's size. "N!" fails after them. */
static enum call_fate count(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)request;
	int n = (int)strtol(any->type_url, NULL, 10);

	size_t size = 0;
	const void *state = call_resumed(call, &size);
	int i = 0;

	if (state != NULL)
		memcpy(&i, state, sizeof(i));
	for (; i < n; i++) {
		struct arena a = { 0 };
		Google__Protobuf__Any *one;
		int rc;

		arena_init(&a, SIZE_MAX);
		one = toy_any(&a, "", any->value.len);
		one->type_url = arena_printf(&a, "%d", i);
		rc = call_send(call, &one->base, err);
		arena_done(&a);
		if (rc < 0 && call_is_suspended(call))
			return call_suspend(call, &i, sizeof(i), err);
		if (rc < 0)
			return CALL_FAILED;
		toy_add(self, &((struct toy *)self)->sent, 1);
	}
	if (str_ends(any->type_url, "!")) {
		err_set(err, ERR_ABORTED, "as asked");
		return CALL_FAILED;
	}
	return CALL_OK;
}

/* Answers with "messages bytes". */
static enum call_fate sum(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	size_t messages = 0, bytes = 0;
	ProtobufCMessage *m;
	int rc;

	assert_null(request);
	while ((rc = call_recv(call, &m, err)) == 1) {
		messages++;
		bytes += ((Google__Protobuf__Any *)m)->value.len;
	}
	if (rc < 0)
		return CALL_FAILED;
	return call_answer(call,
			&toy_any(call_arena(call),
					arena_printf(call_arena(call), "%zu %zu", messages,
							bytes),
					0)
					 ->base,
			err);
}

static enum call_fate chat(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	ProtobufCMessage *m;
	int rc;

	while ((rc = call_recv(call, &m, err)) == 1) {
		const Google__Protobuf__Any *any = (Google__Protobuf__Any *)m;

		if (strcmp(any->type_url, "bye") == 0)
			return CALL_OK;
		if (strcmp(any->type_url, "fail") == 0) {
			err_set(err, ERR_CONFLICT, "chat");
			return CALL_FAILED;
		}
		if (call_send(call, m, err) < 0)
			return CALL_FAILED;
	}
	if (rc < 0 && call_is_suspended(call))
		return call_suspend(call, NULL, 0, err);
	return rc < 0 ? CALL_FAILED : CALL_OK;
}

/* Reads nothing until it may, then everything, by bytes. */
static enum call_fate slow(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	struct toy *t = self;
	const void *data;
	size_t size;
	int rc;

	toy_add(t, &t->blocked, 1);
	mutex_lock(&t->lock);
	while (!t->may_receive)
		cond_wait(&t->changed, &t->lock);
	mutex_unlock(&t->lock);
	while ((rc = call_recv_bytes(call, &data, &size, err)) == 1)
		toy_add(t, &t->received, size);
	if (rc < 0)
		return CALL_FAILED;
	return call_answer(call, &toy_any(call_arena(call), "done", 0)->base, err);
}

/* Parks a stream and feeds it from here, as an event exchange would. */
static enum call_fate feed(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	struct toy *t = self;

	while (call_try_send(call, request, 64 * 1024))
		toy_add(t, &t->sent, 1);
	return park_it(t, call, true);
}

#define ANY &google__protobuf__any__descriptor
static const struct rpc_method methods[] = {
	{ "Echo", ANY, ANY, RPC_UNARY, RPC_ON_WORKER, echo },
	{ "EchoNow", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, echo },
	{ "Pack", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, pack },
	{ "Fail", ANY, ANY, RPC_UNARY, RPC_ON_WORKER, refuse },
	{ "FailTwice", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, refuse_twice },
	{ "FailNow", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, refuse },
	{ "Big", ANY, ANY, RPC_UNARY, RPC_ON_WORKER, big },
	{ "Who", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, who },
	{ "Park", ANY, ANY, RPC_UNARY, RPC_ON_WORKER | RPC_AGAIN, park },
	{ "ParkNow", ANY, ANY, RPC_UNARY, RPC_ON_LOOP | RPC_AGAIN, park },
	{ "ParkHere", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, park },
	{ "EchoLate", ANY, ANY, RPC_UNARY, RPC_ON_WORKER | RPC_SLOW, echo },
	{ "Block", ANY, ANY, RPC_UNARY, RPC_ON_WORKER, block },
	{ "Count", ANY, ANY, RPC_SERVER_STREAM, RPC_ON_WORKER | RPC_RESUMABLE, count },
	{ "CountNow", ANY, ANY, RPC_SERVER_STREAM, RPC_ON_LOOP, count },
	{ "Feed", ANY, ANY, RPC_SERVER_STREAM, RPC_ON_LOOP | RPC_AGAIN, feed },
	{ "Sum", ANY, ANY, RPC_CLIENT_STREAM, RPC_ON_WORKER, sum },
	{ "Slow", ANY, ANY, RPC_CLIENT_STREAM, RPC_ON_WORKER, slow },
	{ "Chat", ANY, ANY, RPC_BIDI, RPC_ON_WORKER | RPC_RESUMABLE, chat },
};

const struct rpc_service toy_service = { TOY, methods, ARRAY_LEN(methods) };

static int listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(strlen(path) < sizeof(sun.sun_path));
	memcpy(sun.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 128), 0);
	return fd;
}

int toy_connect_raw(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sun.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void on_report(void *arg, const struct rpc_call_report *report)
{
	struct toy *t = arg;
	LOCKED(&t->lock);

	t->reports++;
	t->last = *report;
	cond_broadcast(&t->changed);
}

struct toy_server *toy_serve(
		size_t workers, const struct rpc_limits *limits, toy_listen grpc_serve)
{
	struct toy_server *s = xzalloc(sizeof(*s));
	struct err err = { 0 };

	toy_init(&s->toy);
	strcpy(s->dir, "/tmp/toy-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->grpc, sizeof(s->grpc), "%s/grpc", s->dir);
	snprintf(s->ttrpc, sizeof(s->ttrpc), "%s/ttrpc", s->dir);
	s->loop = loop_new();
	s->workers = pool_new("toy", workers, TOY_QUEUE);
	s->server = rpc_server_new(s->loop, s->workers, NULL, limits);
	rpc_server_add(s->server, RPC_GRPC | RPC_TTRPC, &toy_service, &s->toy);
	rpc_server_observe(s->server, on_report, &s->toy);
	assert_ok(ttrpc_listen(s->server, listen_at(s->ttrpc), true, &err), &err);
	if (grpc_serve != NULL)
		assert_ok(grpc_serve(s->server, listen_at(s->grpc), &err), &err);
	assert_int_equal(thread_start(&s->thread, loop_thread, s->loop, "server"), 0);
	return s;
}

struct on_loop {
	struct loop_task task;
	struct toy_server *s;
	void (*fn)(void *arg);
	void *arg;
	size_t done;
};

static void run_on_loop(struct loop_task *task)
{
	struct on_loop *o = container_of(task, struct on_loop, task);

	o->fn(o->arg);
	toy_add(&o->s->toy, &o->done, 1);
}

void toy_on_loop(struct toy_server *s, void (*fn)(void *arg), void *arg)
{
	struct on_loop o = { .task.run = run_on_loop, .s = s, .fn = fn, .arg = arg };

	loop_post(s->loop, &o.task);
	toy_wait(&s->toy, &o.done, 1);
}

static void stopped(void *arg)
{
	struct toy_server *s = arg;

	rpc_server_free(take_ptr(s->server));
	loop_stop(s->loop);
}

static void begin_stop(void *arg)
{
	struct toy_server *s = arg;

	if (s->server != NULL)
		rpc_server_stop(s->server, 0, stopped, s);
}

void toy_stop(struct toy_server *s)
{
	toy_on_loop(s, begin_stop, s);
	thread_join(s->thread);
	toy_finish_parked(&s->toy, NULL);
	pool_free(s->workers);
	loop_free(s->loop);
	unlink(s->grpc);
	unlink(s->ttrpc);
	rmdir(s->dir);
	toy_done(&s->toy);
	free(s);
}

int toy_call(struct channel *c, const struct ctx *ctx, const char *method, const char *text,
		size_t size, struct arena *a, Google__Protobuf__Any **ret, struct err *err)
{
	ProtobufCMessage *m;

	if (channel_call(c, ctx, TOY, method, &toy_any(a, text, size)->base, ANY, a, &m, err) <
			0)
		return -1;
	*ret = (Google__Protobuf__Any *)m;
	return 0;
}
