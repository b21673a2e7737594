/* SPDX-License-Identifier: Apache-2.0 */
/* What plugins want of a container, put into its runtime spec. Members that we do not know stay
 * as they are. */
#pragma once

#include "api/pb/nri.pb-c.h"
#include "base/attr.h"

struct err;
struct jnode;

struct nri_adjust_options {
	const char *blockio_file; /* classes of block I/O; NULL or "": there are none */
};

/* Looks at the host for CDI devices, block I/O classes and the propagation of mounts. */
MAY_BLOCK MUST_USE int nri_adjust_spec(struct jnode *spec, const Nri__ContainerAdjustment *a,
		const struct nri_adjust_options *options, struct err *err);

/* linux.resources, in the form that an update of a running container takes as well: values that
 * are there replace those that were. */
void nri_put_resources(struct jnode *resources, const Nri__LinuxResources *r);
