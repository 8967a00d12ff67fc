//! The eight bytes that open a connection in each direction, and with them version negotiation.
//!
//! Wire format: `docs/wire-format.md`, "Preface".
//!
//! The client proposes one version. A server that speaks it answers with the same; one that does not answers with the
//! newest that it speaks and closes. So each side learns the other's version from one field, and a client that speaks
//! several tries again with a lower one.

/// Length of a preface, in bytes.
pub const LEN: usize = 8;

/// The version that this crate speaks.
pub const VERSION: u8 = 3;

/// 0xC1 is the one byte that MessagePack never uses, and no other protocol that shares a port begins with it.
const MAGIC: [u8; 6] = *b"\xC1fibra";

/// The first byte: by it alone a native connection is told from any other.
pub const FIRST: u8 = MAGIC[0];

/// The preface that proposes (client) or answers (server) `version`.
pub const fn encode(version: u8) -> [u8; LEN] {
    let [m0, m1, m2, m3, m4, m5] = MAGIC;
    [m0, m1, m2, m3, m4, m5, version, 0]
}

/// The version that a preface names, or `None` if these bytes are no fibra preface.
///
/// The last byte is reserved: sent as zero, not looked at, so that a later version can use it.
pub fn decode(preface: &[u8; LEN]) -> Option<u8> {
    match preface {
        [magic @ .., version, _] if *magic == MAGIC => Some(*version),
        _ => None,
    }
}
