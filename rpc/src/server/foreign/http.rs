//! A connection that speaks HTTP/1.1: one request after the other, each answered before the next is looked at.
//!
//! | request | answer |
//! |---|---|
//! | `POST` on the [path](crate::server::Builder::json_rpc_path) of JSON-RPC, by default `/` | as JSON-RPC 2.0 has it |
//! | `POST /calculator/add` | the method's value, as JSON |
//! | `GET /healthz` | 200 or 503 |
//! | `GET /metrics` | the counts, if the server [counts](crate::server::Builder::metrics) |
//!
//! Requests run on the connection's own fiber: HTTP's answers are in order, so none could overtake another. Those to requests that came together leave
//! together.
//!
//! Bodies are JSON by name: a page of another site could send anything else from a browser without having been allowed to.

use std::rc::Rc;
use std::time::Instant;

use fibra_scheduler::clock;

use super::call::{Asked, Shape};
use super::input::{Input, Lost};
use super::json_rpc::Taken;
use super::{End, Foreign, Room, Turn};
use crate::dialect::answer::{Answer, Failure};
use crate::dialect::beside::Beside;
use crate::dialect::http::chunked::Chunked;
use crate::dialect::http::head::{self, Body, Head};
use crate::dialect::http::response::{JSON, Response};
use crate::dialect::http::{Refused, fields};
use crate::dialect::json::to_msgpack;
use crate::health::Status;
use crate::limits::{HTTP_HEAD_TIMEOUT, HTTP_IDLE_TIMEOUT};
use crate::wire::failure::Code;

/// Why there is no request.
enum NoRequest {
    /// The client is told so.
    Refused(Refused),
    End(End),
}

impl From<Refused> for NoRequest {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Lost> for NoRequest {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Slow => Self::Refused(Refused::SLOW),
            Lost::Full => Self::Refused(Refused::FULL),
            Lost::Io(error) => Self::End(End::Io(error)),
        }
    }
}

/// A request that has come as a whole.
struct Request {
    head: Head,
    body: Vec<u8>,
    read_at: Instant,
}

impl Foreign {
    /// Reads and answers requests, until there are no more.
    pub(super) fn speak_http(self: &Rc<Self>, input: &mut Input) -> Result<(), End> {
        loop {
            let request = match self.next_request(input) {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(()),
                Err(NoRequest::End(end)) => return Err(end),
                Err(NoRequest::Refused(refused)) => {
                    let answer = Response::text(refused.status, refused.reason).encode(false, false);
                    return Err(End::Told { answer, reason: refused.reason.to_owned() });
                }
            };
            let response = self.acting(|| self.answer_http(&request));
            let keeps_alive = request.head.keeps_alive && !self.context.stage.is_draining();
            self.queue(response.encode(keeps_alive, request.head.method == "HEAD"));
            if !keeps_alive {
                return Err(End::Over);
            }
        }
    }

    fn next_request(&self, input: &mut Input) -> Result<Option<Request>, NoRequest> {
        let Some(head) = self.next_head(input)? else { return Ok(None) };
        let whole_by = clock::now().checked_add(self.context.frame_timeout);
        if head.expects_continue && input.bytes().is_empty() {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
        }
        let body = match head.body {
            Body::Length(len) => {
                while input.bytes().len() < len {
                    self.read_on(input, whole_by)?;
                }
                input.take(len)
            }
            Body::Chunked => {
                let mut chunked = Chunked::new(self.context.limits.frame_bytes);
                loop {
                    let taken = chunked.take(input.bytes())?;
                    input.skip(taken);
                    if chunked.has_ended() {
                        input.held_beside(0);
                        break chunked.into_body();
                    }
                    input.held_beside(chunked.held());
                    self.read_on(input, whole_by)?;
                }
            }
        };
        Ok(Some(Request { head, body, read_at: input.read_at() }))
    }

    fn next_head(&self, input: &mut Input) -> Result<Option<Head>, NoRequest> {
        if input.bytes().is_empty() {
            let idle_until = clock::now().checked_add(HTTP_IDLE_TIMEOUT);
            match self.read(input, idle_until) {
                Ok(true) => {}
                Ok(false) | Err(Lost::Slow) => return Ok(None),
                Err(lost) => return Err(lost.into()),
            }
        }
        let head_by = clock::now().checked_add(HTTP_HEAD_TIMEOUT);
        loop {
            if let Some((head, len)) = head::read(input.bytes(), self.context.limits.frame_bytes)? {
                input.skip(len);
                return Ok(Some(head));
            }
            self.read_on(input, head_by)?;
        }
    }

    /// More of a request that has begun.
    fn read_on(&self, input: &mut Input, by: Option<Instant>) -> Result<(), NoRequest> {
        if self.read(input, by)? {
            return Ok(());
        }
        Err(NoRequest::End(End::Malformed("the connection ends within a request".to_owned())))
    }

    fn answer_http(self: &Rc<Self>, request: &Request) -> Response {
        let Request { head, body, .. } = request;
        let is_read = matches!(&head.method[..], "GET" | "HEAD");
        match &head.path[..] {
            "/healthz" if is_read => self.health(),
            "/metrics" if is_read => self.metrics(),
            "/healthz" | "/metrics" => not_allowed("GET, HEAD"),
            _ if head.method != "POST" => not_allowed("POST"),
            _ if !is_json(head) => Response::text(415, "a call is JSON: Content-Type: application/json"),
            path => {
                let beside = match fields::beside(head) {
                    Ok(beside) => beside,
                    Err(refused) => return Response::text(refused.status, refused.reason),
                };
                let turn = Turn { read_at: request.read_at, room: Room::Some };
                if path == self.context.json_rpc_path {
                    let answer = self.answer_json(body, Taken::Two, &beside, turn);
                    // Clients know 204 less well than nothing.
                    return if answer.is_empty() { Response::empty(200) } else { Response::json(200, answer) };
                }
                Response::of(&self.call_by_path(path, body, beside, turn))
            }
        }
    }

    /// A call whose method is its path, and whose parameters its body is.
    fn call_by_path(&self, path: &str, body: &[u8], beside: Beside, turn: Turn) -> Answer {
        let bad = |complaint: String| Failure::new(Code::BadArguments, complaint).into();
        let params = match str::from_utf8(body) {
            Ok(json) if json.trim_ascii().is_empty() => Vec::new(),
            Ok(json) => match to_msgpack(json) {
                Ok(params) => params,
                Err(error) => return bad(error.to_string()),
            },
            Err(error) => return bad(error.to_string()),
        };
        let method = path.strip_prefix('/').unwrap_or(path);
        let asked = Asked { method, params, shape: Shape::Plain, one_way: false, beside };
        // One that is awaited has an answer.
        self.call(asked, turn).unwrap_or_else(|| bad("no answer".to_owned()))
    }

    fn health(&self) -> Response {
        match self.context.health.as_ref().map(|health| health.check("")) {
            None => Response::text(404, "not found"),
            Some(Status::Serving) => Response::text(200, "serving"),
            Some(_) => Response::text(503, "not serving"),
        }
    }

    fn metrics(&self) -> Response {
        if self.context.metrics.is_none() {
            return Response::text(404, "not found");
        }
        let body = self.context.render_metrics().into_bytes();
        Response { content_type: Some("text/plain; version=0.0.4; charset=utf-8"), body, ..Response::empty(200) }
    }
}

fn not_allowed(allow: &'static str) -> Response {
    Response { allow: Some(allow), ..Response::text(405, "method not allowed") }
}

/// Whether a body says that it is JSON, and that it is nothing more than that. One that says nothing is empty.
fn is_json(head: &Head) -> bool {
    let kind = |value: &[u8]| {
        let kind = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        kind == JSON.as_bytes() || kind == b"application/json-rpc" || kind == b"application/jsonrequest"
    };
    let is_plain = head.values("content-encoding").all(|coding| coding.eq_ignore_ascii_case(b"identity"));
    is_plain && matches!(head.value("content-type"), Ok(Some(value)) if kind(value))
}
