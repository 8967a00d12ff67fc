//! An established TLS connection: its socket, and the records between it and the plaintext.
//!
//! ```text
//!   reader ─▶ lock ─▶ plaintext there? ─ no ─▶ wait for the socket ─▶ lock ─▶ read(2), decrypt ─▶ plaintext
//!   writer ─▶ lock ─▶ encrypt, write(2) ─ no room ─▶ wait for the socket ─▶ lock ─▶ write(2)
//! ```
//!
//! Invariants:
//! * Nobody waits under the lock: it is held for one step of [`Records`], so a reader that waits for its peer does not hold up a
//!   writer, nor the other way round.
//! * There is one reader and one writer at a time, by the types that own a session: plaintext that is left over needs nobody
//!   to be woken for it.
//! * What has to go out always has somebody who waits for room: who wrote it; or, if that was cut or rustls itself answers, the reader. A
//!   reader that is a plain thread waits in the kernel, where nobody wakes it for that: if there is a writer beside it, it looks by itself.

use std::io::{self, IoSlice};
use std::net;
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use fibra_scheduler::{cancel, clock, in_fiber};
use parking_lot::{Mutex, MutexGuard};

use super::records::{Outcome, Pulled, Pushed, Records};
use crate::TcpStream;
use crate::backend::Backend;
use crate::backoff::ASK_AGAIN_MAX;
use crate::registration::Side;
use crate::socket::Socket;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Session {
    stream: TcpStream,
    records: Mutex<Records>,
}

impl Session {
    /// One whose handshake is over.
    pub(super) fn new(stream: TcpStream, records: Records) -> Self {
        Self { stream, records: Mutex::new(records) }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The records, for what does not wait.
    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock()
    }

    pub(super) fn socket(&self) -> &Arc<Socket<net::TcpStream>> {
        &self.stream.socket
    }

    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut deadline = None;
        loop {
            let (behind, is_split) = {
                let mut records = self.records();
                if let Some(read) = records.read(buf) {
                    return read;
                }
                (records.is_behind(), records.is_split)
            };
            // For all rounds, of which a peer may cause many that bring no plaintext.
            let deadline = *deadline.get_or_insert_with(|| self.socket().deadline(Side::Read));
            let pulled = match behind {
                true => self.pull_and_push(buf, deadline),
                false if is_split && !in_fiber() => self.pull_and_look(buf, deadline),
                false => self.pull(buf, deadline),
            };
            if let Outcome::Read(read) = pulled?.outcome {
                return Ok(read);
            }
        }
    }

    fn pull(&self, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<Pulled> {
        let step = |socket: &Backend<net::TcpStream>| {
            let mut records = self.records();
            // Since a writer has been cut.
            if records.is_behind() { Ok(Pulled::BEHIND) } else { records.pull(socket, buf) }
        };
        self.socket().run_until(Side::Read, deadline, step, Pulled::evidence)
    }

    /// As [`pull`](Self::pull), on a plain thread, which does not wait for long before it looks whether there is something to push.
    fn pull_and_look(&self, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<Pulled> {
        let soon = clock::now() + ASK_AGAIN_MAX;
        match self.pull(buf, Some(deadline.map_or(soon, |deadline| deadline.min(soon)))) {
            Err(error)
                if error.kind() == io::ErrorKind::TimedOut
                    && deadline.is_none_or(|deadline| clock::now() < deadline) =>
            {
                // It may have been the ambient deadline.
                cancel::check()?;
                Ok(Pulled::ADVANCED)
            }
            pulled => pulled,
        }
    }

    fn pull_and_push(&self, buf: &mut [u8], deadline: Option<Instant>) -> io::Result<Pulled> {
        self.socket().either(deadline, |side, socket| match side {
            Side::Read => self.records().pull(socket, buf),
            Side::Write => self.records().push(socket).map(|_| Pulled::ADVANCED),
        })
    }

    /// Encrypts and sends some of `bufs`. What was encrypted is accepted, also if sending it is cut.
    pub(super) fn write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut accepted = None;
        let sent = self.send(|records| {
            accepted = Some(records.encrypt(bufs)?);
            Ok(())
        });
        match (accepted, sent) {
            (Some(accepted), Ok(())) => Ok(accepted),
            (Some(accepted), Err(error)) if is_cut(&error) => Ok(accepted),
            (_, Err(error)) => {
                self.records().cut_short = true;
                Err(error)
            }
            (None, Ok(())) => unreachable!("what was not prepared is not sent"),
        }
    }

    /// Waits until everything is out.
    pub(super) fn flush(&self) -> io::Result<()> {
        if self.records().tls().wants_write() { self.send(|_| Ok(())) } else { Ok(()) }
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        // First what does not wait.
        if how != Shutdown::Write {
            self.records().read_ended = true;
            self.end(Shutdown::Read)?;
        }
        if how != Shutdown::Read {
            self.send(|records| {
                records.end_writing();
                Ok(())
            })?;
            self.end(Shutdown::Write)?;
        }
        Ok(())
    }

    /// Ends TCP's side of it.
    pub(super) fn end(&self, how: Shutdown) -> io::Result<()> {
        match self.stream.shutdown(how) {
            // A peer that has closed already answers `close_notify` by a reset.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// Sends what is left, then what `prepare` makes.
    fn send(&self, prepare: impl FnOnce(&mut Records) -> io::Result<()>) -> io::Result<()> {
        let mut prepare = Some(prepare);
        let mut pushing = Pushing { session: self, counted: false };
        let step = |socket: &Backend<net::TcpStream>| {
            let mut records = self.records();
            let pushed = records.push(socket).and_then(|pushed| match prepare.take() {
                Some(prepare) => {
                    prepare(&mut records)?;
                    records.push(socket)
                }
                None => Ok(pushed),
            });
            if matches!(&pushed, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
                pushing.count(&mut records);
            }
            pushed
        };
        self.socket().run(Side::Write, step, Pushed::evidence).map(|_| ())
    }

    /// Makes the record that tells the peer that the plaintext is complete, if that is true: nobody knows if a write has failed, or of a
    /// fiber that panics, was cancelled or is late.
    fn certify(records: &mut Records) {
        if records.cut_short || thread::panicking() || cancel::check().is_err() {
            // Nobody who comes later knows better.
            records.cut_short = true;
        } else {
            records.end_writing();
        }
    }

    /// As `shutdown(Write)`, but never waits: what does not go out at once is the reader's to send. If it is not known that the plaintext is
    /// complete, the peer sees that it was cut.
    pub(super) fn end_writing(&self) {
        let mut records = self.records();
        Self::certify(&mut records);
        records.part();
        // A connection that is lost says so to who reads.
        let _ = records.push(self.socket().io());
        let behind = records.is_behind();
        drop(records);
        if behind {
            self.socket().nudge(Side::Read);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        {
            let mut records = self.records();
            Self::certify(&mut records);
            let _ = records.push(self.socket().io());
        }
        // Closing while something is unread resets the connection, and the peer may lose what was sent last. What rustls alone would
        // read (session tickets) is read here. Plaintext that nobody has read is, as with TCP, a reason to reset.
        let Self { stream, records } = self;
        let records = records.get_mut();
        if records.read(&mut [0]).is_none() {
            let _ = records.pull(stream.socket.io(), &mut [0]);
        }
    }
}

/// Whether an operation fails for who has called it, not for the connection.
fn is_cut(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) || cancel::is_cancelled(error)
}

/// One that waits until everything is out.
struct Pushing<'a> {
    session: &'a Session,
    counted: bool,
}

impl Pushing<'_> {
    fn count(&mut self, records: &mut Records) {
        if !self.counted {
            self.counted = true;
            records.pushers += 1;
        }
    }
}

impl Drop for Pushing<'_> {
    fn drop(&mut self) {
        if self.counted {
            let mut records = self.session.records();
            records.pushers -= 1;
            let behind = records.is_behind();
            drop(records);
            if behind {
                self.session.socket().nudge(Side::Read);
            }
        }
    }
}
