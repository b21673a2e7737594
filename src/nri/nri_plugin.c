/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_plugin.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "base/thread.h"
#include "loop/loop.h"
#include "nri/nri_mux.h"
#include "os/process.h"
#include "os/spawn.h"
#include "rpc/channel.h"
#include "rpc/server.h"

#define PLUGIN_SERVICE "nri.pkg.api.v1alpha1.Plugin"
/* What a plugin may ask of us at a time; more is answered with an error. */
#define MAX_CALLS 16

struct nri_plugin {
	struct nri_seat seat;
	atomic_uint refs;
	struct nri_plugin_owner owner;
	bool is_external;
	char *idx, *base, *name, *full_name, *config;
	atomic_int events;
	atomic_bool is_closed, is_registered, has_named_events;
	pid_t pid;
	int pidfd; /* of a process that we started; or -1 */
	struct channel *channel;

	/* the loop's */
	struct nri_mux *mux;
	struct rpc_server *server;
	struct loop_timer *patience;
	struct loop_task end;
};

static void name_it(struct nri_plugin *p, const char *idx, const char *base)
{
	char *old[] = { p->idx, p->base, p->name, p->full_name };

	p->idx = xstrdup(idx);
	p->base = xstrdup(base);
	p->name = xasprintf("%s-%s", idx, base);
	p->full_name = xasprintf("%s:%s-%s[%d]", p->is_external ? "external" : "pre-connected",
			str_or(idx, "\?\?"), str_or(base, "plugin"), (int)p->pid);
	for (size_t i = 0; i < ARRAY_LEN(old); i++)
		free(old[i]);
}

static struct nri_plugin *plugin_new(const struct nri_plugin_owner *owner)
{
	struct nri_plugin *p = xzalloc(sizeof(*p));

	atomic_init(&p->refs, 1);
	p->seat.plugin = p;
	list_init(&p->seat.node);
	p->seat.fd = -1;
	p->owner = *owner;
	p->pidfd = -1;
	return p;
}

struct nri_plugin *nri_plugin_external(const struct nri_plugin_owner *owner)
{
	struct nri_plugin *p = plugin_new(owner);

	p->is_external = true;
	name_it(p, "", "");
	p->config = xstrdup("");
	return p;
}

struct nri_plugin *nri_plugin_ref(struct nri_plugin *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void nri_plugin_unref(struct nri_plugin *p)
{
	if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	channel_unref(p->channel);
	close_fd(&p->seat.fd);
	close_fd(&p->pidfd);
	free(p->idx);
	free(p->base);
	free(p->name);
	free(p->full_name);
	free(p->config);
	free(p);
}

/* --- its process -------------------------------------------------------------------------- */

static int spawn(struct nri_plugin *p, const char *dir, int socket, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, p->name);
	AUTO_FREE char *name = xasprintf("NRI_PLUGIN_NAME=%s", p->base);
	AUTO_FREE char *idx = xasprintf("NRI_PLUGIN_IDX=%s", p->idx);
	char fd[] = "NRI_PLUGIN_SOCKET=3";
	char *argv[] = { path, NULL };
	char *envp[] = { name, idx, fd, NULL };
	struct spawn s = { .path = path,
		.argv = argv,
		.envp = envp,
		.fds = { -1, -1, -1, socket },
		.fd_count = 4 };
	int rc = spawn_child(&s, &p->pid, &p->pidfd);

	return rc < 0 ? err_sys(err, -rc, "failed to launch plugin \"%s\"", p->name) : 0;
}

int nri_plugin_launch(const struct nri_plugin_owner *owner, const char *dir, const char *idx,
		const char *base, const char *config, struct nri_plugin **ret_plugin,
		int *ret_fd, struct err *err)
{
	AUTO(nri_plugin_unref) struct nri_plugin *p = plugin_new(owner);
	AUTO_CLOSE int ours = -1;
	AUTO_CLOSE int theirs = -1;
	int fds[2];

	ASSERT_MAY_BLOCK();
	p->config = xstrdup(config);
	name_it(p, idx, base);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(err, errno,
				"failed to create plugin connection for plugin \"%s\"",
				p->name);
	ours = fds[0];
	theirs = fds[1];
	if (spawn(p, dir, theirs, err) < 0)
		return -1;
	name_it(p, idx, base); /* with its pid */
	*ret_plugin = take_ptr(p);
	*ret_fd = take_fd(&ours);
	return 0;
}

static void on_process_end(void *arg, int exit_status)
{
	AUTO(nri_plugin_unref) struct nri_plugin *p = arg;

	log_debug(NULL, "NRI plugin \"%s\" exited with status %d", p->name, exit_status);
}

/* --- its connection ----------------------------------------------------------------------- */

static void free_server(struct loop_task *task)
{
	AUTO(nri_plugin_unref)
	struct nri_plugin *p = container_of(task, struct nri_plugin, end);

	rpc_server_free(take_ptr(p->server));
	p->owner.gone(p->owner.arg, p);
}

static void on_server_stopped(void *arg)
{
	struct nri_plugin *p = arg;

	/* Not from within the server. */
	loop_post(p->owner.loop, &p->end);
}

/* The connection has ended, whoever did it. The reference of the connection goes with the
 * server. */
static void on_end(void *arg)
{
	struct nri_plugin *p = arg;

	log_info(NULL, "connection to plugin \"%s\" closed", p->name);
	loop_timer_free(take_ptr(p->patience));
	nri_mux_free(take_ptr(p->mux));
	nri_plugin_close(p);
	rpc_server_stop(p->server, 0, on_server_stopped, p);
}

static void on_impatience(void *arg)
{
	struct nri_plugin *p = arg;

	if (atomic_load(&p->is_registered))
		return;
	log_error(NULL, "failed to start NRI plugin \"%s\": plugin registration timed out",
			p->full_name);
	nri_plugin_close(p);
}

static void watch_process(struct nri_plugin *p)
{
	AUTO_CLOSE int fd = p->pidfd < 0 ? -1 : dup(p->pidfd);

	if (fd < 0)
		return;
	if (loop_child(p->owner.loop, fd, on_process_end, p) == 0) {
		fd = -1;
		(void)nri_plugin_ref(p);
	}
}

static int check_registration(
		struct nri_plugin *p, const Nri__RegisterPluginRequest *r, struct err *err)
{
	AUTO_ERR struct err why = { 0 };

	if (atomic_load(&p->is_registered) || nri_plugin_is_closed(p))
		return err_set(err, ERR_PRECONDITION, "plugin %s is registered already",
				p->name);
	if (!p->is_external)
		return 0;
	if (nri_check_name(r->plugin_name, &why) < 0)
		return err_plain(err, ERR_UNKNOWN, "invalid plugin name: %s", err_text(&why));
	if (nri_check_index(r->plugin_idx, &why) < 0)
		return err_plain(err, ERR_UNKNOWN, "invalid plugin index: %s", err_text(&why));
	name_it(p, r->plugin_idx, r->plugin_name);
	return 0;
}

/* On the loop, so that the answer leaves before anything that we ask. */
static enum call_fate do_register(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct nri_plugin *p = self;
	const Nri__RegisterPluginRequest *r = (const void *)request;

	if (check_registration(p, r, err) < 0 || call_answer_empty(call, err) == CALL_FAILED)
		return CALL_FAILED;
	log_info(NULL, "plugin \"%s\" registered as \"%s\" (with NRI version %s)", p->full_name,
			p->name, str_or(r->nri_version, "unknown"));
	atomic_store(&p->is_registered, true);
	p->owner.registered(p->owner.arg, p);
	return CALL_OK;
}

static enum call_fate do_update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct nri_plugin *p = self;

	/* Until then the loop may still change its name, and nobody has asked for it. */
	if (!nri_plugin_is_registered(p))
		return (void)err_set(err, ERR_PRECONDITION, "the plugin is not registered"),
		       CALL_FAILED;
	log_info(NULL, "plugin \"%s\" requested container updates", p->name);
	return p->owner.update(p->owner.arg, p, call, (const void *)request, err);
}

static const struct rpc_method runtime_methods[] = {
	{ "RegisterPlugin", &nri__register_plugin_request__descriptor, &nri__empty__descriptor,
			RPC_UNARY, RPC_ON_LOOP, do_register },
	{ "UpdateContainers", &nri__update_containers_request__descriptor,
			&nri__update_containers_response__descriptor, RPC_UNARY, RPC_ON_WORKER,
			do_update },
};
static const struct rpc_service runtime_service = { "nri.pkg.api.v1alpha1.Runtime",
	runtime_methods, ARRAY_LEN(runtime_methods) };

int nri_plugin_connect(struct nri_plugin *p, int own_fd, struct err *err)
{
	static const struct rpc_limits limits = { .max_connections = 1,
		.max_streams = MAX_CALLS };
	struct loop *loop = p->owner.loop;
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	int plugin = -1, runtime = -1, rc;

	ASSERT_LOOP();
	watch_process(p);
	if (p->is_external && getsockopt(own_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
		p->pid = peer.pid;
	rc = nri_mux_new(loop, own_fd, on_end, p, &p->mux, &plugin, &runtime);
	if (rc < 0)
		return err_sys(err, -rc, "failed to mux plugin connection for plugin \"%s\"",
				p->name);
	name_it(p, p->idx, p->base);
	(void)nri_plugin_ref(p); /* the connection's */
	p->end.run = free_server;
	p->channel = channel_adopt_ttrpc(loop, plugin);
	p->server = rpc_server_new(loop, p->owner.workers, NULL, &limits);
	rpc_server_add(p->server, RPC_TTRPC, &runtime_service, p);
	ttrpc_serve_fd(p->server, runtime);
	p->patience = loop_timer_new(loop, on_impatience, p);
	loop_timer_set(p->patience, (p->owner.registration_ns + NS_PER_MS - 1) / NS_PER_MS);
	if (nri_plugin_is_closed(p))
		channel_close(p->channel);
	return 0;
}

void nri_plugin_close(struct nri_plugin *p)
{
	if (atomic_exchange(&p->is_closed, true))
		return;
	if (p->pidfd >= 0 && pidfd_signal(p->pidfd, SIGKILL) < 0)
		log_debug(NULL, "NRI plugin \"%s\" has ended by itself", p->name);
	if (p->channel != NULL)
		channel_close(p->channel);
}

bool nri_plugin_is_closed(const struct nri_plugin *p)
{
	return atomic_load(&p->is_closed);
}

bool nri_plugin_is_registered(const struct nri_plugin *p)
{
	return atomic_load(&p->is_registered);
}

bool nri_plugin_is_external(const struct nri_plugin *p)
{
	return p->is_external;
}

struct nri_seat *nri_plugin_seat(struct nri_plugin *p)
{
	return &p->seat;
}

void *nri_plugin_owner_arg(const struct nri_plugin *p)
{
	return p->owner.arg;
}

const char *nri_plugin_index(const struct nri_plugin *p)
{
	return p->idx;
}

const char *nri_plugin_base(const struct nri_plugin *p)
{
	return p->base;
}

const char *nri_plugin_name(const struct nri_plugin *p)
{
	return p->name;
}

const char *nri_plugin_full_name(const struct nri_plugin *p)
{
	return p->full_name;
}

const char *nri_plugin_config(const struct nri_plugin *p)
{
	return p->config;
}

void nri_plugin_set_events(struct nri_plugin *p, int32_t mask)
{
	atomic_store(&p->events, mask == 0 ? NRI_ALL_EVENTS : mask);
	atomic_store(&p->has_named_events, mask != 0);
}

bool nri_plugin_is_validator(const struct nri_plugin *p)
{
	return atomic_load(&p->has_named_events) &&
	       nri_plugin_wants(p, NRI__EVENT__VALIDATE_CONTAINER_ADJUSTMENT);
}

bool nri_plugin_wants(const struct nri_plugin *p, Nri__Event event)
{
	return (atomic_load(&p->events) & 1 << (event - 1)) != 0;
}

/* --- asking it ---------------------------------------------------------------------------- */

struct question {
	struct mutex lock;
	struct cond answered;
	bool is_done;
	void *data;
	size_t size;
	struct err err;
};

static void on_answer(void *arg, const struct rpc_answer *answer)
{
	struct question *q = arg;

	LOCKED(&q->lock);
	if (answer->err != NULL)
		(void)err_copy(&q->err, answer->err);
	else
		q->data = xmemdup(answer->data, answer->size);
	q->size = answer->size;
	q->is_done = true;
	cond_signal(&q->answered);
}

static void wait_for(struct question *q)
{
	LOCKED(&q->lock);
	while (!q->is_done)
		cond_wait(&q->answered, &q->lock);
}

static enum nri_outcome judge(struct nri_plugin *p, struct question *q, const struct ctx *ctx,
		const ProtobufCMessageDescriptor *response, struct arena *arena,
		ProtobufCMessage **ret_response, struct err *err)
{
	if (q->err.kind != ERR_NONE) {
		bool too_late = q->err.kind == ERR_DEADLINE && ctx_left_ns(ctx) == 0;

		(void)err_move(err, &q->err);
		if (!too_late && !channel_is_closed(p->channel) && !nri_plugin_is_closed(p))
			return NRI_REFUSED;
	} else if (pb_decode(response, q->data, q->size, arena, &pb_limits_request,
				   ret_response, err) == 0) {
		return NRI_ANSWERED;
	}
	nri_plugin_close(p);
	return NRI_LOST;
}

enum nri_outcome nri_plugin_ask(struct nri_plugin *p, const char *method, int64_t timeout_ns,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
		struct arena *arena, ProtobufCMessage **ret_response, struct err *err)
{
	struct ctx ctx = { .deadline_ns = clock_mono_ns() + timeout_ns, .what = method };
	struct question q = { 0 };
	enum nri_outcome outcome;

	ASSERT_MAY_BLOCK();
	mutex_init(&q.lock, RANK_nri_question);
	cond_init(&q.answered);
	channel_start(p->channel, &ctx, PLUGIN_SERVICE, method, request, on_answer, &q);
	wait_for(&q);
	outcome = judge(p, &q, &ctx, response, arena, ret_response, err);
	free(q.data);
	err_clear(&q.err);
	cond_done(&q.answered);
	mutex_done(&q.lock);
	return outcome;
}

/* --- names -------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int nri_check_index(const char *idx, struct err *err)
{
	if (strlen(idx) != 2)
		return err_plain(err, ERR_UNKNOWN,
				"invalid plugin index \"%s\", must be 2 digits", idx);
	if (!is_digit(idx[0]) || !is_digit(idx[1]))
		return err_plain(err, ERR_UNKNOWN,
				"invalid plugin index \"%s\" (not [0-9][0-9])", idx);
	return 0;
}

int nri_check_name(const char *name, struct err *err)
{
	AUTO_FREE char *quoted = str_quote(name);

	if (name[0] == '\0')
		return err_plain(err, ERR_UNKNOWN, "invalid plugin name: name is empty");
	for (const char *c = name; *c != '\0'; c++)
		if (!is_digit(*c) && (*c < 'a' || *c > 'z') && (*c < 'A' || *c > 'Z') &&
				strchr("-_.+", *c) == NULL)
			return err_plain(err, ERR_UNKNOWN,
					"invalid plugin name %s: contains invalid character "
					"'%c'",
					quoted, *c);
	return 0;
}
