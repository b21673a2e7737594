/* SPDX-License-Identifier: Apache-2.0 */
/* "containerd publish": how shims without ttrpc tell the daemon what happened. */
#include <string.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/events.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/str.h"
#include "cmd/containerd/daemon_cli.h"
#include "cmd/containerd/daemon_flags.h"
#include "rpc/channel.h"

#define DEFAULT_ADDRESS "/run/containerd/containerd.sock"
#define MAX_EVENT	(1024 * 1024)
#define TIMEOUT_NS	(10 * NS_PER_S)

struct publish_args {
	const char *topic, *ns;
	bool help;
};

static int parse_args(int argc, char **argv, struct publish_args *ret, struct err *err)
{
	for (int i = 0; i < argc; i++) {
		const char *name = argv[i];
		const char **slot;

		while (*name == '-')
			name++;
		if (str_eq(name, "help") || str_eq(name, "h")) {
			ret->help = true;
			return 0;
		}
		slot = str_starts(name, "topic")       ? &ret->topic
		       : str_starts(name, "namespace") ? &ret->ns
						       : NULL;
		if (slot == NULL)
			return err_plain(err, ERR_INVALID, "flag provided but not defined: -%s",
					name);
		name += str_starts(name, "topic") ? strlen("topic") : strlen("namespace");
		if (*name == '=')
			*slot = name + 1;
		else if (*name == '\0' && i + 1 < argc)
			*slot = argv[++i];
		else
			return err_plain(err, ERR_INVALID, "flag needs an argument: %s",
					argv[i]);
	}
	return 0;
}

static int read_event(struct arena *a, Google__Protobuf__Any **ret_event, struct err *err)
{
	AUTO_BUF struct buf bytes = { .limit = MAX_EVENT };
	struct ProtobufCMessage *message = NULL;
	int rc = io_read_all(STDIN_FILENO, &bytes);

	if (rc < 0)
		return err_sys(err, -rc, "read event");
	if (pb_decode(&google__protobuf__any__descriptor, bytes.size > 0 ? bytes.data : "",
			    bytes.size, a, &pb_limits_request, &message, err) < 0)
		return err_wrap(err, "read event");
	*ret_event = (Google__Protobuf__Any *)message;
	return 0;
}

static int publish(const char *address, const struct publish_args *args, struct arena *a,
		struct err *err)
{
	struct ctx ctx = { .ns = args->ns, .deadline_ns = clock_mono_ns() + TIMEOUT_NS };
	Events__PublishRequest request = EVENTS__PUBLISH_REQUEST__INIT;
	AUTO(channel_unref) struct channel *channel = NULL;
	struct ProtobufCMessage *answer = NULL;

	if (str_is_empty(args->topic))
		return err_set(err, ERR_INVALID, "topic required to publish event");
	request.topic = args->topic;
	if (read_event(a, &request.event, err) < 0)
		return -1;
	if (channel_open_grpc(NULL, address, &ctx, &channel, err) < 0)
		return -1;
	return channel_call(channel, &ctx, "containerd.services.events.v1.Events", "Publish",
			&request.base, &google__protobuf__empty__descriptor, a, &answer, err);
}

int command_publish(const struct daemon_flags *f, int argc, char **argv)
{
	AUTO_ERR struct err err = { 0 };
	struct publish_args args = { 0 };
	struct arena a = { 0 };
	int rc;

	if (parse_args(argc, argv, &args, &err) < 0)
		return command_fail(&err);
	if (args.help) {
		daemon_help_publish();
		return 0;
	}
	arena_init(&a, 4 * MAX_EVENT);
	rc = publish(str_or(f->address, DEFAULT_ADDRESS), &args, &a, &err);
	arena_done(&a);
	return rc < 0 ? command_fail(&err) : 0;
}
