//! CPU time, as the kernel knows it.

use std::time::Duration;
use std::{fs, io};

/// The CPU time that the process has used, all its threads together, those that ended included. `/proc` would have it too, but
/// in hundredths of a second.
pub(crate) fn cpu_time_of(pid: u32) -> io::Result<Duration> {
    let mut clock = 0;
    // SAFETY: it writes a clock's number to where it is told, which is a variable of that type.
    let error = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut clock) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes a time to where it is told, which is a variable of that type.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// The time that all CPUs together have been busy or were not to be had, interrupts left out: those are for our packets, mostly.
pub(crate) fn cpu_time_of_all() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let fields: Vec<u64> =
        text.lines().next().unwrap_or_default().split(' ').filter_map(|field| field.parse().ok()).collect();
    match fields[..] {
        [user, nice, system, _idle, _iowait, _irq, _softirq, steal, ..] => {
            let ticks = (user + nice + system + steal) as f64;
            Ok(Duration::from_secs_f64(ticks / rustix::param::clock_ticks_per_second() as f64))
        }
        _ => Err(io::Error::other("/proc/stat is not as expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_time_of_a_process_grows_when_it_computes() {
        let before = cpu_time_of(std::process::id()).unwrap();
        let all_before = cpu_time_of_all().unwrap();
        while cpu_time_of(std::process::id()).unwrap() - before < Duration::from_millis(1)
            || cpu_time_of_all().unwrap() == all_before
        {
            std::hint::black_box(crate::request::scramble(1, 1000));
        }
    }

    #[test]
    fn a_process_that_is_not_there_has_no_cpu_time() {
        assert!(cpu_time_of((1 << 22) + 1).is_err(), "no kernel has more");
    }
}
