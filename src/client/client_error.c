/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_priv.h"

#include <stdlib.h>

#include "base/mem.h"

int api_result(int rc, struct err *err, struct ctrd_error **ret_error)
{
	struct ctrd_error *e;

	if (rc >= 0)
		return rc;
	if (ret_error != NULL) {
		e = xzalloc(sizeof(*e));
		e->code = err_grpc_status(err);
		e->text = xstrdup(err_text(err));
		*ret_error = e;
	}
	err_clear(err);
	return -1;
}

int ctrd_error_code(const struct ctrd_error *e)
{
	return e == NULL ? CTRD_OK : e->code;
}

const char *ctrd_error_text(const struct ctrd_error *e)
{
	return e == NULL ? "" : e->text;
}

void ctrd_error_free(struct ctrd_error *e)
{
	if (e == NULL)
		return;
	free(e->text);
	free(e);
}
