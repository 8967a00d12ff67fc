//! A call ends by its timeout, by cancellation, or with its connection, and says what is known: a server without sessions leaves it open whether it ran.

use std::io::Read;
use std::time::Duration;

use fibra::rpc::client::foreign::Address;
use fibra::rpc::client::foreign::ForeignError;
use fibra::rpc::{CallError, ConnectError, Executed};

use crate::support::{PROTOCOLS, connect, lines, on_one_worker, peer};

const SOON: Duration = Duration::from_millis(50);

fn forever(mut stream: fibra::net::TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

#[test]
fn a_server_that_says_nothing() {
    on_one_worker(|| {
        for protocol in PROTOCOLS {
            let server = connect(protocol, peer(forever)).within(SOON);
            let error = server.call::<_, ()>("x", &[(); 0]).expect_err("there is no answer");
            let expected =
                matches!(error, ForeignError::Call(CallError::Timeout { after: SOON, executed: Executed::Maybe, .. }));
            assert!(expected, "{protocol}: {error:?}");
        }
    });
}

#[test]
fn a_server_that_hangs_up() {
    on_one_worker(|| {
        for protocol in PROTOCOLS {
            let server = connect(protocol, peer(|mut stream| drop(stream.read(&mut [0; 100]))));
            let error = server.call::<_, ()>("x", &[(); 0]).expect_err("there is no answer");
            let expected =
                matches!(error, ForeignError::Call(CallError::Disconnected { executed: Executed::Maybe, .. }));
            assert!(expected, "{protocol}: {error:?}");
        }
    });
}

/// A connection that has been lost says so at once: nothing was sent.
#[test]
fn calls_after_that_have_not_run() {
    on_one_worker(|| {
        let server = connect("jsonrpc", peer(|mut stream| drop(stream.read(&mut [0; 100]))));
        server.call::<_, ()>("x", &[(); 0]).expect_err("there is no answer");
        let error = server.call::<_, ()>("x", &[(); 0]).expect_err("there is no connection");
        assert_eq!(error.executed(), Executed::No, "{error:?}");
        assert_eq!(server.notify("x", &[(); 0]).expect_err("there is no connection").executed(), Executed::No);
    });
}

#[test]
fn a_caller_that_is_cancelled() {
    on_one_worker(|| {
        for protocol in PROTOCOLS {
            let (heard, hears) = fibra::sync::channel::bounded(1);
            let addr = peer(move |mut stream| {
                let _ = stream.read(&mut [0; 1]);
                let _ = heard.send(());
                forever(stream);
            });
            let server = connect(protocol, addr);
            let caller = fibra::spawn(move || server.call::<_, ()>("x", &[(); 0]));
            hears.recv().expect("the server has it");
            caller.cancel();
            let error = caller.join().expect("no panic").expect_err("it was cancelled");
            let expected = matches!(error, ForeignError::Call(CallError::Cancelled { executed: Executed::Maybe, .. }));
            assert!(expected, "{protocol}: {error:?}");
        }
    });
}

/// When the last holder is gone, the connection ends; what was told before has arrived.
#[test]
fn a_server_that_nobody_holds_is_left() {
    on_one_worker(|| {
        let (ended, ends) = fibra::sync::channel::bounded(1);
        let addr = peer(move |stream| {
            let _ = ended.send(lines(&stream).count());
        });
        let server = connect("jsonrpc", addr);
        for _ in 0..10 {
            server.notify("x", &[(); 0]).expect("it is there");
        }
        drop(server);
        assert_eq!(ends.recv().expect("the end"), 10);
    });
}

#[test]
fn nobody_listens() {
    on_one_worker(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        drop(listener);
        for protocol in PROTOCOLS {
            let address: Address = format!("{protocol}://{addr}").parse().expect("an address");
            let error = fibra::rpc::client::Foreign::connect(&address).expect_err("nobody listens");
            assert!(matches!(error, ConnectError::Refused { .. }), "{protocol}: {error:?}");
        }
    });
}

/// That is what its `No` means.
#[test]
fn a_call_that_was_given_up_before_it_left_never_arrives() {
    // More than sockets hold.
    const CALLS: usize = 16;
    const BYTES: usize = 3_500_000;
    on_one_worker(|| {
        let (go, goes) = fibra::sync::channel::bounded::<()>(1);
        let (heard, hears) = fibra::sync::channel::bounded(1);
        let addr = peer(move |stream| {
            let _ = goes.recv();
            let methods = lines(&stream).filter(|line| line.contains("\"small\"")).count();
            let _ = heard.send(methods);
        });
        let server = connect("jsonrpc", addr);
        let large: Vec<_> = (0..CALLS)
            .map(|_| {
                let server = server.clone();
                fibra::spawn(move || server.notify("large", &("x".repeat(BYTES),)))
            })
            .collect();
        for sent in large {
            sent.join().expect("no panic").expect("it is queued");
        }
        let error = server.within(SOON).call::<_, ()>("small", &[(); 0]).expect_err("it is behind the large ones");
        assert!(matches!(error, ForeignError::Call(CallError::Timeout { executed: Executed::No, .. })), "{error:?}");
        go.send(()).expect("it waits");
        drop(server);
        assert_eq!(hears.recv().expect("the end"), 0);
    });
}
