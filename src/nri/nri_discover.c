/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins that an administrator installed, and their configuration. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "nri/nri_priv.h"
#include "os/fs.h"

/* It has to fit into a message. */
#define CONFIG_MAX ((size_t)1 << 20)

void nri_found_done(struct nri_found *f)
{
	strv_free(f->idx);
	strv_free(f->base);
	strv_free(f->config);
}

static int read_file(const char *dir, const char *name, struct buf *out)
{
	AUTO_FREE char *path = xasprintf("%s/%s.conf", dir, name);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : io_read_all(fd, out);
}

/* NN-name.conf, or else name.conf, or nothing. */
static int read_config(const char *dir, const char *name, const char *base, char **ret,
		struct err *err)
{
	AUTO_BUF struct buf text = { .limit = CONFIG_MAX };
	int rc = read_file(dir, name, &text);

	if (rc == -ENOENT)
		rc = read_file(dir, base, &text);
	if (rc < 0 && rc != -ENOENT)
		return err_sys(err, -rc, "failed to read configuration for plugin \"%s\"",
				name);
	if (text.size > 0 && !utf8_valid(text.data, text.size))
		return err_set(err, ERR_INVALID, "configuration for plugin \"%s\"", name);
	*ret = buf_take_str(&text);
	return 0;
}

static bool is_program(const char *dir, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	return lstat(path, &st) == 0 && !S_ISDIR(st.st_mode) && (st.st_mode & 0111) != 0;
}

static int add(const char *config_path, const char *name, struct nri_found *f, struct err *err)
{
	const char *dash = strchr(name, '-');
	AUTO_FREE char *idx = NULL;
	AUTO_FREE char *config = NULL;

	if (dash == NULL)
		return err_plain(err, ERR_UNKNOWN,
				"invalid plugin name \"%s\", idx-pluginname expected", name);
	idx = xstrndup(name, (size_t)(dash - name));
	if (nri_check_index(idx, err) < 0 ||
			read_config(config_path, name, dash + 1, &config, err) < 0)
		return -1;
	log_info(NULL, "discovered plugin %s", name);
	strv_add(&f->idx, idx);
	strv_add(&f->base, dash + 1);
	strv_add(&f->config, config);
	return 0;
}

int nri_discover(const char *plugin_path, const char *config_path, struct nri_found *ret,
		struct err *err)
{
	AUTO_STRV char **names = NULL;
	int rc = fs_list(AT_FDCWD, plugin_path, &names);

	*ret = (struct nri_found){ 0 };
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return err_sys(err, -rc, "failed to discover plugins in %s", plugin_path);
	for (char **name = names; name != NULL && *name != NULL; name++)
		if (is_program(plugin_path, *name) && add(config_path, *name, ret, err) < 0) {
			nri_found_done(ret);
			return err_wrap(err, "failed to discover plugins in %s", plugin_path);
		}
	return 0;
}
