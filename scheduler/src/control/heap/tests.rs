use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::driver::DriverWaker;

/// About as large as a control block.
type Large = [u64; 48];
type Small = [u64; 30];

struct Block {
    memory: NonNull<u8>,
    place: Place,
    layout: Layout,
}

// SAFETY: plain memory, which the tests hand over as a whole.
unsafe impl Send for Block {}

impl Block {
    /// Takes a block, all of whose bytes are then `mark`.
    fn take<T>(heap: &Heap, mark: u8) -> Self {
        let (memory, place) = heap.allocate::<T>();
        let block = Block { memory: memory.cast(), place, layout: Layout::new::<T>() };
        // SAFETY: as long as that, and ours.
        unsafe { block.memory.write_bytes(mark, block.layout.size()) };
        block
    }

    fn has(&self, mark: u8) -> bool {
        // SAFETY: `take` has written all of it.
        let bytes = unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.layout.size()) };
        bytes.iter().all(|&byte| byte == mark)
    }

    fn give(self, own: Option<&Heap>) {
        // SAFETY: from `allocate`, once, and nothing lives there.
        unsafe { free(self.memory, self.layout, self.place, own) };
    }
}

/// How many chunks of the heap are mapped that are in a list, and how many of those are empty.
fn chunks(heap: &Heap) -> (usize, usize) {
    let mut chunks = (0, 0);
    for list in heap.classes.iter().flat_map(|class| [&class.room, &class.empty]) {
        for chunk in list.iter() {
            chunks.0 += 1;
            chunks.1 += usize::from(chunk.is_empty());
        }
    }
    chunks
}

proptest! {
    /// Whatever the order: no two blocks overlap, on whichever thread they are freed.
    #[test]
    fn blocks_are_apart(steps in prop::collection::vec((any::<bool>(), any::<bool>(), any::<prop::sample::Index>()), 1..600)) {
        let heap = Lease::take();
        let mut blocks: Vec<(Block, u8)> = Vec::new();
        for (step, (takes, local, index)) in steps.into_iter().enumerate() {
            if takes || blocks.is_empty() {
                let mark = step as u8;
                let block = if local { Block::take::<Large>(&heap, mark) } else { Block::take::<Small>(&heap, mark) };
                blocks.push((block, mark));
            } else {
                let (block, mark) = blocks.swap_remove(index.index(blocks.len()));
                prop_assert!(block.has(mark));
                block.give(local.then_some(&*heap));
            }
        }
        for (block, mark) in blocks {
            prop_assert!(block.has(mark));
            block.give(None);
        }
        heap.clear();
        prop_assert_eq!(chunks(&heap), (0, 0));
    }
}

#[test]
fn a_block_is_reused_hot() {
    let heap = Lease::take();
    let block = Block::take::<Large>(&heap, 0);
    let address = block.memory;
    block.give(Some(&heap));
    let again = Block::take::<Large>(&heap, 0);
    assert_eq!(again.memory, address);
    again.give(Some(&heap));
}

#[test]
fn an_idle_heap_keeps_a_few_chunks_only() {
    let heap = Lease::take();
    let blocks: Vec<Block> = (0..10_000).map(|_| Block::take::<Large>(&heap, 0)).collect();
    let mapped: HashSet<_> = blocks.iter().map(|block| block.place).collect();
    assert!(mapped.len() > 20);
    let mut blocks = blocks.into_iter();
    let lasting = blocks.next();
    blocks.for_each(|block| block.give(Some(&heap)));
    assert!(chunks(&heap).1 > 20);
    heap.trim();
    assert!(chunks(&heap).1 <= EMPTY_KEPT + 1);
    // What is left goes on to work.
    let again: Vec<Block> = (0..1000).map(|_| Block::take::<Large>(&heap, 1)).collect();
    assert!(lasting.as_ref().is_some_and(|block| block.has(0)));
    again.into_iter().chain(lasting).for_each(|block| block.give(Some(&heap)));
}

#[test]
fn what_another_thread_frees_comes_back() {
    let heap = Lease::take();
    let blocks: Vec<Block> = (0..1000).map(|_| Block::take::<Large>(&heap, 0)).collect();
    thread::spawn(|| blocks.into_iter().for_each(|block| block.give(None))).join().expect("no panic");
    assert!(!heap.returns().is_empty());
    heap.clear();
    assert_eq!(chunks(&heap), (0, 0));
}

#[test]
fn a_heap_that_nobody_owns_takes_blocks_back_for_its_next_owner() {
    let heap = Lease::take();
    let block = Block::take::<Large>(&heap, 0);
    let returns = heap.returns();
    drop(heap);
    block.give(None);
    // Unless another test was faster and has it now.
    let heaps: Vec<Lease> = (0..100).map(|_| Lease::take()).collect();
    if let Some(heap) = heaps.iter().find(|heap| ptr::eq(heap.returns(), returns)) {
        heap.clear();
        assert!(returns.is_empty());
        assert_eq!(chunks(heap), (0, 0));
    }
}

#[test]
fn an_owner_that_sleeps_is_woken_for_many_blocks() {
    #[derive(Default)]
    struct Counts(AtomicUsize);
    impl DriverWaker for Counts {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let heap = Lease::take();
    let wakes = Arc::new(Counts::default());
    heap.returns().set_owner(Some(wakes.clone()));
    let blocks: Vec<Block> = (0..10_000).map(|_| Block::take::<Large>(&heap, 0)).collect();
    heap.collect();
    blocks.into_iter().for_each(|block| block.give(None));
    assert!((9..=10).contains(&wakes.0.load(Ordering::Relaxed)));
}

#[test]
fn what_is_too_large_is_the_global_allocators() {
    let heap = Lease::take();
    let block = Block::take::<[u64; 1000]>(&heap, 3);
    assert!(block.place.is_none() && block.has(3));
    block.give(Some(&heap));
}
