//! What this process takes from the system, as `/proc/self` has it. Linux only.

use std::{fmt, fs, io};

/// A moment's figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) resident_kib: u64,
    pub(crate) mappings: usize,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

impl Process {
    pub(crate) fn now() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(Process {
            resident_kib: resident.and_then(|kib| kib.parse().ok()).ok_or_else(|| io::Error::other("no VmRSS"))?,
            mappings: fs::read_to_string("/proc/self/maps")?.lines().count(),
            descriptors: fs::read_dir("/proc/self/fd")?.count(),
            threads: fs::read_dir("/proc/self/task")?.count(),
        })
    }

    /// What there is now that was not there before. Memory and mappings may grow by what an allocator keeps, not more.
    pub(crate) fn leaked_since(&self, before: &Process) -> Option<String> {
        let mut leaks = Vec::new();
        let mut check = |what: &str, now: u64, before: u64, slack: u64| {
            if now > before + slack {
                leaks.push(format!("{what}: {before} before, {now} after"));
            }
        };
        check("resident KiB", self.resident_kib, before.resident_kib, 16 << 10);
        check("mappings", self.mappings as u64, before.mappings as u64, 16);
        check("file descriptors", self.descriptors as u64, before.descriptors as u64, 0);
        check("threads", self.threads as u64, before.threads as u64, 0);
        (!leaks.is_empty()).then(|| leaks.join("; "))
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Process { resident_kib, mappings, descriptors, threads } = self;
        let mib = *resident_kib as f64 / 1024.0;
        write!(f, "{mib:.1} MiB resident, {mappings} mappings, {descriptors} file descriptors, {threads} threads")
    }
}
