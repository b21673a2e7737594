/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * All of libctrd: the client library of ctrd, for daemons that speak containerd's API.
 */
#ifndef CTRD_CTRD_H
#define CTRD_CTRD_H

#include <ctrd/base.h>
#include <ctrd/client.h>
#include <ctrd/container.h>
#include <ctrd/content.h>
#include <ctrd/error.h>
#include <ctrd/event.h>
#include <ctrd/image.h>
#include <ctrd/io.h>
#include <ctrd/labels.h>
#include <ctrd/lease.h>
#include <ctrd/namespace.h>
#include <ctrd/sandbox.h>
#include <ctrd/snapshot.h>
#include <ctrd/spec.h>
#include <ctrd/task.h>

#endif
