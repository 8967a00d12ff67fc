//! How much of their stacks fibers use, by the place where they are spawned: which [`stack_size`](crate::Builder::stack_size) to give
//! them.
//!
//! ```text
//!   a worker starts a fiber ── one of the sample? ──▶ its stack is cleared; when the fiber ends: how deep was it touched?
//!                                                                                     │
//!   stacks() ◀── the deepest of each spawn site, over all workers ◀── the worker's Sites
//! ```
//!
//! ```
//! use fibra_scheduler::{driver, runtime, spawn, stacks};
//!
//! runtime::Builder::new(driver::idle).workers(1).run(|| {
//!     let fiber = spawn(|| {
//!         let local = [1u8; 40_000];
//!         std::hint::black_box(&local);
//!     });
//!     fiber.join().unwrap();
//!     let stacks = stacks();
//!     println!("{stacks}");
//! #   if cfg!(target_os = "linux") {
//!     let site = &stacks.sites[0];
//!     assert!(site.deepest > 40_000);
//!     assert_eq!(site.suggested_stack_size(), Some(128 << 10));
//! #   }
//! })?;
//! # std::io::Result::Ok(())
//! ```
//!
//! # The sample
//!
//! Of each spawn site, each worker measures the first [`FIRST`] fibers that it starts, then ever fewer (one for every eight that there have
//! been), but never less than one in [`EVERY`]; the runtime's builder [changes](crate::runtime::Builder::sample_stacks) that. So what
//! one request in a million does may stay unseen: a suggestion is where to start from, and what keeps an overflow from harm is the guard.
//!
//! # How right it is
//!
//! To the page: what is reported is at most a page (4 KiB) more than what was used. Less than was used is reported only if the
//! kernel wrote that page to swap first. A fiber counts when its worker has its stack back, just after its
//! end; before, with what it had used when its worker last looked for stacks to
//! [trim](crate::runtime::Builder::trim_after), which is after about 10 s by default. The backtraces of [dumps](mod@crate::dump),
//! which say of each fiber how deep others of its site were, do not count. Linux only: elsewhere nothing is measured.
//!
//! # What it costs
//!
//! A fiber that is not measured: some 20 instructions. One that is: two system calls, and a page fault for each page beyond the first that
//! it touches; some 3 us on one x86_64 VM where the least system call takes 0.3.

mod display;
mod sites;

use std::panic::Location;

use crate::dump;
use crate::runtime::{Builder, Runtime, Shared};
use crate::worker::{Remote, Worker};

pub(crate) use sites::{Choice, Sites};
pub use sites::{EVERY, FIRST, SITES_MAX};

/// What one spawn site's fibers have used of their stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// Where the fibers are spawned.
    pub spawned_at: &'static Location<'static>,
    /// How many have started.
    pub started: u64,
    /// Of how many it was looked how deep they go.
    pub measured: u64,
    /// How many bytes of its stack the deepest of those has used, rounded up to the page; 0 if none was measured. Never decreases.
    pub deepest: usize,
    /// The usable bytes of the stacks that they have; of the fiber measured last if that differs.
    pub stack_size: usize,
}

impl Site {
    /// The stack size to try: twice of what was used, and room for a backtrace or the message of a panic (24 KiB), rounded up to a
    /// power of two, because a worker keeps stacks of each size apart. `None` if none was measured.
    pub fn suggested_stack_size(&self) -> Option<usize> {
        (self.measured > 0).then(|| (2 * self.deepest + dump::ROOM_MIN).next_power_of_two())
    }
}

/// A snapshot of what fibers use of their stacks. See the [module](self). Its `Display` is a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stacks {
    /// The spawn sites, those first whose fibers go deepest. At most [`SITES_MAX`] for each worker.
    pub sites: Vec<Site>,
    /// How many fibers have started that were spawned elsewhere, and are in none of these.
    pub others: u64,
}

impl Stacks {
    /// What is known of the fibers that are spawned at `site`.
    pub fn site(&self, site: &Location<'_>) -> Option<&Site> {
        self.sites.iter().find(|known| known.spawned_at == site)
    }

    pub(crate) fn new(shared: &Shared) -> Self {
        let mut stacks = Stacks::default();
        for sites in shared.workers.iter().map(Remote::sites) {
            stacks.sites.extend(sites.iter());
            stacks.others += sites.others();
        }
        // One place in the source may have several addresses.
        stacks.sites.sort_by_key(|site| site.spawned_at);
        stacks.sites.dedup_by(|site, into| site.spawned_at == into.spawned_at && into.absorb(site));
        stacks.sites.sort_by_key(|site| std::cmp::Reverse(site.deepest));
        stacks
    }
}

impl Site {
    /// Adds what another worker knows of the same site.
    fn absorb(&mut self, other: &Site) -> bool {
        self.started += other.started;
        if other.measured > 0 {
            self.stack_size = if self.measured > 0 { self.stack_size.max(other.stack_size) } else { other.stack_size };
        }
        self.measured += other.measured;
        self.deepest = self.deepest.max(other.deepest);
        true
    }
}

/// How much of their stacks the fibers of the calling thread's runtime use, by spawn site; empty outside of one.
///
/// Reads what the workers have noted, and waits for nobody.
#[must_use]
pub fn stacks() -> Stacks {
    Worker::with(|worker| worker.map(|worker| Stacks::new(worker.shared()))).unwrap_or_default()
}

impl Runtime {
    /// How much of their stacks the fibers of this runtime use, by spawn site. From any thread; see [`stacks`](mod@crate::stacks).
    #[must_use]
    pub fn stacks(&self) -> Stacks {
        Stacks::new(self.shared())
    }
}

impl Builder {
    /// How many fibers of one spawn site a worker may start for each whose stack use it measures, once there have been many; of the
    /// first it measures more. 1 measures all, `None` none. Default: [`EVERY`], 8,191. See [`stacks`](mod@crate::stacks).
    ///
    /// Measuring costs some microseconds. Measure all in tests; a number that does not divide the program's own rounds sees more
    /// of them.
    pub fn sample_stacks(mut self, every: impl Into<Option<u32>>) -> Self {
        self.sample_stacks = every.into();
        self
    }
}
