//! Waiting as a future does: nobody parks here, the task is woken.

use std::io;
use std::task::{Context, Poll};

use fibra_scheduler::in_fiber;

use super::{Evidence, Wait};
use crate::budget;
use crate::registration::{Registered, Registration};
use crate::task::Role;

impl<R: Registered + 'static> Wait<'_, R> {
    /// Runs `op` if the direction is ready; else has the task of `cx` woken when it is, as `role`. The timeout does not count.
    ///
    /// Others may be in line for the direction; a task does not line up, see [`direction`](crate::direction).
    pub(crate) fn poll<T>(
        &self,
        role: Role,
        cx: &mut Context<'_>,
        mut op: impl FnMut() -> io::Result<T>,
        evidence: impl Fn(&T) -> Evidence,
    ) -> Poll<io::Result<T>> {
        if in_fiber() && budget::is_used_up() {
            // Here and not by way of `Pending`: a fiber that is woken before it parks lets nobody run.
            budget::rest()?;
        }
        loop {
            if self.direction().load().is_ready() {
                match self.attempt(&mut op, &evidence) {
                    Some(result) => return Poll::Ready(result),
                    // As in `in_turn`: there may have been an event since.
                    None => continue,
                }
            }
            if !in_fiber() && !self.registration().is_registered() {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "a future waits for a socket outside of a runtime, where no reactor can wake it: run it by \
                     fibra::block_on in a fiber",
                )));
            }
            Registration::ensure(self.registered, self.fd)?;
            self.direction().leave_waker(role, cx.waker());
            if !self.direction().load().is_ready() {
                return Poll::Pending;
            }
        }
    }
}
