/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_client SOCKET activate NAME LABEL|- [temporary] -- TYPE SOURCE OPTIONS ...
 * mounts_client SOCKET info|deactivate NAME
 * mounts_client SOCKET list
 * mounts_client SOCKET create ID -- TYPE SOURCE OPTIONS ...      (a task)
 * mounts_client SOCKET start ID                                  (a task)
 *
 * Options are parted by commas, "-" is none. Prints "active TYPE MOUNTPOINT" and "system TYPE
 * SOURCE OPTIONS"; a failure as "error CODE TEXT" with status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/mounts.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/mount.h"
#include "rpc/channel.h"
#include "wire/wire_mount.h"

#define MOUNTS	"containerd.services.mounts.v1.Mounts"
#define TASKS	"containerd.services.tasks.v1.Tasks"
#define TIMEOUT (20 * NS_PER_S)

struct client {
	struct channel *channel;
	struct ctx ctx;
	struct arena arena;
	struct mounts mounts;
	struct err err;
};

static int call(struct client *c, const char *service, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
		ProtobufCMessage **ret)
{
	return channel_call(c->channel, &c->ctx, service, method, request, type, &c->arena, ret,
			&c->err);
}

static void show(const Types__ActivationInfo *i)
{
	printf("name %s\n", i->name);
	for (size_t n = 0; n < i->n_active; n++)
		printf("active %s %s\n", i->active[n]->mount->type, i->active[n]->mount_point);
	for (size_t n = 0; n < i->n_system; n++) {
		printf("system %s %s", i->system[n]->type, i->system[n]->source);
		for (size_t o = 0; o < i->system[n]->n_options; o++)
			printf("%c%s", o == 0 ? ' ' : ',', i->system[n]->options[o]);
		printf("\n");
	}
}

/* What stands behind "--". */
static void read_mounts(struct client *c, char **argv)
{
	while (*argv != NULL && !str_eq(*argv, "--"))
		argv++;
	if (*argv == NULL)
		return;
	for (argv++; argv[0] != NULL && argv[1] != NULL && argv[2] != NULL; argv += 3) {
		struct mount_spec *s = mounts_add(&c->mounts, argv[0], argv[1], "");

		if (!str_eq(argv[2], "-"))
			s->options = strv_split(argv[2], ',');
	}
}

static int activate(struct client *c, char **argv)
{
	Mounts__ActivateRequest r = MOUNTS__ACTIVATE_REQUEST__INIT;
	Mounts__ActivateRequest__LabelsEntry l = MOUNTS__ACTIVATE_REQUEST__LABELS_ENTRY__INIT;
	Mounts__ActivateRequest__LabelsEntry *labels[] = { &l };
	AUTO_STRV char **label = strv_split(argv[1], '=');
	ProtobufCMessage *m = NULL;

	r.name = argv[0];
	r.mounts = wire_mounts_out(&c->arena, &c->mounts, &r.n_mounts);
	r.temporary = str_eq(str_or(argv[2], ""), "temporary");
	if (strv_len(label) == 2) {
		l.key = label[0];
		l.value = label[1];
		r.labels = labels;
		r.n_labels = 1;
	}
	if (call(c, MOUNTS, "Activate", &r.base, &mounts__activate_response__descriptor, &m) <
			0)
		return -1;
	show(((Mounts__ActivateResponse *)m)->info);
	return 0;
}

static int info(struct client *c, char **argv)
{
	Mounts__InfoRequest r = MOUNTS__INFO_REQUEST__INIT;
	ProtobufCMessage *m = NULL;

	r.name = argv[0];
	if (call(c, MOUNTS, "Info", &r.base, &mounts__info_response__descriptor, &m) < 0)
		return -1;
	show(((Mounts__InfoResponse *)m)->info);
	return 0;
}

static int deactivate(struct client *c, char **argv)
{
	Mounts__DeactivateRequest r = MOUNTS__DEACTIVATE_REQUEST__INIT;
	ProtobufCMessage *m = NULL;

	r.name = argv[0];
	return call(c, MOUNTS, "Deactivate", &r.base, &google__protobuf__empty__descriptor, &m);
}

static int list(struct client *c, char **argv)
{
	Mounts__ListRequest r = MOUNTS__LIST_REQUEST__INIT;
	AUTO(rpc_stream_free) struct rpc_stream *s = NULL;
	ProtobufCMessage *m = NULL;
	int rc;

	if (channel_stream(c->channel, &c->ctx, MOUNTS, "List", &s, &c->err) < 0 ||
			rpc_stream_send(s, &r.base, &c->err) < 0 ||
			rpc_stream_close_send(s, &c->err) < 0)
		return -1;
	while ((rc = rpc_stream_recv(s, &mounts__list_message__descriptor, &c->arena, &m,
				&c->err)) > 0)
		show(((Mounts__ListMessage *)m)->info);
	return rc;
}

static int create_task(struct client *c, char **argv)
{
	Tasks__CreateTaskRequest r = TASKS__CREATE_TASK_REQUEST__INIT;
	ProtobufCMessage *m = NULL;

	r.container_id = argv[0];
	r.rootfs = wire_mounts_out(&c->arena, &c->mounts, &r.n_rootfs);
	if (call(c, TASKS, "Create", &r.base, &tasks__create_task_response__descriptor, &m) < 0)
		return -1;
	printf("pid %u\n", ((Tasks__CreateTaskResponse *)m)->pid);
	return 0;
}

static int start_task(struct client *c, char **argv)
{
	Tasks__StartRequest r = TASKS__START_REQUEST__INIT;
	ProtobufCMessage *m = NULL;

	r.container_id = argv[0];
	return call(c, TASKS, "Start", &r.base, &tasks__start_response__descriptor, &m);
}

static const struct {
	const char *name;
	int args;
	int (*run)(struct client *c, char **argv);
} commands[] = {
	{ "activate", 2, activate },
	{ "info", 1, info },
	{ "deactivate", 1, deactivate },
	{ "list", 0, list },
	{ "create", 1, create_task },
	{ "start", 1, start_task },
};

static int run(struct client *c, int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_eq(argv[2], commands[i].name) && argc >= 3 + commands[i].args)
			return commands[i].run(c, argv + 3);
	return err_set(&c->err, ERR_INVALID, "usage");
}

int main(int argc, char **argv)
{
	struct client c = { .ctx = { .ns = "default" } };
	int rc;

	if (argc < 3)
		return 2;
	arena_init(&c.arena, SIZE_MAX);
	c.ctx.deadline_ns = clock_mono_ns() + TIMEOUT;
	read_mounts(&c, argv);
	rc = channel_open_grpc(NULL, argv[1], &c.ctx, &c.channel, &c.err);
	if (rc == 0)
		rc = run(&c, argc, argv);
	if (rc < 0)
		printf("error %d %s\n", err_grpc_status(&c.err), err_text(&c.err));
	channel_unref(c.channel);
	arena_done(&c.arena);
	mounts_done(&c.mounts);
	err_clear(&c.err);
	return rc < 0 ? 1 : 0;
}
