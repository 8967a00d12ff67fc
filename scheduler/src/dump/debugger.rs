//! What a debugger finds in the memory of a process, or in its core file: where the fibers are, and how to read them. For
//! `tools/gdb/fibra.py`, which has no types to go by: release builds carry line tables only, and where rustc puts what is its own affair.
//!
//! ```text
//!   section "fibra_debugger": Descriptor ── listings ──▶ Listing ── next ──▶ Listing   one a worker that runs
//!                               │ fields                   │ live
//!                               ▼                          ▼
//!                             (name, word) …             Live ──▶ control blocks
//! ```
//!
//! The descriptor is found by its section, which is there without symbols too, and twice if two versions of this crate are linked. It
//! begins with [`MAGIC`] and [`VERSION`]; what follows is named, so that fields may come and go: offsets that the compiler has
//! computed, numbers, and addresses. What std keeps private is shown by example instead: next to the address of a `Location` (or `str`)
//! is what it says, so that whoever reads finds out where it says so.
//!
//! Costs nothing while fibers run: a worker adds its listing when it begins and takes it away when it ends. What listings point to is
//! there anyway. No code here reads any of it.
//!
//! Invariants:
//! * From the first store to `listings` on, whoever stops the process at any instruction finds a list of listings that are all valid.
//! * What one field means never changes: another meaning is another name. [`VERSION`] is that of what is around the fields.

use std::mem::offset_of;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use parking_lot::Mutex;

use crate::{control, park, worker};

const MAGIC: [u8; 8] = *b"fibra-db";
const VERSION: u32 = 1;

/// How long a field's name may be.
const NAME_MAX: usize = 24;

/// A worker, as the debugger finds it. All pointers are to what the worker's own thread may be changing.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) next: AtomicPtr<Listing>,
    /// The same for all workers of one runtime.
    pub(crate) runtime: *const (),
    pub(crate) worker: usize,
    /// The kernel's number of its thread.
    pub(crate) thread: i32,
    /// Its [`Live`](crate::worker) fibers.
    pub(crate) live: *const (),
    /// How many fibers were spawned here and have ended here. The sums over a runtime, less those that live, tell how many have not
    /// started.
    pub(crate) spawned: *const u64,
    pub(crate) ended: *const u64,
    /// The time as the worker last knew it, by which it says since when a fiber waits: in nanoseconds since it began.
    pub(crate) known_now: *const u64,
    /// When that was, in nanoseconds of CLOCK_MONOTONIC; 0 if its time is virtual.
    pub(crate) clock_start: u64,
}

/// A name and a word.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Field {
    name: [u8; NAME_MAX],
    /// A number, or an address.
    word: *const (),
}

#[repr(C)]
struct Descriptor {
    magic: [u8; 8],
    version: u32,
    field_count: u32,
    listings: AtomicPtr<Listing>,
    fields: [Field; COUNT],
}

// SAFETY: words are addresses of statics or no addresses at all, and nothing here looks at what is there.
unsafe impl Sync for Descriptor {}

#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = "fibra_debugger"))]
static DESCRIPTOR: Descriptor = Descriptor {
    magic: MAGIC,
    version: VERSION,
    field_count: COUNT as u32,
    listings: AtomicPtr::new(ptr::null_mut()),
    fields: join(),
};

/// Held while the list changes.
static CHANGING: Mutex<()> = Mutex::new(());

/// Where what lies in a listing.
const LISTING: [Field; 9] = [
    Field::number("listing.next", offset_of!(Listing, next)),
    Field::number("listing.runtime", offset_of!(Listing, runtime)),
    Field::number("listing.worker", offset_of!(Listing, worker)),
    Field::number("listing.thread", offset_of!(Listing, thread)),
    Field::number("listing.live", offset_of!(Listing, live)),
    Field::number("listing.spawned", offset_of!(Listing, spawned)),
    Field::number("listing.ended", offset_of!(Listing, ended)),
    Field::number("listing.known_now", offset_of!(Listing, known_now)),
    Field::number("listing.clock_start", offset_of!(Listing, clock_start)),
];

static LOCATION: &Location<'static> = Location::caller();
static TEXT: &str = "text";
/// As names of fibers are: a `Box<str>` is laid out as a `&str`.
static NAME: Option<&str> = Some(TEXT);

/// The examples. What they are examples of is a word each: `example.location` is the address of a `Location`, and so on.
const EXAMPLES: [Field; 9] = [
    Field::address("example.location", ptr::from_ref(LOCATION).cast()),
    Field::number("example.location.size", size_of::<Location<'_>>()),
    Field::address("example.file", LOCATION.file().as_ptr()),
    Field::number("example.file_len", LOCATION.file().len()),
    Field::number("example.line", LOCATION.line() as usize),
    Field::number("example.column", LOCATION.column() as usize),
    Field::address("example.name", (&raw const NAME).cast()),
    Field::address("example.text", TEXT.as_ptr()),
    Field::number("example.text_len", TEXT.len()),
];

const PARTS: [&[Field]; 5] = [&LISTING, &worker::LISTING_FIELDS, &control::FIELDS, &park::FIELDS, &EXAMPLES];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

/// All parts, one after the other.
const fn join() -> [Field; COUNT] {
    let mut all = [Field::number("", 0); COUNT];
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut index = 0;
        while index < PARTS[part].len() {
            all[count] = PARTS[part][index];
            count += 1;
            index += 1;
        }
        part += 1;
    }
    all
}

impl Field {
    pub(crate) const fn number(name: &str, number: usize) -> Self {
        Self::new(name, ptr::without_provenance(number))
    }

    pub(crate) const fn address(name: &str, address: *const u8) -> Self {
        Self::new(name, address.cast())
    }

    /// Padded with zeroes.
    const fn new(name: &str, word: *const ()) -> Self {
        let mut padded = [0; NAME_MAX];
        padded.split_at_mut(name.len()).0.copy_from_slice(name.as_bytes());
        Field { name: padded, word }
    }
}

/// The debugger finds `listing` until what is returned is dropped.
pub(crate) fn list(listing: &Listing) -> Listed<'_> {
    let _changing = CHANGING.lock();
    listing.next.store(DESCRIPTOR.listings.load(Ordering::Relaxed), Ordering::Relaxed);
    DESCRIPTOR.listings.store(ptr::from_ref(listing).cast_mut(), Ordering::Release);
    Listed(listing)
}

/// See [`list`].
pub(crate) struct Listed<'a>(&'a Listing);

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let _changing = CHANGING.lock();
        let mut place = &DESCRIPTOR.listings;
        while !ptr::eq(place.load(Ordering::Relaxed), self.0) {
            // SAFETY: not the end of the list, since ours is still in it. What is in it is valid until it is taken out, which nobody
            // else does now.
            place = unsafe { &(*place.load(Ordering::Relaxed)).next };
        }
        place.store(self.0.next.load(Ordering::Relaxed), Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
