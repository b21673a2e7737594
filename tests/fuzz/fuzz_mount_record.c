/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a record must be written as it was read. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "mount/mount_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_MOUNT_RECORD struct mount_record first = { 0 }, second = { 0 };
	AUTO_BUF struct buf once = { .limit = SIZE_MAX }, twice = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };

	if (mount_record_read(data, size, &first, &err) < 0) {
		if (err.kind == ERR_NONE)
			abort();
		return 0;
	}
	mount_record_write(&first, &once);
	if (mount_record_read(once.data, once.size, &second, &err) < 0)
		abort();
	mount_record_write(&second, &twice);
	if (once.size != twice.size || memcmp(once.data, twice.data, once.size) != 0)
		abort();
	return 0;
}
