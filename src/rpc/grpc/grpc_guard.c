/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_guard_priv.h"

#include "base/clock.h"

#define PURSE_MAX	20000
#define FRAMES_PER_S	10000
#define FRAMES_PER_CALL 8
/* A client gives its window back in steps of at least this. */
#define BYTES_PER_FRAME 1024

/* grpc-go's: a ping is a strike when we sent nothing since the last one and that is younger
 * than this. The third strike ends the connection. */
#define PING_MIN_NS	 (5 * 60 * NS_PER_S)
#define PING_MIN_IDLE_NS (2 * 3600 * NS_PER_S)
#define MAX_STRIKES	 2

void grpc_guard_init(struct grpc_guard *g)
{
	*g = (struct grpc_guard){ .purse = PURSE_MAX, .filled_ns = clock_mono_ns() };
}

static void fill(struct grpc_guard *g, int64_t frames)
{
	g->purse += frames;
	if (g->purse > PURSE_MAX)
		g->purse = PURSE_MAX;
}

void grpc_guard_sent(struct grpc_guard *g, size_t bytes)
{
	g->sent_since = true;
	g->sent += bytes;
	fill(g, (int64_t)(g->sent / BYTES_PER_FRAME));
	g->sent %= BYTES_PER_FRAME;
}

static void fill_by_time(struct grpc_guard *g)
{
	int64_t now = clock_mono_ns();
	int64_t frames = (now - g->filled_ns) / (NS_PER_S / FRAMES_PER_S);

	if (frames <= 0)
		return;
	fill(g, frames);
	g->filled_ns = now;
}

bool grpc_guard_frame(struct grpc_guard *g, const nghttp2_frame_hd *hd)
{
	if (hd->type == NGHTTP2_DATA && hd->length > 0)
		return true;
	if (hd->type == NGHTTP2_HEADERS) {
		fill(g, FRAMES_PER_CALL);
		return true;
	}
	if (g->purse <= 0)
		fill_by_time(g);
	return --g->purse >= 0;
}

bool grpc_guard_ping(struct grpc_guard *g, size_t open_streams)
{
	int64_t now = clock_mono_ns(), last = g->pinged_ns;
	int64_t pause = open_streams == 0 ? PING_MIN_IDLE_NS : PING_MIN_NS;

	g->pinged_ns = now;
	if (g->sent_since) {
		g->sent_since = false;
		g->strikes = 0;
		return true;
	}
	if (last != 0 && now - last < pause)
		g->strikes++;
	return g->strikes <= MAX_STRIKES;
}
