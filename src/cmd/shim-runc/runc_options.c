/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_options.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/runc.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "shim/shim_address.h"
#include "text/json.h"
#include "text/json_out.h"

#define TYPE_NAME	"containerd.runc.v1.Options"
#define DEFAULT_ROOT	"/run/containerd/runc"
#define MAX_OPTIONS_ANY (256 * 1024)

void runc_options_done(struct runc_options *o)
{
	free(o->shim_cgroup);
	free(o->binary_name);
	free(o->root);
	free(o->criu_image_path);
	free(o->criu_work_path);
	free(o->task_api_address);
	*o = (struct runc_options){ 0 };
}

static char *copy_text(const char *text)
{
	return text[0] == '\0' ? NULL : xstrdup(text);
}

static void take_message(struct runc_options *out, const Runc__Options *m)
{
	out->no_pivot_root = m->no_pivot_root;
	out->no_new_keyring = m->no_new_keyring;
	out->systemd_cgroup = m->systemd_cgroup;
	out->io_uid = m->io_uid;
	out->io_gid = m->io_gid;
	out->shim_cgroup = copy_text(m->shim_cgroup);
	out->binary_name = copy_text(m->binary_name);
	out->root = copy_text(m->root);
	out->criu_image_path = copy_text(m->criu_image_path);
	out->criu_work_path = copy_text(m->criu_work_path);
	out->task_api_address = copy_text(m->task_api_address);
	out->task_api_version = m->task_api_version;
}

int runc_options_decode(const char *type_url, const void *data, size_t size,
		struct runc_options *out, struct err *err)
{
	AUTO_ARENA struct arena arena = { 0 };
	ProtobufCMessage *m;

	if (size == 0)
		return 0;
	if (!str_eq(type_url, TYPE_NAME) && !str_ends(type_url, "/" TYPE_NAME))
		return err_set(err, ERR_INVALID, "runtime options of type \"%s\"", type_url);
	arena_init(&arena, MAX_OPTIONS_ANY);
	if (pb_decode(&runc__options__descriptor, data, size, &arena, NULL, &m, err) < 0)
		return err_wrap(err, "runtime options");
	take_message(out, (const Runc__Options *)m);
	return 0;
}

static void add_switch(struct json_out *o, const char *key, bool on)
{
	if (!on)
		return;
	json_out_key(o, key);
	json_out_bool(o, true);
}

static void add_number(struct json_out *o, const char *key, uint32_t n)
{
	if (n == 0)
		return;
	json_out_key(o, key);
	json_out_u64(o, n);
}

void runc_options_to_json(const struct runc_options *o, struct buf *out)
{
	struct json_out j;

	json_out_init(&j, out, NULL);
	json_out_object(&j);
	add_switch(&j, "no_pivot_root", o->no_pivot_root);
	add_switch(&j, "no_new_keyring", o->no_new_keyring);
	json_out_member_if(&j, "shim_cgroup", o->shim_cgroup);
	add_number(&j, "io_uid", o->io_uid);
	add_number(&j, "io_gid", o->io_gid);
	json_out_member_if(&j, "binary_name", o->binary_name);
	json_out_member_if(&j, "root", o->root);
	add_switch(&j, "systemd_cgroup", o->systemd_cgroup);
	json_out_member_if(&j, "criu_image_path", o->criu_image_path);
	json_out_member_if(&j, "criu_work_path", o->criu_work_path);
	json_out_member_if(&j, "task_api_address", o->task_api_address);
	add_number(&j, "task_api_version", o->task_api_version);
	json_out_end(&j);
}

bool runc_options_are_default(const struct runc_options *o)
{
	AUTO_BUF struct buf json = { .limit = SIZE_MAX };

	runc_options_to_json(o, &json);
	return json.size == 2 && memcmp(json.data, "{}", 2) == 0;
}

/* A root that cannot be read must not be taken for the default one. */
static int get_copy(const struct json *j, const char *key, char **to, struct err *err)
{
	const struct json *value = json_get(j, key);

	if (value == NULL || json_is(value, JSON_KIND_NULL))
		return 0;
	if (!json_is(value, JSON_KIND_TEXT))
		return err_set(err, ERR_INVALID, "runtime options: %s is no text", key);
	*to = copy_text(json_text(value));
	return 0;
}

int runc_options_from_json(
		const void *data, size_t size, struct runc_options *out, struct err *err)
{
	AUTO(json_free) struct json *j = NULL;

	if (json_parse(data, size, &j, err) < 0)
		return -1;
	out->no_pivot_root = json_bool(json_get(j, "no_pivot_root"));
	out->no_new_keyring = json_bool(json_get(j, "no_new_keyring"));
	out->systemd_cgroup = json_bool(json_get(j, "systemd_cgroup"));
	(void)json_u32(json_get(j, "io_uid"), &out->io_uid);
	(void)json_u32(json_get(j, "io_gid"), &out->io_gid);
	(void)json_u32(json_get(j, "task_api_version"), &out->task_api_version);
	if (get_copy(j, "shim_cgroup", &out->shim_cgroup, err) < 0 ||
			get_copy(j, "binary_name", &out->binary_name, err) < 0 ||
			get_copy(j, "root", &out->root, err) < 0 ||
			get_copy(j, "criu_image_path", &out->criu_image_path, err) < 0 ||
			get_copy(j, "criu_work_path", &out->criu_work_path, err) < 0 ||
			get_copy(j, "task_api_address", &out->task_api_address, err) < 0)
		return -1;
	return 0;
}

const char *runc_options_binary(const struct runc_options *o)
{
	return str_or(o->binary_name, "runc");
}

char *runc_options_root(const struct runc_options *o, const char *ns)
{
	return shim_join(str_or(o->root, DEFAULT_ROOT), ns, NULL);
}
