//! What a request is answered with.
//!
//! | failure | status |
//! |---|---|
//! | the method's own error; a conflict with the call that the key was used for | 422 |
//! | unknown method | 404 |
//! | bad arguments, metadata, acknowledgements; a call outside of its window | 400 |
//! | denied, or the answer withheld | 403 |
//! | it still runs, was acknowledged, overtaken, forgotten, or its session has ended | 409 |
//! | overloaded | 503, with `Retry-After` if it is to be tried again later |
//! | its time was up | 504 |
//! | the handler panicked, or its reply cannot travel | 500 |

use std::io::Write;

use crate::dialect::answer::{Answer, Failure};
use crate::dialect::json::from_msgpack::append_json;
use crate::error::Pushback;
use crate::wire::failure::Code;

/// An answer without the parts that depend on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Of which kind the body is; `None`: there is none.
    pub content_type: Option<&'static str>,
    /// What it says.
    pub body: Vec<u8>,
    /// Which methods there are, for a 405.
    pub allow: Option<&'static str>,
    /// Seconds.
    pub retry_after: Option<u64>,
}

/// What JSON is called.
pub const JSON: &str = "application/json";

impl Response {
    /// A text for people.
    pub fn text(status: u16, text: &str) -> Self {
        let body = [text, "\n"].concat().into_bytes();
        Self { body, content_type: Some("text/plain; charset=utf-8"), ..Self::empty(status) }
    }

    /// Nothing.
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: None, body: Vec::new(), allow: None, retry_after: None }
    }

    /// JSON.
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self { content_type: Some(JSON), body, ..Self::empty(status) }
    }

    /// What a call by its method's path is answered with.
    pub fn of(answer: &Answer) -> Self {
        let failure = match answer {
            Answer::Value(value) => {
                let mut body = Vec::new();
                match append_json(&mut body, value) {
                    Ok(()) => return Self::json(200, body),
                    Err(no_form) => &Failure::new(Code::ReplyUnencodable, no_form.to_string()),
                }
            }
            Answer::Failure(failure) => failure,
        };
        let retry_after = match failure.pushback() {
            Some(Pushback::After(wait)) => Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
            _ => None,
        };
        Self { retry_after, ..Self::json(status(failure.code), error(failure)) }
    }

    /// All of it, as it travels. What is asked for by HEAD is told without a body.
    pub fn encode(&self, keeps_alive: bool, head_only: bool) -> Vec<u8> {
        let Self { status, content_type, body, allow, retry_after } = self;
        let mut out = Vec::with_capacity(128 + body.len());
        // Memory takes all.
        let _ = write!(out, "HTTP/1.1 {status} {}\r\n", reason(*status));
        if let Some(content_type) = content_type {
            let _ = write!(out, "Content-Type: {content_type}\r\n");
        }
        let _ = write!(out, "Content-Length: {}\r\n", body.len());
        if let Some(allow) = allow {
            let _ = write!(out, "Allow: {allow}\r\n");
        }
        if let Some(seconds) = retry_after {
            let _ = write!(out, "Retry-After: {seconds}\r\n");
        }
        if !keeps_alive {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        if !head_only {
            out.extend_from_slice(body);
        }
        out
    }
}

/// As which status a failure travels.
pub fn status(code: Code) -> u16 {
    match code {
        Code::Application | Code::Conflict => 422,
        Code::UnknownMethod => 404,
        Code::BadArguments | Code::BadMetadata | Code::BadAcknowledgement | Code::OutOfWindow => 400,
        Code::Denied | Code::Withheld => 403,
        Code::InProgress | Code::Stale | Code::Overtaken | Code::Forgotten | Code::SessionEnded => 409,
        Code::Overloaded => 503,
        Code::Expired => 504,
        Code::Panicked | Code::ReplyTooLarge | Code::ReplyUnencodable => 500,
    }
}

/// `{"error":{"code":"..","message":"..","executed":"..","details":..}}`
fn error(failure: &Failure) -> Vec<u8> {
    let head = serde_json::json!({
        "code": failure.code.name(),
        "message": failure.words(),
        "executed": failure.executed_word(),
    });
    let mut body = format!("{{\"error\":{head}").into_bytes();
    let mut details = Vec::new();
    if failure.code != Code::Overloaded && append_json(&mut details, &failure.details).is_ok() {
        // In the object's end.
        body.pop();
        body.extend_from_slice(b",\"details\":");
        body.extend_from_slice(&details);
        body.push(b'}');
    }
    body.push(b'}');
    body
}

/// What a status is called: RFC 9110, section 15.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn text(response: &Response, keeps_alive: bool) -> String {
        String::from_utf8(response.encode(keeps_alive, false)).expect("it is text")
    }

    #[test]
    fn values_and_failures() {
        let value = Response::of(&Answer::Value(vec![8].into()));
        let expected = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n8";
        assert_eq!(text(&value, true), expected);

        let details = Pushback::encode(Some(Pushback::After(Duration::from_millis(1_200)))).into();
        let overloaded = Response::of(&Failure { details, ..Failure::new(Code::Overloaded, "full") }.into());
        assert_eq!((overloaded.status, overloaded.retry_after), (503, Some(2)));
        let body = r#"{"error":{"code":"overloaded","executed":"no","message":"full"}}"#;
        assert_eq!(String::from_utf8_lossy(&overloaded.body), body);

        let own = Failure { details: b"\xa1x".to_vec().into(), ..Failure::new(Code::Application, "") };
        let own = Response::of(&own.into());
        let body =
            r#"{"error":{"code":"application","executed":"yes","message":"the method's own error","details":"x"}}"#;
        assert_eq!((own.status, &String::from_utf8_lossy(&own.body)[..]), (422, body));
        assert_eq!(Response::of(&Answer::Value(vec![0x81, 0xc0, 1].into())).status, 500);
    }

    #[test]
    fn what_depends_on_the_connection() {
        assert_eq!(text(&Response::empty(200), true), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let closing = text(&Response::text(408, "late"), false);
        assert!(closing.contains("Connection: close\r\n") && closing.ends_with("\r\n\r\nlate\n"), "{closing}");
        let head = Response::text(200, "well").encode(true, true);
        assert!(head.ends_with(b"Content-Length: 5\r\n\r\n"));
    }
}
