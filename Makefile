# SPDX-License-Identifier: Apache-2.0
# The front door; Meson does the work. Start with "make demo".
BUILD   ?= build
DESTDIR ?=
MESON   = meson
TSAN    = TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 suppressions=$(CURDIR)/tools/tsan.supp"
ASAN    = ASAN_OPTIONS="detect_leaks=1:abort_on_error=1" UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1"

all: $(BUILD)/build.ninja
	@ninja --quiet -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/deps.sh build
	@$(MESON) setup $(BUILD) -Dtests=false >/dev/null || { cat $(BUILD)/meson-logs/meson-log.txt; exit 1; }

deps:
	@tools/deps.sh build

demo: deps all
	@tools/demo.sh $(BUILD)

build-tests: $(BUILD)/build.ninja
	@$(MESON) configure $(BUILD) -Dtests=true
	@ninja --quiet -C $(BUILD)

test:
	@tools/deps.sh test
	@$(MAKE) --no-print-directory build-tests
	@tools/test.sh $(BUILD)

asan-test:
	@tools/deps.sh test
	@[ -e build-asan/build.ninja ] || $(MESON) setup build-asan -Db_sanitize=address,undefined -Dtests=true >/dev/null
	@ninja -C build-asan
	@$(ASAN) tools/test.sh build-asan unit conformance fault fuzz
	@tools/sanitized.sh build-asan

tsan-test:
	@tools/deps.sh test
	@[ -e build-tsan/build.ninja ] || $(MESON) setup build-tsan -Db_sanitize=thread -Dtests=true >/dev/null
	@ninja -C build-tsan
	@$(TSAN) tools/test.sh build-tsan unit conformance
	@tools/sanitized.sh build-tsan

# Coverage-guided fuzzing with libFuzzer, FUZZ_SECONDS per target.
fuzz:
	@tools/fuzz.sh $(or $(FUZZ_SECONDS),60)

# What CI has no time for: 100,000 lives of containers, deaths and refusals at system calls,
# 1,000 power cuts per file system. Hours.
soak: build-tests
	@tools/deps.sh test
	@CTRD_BUILD="$(CURDIR)/$(BUILD)" SOAK_LIVES=$(or $(SOAK_LIVES),100000) SOAK_RUNC_LIVES=5000 SOAK_SECONDS=20000 \
		KILL_STEP=1 KILL_RUNC_STEP=7 KILL_SECONDS=20000 \
		SOAK_LOG="$(CURDIR)/$(BUILD)/soak.log" KILL_LOG="$(CURDIR)/$(BUILD)/kill.log" tests/support/private.sh \
		bats --tap tests/integration/soak.bats tests/integration/kill_calls.bats </dev/null
	@CTRD_BUILD="$(CURDIR)/$(BUILD)" CTRD_DEADLINE=7200 CALL_POINTS=$(or $(CALL_POINTS),400) \
		tests/support/private.sh bats --tap tests/integration/crash_calls.bats </dev/null
	@for fs in ext4 xfs btrfs; do CTRD_BUILD="$(CURDIR)/$(BUILD)" CTRD_DEADLINE=7200 POWER_FS=$$fs \
		POWER_CUTS=$(or $(POWER_CUTS),1000) POWER_ROUNDS=10 \
		tests/support/private.sh bats --tap tests/integration/power_cut.bats </dev/null || exit 1; done

bench: all
	@bench/run.sh $(BUILD)

lint:
	@tools/deps.sh test
	@tools/lint.sh

format:
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

install: all
	@DESTDIR=$(DESTDIR) $(MESON) install -C $(BUILD) --no-rebuild

clean:
	@rm -rf $(BUILD) build-asan build-tsan build-fuzz

.PHONY: all deps demo build-tests test asan-test tsan-test fuzz soak bench lint format install clean
