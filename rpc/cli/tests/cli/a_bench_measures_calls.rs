//! `fibra bench` makes as many calls as it is told to, and tells how long they took and which failed.

use serde_json::Value;

use crate::support::{Served, serve};

/// The results, as a program reads them.
fn bench(server: &Served, code: i32, words: &[&str]) -> Value {
    let ran = server.run("bench", &[words, &["--json", "--workers", "1"]].concat());
    assert_eq!((ran.code, &*ran.err), (code, ""), "{ran:?}");
    serde_json::from_str(&ran.out).expect("JSON")
}

#[test]
fn a_closed_loop_makes_so_many_calls() {
    let server = serve();
    let results =
        bench(&server, 0, &["calculator.add", "3", "5", "--calls", "1000", "--callers", "7", "--connections", "3"]);
    assert_eq!((&results["calls"], &results["failed"]), (&1000.into(), &0.into()), "{results}");
    assert_eq!((&results["callers"], &results["connections"]), (&7.into(), &3.into()), "{results}");
    assert_eq!((&results["method"], &results["rate"]), (&"calculator.add".into(), &Value::Null), "{results}");
    let latency = |name: &str| results["latency_ns"][name].as_u64().expect("a number");
    let rising = ["min", "p50", "p90", "p99", "p99.9", "p99.99", "max"].map(latency);
    assert!(rising[0] > 0 && rising.is_sorted(), "{results}");
}

#[test]
fn it_ends_in_time() {
    let server = serve();
    let results = bench(&server, 0, &["calculator.add", "--args", "[3, 5]", "--seconds", "0.2"]);
    assert!(results["calls"].as_u64() > Some(0) && results["seconds"].as_f64() >= Some(0.2), "{results}");
}

#[test]
fn failures_are_counted_by_kind() {
    let server = serve();
    let results = bench(&server, 1, &["calculator.divide", "3", "0", "--calls", "10"]);
    assert_eq!((&results["calls"], &results["failures"]["own error"]), (&0.into(), &10.into()), "{results}");
    let waits = ["calculator.wait", "60", "--timeout", "50ms", "--calls", "4", "--callers", "4"];
    let results = bench(&server, 1, &waits);
    assert_eq!(results["failures"]["timeout"], 4, "{results}");
}

#[test]
fn people_get_a_table() {
    let server = serve();
    let ran = server.run("bench", &["calculator.divide", "3", "0", "--calls", "10"]);
    assert!(ran.code == 1 && ran.err.is_empty(), "{ran:?}");
    assert!(
        ran.out.starts_with(&format!("calculator.divide at {}: closed loop, 64 callers", server.addr())),
        "{ran:?}"
    );
    assert!(ran.out.contains("10 own error, such as: \"DividedByZero\""), "{ran:?}");
    let ran = server.run("bench", &["calculator.add", "3", "5", "--calls", "10", "--callers", "1"]);
    assert!(ran.code == 0 && ran.out.contains("calls    10 in") && ran.out.contains("p99.9"), "{ran:?}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let server = serve();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["calculator.note", "x"], 2, "is one-way"),
        (&["calculator.sum"], 2, "streams"),
        (&["calculator.add", "3", "five"], 2, "expected i64"),
        (&["calculator.add", "3", "5", "--rate", "0"], 2, "a rate is a number of calls a second"),
        (&["calculator.add", "3", "5", "--callers", "0"], 2, "--callers"),
        (&["calculator.ad", "3", "5"], 5, "did you mean `calculator.add`?"),
    ];
    for (words, code, message) in cases {
        server.run("bench", words).fails(code, &[message]);
    }
}
