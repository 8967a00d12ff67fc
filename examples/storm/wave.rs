//! A wave: fibers that end badly, all at the same time, beside siblings that must not notice.

use std::hint::black_box;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fibra::park::{self, Reason, Unparker};
use fibra::{Builder, JoinHandle, sleep, yield_now};

/// Usable bytes of each stack.
const STACK: usize = 64 << 10;

/// What the planned panics say.
const PLANNED: &str = "a planned panic";
const OUT_OF_BOUNDS: &str = "index out of bounds";

/// How the fibers of a wave, or of several, have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) panicked: u64,
    pub(crate) out_of_bounds: u64,
    pub(crate) cancelled: u64,
    /// Their handle was dropped while they were parked; they were woken and ran on to their end.
    pub(crate) detached: u64,
    /// Of the siblings: what they computed is right.
    pub(crate) undisturbed: u64,
}

impl Ends {
    /// What a wave of `fibers` must give: a fifth each.
    pub(crate) fn expected(fibers: u64) -> Self {
        let kind = |kind| fibers / 5 + u64::from(fibers % 5 > kind);
        Ends { panicked: kind(0), out_of_bounds: kind(1), cancelled: kind(2), detached: kind(3), undisturbed: kind(4) }
    }

    pub(crate) fn add(&mut self, other: Ends) {
        self.panicked += other.panicked;
        self.out_of_bounds += other.out_of_bounds;
        self.cancelled += other.cancelled;
        self.detached += other.detached;
        self.undisturbed += other.undisturbed;
    }

    pub(crate) fn total(self) -> u64 {
        self.panicked + self.out_of_bounds + self.cancelled + self.detached + self.undisturbed
    }
}

/// Keeps quiet about the panics that waves are made of.
pub(crate) fn hush() {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let planned = info.payload_as_str().is_some_and(|text| text == PLANNED || text.starts_with(OUT_OF_BOUNDS));
        if !planned {
            loud(info);
        }
    }));
}

/// What the fibers of a wave share.
struct Shore {
    /// Fibers that were started and have yet to be struck.
    arrived: AtomicU64,
    open: AtomicBool,
    detached: AtomicU64,
    /// Counts itself by its references: what fibers hold when they end badly must be dropped, too.
    cargo: Arc<()>,
    parent: Unparker,
}

impl Shore {
    fn arrive(&self) {
        self.arrived.fetch_add(1, Ordering::Release);
        self.parent.unpark();
    }
}

/// Runs `fibers` fibers, a fifth of each kind, until all have ended. Called on a fiber.
///
/// # Panics
///
/// If something that a fiber held was not dropped.
pub(crate) fn wave(fibers: u64) -> Ends {
    let shore = Arc::new(Shore {
        arrived: AtomicU64::new(0),
        open: AtomicBool::new(false),
        detached: AtomicU64::new(0),
        cargo: Arc::new(()),
        parent: park::current(),
    });
    let handles: Vec<_> = (0..fibers).map(|n| spawn(&shore, n)).collect();
    while shore.arrived.load(Ordering::Acquire) < fibers {
        park::park(Reason::Parked);
    }
    // All are on their stacks now, and wait or spin.
    let mut parked = Vec::new();
    let mut joined = Vec::new();
    for (n, handle) in handles.into_iter().enumerate() {
        match n % 5 {
            2 => handle.cancel(),
            3 => {
                parked.push(handle.unparker());
                continue;
            }
            _ => {}
        }
        joined.push((n, handle));
    }
    shore.open.store(true, Ordering::Release);
    parked.iter().for_each(Unparker::unpark);
    let mut ends = Ends::default();
    for (n, handle) in joined {
        let outcome = handle.join();
        let panicked = |expected: &str| outcome.as_ref().is_err_and(|payload| text(&**payload).starts_with(expected));
        match n % 5 {
            0 => ends.panicked += u64::from(panicked(PLANNED)),
            1 => ends.out_of_bounds += u64::from(panicked(OUT_OF_BOUNDS)),
            2 => ends.cancelled += u64::from(matches!(outcome, Ok(true))),
            _ => ends.undisturbed += u64::from(matches!(outcome, Ok(true))),
        }
    }
    // Nobody joins these; the last thing that they do is to let go of the shore.
    while Arc::strong_count(&shore) > 1 {
        yield_now();
    }
    ends.detached = shore.detached.load(Ordering::Acquire);
    assert_eq!(Arc::strong_count(&shore.cargo), 1, "a fiber has ended without dropping what it held");
    ends
}

fn spawn(shore: &Arc<Shore>, n: u64) -> JoinHandle<bool> {
    let (shore, cargo) = (shore.clone(), shore.cargo.clone());
    let end = move || {
        let _cargo = vec![cargo; 3];
        shore.arrive();
        match n % 5 {
            0 => {
                wait_until_open(&shore);
                panic!("{PLANNED}");
            }
            1 => {
                let ten: Vec<u64> = (n..n + 10).collect();
                wait_until_open(&shore);
                ten[black_box(10)] == n
            }
            2 => sleep(Duration::from_secs(3600)).is_err(),
            3 => {
                while !shore.open.load(Ordering::Acquire) {
                    park::park(Reason::Parked);
                }
                shore.detached.fetch_add(1, Ordering::Release);
                true
            }
            _ => {
                let mut numbers: Vec<u64> = (0..16).map(|at| n ^ at).collect();
                for _ in 0..8 {
                    yield_now();
                    numbers.rotate_left(1);
                }
                wait_until_open(&shore);
                numbers.rotate_left(8);
                numbers.iter().zip(0..16).all(|(&number, at)| number == n ^ at)
            }
        }
    };
    Builder::new().stack_size(STACK).spawn(end).expect("in a runtime")
}

fn wait_until_open(shore: &Shore) {
    while !shore.open.load(Ordering::Acquire) {
        sleep(Duration::from_millis(1)).expect("nobody cancels this one");
    }
}

fn text(payload: &(dyn std::any::Any + Send)) -> &str {
    let string = || payload.downcast_ref::<String>().map(String::as_str);
    payload.downcast_ref::<&str>().copied().or_else(string).unwrap_or_default()
}

/// How many workers a storm takes: two show what crosses threads.
pub(crate) const WORKERS: usize = 2;

/// Waves of `wave_size` until `fibers` have ended; `progress` is told after each.
pub(crate) fn storm(fibers: u64, wave_size: u64, mut progress: impl FnMut(Ends)) -> std::io::Result<Ends> {
    fibra::runtime::builder().workers(WORKERS).run(|| {
        let mut ends = Ends::default();
        while ends.total() < fibers {
            let size = wave_size.min(fibers - ends.total());
            let wave = wave(size);
            assert_eq!(wave, Ends::expected(size), "each has ended as planned");
            ends.add(wave);
            progress(ends);
        }
        ends
    })
}
