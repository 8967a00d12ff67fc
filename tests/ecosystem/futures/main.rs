//! Futures over fibra's streams, under `fibra::block_on`, with no runtime of tokio's: one behaviour per file, and each file's name is the
//! claim.
//!
//! No test sleeps to let something happen. Most run on one worker, where fibers switch only when they wait.

#[path = "../certificates.rs"]
mod certificates;
mod support;

mod a_busy_task_lets_others_run;
mod a_dropped_future_holds_up_nobody;
mod a_pending_read_is_woken;
mod deadlines_and_cancellation_cut_a_future;
mod h2_multiplexes_calls;
mod hyper_calls_and_serves;
mod one_task_waits_for_both_directions;
mod streams_copy_into_each_other;
mod what_a_tls_write_has_accepted_goes_out;
mod without_a_runtime_nothing_hangs;
