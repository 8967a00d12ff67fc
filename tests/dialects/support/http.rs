//! HTTP as a client of it writes and reads it.

use serde_json::Value;

use super::peer::Peer;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| &value[..])
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.field("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The code of a failure.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().expect("a code").to_owned()
    }
}

/// A request with JSON.
pub(crate) fn post(path: &str, json: &str) -> String {
    post_with(path, "", json)
}

/// The same, with more header fields.
pub(crate) fn post_with(path: &str, fields: &str, json: &str) -> String {
    let len = json.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{fields}Content-Length: {len}\r\n\r\n{json}"
    )
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

impl Peer {
    /// The next answer; of a HEAD, which has no body, too. `None` at the end.
    fn http_answer(&mut self, has_body: bool) -> Option<Response> {
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.receive() {
                assert!(self.buffer.is_empty(), "cut: {:?}", self.buffer);
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.drain(..head_end).collect()).expect("a head is text");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).expect("a status line");
        let status = status[..3].parse().expect("a status");
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields: Vec<_> = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let len =
            fields.iter().find(|(name, _)| name == "content-length").map(|(_, len)| len.parse().expect("a number"));
        let len = if has_body { len.unwrap_or(0) } else { 0 };
        while self.buffer.len() < len {
            assert!(self.receive(), "the body is cut");
        }
        Some(Response { status, fields, body: self.buffer.drain(..len).collect() })
    }

    pub(crate) fn answer(&mut self) -> Option<Response> {
        self.http_answer(true)
    }

    /// What a request is answered with.
    pub(crate) fn request(&mut self, request: &str) -> Response {
        self.send(request);
        self.http_answer(!request.starts_with("HEAD")).expect("an answer")
    }
}
