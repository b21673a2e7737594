/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd/metrics_calls.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "metrics/metrics.h"
#include "rpc/server.h"

static const char *const code_names[RPC_STATUSES] = { "OK", "Canceled", "Unknown",
	"InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
	"ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
	"Internal", "Unavailable", "DataLoss", "Unauthenticated" };
static const char *const kind_names[] = { "unary", "server_stream", "client_stream",
	"bidi_stream" };
static const char *const bound_names[RPC_BUCKETS] = { "0.005", "0.01", "0.025", "0.05", "0.1",
	"0.25", "0.5", "1", "2.5", "5", "10", "+Inf" };

/* One family of one transport. */
struct family {
	struct buf *out;
	const char *prefix; /* of its labels: "grpc" */
	char *name;
	enum metric_kind kind;
	size_t offset; /* of the counter in struct rpc_stats; not for histograms */
	bool by_code;
};

static uint64_t load(const atomic_uint_least64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* In their order by name: code, method, service, type. */
static void add_line(const struct family *f, const char *suffix, const char *code,
		const char *method, const char *service, const char *type, double value)
{
	AUTO_FREE char *name = xasprintf("%s%s", f->name, suffix);
	AUTO_BUF struct buf labels = { .limit = 4096 };

	if (code != NULL)
		buf_addf(&labels, "%s_code=\"%s\",", f->prefix, code);
	buf_addf(&labels, "%s_method=\"%s\",%s_service=\"%s\",%s_type=\"%s\"", f->prefix,
			method, f->prefix, service, f->prefix, type);
	metrics_text_line(f->out, name, labels.data, value);
}

static void add_counter(void *arg, const char *service, const struct rpc_method *method,
		const struct rpc_stats *stats)
{
	const struct family *f = arg;
	const atomic_uint_least64_t *counter = (const void *)((const char *)stats + f->offset);
	size_t count = f->by_code ? RPC_STATUSES : 1;

	for (size_t i = 0; i < count; i++)
		add_line(f, "", f->by_code ? code_names[i] : NULL, method->name, service,
				kind_names[method->kind], (double)load(&counter[i]));
}

static void add_histogram(void *arg, const char *service, const struct rpc_method *method,
		const struct rpc_stats *stats)
{
	const struct family *f = arg;
	const char *type = kind_names[method->kind];
	uint64_t count = 0;

	for (size_t i = 0; i < RPC_BUCKETS; i++) {
		count += load(&stats->took[i]);
		buf_addf(f->out,
				"%s_bucket{%s_method=\"%s\",%s_service=\"%s\",%s_type=\"%s\","
				"le=\"%s\"} %llu\n",
				f->name, f->prefix, method->name, f->prefix, service, f->prefix,
				type, bound_names[i], (unsigned long long)count);
	}
	add_line(f, "_sum", NULL, method->name, service, type,
			(double)load(&stats->total_ns) / NS_PER_S);
	add_line(f, "_count", NULL, method->name, service, type, (double)count);
}

static const struct {
	const char *name, *help;
	size_t offset;
	bool by_code;
} counters[] = {
	{ "handled_total", "Calls that were answered, whatever the answer.",
			offsetof(struct rpc_stats, handled), true },
	{ "msg_received_total", "Messages that clients sent.",
			offsetof(struct rpc_stats, received), false },
	{ "msg_sent_total", "Messages that clients were sent.",
			offsetof(struct rpc_stats, sent), false },
	{ "started_total", "Calls that began.", offsetof(struct rpc_stats, started), false },
};

static void add_transport(const struct rpc_server *s, enum rpc_transport transport,
		const char *prefix, bool with_times, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		struct family f = { out, prefix,
			xasprintf("%s_server_%s", prefix, counters[i].name), METRIC_COUNTER,
			counters[i].offset, counters[i].by_code };

		metrics_text_head(out, f.name, f.kind, counters[i].help);
		rpc_server_stats(s, transport, add_counter, &f);
		free(f.name);
	}
	if (with_times) {
		struct family f = { out, prefix,
			xasprintf("%s_server_handling_seconds", prefix), METRIC_HISTOGRAM, 0,
			false };

		metrics_text_head(out, f.name, f.kind, "How long calls took.");
		rpc_server_stats(s, transport, add_histogram, &f);
		free(f.name);
	}
}

void metrics_add_calls(const struct rpc_server *s, bool with_times, struct buf *out)
{
	add_transport(s, RPC_GRPC, "grpc", with_times, out);
	add_transport(s, RPC_TTRPC, "ttrpc", with_times, out);
}
