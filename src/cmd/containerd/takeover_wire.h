/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon and the one that takes over from it say to each other, one packet each, its
 * first byte the kind (docs/design/041-hot-restart.md).
 */
#pragma once

#include "base/clock.h"

enum takeover_word {
	TAKEOVER_HELLO = 'H',	 /* heir: here I am; TAKEOVER_VERSION follows */
	TAKEOVER_LISTENER = 'L', /* elder: a listening socket; its name follows */
	TAKEOVER_GO = 'G',	 /* elder: stores and root are free */
	TAKEOVER_CONN = 'C', /* elder: a connection and a file with its record; the wire follows
			      */
	TAKEOVER_END = 'E',  /* elder: those were all */
	TAKEOVER_READY = 'R',  /* heir: could serve now */
	TAKEOVER_COMMIT = 'K', /* elder: do, I have let go */
};

/* Of words and records. Daemons of different versions only hand over listening sockets. */
#define TAKEOVER_VERSION '1'

#define TAKEOVER_FD_VAR "CTRD_TAKEOVER_FD"
#define TAKEOVER_SOCKET "takeover.sock" /* in the state directory, while an heir waits */
#define TAKEOVER_PACKET 4096

/* Each is far above what it takes, and a daemon that hangs is not waited for much longer. */
#define TAKEOVER_START_NS  (30 * NS_PER_S) /* the heir's own start, up to HELLO */
#define TAKEOVER_SETTLE_NS (10 * NS_PER_S) /* calls that must not be cut in two */
#define TAKEOVER_SWITCH_NS (15 * NS_PER_S) /* from "nothing is served" to READY */
