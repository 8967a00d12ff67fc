//! Deterministic simulation: servers and their clients, as they are in production, in one thread, on a virtual clock and a network whose
//! faults a seed decides.
//!
//! ```text
//!   Sim::builder().seed(7)                    one thread, one seed
//!     host "bank"       10.0.0.1  ┌─────────┐    main: anew after each crash
//!     client "alice"    10.0.0.2 ─┤ network ├─   the run ends when the clients' mains have returned
//!     client "bob"      10.0.0.3  └─────────┘
//!   TcpStream ─ the same waiting, queueing, cancelling ─▶ Backend::Simulated ─▶ Endpoint ─▶ State ─▶ Agenda ─▶ readiness
//! ```
//!
//! Nothing is written for it: [`TcpListener`](crate::TcpListener), [`TcpStream`](crate::TcpStream), [`UdpSocket`](crate::UdpSocket),
//! [Unix sockets](crate::unix) and host names are the simulation's when they are made by a fiber of one of its hosts, and all that waits runs as
//! in production.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::time::Duration;
//! use fibra_net::sim::Sim;
//! use fibra_net::{TcpListener, TcpStream};
//!
//! let mut sim = Sim::builder().seed(7).build();
//! sim.host("echo", || {
//!     for stream in TcpListener::bind("0.0.0.0:7")?.incoming() {
//!         let stream = stream?;
//!         fibra_scheduler::spawn(move || std::io::copy(&mut &stream, &mut &stream));
//!     }
//!     Ok(())
//! });
//! let (network, hosts) = (sim.network(), sim.hosts());
//! sim.client("client", move || {
//!     let mut stream = TcpStream::connect("echo:7")?;
//!     stream.write_all(b"hello")?;
//!     stream.read_exact(&mut [0; 5])?;
//!
//!     network.partition("client", "echo");
//!     stream.write_all(b"anybody?")?;
//!     stream.set_read_timeout(Some(Duration::from_secs(60)))?; // Takes no time at all.
//!     assert!(stream.read(&mut [0; 8]).is_err());
//!     network.heal("client", "echo");
//!     stream.read_exact(&mut [0; 8])?;
//!
//!     hosts.restart("echo");
//!     stream.write_all(b"do you know me?")?;
//!     assert!(stream.read(&mut [0; 1]).is_err());
//!     Ok(())
//! });
//! let report = sim.run()?;
//! println!("{:#x}: the same each time", report.hash());
//! # Ok::<(), fibra_net::sim::Failure>(())
//! ```
//!
//! # What can go wrong
//!
//! * By call, from a client or before the run: [`Network`] cuts, holds, slows and resets; [`Hosts`] crash, restart, pause, stop reading and run out of sockets.
//! * By the seed: [`Conditions`] of links (latency, bandwidth, loss, duplication, reordering, short reads and writes, resets, refusals), and
//!   [`Fault`]s that come and go. [`Faults::swarm`] draws a random selection of all that, which ends after a while, so that what can be
//!   completed then is.
//! * By [rules](Sim::rule) of your own: code that says what happens when.
//!
//! A [`Failure`] says what seed and configuration lead there again, and what happened last.
//!
//! # What is as on Linux, and what is not
//!
//! The tests compare both, case by case (`tests/net/parity`): errors by kind and number, what is read behind an end, a reset or a shutdown, bounded
//! buffers, backlogs, ports, half closed connections. Packets are not simulated; what connections carry is sent again until it arrives, or given
//! up after as long as Linux takes.
//!
//! * Each host has one address of version 4 (10.0.0.1 and so on, in the order in which they are added) and one of version 6; its name leads to the
//!   first. The loopback interface is its own, and takes no time.
//! * Unix sockets lead to sockets of the same host, each of which has names of its own, paths and abstract ones. No file is made: a path that
//!   was bound refuses who connects when its socket is closed or its host has crashed, as a file would that was left behind, but it can be
//!   bound again without having been removed. `let _ = std::fs::remove_file(path)` and then [`bind`](crate::UnixListener::bind) work as on
//!   Linux, unless the socket that was there is open still. Folders and permissions are not looked at. A peer's credentials are this process's.
//!   Nothing takes time: of the [conditions](Conditions) of a host's link to itself, only short writes, short reads (`splitting`) and refusals
//!   concern Unix sockets.
//! * Multicast, conversions into std's types and what is done through a socket's descriptor are not simulated, and fail.
//! * A host's files are the process's. Memory that hosts share, as closures may, is not lost in a crash.
//!
//! # Determinism
//!
//! [`Report::hash`] is over each switch, each event in the network, and their times: the same on a rerun, on another machine, in debug and
//! release. What a program draws itself from elsewhere than [`seeded::random`](fibra_scheduler::seeded::random) spoils that: the order of a
//! `HashMap` with std's default hasher, the wall clock, threads of its own.
//!
//! # Modules
//!
//! | module | what it is |
//! |---|---|
//! | `builder`, `stage`, `report` | [`Sim`]: its settings, its run, what comes of it |
//! | `network`, `faults`, `rule` | [`Network`], [`Hosts`], [`Fault`], [`Sim::rule`]: what is done to it |
//! | `endpoint` | what a socket has instead of a descriptor |
//! | `current` | which network the sockets of a thread belong to |
//! | `state`, `agenda` | all that there is, and what will happen |
//! | `machine`, `link`, `dice` | addresses, ports, descriptors; the ways between machines, and what chance decides there |
//! | `connection`, `listener`, `datagram`, `options`, `unix` | what the kernel's sockets do |

mod agenda;
mod builder;
mod connection;
mod current;
mod datagram;
mod dice;
mod endpoint;
mod faults;
mod link;
mod listener;
mod machine;
mod network;
mod options;
mod report;
mod rule;
mod stage;
mod state;
mod unix;

pub use builder::{Builder, Ending, Sim};
pub(crate) use current::{is_here, lookup};
pub(crate) use endpoint::Endpoint;
pub use faults::{Fault, Faults, Span, Trouble};
pub use link::{Conditions, Latency};
pub use network::{Hosts, Network};
pub(crate) use options::Options;
pub use report::{Cause, Failure, Report};

pub use fibra_scheduler::seeded::{Schedule, Skew};
