//! Where a process of the comparison runs, and how long: CPUs, limits, and the tie to its parent.

use std::io;
use std::{fs, os::unix::process::parent_id};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps this process on one CPU, with all the threads that it starts from now on.
pub(crate) fn pin_to(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// A CPU for the server and one for the client: not two halves of one core if there is another.
pub(crate) fn two_cpus() -> io::Result<(usize, usize)> {
    let allowed = sched_getaffinity(None)?;
    let mut cpus = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
    let server = cpus.next().ok_or_else(|| io::Error::other("no CPU to run on"))?;
    let others: Vec<usize> = cpus.collect();
    let siblings = siblings_of(server);
    let client = others.iter().find(|cpu| !siblings.contains(cpu)).or(others.first());
    Ok((server, client.copied().unwrap_or(server)))
}

/// The CPUs on the core of `cpu`.
fn siblings_of(cpu: usize) -> Vec<usize> {
    let list = fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"));
    let mut siblings = Vec::new();
    for range in list.unwrap_or_default().trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse()) {
            siblings.extend(first..=last);
        }
    }
    siblings
}

/// Raises the limit on file descriptors as far as it goes, and returns it.
pub(crate) fn raise_descriptor_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Ends this process when `parent`, which started it, ends.
pub(crate) fn end_with(parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before.
    if parent_id() == parent { Ok(()) } else { Err(io::Error::other("the process that started this one is gone")) }
}
