//! Crates that know nothing of fibra, written for blocking streams, run on its streams unchanged: one crate per file.
//!
//! Each holds two conversations at a time on one worker. In the middle of each there is a [`Meeting`] that both must come to: a call
//! that blocked the worker, instead of parking its fiber, would keep the other from coming.

#[path = "../certificates.rs"]
mod certificates;
mod support;

mod rustls_streams_run_in_fibers;
mod tungstenite_runs_in_fibers;
mod ureq_runs_in_fibers;
