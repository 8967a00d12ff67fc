//! What a JSON-RPC message asks for.
//!
//! Invariants:
//! * Nothing recurses: what is in a member is skipped, as text, and looked at when it is needed.
//! * An id is kept as it was written, byte for byte.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::limits::BATCH_CALLS_MAX;

/// One message.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// One request, to be [read].
    Single(&'a str),
    /// Several, of which some may be none.
    Batch(Vec<&'a RawValue>),
}

/// Which form a request has, and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.0, as Go has it.
    One,
    /// 2.0.
    Two,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The form.
    pub version: Version,
    /// Names the call to its client, as JSON; `None`: a notification.
    pub id: Option<&'a str>,
    /// Which method.
    pub method: Cow<'a, str>,
    /// An array or an object, as JSON.
    pub params: Option<&'a str>,
    /// The member `fibra`, as JSON: what a call may have beside its parameters.
    pub beside: Option<&'a str>,
}

/// Why something is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid<'a> {
    /// It is no JSON.
    Parse,
    /// It is no request; its id, as JSON, if that could be made out.
    Request {
        /// The id.
        id: Option<&'a str>,
    },
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    fibra: Option<&'a RawValue>,
}

/// A member that is there, `null` or not.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a message.
///
/// # Errors
///
/// [`Invalid`], of the message as a whole.
pub fn parse(message: &[u8]) -> Result<Message<'_>, Invalid<'_>> {
    let text: &RawValue = serde_json::from_slice(message).map_err(|_| Invalid::Parse)?;
    let text = text.get();
    if !text.starts_with('[') {
        return Ok(Message::Single(text));
    }
    match serde_json::from_str(text) {
        Ok(Batch(requests)) if !requests.is_empty() => Ok(Message::Batch(requests)),
        _ => Err(Invalid::Request { id: None }),
    }
}

/// Reads a request; whether it is one of a batch, which are of version 2.0.
///
/// # Errors
///
/// [`Invalid::Request`]
pub fn read(text: &str, in_batch: bool) -> Result<Request<'_>, Invalid<'_>> {
    // serde would take an array for one, too.
    if !text.starts_with('{') {
        return Err(Invalid::Request { id: None });
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| Invalid::Request { id: None })?;
    let id = members.id.map(RawValue::get).filter(|id| is_id(id));
    let invalid = Invalid::Request { id };
    if id.is_none() && members.id.is_some() {
        return Err(invalid);
    }
    let version = match members.jsonrpc.map(RawValue::get) {
        Some("\"2.0\"") => Version::Two,
        // It always has an id.
        None if !in_batch && id.is_some() => Version::One,
        _ => return Err(invalid),
    };
    let method: Cow<'_, str> = match members.method.map(|method| serde_json::from_str(method.get())) {
        Some(Ok(Text(method))) => method,
        _ => return Err(invalid),
    };
    let params = members.params.map(RawValue::get);
    let is_structure = |params: &str| params.starts_with('[') || (version == Version::Two && params.starts_with('{'));
    if !params.is_none_or(is_structure) {
        return Err(invalid);
    }
    // In version 1.0 a notification is a request whose id is null.
    let id = id.filter(|id| version == Version::Two || *id != "null");
    Ok(Request { version, id, method, params, beside: members.fibra.map(RawValue::get) })
}

/// A string, a number or null.
fn is_id(json: &str) -> bool {
    json == "null" || json.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The requests of a batch, no more than there may be.
struct Batch<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Requests;

        impl<'de> Visitor<'de> for Requests {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of requests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut requests: A) -> Result<Self::Value, A::Error> {
                let mut batch = Vec::new();
                while let Some(request) = requests.next_element()? {
                    if batch.len() == BATCH_CALLS_MAX {
                        return Err(A::Error::custom("too many requests"));
                    }
                    batch.push(request);
                }
                Ok(batch)
            }
        }

        deserializer.deserialize_seq(Requests).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_and_notifications() {
        let request = read(r#"{"jsonrpc":"2.0","method":"a\u0062","params":[1],"id":1.50,"more":{}}"#, false);
        let expected =
            Request { version: Version::Two, id: Some("1.50"), method: "ab".into(), params: Some("[1]"), beside: None };
        assert_eq!(request, Ok(expected));
        let notification = read(r#"{"method":"a","jsonrpc":"2.0","fibra":{"xid":1}}"#, true).expect("a request");
        assert_eq!((notification.id, notification.params, notification.beside), (None, None, Some(r#"{"xid":1}"#)));
        let null = read(r#"{"jsonrpc":"2.0","method":"a","id":null}"#, true).expect("a request");
        assert_eq!(null.id, Some("null"));
    }

    #[test]
    fn gos_form_has_no_version() {
        let go = read(r#"{"method":"Arith.Multiply","params":[{"A":7}],"id":0}"#, false).expect("a request");
        assert_eq!((go.version, go.id), (Version::One, Some("0")));
        let notification = read(r#"{"method":"a","params":[],"id":null}"#, false).expect("a request");
        assert_eq!((notification.version, notification.id), (Version::One, None));
        let invalid = Err(Invalid::Request { id: Some("0") });
        assert_eq!(read(r#"{"method":"a","params":[],"id":0}"#, true), invalid, "there are no batches of it");
        assert_eq!(read(r#"{"method":"a","params":{},"id":0}"#, false), invalid);
    }

    #[test]
    fn what_is_none() {
        for (text, id) in [
            ("1", None),
            ("[]", None),
            (r#"["2.0","a",[],1]"#, None),
            (r#"{"foo":"boo"}"#, None),
            (r#"{"jsonrpc":"2.0","method":1,"params":"bar"}"#, None),
            (r#"{"jsonrpc":"2.0","method":1,"id":"x"}"#, Some("\"x\"")),
            (r#"{"jsonrpc":"2.0","method":"a","params":"bar","id":7}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","method":"a","params":null,"id":7}"#, Some("7")),
            (r#"{"jsonrpc":"1.0","method":"a","id":7}"#, Some("7")),
            (r#"{"jsonrpc":2.0,"method":"a","id":7}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","method":"a","id":[7]}"#, None),
            (r#"{"jsonrpc":"2.0","method":"a","id":true}"#, None),
            (r#"{"jsonrpc":"2.0","method":"a","id":1,"id":2}"#, None),
            (r#"{"jsonrpc":"2.0","id":1}"#, Some("1")),
        ] {
            assert_eq!(read(text, false), Err(Invalid::Request { id }), "{text}");
        }
    }

    #[test]
    fn messages() {
        assert!(matches!(parse(b" {} "), Ok(Message::Single("{}"))));
        assert!(matches!(parse(b"1"), Ok(Message::Single("1"))));
        assert!(matches!(parse(b"[1, 2 ,{}]"), Ok(Message::Batch(requests)) if requests.len() == 3));
        assert!(matches!(parse(b"[]"), Err(Invalid::Request { id: None })));
        for text in [&b"{"[..], b"", b"{}{}", b"[1,]", b"\"\xff\""] {
            assert!(matches!(parse(text), Err(Invalid::Parse)), "{}", text.escape_ascii());
        }
        let many = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert!(parse(many(BATCH_CALLS_MAX).as_bytes()).is_ok());
        assert!(matches!(parse(many(BATCH_CALLS_MAX + 1).as_bytes()), Err(Invalid::Request { id: None })));
    }

    #[test]
    fn depth_is_no_matter() {
        let deep = [&b"{\"params\":"[..], &vec![b'['; 1_000_000], &vec![b']'; 1_000_000], b",\"id\":1}"].concat();
        let Ok(Message::Single(text)) = parse(&deep) else { panic!("one message") };
        assert_eq!(read(text, false), Err(Invalid::Request { id: Some("1") }));
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in "[\\[{\":,a-e0-9 }\\]\\\\]{0,60}") {
            if let Ok(Message::Single(text)) = parse(text.as_bytes()) {
                let _ = read(text, false);
            }
        }
    }
}
