//! The error of a call to a server that is not fibra's.
//!
//! Invariant: [`ForeignError::executed`] claims no more than the protocol says. An error of which the protocol does not say where it comes from leaves open
//! whether the method ran.

use std::error::Error;
use std::fmt;

use super::message::Body;
use crate::codec::Value;
use crate::error::{CallError, Callee, Executed, OneLine};

/// Why a call has no value.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum ForeignError {
    /// The server answered with an error.
    Answered {
        /// What was called.
        callee: Callee,
        /// The error as it came: of JSON-RPC an object with `code`, `message` and perhaps `data`; of MessagePack-RPC any value.
        error: Value,
        /// By JSON-RPC's codes: [`Executed::No`] for what could not be read (-32700), no request (-32600), no such method (-32601) and wrong arguments
        /// (-32602); [`Executed::Maybe`] for the codes that a server has for itself (-32603, and -32000 to -32099); [`Executed::Yes`] for those that are the
        /// method's. MessagePack-RPC has none, so [`Executed::Maybe`]. A fibra server says it itself, and then that counts.
        executed: Executed,
    },
    /// There is no answer, or it is not understood. Never [`CallError::Application`].
    Call(CallError),
}

impl ForeignError {
    /// Did the method run?
    pub fn executed(&self) -> Executed {
        match self {
            Self::Answered { executed, .. } => *executed,
            Self::Call(error) => error.executed(),
        }
    }

    pub(super) fn of_answer(callee: Callee, error: &Body) -> Self {
        let is_json = !matches!(error, Body::MessagePack(_));
        let error = error.value();
        let executed = told(&error).unwrap_or_else(|| if is_json { by_code(&error) } else { Executed::Maybe });
        Self::Answered { callee, error, executed }
    }
}

/// What a fibra server says of it.
fn told(error: &Value) -> Option<Executed> {
    let word = match error {
        Value::Map(_) => member(member(error, "data")?, "executed")?,
        // [code, message, executed]
        Value::Array(members) if (3..=4).contains(&members.len()) && members[0].is_u64() && members[1].is_str() => {
            &members[2]
        }
        _ => return None,
    };
    match word.as_str()? {
        "no" => Some(Executed::No),
        "yes" => Some(Executed::Yes),
        "maybe" => Some(Executed::Maybe),
        _ => None,
    }
}

/// What the specification says of the codes of errors.
fn by_code(error: &Value) -> Executed {
    match member(error, "code").and_then(Value::as_i64) {
        Some(-32700 | -32602..=-32600) => Executed::No,
        // The rest of what is reserved, and errors that are no objects, as before version 2.0.
        Some(-32768..=-32000) | None => Executed::Maybe,
        Some(_) => Executed::Yes,
    }
}

fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_map()?.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

impl fmt::Display for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Answered { callee, error, executed } => {
                write!(f, "{callee}: the server answered with an error: ")?;
                let message = member(error, "message").and_then(Value::as_str).or(error.as_str());
                match (message, member(error, "code"), member(error, "data")) {
                    (Some(message), Some(code), None) => write!(f, "{} ({code})", OneLine(message))?,
                    (Some(message), None, None) => write!(f, "{}", OneLine(message))?,
                    (Some(message), code, Some(data)) => {
                        let code = code.map(|code| format!("{code}, ")).unwrap_or_default();
                        write!(f, "{} ({code}{})", OneLine(message), OneLine(&data.to_string()))?;
                    }
                    (None, ..) => write!(f, "{}", OneLine(&error.to_string()))?,
                }
                write!(f, "; {}", executed.advice())
            }
        }
    }
}

impl Error for ForeignError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Call(error) => error.source(),
            Self::Answered { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executed(error: &str) -> Executed {
        let value: Value = serde_json::from_str(error).expect("JSON");
        told(&value).unwrap_or_else(|| by_code(&value))
    }

    #[test]
    fn codes_say_no_more_than_they_mean() {
        for (code, expected) in [
            (-32700, Executed::No),
            (-32600, Executed::No),
            (-32601, Executed::No),
            (-32602, Executed::No),
            (-32603, Executed::Maybe),
            (-32000, Executed::Maybe),
            (-32099, Executed::Maybe),
            (-31999, Executed::Yes),
            (1, Executed::Yes),
        ] {
            assert_eq!(executed(&format!("{{\"code\":{code},\"message\":\"x\"}}")), expected, "{code}");
        }
        assert_eq!(executed("\"as before 2.0\""), Executed::Maybe);
    }

    #[test]
    fn a_fibra_servers_word_counts() {
        assert_eq!(executed(r#"{"code":-32003,"message":"x","data":{"executed":"no"}}"#), Executed::No);
        assert_eq!(executed(r#"{"code":-32603,"message":"x","data":{"executed":"yes"}}"#), Executed::Yes);
        assert_eq!(executed(r#"{"code":-32603,"message":"x","data":{"executed":"perhaps"}}"#), Executed::Maybe);
        assert_eq!(executed(r#"[3, "no such method", "no"]"#), Executed::No);
        assert_eq!(executed(r#"[1, "own", "yes", {"a": 1}]"#), Executed::Yes);
    }
}
