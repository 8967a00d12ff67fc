//! Pinning a worker to a CPU, where the system can.

use std::io;

/// Keeps this thread on the CPU that falls to worker `index`; dropping it gives the thread back the CPUs it had.
///
/// # Errors
///
/// What the system reports; `Unsupported` where it offers no affinity (macOS).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn pin(index: usize) -> io::Result<Pinned> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let before = sched_getaffinity(None)?;
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| before.is_set(cpu)).collect();
    let Some(&cpu) = allowed.get(index % allowed.len().max(1)) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only)?;
    Ok(Pinned { before })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn pin(_index: usize) -> io::Result<Pinned> {
    Err(io::ErrorKind::Unsupported.into())
}

/// See [`pin`].
pub(super) struct Pinned {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    before: rustix::thread::CpuSet,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Drop for Pinned {
    fn drop(&mut self) {
        // Fails only if those CPUs are gone meanwhile, and then the system has chosen others.
        let _ = rustix::thread::sched_setaffinity(None, &self.before);
    }
}
