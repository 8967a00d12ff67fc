//! An address that is none is a mistake in the command line; one where nobody answers is not.

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use crate::support::{nobody, run};

#[test]
fn what_is_no_address_is_refused_with_what_to_write() {
    for (addr, problem) in [
        ("localhost", "it has no port"),
        (":7000", "it has no host"),
        ("localhost:http", "its port is no number up to 65535"),
        ("localhost:70000", "its port is no number up to 65535"),
        ("/run/fibra.sock", "servers are called by TCP, and have no paths"),
        ("", "it has no port"),
    ] {
        run(&["list", addr]).fails(2, &[&format!("`{addr}` is no address: {problem}"), "such as 127.0.0.1:7000"]);
    }
}

#[test]
fn nobody_listens() {
    run(&["list", &nobody()]).fails(3, &["connection refused; is a server running there?"]);
}

#[test]
fn somebody_else_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address").to_string();
    let other = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.write_all(b"SSH-2.0-Other_1.0\r\n").expect("it is open");
    });
    run(&["list", &addr]).fails(3, &["not a fibra server"]);
    other.join().expect("no panic");
}

#[test]
fn nobody_answers_in_time() {
    // Connections are made by the system; nobody ever takes them.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address").to_string();
    run(&["list", &addr, "--connect-timeout", "50ms"]).fails(3, &["no answer within", "is the address right"]);
}
