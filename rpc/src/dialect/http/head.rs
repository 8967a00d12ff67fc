//! The head of a request: what is asked for, and how long its body is.
//!
//! Invariant: a head that is taken can be read in one way only, by us and by whoever stands between the client and us.

use httparse::{EMPTY_HEADER, Status};

use super::Refused;
use crate::dialect::json_rpc::framing::number;

/// Longest head.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Fields that a head may have.
pub const FIELDS_MAX: usize = 64;

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Such as `POST`.
    pub method: String,
    /// Without what is behind a question mark.
    pub path: String,
    /// How its body comes.
    pub body: Body,
    /// Whether another request may follow.
    pub keeps_alive: bool,
    /// The client waits to be told to send the body.
    pub expects_continue: bool,
    /// All of them, names in lower case, values without blanks around them.
    pub fields: Vec<(String, Vec<u8>)>,
}

/// How a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(usize),
    /// In [chunks](super::chunked).
    Chunked,
}

/// Reads the head that `input` begins with, once it is there as a whole; and its length.
///
/// ```
/// use fibra_rpc::dialect::http::head::read;
///
/// let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// let (head, len) = read(request, 100)?.expect("all of it is there");
/// assert_eq!((&head.method[..], &head.path[..], len), ("GET", "/healthz", request.len()));
/// # Ok::<(), fibra_rpc::dialect::http::Refused>(())
/// ```
///
/// # Errors
///
/// [`Refused`]; also if the body is said to be longer than `body_bytes_max`.
pub fn read(input: &[u8], body_bytes_max: usize) -> Result<Option<(Head, usize)>, Refused> {
    let mut fields = [EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let bounded = input.get(..HEAD_BYTES_MAX).unwrap_or(input);
    let len = match request.parse(bounded) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) if input.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Refused { status: 431, reason: "the header fields are too long or too many" });
        }
        Err(httparse::Error::Version) => {
            return Err(Refused { status: 505, reason: "the version is neither HTTP/1.0 nor HTTP/1.1" });
        }
        Err(_) => return Err(Refused::bad("the request line or a header field is malformed")),
    };
    // httparse takes a line feed alone for the end of a line; others may take it for a part of it.
    let head = bounded.get(..len).unwrap_or_default();
    let lines = head.iter().filter(|&&byte| byte == b'\n').count();
    if head.windows(2).filter(|pair| pair == b"\r\n").count() != lines {
        return Err(Refused::bad("a line ends without a carriage return"));
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Refused::bad("the request line is malformed"));
    };
    let fields = request.headers.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())).collect();
    let is_old = minor == 0;
    let mut head = Head {
        method: method.to_owned(),
        path: path(target)?,
        body: Body::Length(0),
        keeps_alive: !is_old,
        expects_continue: false,
        fields,
    };
    head.body = head.body(is_old, body_bytes_max)?;
    head.look_at_hosts(is_old)?;
    head.look_at_connection(is_old)?;
    Ok(Some((head, len)))
}

/// The path of a target: in the origin form, or in the absolute form, which proxies send.
fn path(target: &str) -> Result<String, Refused> {
    let origin = match target.split_once("://") {
        Some(("http" | "https", behind)) => behind.find('/').and_then(|at| behind.get(at..)).unwrap_or("/"),
        _ => target,
    };
    let path = origin.split(['?', '#']).next().unwrap_or_default();
    if path.starts_with('/') || path == "*" { Ok(path.to_owned()) } else { Err(Refused::bad("the target is no path")) }
}

impl Head {
    /// The values of all fields of that name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| &value[..])
    }

    /// The value of the one field of that name.
    ///
    /// # Errors
    ///
    /// [`Refused`]: there are several.
    pub fn value(&self, name: &str) -> Result<Option<&[u8]>, Refused> {
        let mut values = self.values(name);
        let value = values.next();
        if values.next().is_some() { Err(Refused::bad("a header field comes twice")) } else { Ok(value) }
    }

    fn body(&self, is_old: bool, max: usize) -> Result<Body, Refused> {
        let length = self.value("content-length").map_err(|_| Refused::bad("there are two lengths"))?;
        let mut codings = self.values("transfer-encoding");
        match (length, codings.next(), codings.next()) {
            (None, None, _) => Ok(Body::Length(0)),
            (Some(length), None, _) => match number(length) {
                None => Err(Refused::bad("the length is no number")),
                Some(length) if length > max => Err(Refused::TOO_LARGE),
                Some(length) => Ok(Body::Length(length)),
            },
            (Some(_), Some(_), _) => Err(Refused::bad("there are a length and a transfer coding")),
            (None, Some(_), _) if is_old => Err(Refused::bad("HTTP/1.0 has no transfer codings")),
            (None, Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
            (None, Some(_), _) => Err(Refused { status: 501, reason: "of transfer codings there is only `chunked`" }),
        }
    }

    fn look_at_hosts(&self, is_old: bool) -> Result<(), Refused> {
        match (self.value("host")?, is_old) {
            (None, false) => Err(Refused::bad("there is no host")),
            _ => Ok(()),
        }
    }

    fn look_at_connection(&mut self, is_old: bool) -> Result<(), Refused> {
        let options = self.values("connection").flat_map(|value| value.split(|&byte| byte == b','));
        let options: Vec<_> = options.map(|option| option.trim_ascii().to_ascii_lowercase()).collect();
        self.keeps_alive = !options.iter().any(|option| option == b"close")
            && (!is_old || options.iter().any(|option| option == b"keep-alive"));
        match self.value("expect")? {
            None => {}
            Some(what) if what.eq_ignore_ascii_case(b"100-continue") => self.expects_continue = !is_old,
            Some(_) => return Err(Refused { status: 417, reason: "nothing but 100-continue can be expected" }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 1000;

    fn head(fields: &str) -> Result<Head, Refused> {
        let text = format!("POST /calculator/add?x=1 HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        read(text.as_bytes(), MAX).map(|head| head.expect("all of it is there").0)
    }

    #[test]
    fn what_a_head_says() {
        let head = head("Content-Length:  12 \r\nX-Tenant: A b\r\nExpect: 100-Continue\r\n").expect("a head");
        assert_eq!((&head.method[..], &head.path[..], head.body), ("POST", "/calculator/add", Body::Length(12)));
        assert!(head.keeps_alive && head.expects_continue);
        assert_eq!(head.value("x-tenant"), Ok(Some(&b"A b"[..])));
    }

    #[test]
    fn two_readings_are_one_too_many() {
        for fields in [
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length:\r\n",
            "Content-Length : 5\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding : chunked\r\n",
            " Transfer-Encoding: chunked\r\n",
            "X: a\r\n Transfer-Encoding: chunked\r\n",
            "X: a\r\n\tb\r\n",
            "X: a\nTransfer-Encoding: chunked\r\n",
            "X: a\rb\r\n",
            "X: a\0b\r\n",
            "Host: b\r\n",
            "\u{1}X: a\r\n",
        ] {
            assert_eq!(head(fields).map_err(|refused| refused.status), Err(400), "{fields:?}");
        }
        for fields in [
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: \u{b}chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: identity\r\n",
        ] {
            let status = head(fields).map_err(|refused| refused.status);
            assert!(matches!(status, Err(400 | 501)), "{fields:?}: {status:?}");
        }
        let status = |text: &str| read(text.as_bytes(), MAX).map_err(|refused| refused.status);
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), Err(400), "no host");
        assert_eq!(status("GET / HTTP/1.1\nHost: a\n\n"), Err(400));
        assert_eq!(status("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), Err(400));
        assert_eq!(status("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), Err(400));
        assert_eq!(status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(400));
        assert_eq!(status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Err(505));
    }

    #[test]
    fn lengths_and_limits() {
        assert_eq!(head("Transfer-Encoding: Chunked\r\n").map(|head| head.body), Ok(Body::Chunked));
        assert_eq!(head("").map(|head| head.body), Ok(Body::Length(0)));
        assert_eq!(head("Content-Length: 1000\r\n").map(|head| head.body), Ok(Body::Length(1000)));
        assert_eq!(head("Content-Length: 1001\r\n"), Err(Refused::TOO_LARGE));
        assert_eq!(head("Content-Length: 99999999999999999999999\r\n"), Err(Refused::TOO_LARGE));
        let many = "X: a\r\n".repeat(FIELDS_MAX);
        assert_eq!(head(&many).map_err(|refused| refused.status), Err(431));
        let long = [b"GET / HTTP/1.1\r\nHost: ", &vec![b'a'; HEAD_BYTES_MAX][..]].concat();
        assert_eq!(read(&long[..HEAD_BYTES_MAX - 1], MAX), Ok(None));
        assert_eq!(read(&long, MAX).map_err(|refused| refused.status), Err(431));
        assert_eq!(head("Expect: miracles\r\n").map_err(|refused| refused.status), Err(417));
    }

    #[test]
    fn whether_another_request_may_follow() {
        let keeps = |text: &str| read(text.as_bytes(), MAX).expect("a head").expect("whole").0.keeps_alive;
        assert!(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
        assert!(!keeps("GET / HTTP/1.0\r\n\r\n"));
        assert!(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    }

    #[test]
    fn targets() {
        for (target, expected) in
            [("/", "/"), ("/a/b?c=/d", "/a/b"), ("http://host:80/a", "/a"), ("https://host", "/"), ("*", "*")]
        {
            assert_eq!(path(target).as_deref(), Ok(expected));
        }
        assert!(path("ftp://a/b").is_err());
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(&bytes, MAX);
            let _ = read(&[b"POST / HTTP/1.1\r\n", &bytes[..], b"\r\n\r\n"].concat(), MAX);
        }

        #[test]
        fn how_it_is_cut_makes_no_difference(cut in any::<prop::sample::Index>()) {
            let text = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
            prop_assert_eq!(read(&text[..cut.index(text.len())], MAX), Ok(None));
        }
    }
}
