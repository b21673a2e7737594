/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim_endpoint.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/bootstrap.pb-c.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "text/json.h"
#include "text/json_out.h"

#define VERSION_LEGACY 2 /* what a shim speaks that does not say it */
#define VERSION_MAX    3

void shim_endpoint_done(struct shim_endpoint *e)
{
	free(e->address);
	*e = (struct shim_endpoint){ 0 };
}

static int set_protocol(struct shim_endpoint *e, const char *protocol, struct err *err)
{
	AUTO_FREE char *quoted = NULL;

	e->is_grpc = strcasecmp(protocol, "grpc") == 0;
	if (e->is_grpc || strcasecmp(protocol, "ttrpc") == 0)
		return 0;
	quoted = str_quote(protocol);
	return err_plain(err, ERR_UNKNOWN, "unexpected protocol: %s", quoted);
}

/* 1 if it was one, 0 if these bytes are something else. */
static int parse_binary(const void *data, size_t size, struct shim_endpoint *e, struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err not_one = { 0 };
	ProtobufCMessage *message = NULL;
	const Bootstrap__BootstrapResult *result = NULL;

	arena_init(&a, SIZE_MAX);
	if (pb_decode(&bootstrap__bootstrap_result__descriptor, data, size, &a, NULL, &message,
			    &not_one) < 0)
		return 0;
	result = (const Bootstrap__BootstrapResult *)message;
	if (set_protocol(e, result->protocol, err) < 0)
		return -1;
	e->version = result->version;
	e->address = xstrdup(result->address);
	return 1;
}

/* Go compares keys without case. */
static const struct json *get_any_case(const struct json *object, const char *key)
{
	struct json_member m = { 0 };

	while (json_next(object, &m))
		if (strcasecmp(m.key, key) == 0)
			return m.value;
	return NULL;
}

static int parse_json(const char *text, size_t size, struct shim_endpoint *e, struct err *err)
{
	AUTO(json_free) struct json *doc = NULL;
	AUTO_ERR struct err not_one = { 0 };
	int64_t version = 0;

	if (json_parse(text, size, &doc, &not_one) < 0 || !json_is(doc, JSON_KIND_OBJECT) ||
			!json_i64(get_any_case(doc, "version"), &version) ||
			version < VERSION_LEGACY)
		return 0;
	if (version > VERSION_MAX)
		return err_set(err, ERR_UNIMPLEMENTED, "unsupported shim version (%lld)",
				(long long)version);
	if (set_protocol(e, str_or(json_text(get_any_case(doc, "protocol")), ""), err) < 0)
		return -1;
	e->version = (int)version;
	e->address = xstrdup(str_or(json_text(get_any_case(doc, "address")), ""));
	return 1;
}

static const char *trim(const char *text, size_t *size)
{
	while (*size > 0 && strchr(" \t\r\n", text[*size - 1]) != NULL)
		(*size)--;
	while (*size > 0 && strchr(" \t\r\n", *text) != NULL) {
		text++;
		(*size)--;
	}
	return text;
}

/* Nothing but the address: what shims of 1.6 and 1.7 print. */
static int parse_plain(const char *text, size_t size, struct shim_endpoint *e, struct err *err)
{
	if (memchr(text, '\0', size) != NULL || !utf8_valid(text, size))
		return err_set(err, ERR_INVALID, "address of the shim");
	e->version = VERSION_LEGACY;
	e->address = xstrndup(text, size);
	return 0;
}

int shim_endpoint_parse(const void *data, size_t size, struct shim_endpoint *ret_endpoint,
		struct err *err)
{
	AUTO_ENDPOINT struct shim_endpoint e = { 0 };
	const char *text = data == NULL ? "" : data;
	int rc;

	if (size > SHIM_ANSWER_MAX)
		return err_set(err, ERR_EXHAUSTED, "answer of the shim is too long");
	rc = parse_binary(text, size, &e, err);
	if (rc == 0) {
		text = trim(text, &size);
		rc = parse_json(text, size, &e, err);
	}
	if (rc == 0)
		rc = parse_plain(text, size, &e, err);
	if (rc < 0)
		return -1;
	*ret_endpoint = e;
	e = (struct shim_endpoint){ 0 };
	return 0;
}

int shim_endpoint_parse_url(const char *url, unsigned version,
		struct shim_endpoint *ret_endpoint, struct err *err)
{
	struct shim_endpoint e = { .version = (int)version };
	const char *plus = strchr(url, '+');
	AUTO_FREE char *protocol = NULL;

	if (plus == NULL)
		return err_set(err, ERR_INVALID, "the scheme of sandbox address should be %s",
				"in the form of <protocol>+<unix|vsock|tcp>, i.e. ttrpc+unix "
				"or "
				"grpc+vsock");
	protocol = xstrndup(url, (size_t)(plus - url));
	if (set_protocol(&e, protocol, err) < 0)
		return -1;
	e.address = xstrdup(plus + 1);
	*ret_endpoint = e;
	return 0;
}

void shim_endpoint_write(const struct shim_endpoint *e, struct buf *out)
{
	struct json_out o;

	json_out_init(&o, out, NULL);
	json_out_object(&o);
	json_out_key(&o, "version");
	json_out_i64(&o, e->version);
	json_out_member(&o, "address", e->address);
	json_out_member(&o, "protocol", e->is_grpc ? "grpc" : "ttrpc");
	json_out_end(&o);
}

int shim_endpoint_socket(const struct shim_endpoint *e, char **ret_socket, struct err *err)
{
	const char *scheme_end = strstr(e->address, "://");

	if (scheme_end == NULL && e->address[0] == '\0')
		return err_set(err, ERR_INVALID, "the shim has no address");
	if (scheme_end == NULL) {
		/* ttrpc: an abstract socket; grpc: a path, which its clients put "unix://" to.
		 */
		*ret_socket = xasprintf("%s%s", e->is_grpc ? "" : "@", e->address);
		return 0;
	}
	if (!str_starts(e->address, "unix://"))
		return err_set(err, ERR_INVALID, "unsupported protocol: %.*s",
				(int)(scheme_end - e->address), e->address);
	*ret_socket = xstrdup(scheme_end + 3);
	return 0;
}
