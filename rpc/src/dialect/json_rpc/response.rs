//! What a JSON-RPC request is answered with.
//!
//! | failure | code | data |
//! |---|---|---|
//! | no JSON | -32700 Parse error | |
//! | no request | -32600 Invalid Request | |
//! | unknown method | -32601 Method not found | |
//! | bad arguments | -32602 Invalid params | what is wrong with them |
//! | the handler panicked | -32603 Internal error | as below |
//! | the method's own error | 1 | that error |
//! | any other | -32000 less the native code | `reason`, `executed`; `retry_after_ms`, `details` |
//!
//! In Go's form an error is its text.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Failure};
use super::super::json::from_msgpack::append_json;
use super::request::{Invalid, Version};
use crate::error::Pushback;
use crate::wire::failure::Code;

/// The code of [`Code::Application`].
pub const APPLICATION: i64 = 1;

/// Codes that are not of the standard are this, less the native one.
const SERVER_ERROR: i64 = -32000;

/// Appends the response to the request of that id, which is JSON.
pub fn respond(out: &mut Vec<u8>, version: Version, id: &str, answer: &Answer) {
    let failure = match answer {
        Answer::Value(value) => match result(out, version, id, value) {
            Ok(()) => return,
            Err(failure) => &failure.clone(),
        },
        Answer::Failure(failure) => failure,
    };
    match version {
        Version::Two => {
            let mut error = Map::new();
            let (code, message) = head(failure);
            error.insert("code".into(), code.into());
            error.insert("message".into(), message.into());
            begin(out, r#"{"jsonrpc":"2.0","error":"#);
            // Appended as text: it may nest deeper than a parser would go.
            if failure.code == Code::Application {
                application(out, &error, failure);
            } else {
                error.extend(data(failure).map(|data| ("data".to_owned(), data)));
                put(out, &Value::Object(error));
            }
            end(out, id);
        }
        Version::One => {
            begin(out, r#"{"id":"#);
            begin(out, id);
            begin(out, r#","result":null,"error":"#);
            put(out, &Value::from(text(failure)));
            out.push(b'}');
        }
    }
}

/// Appends the response to what is no request.
pub fn respond_invalid(out: &mut Vec<u8>, invalid: &Invalid<'_>) {
    let (code, message, id) = match invalid {
        Invalid::Parse => (-32700, "Parse error", None),
        Invalid::Request { id } => (-32600, "Invalid Request", *id),
    };
    begin(out, r#"{"jsonrpc":"2.0","error":"#);
    put(out, &json!({ "code": code, "message": message }));
    end(out, id.unwrap_or("null"));
}

/// Appends the response with a value; or nothing, if it has no form in JSON.
fn result(out: &mut Vec<u8>, version: Version, id: &str, value: &[u8]) -> Result<(), Failure> {
    let start = out.len();
    match version {
        Version::Two => begin(out, r#"{"jsonrpc":"2.0","result":"#),
        Version::One => {
            begin(out, r#"{"id":"#);
            begin(out, id);
            begin(out, r#","result":"#);
        }
    }
    if let Err(no_form) = append_json(out, value) {
        out.truncate(start);
        return Err(Failure::new(Code::ReplyUnencodable, no_form.to_string()));
    }
    match version {
        Version::Two => end(out, id),
        Version::One => begin(out, r#","error":null}"#),
    }
    Ok(())
}

fn begin(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn end(out: &mut Vec<u8>, id: &str) {
    begin(out, r#","id":"#);
    begin(out, id);
    out.push(b'}');
}

fn put(out: &mut Vec<u8>, value: &Value) {
    // Memory takes all.
    let _ = serde_json::to_writer(out, value);
}

fn head(failure: &Failure) -> (i64, String) {
    match failure.code {
        Code::UnknownMethod => (-32601, "Method not found".to_owned()),
        Code::BadArguments => (-32602, "Invalid params".to_owned()),
        Code::Panicked => (-32603, "Internal error".to_owned()),
        Code::Application => (APPLICATION, failure.words().into_owned()),
        code => (SERVER_ERROR - i64::from(code as u8), failure.words().into_owned()),
    }
}

/// The method's own error, as JSON if it has that form.
fn application(out: &mut Vec<u8>, error: &Map<String, Value>, failure: &Failure) {
    let mut data = Vec::new();
    let has_form = append_json(&mut data, &failure.details).is_ok();
    put(out, &Value::Object(error.clone()));
    if has_form {
        // In the object's end.
        out.pop();
        begin(out, r#","data":"#);
        out.extend_from_slice(&data);
        out.push(b'}');
    }
}

/// What else is said of a failure that is not the method's own.
pub(crate) fn data(failure: &Failure) -> Option<Value> {
    match failure.code {
        Code::UnknownMethod => None,
        Code::BadArguments => Some(failure.message.clone().into()),
        code => {
            let mut data = json!({ "reason": code.name(), "executed": failure.executed_word() });
            if code == Code::Panicked {
                data["message"] = failure.message.clone().into();
            }
            match failure.pushback() {
                Some(Pushback::After(wait)) => {
                    data["retry_after_ms"] = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into();
                }
                Some(Pushback::Never) => data["retry"] = false.into(),
                None => {}
            }
            if matches!(code, Code::Denied | Code::Withheld)
                && let Some(details) = as_value(&failure.details)
            {
                data["details"] = details;
            }
            Some(data)
        }
    }
}

/// A few bytes of MessagePack that this side has made, as JSON.
fn as_value(details: &[u8]) -> Option<Value> {
    let mut json = Vec::new();
    append_json(&mut json, details).ok()?;
    serde_json::from_slice(&json).ok()
}

/// A failure as one text; the method's own error, if it is a text, as it is.
fn text(failure: &Failure) -> String {
    if failure.code != Code::Application {
        return failure.words().into_owned();
    }
    let mut json = Vec::new();
    if append_json(&mut json, &failure.details).is_err() {
        return failure.words().into_owned();
    }
    let as_text = serde_json::from_slice::<&RawValue>(&json).ok().and_then(|raw| serde_json::from_str(raw.get()).ok());
    as_text.unwrap_or_else(|| String::from_utf8_lossy(&json).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(answer: &Answer) -> String {
        let mut out = Vec::new();
        respond(&mut out, Version::Two, "\"x\"", answer);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    fn one(answer: &Answer) -> String {
        let mut out = Vec::new();
        respond(&mut out, Version::One, "0", answer);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn values() {
        let value = Answer::Value(vec![0x92, 1, 0xc0].into());
        assert_eq!(two(&value), r#"{"jsonrpc":"2.0","result":[1,null],"id":"x"}"#);
        assert_eq!(one(&value), r#"{"id":0,"result":[1,null],"error":null}"#);
    }

    #[test]
    fn a_value_without_a_form() {
        let value = Answer::Value(vec![0x81, 0xc0, 1].into());
        let told = two(&value);
        assert!(told.starts_with(r#"{"jsonrpc":"2.0","error":{"code":-32008,"#), "{told}");
        assert!(one(&value).starts_with(r#"{"id":0,"result":null,"error":"a map"#), "{}", one(&value));
    }

    #[test]
    fn the_methods_own_error() {
        let own = |details: &[u8]| {
            Answer::Failure(Failure { details: details.to_vec().into(), ..Failure::new(Code::Application, "") })
        };
        assert_eq!(
            two(&own(b"\x81\xa1a\x01")),
            r#"{"jsonrpc":"2.0","error":{"code":1,"message":"the method's own error","data":{"a":1}},"id":"x"}"#
        );
        assert_eq!(one(&own(b"\x81\xa1a\x01")), r#"{"id":0,"result":null,"error":"{\"a\":1}"}"#);
        assert_eq!(one(&own(b"\xa5broke")), r#"{"id":0,"result":null,"error":"broke"}"#);
        let deep = [&vec![0x91; 10_000][..], &[0x01]].concat();
        assert!(two(&own(&deep)).len() > 20_000, "however deep");
        assert!(one(&own(&deep)).len() > 20_000);
    }

    #[test]
    fn failures() {
        let failed = |code, details: Vec<u8>| {
            let failure = Failure { details: details.into(), ..Failure::new(code, "why") };
            let response: Value = serde_json::from_str(&two(&failure.into())).expect("JSON");
            response["error"].clone()
        };
        let none = Vec::new;
        assert_eq!(failed(Code::UnknownMethod, none()), json!({"code": -32601, "message": "Method not found"}));
        assert_eq!(
            failed(Code::BadArguments, none()),
            json!({"code": -32602, "message": "Invalid params", "data": "why"})
        );
        assert_eq!(
            failed(Code::Panicked, none()),
            json!({"code": -32603, "message": "Internal error", "data": {"reason": "panicked", "executed": "yes", "message": "why"}})
        );
        assert_eq!(
            failed(Code::Overloaded, Pushback::encode(Some(Pushback::After(std::time::Duration::from_millis(7))))),
            json!({"code": -32006, "message": "why", "data": {"reason": "overloaded", "executed": "no", "retry_after_ms": 7}})
        );
        assert_eq!(
            failed(Code::Denied, b"\x81\xa1a\xa1b".to_vec()),
            json!({"code": -32016, "message": "why", "data": {"reason": "denied", "executed": "no", "details": {"a": "b"}}})
        );
        let go = one(&Failure::new(Code::UnknownMethod, "the server has no method `a`").into());
        assert_eq!(go, r#"{"id":0,"result":null,"error":"the server has no method `a`"}"#);
    }
}
