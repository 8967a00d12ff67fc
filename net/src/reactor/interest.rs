//! What epoll is asked for, and what it answers.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Registry, Token};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::event::epoll::{self, EventData, EventFlags};

use crate::registration::Happening;

/// Of what a socket is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Whatever happens in either direction.
    Both,
    /// Connections to accept, of which one of several reactors is to be told: one whose worker sleeps, and those whose do not.
    ToAccept,
}

impl Interest {
    /// Registers `fd`, edge-triggered.
    pub(super) fn register(self, registry: &Registry, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let readable = mio::Interest::READABLE;
        let interests = match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Interest::ToAccept => {
                let flags = EventFlags::IN | EventFlags::ET | EventFlags::EXCLUSIVE;
                return Ok(epoll::add(registry, fd, EventData::new_u64(token.0 as u64), flags)?);
            }
            // All are told, and all but one ask in vain.
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Interest::ToAccept => readable,
            // Urgent data on top, not to read it but to know of it: a read stops short at the urgent mark, although more data follows of
            // which the event is long gone.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Interest::Both => readable | mio::Interest::WRITABLE | mio::Interest::PRIORITY,
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Interest::Both => readable | mio::Interest::WRITABLE,
        };
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, interests)
    }
}

/// What an event says.
pub(super) fn happening(event: &Event) -> Happening {
    Happening {
        readable: event.is_readable(),
        writable: event.is_writable(),
        urgent: event.is_priority(),
        read_ended: event.is_read_closed(),
        failed: event.is_write_closed() || event.is_error(),
    }
}
