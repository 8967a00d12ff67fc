//! The messages of JSON-RPC 2.0.
//!
//! Source: the JSON-RPC 2.0 specification; for its framing the base protocol of the Language Server Protocol.
//!
//! Invariant: nothing is decoded by recursion that nests deeper than [`DEPTH_MAX`].

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Protocol;
use super::message::{Answer, Body, Incoming, NotSent};
use crate::limits::DEPTH_MAX;

/// Arguments as an array or an object.
///
/// # Errors
///
/// [`NotSent::BadArguments`]: they are neither, or have no form in JSON.
pub(super) fn params<A: Serialize + ?Sized>(args: &A) -> Result<Vec<u8>, NotSent> {
    let params = serde_json::to_vec(args).map_err(|error| NotSent::BadArguments(error.to_string()))?;
    match params.first() {
        Some(b'[' | b'{') => Ok(params),
        _ => Err(NotSent::BadArguments("JSON-RPC takes arguments as an array or an object".to_owned())),
    }
}

/// A request, or a notification if it has no id.
pub(super) fn call(id: Option<u32>, method: &str, params: &[u8]) -> Vec<u8> {
    let mut message = br#"{"jsonrpc":"2.0","#.to_vec();
    if let Some(id) = id {
        message.extend_from_slice(format!("\"id\":{id},").as_bytes());
    }
    message.extend_from_slice(b"\"method\":");
    // Text has a form, and memory takes all.
    let _ = serde_json::to_writer(&mut message, method);
    message.extend_from_slice(b",\"params\":");
    message.extend_from_slice(params);
    message.push(b'}');
    message
}

/// A message as it goes over a connection of that protocol.
pub(super) fn framed(protocol: Protocol, mut message: Vec<u8>) -> Vec<u8> {
    match protocol {
        Protocol::JsonRpc => message.push(b'\n'),
        Protocol::JsonRpcFramed => {
            let head = format!("Content-Length: {}\r\n\r\n", message.len());
            message.splice(..0, head.into_bytes());
        }
        Protocol::JsonRpcHttp | Protocol::MessagePackRpc => {}
    }
    message
}

/// What a server sends, whichever it is.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Reads a message.
///
/// # Errors
///
/// Why it is none, for people.
pub(super) fn read(protocol: Protocol, message: &str) -> Result<Incoming, String> {
    let envelope = envelope(message)?;
    if envelope.method.is_some() {
        return Ok(envelope.id.map_or(Incoming::Other, |id| Incoming::Request(framed(protocol, refusal(id)))));
    }
    let id = envelope.id.and_then(|id| id.get().parse().ok());
    Ok(match (id, envelope.error) {
        (Some(id), Some(error)) => Incoming::Answer(id, Answer::Error(Body::Json(error.to_owned()))),
        (Some(id), None) => Incoming::Answer(id, Answer::Value(body(envelope.result))),
        // It could not be said to what: none of ours is like that.
        (None, _) => Incoming::Other,
    })
}

/// Reads the answer to a call that is alone on its connection, whatever its id: a server that could not read the call does not know it.
///
/// # Errors
///
/// Why it is none, for people.
pub(super) fn read_only_answer(message: &str) -> Result<Answer, String> {
    let envelope = envelope(message)?;
    match (envelope.error, envelope.result, envelope.id) {
        (Some(error), ..) => Ok(Answer::Error(Body::Json(error.to_owned()))),
        (None, None, None) => Err("it is no JSON-RPC response".to_owned()),
        (None, result, _) => Ok(Answer::Value(body(result))),
    }
}

/// Serde takes an array for an object, too, by the order of its members.
fn envelope(message: &str) -> Result<Envelope<'_>, String> {
    if !message.trim_start().starts_with('{') {
        return Err("it is no object".to_owned());
    }
    serde_json::from_str(message).map_err(|error| error.to_string())
}

fn body(result: Option<&RawValue>) -> Body {
    result.map_or(Body::Nothing, |result| Body::Json(result.to_owned()))
}

/// Here nothing is served.
fn refusal(id: &RawValue) -> Vec<u8> {
    let error = r#"{"code":-32601,"message":"Method not found"}"#;
    format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, id.get()).into_bytes()
}

/// Reads a value.
///
/// # Errors
///
/// Why it is none of that type, for people.
pub(super) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    if depth(text) > DEPTH_MAX {
        return Err(format!("it nests deeper than {DEPTH_MAX} levels"));
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// How many brackets are open at the most, of JSON.
fn depth(text: &str) -> usize {
    let (mut open, mut most, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' if !in_text => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_as_specified() {
        let text = |bytes| String::from_utf8(bytes).expect("JSON");
        let params = params(&(42, 23)).expect("an array");
        let called = text(call(Some(1), "subtract", &params));
        assert_eq!(called, r#"{"jsonrpc":"2.0","id":1,"method":"subtract","params":[42,23]}"#);
        assert_eq!(text(call(None, "a\"b", b"{}")), r#"{"jsonrpc":"2.0","method":"a\"b","params":{}}"#);
        assert_eq!(framed(Protocol::JsonRpc, b"{}".to_vec()), b"{}\n");
        assert_eq!(framed(Protocol::JsonRpcFramed, b"{}".to_vec()), b"Content-Length: 2\r\n\r\n{}");
        assert!(super::params(&3).is_err() && super::params("x").is_err());
    }

    #[test]
    fn answers_are_told_from_what_else_comes() {
        let told = |message: &str| format!("{:?}", read(Protocol::JsonRpc, message));
        assert!(told(r#"{"jsonrpc":"2.0","id":7,"result":19}"#).starts_with("Ok(Answer(7, Value("));
        assert!(told(r#"{"jsonrpc":"2.0","id":7,"result":null}"#).starts_with("Ok(Answer(7, Value(Nothing"));
        assert!(told(r#"{"id":7,"result":null,"error":"no"}"#).starts_with("Ok(Answer(7, Error("), "version 1.0");
        assert!(told(r#"{"jsonrpc":"2.0","id":null,"error":{}}"#).starts_with("Ok(Other"));
        assert!(told(r#"{"jsonrpc":"2.0","method":"progress"}"#).starts_with("Ok(Other"));
        let asked = read(Protocol::JsonRpc, r#"{"jsonrpc":"2.0","id":"x","method":"ask"}"#);
        assert!(
            matches!(asked, Ok(Incoming::Request(told)) if told.ends_with(b"\n") && told.starts_with(b"{\"jsonrpc\":\"2.0\",\"id\":\"x\","))
        );
        assert!(read(Protocol::JsonRpc, "[]").is_err() && read(Protocol::JsonRpc, "3").is_err());
    }

    #[test]
    fn deep_values_are_refused_before_they_are_decoded() {
        let nested = |depth| ["[".repeat(depth), "]".repeat(depth)].concat();
        assert!(decode::<crate::codec::Value>(&nested(DEPTH_MAX)).is_ok());
        assert!(decode::<crate::codec::Value>(&nested(DEPTH_MAX + 1)).is_err_and(|message| message.contains("deeper")));
        assert_eq!(depth(r#"["[[[\"[", {"a": [1]}]"#), 3);
    }
}
