//! Simulations: one behaviour per file, and each file's name is the claim.

mod a_case_is_replayed_exactly;
mod a_crashed_host_is_seen_no_more;
mod a_deadline_holds_whatever_the_network_does;
mod a_hedge_answers_in_time;
mod a_lost_reply_executes_once;
mod a_restarted_server_runs_nothing_twice;
mod a_rolling_restart_fails_no_call;
mod a_run_is_the_same_again;
mod a_service_runs_unchanged;
mod a_vanished_peer_is_noticed;
mod acknowledged_increments_are_there;
mod calls_complete_when_the_faults_end;
mod connecting_to_several_servers_ends;
mod failures_say_how_to_see_them_again;
mod links_do_as_they_are_told;
mod memory_and_windows_stay_in_bounds;
mod nothing_is_left_over;
mod priorities_decide_as_well;
mod rules_are_code_of_ones_own;
mod seeds_are_tried_by_the_thousand;
mod support;
mod the_regressions_stay_fixed;
mod the_same_xid_has_the_same_bytes;
mod the_smallest_case_is_found;
mod the_workload_keeps_every_promise;
mod workload;
