/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "client/client_priv.h"
#include "oci/image_config.h"
#include "oci/spec.h"

struct ctrd_spec {
	struct jnode *doc;
};
DEFINE_AUTO(struct ctrd_spec *, ctrd_spec_free)

struct ctrd_image_config {
	struct image_config config;
};
