/* SPDX-License-Identifier: Apache-2.0 */
/* [proxy_plugins]: plugins that other processes have (reference 03 §4.3). They are connected to
 * when they are first asked. */
#include "cmd/containerd/plugins_proxy.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "cmd/containerd/plugins.h"
#include "config/config.h"
#include "core/content.h"
#include "core/diff.h"
#include "core/sandbox_controller.h"
#include "core/snapshot.h"
#include "plugin/plugin_set.h"
#include "proxy/proxy_content.h"
#include "proxy/proxy_diff.h"
#include "proxy/proxy_link.h"
#include "proxy/proxy_sandbox.h"
#include "proxy/proxy_snapshots.h"
#include "text/toml.h"

/* Calls that wait for one plugin, and those that wait for a thread to do so. */
#define PROXY_THREADS 64
#define PROXY_QUEUE   1024

struct proxy_row {
	struct plugin_desc desc;
	const struct toml_value *config;
	struct proxies *all;
};

struct proxies {
	struct loop *loop;
	struct proxy_row *rows;
	size_t count;
	struct proxy_link **links; /* one per address */
	size_t link_count;
};

static struct proxy_link *link_to(struct proxies *p, const char *address)
{
	for (size_t i = 0; i < p->link_count; i++)
		if (str_eq(proxy_link_address(p->links[i]), address))
			return p->links[i];
	p->links = xreallocarray(p->links, p->link_count + 1, sizeof(struct proxy_link *));
	p->links[p->link_count] = proxy_link_new(p->loop, address);
	return p->links[p->link_count++];
}

/* What the list of plugins shows of it. */
static void describe(struct plugin_env *env, const struct toml_value *config)
{
	const struct toml_value *exports = toml_find(config, "exports");
	const struct toml_value *capabilities = toml_find(config, "capabilities");
	const char *platform = toml_text(toml_find(config, "platform"));

	for (size_t i = 0; i < toml_count(exports); i++)
		plugin_export(env, toml_key_at(exports, i), toml_text(toml_at(exports, i)));
	plugin_export(env, "address", toml_text(toml_find(config, "address")));
	for (size_t i = 0; i < toml_count(capabilities); i++)
		plugin_add_capability(env, toml_text(toml_at(capabilities, i)));
	if (*platform != '\0')
		plugin_add_platform(env, platform);
	else
		add_host_platform(env);
}

static int proxy_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct proxy_row *row = plugin_arg(env);
	const char *address = toml_text(toml_find(row->config, "address"));
	struct proxy_link *link;
	struct pool *pool;

	if (str_is_empty(address))
		return err_set(err, ERR_INVALID, "proxy plugin %s: no address", row->desc.id);
	describe(env, row->config);
	link = link_to(row->all, address);
	pool = pool_new("proxy", PROXY_THREADS, PROXY_QUEUE);
	if (str_eq(row->desc.type, TYPE_SNAPSHOTTER))
		*ret_instance = proxy_snapshotter_new(link, row->desc.id, pool);
	else if (str_eq(row->desc.type, TYPE_CONTENT))
		*ret_instance = proxy_content_new(link, pool);
	else if (str_eq(row->desc.type, TYPE_SANDBOX))
		*ret_instance = proxy_sandbox_new(link, row->desc.id, pool);
	else
		*ret_instance = proxy_differ_new(link, pool);
	return 0;
}

static void snapshotter_fini(void *instance)
{
	struct snapshotter *s = instance;
	struct pool *pool = s->pool;

	snapshotter_free(s);
	pool_free(pool);
}

static void content_fini(void *instance)
{
	struct content_store *s = instance;
	struct pool *pool = s->pool;

	proxy_content_free(s);
	pool_free(pool);
}

static void controller_fini(void *instance)
{
	struct sandbox_controller *c = instance;
	struct pool *pool = c->pool;

	sandbox_controller_free(c);
	pool_free(pool);
}

static void differ_fini(void *instance)
{
	struct differ *d = instance;
	struct pool *pool = d->pool;

	differ_free(d);
	pool_free(pool);
}

static const struct proxy_kind {
	const char *name, *type;
	void (*fini)(void *instance);
} kinds[] = {
	{ "snapshot", TYPE_SNAPSHOTTER, snapshotter_fini },
	{ "content", TYPE_CONTENT, content_fini },
	{ "sandbox", TYPE_SANDBOX, controller_fini },
	{ "diff", TYPE_DIFFER, differ_fini },
};

static int add(struct proxies *p, struct proxy_row *row, const char *id,
		const struct toml_value *config, struct plugin_set *set, struct err *err)
{
	const char *type = toml_text(toml_find(config, "type"));

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct proxy_kind *k = &kinds[i];

		if (!str_eq(type, k->name) && !str_eq(type, k->type))
			continue;
		*row = (struct proxy_row){ { k->type, id, NULL, proxy_init, k->fini, row },
			config, p };
		if (plugin_set_add(set, &row->desc, err) < 0)
			return err_wrap(err, "proxy plugin %s", id);
		return 0;
	}
	return err_set(err, ERR_INVALID, "proxy plugin %s: unknown proxy plugin type \"%s\"",
			id, type);
}

int proxies_add(struct plugin_set *set, struct loop *loop, const struct config *config,
		struct proxies **ret_proxies, struct err *err)
{
	const struct toml_value *tables = config_get(config, "proxy_plugins");
	struct proxies *p = xzalloc(sizeof(*p));

	p->loop = loop;
	p->count = toml_count(tables);
	p->rows = xcalloc(p->count + 1, sizeof(*p->rows));
	*ret_proxies = p; /* also on failure: the set may have rows of it already */
	for (size_t i = 0; i < p->count; i++)
		if (add(p, &p->rows[i], toml_key_at(tables, i), toml_at(tables, i), set, err) <
				0)
			return -1;
	return 0;
}

void proxies_free(struct proxies *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->link_count; i++)
		proxy_link_unref(p->links[i]);
	free(p->links);
	free(p->rows);
	free(p);
}
