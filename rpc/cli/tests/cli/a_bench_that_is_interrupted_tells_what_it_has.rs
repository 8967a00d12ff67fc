//! Ctrl-C ends a bench with what was measured so far, and with an exit code that says so.

use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::support::{Ran, Served, serve_with, start};

/// A server, and how many calls of its method `bench.ed` have begun.
fn serve() -> (Served, Arc<AtomicU64>) {
    let begun = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&begun);
    let method = move |waits: (bool,)| {
        count.fetch_add(1, Ordering::Relaxed);
        if waits.0 {
            let _ = fibra::sleep(std::time::Duration::from_secs(3600));
        }
    };
    (serve_with(move |server| server.method("bench.ed", method)), begun)
}

/// A bench that runs for long, once so many calls have begun.
fn bench(server: &Served, begun: &AtomicU64, calls: u64, words: &[&str]) -> Child {
    let child = start(&[&["bench", &server.addr(), "bench.ed"], words, &["--seconds", "600"]].concat());
    while begun.load(Ordering::Relaxed) < calls {
        std::thread::yield_now();
    }
    child
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

fn interrupted(child: Child) -> Ran {
    interrupt(&child);
    Ran::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn calls_are_counted_until_then() {
    let (server, begun) = serve();
    for words in [&["false", "--json"][..], &["false", "--rate", "5000", "--json"]] {
        begun.store(0, Ordering::Relaxed);
        let ran = interrupted(bench(&server, &begun, 500, words));
        assert_eq!((ran.code, &ran.err[..]), (130, ""), "{ran:?}");
        let results: Value = serde_json::from_str(&ran.out).expect("JSON");
        let calls = results["calls"].as_u64().expect("a number");
        // As many as there are callers may be under way.
        assert!(calls + 64 >= 500 && calls <= begun.load(Ordering::Relaxed), "{results}");
        assert!(results["seconds"].as_f64() < Some(600.0) && results["interrupted"] == true, "{results}");
        assert!(results["failed"] == 0 && results["not_made"] == 0, "{results}");
    }
}

#[test]
fn calls_that_are_under_way_are_not_waited_for() {
    let (server, begun) = serve();
    let ran = interrupted(bench(&server, &begun, 3, &["true", "--callers", "3", "--timeout", "500s"]));
    assert_eq!((ran.code, &ran.err[..]), (130, ""), "{ran:?}");
    assert!(ran.out.contains("calls    0 in") && ran.out.contains("until it was interrupted"), "{ran:?}");
}
