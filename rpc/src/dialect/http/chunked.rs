//! A body in chunks: RFC 9112, section 7.1. What else chunks may say, in extensions and trailer fields, is passed over.
//!
//! Invariants:
//! * Each byte is looked at once, however the body is cut; the body is no longer than it may be, and neither is what is between its pieces.
//! * A line ends with carriage return and line feed, and with nothing else.

use super::Refused;

/// Longest extension of a chunk, and longest trailer section.
const ASIDE_BYTES_MAX: usize = 1024;

/// Digits that a chunk's size may have.
const SIZE_DIGITS_MAX: u32 = 8;

/// A body that comes in chunks.
#[derive(Clone, Debug)]
pub struct Chunked {
    body: Vec<u8>,
    bytes_max: usize,
    at: At,
    /// Bytes of this extension, or of all trailer fields.
    aside: usize,
}

/// Where in its form it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size { digits: u32, size: usize },
    Extension { size: usize },
    SizeEnd { size: usize },
    Data { left: usize },
    DataEnd,
    DataLineEnd,
    Trailer { is_empty: bool },
    TrailerEnd { is_empty: bool },
    End,
}

impl Chunked {
    /// Of a body that is no longer than that.
    pub fn new(bytes_max: usize) -> Self {
        Self { body: Vec::new(), bytes_max, at: At::Size { digits: 0, size: 0 }, aside: 0 }
    }

    /// Takes what it can of the next bytes, and returns how many those were: all of them, unless it [has ended](Self::has_ended).
    ///
    /// ```
    /// use fibra_rpc::dialect::http::chunked::Chunked;
    ///
    /// let mut chunked = Chunked::new(100);
    /// assert_eq!(chunked.take(b"3\r\nabc\r\n0\r"), Ok(10));
    /// assert_eq!(chunked.take(b"\n\r\nPOST"), Ok(3));
    /// assert!(chunked.has_ended());
    /// assert_eq!(chunked.into_body(), b"abc");
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`]
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Refused> {
        let mut taken = 0;
        while self.at != At::End {
            let Some((&byte, _)) = bytes.get(taken..).and_then(<[u8]>::split_first) else { break };
            if let At::Data { left } = self.at {
                let piece = bytes.get(taken..).unwrap_or_default();
                let piece = piece.get(..left).unwrap_or(piece);
                self.body.extend_from_slice(piece);
                taken += piece.len();
                let left = left - piece.len();
                self.at = if left == 0 { At::DataEnd } else { At::Data { left } };
                continue;
            }
            taken += 1;
            self.at = self.step(byte)?;
        }
        Ok(taken)
    }

    fn step(&mut self, byte: u8) -> Result<At, Refused> {
        Ok(match (self.at, byte) {
            (At::Size { digits, size }, _) if byte.is_ascii_hexdigit() => {
                if digits == SIZE_DIGITS_MAX {
                    return Err(Refused::bad("a chunk's size has too many digits"));
                }
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                At::Size { digits: digits + 1, size: size << 4 | digit as usize }
            }
            (At::Size { digits: 1.., size }, b'\r') => self.sized(size)?,
            (At::Size { digits: 1.., size }, b';') => At::Extension { size },
            (At::Size { .. }, _) => return Err(Refused::bad("a chunk's size is no number")),
            (At::Extension { size }, b'\r') => self.sized(size)?,
            (At::Extension { size }, b'\t' | 0x20..=0x7e | 0x80..) => {
                self.pass_over()?;
                At::Extension { size }
            }
            (At::SizeEnd { size: 0 }, b'\n') => {
                self.aside = 0;
                At::Trailer { is_empty: true }
            }
            (At::SizeEnd { size }, b'\n') => At::Data { left: size },
            (At::DataEnd, b'\r') => At::DataLineEnd,
            (At::DataLineEnd, b'\n') => {
                self.aside = 0;
                At::Size { digits: 0, size: 0 }
            }
            (At::Trailer { is_empty }, b'\r') => At::TrailerEnd { is_empty },
            // A field that goes on in the next line is none.
            (At::Trailer { is_empty: true }, b' ' | b'\t') => return Err(Refused::bad("a trailer field is malformed")),
            (At::Trailer { .. }, b'\t' | 0x20..=0x7e | 0x80..) => {
                self.pass_over()?;
                At::Trailer { is_empty: false }
            }
            (At::TrailerEnd { is_empty: true }, b'\n') => At::End,
            (At::TrailerEnd { is_empty: false }, b'\n') => At::Trailer { is_empty: true },
            _ => return Err(Refused::bad("a chunk ends where it should not, or its line does")),
        })
    }

    /// A chunk of that size is to come.
    fn sized(&self, size: usize) -> Result<At, Refused> {
        if size > self.bytes_max - self.body.len() { Err(Refused::TOO_LARGE) } else { Ok(At::SizeEnd { size }) }
    }

    fn pass_over(&mut self) -> Result<(), Refused> {
        self.aside += 1;
        let too_long = Refused { status: 431, reason: "what is beside the chunks is too long" };
        if self.aside > ASIDE_BYTES_MAX { Err(too_long) } else { Ok(()) }
    }

    /// Whether all of it has come.
    pub fn has_ended(&self) -> bool {
        self.at == At::End
    }

    /// How much has come of the body.
    pub fn held(&self) -> usize {
        self.body.len()
    }

    /// What has come of the body.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Result<(Vec<u8>, usize), Refused> {
        let mut chunked = Chunked::new(100);
        let taken = chunked.take(bytes)?;
        assert!(chunked.has_ended(), "cut");
        Ok((chunked.into_body(), taken))
    }

    #[test]
    fn pieces_extensions_and_trailers() {
        let whole = b"4;name=\"v\"\r\nabcd\r\n00A\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\n";
        assert_eq!(decode(whole), Ok((b"abcd0123456789".to_vec(), whole.len())));
        assert_eq!(decode(b"0\r\n\r\nGET"), Ok((vec![], 5)));
    }

    #[test]
    fn what_another_might_read_otherwise() {
        for bytes in [
            &b"\r\n"[..],
            b" 1\r\na\r\n0\r\n\r\n",
            b"1 \r\na\r\n0\r\n\r\n",
            b"+1\r\na\r\n0\r\n\r\n",
            b"-1\r\na\r\n0\r\n\r\n",
            b"0x1\r\na\r\n0\r\n\r\n",
            b"1\na\r\n0\r\n\r\n",
            b"1\r\nab\r\n0\r\n\r\n",
            b"2\r\na\r\n0\r\n\r\n",
            b"1\r\na0\r\n\r\n",
            b"1\r\na\n0\r\n\r\n",
            b"1;a\n\r\na\r\n0\r\n\r\n",
            b"1;a\rb\r\na\r\n0\r\n\r\n",
            b"0\r\n\n",
            b"0\r\nX: y\n\r\n",
            b"0\r\n X: y\r\n\r\n",
            b"000000001\r\na\r\n0\r\n\r\n",
            b"g\r\n",
        ] {
            assert_eq!(decode(bytes).map_err(|refused| refused.status), Err(400), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn it_has_limits() {
        assert_eq!(decode(b"65\r\n"), Err(Refused::TOO_LARGE));
        assert_eq!(decode(&[b"64\r\n", &[b'a'; 100][..], b"\r\n1\r\n"].concat()), Err(Refused::TOO_LARGE));
        assert_eq!(decode(b"ffffffff\r\n"), Err(Refused::TOO_LARGE));
        let aside = vec![b'a'; ASIDE_BYTES_MAX + 1];
        assert_eq!(decode(&[b"1;", &aside[..]].concat()).map_err(|refused| refused.status), Err(431));
        let trailers = b"a: b\r\n".repeat(ASIDE_BYTES_MAX);
        assert_eq!(decode(&[b"0\r\n", &trailers[..]].concat()).map_err(|refused| refused.status), Err(431));
    }

    proptest! {
        #[test]
        fn how_it_is_cut_makes_no_difference(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..5),
            step in 1..7_usize,
        ) {
            let mut bytes = Vec::new();
            for piece in &pieces {
                bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                bytes.extend_from_slice(piece);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            let mut chunked = Chunked::new(1000);
            for part in bytes.chunks(step) {
                prop_assert_eq!(chunked.take(part), Ok(part.len()));
            }
            prop_assert!(chunked.has_ended());
            prop_assert_eq!(chunked.into_body(), pieces.concat());
        }

        #[test]
        fn random_bytes_never_panic(bytes in "[0-9a-f;\r\n x]{0,60}") {
            let mut chunked = Chunked::new(50);
            if chunked.take(bytes.as_bytes()).is_ok() {
                prop_assert!(chunked.into_body().len() <= 50);
            }
        }
    }
}
