//! What stacks and contexts promise, one behaviour a file.
//!
//! What is about catching panics is left out under `panic = "abort"`; the rest passes there too: `.ci/panic-abort`.

mod a_context_goes_on_where_it_stopped;
mod a_context_stays_on_its_thread;
#[cfg(panic = "unwind")]
mod a_panic_stays_in_its_context;
mod a_suspended_context_that_is_dropped_is_leaked;
mod a_visit_leaves_a_context_as_it_was;
mod an_overflow_faults_on_the_guard;
mod contexts_nest;
mod memory_goes_back_after_a_burst;
mod running_out_of_mappings_says_so;
mod stacks_are_reused_hot;
mod support;
