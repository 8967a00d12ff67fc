//! In an open loop a call's latency counts from when it was due: a server that stalls is charged for all calls that it held up, though few were made
//! meanwhile. In a closed loop the same stall is one long call among many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::rpc::server::Builder;
use serde_json::Value;

use crate::support::serve_with;

/// How long the hundredth call takes.
const STALL: Duration = Duration::from_millis(500);

/// Its one caller waits for the hundredth call as long as two hundred and fifty are due in.
fn bench(words: &[&str]) -> Value {
    let calls = Arc::new(AtomicU64::new(0));
    let stalls = move |()| {
        if calls.fetch_add(1, Ordering::Relaxed) == 99 {
            let _ = fibra::sleep(STALL);
        }
    };
    let server = serve_with(move |server: Builder| server.method("stalling.call", stalls));
    let words = [&["stalling.call", "--callers", "1", "--calls", "500", "--json"], words].concat();
    let ran = server.run("bench", &words);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    serde_json::from_str(&ran.out).expect("JSON")
}

fn latency(results: &Value, name: &str) -> Duration {
    Duration::from_nanos(results["latency_ns"][name].as_u64().expect("a number"))
}

#[test]
fn to_every_call_that_was_due() {
    let results = bench(&["--rate", "500"]);
    // Two fifths of all calls were due in the first four fifths of the stall, and waited for the rest of it at least.
    assert!(latency(&results, "p90") >= STALL / 5, "{results}");
    assert!(latency(&results, "max") >= STALL, "{results}");
}

#[test]
fn but_not_in_a_closed_loop() {
    let results = bench(&[]);
    assert!(latency(&results, "max") >= STALL, "{results}");
    assert!(latency(&results, "p90") < STALL / 5, "{results}");
}

/// What was due and never made is told.
#[test]
fn what_nobody_was_free_to_make_is_counted() {
    let server = serve_with(|server: Builder| server);
    let words = ["calculator.wait", "1", "--callers", "2", "--rate", "100", "--seconds", "0.5", "--workers", "1"];
    let ran = server.run("bench", &[&words[..], &["--json"]].concat());
    let results: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.code, &results["calls"], &results["not_made"]), (0, &2.into(), &48.into()), "{results}");
    let ran = server.run("bench", &words);
    assert!(ran.out.contains("not made 48 that were due"), "{ran:?}");
}
