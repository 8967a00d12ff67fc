//! What workers, parking, joining and shutdown promise, one behaviour a file.
//!
//! Tests that depend on who runs when use one worker: there, fibers switch only where they wait.
//! What is about catching panics, or about a process whose harness starts no further one, is left out under `panic = "abort"`; the
//! rest passes there too: `.ci/panic-abort`.

#[cfg(panic = "unwind")]
mod a_burst_leaves_no_memory_behind;
mod a_cancelled_waiter_passes_its_turn_on;
mod a_channel_delivers_each_message_once;
mod a_crashed_host_only_unwinds;
mod a_dump_shows_every_fiber;
mod a_dump_waits_for_no_lookup_of_names;
mod a_fiber_never_changes_its_thread;
mod a_first_fiber_without_a_stack_ends_the_run;
mod a_hog_is_reported;
mod a_nested_context_cannot_park_its_fiber;
mod a_panic_comes_out_of_join;
mod a_quiet_fiber_keeps_only_what_it_uses;
mod a_scope_outlives_its_children;
mod a_seed_decides_the_run;
#[cfg(target_os = "linux")]
mod a_seeded_run_goes_on_with_the_memory_of_the_last;
mod a_shutdown_ends_every_fiber;
#[cfg(panic = "unwind")]
mod a_sleeping_worker_keeps_few_stacks;
#[cfg(panic = "unwind")]
mod a_storm_leaves_nothing_behind;
mod a_thousand_fibers_share_one_worker;
mod a_timer_is_never_early;
mod a_wake_in_turn_jumps_no_queue;
mod a_wake_is_never_lost;
mod a_yield_loop_starves_nobody;
mod ambient_values_belong_to_a_call;
mod an_overflow_names_its_fiber;
mod blocking_does_not_hold_the_worker;
mod both_workers_are_used;
mod cancellation_is_sticky;
mod counters_count_what_happens;
mod deadlines_are_ambient;
mod dropping_a_handle_detaches;
mod fibers_and_threads_join_each_other;
mod fibers_that_join_in_a_circle_are_a_deadlock;
mod futures_run_on_fibers;
mod handles_go_where_they_may;
mod locals_belong_to_one_fiber;
mod locks_work_between_fibers_and_threads;
mod no_waiter_starves_on_a_mutex;
mod outside_a_runtime_spawning_is_an_error;
mod pinned_workers_stay_on_their_cpus;
#[cfg(panic = "unwind")]
mod plain_threads_stress_three_workers;
mod priorities_find_what_chance_does_not;
mod priorities_starve_nobody;
mod runtimes_do_not_nest_but_coexist;
mod select_takes_what_is_ready;
#[cfg(panic = "unwind")]
mod sigquit_prints_the_dump;
mod spans_stay_with_their_fiber;
mod spawns_from_outside_reach_every_worker;
mod stacks_are_measured_by_spawn_site;
mod the_driver_is_asked_in_turn;
mod the_hook_fires_on_the_first_park;
mod too_many_fibers_are_refused;
mod what_crosses_threads_must_be_send;
mod what_ends_with_a_fiber_may_wait;
mod what_remains_open;

/// Runs `f` as the first fiber on `workers` workers without I/O.
fn run_on<T>(workers: usize, f: impl FnOnce() -> T) -> T {
    fibra_scheduler::runtime::Builder::new(fibra_scheduler::driver::idle).workers(workers).run(f).expect("a runtime")
}

/// Lets others run until that many have parked since this was called. On one worker.
fn until_parked(fibers: usize) {
    let before = fibra_scheduler::counters().parks;
    while fibra_scheduler::counters().parks - before < fibers as u64 {
        fibra_scheduler::yield_now();
    }
}
