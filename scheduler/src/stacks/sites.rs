//! What one worker knows of the spawn sites whose fibers it starts: a table by the address of the source location.
//!
//! Invariants:
//! * Only the worker itself writes, so counting a start is a load and a store; others may read at any time.
//! * A slot is given to a site once and for all, and a mark never decreases.
//! * At most [`SITES_MAX`] sites are told apart, so at least half of the slots stay free, and a search ends.

use std::panic::Location;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::Site;

/// How many fibers of each site a worker measures before it leaves some out.
pub const FIRST: u64 = 16;

/// One in how many it measures in the end, by default. Prime, so that it does not fall into step with a program's own rounds.
pub const EVERY: u32 = 8191;

/// How many spawn sites a worker tells apart. What is spawned at further ones is counted together, and not measured.
pub const SITES_MAX: usize = 256;

const SLOTS: usize = 2 * SITES_MAX;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Sites {
    /// `None`: nothing is to be measured.
    slots: Option<Box<[Slot; SLOTS]>>,
    every: u64,
    known: AtomicUsize,
    others: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Slot {
    /// None until the slot is taken.
    site: OnceLock<&'static Location<'static>>,
    started: AtomicU64,
    /// Which start is to be measured next.
    due: AtomicU64,
    measured: AtomicU64,
    deepest: AtomicUsize,
    stack_size: AtomicUsize,
}

impl Slot {
    fn is_free(&self) -> bool {
        self.site.get().is_none()
    }

    #[inline]
    fn is_of(&self, site: &'static Location<'static>) -> bool {
        self.site.get().is_some_and(|known| ptr::eq(*known, site))
    }
}

#[inline(never)] // It may take as much of the stack.
fn slots() -> Box<[Slot; SLOTS]> {
    Box::new(std::array::from_fn(|_| Slot::default()))
}

/// Whether a fiber is one of the sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    No,
    /// It is, and nothing has been read off its stack yet.
    Chosen,
    /// It is, and counts among the measured.
    Measured,
}

impl Sites {
    /// A table that chooses at least one fiber of a site in `every`, or none.
    pub(crate) fn new(every: Option<u32>) -> Self {
        Sites {
            slots: every.map(|_| slots()),
            every: every.unwrap_or_default().max(1).into(),
            known: AtomicUsize::new(0),
            others: AtomicU64::new(0),
        }
    }

    /// Counts a fiber of `site` that starts; whether it is to be measured. On the worker's own thread.
    #[inline]
    pub(crate) fn count_start(&self, site: &'static Location<'static>) -> bool {
        let Some(slots) = &self.slots else { return false };
        let slot = &slots[home(site)];
        if slot.is_of(site) {
            return self.count(slot);
        }
        self.search(site).is_some_and(|slot| self.count(slot))
    }

    #[inline]
    fn count(&self, slot: &Slot) -> bool {
        let started = slot.started.load(Ordering::Relaxed) + 1;
        slot.started.store(started, Ordering::Relaxed);
        let is_due = started == slot.due.load(Ordering::Relaxed);
        if is_due {
            let gap = (2 * started / FIRST).clamp(1, self.every);
            slot.due.store(started + gap, Ordering::Relaxed);
        }
        is_due
    }

    /// A chosen fiber of `site` has a stack of that size.
    pub(crate) fn note_size(&self, site: &'static Location<'static>, stack_size: usize) {
        if let Some(slot) = self.find(site) {
            slot.stack_size.store(stack_size, Ordering::Relaxed);
        }
    }

    /// A chosen fiber of `site` has been so deep. `is_first`: as far as is known of this fiber.
    pub(crate) fn note_mark(&self, site: &'static Location<'static>, mark: usize, is_first: bool) {
        let Some(slot) = self.find(site) else { return };
        slot.deepest.store(slot.deepest.load(Ordering::Relaxed).max(mark), Ordering::Relaxed);
        if is_first {
            slot.measured.store(slot.measured.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// The slot of a site, given to it if need be; `None`, and counted as one of the others, if there are too many.
    #[cold]
    fn search(&self, site: &'static Location<'static>) -> Option<&Slot> {
        let slot = self.find_place(site)?;
        if slot.is_free() {
            let known = self.known.load(Ordering::Relaxed);
            if known == SITES_MAX {
                self.others.store(self.others.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                return None;
            }
            self.known.store(known + 1, Ordering::Relaxed);
            slot.due.store(1, Ordering::Relaxed);
            slot.site.get_or_init(|| site);
        }
        Some(slot)
    }

    fn find(&self, site: &'static Location<'static>) -> Option<&Slot> {
        self.find_place(site).filter(|slot| !slot.is_free())
    }

    /// The slot of a site, or the free one where it would be.
    fn find_place(&self, site: &'static Location<'static>) -> Option<&Slot> {
        let slots = self.slots.as_deref()?;
        let mut from_home = (0..SLOTS).map(|step| &slots[(home(site) + step) % SLOTS]);
        from_home.find(|slot| slot.is_free() || slot.is_of(site))
    }

    /// What is known, in no order. From any thread.
    pub(super) fn iter(&self) -> impl Iterator<Item = Site> {
        self.slots.iter().flat_map(|slots| slots.iter()).filter_map(|slot| {
            Some(Site {
                spawned_at: slot.site.get()?,
                started: slot.started.load(Ordering::Relaxed),
                measured: slot.measured.load(Ordering::Relaxed),
                deepest: slot.deepest.load(Ordering::Relaxed),
                stack_size: slot.stack_size.load(Ordering::Relaxed),
            })
        })
    }

    /// How many fibers have started whose site found no room here.
    pub(super) fn others(&self) -> u64 {
        self.others.load(Ordering::Relaxed)
    }
}

/// Where the search for a site begins. Locations lie together in the program's constants, 24 bytes apart.
#[inline]
fn home(site: &'static Location<'static>) -> usize {
    ptr::from_ref(site).addr() / align_of::<Location<'_>>() % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A site at an address of its own.
    #[track_caller]
    fn site() -> &'static Location<'static> {
        Box::leak(Box::new(*Location::caller()))
    }

    #[test]
    fn the_first_are_chosen_and_then_ever_fewer_but_one_in_so_many() {
        let sites = Sites::new(Some(100));
        let site = site();
        let chosen: Vec<u64> = (1..=10_000).filter(|_| sites.count_start(site)).collect();
        assert_eq!(chosen[..FIRST as usize], (1..=FIRST).collect::<Vec<_>>());
        let gaps: Vec<u64> = chosen.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted());
        assert_eq!((gaps[FIRST as usize], gaps.last()), (2, Some(&100)));
        assert_eq!(sites.iter().map(|site| site.started).collect::<Vec<_>>(), [10_000]);
    }

    #[test]
    fn all_are_chosen_or_none_on_request() {
        let site = site();
        for (every, expected) in [(Some(0), 1000), (Some(1), 1000), (None, 0)] {
            let sites = Sites::new(every);
            assert_eq!((0..1000).filter(|_| sites.count_start(site)).count(), expected);
        }
    }

    #[test]
    fn a_full_table_goes_on_with_the_sites_that_it_knows() {
        let sites = Sites::new(Some(1));
        let known = [(); SITES_MAX].map(|()| site());
        for _ in 0..2 {
            assert!(known.iter().all(|site| sites.count_start(site)));
        }
        let further = [(); 10].map(|()| site());
        assert!(!further.iter().any(|site| sites.count_start(site)));
        assert!(known.iter().all(|site| sites.count_start(site)));
        assert_eq!((sites.iter().count(), sites.others()), (SITES_MAX, 10));
        assert!(sites.iter().all(|site| site.started == 3));
    }

    #[test]
    fn marks_stay_with_their_site_and_never_decrease() {
        let sites = Sites::new(Some(1));
        let (one, other) = (site(), site());
        sites.count_start(one);
        sites.count_start(other);
        for (mark, deepest) in [(5000, 5000), (9000, 9000), (100, 9000)] {
            sites.note_mark(one, mark, true);
            sites.note_mark(other, 1, false);
            let known = |site: &'static Location<'static>| sites.iter().find(|known| ptr::eq(known.spawned_at, site));
            assert_eq!(known(one).expect("known").deepest, deepest);
            assert_eq!(known(other).map(|site| (site.measured, site.deepest)), Some((0, 1)));
        }
        assert_eq!(sites.iter().map(|site| site.measured).sum::<u64>(), 3);
    }
}
