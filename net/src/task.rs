//! The place for the waker of a task that is polled for one direction of a socket. Without the feature `tokio-io` there are no tasks,
//! and the place takes no room.

#[cfg(feature = "tokio-io")]
use std::task::Waker;

/// Nobody, or who polled last and found the direction not ready.
#[derive(Debug, Default)]
pub(crate) struct Task(#[cfg(feature = "tokio-io")] Option<Waker>);

#[cfg(feature = "tokio-io")]
impl Task {
    pub(crate) const fn nobody() -> Self {
        Self(None)
    }

    pub(crate) fn is_nobody(&self) -> bool {
        self.0.is_none()
    }

    /// Puts the task of `waker` here; returns who was, to be dropped where anybody's code may run.
    pub(crate) fn replace(&mut self, waker: &Waker) -> Self {
        match &self.0 {
            Some(before) if before.will_wake(waker) => Self(None),
            _ => Self(self.0.replace(waker.clone())),
        }
    }

    pub(crate) fn wake(self) {
        if let Some(waker) = self.0 {
            crate::reactor::wake(waker);
        }
    }
}

#[cfg(not(feature = "tokio-io"))]
impl Task {
    pub(crate) const fn nobody() -> Self {
        Self()
    }

    pub(crate) fn is_nobody(&self) -> bool {
        true
    }

    pub(crate) fn wake(self) {}
}
