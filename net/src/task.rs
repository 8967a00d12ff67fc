//! The places for the wakers of tasks that are polled for one direction of a socket. Without the feature `tokio-io` there are no tasks,
//! and the places take no room.

#[cfg(feature = "tokio-io")]
use std::task::Waker;

/// As what a task is polled.
#[cfg(feature = "tokio-io")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Whose direction it is: a reader for reading, a writer for writing.
    Own,
    /// A reader who, on TLS, sends what nobody else does.
    #[cfg(feature = "tls")]
    Helper,
}

/// For each [`Role`] nobody, or who polled last in it and found the direction not ready.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    #[cfg(feature = "tokio-io")]
    own: Option<Waker>,
    #[cfg(all(feature = "tls", feature = "tokio-io"))]
    helper: Option<Waker>,
}

#[cfg(feature = "tokio-io")]
impl Tasks {
    pub(crate) fn is_nobody(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.helper.is_some() {
            return false;
        }
        self.own.is_none()
    }

    /// Puts the task of `waker` in its place; returns who was there, to be dropped where anybody's code may run.
    pub(crate) fn replace(&mut self, role: Role, waker: &Waker) -> Option<Waker> {
        let place = match role {
            Role::Own => &mut self.own,
            #[cfg(feature = "tls")]
            Role::Helper => &mut self.helper,
        };
        match place {
            Some(before) if before.will_wake(waker) => None,
            _ => place.replace(waker.clone()),
        }
    }

    pub(crate) fn wake(self) {
        self.own.into_iter().for_each(crate::reactor::wake);
        #[cfg(feature = "tls")]
        self.helper.into_iter().for_each(crate::reactor::wake);
    }
}

#[cfg(not(feature = "tokio-io"))]
impl Tasks {
    pub(crate) fn is_nobody(&self) -> bool {
        true
    }

    pub(crate) fn wake(self) {}
}
