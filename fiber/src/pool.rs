//! The stacks of one worker: taken hot, given back hot, returned to the kernel when a burst is over.
//!
//! ```text
//!   take ──▶ hot (last given first) ──▶ free slot of a slab ──▶ new slab
//!   give ──▶ hot ──trim──▶ slot released, pages to the kernel ──▶ slab unmapped once idle
//! ```
//!
//! Last in, first out: the stack that ended last is the one whose top is in cache and whose page is resident. Giving and
//! taking is a push and a pop; memory goes back only in [`trim`](StackPool::trim), which the worker calls when it is idle.
//!
//! Invariants:
//! * A pool is its worker's own: no locks, not `Send`.
//! * `with_room` lists a slab at most once. A slab that filled up leaves the list, and comes back when `trim` empties one
//!   of its slots; a stack that is dropped elsewhere leaves its slot unused until the slab is unmapped.

use std::io;
use std::rc::Rc;

use crate::guard::{GuardKind, guard_kind};
use crate::slab::Slab;
use crate::stack::{Stack, StackList, usable_size};

/// A pool of stacks, by size. See the module's notes on how memory flows.
///
/// ```
/// let mut pool = fibra_fiber::StackPool::new();
/// let stack = pool.take(64 << 10)?;
/// assert_eq!(stack.size(), 64 << 10);
/// pool.give(stack);
/// assert_eq!(pool.idle(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct StackPool {
    guard_kind: GuardKind,
    /// One entry a size; programs use one or two, so a scan beats a map.
    classes: Vec<SizeClass>,
}

#[derive(Debug)]
struct SizeClass {
    /// What was asked for when it was made.
    asked: usize,
    /// What that is in whole pages.
    stack_size: usize,
    hot: StackList,
    with_room: Vec<Rc<Slab>>,
}

impl Default for StackPool {
    fn default() -> Self {
        Self::new()
    }
}

impl StackPool {
    /// An empty pool; nothing is mapped before the first [`take`](StackPool::take).
    pub fn new() -> Self {
        Self::with_guard_kind(guard_kind())
    }

    /// A pool whose guards are made in one particular way, for tests of the fallback.
    #[doc(hidden)]
    pub fn with_guard_kind(guard_kind: GuardKind) -> Self {
        StackPool { guard_kind, classes: Vec::new() }
    }

    /// A stack with at least `size` usable bytes (rounded up to whole pages, 16 KiB at the least).
    ///
    /// # Errors
    ///
    /// * `OutOfMemory`: no address space or no mapping is left. On kernels before 6.13 the message names
    ///   `vm.max_map_count` and its value.
    /// * `InvalidInput`: `size` does not fit the address space.
    #[inline]
    pub fn take(&mut self, size: usize) -> io::Result<Stack> {
        let guard_kind = self.guard_kind;
        let class = match self.classes.iter().position(|class| class.asked == size) {
            Some(index) => &mut self.classes[index],
            None => self.class(size),
        };
        match class.hot.pop() {
            Some(stack) => Ok(stack),
            None => class.carve(guard_kind),
        }
    }

    /// Gives a stack back for the next [`take`](StackPool::take) of its size.
    #[inline]
    pub fn give(&mut self, stack: Stack) {
        let size = stack.size();
        match self.classes.iter().position(|class| class.stack_size == size) {
            Some(index) => self.classes[index].hot.push(stack),
            None => self.class(size).hot.push(stack),
        }
    }

    /// How many stacks wait to be taken.
    pub fn idle(&self) -> usize {
        self.classes.iter().map(|class| class.hot.len()).sum()
    }

    /// Returns the memory of all but the `keep` hottest stacks of each size to the kernel, and unmaps slabs that have
    /// no stack in use. How many wait to be taken then.
    pub fn trim(&mut self, keep: usize) -> usize {
        let mut idle = 0;
        for class in &mut self.classes {
            class.trim(keep);
            idle += class.hot.len();
        }
        idle
    }

    #[cold]
    fn class(&mut self, asked: usize) -> &mut SizeClass {
        let stack_size = usable_size(asked);
        let found = self.classes.iter().position(|class| class.stack_size == stack_size);
        let index = found.unwrap_or_else(|| {
            self.classes.push(SizeClass { asked, stack_size, hot: StackList::default(), with_room: Vec::new() });
            self.classes.len() - 1
        });
        &mut self.classes[index]
    }
}

impl SizeClass {
    #[cold]
    fn carve(&mut self, guard_kind: GuardKind) -> io::Result<Stack> {
        loop {
            let Some(slab) = self.with_room.last() else {
                self.with_room.push(Rc::new(Slab::new(self.stack_size, guard_kind)?));
                continue;
            };
            match slab.take()? {
                Some(slot) => return Ok(Stack::new(slab.clone(), slot)),
                None => drop(self.with_room.pop()),
            }
        }
    }

    fn trim(&mut self, keep: usize) {
        while self.hot.len() > keep
            && let Some(stack) = self.hot.pop_coldest()
        {
            let slab = stack.slab().clone();
            let was_full = !slab.has_room();
            drop(stack);
            if was_full && !self.with_room.iter().any(|listed| Rc::ptr_eq(listed, &slab)) {
                self.with_room.push(slab);
            }
        }
        self.with_room.retain(|slab| !slab.is_idle());
    }
}
