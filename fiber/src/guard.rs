//! Guards: the pages below each stack that turn an overflow into a fault instead of a corrupted neighbour.
//!
//! ```text
//!   low                                                    high
//!   ├── guard, 20 KiB ──┤◀──── stack grows down ────────────┤
//!      any touch faults    usable                        base
//! ```
//!
//! Two ways to make one, probed once per process:
//! * `MADV_GUARD_INSTALL` (Linux 6.13): marks page-table entries and leaves the mapping whole, so a million guards cost
//!   no mapping at all.
//! * `mprotect(PROT_NONE)`: splits the mapping in two, so the process ends at `vm.max_map_count` (65,530 as shipped, that
//!   is some 32,000 stacks). The error says so.
//!
//! At least 16 KiB because Rust probes every page that a frame covers, but C code compiled without `-fstack-clash-protection` may
//! step over a single page.

use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;

use crate::memory::{Mapping, page_size, round_up};

/// How guards are made on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardKind {
    /// `MADV_GUARD_INSTALL`: costs no mapping.
    Marker,
    /// `mprotect(PROT_NONE)`: costs two mappings a stack, capped by `vm.max_map_count`.
    Protection,
}

/// The length of a guard in bytes: 20 KiB, or a page where pages are larger.
///
/// An odd number of pages: stacks have even numbers, so the tops of those that lie side by side run through all the sets of a cache
/// instead of falling into a quarter of them (Photon measures the same effect within a page; see [`Stack`](crate::Stack)).
pub fn guard_size() -> usize {
    round_up(20 * 1024)
}

/// How guards are made on this machine; probed on the first call.
pub fn guard_kind() -> GuardKind {
    static KIND: OnceLock<GuardKind> = OnceLock::new();
    *KIND.get_or_init(|| {
        let marker = Mapping::new(page_size())
            // SAFETY: the one page of a mapping that nobody else knows.
            .and_then(|probe| unsafe { install_marker(probe.start(), page_size()) });
        if marker.is_ok() { GuardKind::Marker } else { GuardKind::Protection }
    })
}

/// Makes `start..start + len` fault on any access.
///
/// # Safety
///
/// The range is whole pages of a live mapping, and nothing lives in it.
pub(crate) unsafe fn install(kind: GuardKind, start: NonNull<u8>, len: usize) -> io::Result<()> {
    match kind {
        // SAFETY: the caller's promise, passed on.
        GuardKind::Marker => match unsafe { install_marker(start, len) } {
            // The pages are locked (`mlockall`), which markers cannot be.
            // SAFETY: as above.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => unsafe { protect(start, len) }.map_err(explain),
            installed => installed,
        },
        // SAFETY: the caller's promise, passed on.
        GuardKind::Protection => unsafe { protect(start, len) }.map_err(explain),
    }
}

#[cfg(target_os = "linux")]
unsafe fn install_marker(start: NonNull<u8>, len: usize) -> io::Result<()> {
    /// `MADV_GUARD_INSTALL` of `linux/mman.h`, since 6.13.
    const MADV_GUARD_INSTALL: libc::c_int = 102;
    // SAFETY: the caller owns the range and nothing lives there; an older kernel answers EINVAL and changes nothing.
    match unsafe { libc::madvise(start.as_ptr().cast(), len, MADV_GUARD_INSTALL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
unsafe fn install_marker(_start: NonNull<u8>, _len: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

unsafe fn protect(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: the caller owns the range and nothing lives there.
    match unsafe { libc::mprotect(start.as_ptr().cast(), len, libc::PROT_NONE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Says what ENOMEM means here: it is not memory that ran out.
fn explain(error: io::Error) -> io::Error {
    if error.raw_os_error() != Some(libc::ENOMEM) {
        return error;
    }
    let cap = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let cap = cap.as_deref().map_or("unknown", str::trim);
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "no mapping left for a stack guard: this kernel has no MADV_GUARD_INSTALL (Linux 6.13), so every stack \
             takes two mappings, and the cap is vm.max_map_count = {cap}; raise it with `sysctl vm.max_map_count=N`"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_mappings_names_the_cap() {
        let error = explain(io::Error::from_raw_os_error(libc::ENOMEM));
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        assert!(error.to_string().contains("vm.max_map_count"), "{error}");
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        assert_eq!(explain(io::Error::from_raw_os_error(libc::EACCES)).raw_os_error(), Some(libc::EACCES));
    }

    #[test]
    fn both_kinds_can_be_installed_where_the_kernel_has_them() {
        let page = page_size();
        for kind in [guard_kind(), GuardKind::Protection] {
            let mapping = Mapping::new(4 * page).expect("map");
            // SAFETY: the first page of a mapping of our own.
            unsafe { install(kind, mapping.start(), page) }.expect("install");
        }
    }
}
