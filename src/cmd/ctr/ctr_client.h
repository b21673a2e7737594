/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

#include "ctrd/ctrd.h"

struct cx;

/* Global flags. */
struct ctr_args {
	bool debug;
	const char *address, *ns;
	int64_t timeout_ns, connect_timeout_ns;
};

/* Connects as the global flags say, and passes on what the daemon warns about. The failure is
 * printed: 0, or the exit status. */
MUST_USE int cx_connect(const struct cx *cx, struct ctrd_client **ret_client);

/* The same in another namespace, without a word about warnings. */
MUST_USE int cx_connect_ns(
		const struct cx *cx, const char *ns, struct ctrd_client **ret_client);

DEFINE_AUTO(struct ctrd_client *, ctrd_client_close)
DEFINE_AUTO(struct ctrd_labels *, ctrd_labels_free)
DEFINE_AUTO(struct ctrd_image *, ctrd_image_free)
DEFINE_AUTO(struct ctrd_images *, ctrd_images_free)
DEFINE_AUTO(struct ctrd_blob *, ctrd_blob_free)
DEFINE_AUTO(struct ctrd_blobs *, ctrd_blobs_free)
DEFINE_AUTO(struct ctrd_ingests *, ctrd_ingests_free)
DEFINE_AUTO(struct ctrd_reader *, ctrd_reader_close)
DEFINE_AUTO(struct ctrd_writer *, ctrd_writer_close)
DEFINE_AUTO(struct ctrd_sandbox *, ctrd_sandbox_free)
DEFINE_AUTO(struct ctrd_sandboxes *, ctrd_sandboxes_free)
DEFINE_AUTO(struct ctrd_snapshot *, ctrd_snapshot_free)
DEFINE_AUTO(struct ctrd_snapshots *, ctrd_snapshots_free)
DEFINE_AUTO(struct ctrd_mounts *, ctrd_mounts_free)
DEFINE_AUTO(struct ctrd_leases *, ctrd_leases_free)
DEFINE_AUTO(struct ctrd_namespaces *, ctrd_namespaces_free)
DEFINE_AUTO(struct ctrd_plugins *, ctrd_plugins_free)
DEFINE_AUTO(struct ctrd_server *, ctrd_server_free)
DEFINE_AUTO(struct ctrd_events *, ctrd_events_close)
DEFINE_AUTO(struct ctrd_container *, ctrd_container_free)
DEFINE_AUTO(struct ctrd_containers *, ctrd_containers_free)
DEFINE_AUTO(struct ctrd_process *, ctrd_process_free)
DEFINE_AUTO(struct ctrd_processes *, ctrd_processes_free)
DEFINE_AUTO(struct ctrd_pids *, ctrd_pids_free)
DEFINE_AUTO(struct ctrd_metrics *, ctrd_metrics_free)
DEFINE_AUTO(struct ctrd_spec *, ctrd_spec_free)
DEFINE_AUTO(struct ctrd_rootfs *, ctrd_rootfs_free)
DEFINE_AUTO(struct ctrd_image_config *, ctrd_image_config_free)
DEFINE_AUTO(char **, ctrd_strings_free)
