//! The `Content-Length` before a message, as the Language Server Protocol has it: header fields as in HTTP, an empty line, the message.

use std::fmt;

/// Longest header part.
pub const HEAD_BYTES_MAX: usize = 1024;

/// Fields that a header part may have.
const FIELDS_MAX: usize = 8;

/// Where a message lies behind its header part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Where it begins.
    pub start: usize,
    /// Its length.
    pub len: usize,
}

/// Why there is no message.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// These are no header fields, or they are too long or too many.
    Fields,
    /// There is not exactly one `Content-Length`, or it is no number.
    Length,
    /// It is longer than the limit.
    TooLarge {
        /// The limit.
        max: usize,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields => f.write_str("what is before a message are no header fields"),
            Self::Length => f.write_str("a message has one Content-Length, a number"),
            Self::TooLarge { max } => write!(f, "a message is longer than {max} bytes"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Reads the header part at the beginning of `input`, once it is there as a whole.
///
/// ```
/// use fibra_rpc::dialect::json_rpc::framing::{Head, read};
///
/// assert_eq!(read(b"Content-Length: 2\r\n", 100), Ok(None));
/// assert_eq!(read(b"Content-Length: 2\r\n\r\n{}", 100), Ok(Some(Head { start: 21, len: 2 })));
/// ```
///
/// # Errors
///
/// [`Malformed`]
pub fn read(input: &[u8], max: usize) -> Result<Option<Head>, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let bounded = input.get(..HEAD_BYTES_MAX).unwrap_or(input);
    let (start, fields) = match httparse::parse_headers(bounded, &mut fields) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) if input.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Malformed::Fields),
    };
    let mut lengths = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("content-length"));
    let (Some(length), None) = (lengths.next(), lengths.next()) else { return Err(Malformed::Length) };
    let len = number(length.value).ok_or(Malformed::Length)?;
    if len > max { Err(Malformed::TooLarge { max }) } else { Ok(Some(Head { start, len })) }
}

/// A number as header fields have it: digits, and nothing else. What is too large for any limit is the largest.
pub(crate) fn number(digits: &[u8]) -> Option<usize> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| str::from_utf8(digits).ok()?.parse().ok().or(Some(usize::MAX))).flatten()
}

/// Puts its header part before a message.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let mut framed = format!("Content-Length: {}\r\n\r\n", message.len()).into_bytes();
    framed.extend_from_slice(message);
    framed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_fields_are_passed_over() {
        let head = b"content-length: 12\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n";
        assert_eq!(read(head, 12), Ok(Some(Head { start: head.len(), len: 12 })));
        assert_eq!(read(&frame(b"{}"), 2), Ok(Some(Head { start: 21, len: 2 })));
    }

    #[test]
    fn what_is_no_head() {
        for (head, why) in [
            (&b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n"[..], Malformed::Length),
            (b"Content-Type: x\r\n\r\n", Malformed::Length),
            (b"Content-Length: +1\r\n\r\n", Malformed::Length),
            (b"Content-Length: 1x\r\n\r\n", Malformed::Length),
            (b"Content-Length: \r\n\r\n", Malformed::Length),
            (b"Content-Length: 101\r\n\r\n", Malformed::TooLarge { max: 100 }),
            (b"Content-Length: 99999999999999999999999\r\n\r\n", Malformed::TooLarge { max: 100 }),
            (b"Content Length: 1\r\n\r\n", Malformed::Fields),
        ] {
            assert_eq!(read(head, 100), Err(why), "{}", head.escape_ascii());
        }
        let endless = vec![b'a'; HEAD_BYTES_MAX];
        assert_eq!(read(&endless[1..], 100), Ok(None));
        assert_eq!(read(&endless, 100), Err(Malformed::Fields));
    }
}
