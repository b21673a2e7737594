/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in validator: refuses kinds of adjustments that an administrator does not want. */
#pragma once

#include <stdbool.h>

#include "api/pb/nri.pb-c.h"
#include "base/attr.h"

struct err;
struct nri_owners;

struct nri_validator {
	bool is_enabled, reject_hooks, reject_default_seccomp, reject_unconfined_seccomp,
			reject_custom_seccomp, reject_namespaces, reject_sysctls;
	char *const *required; /* plugins by base or full name */
	const char *tolerate;  /* annotation; NULL or "": none */
};

#define NRI_VALIDATOR_INDEX "00"
#define NRI_VALIDATOR_NAME  "default-validator"

/* The request's container is as it was before any plugin; owners say who has changed it. */
MUST_USE int nri_validate(const struct nri_validator *v,
		const Nri__ValidateContainerAdjustmentRequest *r,
		const struct nri_owners *owners, struct err *err);
