//! Threads as the operating system sees them: their numbers, and which ones a process has.

use std::io;

/// The system's number of the calling thread, by which it is listed in `/proc/self/task`; 0 on systems other than Linux.
pub fn thread_number() -> i32 {
    #[cfg(target_os = "linux")]
    // SAFETY: gettid touches no memory, and always succeeds.
    return unsafe { libc::gettid() };
    #[cfg(not(target_os = "linux"))]
    0
}

/// The numbers of all threads of this process.
///
/// # Errors
///
/// Whatever stops `/proc/self/task` from being read; `Unsupported` on systems other than Linux.
pub fn thread_numbers() -> io::Result<Vec<i32>> {
    if !cfg!(target_os = "linux") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let entries = std::fs::read_dir("/proc/self/task")?;
    entries.map(|entry| entry?.file_name().to_string_lossy().parse().map_err(io::Error::other)).collect()
}

/// The signals that have a handler in this process: bit n - 1 for signal n.
///
/// # Errors
///
/// Whatever stops `/proc/self/status` from being read; `Unsupported` on systems other than Linux.
pub fn caught_signals() -> io::Result<u64> {
    if !cfg!(target_os = "linux") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim);
    u64::from_str_radix(mask.unwrap_or_default(), 16).map_err(io::Error::other)
}
