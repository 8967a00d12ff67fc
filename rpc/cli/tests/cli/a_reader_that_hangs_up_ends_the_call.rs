//! Who closes the output has had enough: the program ends without a word, as others do after SIGPIPE.

use std::io::{BufRead, BufReader, Read};

use crate::support::{serve, start};

#[test]
fn in_the_middle_of_a_stream() {
    let server = serve();
    // It would go on for longer than anybody waits.
    let mut child = start(&["call", &server.addr(), "calculator.count", "18446744073709551615"]);
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    assert_eq!(line, "0\n");
    drop(lines);
    let mut err = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    assert_eq!((child.wait().expect("it ends").code(), &*err), (Some(141), ""));
}

#[test]
fn before_the_value() {
    let server = serve();
    let mut child = start(&["call", &server.addr(), "calculator.sum"]);
    drop(child.stdout.take());
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(141));
}
