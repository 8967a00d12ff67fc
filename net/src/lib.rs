//! `std::net` on fibers: sockets whose blocking calls park the fiber instead of the thread.
//!
//! ```text
//!   fiber      TcpStream::read ─▶ wait ──ready──▶ read(2) ─▶ Ok(n)
//!                                  │                │ short: drained, so the next read parks at once
//!                                  └──not ready─▶ park ◀─────────────────── unpark ──┐
//!   worker     run queue empty ─▶ Reactor::poll ─▶ epoll_wait ─▶ event ─▶ readiness ─┘
//! ```
//!
//! The smallest complete server:
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
//! use fibra_net::TcpListener;
//! use std::io::{Read, Write};
//!
//! let listener = TcpListener::bind("127.0.0.1:7000")?;
//! for stream in listener.incoming() {
//!     let mut stream = stream?;
//!     let served = fibra_scheduler::Builder::new().spawn(move || {
//!         let mut buf = [0; 4096];
//!         while let Ok(n @ 1..) = stream.read(&mut buf) {
//!             if stream.write_all(&buf[..n]).is_err() {
//!                 break;
//!             }
//!         }
//!     });
//!     // With as many fibers as there may be, the stream was dropped, which closes it. Those that are served go on.
//!     if let Err(refused) = served {
//!         eprintln!("closed a new connection: {refused}");
//!     }
//! }
//! # Ok(())
//! # })?
//! # }
//! ```
//!
//! Every operation works from a fiber and from a plain thread, inside a runtime or without one: on a plain thread it
//! blocks that thread in `poll(2)`. Names, errors and semantics are those of `std::net`; where they differ, the item has
//! a section "Differences from std". What holds for all of them:
//!
//! * An operation that runs out of its timeout fails with [`TimedOut`](std::io::ErrorKind::TimedOut); std says
//!   `WouldBlock` on Unix. The socket stays usable.
//! * A cancelled fiber's operation, instead of parking, fails with an error whose source is
//!   [`Interrupted::Cancelled`](fibra_scheduler::cancel::Interrupted::Cancelled).
//! * Host names are resolved on the blocking pool, hence this crate's own [`ToSocketAddrs`].
//! * File descriptors are always in non-blocking mode, which a process sees that inherits one.
//!
//! # Features
//!
//! Both are off unless asked for.
//!
//! * `tls`: the module `tls`, TLS on TCP by rustls.
//! * `tokio-io`: [`TcpStream`], [`UnixStream`], `TlsStream` and their halves are `tokio::io::AsyncRead` and `AsyncWrite`, so that crates
//!   of the async world (hyper, h2, ...) run on fibers, under [`block_on`](fibra_scheduler::block_on), with no runtime of tokio's. A task may
//!   wait for both directions at once. The deadline and the cancellation of the fiber cut it, timeouts of the stream do not. Outside of a
//!   runtime what would have to wait fails with `Unsupported`.
//!
//! ```no_run
//! # #[cfg(not(feature = "tokio-io"))] fn main() {}
//! # #[cfg(feature = "tokio-io")]
//! # fn main() -> std::io::Result<()> {
//! # fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default()).run(|| {
//! use std::future::poll_fn;
//! use std::pin::Pin;
//! use tokio::io::{AsyncRead, ReadBuf};
//!
//! let mut stream = fibra_net::TcpStream::connect("127.0.0.1:7000")?;
//! let mut bytes = [0; 1024];
//! let mut bytes = ReadBuf::new(&mut bytes);
//! // With tokio's feature io-util: `stream.read(&mut bytes)` of `AsyncReadExt`. (Import that or `std::io::Read`, not both.)
//! fibra_scheduler::block_on(poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut bytes)))??;
//! println!("{:?}", bytes.filled());
//! # Ok(())
//! # })?
//! # }
//! ```
//!
//! # Modules
//!
//! | module | what it is |
//! |---|---|
//! | `tcp` | [`TcpListener`], [`TcpStream`], [`Incoming`], [`Keepalive`]; connecting to whichever address is there first |
//! | `udp` | [`UdpSocket`] |
//! | [`unix`] | [`UnixListener`], [`UnixStream`], [`UnixDatagram`] |
//! | `tls` | TLS on TCP, with the feature `tls` |
//! | `tokio_io` | streams for futures, with the feature `tokio-io` |
//! | `resolve` | [`ToSocketAddrs`] |
//! | `handle`, `byte_stream`, `split`, `accept_loop` | what several of these types offer, written once |
//! | `socket`, `listening` | what sockets share: descriptor, registration, timeouts; what listeners share |
//! | `seats`, `serve` | accepting on every worker |
//! | `timeout` | how long an operation may wait |
//! | `lingering` | a `close` that takes time |
//! | `ready_set` | [`ReadySet`]: one fiber for many sockets |
//! | `wait` | the one loop in which every operation waits; or for the first of several |
//! | `backoff` | waiting for what no event announces |
//! | `budget` | how long a fiber may go on without waiting |
//! | `registration`, `direction`, `waiting`, `queue`, `readiness`, `task` | a socket's readiness: who may try, who waits, in which order |
//! | `backend`, `sim` | what is below a socket: the kernel, or a simulated network |
//! | [`reactor`] | epoll behind the scheduler's [`Driver`](fibra_scheduler::driver::Driver) |
//!
//! What it does not know: stacks, run queues and timers (the scheduler's), and any protocol above the sockets'.

#![forbid(unsafe_code)]

mod accept_loop;
mod backend;
mod backoff;
mod budget;
mod byte_stream;
mod direction;
mod handle;
mod lingering;
mod listening;
mod queue;
pub mod reactor;
mod readiness;
mod ready_set;
mod registration;
mod resolve;
mod seats;
mod serve;
pub mod sim;
mod socket;
mod split;
mod task;
mod tcp;
mod timeout;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "tokio-io")]
mod tokio_io;
mod udp;
pub mod unix;
mod wait;
mod waiting;

pub use ready_set::ReadySet;
pub use resolve::ToSocketAddrs;
pub use split::{ReadHalf, WriteHalf};
pub use tcp::{Incoming, Keepalive, TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixListener, UnixStream};

pub use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6};
