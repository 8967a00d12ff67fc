//! A server with a method for every behaviour, and the program.

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use fibra::rpc::server::Builder;
use fibra::rpc::stream::{Receiver, Sender, StreamError};
use fibra::rpc::{Request, Server};
use fibra::runtime::Runtime;
use serde::{Deserialize, Serialize};

/// What the tests call.
#[fibra::service]
pub(crate) trait Calculator {
    /// The sum.
    #[rpc(idempotent)]
    fn add(&self, a: i64, b: i64) -> i64;

    /// The quotient.
    fn divide(&self, a: i64, b: i64) -> Result<i64, Undefined>;

    /// The text, and its length in bytes.
    fn measure(&self, text: String, suffix: Option<String>) -> (String, u64);

    /// The bytes in reverse.
    fn reverse(&self, bytes: Vec<u8>) -> Vec<u8>;

    /// The order as it came.
    fn place(&self, order: Order) -> Order;

    /// Panics.
    fn panic(&self, message: String);

    /// Returns after so many seconds.
    fn wait(&self, seconds: u64);

    /// Nobody waits for it.
    #[rpc(maybe)]
    fn note(&self, text: String);

    /// What metadata of that key came with the call.
    fn tenant(&self, key: String) -> Option<String>;

    /// The sum of what comes.
    fn sum(&self, numbers: Receiver<i64>) -> Result<i64, StreamError>;

    /// The numbers from 0 on.
    fn count(&self, until: u64, numbers: Sender<u64>) -> Result<(), StreamError>;

    /// What comes, in capitals; how much it was.
    fn shout(&self, lines: Receiver<String>, out: Sender<String>) -> Result<u64, StreamError>;

    /// Takes what comes, whatever it is, and goes on for an hour.
    fn hold(&self, numbers: Receiver<i64>);

    /// Takes nothing, and returns at once.
    fn enough(&self, numbers: Receiver<i64>) -> String;
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Undefined {
    DividedByZero,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("division by zero")
    }
}

impl std::error::Error for Undefined {}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    id: u64,
    colour: Colour,
    notes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Colour {
    Red,
    Rgb(u8, u8, u8),
}

struct Desk;

impl Calculator for Desk {
    fn add(&self, a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }

    fn divide(&self, a: i64, b: i64) -> Result<i64, Undefined> {
        a.checked_div(b).ok_or(Undefined::DividedByZero)
    }

    fn measure(&self, text: String, suffix: Option<String>) -> (String, u64) {
        let text = text + suffix.as_deref().unwrap_or_default();
        let len = text.len() as u64;
        (text, len)
    }

    fn reverse(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.reverse();
        bytes
    }

    fn place(&self, order: Order) -> Order {
        order
    }

    fn panic(&self, message: String) {
        panic!("{message}");
    }

    fn wait(&self, seconds: u64) {
        if fibra::sleep(Duration::from_secs(seconds)).is_err() {
            // The caller's time is up, and it is to find that out by itself, not by an answer that comes at that moment.
            let _ = fibra::cancel::shield(|| fibra::sleep(Duration::from_secs(1)));
        }
    }

    fn note(&self, _text: String) {}

    fn tenant(&self, key: String) -> Option<String> {
        Request::current()?.metadata().text(&key).map(str::to_owned)
    }

    fn sum(&self, numbers: Receiver<i64>) -> Result<i64, StreamError> {
        numbers.into_iter().sum()
    }

    fn count(&self, until: u64, numbers: Sender<u64>) -> Result<(), StreamError> {
        (0..until).try_for_each(|number| numbers.send(number))
    }

    fn shout(&self, lines: Receiver<String>, out: Sender<String>) -> Result<u64, StreamError> {
        let mut count = 0;
        for line in lines {
            out.send(line?.to_uppercase())?;
            count += 1;
        }
        Ok(count)
    }

    fn hold(&self, numbers: Receiver<i64>) {
        numbers.for_each(drop);
        let _ = fibra::sleep(Duration::from_secs(3600));
    }

    fn enough(&self, _numbers: Receiver<i64>) -> String {
        "enough".to_owned()
    }
}

/// A server in this process, until it is dropped.
pub(crate) struct Served {
    addr: SocketAddr,
    _runtime: Runtime,
}

/// The calculator.
pub(crate) fn serve() -> Served {
    serve_with(|server| server)
}

/// The calculator, and what `with` adds.
pub(crate) fn serve_with(with: impl FnOnce(Builder) -> Builder + Send + 'static) -> Served {
    let runtime = fibra::runtime::builder().workers(1).start().expect("a runtime");
    let server = runtime.spawn(move || {
        let server = with(Server::builder().service(CalculatorServer::new(Desk)));
        server.bind("127.0.0.1:0").expect("a free port")
    });
    let server = server.expect("a fiber").join().expect("no panic");
    let addr = server.local_addr();
    // It serves for as long as it is held.
    drop(runtime.spawn(move || server.wait()).expect("a fiber"));
    Served { addr, _runtime: runtime }
}

impl Served {
    pub(crate) fn addr(&self) -> String {
        self.addr.to_string()
    }

    /// Runs `fibra COMMAND ADDR WORDS`.
    pub(crate) fn run(&self, command: &str, words: &[&str]) -> Ran {
        run(&[&[command, &self.addr()], words].concat())
    }

    /// Runs `fibra call ADDR WORDS`.
    pub(crate) fn call(&self, words: &[&str]) -> Ran {
        self.run("call", words)
    }

    /// The same, with an input.
    pub(crate) fn call_with_input(&self, words: &[&str], input: &str) -> Ran {
        let mut child = start(&[&["call", &self.addr()], words].concat());
        let mut stdin = child.stdin.take().expect("piped");
        // It may have ended without reading all of it.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        Ran::of(child.wait_with_output().expect("it ends"))
    }
}

/// What a program printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self {
            code: output.status.code().expect("no signal ended it"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// It printed `out`, and nothing else.
    #[track_caller]
    pub(crate) fn prints(&self, out: &str) {
        assert_eq!((self.code, &*self.out, &*self.err), (0, out, ""));
    }

    /// It printed an error with these parts, and nothing else.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!((self.code, &*self.out), (code, ""), "{self:?}");
        assert!(self.err.starts_with("error: "), "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "no `{part}` in {}", self.err);
        }
    }
}

/// Runs `fibra WORDS`, with no input.
pub(crate) fn run(words: &[&str]) -> Ran {
    Ran::of(command(words).stdin(Stdio::null()).output().expect("the program starts"))
}

/// Starts `fibra WORDS`, with pipes all around.
pub(crate) fn start(words: &[&str]) -> Child {
    command(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fibra"));
    command.args(words);
    command
}

/// An address at which nobody listens.
pub(crate) fn nobody() -> String {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address").to_string()
}
