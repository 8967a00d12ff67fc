//! Threads as the operating system sees them: their numbers, and how many a process has.

use std::io;

/// The system's number of the calling thread, by which it is listed in `/proc/self/task`; 0 on systems other than Linux.
pub fn thread_number() -> i32 {
    #[cfg(target_os = "linux")]
    // SAFETY: gettid touches no memory, and always succeeds.
    return unsafe { libc::gettid() };
    #[cfg(not(target_os = "linux"))]
    0
}

/// What the system says of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessStatus {
    /// How many threads it has, those that are about to end included.
    pub threads: usize,
    /// The signals that have a handler: bit n - 1 for signal n.
    pub caught_signals: u64,
}

/// Asks the system about this process.
///
/// A count of threads, not a list: `/proc/self/task` may leave out a thread while another one ends.
///
/// # Errors
///
/// Whatever stops `/proc/self/status` from being read; `InvalidData` if it does not say; `Unsupported` on systems other than Linux.
pub fn process_status() -> io::Result<ProcessStatus> {
    if !cfg!(target_os = "linux") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let threads = field("Threads:").and_then(|threads| threads.parse().ok());
    let caught_signals = field("SigCgt:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
    match (threads, caught_signals) {
        (Some(threads), Some(caught_signals)) => Ok(ProcessStatus { threads, caught_signals }),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
