/* SPDX-License-Identifier: Apache-2.0 */
/* Who we say we are: the version of containerd whose API and files we have, and our own. */
#pragma once

#define CTRD_API_VERSION     "2.3.4"
#define CTRD_FULL_VERSION    CTRD_API_VERSION "+ctrd." CTRD_VERSION
#define CTRD_VERSION_PACKAGE "github.com/containerd/containerd/v2"
#define CTRD_REVISION	     ""
