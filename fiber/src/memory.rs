//! The system calls on pages: map, unmap, give back. The only file that maps memory.
//!
//! Invariant: every function takes whole pages; lengths come from [`round_up`].

use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;

/// The size of a page in bytes, as the system says (4,096 on x86_64; up to 65,536 on aarch64).
#[inline]
pub(crate) fn page_size() -> usize {
    static PAGE: OnceLock<usize> = OnceLock::new();
    *PAGE.get_or_init(|| {
        // SAFETY: sysconf reads a constant and touches no memory of ours.
        let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(bytes).unwrap_or(4096)
    })
}

/// `bytes` rounded up to whole pages; saturates at the largest multiple that fits.
#[inline]
pub(crate) fn round_up(bytes: usize) -> usize {
    let page = page_size();
    bytes.checked_next_multiple_of(page).unwrap_or(usize::MAX & !(page - 1))
}

/// A private anonymous mapping, readable and writable, that costs no memory until it is touched. Unmapped on drop.
///
/// `MAP_NORESERVE`: stacks are reserved large and used little, so they must not count against the commit limit.
/// No transparent huge pages: with them, the first touch of a stack makes 2 MiB resident.
///
/// ```
/// let mapping = fibra_fiber::Mapping::new(64 << 10)?;
/// let first = mapping.start();
/// // SAFETY: mapped, as long as `mapping` lives, and nobody else uses it.
/// unsafe {
///     assert_eq!(first.read(), 0);
///     first.write(5);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    /// Maps `len` bytes, which are whole pages.
    ///
    /// # Errors
    ///
    /// Whatever `mmap` reports: most likely that no address space or no mapping is left.
    pub fn new(len: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        #[cfg(target_os = "linux")]
        let flags = flags | libc::MAP_STACK;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice aliases nothing.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let Some(start) = NonNull::new(start.cast::<u8>()) else {
            return Err(io::Error::other("mmap returned address zero"));
        };
        let mapping = Mapping { start, len };
        #[cfg(target_os = "linux")]
        {
            // Best effort: a kernel built without huge pages answers EINVAL, and then has none to avoid.
            // SAFETY: the range is the mapping just made; the advice changes no contents.
            let _ = unsafe { libc::madvise(start.as_ptr().cast(), len, libc::MADV_NOHUGEPAGE) };
        }
        Ok(mapping)
    }

    /// The lowest address.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// As [`give_back`], by offset.
    ///
    /// # Safety
    ///
    /// Nothing lives in that range any more, and it lies within the mapping.
    pub(crate) unsafe fn give_back(&self, offset: usize, len: usize) {
        debug_assert!(offset.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: the caller's promise, passed on.
        unsafe { give_back(self.start.add(offset), len) };
    }
}

/// Gives the pages of `start..start + len` back to the kernel; they read as zero when touched again. Guards inside the range
/// stay. `false`: the kernel keeps them.
///
/// # Safety
///
/// The range is whole pages of a live mapping, and nothing lives in it any more.
pub(crate) unsafe fn give_back(start: NonNull<u8>, len: usize) -> bool {
    // MADV_DONTNEED fails only for locked pages (mlockall), which then stay resident: nothing to be done about it.
    // SAFETY: the caller says that nothing lives in the range, so losing its contents loses nothing.
    unsafe { libc::madvise(start.as_ptr().cast(), len, libc::MADV_DONTNEED) == 0 }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: we own the mapping, and whoever used a part of it kept us alive until now.
        let failed = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert_eq!(failed, 0, "munmap: {}", io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_round_up_to_whole_pages() {
        let page = page_size();
        assert_eq!(round_up(0), 0);
        assert_eq!(round_up(1), page);
        assert_eq!(round_up(page), page);
        assert_eq!(round_up(page + 1), 2 * page);
        assert_eq!(round_up(usize::MAX) % page, 0);
    }

    #[test]
    fn pages_given_back_read_as_zero() {
        let page = page_size();
        let mapping = Mapping::new(4 * page).expect("map");
        // SAFETY: the mapping is ours, readable and writable, and nothing lives in it.
        unsafe {
            let byte = mapping.start().as_ptr().add(page);
            byte.write(7);
            mapping.give_back(page, page);
            assert_eq!(byte.read(), 0);
        }
    }

    #[test]
    fn a_mapping_too_large_is_an_error() {
        let error = Mapping::new(round_up(usize::MAX / 2)).expect_err("half the address space");
        assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
    }
}
