/* SPDX-License-Identifier: Apache-2.0 */
/* Where the API is served. The sockets are opened once every plugin has started. */
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/containerd/listeners.h"
#include "cmd/containerd/plugins.h"
#include "text/toml.h"

static struct api_listener *listener_new(const struct toml_value *config, bool is_ttrpc)
{
	struct api_listener *l = xzalloc(sizeof(*l));

	l->address = xstrdup(toml_text(toml_find(config, "address")));
	l->uid = (uid_t)toml_int(toml_find(config, "uid"));
	l->gid = (gid_t)toml_int(toml_find(config, "gid"));
	l->is_ttrpc = is_ttrpc;
	l->fd = -1;
	return l;
}

int plugin_grpc_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct toml_value *config = plugin_config(env);

	if (str_is_empty(toml_text(toml_find(config, "address"))))
		return err_set(err, ERR_INVALID, "grpc address cannot be empty");
	*ret_instance = listener_new(config, false);
	return 0;
}

int plugin_ttrpc_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct toml_value *config = plugin_config(env);

	if (str_is_empty(toml_text(toml_find(config, "address"))))
		return plugin_skip(env, err, "no ttrpc address configured");
	*ret_instance = listener_new(config, true);
	return 0;
}

int api_listener_open(struct api_listener *l, struct listeners *listeners, struct err *err)
{
	int fd = listeners_open(
			listeners, l->is_ttrpc ? "ttrpc" : "grpc", l->address, l->uid, l->gid);

	if (fd < 0)
		return err_sys(err, -fd,
				"failed to get listener for main%s endpoint: listen unix %s",
				l->is_ttrpc ? " ttrpc" : "", l->address);
	l->fd = fd;
	return 0;
}

void plugin_listener_fini(void *instance)
{
	struct api_listener *l = instance;

	close_fd(&l->fd);
	free(l->address);
	free(l);
}
