//! TLS on TCP, by [rustls](https://docs.rs/rustls). With the feature `tls`.
//!
//! ```text
//!   TlsListener ─ accept ─▶ Handshake ─ finish ─▶ TlsStream ─ into_split ─▶ ReadHalf, WriteHalf
//!   TcpStream ─ Handshake::client ─┘
//! ```
//!
//! What is agreed on (certificates, whom to trust, client certificates, application protocols, versions, resumption) is in rustls's
//! own [`ClientConfig`](rustls::ClientConfig) and [`ServerConfig`](rustls::ServerConfig). So mutual TLS is a `ServerConfig` with a
//! client verifier, after which [`TlsStream::peer_certificates`] says who it is. fibra brings the I/O, the deadline of handshakes
//! (10 s) and their limit (1024), see [`TlsListener`].
//!
//! This crate turns on rustls's provider `ring`. A configuration made by `builder_with_provider` may use any other.
//!
//! An idle server connection takes 18 KiB of resident memory, its fiber included; in its first 10 s, until the fiber's stack is trimmed,
//! up to 30. (Measured on x86_64 Linux, optimised, as the test `an_idle_connection_takes_little_memory` does.)
//!
//! Whose protocol is served by a blocking-style crate that brings its own TLS needs nothing of this: `rustls::StreamOwned` runs on a
//! [`TcpStream`](crate::TcpStream) as it is. What this one has more is deadline and limit of handshakes, errors that say whose fault it
//! is, and halves for two fibers.

mod error;
mod handshake;
mod listener;
#[cfg(feature = "tokio-io")]
mod poll;
mod records;
mod session;
mod stream;

use std::time::Duration;

pub use error::{Error, Fault};
pub use handshake::Handshake;
pub use listener::{Incoming, TlsListener};
pub use stream::TlsStream;

/// The version of rustls whose configurations these types take.
pub use rustls;

/// How long a handshake may take, unless it or its listener says otherwise.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
