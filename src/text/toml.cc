/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only C++ in the tree: toml++ behind one C function. No exception leaves this file, and
 * nothing of toml++ is seen outside of it.
 */
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>

/* toml++ 3.3.0 asserts on some malformed input, such as "[*", and calls it unreachable that a
 * character outside ASCII is no blank (U+FEFE): here both are just other ways to say no. */
struct toml_broken_rule {
	const char *text;
};
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wterminate" /* some of them are about the parser's own state */
#endif
#define TOML_ASSERT(rule) ((rule) ? static_cast<void>(0) : throw toml_broken_rule{ #rule })
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/impl/preprocessor.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE return false
#include <toml++/impl/forward_declarations.h>
#include <toml++/impl/unicode.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE throw toml_broken_rule{ "unreachable" }
#include <toml++/toml.h>

#include "text/toml.h"
#include "text/toml_priv.h"

namespace
{

struct fault_at {
	toml::source_position where;
	const char *text;
};

class converter
{
      public:
	explicit converter(const char *file) : file_(file)
	{
	}

	/* Fills "into", which is in the tree already: nothing leaks when something throws. */
	void fill_table(struct toml_value *into, const toml::table &from)
	{
		for (auto &&[key, node] : from) {
			if (key.str().find('\0') != std::string_view::npos)
				throw fault_at{ key.source().begin, "NUL in a key" };
			struct toml_value *value = make(node);
			toml_put(into, std::string(key.str()).c_str(), value);
			/* Names are what people look for; values without one have their own
			 * place. */
			place(value, key.source().begin);
			fill(value, node);
		}
	}

      private:
	const char *file_;
	size_t left_ = TOML_MAX_VALUES;

	void place(struct toml_value *value, const toml::source_position &at)
	{
		toml_set_place(value, file_, at.line, at.column);
	}

	struct toml_value *make_text(const toml::node &node)
	{
		const std::string &text = node.as_string()->get();

		if (text.find('\0') != std::string::npos)
			throw fault_at{ node.source().begin, "NUL in a string" };
		return toml_new_text(text.c_str());
	}

	static void add_date(char *out, size_t room, const toml::date &d)
	{
		std::snprintf(out, room, "%04u-%02u-%02u", unsigned{ d.year },
				unsigned{ d.month }, unsigned{ d.day });
	}

	static void add_time(char *out, size_t room, const toml::time &t)
	{
		int len = std::snprintf(out, room, "%02u:%02u:%02u", unsigned{ t.hour },
				unsigned{ t.minute }, unsigned{ t.second });

		if (t.nanosecond != 0)
			std::snprintf(out + len, room - static_cast<size_t>(len), ".%09u",
					unsigned{ t.nanosecond });
	}

	static struct toml_value *make_date_time(const toml::date_time &t)
	{
		char text[96];
		size_t len;

		add_date(text, sizeof(text), t.date);
		std::strcat(text, "T");
		len = std::strlen(text);
		add_time(text + len, sizeof(text) - len, t.time);
		len = std::strlen(text);
		if (t.offset && t.offset->minutes == 0)
			std::snprintf(text + len, sizeof(text) - len, "Z");
		else if (t.offset)
			std::snprintf(text + len, sizeof(text) - len, "%c%02d:%02d",
					t.offset->minutes < 0 ? '-' : '+',
					std::abs(t.offset->minutes) / 60,
					std::abs(t.offset->minutes) % 60);
		return toml_new_time(text);
	}

	/* The value without what is inside it. */
	struct toml_value *make(const toml::node &node)
	{
		char text[96];

		if (left_-- == 0)
			throw fault_at{ node.source().begin, "too many values" };
		switch (node.type()) {
		case toml::node_type::table:
			return toml_new_table();
		case toml::node_type::array:
			return toml_new_array();
		case toml::node_type::string:
			return make_text(node);
		case toml::node_type::integer:
			return toml_new_int(node.as_integer()->get());
		case toml::node_type::floating_point:
			return toml_new_float(node.as_floating_point()->get());
		case toml::node_type::boolean:
			return toml_new_bool(node.as_boolean()->get());
		case toml::node_type::date:
			add_date(text, sizeof(text), node.as_date()->get());
			return toml_new_time(text);
		case toml::node_type::time:
			add_time(text, sizeof(text), node.as_time()->get());
			return toml_new_time(text);
		case toml::node_type::date_time:
			return make_date_time(node.as_date_time()->get());
		default:
			throw fault_at{ node.source().begin, "unknown kind of value" };
		}
	}

	void fill(struct toml_value *into, const toml::node &node)
	{
		if (node.is_table())
			fill_table(into, *node.as_table());
		if (!node.is_array())
			return;
		for (const toml::node &item : *node.as_array()) {
			struct toml_value *value = make(item);
			toml_append(into, value);
			place(value, item.source().begin);
			fill(value, item);
		}
	}
};

int report(struct toml_fault *fault, const toml::source_position &at, std::string_view text)
{
	fault->line = at.line;
	fault->column = at.column;
	std::snprintf(fault->text, sizeof(fault->text), "%.*s", static_cast<int>(text.size()),
			text.data());
	return -1;
}

} /* namespace */

int toml_cc_parse(const char *file, const char *data, size_t size,
		struct toml_value **ret_table, struct toml_fault *fault)
{
	struct toml_value *root = toml_new_table();

	try {
		toml::table parsed = toml::parse(std::string_view{ data, size });

		toml_set_place(root, file, 1, 1);
		converter{ file }.fill_table(root, parsed);
		*ret_table = root;
		return 0;
	} catch (const toml::parse_error &e) {
		report(fault, e.source().begin, e.description());
	} catch (const fault_at &f) {
		report(fault, f.where, f.text);
	} catch (const toml_broken_rule &r) {
		report(fault, toml::source_position{}, std::string("malformed: ") + r.text);
	} catch (const std::exception &e) {
		report(fault, toml::source_position{}, e.what());
	} catch (...) {
		report(fault, toml::source_position{}, "unknown failure of the parser");
	}
	toml_free(root);
	return -1;
}
