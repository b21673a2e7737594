/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin for tests: nri_plugin SOCKET IDX NAME WORD…, or started by the daemon with the words
 * as its configuration. It writes what it is told to a file and does what the words say:
 *
 *   log=FILE          one line per event: name, pod, container, state, exit code
 *   env=K=V env=-K annotation=K=V mount=SRC:DST shares=N memory=N arg=A    in CreateContainer
 *   others=ID:SHARES  updates another container in CreateContainer
 *   on-update=SHARES  in UpdateContainer
 *   evict=ID          in CreateContainer
 *   ask=ID:SHARES     asks for an update when it gets SIGUSR1
 *   reject=WHY        in ValidateContainerAdjustment
 *   events=N          the mask it subscribes with
 *   hang=EVENT die=EVENT garbage=EVENT refuse=EVENT old=EVENT   instead of an answer ("old": it
 *                     does not know the call)
 *   silent noise long                                    instead of registering
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb/nri.pb-c.h"
#include "base/auto.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"
#include "nri/nri_mux.h"
#include "nri/nri_values.h"
#include "rpc/channel.h"
#include "rpc/server.h"

struct plugin {
	struct loop *loop;
	struct nri_mux *mux;
	struct channel *runtime;
	char **words;
};

/* The value of the n-th word that begins with "key="; NULL if there is none. */
static const char *word(const struct plugin *p, const char *key, size_t n)
{
	size_t size = strlen(key);

	for (char **w = p->words; w != NULL && *w != NULL; w++)
		if (strncmp(*w, key, size) == 0 && (*w)[size] == '=' && n-- == 0)
			return *w + size + 1;
	return NULL;
}

static bool says(const struct plugin *p, const char *key, const char *value)
{
	for (size_t i = 0; word(p, key, i) != NULL; i++)
		if (str_eq(word(p, key, i), value))
			return true;
	return false;
}

static void note(const struct plugin *p, const char *line)
{
	const char *path = word(p, "log", 0);
	AUTO_FREE char *text = xasprintf("%s\n", line);
	AUTO_CLOSE int fd = -1;

	if (path == NULL)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		_exit(3);
}

static void note_event(const struct plugin *p, const char *event, const Nri__PodSandbox *pod,
		const Nri__Container *c)
{
	AUTO_FREE char *line = xasprintf("%s pod=%s container=%s state=%d exit=%d pid=%s",
			event, pod == NULL ? "-" : pod->id, c == NULL ? "-" : c->id,
			c == NULL ? 0 : (int)c->state, c == NULL ? 0 : c->exit_code,
			c == NULL || c->pid == 0 ? "no" : "yes");

	note(p, line);
}

/* --- what the words want ------------------------------------------------------------------ */

/* "A:B" in two; the halves are in the arena. */
static const char *split(struct arena *a, const char *text, char at, const char **ret_rest)
{
	char *copy = arena_strdup(a, text);
	char *found = strchr(copy, at);

	*ret_rest = "";
	if (found != NULL) {
		*found = '\0';
		*ret_rest = found + 1;
	}
	return copy;
}

static Nri__LinuxResources *shares(struct arena *a, const char *n)
{
	Nri__LinuxResources *r = ARENA_NEW(a, Nri__LinuxResources, nri__linux_resources);

	r->cpu = ARENA_NEW(a, Nri__LinuxCPU, nri__linux_cpu);
	r->cpu->shares = ARENA_NEW(a, Nri__OptionalUInt64, nri__optional_uint64);
	r->cpu->shares->value = strtoull(n, NULL, 10);
	return r;
}

static Nri__ContainerUpdate *update_of(struct arena *a, const char *id, const char *n)
{
	Nri__ContainerUpdate *u = ARENA_NEW(a, Nri__ContainerUpdate, nri__container_update);

	u->container_id = id;
	u->linux = ARENA_NEW(a, Nri__LinuxContainerUpdate, nri__linux_container_update);
	u->linux->resources = shares(a, n);
	return u;
}

static void want_lists(const struct plugin *p, struct arena *a, Nri__ContainerAdjustment *w)
{
	const struct nri_map annotations =
			NRI_MAP(w, annotations, nri__container_adjustment__annotations_entry);
	const char *rest;

	for (size_t i = 0; word(p, "env", i) != NULL; i++) {
		Nri__KeyValue *kv = ARENA_NEW(a, Nri__KeyValue, nri__key_value);

		kv->key = split(a, word(p, "env", i), '=', &rest);
		kv->value = rest;
		nri_add(a, &w->n_env, &w->env, kv);
	}
	for (size_t i = 0; word(p, "annotation", i) != NULL; i++) {
		const char *key = split(a, word(p, "annotation", i), '=', &rest);

		nri_map_put(a, &annotations, key, rest);
	}
	for (size_t i = 0; word(p, "mount", i) != NULL; i++) {
		Nri__Mount *m = ARENA_NEW(a, Nri__Mount, nri__mount);
		static const char *options[] = { "rbind", "ro" };

		m->source = split(a, word(p, "mount", i), ':', &rest);
		m->destination = rest;
		m->type = "bind";
		m->options = options;
		m->n_options = ARRAY_LEN(options);
		nri_add(a, &w->n_mounts, &w->mounts, m);
	}
	for (size_t i = 0; word(p, "arg", i) != NULL; i++)
		nri_add(a, &w->n_args, (void ***)(void *)&w->args,
				arena_strdup(a, word(p, "arg", i)));
}

static void want_limits(const struct plugin *p, struct arena *a, Nri__ContainerAdjustment *w)
{
	Nri__LinuxResources *r = shares(a, str_or(word(p, "shares", 0), "0"));

	if (word(p, "shares", 0) == NULL)
		r->cpu = NULL;
	if (word(p, "memory", 0) != NULL) {
		r->memory = ARENA_NEW(a, Nri__LinuxMemory, nri__linux_memory);
		r->memory->limit = ARENA_NEW(a, Nri__OptionalInt64, nri__optional_int64);
		r->memory->limit->value = strtoll(word(p, "memory", 0), NULL, 10);
	}
	w->linux = ARENA_NEW(a, Nri__LinuxContainerAdjustment, nri__linux_container_adjustment);
	w->linux->resources = r;
}

static void want(const struct plugin *p, struct arena *a, Nri__CreateContainerResponse *answer)
{
	Nri__ContainerEviction *e =
			ARENA_NEW(a, Nri__ContainerEviction, nri__container_eviction);
	const char *rest, *id;

	answer->adjust = ARENA_NEW(a, Nri__ContainerAdjustment, nri__container_adjustment);
	want_lists(p, a, answer->adjust);
	want_limits(p, a, answer->adjust);
	if (word(p, "others", 0) != NULL) {
		id = split(a, word(p, "others", 0), ':', &rest);
		nri_add(a, &answer->n_update, &answer->update, update_of(a, id, rest));
	}
	e->container_id = str_or(word(p, "evict", 0), "");
	e->reason = "a test";
	if (e->container_id[0] != '\0')
		nri_add(a, &answer->n_evict, &answer->evict, e);
}

/* --- what it is told ---------------------------------------------------------------------- */

/* Whatever is wanted instead of an answer; false: nothing is. */
static bool misbehave(const struct plugin *p, struct call *call, const char *event,
		enum call_fate *ret, struct err *err)
{
	Nri__KeyValue junk = NRI__KEY_VALUE__INIT;

	if (says(p, "hang", event)) {
		(void)call_ref(call);
		*ret = CALL_PARKED;
	} else if (says(p, "die", event)) {
		_exit(1);
	} else if (says(p, "garbage", event)) {
		junk.key = "zzzz";
		junk.value = "zzzz";
		*ret = call_answer(call, &junk.base, err);
	} else if (says(p, "refuse", event)) {
		(void)err_plain(err, ERR_UNKNOWN, "the test does not like %s", event);
		*ret = CALL_FAILED;
	} else if (says(p, "old", event)) {
		(void)err_set(err, ERR_UNIMPLEMENTED, "%s", event);
		*ret = CALL_FAILED;
	} else {
		return false;
	}
	return true;
}

#define POD_EVENT(name, Type)                                                                  \
	static enum call_fate on_##name(struct call *call, void *self,                         \
			const ProtobufCMessage *request, struct err *err)                      \
	{                                                                                      \
		const struct plugin *p = self;                                                 \
		enum call_fate fate;                                                           \
                                                                                               \
		note_event(p, #name, ((const Type *)request)->pod, NULL);                      \
		if (misbehave(p, call, #name, &fate, err))                                     \
			return fate;                                                           \
		return call_answer_empty(call, err);                                           \
	}
POD_EVENT(RunPodSandbox, Nri__RunPodSandboxRequest)
POD_EVENT(StopPodSandbox, Nri__StopPodSandboxRequest)
POD_EVENT(RemovePodSandbox, Nri__RemovePodSandboxRequest)
POD_EVENT(UpdatePodSandbox, Nri__UpdatePodSandboxRequest)
POD_EVENT(PostUpdatePodSandbox, Nri__PostUpdatePodSandboxRequest)

#define CONTAINER_EVENT(name, Type)                                                            \
	static enum call_fate on_##name(struct call *call, void *self,                         \
			const ProtobufCMessage *request, struct err *err)                      \
	{                                                                                      \
		const struct plugin *p = self;                                                 \
		const Type *r = (const Type *)request;                                         \
		enum call_fate fate;                                                           \
                                                                                               \
		note_event(p, #name, r->pod, r->container);                                    \
		if (misbehave(p, call, #name, &fate, err))                                     \
			return fate;                                                           \
		return call_answer_empty(call, err);                                           \
	}
CONTAINER_EVENT(PostCreateContainer, Nri__PostCreateContainerRequest)
CONTAINER_EVENT(StartContainer, Nri__StartContainerRequest)
CONTAINER_EVENT(PostStartContainer, Nri__PostStartContainerRequest)
CONTAINER_EVENT(PostUpdateContainer, Nri__PostUpdateContainerRequest)
CONTAINER_EVENT(StopContainer, Nri__StopContainerRequest)
CONTAINER_EVENT(RemoveContainer, Nri__RemoveContainerRequest)

static enum call_fate on_CreateContainer(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const struct plugin *p = self;
	const Nri__CreateContainerRequest *r = (const void *)request;
	Nri__CreateContainerResponse answer = NRI__CREATE_CONTAINER_RESPONSE__INIT;
	enum call_fate fate;

	note_event(p, "CreateContainer", r->pod, r->container);
	if (misbehave(p, call, "CreateContainer", &fate, err))
		return fate;
	want(p, call_arena(call), &answer);
	return call_answer(call, &answer.base, err);
}

static enum call_fate on_UpdateContainer(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const struct plugin *p = self;
	const Nri__UpdateContainerRequest *r = (const void *)request;
	Nri__UpdateContainerResponse answer = NRI__UPDATE_CONTAINER_RESPONSE__INIT;
	enum call_fate fate;

	note_event(p, "UpdateContainer", r->pod, r->container);
	if (misbehave(p, call, "UpdateContainer", &fate, err))
		return fate;
	if (word(p, "on-update", 0) != NULL)
		nri_add(call_arena(call), &answer.n_update, &answer.update,
				update_of(call_arena(call), r->container->id,
						word(p, "on-update", 0)));
	return call_answer(call, &answer.base, err);
}

static enum call_fate on_Validate(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const struct plugin *p = self;
	const Nri__ValidateContainerAdjustmentRequest *r = (const void *)request;
	Nri__ValidateContainerAdjustmentResponse answer =
			NRI__VALIDATE_CONTAINER_ADJUSTMENT_RESPONSE__INIT;
	enum call_fate fate;

	note_event(p, "ValidateContainerAdjustment", r->pod, r->container);
	if (misbehave(p, call, "ValidateContainerAdjustment", &fate, err))
		return fate;
	answer.reject = word(p, "reject", 0) != NULL;
	answer.reason = str_or(word(p, "reject", 0), "");
	return call_answer(call, &answer.base, err);
}

static enum call_fate on_StateChange(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const Nri__StateChangeEvent *r = (const void *)request;
	AUTO_FREE char *name = xasprintf("StateChange-%d", (int)r->event);

	note_event(self, name, r->pod, r->container);
	return call_answer_empty(call, err);
}

static enum call_fate on_Configure(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	struct plugin *p = self;
	const Nri__ConfigureRequest *r = (const void *)request;
	Nri__ConfigureResponse answer = NRI__CONFIGURE_RESPONSE__INIT;
	AUTO_FREE char *copy = xstrdup(r->config);
	AUTO_FREE char *line = NULL;
	enum call_fate fate;
	char *rest = copy, *w;

	while ((w = strsep(&rest, " \n")) != NULL)
		if (*w != '\0')
			strv_add(&p->words, w);
	line = xasprintf("Configure %s %s registration=%lld request=%lld", r->runtime_name,
			r->nri_version, (long long)r->registration_timeout,
			(long long)r->request_timeout);
	note(p, line);
	if (misbehave(p, call, "Configure", &fate, err))
		return fate;
	answer.events = (int32_t)strtol(str_or(word(p, "events", 0), "0"), NULL, 0);
	return call_answer(call, &answer.base, err);
}

static enum call_fate on_Synchronize(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	const struct plugin *p = self;
	const Nri__SynchronizeRequest *r = (const void *)request;
	Nri__SynchronizeResponse answer = NRI__SYNCHRONIZE_RESPONSE__INIT;
	enum call_fate fate;

	for (size_t i = 0; i < r->n_pods; i++)
		note_event(p, "Synchronize", r->pods[i], NULL);
	for (size_t i = 0; i < r->n_containers; i++)
		note_event(p, "Synchronize", NULL, r->containers[i]);
	if (misbehave(p, call, "Synchronize", &fate, err))
		return fate;
	note(p, "Synchronized");
	answer.more = r->more;
	return call_answer(call, &answer.base, err);
}

static enum call_fate on_Shutdown(
		struct call *call, void *self, const ProtobufCMessage *request, struct err *err)
{
	return call_answer_empty(call, err);
}

#define METHOD(name, request, response, handler)                                               \
	{                                                                                      \
		name, &nri__##request##__descriptor, &nri__##response##__descriptor,           \
				RPC_UNARY, RPC_ON_LOOP, handler                                \
	}
#define EVENT(name, stem) METHOD(#name, stem##_request, stem##_response, on_##name)
static const struct rpc_method methods[] = {
	EVENT(Configure, configure),
	EVENT(Synchronize, synchronize),
	METHOD("Shutdown", empty, empty, on_Shutdown),
	EVENT(RunPodSandbox, run_pod_sandbox),
	EVENT(StopPodSandbox, stop_pod_sandbox),
	EVENT(RemovePodSandbox, remove_pod_sandbox),
	EVENT(UpdatePodSandbox, update_pod_sandbox),
	EVENT(PostUpdatePodSandbox, post_update_pod_sandbox),
	EVENT(CreateContainer, create_container),
	EVENT(PostCreateContainer, post_create_container),
	EVENT(StartContainer, start_container),
	EVENT(PostStartContainer, post_start_container),
	EVENT(UpdateContainer, update_container),
	EVENT(PostUpdateContainer, post_update_container),
	EVENT(StopContainer, stop_container),
	EVENT(RemoveContainer, remove_container),
	METHOD("StateChange", state_change_event, empty, on_StateChange),
	METHOD("ValidateContainerAdjustment", validate_container_adjustment_request,
			validate_container_adjustment_response, on_Validate),
};
static const struct rpc_service service = { "nri.pkg.api.v1alpha1.Plugin", methods,
	ARRAY_LEN(methods) };

/* --- what it asks ------------------------------------------------------------------------- */

static void on_registered(void *arg, const struct rpc_answer *answer)
{
	AUTO_FREE char *line = xasprintf(
			"registered: %s", answer->err == NULL ? "yes" : err_text(answer->err));

	note(arg, line);
}

static void on_updated(void *arg, const struct rpc_answer *answer)
{
	AUTO_FREE char *line = xasprintf(
			"updated: %s", answer->err == NULL ? "yes" : err_text(answer->err));

	note(arg, line);
}

static void ask(void *arg, int signo)
{
	struct plugin *p = arg;
	struct ctx ctx = { .what = "test" };
	AUTO_ARENA struct arena a = { 0 };
	Nri__UpdateContainersRequest r = NRI__UPDATE_CONTAINERS_REQUEST__INIT;
	const char *id, *rest;

	arena_init(&a, SIZE_MAX);
	id = split(&a, str_or(word(p, "ask", 0), ""), ':', &rest);
	nri_add(&a, &r.n_update, &r.update, update_of(&a, id, rest));
	channel_start(p->runtime, &ctx, "nri.pkg.api.v1alpha1.Runtime", "UpdateContainers",
			&r.base, on_updated, p);
}

static void introduce(struct plugin *p, const char *idx, const char *name)
{
	struct ctx ctx = { .what = "test" };
	Nri__RegisterPluginRequest r = NRI__REGISTER_PLUGIN_REQUEST__INIT;

	r.plugin_idx = idx;
	r.plugin_name = name;
	r.nri_version = "v0.12.0";
	channel_start(p->runtime, &ctx, "nri.pkg.api.v1alpha1.Runtime", "RegisterPlugin",
			&r.base, on_registered, p);
}

/* --- its life ----------------------------------------------------------------------------- */

static void on_end(void *arg)
{
	note(arg, "closed");
	_exit(0);
}

static int dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		_exit(2);
	memcpy(sa.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		_exit(2);
	return fd;
}

/* Does what no plugin should until it is thrown out. */
static void annoy(const struct plugin *p, int fd)
{
	static const char noise[] = "\0\0\0\2\0\0\0\x14 this is no ttrpc, is it? \xff\xff\xff";
	static const char too_long[] = "\0\0\0\1\xff\xff\xff\xff";
	char byte;
	int rc = 0;

	if (strv_has(p->words, "noise"))
		rc = io_write_all(fd, noise, sizeof(noise));
	if (strv_has(p->words, "long"))
		rc = io_write_all(fd, too_long, 8);
	note(p, rc < 0 ? "annoyed in vain" : "annoyed");
	while (read(fd, &byte, 1) > 0)
		continue;
	note(p, "thrown out");
	_exit(0);
}

int main(int argc, char **argv)
{
	struct plugin p = { .loop = loop_new() };
	const char *given = getenv("NRI_PLUGIN_SOCKET");
	const char *idx = str_or(getenv("NRI_PLUGIN_IDX"), argc > 3 ? argv[2] : "00");
	const char *name = str_or(getenv("NRI_PLUGIN_NAME"), argc > 3 ? argv[3] : "test");
	int fd = given != NULL ? atoi(given) : argc > 3 ? dial(argv[1]) : -1;
	int plugin, runtime;
	struct rpc_server *server;
	sigset_t signals;

	for (int i = 4; i < argc; i++)
		strv_add(&p.words, argv[i]);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	if (strv_has(p.words, "silent") || strv_has(p.words, "noise") ||
			strv_has(p.words, "long"))
		annoy(&p, fd);
	if (nri_mux_new(p.loop, fd, on_end, &p, &p.mux, &plugin, &runtime) < 0 ||
			loop_signal(p.loop, SIGUSR1, ask, &p) < 0)
		return 2;
	server = rpc_server_new(p.loop, NULL, NULL, NULL);
	rpc_server_add(server, RPC_TTRPC, &service, &p);
	ttrpc_serve_fd(server, plugin);
	p.runtime = channel_adopt_ttrpc(p.loop, runtime);
	introduce(&p, idx, name);
	loop_run(p.loop);
	return 0;
}
