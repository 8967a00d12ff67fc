//! The high-water mark of a stack: how deep whoever ran on it has been.
//!
//! ```text
//!   clear         ┤····················································│ top page ┤   no page but the top one
//!   someone runs  ┤····················│ touched │ touched │ touched │ top page ┤
//!   mark                               ◀──────────── the answer ─────────────────┤
//! ```
//!
//! A page that nobody has touched since it was given back is not resident, and the kernel says which ones are. So running costs nothing,
//! and the answer is right to a page: it is where the lowest touched page begins. Rust code touches every page of a frame on the way down.
//!
//! It is too small only if the kernel has written the lowest page to swap meanwhile; what gives pages below a context back loses the mark,
//! too, so ask before that. Linux only: elsewhere [`clear`] says `false`.
//!
//! It works on addresses, whatever runs there.

use std::ops::Range;
use std::ptr::NonNull;

use crate::memory::{give_back, page_size};
use crate::stack::Stack;

/// How many pages one question to the kernel is about.
const PAGES: usize = 1024;

/// Makes `stack` forget who has been on it. `false`: the system cannot, so that a [`mark`] would tell nothing; the pages are locked in
/// memory, say.
///
/// The top page stays: the header is there, and whoever runs next needs it at once. The system call takes less than a microsecond if there is nothing else.
///
/// ```
/// # use fibra_fiber::{Context, StackPool, high_water};
/// let mut stack = StackPool::new().take(64 << 10)?;
/// if high_water::clear(&mut stack) {
///     let mut context = Context::new(stack, || {
///         let local = [1u8; 20_000];
///         std::hint::black_box(&local);
///     });
///     let _ = context.resume();
///     let deepest = high_water::mark(&context.stack_range()).unwrap();
///     assert!((20_000..40_000).contains(&deepest), "{deepest}");
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline]
pub fn clear(stack: &mut Stack) -> bool {
    // SAFETY: the usable part of a stack that is in the caller's hands, so nothing runs or lives on it.
    unsafe { clear_pages(stack.guard().end, stack.size()) }
}

/// # Safety
///
/// From `start`, `len` bytes are whole pages of a live mapping, and nothing lives there.
unsafe fn clear_pages(start: usize, len: usize) -> bool {
    let below_top = len.saturating_sub(page_size());
    match NonNull::new(start as *mut u8) {
        // SAFETY: the caller's promise, passed on.
        Some(start) if cfg!(target_os = "linux") => unsafe { give_back(start, below_top) },
        _ => false,
    }
}

/// How many bytes at the high end of `stack`, which were [cleared](clear) before, have been touched since, rounded up to the page; `None`
/// if the system does not say.
///
/// `stack` is what [`Context::stack_range`](crate::Context::stack_range) says; it begins at a page.
pub fn mark(stack: &Range<usize>) -> Option<usize> {
    let page = page_size();
    let mut start = stack.start;
    while start < stack.end {
        let end = stack.end.min(start.saturating_add(PAGES * page));
        if let Some(touched) = first_resident(start..end)? {
            return Some(stack.end - (start + touched * page));
        }
        start = end;
    }
    Some(0)
}

/// The first page of `range` that is resident.
#[cfg(target_os = "linux")]
fn first_resident(range: Range<usize>) -> Option<Option<usize>> {
    let pages = range.len().div_ceil(page_size());
    let mut resident = [0u8; PAGES];
    debug_assert!(pages <= PAGES);
    // SAFETY: the call only looks whether pages are there, mapped or not (if not, it fails), and writes a byte for each, for which there
    // is room.
    let failed = unsafe { libc::mincore(range.start as *mut libc::c_void, range.len(), resident.as_mut_ptr()) };
    (failed == 0).then(|| resident[..pages].iter().position(|byte| byte & 1 != 0))
}

#[cfg(not(target_os = "linux"))]
fn first_resident(_range: Range<usize>) -> Option<Option<usize>> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::StackPool;

    /// Touches the byte so far below the top of a stack that nothing runs on.
    fn touch(stack: &Stack, depth: usize) {
        let address = (stack.guard().end + stack.size() - depth) as *mut u8;
        // SAFETY: within the usable part of a stack that is in the test's hands.
        unsafe { address.write_volatile(1) };
    }

    fn range(stack: &Stack) -> Range<usize> {
        stack.guard().end..stack.guard().end + stack.size()
    }

    #[test]
    fn the_lowest_touched_page_is_the_mark() {
        // More than one question's worth of pages.
        let mut stack = StackPool::new().take(3 * PAGES * page_size()).expect("a stack");
        assert!(clear(&mut stack));
        assert_eq!(mark(&range(&stack)), Some(page_size()), "of a fresh one, the page with its header");
        for pages in [1, 2, 5, PAGES, PAGES + 1, 3 * PAGES] {
            touch(&stack, pages * page_size());
            assert_eq!(mark(&range(&stack)), Some(pages * page_size()));
        }
        assert!(clear(&mut stack));
        assert_eq!(mark(&range(&stack)), Some(page_size()), "the top page stays");
    }

    #[test]
    fn what_is_not_mapped_has_no_mark() {
        let unmapped = page_size()..2 * page_size();
        assert_eq!(mark(&unmapped), None);
    }
}
