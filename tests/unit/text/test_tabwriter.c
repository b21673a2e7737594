/* SPDX-License-Identifier: Apache-2.0 */
/* What Go's text/tabwriter makes of the same input. */
#include "text/tabwriter.h"

#include <string.h>

#include "base/auto.h"
#include "unit/unit.h"

static void check(size_t min, size_t tab, size_t pad, char c, const char *in, const char *want)
{
	AUTO_TABWRITER struct tabwriter t = { 0 };
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_FREE char *got = NULL;

	tabwriter_init(&t, min, tab, pad, c);
	tabwriter_add(&t, in);
	tabwriter_flush(&t, &out);
	got = buf_take_str(&out);
	assert_string_equal(got, want);
}

static void columns_are_as_wide_as_the_widest_cell_and_the_padding(void **state)
{
	check(1, 8, 1, ' ', "NAME\tLABELS\nabcdefgh\tx\n", "NAME     LABELS\nabcdefgh x\n");
	check(4, 8, 4, ' ', "A\tB\tC\nxx\tyy\tz\n", "A     B     C\nxx    yy    z\n");
}

static void text_behind_the_last_tab_gets_no_padding(void **state)
{
	check(1, 8, 1, ' ', "A\tB\t\nlonger\tb\t\n", "A      B \nlonger b \n");
}

static void a_column_ends_where_a_line_lacks_it(void **state)
{
	check(1, 8, 1, ' ', "a\tb\tc\nno cells\nlong one\tb\tc\n",
			"a b c\nno cells\nlong one b c\n");
	check(1, 8, 1, ' ', "a\tbbbbbb\tc\nx\ty\nzzz\tq\tr\n",
			"a   bbbbbb c\nx   y\nzzz q r\n");
}

static void min_width_holds_for_empty_cells(void **state)
{
	check(4, 8, 4, ' ', "\tx\n", "    x\n");
	check(1, 8, 4, ' ', "\t\t\t\nA\tB\tC\t\n", "               \nA    B    C    \n");
}

static void tabs_fill_to_multiples_of_the_tab_width(void **state)
{
	check(1, 8, 1, '\t', "DIGEST\tSIZE\nsha256:0123\t1B\n",
			"DIGEST\t\tSIZE\nsha256:0123\t1B\n");
	check(1, 8, 1, '\t', "1234567\tx\n12345678\ty\n", "1234567\t\tx\n12345678\ty\n");
}

static void width_is_counted_in_characters(void **state)
{
	check(1, 8, 1, ' ', "\xc3\xa9\tx\nab\ty\n", "\xc3\xa9  x\nab y\n");
}

static void a_last_line_without_newline_stays_so(void **state)
{
	check(1, 8, 1, ' ', "a\tb\ncc\td", "a  b\ncc d");
	check(1, 8, 1, ' ', "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(columns_are_as_wide_as_the_widest_cell_and_the_padding),
		TEST(text_behind_the_last_tab_gets_no_padding),
		TEST(a_column_ends_where_a_line_lacks_it),
		TEST(min_width_holds_for_empty_cells),
		TEST(tabs_fill_to_multiples_of_the_tab_width),
		TEST(width_is_counted_in_characters),
		TEST(a_last_line_without_newline_stays_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
