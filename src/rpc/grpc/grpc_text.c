/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_text_priv.h"

#include <stdio.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "rpc/rpc_status_priv.h"
#include "rpc/rpc_text_priv.h"

#define DETAILS_ARENA ((size_t)16 << 20)

static void add_escaped(struct buf *b, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buf_addf(b, "%%%02X", (unsigned char)text[i]);
}

static bool is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '%';
}

char *grpc_message_encode(const char *text, size_t limit)
{
	struct buf b = { .limit = SIZE_MAX };
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = rpc_utf8_len(text, left);

		if (b.size + 3 * (n == 0 ? 3 : n) > limit)
			break;
		if (n == 1 && is_plain(*text))
			buf_add_byte(&b, (unsigned char)*text);
		else if (n == 0)
			add_escaped(&b, RPC_TEXT_BAD, strlen(RPC_TEXT_BAD));
		else
			add_escaped(&b, text, n);
		n = n == 0 ? 1 : n;
		text += n;
		left -= n;
	}
	return buf_take_str(&b);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

char *grpc_message_decode(const char *text, size_t size)
{
	struct buf b = { .limit = SIZE_MAX };

	for (size_t i = 0; i < size; i++) {
		bool escaped = text[i] == '%' && i + 2 < size && hex_value(text[i + 1]) >= 0 &&
			       hex_value(text[i + 2]) >= 0;

		if (!escaped) {
			buf_add_byte(&b, (unsigned char)text[i]);
			continue;
		}
		buf_add_byte(&b, (unsigned char)(hex_value(text[i + 1]) << 4 |
						 hex_value(text[i + 2])));
		i += 2;
	}
	return buf_take_str(&b);
}

char *grpc_details_encode(const struct err *err, size_t max_text)
{
	AUTO_ARENA struct arena arena;
	const void *bytes;
	size_t size;

	arena_init(&arena, 0);
	bytes = pb_encode_arena(&rpc_status_out(err, max_text, &arena)->base, &arena, &size);
	return base64_encode(bytes, size, BASE64_BARE);
}

/* False if the details say nothing. */
static bool read_details(
		int code, const char *message, const struct buf *details, struct err *err)
{
	AUTO_ARENA struct arena arena;
	AUTO_ERR struct err ignored = { 0 };
	ProtobufCMessage *m;
	const Rpc__Status *status;

	arena_init(&arena, DETAILS_ARENA);
	if (pb_decode(&rpc__status__descriptor, str_or(details->data, ""), details->size,
			    &arena, &pb_limits_reply, &m, &ignored) < 0)
		return false;
	status = (const Rpc__Status *)m;
	if (status->code != code)
		(void)err_plain(err, ERR_INTERNAL,
				"grpc-status-details-bin mismatch: grpc-status=%d, "
				"grpc-message=\"%s\", grpc-status-details-bin=%d",
				code, message, status->code);
	else if (code != 0)
		rpc_status_in(status, err);
	return true;
}

void grpc_status_read(int code, const char *message, const char *details, struct err *err)
{
	AUTO_BUF struct buf bytes = { .limit = SIZE_MAX };
	size_t at;

	if (details != NULL && !base64_decode(details, strlen(details), &bytes, &at)) {
		(void)err_plain(err, ERR_INTERNAL,
				"transport: malformed grpc-status-details-bin: "
				"illegal base64 data at input byte %zu",
				at);
		return;
	}
	if (details != NULL && read_details(code, message, &bytes, err))
		return;
	if (code != 0)
		(void)err_plain(err, err_kind_of_grpc(code, message), "%s", message);
}

static const struct unit {
	char name;
	int64_t ns;
} units[] = {
	{ 'n', 1 },
	{ 'u', NS_PER_US },
	{ 'm', NS_PER_MS },
	{ 'S', NS_PER_S },
	{ 'M', 60 * NS_PER_S },
	{ 'H', 3600 * NS_PER_S },
};

void grpc_timeout_format(int64_t timeout_ns, char out[GRPC_TIMEOUT_SIZE])
{
	if (timeout_ns < 0)
		timeout_ns = 0;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = timeout_ns / units[i].ns + (timeout_ns % units[i].ns != 0);

		if (n > 99999999)
			continue;
		(void)snprintf(out, GRPC_TIMEOUT_SIZE, "%lld%c", (long long)n, units[i].name);
		return;
	}
}

bool grpc_timeout_parse(const char *text, int64_t *ret_ns)
{
	size_t digits = strspn(text, "0123456789");
	int64_t value = 0;

	if (digits < 1 || digits > 8 || strlen(text) != digits + 1)
		return false;
	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (text[i] - '0');
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (units[i].name != text[digits])
			continue;
		*ret_ns = value > INT64_MAX / units[i].ns ? INT64_MAX : value * units[i].ns;
		return true;
	}
	return false;
}
