/* SPDX-License-Identifier: Apache-2.0 */
/* fs-verity: the kernel refuses to read pages of a file that changed on disk. -errno results.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

/* Seals the file behind fd, which must be open for reading only, by anyone. -EOPNOTSUPP where
 * the filesystem has no fs-verity; -EEXIST if it is sealed already. */
MAY_BLOCK MUST_USE int fsverity_enable(int fd);

/* Tries it on a temporary file in the directory. */
MAY_BLOCK bool fsverity_works_in(int dirfd);
