//! The codes of a failure reply: why a call has no value, and so whether it ran.
//!
//! Wire format: `docs/wire-format.md`, "Failure codes".
//!
//! Invariant: a code answers "did the handler run?" by itself, once and for all versions; no code is ever reused.

use std::time::Duration;

use crate::limits::MESSAGE_BYTES_MAX;

/// Why a call has no value.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// The handler ran and returned its own error, which travels in the details.
    Application = 1,
    /// The handler ran and panicked; the message is the panic's.
    Panicked = 2,
    /// Not run: the server has no such method.
    UnknownMethod = 3,
    /// Not run: the arguments are malformed, or not of the method's types.
    BadArguments = 4,
    /// Not run: the call's timeout had passed when its turn came.
    Expired = 5,
    /// Not run: the server is at a limit; the message says which. The details may say when to try again.
    Overloaded = 6,
    /// The handler ran, but its reply is over the frame limit.
    ReplyTooLarge = 7,
    /// The handler ran, but its reply could not be encoded.
    ReplyUnencodable = 8,
    /// It may have run: the client has acknowledged the xid.
    Stale = 9,
    /// Not run: the xid is further ahead than the session's window reaches.
    OutOfWindow = 10,
    /// Not run: the xid was used for another call.
    Conflict = 11,
    /// Not run: it acknowledges what cannot be complete.
    BadAcknowledgement = 12,
    /// The handler ran, but its reply was too large to keep, and has been sent before.
    Forgotten = 13,
    /// It may have run: the session has ended, or another has replaced it.
    SessionEnded = 14,
    /// It may have run: it was sent more than once, and still runs as this one's time is up.
    InProgress = 15,
    /// Not run: the server's own rule refuses it; why is in the details, too.
    Denied = 16,
    /// The handler ran, but the server's own rule keeps its answer back.
    Withheld = 17,
    /// Not run: what came as metadata is none.
    BadMetadata = 18,
    /// Not run: a call behind it in its lane has had its turn, whose client had said that it does not wait for this one.
    Overtaken = 19,
}

impl Code {
    /// The largest that there is.
    pub const MAX: Self = Self::Overtaken;

    /// Its name, for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Panicked => "panicked",
            Self::UnknownMethod => "unknown_method",
            Self::BadArguments => "bad_arguments",
            Self::Expired => "expired",
            Self::Overloaded => "overloaded",
            Self::ReplyTooLarge => "reply_too_large",
            Self::ReplyUnencodable => "reply_unencodable",
            Self::Stale => "stale",
            Self::OutOfWindow => "out_of_window",
            Self::Conflict => "conflict",
            Self::BadAcknowledgement => "bad_acknowledgement",
            Self::Forgotten => "forgotten",
            Self::SessionEnded => "session_ended",
            Self::InProgress => "in_progress",
            Self::Denied => "denied",
            Self::Withheld => "withheld",
            Self::BadMetadata => "bad_metadata",
            Self::Overtaken => "overtaken",
        }
    }

    /// The code that a byte stands for; `None` for one that this version does not define.
    pub fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Application,
            2 => Self::Panicked,
            3 => Self::UnknownMethod,
            4 => Self::BadArguments,
            5 => Self::Expired,
            6 => Self::Overloaded,
            7 => Self::ReplyTooLarge,
            8 => Self::ReplyUnencodable,
            9 => Self::Stale,
            10 => Self::OutOfWindow,
            11 => Self::Conflict,
            12 => Self::BadAcknowledgement,
            13 => Self::Forgotten,
            14 => Self::SessionEnded,
            15 => Self::InProgress,
            16 => Self::Denied,
            17 => Self::Withheld,
            18 => Self::BadMetadata,
            19 => Self::Overtaken,
            _ => return None,
        })
    }
}

/// What a server that refuses a call says about trying again: the details of [`Code::Overloaded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushback {
    /// Not before so much time has passed.
    After(Duration),
    /// Not at all.
    Never,
}

impl Pushback {
    /// As it travels: milliseconds, or nil.
    pub fn encode(pushback: Option<Self>) -> Vec<u8> {
        match pushback {
            None => Vec::new(),
            Some(Self::Never) => vec![0xc0],
            Some(Self::After(wait)) => {
                let millis = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
                [&[0xce], &millis.to_be_bytes()[..]].concat()
            }
        }
    }

    /// Reads it; what is none counts as nothing said.
    pub fn decode(details: &[u8]) -> Option<Self> {
        let millis = match *details {
            [0xc0] => return Some(Self::Never),
            [millis @ 0..=0x7f] | [0xcc, millis] => millis.into(),
            [0xcd, ref millis @ ..] => u16::from_be_bytes(millis.try_into().ok()?).into(),
            [0xce, ref millis @ ..] => u32::from_be_bytes(millis.try_into().ok()?).into(),
            [0xcf, ref millis @ ..] => u64::from_be_bytes(millis.try_into().ok()?),
            _ => return None,
        };
        Some(Self::After(Duration::from_millis(millis)))
    }
}

/// A message for people, of a failure or a goaway, as text; of one that is longer than it may be, the beginning. A peer cannot have this side keep
/// more.
pub(crate) fn message(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MESSAGE_BYTES_MAX).unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pushback_comes_back(millis in proptest::option::of(any::<u32>())) {
            let pushback = millis.map_or(Pushback::Never, |millis| Pushback::After(Duration::from_millis(millis.into())));
            prop_assert_eq!(Pushback::decode(&Pushback::encode(Some(pushback))), Some(pushback));
        }

        #[test]
        fn random_details_never_panic(details in proptest::collection::vec(any::<u8>(), 0..12)) {
            let _ = Pushback::decode(&details);
        }
    }

    #[test]
    fn every_form_of_a_number_is_read() {
        let after = |millis| Some(Pushback::After(Duration::from_millis(millis)));
        assert_eq!(Pushback::decode(&[7]), after(7));
        assert_eq!(Pushback::decode(&[0xcc, 200]), after(200));
        assert_eq!(Pushback::decode(&[0xcd, 1, 0]), after(256));
        assert_eq!(Pushback::decode(&[0xcf, 0, 0, 0, 1, 0, 0, 0, 0]), after(1 << 32));
        assert_eq!(Pushback::decode(&[]), None);
        assert_eq!(Pushback::decode(&[0xcd, 1]), None);
    }

    #[test]
    fn a_message_is_cut_before_it_is_made_text() {
        assert_eq!(message("no €".as_bytes()), "no €");
        // Each of these bytes makes three of text.
        assert_eq!(message(&[0xff; 1 << 20]).len(), 3 * MESSAGE_BYTES_MAX);
    }
}
