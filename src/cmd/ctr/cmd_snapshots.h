/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Of "snapshots" itself: stands before the sub-command. */
struct snapshots_args {
	const char *snapshotter;
};
