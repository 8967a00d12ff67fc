//! Why a method failed: gRPC's codes and a message. The error of methods whose `.proto` names none.
//!
//! The model is `google.rpc.Status`, so that it can be carried over to gRPC and from there as it is.

use std::error::Error;
use std::fmt;

use fibra_rpc::stream::StreamError;
use serde::{Deserialize, Serialize};

use crate::Any;

/// Why a method failed: a [`Code`] for programs, a message for people, and details for both.
///
/// ```
/// use fibra_proto::{Code, Status};
///
/// fn find(name: &str) -> Result<u32, Status> {
///     if name == "Ada" { Ok(1815) } else { Err(Status::new(Code::NotFound, format!("nobody is called {name}"))) }
/// }
/// let status = find("Bob").unwrap_err();
/// assert_eq!(status.code(), Code::NotFound);
/// assert_eq!(status.to_string(), "not found: nobody is called Bob");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// A [`Code`]'s number, or one that is not known here.
    #[prost(enumeration = "Code", tag = "1")]
    pub code: i32,
    /// What went wrong, for people.
    #[prost(string, tag = "2")]
    pub message: String,
    /// What went wrong, for programs: messages by agreement.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

impl Status {
    /// A failure of that kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), details: Vec::new() }
    }

    /// With one detail more.
    #[must_use]
    pub fn with_detail(mut self, detail: Any) -> Self {
        self.details.push(detail);
        self
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Code::try_from(self.code) {
            Ok(code) => write!(f, "{code}")?,
            Err(_) => write!(f, "code {}", self.code)?,
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl Error for Status {}

/// So that a handler can use `?` on each item of a stream.
impl From<StreamError> for Status {
    fn from(error: StreamError) -> Self {
        let code = match &error {
            StreamError::TimedOut => Code::DeadlineExceeded,
            StreamError::Disconnected => Code::Unavailable,
            StreamError::Item(_) => Code::InvalidArgument,
            StreamError::TooLarge(_) | StreamError::Overloaded => Code::ResourceExhausted,
            StreamError::CallEnded | StreamError::Stopped | StreamError::Cancelled => Code::Cancelled,
            StreamError::Abandoned => Code::Aborted,
            _ => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// What kind of failure it is, for programs: gRPC's codes, with their meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Code {
    /// No failure.
    Ok = 0,
    /// It was cancelled, mostly by its caller.
    Cancelled = 1,
    /// Something else.
    Unknown = 2,
    /// The arguments are wrong, whatever the state of the system.
    InvalidArgument = 3,
    /// Its time was up.
    DeadlineExceeded = 4,
    /// What it asks for is not there.
    NotFound = 5,
    /// What it would make is there.
    AlreadyExists = 6,
    /// The caller may not do that.
    PermissionDenied = 7,
    /// A quota or some resource is used up.
    ResourceExhausted = 8,
    /// The system is not in the state that it needs: trying again does not help before that has been mended.
    FailedPrecondition = 9,
    /// It collided with something else: try again from further up.
    Aborted = 10,
    /// Beyond the end of what there is.
    OutOfRange = 11,
    /// There is no such method, or not here.
    Unimplemented = 12,
    /// An invariant does not hold: a bug.
    Internal = 13,
    /// It cannot be had at the moment: try again.
    Unavailable = 14,
    /// Data is lost or corrupt for good.
    DataLoss = 15,
    /// The caller has not said who it is.
    Unauthenticated = 16,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
            Self::InvalidArgument => "invalid argument",
            Self::DeadlineExceeded => "deadline exceeded",
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::PermissionDenied => "permission denied",
            Self::ResourceExhausted => "resource exhausted",
            Self::FailedPrecondition => "failed precondition",
            Self::Aborted => "aborted",
            Self::OutOfRange => "out of range",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::DataLoss => "data loss",
            Self::Unauthenticated => "unauthenticated",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_later_version_is_kept() {
        let status: Status = serde_json::from_str(r#"{"code": 99, "message": "new", "reason": 7}"#).expect("readable");
        assert_eq!(status.code, 99);
        assert_eq!(status.to_string(), "code 99: new");
        assert_eq!(status.code(), Code::Ok, "prost's accessor gives the default for what it does not know");
    }
}
