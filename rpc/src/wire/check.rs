//! Looks a MessagePack body over before serde sees it: one value, whole, not too deep, with counts that can be true.
//!
//! serde decodes by recursion, and rmp-serde's own depth limit (1,024) is far beyond what a fiber's stack holds: 501
//! bytes of nested arrays overflow 128 KiB. It also passes an array header's count on as a size hint before it has seen
//! the elements. So what arrives is walked here first, with a fixed array for a stack.
//!
//! Invariants:
//! * No recursion, no allocation; time linear in the bytes.
//! * What passes nests at most [`DEPTH_MAX`] deep, every count in it is at most the bytes behind it, and all counts
//!   together are at most [`DECODE_VALUES_MAX`].

use std::fmt;

use crate::limits::{DECODE_VALUES_MAX, DEPTH_MAX};

/// Why a body is not one acceptable MessagePack value.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unacceptable {
    /// It ends within a value, or a count is larger than the bytes left could hold.
    Truncated,
    /// Bytes follow the value.
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// Arrays and maps nest deeper than [`DEPTH_MAX`].
    TooDeep,
    /// Its arrays and maps have more than [`DECODE_VALUES_MAX`] values together.
    TooMany,
    /// The byte 0xC1, which MessagePack never uses.
    Reserved,
}

impl fmt::Display for Unacceptable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the MessagePack value is cut short"),
            Self::Trailing { bytes } => write!(f, "{bytes} bytes follow the MessagePack value"),
            Self::TooDeep => write!(f, "the MessagePack value nests deeper than {DEPTH_MAX}"),
            Self::TooMany => write!(f, "the MessagePack value has more than {DECODE_VALUES_MAX} values in it"),
            Self::Reserved => f.write_str("byte 0xc1 is not MessagePack"),
        }
    }
}

impl std::error::Error for Unacceptable {}

/// Accepts exactly one MessagePack value that keeps to the limits.
///
/// # Errors
///
/// The first reason, in the order of the bytes, why it is none.
#[inline]
pub fn check(bytes: &[u8]) -> Result<(), Unacceptable> {
    if is_flat(bytes) { Ok(()) } else { walk(bytes) }
}

/// Whether it is one array of at most 15 values without values in them, which most arguments are, or one such value, as most results: a
/// step of a few instructions each.
#[inline]
fn is_flat(bytes: &[u8]) -> bool {
    let (values, mut rest) = match bytes {
        [marker @ 0x90..=0x9f, rest @ ..] => (marker & 0x0f, rest),
        one => (1, one),
    };
    for _ in 0..values {
        let behind = rest.first().and_then(|&marker| rest.get(usize::from(FLAT[usize::from(marker)])..));
        match behind {
            Some(behind) if behind.len() < rest.len() => rest = behind,
            _ => return false,
        }
    }
    rest.is_empty()
}

/// The bytes that a value takes, by its marker, if that alone says so and there are no values in it; else 0.
const FLAT: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut marker = 0;
    while marker < 256 {
        bytes[marker] = match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => 1, // fixint, nil, bool
            0xa0..=0xbf => 1 + (marker as u8 & 0x1f),            // fixstr
            0xcc | 0xd0 => 2,                                    // u8, i8
            0xcd | 0xd1 => 3,
            0xca | 0xce | 0xd2 => 5, // f32, u32, i32
            0xcb | 0xcf | 0xd3 => 9,
            _ => 0,
        };
        marker += 1;
    }
    bytes
};

fn walk(bytes: &[u8]) -> Result<(), Unacceptable> {
    // `around[..depth]` are the arrays and maps that the innermost one lies in, outermost first: how many values each still lacks. The
    // outermost of all lacks the one value.
    let mut around = [0_usize; DEPTH_MAX];
    let mut depth = 0;
    let mut lacking = 1_usize;
    let mut budget = DECODE_VALUES_MAX;
    let mut rest = bytes;
    loop {
        while lacking > 0 {
            lacking -= 1;
            if let Some((0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3, behind)) = rest.split_first() {
                // The shortest values, of which there are most.
                rest = behind;
                continue;
            }
            match Item::read(&mut rest)? {
                Item::Scalar { bytes: 0 } => {}
                Item::Scalar { bytes } => rest = rest.get(bytes..).ok_or(Unacceptable::Truncated)?,
                Item::Container { values } => {
                    let outer = around.get_mut(depth).ok_or(Unacceptable::TooDeep)?;
                    // A value takes a byte at least: a larger count is a lie, and would become a size hint.
                    if values > rest.len() {
                        return Err(Unacceptable::Truncated);
                    }
                    budget = budget.checked_sub(values).ok_or(Unacceptable::TooMany)?;
                    if values > 0 {
                        *outer = lacking;
                        lacking = values;
                        depth += 1;
                    }
                }
            }
        }
        // The innermost has ended.
        let Some(outer) = depth.checked_sub(1) else { break };
        depth = outer;
        lacking = around.get(depth).copied().unwrap_or_default();
    }
    if rest.is_empty() { Ok(()) } else { Err(Unacceptable::Trailing { bytes: rest.len() }) }
}

/// How many elements the array at the start of `bytes` has; `None` if there is no array.
#[inline]
pub fn array_len(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        marker @ 0x90..=0x9f => Some(usize::from(marker & 0x0f)),
        0xdc | 0xdd => long_array_len(bytes),
        _ => None,
    }
}

fn long_array_len(mut bytes: &[u8]) -> Option<usize> {
    match Item::read(&mut bytes) {
        Ok(Item::Container { values }) => Some(values),
        _ => None,
    }
}

/// What one marker, with the length behind it, announces.
pub(crate) enum Item {
    /// A value without values in it, and how many bytes of it follow.
    Scalar { bytes: usize },
    /// An array, or a map (two values to an entry).
    Container { values: usize },
}

impl Item {
    /// Takes a marker and its length off `rest`. Source: the MessagePack specification, "Formats".
    #[inline]
    pub(crate) fn read(rest: &mut &[u8]) -> Result<Self, Unacceptable> {
        let [marker] = take(rest)?;
        Ok(match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Self::Scalar { bytes: 0 }, // fixint, nil, bool
            0x80..=0x8f => Self::Container { values: 2 * usize::from(marker & 0x0f) },   // fixmap
            0x90..=0x9f => Self::Container { values: usize::from(marker & 0x0f) },       // fixarray
            0xa0..=0xbf => Self::Scalar { bytes: usize::from(marker & 0x1f) },           // fixstr
            0xc1 => return Err(Unacceptable::Reserved),
            0xc4 | 0xd9 => Self::Scalar { bytes: len8(rest)? }, // bin 8, str 8
            0xc5 | 0xda => Self::Scalar { bytes: len16(rest)? }, // bin 16, str 16
            0xc6 | 0xdb => Self::Scalar { bytes: len32(rest)? }, // bin 32, str 32
            0xc7 => Self::Scalar { bytes: 1 + len8(rest)? },    // ext 8, 16, 32: a type byte, then the data
            0xc8 => Self::Scalar { bytes: 1 + len16(rest)? },
            0xc9 => Self::Scalar { bytes: len32(rest)?.saturating_add(1) },
            0xcc | 0xd0 => Self::Scalar { bytes: 1 }, // u8, i8
            0xcd | 0xd1 => Self::Scalar { bytes: 2 },
            0xca | 0xce | 0xd2 => Self::Scalar { bytes: 4 }, // f32, u32, i32
            0xcb | 0xcf | 0xd3 => Self::Scalar { bytes: 8 },
            0xd4 => Self::Scalar { bytes: 2 }, // fixext 1, 2, 4, 8, 16
            0xd5 => Self::Scalar { bytes: 3 },
            0xd6 => Self::Scalar { bytes: 5 },
            0xd7 => Self::Scalar { bytes: 9 },
            0xd8 => Self::Scalar { bytes: 17 },
            0xdc => Self::Container { values: len16(rest)? }, // array 16, 32
            0xdd => Self::Container { values: len32(rest)? },
            0xde => Self::Container { values: 2 * len16(rest)? }, // map 16, 32
            0xdf => Self::Container { values: len32(rest)?.saturating_mul(2) },
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Unacceptable> {
    let (head, tail) = rest.split_first_chunk().ok_or(Unacceptable::Truncated)?;
    *rest = tail;
    Ok(*head)
}

fn len8(rest: &mut &[u8]) -> Result<usize, Unacceptable> {
    take(rest).map(|[byte]| usize::from(byte))
}

fn len16(rest: &mut &[u8]) -> Result<usize, Unacceptable> {
    take(rest).map(|bytes| usize::from(u16::from_be_bytes(bytes)))
}

fn len32(rest: &mut &[u8]) -> Result<usize, Unacceptable> {
    // No usize of ours is narrower than 32 bits; were one, the count would be over every limit anyway.
    take(rest).map(|bytes| usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX))
}
