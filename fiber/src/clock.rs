//! The clock of `Instant`, as other processes read it: std does not say what an instant is.

use std::time::Duration;

/// What CLOCK_MONOTONIC says, by which `Instant` goes on Linux; `None` on other systems.
///
/// For telling other processes when something was, such as debuggers. Whoever decides by time asks the scheduler's clock.
///
/// ```
/// if let Some(before) = fibra_fiber::monotonic_time() {
///     assert!(fibra_fiber::monotonic_time() >= Some(before));
/// }
/// ```
pub fn monotonic_time() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call writes one timespec.
        if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) } == 0 {
            return Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?));
        }
    }
    None
}
