/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/blockio.h"

#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "text/jnode.h"
#include "unit/unit.h"

static const char file[] = "Classes:\n"
			   "  slow:\n"
			   "  - Weight: 80\n"
			   "  - Devices: [/dev/none-such*, /dev/null]\n"
			   "    ThrottleReadBps: 10M\n"
			   "  bad:\n"
			   "  - Weight: many\n";

static int apply(const char *text, const char *class_name, struct jnode *spec, struct err *err)
{
	return blockio_apply(spec, text, strlen(text), class_name, err);
}

/* What is no block device here counts for nothing: there may be another one elsewhere. */
static void a_class_sets_weights_and_the_limits_of_disks(void **state UNUSED)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(jnode_free) struct jnode *spec = jnode_object();
	AUTO_FREE char *text = NULL;

	assert_int_equal(apply(file, "slow", spec, &err), 0);
	text = jnode_to_text(spec, NULL);
	assert_string_equal(text, "{\"linux\":{\"resources\":{\"blockIO\":{\"weight\":80}}}}");
}

static void what_makes_no_sense_is_told(void **state UNUSED)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ERR struct err none = { 0 };
	AUTO_ERR struct err yaml = { 0 };
	AUTO(jnode_free) struct jnode *spec = jnode_object();

	assert_int_equal(apply(file, "bad", spec, &err), -1);
	assert_non_null(strstr(err_text(&err), "blockio class bad"));
	assert_int_equal(apply(file, "fast", spec, &none), -1);
	assert_non_null(strstr(
			err_text(&none), "no OCI BlockIO parameters for class \"fast\""));
	assert_int_equal(apply("a: [", "fast", spec, &yaml), -1);
	assert_int_equal(jnode_count(spec), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_class_sets_weights_and_the_limits_of_disks),
		cmocka_unit_test(what_makes_no_sense_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
