//! rustls between plaintext and a socket, in steps that never wait: records in, records out.
//!
//! Invariants:
//! * A step makes non-blocking system calls only. `WouldBlock` from [`pull`](Records::pull) means that nothing came in,
//!   from [`push`](Records::push) that there is no room; whatever else there was to do has been done.
//! * Records go out in the order in which they were made, whoever pushes them.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::{Connection, InvalidMessage};

use super::Error;
use crate::backend::Backend;
use crate::byte_stream::ByteStream;
use crate::wait::Evidence;

/// As much plaintext is encrypted at once, at most. While that happens (20 us or so) the other direction waits.
const WRITE_MAX: usize = 32 << 10;

/// So often a step reads at most (4 KiB each time, as rustls has it), so that a peer that sends what is no plaintext, and never stops,
/// holds nobody up.
const READS_MAX: usize = 16;

/// How many bytes of what is no TLS go into the error.
const SHOWN: usize = 16;

/// One end of a TLS connection. See the [module](self).
#[derive(Debug)]
pub(super) struct Records {
    tls: Connection,
    /// How many wait until everything is out.
    pub(super) pushers: usize,
    /// There may be a writer beside who reads.
    pub(super) is_split: bool,
    /// Nothing more is encrypted: the peer was told, or will be.
    pub(super) write_ended: bool,
    /// The last write has failed, so what was written may be a part of something.
    pub(super) cut_short: bool,
    /// Whether TCP's own end goes out behind what is left.
    fin: Fin,
    /// The connection was shut down for reading here, so its end is no truncation.
    pub(super) read_ended: bool,
    /// Why nothing works any more. rustls says so only to who brings it more records.
    broken: Option<rustls::Error>,
}

/// See [`Records::part`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    Open,
    Follows,
    Sent,
}

/// What [`Records::pull`] did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulled {
    pub(super) outcome: Outcome,
    evidence: Evidence,
}

/// See [`Pulled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// So many bytes of plaintext; 0 at the end.
    Read(usize),
    /// Something was done, and it is not certain that there is anything to wait for.
    Advanced,
    /// Something has to go out, and nobody waits for room.
    Behind,
}

impl Pulled {
    pub(super) const BEHIND: Self = Self::nothing(Outcome::Behind);
    pub(super) const ADVANCED: Self = Self::nothing(Outcome::Advanced);

    /// Without a system call.
    const fn nothing(outcome: Outcome) -> Self {
        Self { outcome, evidence: Evidence { bytes: 0, drained: false } }
    }

    pub(super) fn evidence(&self) -> Evidence {
        self.evidence
    }
}

/// What [`Records::push`] did: everything is out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pushed {
    evidence: Evidence,
}

impl Pushed {
    pub(super) fn evidence(&self) -> Evidence {
        self.evidence
    }
}

impl Records {
    pub(super) fn new(mut tls: Connection) -> Self {
        tls.set_buffer_limit(Some(WRITE_MAX));
        Self {
            tls,
            pushers: 0,
            is_split: false,
            write_ended: false,
            cut_short: false,
            fin: Fin::Open,
            read_ended: false,
            broken: None,
        }
    }

    pub(super) fn tls(&self) -> &Connection {
        &self.tls
    }

    /// Plaintext that is there already; `None` if more has to come in first.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        match self.tls.reader().read(buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.failure().map(Err),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.read_ended => Some(Ok(0)),
            result => Some(result),
        }
    }

    /// Brings records in, if need be until there is plaintext for `buf`.
    pub(super) fn pull(&mut self, socket: &Backend<TcpStream>, buf: &mut [u8]) -> io::Result<Pulled> {
        let mut evidence = Evidence::default();
        for _ in 0..READS_MAX {
            let mut inbound = Inbound { socket, evidence, head: None };
            self.tls.read_tls(&mut inbound)?;
            evidence = inbound.evidence;
            let processed = self.process(socket, None);
            // First what came in front of the error.
            if let Some(read) = self.read(buf) {
                return Ok(Pulled { outcome: Outcome::Read(read?), evidence });
            }
            processed?;
            if self.is_behind() {
                return Ok(Pulled { outcome: Outcome::Behind, evidence });
            }
        }
        Ok(Pulled { outcome: Outcome::Advanced, evidence })
    }

    /// Brings records of the handshake in, if need be until it is this end's turn or it is over.
    pub(super) fn pull_handshake(&mut self, socket: &Backend<TcpStream>, head: &mut Head) -> io::Result<Pulled> {
        let mut evidence = Evidence::default();
        for _ in 0..READS_MAX {
            let mut inbound = Inbound { socket, evidence, head: Some(&mut *head) };
            if self.tls.read_tls(&mut inbound)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            evidence = inbound.evidence;
            self.process(socket, Some(head))?;
            if self.tls.wants_write() || !self.tls.is_handshaking() {
                break;
            }
        }
        Ok(Pulled { outcome: Outcome::Advanced, evidence })
    }

    /// Heeds what has come in. What is to be answered goes out if there is room.
    fn process(&mut self, socket: &Backend<TcpStream>, head: Option<&Head>) -> io::Result<()> {
        let others_push = self.tls.wants_write();
        let processed = self.tls.process_new_packets();
        if !others_push || processed.is_err() {
            // A connection that is lost says so to who reads.
            let _ = self.push(socket);
        }
        let Err(error) = processed else { return Ok(()) };
        self.broken = Some(error.clone());
        Err(match (error, head) {
            (rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType), Some(head)) if head.is_foreign() => {
                Error::NotTls { received: head.to_string() }.into()
            }
            (error, _) => Error::from(error).into(),
        })
    }

    fn failure(&self) -> Option<io::Error> {
        self.broken.clone().map(|error| Error::from(error).into())
    }

    /// Whether something has to go out that nobody waits for: an answer that rustls gives, or the rest of a write that was cut.
    pub(super) fn is_behind(&self) -> bool {
        self.pushers == 0 && self.fin != Fin::Sent && self.tls.wants_write()
    }

    /// Encrypts some of `bufs`; it is accepted when it went into a record.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if the writing has ended; what a read has failed with for good.
    pub(super) fn encrypt(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.write_ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        self.cut_short = false;
        self.tls.writer().write_vectored(bufs)
    }

    /// Sends all records that are to go out, and then TCP's own end, if that is to follow.
    pub(super) fn push(&mut self, socket: &Backend<TcpStream>) -> io::Result<Pushed> {
        let mut outbound = Outbound { socket, evidence: Evidence::default() };
        while self.fin != Fin::Sent && self.tls.wants_write() {
            self.tls.write_tls(&mut outbound)?;
        }
        if self.fin == Fin::Follows {
            self.fin = Fin::Sent;
            // Fails only if the connection is gone, and then there is nothing to end.
            let _ = socket.shutdown(Shutdown::Write);
        }
        Ok(Pushed { evidence: outbound.evidence })
    }

    /// Makes the record by which the peer knows that the plaintext is complete, unless it was made.
    pub(super) fn end_writing(&mut self) {
        if !self.write_ended && self.broken.is_none() {
            self.write_ended = true;
            self.tls.send_close_notify();
        }
    }

    /// Ends the writing for good: behind what is left comes TCP's own end, and the peer sees that the plaintext is not complete unless it was
    /// told that it is.
    pub(super) fn part(&mut self) {
        self.write_ended = true;
        if self.fin == Fin::Open {
            self.fin = Fin::Follows;
        }
    }
}

/// The first bytes of a connection, to show what it is if it is not TLS.
#[derive(Debug, Default)]
pub(super) struct Head {
    bytes: [u8; SHOWN],
    received: usize,
}

impl Head {
    fn note(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.received..) {
            let len = room.len().min(bytes.len());
            room[..len].copy_from_slice(&bytes[..len]);
        }
        self.received += bytes.len();
    }

    /// Whether they begin no record.
    fn is_foreign(&self) -> bool {
        /// A record's type, of which none is a printable character.
        const TYPES: std::ops::RangeInclusive<u8> = 20..=24;
        self.received > 0 && !TYPES.contains(&self.bytes[0])
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = &self.bytes[..self.received.min(SHOWN)];
        let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        f.write_str(&String::from_utf8_lossy(line))
    }
}

/// The socket as rustls reads it.
struct Inbound<'a> {
    socket: &'a Backend<TcpStream>,
    evidence: Evidence,
    head: Option<&'a mut Head>,
}

impl Read for Inbound<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let received = ByteStream::read(self.socket, buf)?.bytes;
        if let Some(head) = &mut self.head {
            head.note(&buf[..received]);
        }
        self.evidence.note(received, buf.len());
        Ok(received)
    }
}

/// The socket as rustls writes it.
struct Outbound<'a> {
    socket: &'a Backend<TcpStream>,
    evidence: Evidence,
}

impl Write for Outbound<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let sent = ByteStream::write(self.socket, buf)?;
        self.evidence.note(sent, buf.len());
        Ok(sent)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let sent = ByteStream::write_vectored(self.socket, bufs)?;
        self.evidence.note(sent, bufs.iter().map(|buf| buf.len()).sum());
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Evidence {
    /// A further transfer of the same operation.
    fn note(&mut self, moved: usize, asked: usize) {
        self.bytes += moved;
        self.drained = 0 < moved && moved < asked;
    }
}
