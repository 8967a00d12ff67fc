//! What a [debugger](crate::dump::debugger) must know of a [`Reason`].
//!
//! `Reason` is `repr(u8)`: a union of `repr(C)` structs that all begin with the number of the variant (RFC 2195). The structs here are
//! those with something in them, for the compiler to say where.

use std::mem::offset_of;

use super::Reason;
use crate::FiberId;
use crate::dump::debugger::Field;

#[repr(C)]
struct Fiber(u8, FiberId);

#[repr(C)]
struct Descriptor(u8, i32);

/// The owner is 0 for none: `FiberId` is transparent around a `NonZero`.
#[repr(C)]
struct Lock(u8, usize, Option<FiberId>);

const _: () = assert!(size_of::<Reason>() == size_of::<Lock>() && size_of::<Option<FiberId>>() == size_of::<u64>());

/// Where what lies in a `Reason`, and its words.
pub(crate) const FIELDS: [Field; 7] = [
    Field::number("reason.kind", 0),
    Field::number("reason.fiber", offset_of!(Fiber, 1)),
    Field::number("reason.descriptor", offset_of!(Descriptor, 1)),
    Field::number("reason.address", offset_of!(Lock, 1)),
    Field::number("reason.owner", offset_of!(Lock, 2)),
    Field::address("reason.words", WORDS.as_ptr()),
    Field::number("reason.words_len", WORDS.len()),
];

/// A line for each variant, in their order: its words, with the names of fields in braces. What follows a bar is said only if the fiber
/// that it names is there.
static WORDS: &str = "\
waits to be unparked
joins fiber {fiber}
waits for the children of its scope
waits for a future
sleeps
waits until descriptor {descriptor} is readable
waits until descriptor {descriptor} is writable
waits for the lock at {address}|, which fiber {owner} holds
waits on a channel
waits for a notification
waits for permits of a semaphore
waits at a barrier
waits for a wait group
waits for the value of a OnceLock
waits for the reply to a call
waits for a blocking thread
waits until any of its descriptors is readable
";

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn variants() -> Vec<Reason> {
        let fiber = FiberId::from_u64(7).expect("not zero");
        vec![
            Reason::Parked,
            Reason::Join(fiber),
            Reason::Scope,
            Reason::Future,
            Reason::Sleep,
            Reason::Readable(5),
            Reason::Writable(6),
            Reason::Lock { address: 0x1234, owner: Some(fiber) },
            Reason::Channel,
            Reason::Condvar,
            Reason::Semaphore,
            Reason::Barrier,
            Reason::WaitGroup,
            Reason::OnceLock,
            Reason::Call,
            Reason::Blocking,
            Reason::AnyReadable,
        ]
    }

    /// Does not compile when a variant comes that is not above and in `WORDS`.
    fn values(reason: Reason) -> Vec<(&'static str, String)> {
        match reason {
            Reason::Join(fiber) => vec![("{fiber}", fiber.to_string())],
            Reason::Readable(fd) | Reason::Writable(fd) => vec![("{descriptor}", fd.to_string())],
            Reason::Lock { address, owner } => {
                vec![("{address}", format!("{address:#x}")), ("{owner}", owner.map_or("0".into(), |id| id.to_string()))]
            }
            Reason::Parked | Reason::Scope | Reason::Future | Reason::Sleep | Reason::Channel | Reason::Condvar => {
                vec![]
            }
            Reason::Semaphore | Reason::Barrier | Reason::WaitGroup | Reason::OnceLock => vec![],
            Reason::Call | Reason::Blocking | Reason::AnyReadable => vec![],
        }
    }

    fn kind(reason: Reason) -> usize {
        // SAFETY: `repr(u8)`: the variant's number is the first byte.
        unsafe { *(&raw const reason).cast::<u8>() }.into()
    }

    #[test]
    fn the_words_are_those_that_a_dump_has() {
        let lines: Vec<&str> = WORDS.lines().collect();
        assert_eq!(variants().iter().map(|&reason| kind(reason)).collect::<Vec<_>>(), Vec::from_iter(0..lines.len()));
        for reason in variants() {
            let template = lines[kind(reason)].replace('|', "");
            let words = values(reason).into_iter().fold(template, |words, (name, value)| words.replace(name, &value));
            assert_eq!(words, reason.to_string());
        }
    }

    #[test]
    fn what_follows_the_bar_is_left_out_without_an_owner() {
        let nobodys = Reason::Lock { address: 1, owner: None };
        let (always, _) = WORDS.lines().nth(kind(nobodys)).and_then(|line| line.split_once('|')).expect("a bar");
        assert_eq!(always.replace("{address}", "0x1"), nobodys.to_string());
    }

    #[test]
    fn values_lie_where_the_fields_say() {
        let at = |reason: Reason, name: &str| {
            let offset = FIELDS.iter().find(|field| field.is(name)).expect("a field").value();
            // SAFETY: an offset of something inside, initialised, and aligned as the struct that mirrors it.
            unsafe { (&raw const reason).byte_add(offset).cast::<u64>().read_unaligned() }
        };
        let fiber = FiberId::from_u64(0x0123_4567_89ab_cdef);
        assert_eq!(at(Reason::Join(fiber.expect("not zero")), "reason.fiber"), 0x0123_4567_89ab_cdef);
        assert_eq!(at(Reason::Readable(-2), "reason.descriptor") as i32, -2);
        assert_eq!(at(Reason::Lock { address: 42, owner: fiber }, "reason.address"), 42);
        assert_eq!(at(Reason::Lock { address: 42, owner: fiber }, "reason.owner"), 0x0123_4567_89ab_cdef);
        assert_eq!(at(Reason::Lock { address: 42, owner: None }, "reason.owner"), 0);
    }
}
