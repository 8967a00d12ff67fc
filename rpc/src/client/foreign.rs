//! Calling servers that are not fibra's, by the protocols that they speak.
//!
//! ```text
//!   callers ─ encode ─▶ frames ─▶ writer fiber ─▶ socket ─▶ reader fiber ─▶ calls, by id ─▶ the caller that waits
//!   each caller ─ POST ─▶ a connection of its own, kept for the next ─▶ its answer                          HTTP
//! ```
//!
//! | address | protocol |
//! |---|---|
//! | `msgpack-rpc://host:port` | MessagePack-RPC, as Neovim speaks it |
//! | `jsonrpc://host:port` | JSON-RPC 2.0 over TCP, a message a line |
//! | `lsp://host:port` | JSON-RPC 2.0 behind `Content-Length` headers, as language servers speak it |
//! | `http://host:port/path` | JSON-RPC 2.0 by HTTP POST |
//!
//! ```no_run
//! use fibra_rpc::client::Foreign;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Foreign::connect(&"jsonrpc://127.0.0.1:7000".parse()?)?;
//! let sum: i64 = server.call("add", &(3, 5))?;
//! # let _ = sum;
//! # Ok(())
//! # }
//! ```
//!
//! | file | holds |
//! |---|---|
//! | this one | [`Foreign`]: what callers share |
//! | `address` | [`Address`], [`Protocol`] |
//! | `error` | [`ForeignError`]: an answer that is none, and whether the call ran |
//! | `message` | calls and answers, in the forms of the protocols |
//! | `json` | those of JSON-RPC |
//! | `msgpack` | those of MessagePack-RPC |
//! | `input` | where a message ends that comes in pieces |
//! | `pipeline` | one connection, many callers |
//! | `http` | one call, one connection |
//!
//! Invariants:
//! * A call is sent once. These servers have no sessions: what was sent and has no answer is told as [`Executed::Maybe`].
//! * A call ends by its timeout, whatever the server does.
//! * What a server makes us hold is bounded by [`Limits::frame_bytes`] for a message, and is looked at without recursion before serde sees it.

mod address;
mod error;
mod http;
mod input;
mod json;
mod message;
mod msgpack;
mod pipeline;

use std::sync::Arc;
use std::time::Duration;

use fibra_scheduler::cancel;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::target::Target;
use crate::error::{CallError, Callee, ConnectError, Executed, Peer, Side};
use crate::limits::{CALL_TIMEOUT, CALL_TIMEOUT_MAX, CONNECT_TIMEOUT, Limits};
pub use address::{Address, BadAddress, Protocol};
pub use error::ForeignError;
use http::Http;
use message::{Answer, Call, Ended, NotSent};
use pipeline::Pipeline;

/// A server that speaks another protocol. Cheap to clone; its clones share the connection, and any number of fibers and threads may call at once.
///
/// A connection that is lost stays lost, and every call says so: connect again. Over HTTP each call finds a connection of its own.
#[derive(Clone, Debug)]
pub struct Foreign {
    way: Way,
    timeout: Duration,
    limits: Limits,
}

#[derive(Clone, Debug)]
enum Way {
    Pipeline(Arc<Pipeline>),
    Http(Arc<Http>),
}

impl Foreign {
    /// Connects to the first of the server's addresses that answers, within [`CONNECT_TIMEOUT`].
    ///
    /// Call it from a fiber. None of these protocols has an opening: whether the server speaks it, the first call tells.
    ///
    /// # Errors
    ///
    /// * [`ConnectError::NoRuntime`]: the caller is no fiber.
    /// * [`ConnectError::Resolve`]: there is no such host.
    /// * [`ConnectError::Refused`], [`ConnectError::TimedOut`], [`ConnectError::Io`]: its last address did not answer.
    /// * [`ConnectError::Spawn`]: the connection's fibers could not be started.
    pub fn connect(address: &Address) -> Result<Self, ConnectError> {
        Self::connect_within(address, CONNECT_TIMEOUT)
    }

    /// As [`connect`](Self::connect), within another time.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_within(address: &Address, timeout: Duration) -> Result<Self, ConnectError> {
        if !fibra_scheduler::in_fiber() {
            return Err(ConnectError::NoRuntime);
        }
        let target = Target::of(address.host())?;
        let limits = Limits::default();
        let way = match address.protocol() {
            Protocol::JsonRpcHttp => Way::Http(Arc::new(Http::connect(address, target, timeout, &limits)?)),
            protocol => Way::Pipeline(Pipeline::connect(protocol, &target, timeout, &limits)?),
        };
        Ok(Self { way, timeout: CALL_TIMEOUT, limits })
    }

    /// The same, with calls that wait for up to `timeout`; at most [`CALL_TIMEOUT_MAX`]. Default: [`CALL_TIMEOUT`].
    #[must_use]
    pub fn within(&self, timeout: Duration) -> Self {
        Self { timeout: timeout.min(CALL_TIMEOUT_MAX), ..self.clone() }
    }

    /// The server.
    pub fn peer(&self) -> Peer {
        Peer::Remote(match &self.way {
            Way::Pipeline(pipeline) => pipeline.peer(),
            Way::Http(http) => http.peer(),
        })
    }

    /// Calls a method, and waits for its value. `args` is a tuple or anything else that serializes as an array, `[(); 0]` for none; for JSON-RPC it may
    /// also be a struct or a map: arguments by name.
    ///
    /// # Errors
    ///
    /// A [`ForeignError`]: what the server answered, or why there is no answer; and whether the call ran.
    pub fn call<A: Serialize, T: DeserializeOwned>(&self, method: &str, args: &A) -> Result<T, ForeignError> {
        let call = self.encode(method, args)?;
        let answer = cancel::with_timeout(self.timeout, || match &self.way {
            Way::Pipeline(pipeline) => pipeline.call(&call),
            Way::Http(http) => http.call(&call),
        });
        match answer.map_err(|ended| self.ended(method, ended))? {
            Answer::Value(value) => value.decode().map_err(|message| {
                ForeignError::Call(CallError::BadReply {
                    callee: self.callee(method),
                    message,
                    executed: Executed::Yes,
                })
            }),
            Answer::Error(error) => Err(ForeignError::of_answer(self.callee(method), &error)),
        }
    }

    /// Tells a method, and waits for nothing but room: there is no answer. Arguments are as for [`call`](Self::call).
    ///
    /// # Errors
    ///
    /// A [`ForeignError`], which says why it was not sent.
    pub fn notify<A: Serialize>(&self, method: &str, args: &A) -> Result<(), ForeignError> {
        let call = self.encode(method, args)?;
        let sent = cancel::with_timeout(self.timeout, || match &self.way {
            Way::Pipeline(pipeline) => pipeline.notify(&call),
            Way::Http(http) => http.notify(&call),
        });
        sent.map_err(|ended| self.ended(method, ended))
    }

    fn encode<'a, A: Serialize>(&self, method: &'a str, args: &A) -> Result<Call<'a>, ForeignError> {
        let protocol = match &self.way {
            Way::Pipeline(pipeline) => pipeline.protocol(),
            Way::Http(_) => Protocol::JsonRpcHttp,
        };
        Call::encode(protocol, method, args, self.limits.frame_bytes).map_err(|not_sent| {
            let callee = self.callee(method);
            ForeignError::Call(match not_sent {
                NotSent::BadArguments(message) => CallError::BadArguments { callee, message },
                NotSent::TooLarge(message) => CallError::TooLarge { callee, side: Side::Request, message },
            })
        })
    }

    fn ended(&self, method: &str, ended: Ended) -> ForeignError {
        let callee = self.callee(method);
        ForeignError::Call(match ended {
            Ended::Interrupted(cancel::Interrupted::TimedOut, executed) => {
                CallError::Timeout { callee, after: self.timeout, executed }
            }
            Ended::Interrupted(_, executed) => CallError::Cancelled { callee, executed },
            Ended::Lost(cause, executed) => CallError::Disconnected { callee, cause, executed },
            Ended::Refused(message, executed) => CallError::Refused { callee, message, executed },
            Ended::TooLarge(message) => CallError::TooLarge { callee, side: Side::Reply, message },
            Ended::NoAnswer(message) => CallError::BadReply { callee, message, executed: Executed::Maybe },
        })
    }

    fn callee(&self, method: &str) -> Callee {
        Callee { method: method.to_owned().into(), peer: self.peer() }
    }
}
