/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of tasks: state, pids, figures. */
#include "client/client_tasks_priv.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/client_containers_priv.h"
#include "client/client_message_priv.h"

#include "api/pb.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/task.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "api/timestamp.h"
#include "api/typeurl.h"

struct ctrd_process {
	const Task__Process *pb;
	struct ctrd_processes *owner;
};

struct ctrd_processes {
	struct arena arena;
	struct ctrd_process *items;
	size_t count;
};

void ctrd_processes_free(struct ctrd_processes *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l);
}
DEFINE_AUTO(struct ctrd_processes *, ctrd_processes_free)

static struct ctrd_processes *list_new(void)
{
	struct ctrd_processes *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	return l;
}

int ctrd_tasks_list(struct ctrd_client *c, struct ctrd_processes **ret_tasks,
		struct ctrd_error **ret_error)
{
	Tasks__ListTasksRequest request = TASKS__LIST_TASKS_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_processes_free) struct ctrd_processes *l = list_new();
	const Tasks__ListTasksResponse *pb;

	pb = client_call(c, CLIENT_TASKS_List, &request.base, &l->arena, &err);
	if (pb == NULL)
		return api_result(-1, &err, ret_error);
	l->items = arena_calloc(&l->arena, pb->n_tasks, sizeof(*l->items));
	for (; l->count < pb->n_tasks; l->count++)
		l->items[l->count] = (struct ctrd_process){ pb->tasks[l->count], l };
	*ret_tasks = take_ptr(l);
	return 0;
}

size_t ctrd_processes_count(const struct ctrd_processes *l)
{
	return l->count;
}

const struct ctrd_process *ctrd_processes_at(const struct ctrd_processes *l, size_t i)
{
	return i < l->count ? &l->items[i] : NULL;
}

int client_process_get(struct ctrd_client *c, const char *container, const char *exec_id,
		struct ctrd_process **ret_process, struct err *err)
{
	Tasks__GetRequest request = TASKS__GET_REQUEST__INIT;
	AUTO(ctrd_processes_free) struct ctrd_processes *l = list_new();
	const Tasks__GetResponse *pb;

	request.container_id = container;
	request.exec_id = str_or(exec_id, "");
	pb = client_call(c, CLIENT_TASKS_Get, &request.base, &l->arena, err);
	if (pb == NULL)
		return -1;
	if (pb->process == NULL)
		return err_set(err, ERR_INTERNAL, "answer without process");
	l->items = arena_calloc(&l->arena, 1, sizeof(*l->items));
	l->items[0] = (struct ctrd_process){ pb->process, l };
	*ret_process = &take_ptr(l)->items[0];
	return 0;
}

bool client_task_exists(struct ctrd_client *c, const char *id)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_process_free) struct ctrd_process *p = NULL;

	return client_process_get(c, id, NULL, &p, &err) == 0;
}

int ctrd_task_state(struct ctrd_client *c, const char *container, const char *exec_id,
		struct ctrd_process **ret_process, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_process_get(c, container, exec_id, ret_process, &err), &err,
			ret_error);
}

void ctrd_process_free(struct ctrd_process *p)
{
	if (p != NULL)
		ctrd_processes_free(p->owner);
}

const char *ctrd_process_id(const struct ctrd_process *p)
{
	return p->pb->id;
}

uint32_t ctrd_process_pid(const struct ctrd_process *p)
{
	return p->pb->pid;
}

int ctrd_process_status(const struct ctrd_process *p)
{
	return (int)p->pb->status;
}

uint32_t ctrd_process_exit_status(const struct ctrd_process *p)
{
	return p->pb->exit_status;
}

int64_t ctrd_process_exited(const struct ctrd_process *p)
{
	return timestamp_ns(p->pb->exited_at);
}

const char *ctrd_process_stdin(const struct ctrd_process *p)
{
	return p->pb->stdin;
}

const char *ctrd_process_stdout(const struct ctrd_process *p)
{
	return p->pb->stdout;
}

const char *ctrd_process_stderr(const struct ctrd_process *p)
{
	return p->pb->stderr;
}

int ctrd_process_terminal(const struct ctrd_process *p)
{
	return p->pb->terminal;
}

/* --- pids --------------------------------------------------------------------------------- */

struct ctrd_pids {
	struct arena arena;
	const Tasks__ListPidsResponse *pb;
	const char **exec_ids;
};

void ctrd_pids_free(struct ctrd_pids *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l);
}
DEFINE_AUTO(struct ctrd_pids *, ctrd_pids_free)

/* Info of another type, or broken, says nothing we could show. */
static const char *exec_id_of(struct arena *a, const Google__Protobuf__Any *info)
{
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *details = NULL;

	if (info == NULL || !any_is(info, &runc__process_details__descriptor))
		return "";
	if (any_unpack(info, &runc__process_details__descriptor, a, &pb_limits_reply, &details,
			    &err) < 0)
		return "";
	return ((const Runc__ProcessDetails *)details)->exec_id;
}

int ctrd_task_pids(struct ctrd_client *c, const char *container, struct ctrd_pids **ret_pids,
		struct ctrd_error **ret_error)
{
	Tasks__ListPidsRequest request = TASKS__LIST_PIDS_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_pids_free) struct ctrd_pids *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	request.container_id = container;
	l->pb = client_call(c, CLIENT_TASKS_ListPids, &request.base, &l->arena, &err);
	if (l->pb == NULL)
		return api_result(-1, &err, ret_error);
	l->exec_ids = arena_calloc(&l->arena, l->pb->n_processes, sizeof(*l->exec_ids));
	for (size_t i = 0; i < l->pb->n_processes; i++)
		l->exec_ids[i] = exec_id_of(&l->arena, l->pb->processes[i]->info);
	*ret_pids = take_ptr(l);
	return 0;
}

size_t ctrd_pids_count(const struct ctrd_pids *l)
{
	return l->pb->n_processes;
}

uint32_t ctrd_pids_pid(const struct ctrd_pids *l, size_t i)
{
	return i < l->pb->n_processes ? l->pb->processes[i]->pid : 0;
}

const char *ctrd_pids_exec_id(const struct ctrd_pids *l, size_t i)
{
	return i < l->pb->n_processes ? l->exec_ids[i] : NULL;
}

/* --- figures ------------------------------------------------------------------------------ */

struct ctrd_metrics {
	struct arena arena;
	const Types__Metric *pb;
	ProtobufCMessage *data;
};

void ctrd_metrics_free(struct ctrd_metrics *m)
{
	if (m == NULL)
		return;
	arena_done(&m->arena);
	free(m);
}
DEFINE_AUTO(struct ctrd_metrics *, ctrd_metrics_free)

static int get_metrics(struct ctrd_client *c, const char *container, struct ctrd_metrics *m,
		struct err *err)
{
	Tasks__MetricsRequest request = TASKS__METRICS_REQUEST__INIT;
	const char *filter = arena_printf(&m->arena, "id==%s", container);
	const Tasks__MetricsResponse *pb;

	request.filters = &filter;
	request.n_filters = 1;
	pb = client_call(c, CLIENT_TASKS_Metrics, &request.base, &m->arena, err);
	if (pb == NULL)
		return -1;
	if (pb->n_metrics == 0) {
		AUTO(ctrd_process_free) struct ctrd_process *p = NULL;

		if (client_process_get(c, container, NULL, &p, err) < 0)
			return -1;
		return err_plain(err, ERR_UNKNOWN, "no metrics received");
	}
	m->pb = pb->metrics[0];
	if (m->pb->data == NULL)
		return err_plain(err, ERR_UNKNOWN, "no metrics received");
	return any_unpack_known(m->pb->data, &m->arena, &pb_limits_reply, &m->data, err);
}

int ctrd_task_metrics(struct ctrd_client *c, const char *container,
		struct ctrd_metrics **ret_metrics, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_metrics_free) struct ctrd_metrics *m = xzalloc(sizeof(*m));

	arena_init(&m->arena, CLIENT_REPLY_BUDGET);
	if (get_metrics(c, container, m, &err) < 0)
		return api_result(-1, &err, ret_error);
	*ret_metrics = take_ptr(m);
	return 0;
}

const char *ctrd_metrics_id(const struct ctrd_metrics *m)
{
	return m->pb->id;
}

int64_t ctrd_metrics_time(const struct ctrd_metrics *m)
{
	return timestamp_ns(m->pb->timestamp);
}

const char *ctrd_metrics_type(const struct ctrd_metrics *m)
{
	return m->data->descriptor->name;
}

int ctrd_metrics_number(const struct ctrd_metrics *m, const char *path, uint64_t *ret_value)
{
	uint64_t ignored;

	return message_number(m->data, path, ret_value == NULL ? &ignored : ret_value);
}

int ctrd_metrics_json(const struct ctrd_metrics *m, const char *indent, char **ret_json,
		struct ctrd_error **ret_error)
{
	(void)ret_error; /* for payloads that one day cannot be shown */
	*ret_json = message_json(m->data, indent);
	return 0;
}

/* --- signals ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	uint32_t number;
} signals[] = {
	{ "ABRT", SIGABRT },
	{ "ALRM", SIGALRM },
	{ "BUS", SIGBUS },
	{ "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD },
	{ "CONT", SIGCONT },
	{ "FPE", SIGFPE },
	{ "HUP", SIGHUP },
	{ "ILL", SIGILL },
	{ "INT", SIGINT },
	{ "IO", SIGIO },
	{ "IOT", SIGABRT },
	{ "KILL", SIGKILL },
	{ "PIPE", SIGPIPE },
	{ "POLL", SIGIO },
	{ "PROF", SIGPROF },
	{ "PWR", SIGPWR },
	{ "QUIT", SIGQUIT },
	{ "SEGV", SIGSEGV },
	{ "STKFLT", SIGSTKFLT },
	{ "STOP", SIGSTOP },
	{ "SYS", SIGSYS },
	{ "TERM", SIGTERM },
	{ "TRAP", SIGTRAP },
	{ "TSTP", SIGTSTP },
	{ "TTIN", SIGTTIN },
	{ "TTOU", SIGTTOU },
	{ "URG", SIGURG },
	{ "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 },
	{ "VTALRM", SIGVTALRM },
	{ "WINCH", SIGWINCH },
	{ "XCPU", SIGXCPU },
	{ "XFSZ", SIGXFSZ },
};

/* What runtimes count from: the C library keeps the first two for itself. */
#define FIRST_RT 34
#define LAST_RT	 64

static bool realtime(const char *name, uint32_t *ret)
{
	uint32_t n = 0;

	if (strncasecmp(name, "RTMIN", 5) == 0) {
		if (name[5] == '+' ? !str_u32(name + 6, &n) : name[5] != '\0')
			return false;
		*ret = FIRST_RT + n;
	} else if (strncasecmp(name, "RTMAX", 5) == 0) {
		if (name[5] == '-' ? !str_u32(name + 6, &n) : name[5] != '\0')
			return false;
		*ret = LAST_RT - n;
	} else {
		return false;
	}
	return n <= LAST_RT - FIRST_RT;
}

static bool parse_signal(const char *text, uint32_t *ret)
{
	uint32_t n;

	if (str_u32(text, &n)) {
		*ret = n;
		return n >= 1 && n <= LAST_RT;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (strcasecmp(signals[i].name, text) != 0)
			continue;
		*ret = signals[i].number;
		return true;
	}
	return realtime(text, ret);
}

int ctrd_signal_parse(const char *text, uint32_t *ret_signal, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	if (parse_signal(text, ret_signal))
		return 0;
	return api_result(err_plain(&err, ERR_INVALID, "invalid signal: %s", text), &err,
			ret_error);
}
