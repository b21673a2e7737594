/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_validate.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "nri/nri_owners.h"
#include "text/jnode.h"
#include "text/yaml_read.h"

#define REQUIRED "required-plugins.noderesource.dev"
#define TEXT_MAX ((size_t)64 * 1024)

static int refuse(struct err *err, const char *why)
{
	return err_plain(err, ERR_UNKNOWN, "validation error: %s", why);
}

static int check_hooks(const struct nri_validator *v, const char *id,
		const struct nri_owners *owners, struct err *err)
{
	const char *who = nri_owner(owners, id, NRI__FIELD__OciHooks, NULL);
	AUTO_FREE char *why = NULL;

	if (!v->reject_hooks || who == NULL)
		return 0;
	why = xasprintf("plugin%s \"%s\" attempted restricted OCI hook injection",
			strchr(who, ',') == NULL ? "" : "s", who);
	return refuse(err, why);
}

/* The original's texts have a second blank in two of the three. */
static int check_seccomp(const struct nri_validator *v, const Nri__Container *c,
		const struct nri_owners *owners, struct err *err)
{
	const char *who = nri_owner(owners, c->id, NRI__FIELD__SeccompPolicy, NULL);
	const Nri__SecurityProfile *p = c->linux == NULL ? NULL : c->linux->seccomp_profile;
	AUTO_FREE char *why = NULL;
	const char *what = NULL;

	if (who == NULL)
		return 0;
	if (p == NULL || p->profile_type == NRI__SECURITY_PROFILE__PROFILE_TYPE__UNCONFINED)
		what = v->reject_unconfined_seccomp ? " unconfined" : NULL;
	else if (p->profile_type == NRI__SECURITY_PROFILE__PROFILE_TYPE__RUNTIME_DEFAULT)
		what = v->reject_default_seccomp ? "runtime default" : NULL;
	else if (p->profile_type == NRI__SECURITY_PROFILE__PROFILE_TYPE__LOCALHOST)
		what = v->reject_custom_seccomp ? " custom" : NULL;
	if (what == NULL)
		return 0;
	why = xasprintf("plugin %s attempted restricted %s seccomp policy adjustment", who,
			what);
	return refuse(err, why);
}

static void name_namespace(void *arg, const char *key, const char *plugin)
{
	struct buf *names = arg;

	buf_addf(names, "%s\"%s\" (namespace \"%s\")", names->size > 0 ? ", " : "", plugin,
			key);
}

static int check_namespaces(const struct nri_validator *v, const char *id,
		const struct nri_owners *owners, struct err *err)
{
	AUTO_BUF struct buf names = { .limit = TEXT_MAX };
	AUTO_FREE char *why = NULL;

	if (!v->reject_namespaces)
		return 0;
	nri_owners_each(owners, id, NRI__FIELD__Namespace, name_namespace, &names);
	if (names.size == 0 && !names.overflowed)
		return 0;
	why = xasprintf("attempted restricted namespace adjustment by plugin(s) %s",
			str_or(names.data, ""));
	return refuse(err, why);
}

static void name_plugin(void *arg, const char *key, const char *plugin)
{
	struct buf *names = arg;

	buf_addf(names, "%s%s", names->size > 0 ? ", " : "", plugin);
}

static int check_sysctls(const struct nri_validator *v, const char *id,
		const struct nri_owners *owners, struct err *err)
{
	AUTO_BUF struct buf names = { .limit = TEXT_MAX };
	AUTO_FREE char *why = NULL;

	if (!v->reject_sysctls)
		return 0;
	nri_owners_each(owners, id, NRI__FIELD__Sysctl, name_plugin, &names);
	if (names.size == 0 && !names.overflowed)
		return 0;
	why = xasprintf("attempted restricted sysctl adjustment by plugin(s) %s",
			str_or(names.data, ""));
	return refuse(err, why);
}

/* --- plugins that must be there ----------------------------------------------------------- */

static const char *annotation(const Nri__PodSandbox *pod, const char *key)
{
	for (size_t i = 0; pod != NULL && i < pod->n_annotations; i++)
		if (str_eq(pod->annotations[i]->key, key))
			return pod->annotations[i]->value;
	return NULL;
}

/* What is said of the container counts before what is said of the pod. */
static const char *find_annotation(
		const Nri__PodSandbox *pod, const char *key, const char *container)
{
	AUTO_FREE char *of_container = xasprintf("%s/container.%s", key, container);
	AUTO_FREE char *of_pod = xasprintf("%s/pod", key);
	const char *value = annotation(pod, of_container);

	if (value == NULL)
		value = annotation(pod, of_pod);
	return value == NULL ? annotation(pod, key) : value;
}

/* As Go's ParseBool; -1 for anything else. */
static int parse_bool(const char *text)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True", NULL };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False", NULL };

	if (strv_has((char *const *)yes, text))
		return 1;
	return strv_has((char *const *)no, text) ? 0 : -1;
}

static int tolerates(const struct nri_validator *v,
		const Nri__ValidateContainerAdjustmentRequest *r, struct err *err)
{
	AUTO_FREE char *quoted = NULL;
	const char *value;
	int rc;

	if (str_is_empty(v->tolerate))
		return 0;
	value = find_annotation(r->pod, v->tolerate, r->container->name);
	if (value == NULL)
		return 0;
	rc = parse_bool(value);
	quoted = str_quote(value);
	return rc >= 0 ? rc
		       : err_plain(err, ERR_UNKNOWN,
					 "invalid %s annotation %s: strconv.ParseBool: "
					 "parsing %s: invalid syntax",
					 v->tolerate, quoted, quoted);
}

static int add_annotated(const Nri__ValidateContainerAdjustmentRequest *r, char ***required,
		struct err *err)
{
	const char *value = find_annotation(r->pod, REQUIRED, r->container->name);
	AUTO(jnode_free) struct jnode *list = NULL;
	AUTO_ERR struct err cause = { 0 };
	AUTO_FREE char *quoted = NULL;

	if (value == NULL)
		return 0;
	quoted = str_quote(value);
	if (yaml_parse(value, strlen(value), &list, &cause) < 0)
		return err_plain(err, ERR_UNKNOWN, "invalid %s annotation %s: %s", REQUIRED,
				quoted, err_text(&cause));
	if (!jnode_is(list, JSON_KIND_ARRAY) && !jnode_is(list, JSON_KIND_NULL))
		return err_plain(err, ERR_UNKNOWN, "invalid %s annotation %s: not a list",
				REQUIRED, quoted);
	for (size_t i = 0; i < jnode_count(list); i++)
		strv_add(required, str_or(jnode_str(jnode_item(list, i)), ""));
	return 0;
}

static bool was_asked(const Nri__ValidateContainerAdjustmentRequest *r, const char *name)
{
	for (size_t i = 0; i < r->n_plugins; i++) {
		AUTO_FREE char *full =
				xasprintf("%s-%s", r->plugins[i]->index, r->plugins[i]->name);

		if (str_eq(name, full) || str_eq(name, r->plugins[i]->name))
			return true;
	}
	return false;
}

static int check_required(const struct nri_validator *v,
		const Nri__ValidateContainerAdjustmentRequest *r, struct err *err)
{
	AUTO_STRV char **required = NULL;
	AUTO_BUF struct buf missing = { .limit = TEXT_MAX };
	AUTO_FREE char *why = NULL;
	size_t count = 0;
	int rc = tolerates(v, r, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	for (char *const *name = v->required; name != NULL && *name != NULL; name++)
		strv_add(&required, *name);
	if (add_annotated(r, &required, err) < 0)
		return -1;
	for (char **name = required; name != NULL && *name != NULL; name++)
		if (!was_asked(r, *name))
			buf_addf(&missing, "%s%s", count++ > 0 ? "," : "", *name);
	if (count == 0)
		return 0;
	why = xasprintf("required plugin%s \"%s\" not present", count == 1 ? "" : "s",
			str_or(missing.data, ""));
	return refuse(err, why);
}

int nri_validate(const struct nri_validator *v,
		const Nri__ValidateContainerAdjustmentRequest *r,
		const struct nri_owners *owners, struct err *err)
{
	const char *id = r->container->id;

	if (check_hooks(v, id, owners, err) < 0 ||
			check_seccomp(v, r->container, owners, err) < 0 ||
			check_namespaces(v, id, owners, err) < 0 ||
			check_required(v, r, err) < 0)
		return -1;
	return check_sysctls(v, id, owners, err);
}
