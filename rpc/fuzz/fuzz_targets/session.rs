//! The server's half of sessions, and whose they are, beside models that keep everything: whatever arrives, in whatever order, no call runs
//! twice, all answers to it are the same bytes, and each verdict is the one that is documented.

#![no_main]

mod session {
    pub mod cache;
    pub mod table;
}

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Run {
    Cache { window: u8, steps: Vec<session::cache::Step> },
    Table(Vec<session::table::Step>),
}

fuzz_target!(|run: Run| {
    match run {
        Run::Cache { window, steps } => session::cache::run(usize::from(window % 16), &steps),
        Run::Table(steps) => session::table::run(&steps),
    }
});
