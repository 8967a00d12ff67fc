//! An answer, as who has asked for it reads it: a head, and a body of a known length, in chunks, or until the connection ends.
//!
//! Source: RFC 9112 (HTTP/1.1), section 6.
//!
//! Invariants:
//! * No more is held than the longest head, the longest body, and the last piece. What a head announces is not allocated before it comes.
//! * How an answer is cut into pieces makes no difference to what it says.

use std::fmt;

use super::chunked::Chunked;
use crate::dialect::json_rpc::framing::number;

/// Longest head, together with those before it that are of no final answer.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Fields that a head may have.
const FIELDS_MAX: usize = 64;

/// An answer, read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Such as 200.
    pub status: u16,
    /// Without the form in which it came.
    pub body: Vec<u8>,
    /// Whether another may come over the same connection.
    pub is_reusable: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// What came is none; why, for people.
    Malformed(String),
    /// Its body is longer than so many bytes.
    TooLarge(usize),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) => f.write_str(reason),
            Self::TooLarge(max) => write!(f, "over the limit of {max} bytes"),
        }
    }
}

impl std::error::Error for NoAnswer {}

/// Reads the one answer to a request.
///
/// ```
/// use fibra_rpc::dialect::http::receiver::Receiver;
///
/// let mut receiver = Receiver::new(100);
/// assert_eq!(receiver.take(b"HTTP/1.1 200 OK\r\nContent-Le"), Ok(None));
/// let received = receiver.take(b"ngth: 1\r\n\r\n8")?.expect("all of it is there");
/// assert_eq!((received.status, &received.body[..], received.is_reusable), (200, &b"8"[..], true));
/// # Ok::<(), fibra_rpc::dialect::http::receiver::NoAnswer>(())
/// ```
#[derive(Clone, Debug)]
pub struct Receiver {
    at: At,
    bytes_max: usize,
    /// What has come of the head, or of a body that has no other form.
    buffer: Vec<u8>,
    /// Bytes of heads before this one.
    before: usize,
}

/// Where in the answer it is.
#[derive(Clone, Debug)]
enum At {
    Head,
    Length(Final, usize),
    Chunks(Final, Box<Chunked>),
    UntilTheEnd(Final),
}

/// What the head of the answer says besides how long it is.
#[derive(Clone, Copy, Debug)]
struct Final {
    status: u16,
    keeps_alive: bool,
}

/// What a head says.
struct Head {
    status: u16,
    len: usize,
    length: Length,
    keeps_alive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
    UntilTheEnd,
}

impl Receiver {
    /// Of an answer whose body is no longer than that.
    pub fn new(bytes_max: usize) -> Self {
        Self { at: At::Head, bytes_max, buffer: Vec::new(), before: 0 }
    }

    /// Takes what has come next; the answer, once it is there as a whole. After that, and after an error, there is nothing more to be had of it.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`]
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Received>, NoAnswer> {
        if let At::Chunks(head, chunked) = &mut self.at {
            return take_chunks(*head, chunked, bytes);
        }
        self.buffer.extend_from_slice(bytes);
        if matches!(self.at, At::Head) && !self.take_heads()? {
            return Ok(None);
        }
        match &mut self.at {
            At::Head => Ok(None),
            At::Chunks(head, chunked) => take_chunks(*head, chunked, &std::mem::take(&mut self.buffer)),
            At::Length(_, len) if self.buffer.len() < *len => Ok(None),
            At::Length(head, len) => {
                let is_over = self.buffer.len() == *len;
                self.buffer.truncate(*len);
                Ok(Some(head.with(std::mem::take(&mut self.buffer), is_over)))
            }
            At::UntilTheEnd(_) if self.buffer.len() > self.bytes_max => Err(NoAnswer::TooLarge(self.bytes_max)),
            At::UntilTheEnd(_) => Ok(None),
        }
    }

    /// The answer, if it is whole now that the connection has ended.
    pub fn end(self) -> Option<Received> {
        match self.at {
            At::UntilTheEnd(head) => Some(head.with(self.buffer, false)),
            _ => None,
        }
    }

    /// Takes heads up to that of the final answer; whether that was there.
    fn take_heads(&mut self) -> Result<bool, NoAnswer> {
        loop {
            let head = head(&self.buffer).map_err(NoAnswer::Malformed)?;
            let len = head.as_ref().map_or(self.buffer.len(), |head| head.len);
            if self.before + len > HEAD_BYTES_MAX {
                return Err(NoAnswer::Malformed("its head is too long".to_owned()));
            }
            let Some(head) = head else { return Ok(false) };
            self.buffer.drain(..len);
            // Of those that come before the answer, none is asked for.
            if head.status < 200 {
                self.before += len;
                continue;
            }
            let kept = Final { status: head.status, keeps_alive: head.keeps_alive };
            self.at = match head.length {
                Length::Known(len) if len > self.bytes_max => return Err(NoAnswer::TooLarge(self.bytes_max)),
                Length::Known(len) => At::Length(kept, len),
                Length::Chunked => At::Chunks(kept, Box::new(Chunked::new(self.bytes_max))),
                Length::UntilTheEnd => At::UntilTheEnd(kept),
            };
            return Ok(true);
        }
    }
}

impl Final {
    /// `is_over`: nothing came behind it.
    fn with(self, body: Vec<u8>, is_over: bool) -> Received {
        Received { status: self.status, body, is_reusable: self.keeps_alive && is_over }
    }
}

fn take_chunks(head: Final, chunked: &mut Chunked, bytes: &[u8]) -> Result<Option<Received>, NoAnswer> {
    let taken = chunked.take(bytes).map_err(|refused| NoAnswer::Malformed(refused.reason.to_owned()))?;
    if !chunked.has_ended() {
        return Ok(None);
    }
    let body = std::mem::replace(chunked, Chunked::new(0)).into_body();
    Ok(Some(head.with(body, taken == bytes.len())))
}

/// Reads the head at the beginning of `input`, once it is there as a whole.
///
/// # Errors
///
/// Why it is none, for people.
fn head(input: &[u8]) -> Result<Option<Head>, String> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let len = match response.parse(input) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("it is no HTTP: {error}")),
    };
    let status = response.code.unwrap_or_default();
    if status < 100 || status == 101 {
        return Err(format!("its status is {status}"));
    }
    let fields = |name: &'static str| {
        let fields = response.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        fields.map(|field| field.value)
    };
    let has = |name, word: &str| {
        fields(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|value| value.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    let mut lengths = fields("content-length");
    let length = match (fields("transfer-encoding").next().is_some(), lengths.next()) {
        _ if status < 200 || status == 204 || status == 304 => Length::Known(0),
        (true, Some(_)) => return Err("it has a length and chunks".to_owned()),
        (true, None) if fields("transfer-encoding").count() == 1 && has("transfer-encoding", "chunked") => {
            Length::Chunked
        }
        (true, None) => return Err("it is encoded in a way that was not asked for".to_owned()),
        (false, Some(len)) if lengths.all(|other| other == len) => {
            Length::Known(number(len).ok_or_else(|| "its length is no number".to_owned())?)
        }
        (false, Some(_)) => return Err("it has two lengths".to_owned()),
        (false, None) => Length::UntilTheEnd,
    };
    let keeps_alive =
        if response.version == Some(1) { !has("connection", "close") } else { has("connection", "keep-alive") };
    Ok(Some(Head { status, len, length, keeps_alive }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn length(fields: &str) -> Result<Length, String> {
        let head = head(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes())?;
        Ok(head.expect("a whole head").length)
    }

    #[test]
    fn heads_say_how_long_the_body_is() {
        assert_eq!(length("Content-Length: 7\r\n"), Ok(Length::Known(7)));
        assert_eq!(length("content-length: 7\r\nContent-Length: 7\r\n"), Ok(Length::Known(7)));
        assert_eq!(length("Transfer-Encoding: Chunked\r\n"), Ok(Length::Chunked));
        assert_eq!(length("Server: x\r\n"), Ok(Length::UntilTheEnd));
        for fields in [
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Content-Length: -7\r\n",
            "Content-Length: x\r\n",
        ] {
            assert!(length(fields).is_err(), "{fields}");
        }
    }

    #[test]
    fn a_connection_is_kept_as_its_version_has_it() {
        let keeps = |text: &str| head(text.as_bytes()).expect("a head").expect("a whole one").keeps_alive;
        assert!(keeps("HTTP/1.1 200 OK\r\n\r\n") && keeps("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n"));
        assert!(!keeps("HTTP/1.0 200 OK\r\n\r\n") && !keeps("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n"));
        assert!(matches!(head(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(None)));
        for text in ["SSH-2.0-x\r\n", "HTTP/1.1 099 No\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"] {
            assert!(head(text.as_bytes()).is_err(), "{text}");
        }
    }

    const MAX: usize = 10;

    /// What comes of these bytes, so many at a time, if the connection ends behind them.
    fn received(bytes: &[u8], step: usize) -> Result<Option<Received>, NoAnswer> {
        let mut receiver = Receiver::new(MAX);
        for piece in bytes.chunks(step) {
            if let Some(received) = receiver.take(piece)? {
                return Ok(Some(received));
            }
        }
        Ok(receiver.end())
    }

    fn body(text: &str, step: usize) -> Option<(u16, String, bool)> {
        let received = received(text.as_bytes(), step).unwrap_or_else(|no_answer| panic!("{text}: {no_answer}"))?;
        Some((received.status, String::from_utf8(received.body).expect("it is text"), received.is_reusable))
    }

    #[test]
    fn bodies_in_every_form() {
        for step in [1, 7, 1000] {
            let (ok, nothing) = ("HTTP/1.1 200 OK\r\n", || Some((204, String::new(), true)));
            let whole = |keeps| Some((200, "abc".to_owned(), keeps));
            assert_eq!(body(&format!("{ok}Content-Length: 3\r\n\r\nabc"), step), whole(true));
            assert_eq!(body(&format!("{ok}Content-Length: 3\r\nConnection: close\r\n\r\nabc"), step), whole(false));
            assert_eq!(body(&format!("{ok}Content-Length: 3\r\n\r\nab"), step), None);
            let chunks = "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n";
            assert_eq!(body(&format!("{ok}{chunks}\r\n"), step), whole(true));
            assert_eq!(body(&format!("{ok}{chunks}"), step), None);
            assert_eq!(body(&format!("{ok}\r\nabc"), step), whole(false));
            assert_eq!(body("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", step), nothing());
            assert_eq!(body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", step), nothing());
        }
        let behind = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200";
        assert_eq!(body(behind, 1000), Some((200, "abc".to_owned(), false)), "nothing else was asked for");
    }

    #[test]
    fn what_is_too_long_is_no_answer() {
        let long = "x".repeat(MAX + 1);
        for step in [1, 7, 100_000] {
            let of = |text: &str| received(text.as_bytes(), step);
            let too_large = Err(NoAnswer::TooLarge(MAX));
            assert_eq!(of(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", long.len())), too_large);
            assert_eq!(of(&format!("HTTP/1.1 200 OK\r\n\r\n{long}")), too_large, "also if all comes at once");
            let chunks = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{long}\r\n0\r\n\r\n");
            assert!(of(&chunks).is_err());
            let field = "x".repeat(HEAD_BYTES_MAX);
            assert!(of(&format!("HTTP/1.1 200 OK\r\nA: {field}\r\nContent-Length: 0\r\n\r\n")).is_err());
            let before = "HTTP/1.1 100 Continue\r\n\r\n".repeat(HEAD_BYTES_MAX / 20);
            assert!(of(&format!("{before}HTTP/1.1 204 No Content\r\n\r\n")).is_err(), "they do not come for ever");
        }
    }

    proptest! {
        #[test]
        fn how_it_is_cut_makes_no_difference(bytes in "[ -~\r\n]{0,60}", step in 1..30_usize, form in 0..4_usize) {
            let form = ["", "\r\n", "Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"][form];
            let bytes = format!("HTTP/1.1 200 OK\r\n{form}{bytes}");
            let said = |step| received(bytes.as_bytes(), step).map(|received| received.map(|received| received.body));
            prop_assert_eq!(said(step), said(bytes.len()));
        }
    }
}
