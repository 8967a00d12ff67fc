//! The table of exit codes: what a script may repeat, the code alone says. See `fibra --help`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::support::{nobody, run, serve, serve_with, start};

#[test]
fn the_table() {
    let server = serve();
    let addr = server.addr();
    let nobody = nobody();
    let cases: [(i32, &[&str]); 17] = [
        (0, &["list", &addr]),
        (0, &["call", &addr, "calculator.add", "3", "5"]),
        (0, &["call", &addr, "calculator.note", "x"]),
        // It ran.
        (1, &["call", &addr, "calculator.divide", "1", "0"]),
        (1, &["bench", &addr, "calculator.divide", "1", "0", "--calls", "3", "--json"]),
        // It makes no sense.
        (2, &[]),
        (2, &["call", &addr]),
        (2, &["frobnicate", &addr]),
        (2, &["call", &addr, "calculator.add", "3", "five"]),
        (2, &["call", &addr, "calculator.add", "3", "5", "--timeout", "soon"]),
        (2, &["call", "nowhere", "calculator.add", "3", "5"]),
        // Nobody is there.
        (3, &["call", &nobody, "calculator.add", "3", "5"]),
        (3, &["list", &nobody]),
        (3, &["bench", &nobody, "calculator.add", "3", "5"]),
        // It was sent, and nobody knows.
        (4, &["call", &addr, "calculator.wait", "60", "--timeout", "100ms"]),
        // It has not run.
        (5, &["call", &addr, "calculator.multiply", "3", "5"]),
        (5, &["describe", &addr, "inventory"]),
    ];
    for (code, words) in cases {
        let ran = run(words);
        assert_eq!(ran.code, code, "fibra {words:?}: {ran:?}");
        assert_eq!(
            ran.err.is_empty(),
            code == 0 || words.first() == Some(&"bench") && code == 1,
            "fibra {words:?}: {ran:?}"
        );
    }
}

#[test]
#[cfg(panic = "unwind")]
fn a_handler_that_panics_ran() {
    let server = serve();
    server.call(&["calculator.panic", "on purpose"]).fails(1, &["the handler panicked (on purpose)", "it has run"]);
}

/// One call waits in its handler, and there is no room for another.
#[test]
fn a_server_without_room_has_not_run_it() {
    let server = serve_with(|server| server.waiting_max(1));
    let mut waiting = start(&["call", &server.addr(), "calculator.shout"]);
    let mut stdin = waiting.stdin.take().expect("piped");
    stdin.write_all(b"a\n").expect("it reads");
    let mut answer = [0; 4];
    waiting.stdout.as_mut().expect("piped").read_exact(&mut answer).expect("an answer");
    server.call(&["calculator.add", "3", "5"]).fails(5, &["the server is at a limit", "it has not run"]);
    drop(stdin);
    assert!(waiting.wait().expect("it ends").success());
}

/// It answers as far as the call, and no further.
#[test]
fn of_a_server_that_dies_nobody_knows() {
    let server = serve_with(|server| server.reflection(false));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address").to_string();
    let to = server.addr();
    let proxy = thread::spawn(move || {
        let (client, _) = listener.accept().expect("a connection");
        // None other is taken, and what is sent once the call is there leads nowhere.
        drop(listener);
        let upstream = std::net::TcpStream::connect(to).expect("it listens");
        let back = (upstream.try_clone().expect("a copy"), client.try_clone().expect("a copy"));
        let copier = thread::spawn(move || std::io::copy(&mut &back.0, &mut &back.1));
        let mut buffer = [0; 4096];
        loop {
            let count = (&client).read(&mut buffer).expect("bytes");
            (&upstream).write_all(&buffer[..count]).expect("it is open");
            if buffer[..count].windows(4).any(|window| window == b"wait") {
                break;
            }
        }
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = upstream.shutdown(std::net::Shutdown::Both);
        let _ = copier.join();
    });
    let ran = run(&["call", &addr, "calculator.wait", "60", "--timeout", "500ms"]);
    assert!(ran.code == 4 && ran.err.contains("it may have run"), "{ran:?}");
    proxy.join().expect("no panic");
}
