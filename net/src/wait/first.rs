//! Waiting for several sockets at once: whichever is there first.

use std::io;
use std::time::Instant;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::{cancel, clock, in_fiber};
use rustix::event::PollFd;

use super::{Evidence, Wait, poll_until, uninterrupted};
use crate::budget;
use crate::registration::{Registered, Registration};

/// Tries `op` with the number of each of `waits` that is ready, until one succeeds or fails for good; returns its number and result.
/// `None` after `deadline`. The waits' own timeouts do not count.
///
/// # Errors
///
/// What [`Wait::run`] adds to those of `op`.
pub(crate) fn first<T, R: Registered + 'static>(
    waits: &[Wait<'_, R>],
    deadline: Option<Instant>,
    op: impl FnMut(usize) -> io::Result<T>,
) -> io::Result<Option<(usize, io::Result<T>)>> {
    if in_fiber() { on_a_fiber(waits, deadline, op) } else { on_a_thread(waits, deadline, op) }
}

fn on_a_fiber<T, R: Registered + 'static>(
    waits: &[Wait<'_, R>],
    deadline: Option<Instant>,
    mut op: impl FnMut(usize) -> io::Result<T>,
) -> io::Result<Option<(usize, io::Result<T>)>> {
    if budget::is_used_up() {
        budget::rest()?;
    }
    let directions: Vec<_> = waits.iter().map(Wait::direction).collect();
    let mut turns: Vec<_> = directions.iter().map(|direction| direction.line_up(park::current())).collect();
    loop {
        let mut tried = false;
        for (index, (wait, turn)) in waits.iter().zip(&mut turns).enumerate() {
            if directions[index].load().is_ready() && turn.has_come() {
                tried = true;
                if let Some(result) = wait.attempt(&mut || op(index), &|_| Evidence::default()) {
                    return Ok(Some((index, result)));
                }
            }
        }
        if tried {
            // As in `Wait::in_turn`: an event since may have woken nobody.
            continue;
        }
        let mut reason = Reason::Parked;
        for wait in waits {
            Registration::ensure(wait.registered, wait.fd)?;
            reason = wait.reason();
        }
        // As in `Wait::in_turn`.
        budget::renew();
        match park::wait(reason, deadline) {
            Err(cancel::Interrupted::TimedOut) if deadline.is_some_and(|deadline| deadline <= clock::now()) => {
                return Ok(None);
            }
            waited => waited?,
        }
    }
}

fn on_a_thread<T, R: Registered + 'static>(
    waits: &[Wait<'_, R>],
    deadline: Option<Instant>,
    mut op: impl FnMut(usize) -> io::Result<T>,
) -> io::Result<Option<(usize, io::Result<T>)>> {
    let until = [deadline, cancel::deadline()].into_iter().flatten().min();
    let mut fds: Vec<_> = waits.iter().map(|wait| PollFd::from_borrowed_fd(wait.fd, wait.flags())).collect();
    loop {
        for index in 0..waits.len() {
            match uninterrupted(&mut || op(index)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Ok(Some((index, result))),
            }
        }
        if !poll_until(&mut fds, until)? {
            cancel::check()?;
            return Ok(None);
        }
    }
}
