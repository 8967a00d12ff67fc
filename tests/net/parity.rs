//! std's behaviour, point by point: each case runs on `std::net` in threads, on `fibra::net` in fibers, and, unless it says that it is for
//! the kernel only, on `fibra::net` under simulation. What it notes must be the same, errors by kind and number.
//!
//! The one difference is a timeout: `WouldBlock` in std, `TimedOut` here. A case notes it by [`Log::timed_out`].

mod multicast;
mod names;
mod tcp;
mod tcp_errors;
mod udp;
mod unix_datagrams;
mod unix_files;
mod unix_streams;

use std::cell::RefCell;
use std::fmt::Debug;
use std::io;
use std::rc::Rc;

use fibra::sim::Sim;

use crate::support::on_one_worker;

/// What a case has seen.
#[derive(Debug, Default, PartialEq)]
struct Log(Vec<String>);

impl Log {
    /// Notes a value; an error by its kind and number.
    fn note<T: Debug>(&mut self, what: &str, result: io::Result<T>) {
        let result = result.map_err(|error| (error.kind(), error.raw_os_error()));
        self.0.push(format!("{what}: {result:?}"));
    }

    /// Notes an error by its kind alone, where std makes it itself.
    fn kind<T: Debug>(&mut self, what: &str, result: io::Result<T>) {
        let result = result.map_err(|error| error.kind());
        self.0.push(format!("{what}: {result:?}"));
    }

    /// Notes whether it has taken too long.
    fn timed_out<T: Debug>(&mut self, what: &str, result: io::Result<T>, kind: io::ErrorKind) {
        let timed_out = result.as_ref().is_err_and(|error| error.kind() == kind);
        self.0.push(format!("{what}: {}", if timed_out { "timed out".to_owned() } else { format!("{result:?}") }));
    }
}

/// What cases of std use.
mod threads {
    pub(super) use std::net::{TcpListener, TcpStream, UdpSocket};
    pub(super) use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    pub(super) use std::thread::{spawn, yield_now};

    pub(super) const TIMEOUT: std::io::ErrorKind = std::io::ErrorKind::WouldBlock;

    /// Has closing it reset the connection.
    pub(super) fn reset_on_close(stream: &TcpStream) -> std::io::Result<()> {
        Ok(rustix::net::sockopt::set_socket_linger(stream, Some(std::time::Duration::ZERO))?)
    }

    pub(super) fn stop_listening(listener: &TcpListener) -> std::io::Result<()> {
        Ok(rustix::net::shutdown(listener, rustix::net::Shutdown::Read)?)
    }

    pub(super) fn stop_accepting(listener: &UnixListener) -> std::io::Result<()> {
        Ok(rustix::net::shutdown(listener, rustix::net::Shutdown::Read)?)
    }
}

/// What cases of fibra use.
mod fibers {
    pub(super) use fibra::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
    pub(super) use fibra::{spawn, yield_now};

    pub(super) const TIMEOUT: std::io::ErrorKind = std::io::ErrorKind::TimedOut;

    pub(super) fn reset_on_close(stream: &TcpStream) -> std::io::Result<()> {
        stream.set_linger(Some(std::time::Duration::ZERO))
    }

    pub(super) fn stop_listening(listener: &TcpListener) -> std::io::Result<()> {
        listener.shutdown()
    }

    pub(super) fn stop_accepting(listener: &UnixListener) -> std::io::Result<()> {
        listener.shutdown()
    }
}

fn compare(on_threads: fn(&mut Log) -> io::Result<()>, on_fibers: fn(&mut Log) -> io::Result<()>) -> io::Result<()> {
    let [mut threads, mut fibers] = [Log::default(), Log::default()];
    on_threads(&mut threads)?;
    on_one_worker(|| on_fibers(&mut fibers))?;
    assert!(!threads.0.is_empty(), "the case has noted nothing");
    assert_eq!(fibers, threads);
    Ok(())
}

/// As [`compare`], under simulation: on one host, whose own network takes no time, as the loopback interface's.
fn compare_simulated(
    on_threads: fn(&mut Log) -> io::Result<()>,
    on_fibers: fn(&mut Log) -> io::Result<()>,
) -> io::Result<()> {
    let mut threads = Log::default();
    on_threads(&mut threads)?;
    let fibers = Rc::<RefCell<Log>>::default();
    let mut sim = Sim::builder().seed(7).build();
    sim.client("host", {
        let fibers = Rc::clone(&fibers);
        move || {
            let mut log = Log::default();
            on_fibers(&mut log)?;
            *fibers.borrow_mut() = log;
            Ok(())
        }
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(*fibers.borrow(), threads);
    Ok(())
}

/// The table: cases by name. Each is compiled twice, with the names of `threads` and with those of `fibers`.
macro_rules! cases {
    (use { $($import:tt)* } $(fn $name:ident($log:ident) $body:block)+) => {
        cases! { kernel only; use { $($import)* } $(fn $name($log) $body)+ }

        mod simulated {
            $(
                #[test]
                fn $name() -> std::io::Result<()> {
                    super::super::compare_simulated(super::on_threads::$name, super::on_fibers::$name)
                }
            )+
        }
    };
    (kernel only; use { $($import:tt)* } $(fn $name:ident($log:ident) $body:block)+) => {
        mod on_threads {
            #[allow(unused_imports)] // Not each table uses all.
            use super::super::{Log, threads::*};
            $($import)*
            $(pub(super) fn $name($log: &mut Log) -> std::io::Result<()> $body)+
        }

        mod on_fibers {
            #[allow(unused_imports)]
            use super::super::{Log, fibers::*};
            $($import)*
            $(pub(super) fn $name($log: &mut Log) -> std::io::Result<()> $body)+
        }

        $(
            #[test]
            fn $name() -> std::io::Result<()> {
                super::compare(on_threads::$name, on_fibers::$name)
            }
        )+
    };
}

use cases;
