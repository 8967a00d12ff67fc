//! A fibra server as others see it, a server that does as its test says, and how to get at them.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};
use fibra::rpc::Server;
use fibra::rpc::client::Foreign;
use serde::{Deserialize, Serialize};

pub(crate) const PROTOCOLS: [&str; 4] = ["msgpack-rpc", "jsonrpc", "lsp", "http"];

#[fibra::service]
pub(crate) trait Calculator {
    #[rpc(idempotent)]
    fn add(&self, a: i64, b: i64) -> i64;

    fn divide(&self, a: i64, b: i64) -> Result<i64, Undefined>;

    fn wait(&self, seconds: u64);

    fn fail(&self);
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Undefined {
    DividedByZero,
}

struct Arithmetic;

impl Calculator for Arithmetic {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    fn divide(&self, a: i64, b: i64) -> Result<i64, Undefined> {
        a.checked_div(b).ok_or(Undefined::DividedByZero)
    }

    fn wait(&self, seconds: u64) {
        let _ = fibra::sleep(Duration::from_secs(seconds));
    }

    fn fail(&self) {
        panic!("on purpose");
    }
}

pub(crate) fn serve() -> Server {
    Server::builder().service(CalculatorServer::new(Arithmetic)).bind("127.0.0.1:0").expect("a free port")
}

pub(crate) fn on_one_worker<T>(f: impl FnOnce() -> T) -> T {
    fibra::runtime::builder().workers(1).run(f).expect("the runtime starts")
}

pub(crate) fn connect(protocol: &str, addr: SocketAddr) -> Foreign {
    Foreign::connect(&format!("{protocol}://{addr}").parse().expect("an address")).expect("it listens")
}

/// A server that does so with each connection, one after the other.
pub(crate) fn peer(f: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    fibra::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            f(stream);
        }
    });
    addr
}

/// The lines that come.
pub(crate) fn lines(stream: &TcpStream) -> impl Iterator<Item = String> {
    BufReader::new(stream.try_clone().expect("a copy")).lines().map_while(Result::ok)
}
