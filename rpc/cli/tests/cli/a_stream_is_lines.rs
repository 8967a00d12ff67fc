//! Each line of the input is an item, each item that comes is a line, and the value is the last.

use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use crate::support::{serve, start};

#[test]
fn items_go_in() {
    let server = serve();
    server.call_with_input(&["calculator.sum"], "1\n2\n\n 3 \n").prints("6\n");
    server.call_with_input(&["calculator.sum"], "").prints("0\n");
    // The last line has no end.
    server.call_with_input(&["calculator.sum"], "1\n2").prints("3\n");
    let many: String = (1..=10_000).map(|number| format!("{number}\n")).collect();
    server.call_with_input(&["calculator.sum"], &many).prints("50005000\n");
}

#[test]
fn items_come_out() {
    let server = serve();
    server.call(&["calculator.count", "3"]).prints("0\n1\n2\n");
    server.call(&["calculator.count", "0"]).prints("");
    let numbers: String = (0..5_000).map(|number| format!("{number}\n")).collect();
    server.call(&["calculator.count", "5000"]).prints(&numbers);
}

#[test]
fn both_at_once_and_the_value_comes_last() {
    let server = serve();
    server.call_with_input(&["calculator.shout"], "a\n\"b\\nb\"\n3\n").prints("\"A\"\n\"B\\nB\"\n\"3\"\n3\n");
}

/// An answer is there before the next line is written.
#[test]
fn nothing_waits_for_the_end_of_the_input() {
    let server = serve();
    let mut child = start(&["call", &server.addr(), "calculator.shout"]);
    let mut stdin = child.stdin.take().expect("piped");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    for word in ["a", "b", "c"] {
        writeln!(stdin, "{word}").expect("it reads");
        let answer = lines.next().expect("an answer").expect("text");
        assert_eq!(answer, format!("\"{}\"", word.to_uppercase()));
    }
    drop(stdin);
    assert_eq!(lines.next().expect("the value").expect("text"), "3");
    assert!(child.wait().expect("it ends").success());
}

/// The input is still open then.
#[test]
fn a_method_that_has_enough_ends_the_program() {
    let server = serve();
    let mut child = start(&["call", &server.addr(), "calculator.enough"]);
    let stdin = child.stdin.take();
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert_eq!(lines.next().expect("the value").expect("text"), "\"enough\"");
    assert!(child.wait().expect("it ends").success());
    drop(stdin);
}

/// Half a stream is not taken for a whole one.
#[test]
fn a_line_that_is_no_item_gives_the_call_up() {
    let server = serve();
    let ran = server.call_with_input(&["calculator.sum"], "1\ntwo\n3\n");
    ran.fails(4, &["line 2 of the standard input: expected i64, got \"two\"", "the call was given up"]);
}

/// Even if the method would go on all the same.
#[test]
fn and_does_not_wait_for_the_method() {
    let server = serve();
    let started = fibra::clock::now();
    server
        .call_with_input(&["calculator.hold", "--timeout", "30s"], "two\n")
        .fails(4, &["line 1 of the standard input"]);
    assert!(fibra::clock::now().saturating_duration_since(started) < Duration::from_secs(30));
}
