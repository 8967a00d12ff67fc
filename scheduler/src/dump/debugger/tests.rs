//! Reads this process as a debugger does, by the descriptor alone, and compares with what a dump says.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::driver;
use crate::dump::{Dump, State};
use crate::park::{self, Reason};
use crate::runtime;
use crate::sync;
use crate::{Builder, FiberId, dump, yield_now};

impl Field {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name() == name
    }

    pub(crate) fn value(&self) -> usize {
        self.word.addr()
    }

    fn name(&self) -> &str {
        std::str::from_utf8(&self.name).expect("ASCII").trim_end_matches('\0')
    }
}

fn field(name: &str) -> usize {
    DESCRIPTOR.fields.iter().find(|field| field.is(name)).map(Field::value).expect(name)
}

/// So many bytes at an address, as a little-endian number.
fn read(address: usize, bytes: usize) -> usize {
    // SAFETY: the tests follow the descriptor to what is valid and, on this thread, not being changed.
    let bytes = (0..bytes).map(|index| unsafe { ptr::with_exposed_provenance::<u8>(address + index).read_volatile() });
    bytes.rev().fold(0, |number, byte| number << 8 | usize::from(byte))
}

fn word(address: usize) -> usize {
    read(address, size_of::<usize>())
}

fn text(address: usize, len: usize) -> String {
    String::from_utf8((0..len).map(|index| read(address + index, 1) as u8).collect()).expect("UTF-8")
}

/// Where in an example a value is. Once, or nobody could tell.
fn position(example: usize, size: usize, value: usize, bytes: usize) -> usize {
    let found: Vec<usize> = (0..size).step_by(bytes).filter(|at| read(example + at, bytes) == value).collect();
    assert_eq!(found.len(), 1, "{value:#x} is at {found:?}");
    found[0]
}

/// The listing of the worker that runs this.
fn own_listing() -> Option<usize> {
    let mut listing = DESCRIPTOR.listings.load(Ordering::Acquire).expose_provenance();
    while listing != 0 {
        if read(listing + field("listing.thread"), 4) == fibra_fiber::thread_number() as usize {
            return Some(listing);
        }
        listing = word(listing + field("listing.next"));
    }
    None
}

/// The control blocks of a listing's fibers.
fn live(listing: usize) -> Vec<usize> {
    let live = word(listing + field("listing.live"));
    let (first, used) = (word(live + field("live.first")), word(live + field("live.used")));
    (0..used).map(|slot| word(first + slot * size_of::<usize>())).filter(|slot| slot & 1 == 0).collect()
}

fn run(f: impl FnOnce()) {
    runtime::Builder::new(driver::idle).workers(1).run(f).expect("a runtime");
}

#[test]
fn a_debugger_finds_what_a_dump_says() {
    run(|| {
        let lock = Arc::new(sync::Mutex::new(()));
        let held = lock.lock();
        let waiter = lock.clone();
        let fibers = [
            Builder::new().name("waits for a lock").spawn_local(move || drop(waiter.lock())),
            Builder::new().stack_size(64 << 10).spawn_local(|| park::park(Reason::Readable(7))),
            Builder::new().name("ready").spawn_local(|| park::park(Reason::Parked)),
        ];
        yield_now();
        fibers[2].as_ref().expect("a fiber").unparker().unpark();
        let (dump, listing) = (dump(), own_listing().expect("this worker is listed"));
        let (line, file) = (field("example.line"), field("example.file"));
        let (location, size) = (field("example.location"), field("example.location.size"));
        let line = position(location, size, line, 4);
        let (file, file_len) =
            (position(location, size, file, 8), position(location, size, field("example.file_len"), 8));
        let name = position(field("example.name"), 16, field("example.text"), 8);
        let name_len = position(field("example.name"), 16, field("example.text_len"), 8);
        let found = live(listing);
        assert_eq!(found.len(), dump.fibers.len());
        for control in found {
            let fiber = described(&dump, read(control + field("fiber.id"), 8));
            let names = control + field("fiber.name");
            let found_name = (word(names + name) != 0).then(|| text(word(names + name), word(names + name_len)));
            assert_eq!(found_name.as_deref(), fiber.name.as_deref());
            let site = word(control + field("fiber.spawned_at"));
            assert_eq!(read(site + line, 4) as u32, fiber.spawned_at.line());
            assert_eq!(text(word(site + file), word(site + file_len)), fiber.spawned_at.file());
            assert_eq!(word(control + field("fiber.stack_size")), fiber.stack_size);
            let suspended_at = word(control + field("fiber.suspended_at"));
            if suspended_at == 0 {
                assert_eq!(fiber.state, State::Running);
                continue;
            }
            assert_eq!(Some(word(control + field("fiber.stack_end")) - suspended_at), fiber.stack_used);
            if read(control + field("fiber.token"), 1) != field("fiber.parked") {
                assert_eq!(fiber.state, State::Ready);
                continue;
            }
            let reason = control + field("fiber.reason");
            match fiber.reason() {
                Some(Reason::Lock { address, owner }) => {
                    assert_eq!(word(reason + field("reason.address")), address);
                    assert_eq!(read(reason + field("reason.owner"), 8) as u64, owner.map_or(0, FiberId::as_u64));
                }
                Some(Reason::Readable(fd)) => assert_eq!(read(reason + field("reason.descriptor"), 4), fd as usize),
                other => panic!("{other:?}"),
            }
        }
        drop(held);
        fibers.into_iter().for_each(|fiber| fiber.expect("a fiber").unparker().unpark());
    });
}

fn described(dump: &Dump, id: usize) -> &crate::dump::FiberDump {
    let id = FiberId::from_u64(id as u64).expect("not zero");
    dump.fiber(id).expect("the fiber that the debugger has found")
}

#[test]
fn a_park_says_when_it_began() {
    run(|| {
        let sleeper = Builder::new().spawn_local(|| park::park(Reason::Sleep)).expect("a fiber");
        yield_now();
        let dump = dump();
        let State::Parked { since, .. } = dump.fiber(sleeper.id()).expect("it lives").state else { panic!("{dump}") };
        let listing = own_listing().expect("this worker is listed");
        let fiber = live(listing).into_iter().find(|fiber| {
            let id = read(fiber + field("fiber.id"), 8);
            id as u64 == sleeper.id().as_u64()
        });
        let nanos = read(fiber.expect("it is live") + field("fiber.since"), 8);
        assert!(nanos <= read(word(listing + field("listing.known_now")), 8));
        // CLOCK_MONOTONIC then, by the listing and by the dump; not exactly, since the two clocks were read one after the other.
        let by_listing = read(listing + field("listing.clock_start"), 8) + nanos;
        let ago = crate::clock::now().saturating_duration_since(since);
        let by_dump = (crate::clock::monotonic().expect("real time") - ago).as_nanos() as usize;
        assert!(by_listing.abs_diff(by_dump) < 1_000_000_000, "{by_listing} and {by_dump}");
        sleeper.unparker().unpark();
    });
}

#[test]
fn closures_that_have_not_started_can_be_counted() {
    run(|| {
        let _fibers: Vec<_> = (0..5).map(|_| Builder::new().spawn_local(|| ())).collect();
        let listing = own_listing().expect("this worker is listed");
        let count = |name| read(word(listing + field(name)), 8);
        assert_eq!(count("listing.spawned") - count("listing.ended") - live(listing).len(), 5);
    });
}

#[test]
fn a_worker_is_listed_while_it_runs() {
    assert_eq!(own_listing(), None);
    run(|| assert!(own_listing().is_some()));
    assert_eq!(own_listing(), None);
}

#[test]
fn every_field_has_a_name_of_its_own() {
    let by_name: HashMap<&str, usize> = DESCRIPTOR.fields.iter().map(|field| (field.name(), field.value())).collect();
    assert_eq!(by_name.len(), COUNT);
}
