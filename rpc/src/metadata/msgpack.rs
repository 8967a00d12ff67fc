//! The little of MessagePack that metadata is made of: maps, text and bytes.
//!
//! Source: the MessagePack specification, "Formats".
//!
//! Invariant: what is written is the shortest form; every form is read.

use super::{Unacceptable, Value};

/// How many entries the map has that begins here.
pub(super) fn map_header(rest: &mut &[u8]) -> Result<usize, Unacceptable> {
    let [marker] = take(rest)?;
    match marker {
        0x80..=0x8f => Ok(usize::from(marker & 0x0f)),
        0xde => length::<2>(rest),
        0xdf => length::<4>(rest),
        _ => Err(Unacceptable::Malformed),
    }
}

/// A key and its value.
pub(super) fn entry<'a>(rest: &mut &'a [u8]) -> Result<(&'a str, Value<'a>), Unacceptable> {
    match (value(rest)?, value(rest)?) {
        (Value::Text(key), value) => Ok((key, value)),
        (Value::Bytes(_), _) => Err(Unacceptable::Malformed),
    }
}

fn value<'a>(rest: &mut &'a [u8]) -> Result<Value<'a>, Unacceptable> {
    let [marker] = take(rest)?;
    let (is_text, len) = match marker {
        0xa0..=0xbf => (true, usize::from(marker & 0x1f)),
        0xd9 => (true, length::<1>(rest)?),
        0xda => (true, length::<2>(rest)?),
        0xdb => (true, length::<4>(rest)?),
        0xc4 => (false, length::<1>(rest)?),
        0xc5 => (false, length::<2>(rest)?),
        0xc6 => (false, length::<4>(rest)?),
        _ => return Err(Unacceptable::Malformed),
    };
    let (bytes, tail) = rest.split_at_checked(len).ok_or(Unacceptable::Malformed)?;
    *rest = tail;
    if is_text {
        std::str::from_utf8(bytes).map(Value::Text).map_err(|_| Unacceptable::Malformed)
    } else {
        Ok(Value::Bytes(bytes))
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Unacceptable> {
    let (head, tail) = rest.split_first_chunk().ok_or(Unacceptable::Malformed)?;
    *rest = tail;
    Ok(*head)
}

fn length<const N: usize>(rest: &mut &[u8]) -> Result<usize, Unacceptable> {
    Ok(take::<N>(rest)?.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)))
}

/// The header of a map, and how long that is.
pub(super) fn map_header_of(entries: u8) -> ([u8; 3], usize) {
    match entries {
        0..=15 => ([0x80 | entries, 0, 0], 1),
        _ => ([0xde, 0, entries], 3),
    }
}

/// How long the header of a map is.
pub(super) fn map_header_len(entries: usize) -> usize {
    if entries <= 15 { 1 } else { 3 }
}

/// How long a text of `len` bytes is with its header.
pub(super) fn text_len(len: usize) -> usize {
    let header = match len {
        0..=31 => 1,
        32..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 5,
    };
    len.saturating_add(header)
}

/// How long a value is with its header.
pub(super) fn value_len(value: Value<'_>) -> usize {
    match value {
        Value::Text(text) => text_len(text.len()),
        // As text, but for the short form.
        Value::Bytes(bytes) => text_len(bytes.len()) + usize::from(bytes.len() <= 31),
    }
}

pub(super) fn push_value(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Text(text) => push_text(out, text),
        Value::Bytes(bytes) => {
            push_header(out, [0xc4, 0xc5, 0xc6], bytes.len());
            out.extend_from_slice(bytes);
        }
    }
}

pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    match u8::try_from(text.len()) {
        Ok(len @ 0..=31) => out.push(0xa0 | len),
        _ => push_header(out, [0xd9, 0xda, 0xdb], text.len()),
    }
    out.extend_from_slice(text.as_bytes());
}

/// A marker for a length of one, two or four bytes, and the length.
fn push_header(out: &mut Vec<u8>, markers: [u8; 3], len: usize) {
    // What is pushed is within the limit of metadata, so no length is longer than that.
    let [.., b0, b1, b2, b3] = (len as u64).to_be_bytes();
    match len {
        0..=0xff => out.extend_from_slice(&[markers[0], b3]),
        0x100..=0xffff => out.extend_from_slice(&[markers[1], b2, b3]),
        _ => out.extend_from_slice(&[markers[2], b0, b1, b2, b3]),
    }
}
