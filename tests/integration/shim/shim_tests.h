/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Each checks one rule against the program; a name of one is the driver's argument. */
#define SHIM_TESTS(T)                                                                          \
	T(a_container_lives_and_dies_in_order)                                                 \
	T(both_task_api_versions_are_served)                                                   \
	T(an_old_daemon_gets_an_address_and_finds_it_again)                                    \
	T(a_new_daemon_gets_a_bootstrap_result)                                                \
	T(a_debug_socket_tells_what_goes_on)                                                   \
	T(containers_of_a_group_share_a_shim)                                                  \
	T(output_and_input_pass_by_fifos)                                                      \
	T(a_terminal_passes_both_ways_and_has_its_size)                                        \
	T(execs_have_their_own_life)                                                           \
	T(an_init_that_dies_before_its_start_is_told_after_its_creation)                       \
	T(a_short_life_is_told_in_order)                                                       \
	T(the_inits_exit_comes_last)                                                           \
	T(shared_pids_are_killed_with_the_init)                                                \
	T(pause_is_seen_and_refuses_what_it_must)                                              \
	T(a_created_container_can_be_deleted)                                                  \
	T(execs_of_a_created_container_end_before_it)                                          \
	T(waiting_after_the_end_is_answered_at_once)                                           \
	T(stats_are_of_the_cgroup_version)                                                     \
	T(limits_can_be_changed)                                                               \
	T(pids_name_their_execs)                                                               \
	T(running_out_of_memory_is_told_before_the_exit)                                       \
	T(events_wait_for_a_daemon_that_is_away)                                               \
	T(shutdown_waits_for_the_last_container)                                               \
	T(delete_clears_away_after_a_killed_shim)                                              \
	T(delete_of_nothing_succeeds)                                                          \
	T(info_tells_features)                                                                 \
	T(the_pid_and_options_of_a_container_stand_in_its_bundle)                              \
	T(execs_leave_nothing_behind)                                                          \
	T(unknown_things_are_refused_in_the_originals_words)                                   \
	T(incomplete_requests_do_not_end_the_shim)                                             \
	T(streams_that_are_no_fifos_are_refused_and_leave_nothing)                             \
	T(a_runtime_that_is_missing_is_named)                                                  \
	T(a_runtime_that_fails_is_quoted)                                                      \
	T(a_runtime_that_hangs_ends_with_its_request)                                          \
	T(a_runtime_that_writes_garbage_is_survived)                                           \
	T(a_runtime_that_lies_about_the_pid_is_survived)                                       \
	T(a_start_goes_on_when_its_daemon_dies)                                                \
	T(an_exec_that_failed_can_be_tried_again)                                              \
	T(a_client_that_never_reads_stops_nobody_else)                                         \
	T(a_connection_that_breaks_drops_its_waits)                                            \
	T(bad_stdin_of_start_is_refused_and_leaves_nothing)                                    \
	T(malformed_specs_are_refused_and_leave_nothing)                                       \
	T(delete_survives_a_bundle_of_garbage)                                                 \
	T(a_runtime_that_hangs_in_create_is_ended_and_forgotten)                               \
	T(a_runtime_that_is_killed_is_told)                                                    \
	T(streams_that_cannot_be_are_refused_everywhere)                                       \
	T(numbers_that_are_no_pids_are_refused)                                                \
	T(a_stranger_is_killed_by_its_descriptor)                                              \
	T(options_reach_the_runtime)                                                           \
	T(a_shim_is_one_more_expendable_than_its_daemon)

#define SHIM_TEST_DECLARE(name) void name(void **state);
SHIM_TESTS(SHIM_TEST_DECLARE)
#undef SHIM_TEST_DECLARE
