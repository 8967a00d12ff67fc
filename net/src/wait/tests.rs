//! The waiting protocol against a kernel of its own, hammered by threads: a lost wake-up shows as a wait that times out.
//!
//! The kernel is a counter of bytes and an end; its edges are reported by another thread, late, and several of them as one, as
//! epoll may. Plain threads stand for fibers: the slow path parks either.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fibra_scheduler::park;
use parking_lot::{Condvar, Mutex};

use super::{Evidence, Wait};
use crate::registration::{Happening, Registration, Side};

const ASKED: u64 = 8;
const LOST: Duration = Duration::from_secs(5);

/// One direction of a socket, as edge-triggered epoll shows it.
struct Kernel {
    bytes: AtomicU64,
    ended: AtomicBool,
    edge: Mutex<Edge>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Edge {
    data: bool,
    end: bool,
}

impl Kernel {
    const fn new() -> Self {
        Self {
            bytes: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            edge: Mutex::new(Edge { data: false, end: false }),
            changed: Condvar::new(),
        }
    }

    fn arrive(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.edge.lock().data = true;
        self.changed.notify_one();
    }

    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.edge.lock().end = true;
        self.changed.notify_one();
    }

    /// The system call.
    fn read(&self) -> io::Result<u64> {
        // The end comes after all data, so it has to be looked at first.
        let ended = self.ended.load(Ordering::SeqCst);
        let take = |bytes: u64| (bytes > 0).then(|| bytes - bytes.min(ASKED));
        let taken = self.bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
        // Room for an event between the system call and its verdict.
        thread::yield_now();
        match taken {
            Ok(before) => Ok(before.min(ASKED)),
            Err(_) if ended => Ok(0),
            Err(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// The reactor's thread: reports each edge once, until the end.
    fn report(&self, registration: &Registration) {
        loop {
            let mut edge = self.edge.lock();
            while !edge.data && !edge.end {
                self.changed.wait(&mut edge);
            }
            let edge = std::mem::take(&mut *edge);
            // In between, the kernel has reported and the reactor has not dispatched yet.
            thread::yield_now();
            registration.sides().dispatch(Happening { readable: true, read_ended: edge.end, ..Happening::default() });
            if edge.end {
                return;
            }
        }
    }
}

/// Reads to the end. A patient reader fails when it waits too long; an impatient one gives its place up all the time.
fn read_to_end(kernel: &Kernel, registered: &Arc<Registration>, patient: bool) -> io::Result<u64> {
    let timeout = if patient { LOST } else { Duration::from_micros(20) };
    let stdin = io::stdin();
    let wait = Wait { fd: stdin.as_fd(), registered, side: Side::Read, timeout: Some(timeout) };
    let mut total = 0;
    loop {
        let evidence = |moved: &u64| Evidence { bytes: 0, drained: 0 < *moved && *moved < ASKED };
        match wait.in_turn(|| kernel.read(), evidence) {
            Ok(0) => return Ok(total),
            Ok(moved) => total += moved,
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !patient => {}
            Err(error) => return Err(error),
        }
    }
}

/// Everything that was sent is read, by whichever reader, and every reader sees the end.
fn hammer(patient: usize, impatient: usize, seed: u64) {
    let (kernel, registration) = (Kernel::new(), Arc::new(Registration::without_reactor()));
    let mut sent = 0;
    let read = thread::scope(|scope| {
        let (kernel, registration) = (&kernel, &registration);
        let reader = |patient| scope.spawn(move || read_to_end(kernel, registration, patient));
        let readers: Vec<_> = (0..patient).map(|_| reader(true)).chain((0..impatient).map(|_| reader(false))).collect();
        scope.spawn(|| kernel.report(registration));
        let mut random = seed;
        for _ in 0..1_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bytes = 1 + (random >> 33) % (2 * ASKED);
            sent += bytes;
            kernel.arrive(bytes);
            // Every other burst is answered before the next is sent: no later edge makes up for a lost one.
            let answered =
                || kernel.bytes.load(Ordering::SeqCst) == 0 || readers.iter().any(|reader| reader.is_finished());
            while random >> 63 == 0 && !answered() {
                thread::yield_now();
            }
        }
        kernel.end();
        readers
            .into_iter()
            .map(|reader| reader.join().expect("a reader panicked").expect("a wake-up was lost"))
            .sum::<u64>()
    });
    assert_eq!(read, sent);
    let direction = registration.sides().direction(Side::Read);
    assert!(!direction.load().is_waited(), "nobody is left in the queue");
}

#[test]
fn a_newcomer_does_not_overtake_those_who_wait() {
    let registration = Arc::new(Registration::without_reactor());
    let stdin = io::stdin();
    let wait = Wait { fd: stdin.as_fd(), registered: &registration, side: Side::Read, timeout: None };
    let mut read = || Ok(());
    let turn = registration.sides().direction(Side::Read).line_up(park::current());
    assert!(wait.at_once(&mut read, &|()| Evidence::default()).is_none());
    drop(turn);
    assert!(wait.at_once(&mut read, &|()| Evidence::default()).is_some());
}

#[test]
fn one_reader_misses_no_edge() {
    (1..20).for_each(|seed| hammer(1, 0, seed));
}

#[test]
fn several_readers_hand_on_what_they_do_not_use() {
    (1..20).for_each(|seed| hammer(3, 0, seed));
}

#[test]
fn readers_that_give_up_strand_nobody() {
    (1..20).for_each(|seed| hammer(2, 2, seed));
}
