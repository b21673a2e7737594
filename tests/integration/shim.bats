#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The shim alone, over its own protocol: each rule is a test of build/tests/integration/shim/shim_driver.
# "SHIM_UNDER_TEST=/usr/bin/containerd-shim-runc-v2 bats …" shows what the original answers.

: "${CTRD_BUILD:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build}"
DRIVER=$CTRD_BUILD/tests/integration/shim/shim_driver
export SHIM_UNDER_TEST=${SHIM_UNDER_TEST:-$CTRD_BUILD/containerd-shim-runc-v2}

rule() {
  [ "$(id -u)" -eq 0 ] || skip "needs root"
  run timeout 120 "$DRIVER" "$1"
  echo "$output"
  [ "$status" -eq 0 ]
  [[ "$output" == *"] 1 test(s) run."* ]] # none of a name it does not know
  [[ "$output" != *"SKIPPED"*"1 test(s)"* ]] || skip "not possible on this machine"
}

@test "a container lives and dies in order" { rule a_container_lives_and_dies_in_order; }
@test "both task api versions are served" { rule both_task_api_versions_are_served; }
@test "an old daemon gets an address and finds it again" { rule an_old_daemon_gets_an_address_and_finds_it_again; }
@test "a new daemon gets a bootstrap result" { rule a_new_daemon_gets_a_bootstrap_result; }
@test "a debug socket tells what goes on" { rule a_debug_socket_tells_what_goes_on; }
@test "containers of a group share a shim" { rule containers_of_a_group_share_a_shim; }
@test "output and input pass by fifos" { rule output_and_input_pass_by_fifos; }
@test "a terminal passes both ways and has its size" { rule a_terminal_passes_both_ways_and_has_its_size; }
@test "execs have their own life" { rule execs_have_their_own_life; }
@test "an init that dies before its start is told after its creation" { rule an_init_that_dies_before_its_start_is_told_after_its_creation; }
@test "a short life is told in order" { rule a_short_life_is_told_in_order; }
@test "the inits exit comes last" { rule the_inits_exit_comes_last; }
@test "shared pids are killed with the init" { rule shared_pids_are_killed_with_the_init; }
@test "pause is seen and refuses what it must" { rule pause_is_seen_and_refuses_what_it_must; }
@test "a created container can be deleted" { rule a_created_container_can_be_deleted; }
@test "execs of a created container end before it" { rule execs_of_a_created_container_end_before_it; }
@test "waiting after the end is answered at once" { rule waiting_after_the_end_is_answered_at_once; }
@test "stats are of the cgroup version" { rule stats_are_of_the_cgroup_version; }
@test "limits can be changed" { rule limits_can_be_changed; }
@test "pids name their execs" { rule pids_name_their_execs; }
@test "running out of memory is told before the exit" { rule running_out_of_memory_is_told_before_the_exit; }
@test "events wait for a daemon that is away" { rule events_wait_for_a_daemon_that_is_away; }
@test "shutdown waits for the last container" { rule shutdown_waits_for_the_last_container; }
@test "delete clears away after a killed shim" { rule delete_clears_away_after_a_killed_shim; }
@test "delete of nothing succeeds" { rule delete_of_nothing_succeeds; }
@test "info tells features" { rule info_tells_features; }
@test "the pid and options of a container stand in its bundle" { rule the_pid_and_options_of_a_container_stand_in_its_bundle; }
@test "execs leave nothing behind" { rule execs_leave_nothing_behind; }
@test "unknown things are refused in the originals words" { rule unknown_things_are_refused_in_the_originals_words; }
@test "incomplete requests do not end the shim" { rule incomplete_requests_do_not_end_the_shim; }
@test "streams that are no fifos are refused and leave nothing" { rule streams_that_are_no_fifos_are_refused_and_leave_nothing; }
@test "a runtime that is missing is named" { rule a_runtime_that_is_missing_is_named; }
@test "a runtime that fails is quoted" { rule a_runtime_that_fails_is_quoted; }
@test "a runtime that hangs ends with its request" { rule a_runtime_that_hangs_ends_with_its_request; }
@test "a runtime that writes garbage is survived" { rule a_runtime_that_writes_garbage_is_survived; }
@test "a runtime that lies about the pid is survived" { rule a_runtime_that_lies_about_the_pid_is_survived; }
@test "a start goes on when its daemon dies" { rule a_start_goes_on_when_its_daemon_dies; }
@test "an exec that failed can be tried again" { rule an_exec_that_failed_can_be_tried_again; }
@test "a client that never reads stops nobody else" { rule a_client_that_never_reads_stops_nobody_else; }
@test "a connection that breaks drops its waits" { rule a_connection_that_breaks_drops_its_waits; }
@test "bad stdin of start is refused and leaves nothing" { rule bad_stdin_of_start_is_refused_and_leaves_nothing; }
@test "malformed specs are refused and leave nothing" { rule malformed_specs_are_refused_and_leave_nothing; }
@test "delete survives a bundle of garbage" { rule delete_survives_a_bundle_of_garbage; }
@test "a runtime that hangs in create is ended and forgotten" { rule a_runtime_that_hangs_in_create_is_ended_and_forgotten; }
@test "a runtime that is killed is told" { rule a_runtime_that_is_killed_is_told; }
@test "streams that cannot be are refused everywhere" { rule streams_that_cannot_be_are_refused_everywhere; }
@test "numbers that are no pids are refused" { rule numbers_that_are_no_pids_are_refused; }
@test "a stranger is killed by its descriptor" { rule a_stranger_is_killed_by_its_descriptor; }
@test "options reach the runtime" { rule options_reach_the_runtime; }
@test "a shim is one more expendable than its daemon" { rule a_shim_is_one_more_expendable_than_its_daemon; }

@test "every rule of the driver stands here" {
  for name in $("$DRIVER" --list); do
    grep -q "{ rule $name; }" "$BATS_TEST_FILENAME"
  done
}
