//! Dialling a server: prefaces, and then the session, which is opened or resumed.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fibra_net::TcpStream;
use fibra_scheduler::{cancel, clock};

use super::builder::Settings;
use super::keepalive::Keepalive;
use super::target::Target;
use crate::error::ConnectError;
use crate::handshake;
use crate::limits::WRITE_STALL_MAX;
use crate::random;
use crate::wire::frame::{Frame, GOAWAY_EXPIRED, GOAWAY_WRONG_INCARNATION, Open};
use crate::wire::{encode, preface};

/// Who a channel is to its server.
pub(super) struct Identity {
    client: [u8; 16],
    secret: [u8; 16],
    incarnation: u64,
    /// The incarnation of the server that has the session; 0: none has.
    server: u64,
}

/// A connection, open.
pub(super) struct Connected {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// The server's incarnation.
    pub(super) server: u64,
    /// The session is the one of the connection before: what was sent can be sent again.
    pub(super) resumed: bool,
    /// Calls that the session may have outstanding.
    pub(super) window: usize,
    /// How it is noticed that the peer has fallen silent.
    pub(super) keepalive: Option<Keepalive>,
}

impl Identity {
    pub(super) fn new() -> Self {
        Self { client: random::bytes(), secret: random::bytes(), incarnation: 1, server: 0 }
    }

    /// Opens a connection to the first address that answers as a fibra server of our version.
    ///
    /// # Errors
    ///
    /// That of the last address.
    pub(super) fn dial(
        &mut self,
        target: &mut Target,
        settings: &Settings,
        keepalive: Option<Keepalive>,
    ) -> Result<Connected, ConnectError> {
        let deadline = clock::now() + settings.connect_timeout;
        let mut failed = None;
        for (index, peer) in target.addrs().iter().copied().enumerate() {
            // One that does not answer leaves the others their share of the time.
            let others = u32::try_from(target.addrs().len() - index).unwrap_or(u32::MAX);
            match self.open(peer, settings, keepalive, left(deadline) / others) {
                Ok(connected) => {
                    target.answered(peer);
                    return Ok(connected);
                }
                Err(error) => failed = Some(error),
            }
            if cancel::check().is_err() {
                break;
            }
        }
        let nowhere = || ConnectError::Resolve(io::ErrorKind::NotFound.into());
        Err(failed.unwrap_or_else(nowhere))
    }

    /// Opens a connection to this address.
    fn open(
        &mut self,
        peer: SocketAddr,
        settings: &Settings,
        keepalive: Option<Keepalive>,
        timeout: Duration,
    ) -> Result<Connected, ConnectError> {
        let deadline = clock::now() + timeout;
        let failed = |source| io_error(peer, timeout, source);
        let stream = TcpStream::connect_timeout(&peer, timeout).map_err(failed)?;
        configure(&stream, keepalive).map_err(failed)?;
        // Of all of it, however few bytes come at a time.
        let answer = cancel::with_deadline(deadline, || exchange_prefaces(&stream)).map_err(failed)?;
        match preface::decode(&answer) {
            Some(preface::VERSION) => {}
            Some(theirs) => return Err(ConnectError::Version { peer, ours: preface::VERSION, theirs }),
            None => return Err(ConnectError::NotFibra { peer }),
        }
        let opens = || self.exchange_opens(&stream, settings.limits.window);
        match cancel::with_deadline(deadline, opens).map_err(failed)? {
            Some(Frame::Opened(opened)) => {
                // A session that another server has, or the same after a restart, is not the one of before, even if it was there.
                let (server, resumed) = (opened.incarnation, opened.resumed && opened.incarnation == self.server);
                // As asked for, whatever it offers.
                let window = usize::from(opened.window).min(settings.limits.window).max(1);
                Ok(Connected { stream, peer, server, resumed, window, keepalive })
            }
            Some(Frame::GoAway { code, message }) => {
                if matches!(code, GOAWAY_EXPIRED | GOAWAY_WRONG_INCARNATION) {
                    self.incarnation += 1;
                    self.server = 0;
                }
                Err(ConnectError::Session { peer, message: String::from_utf8_lossy(&message).into_owned() })
            }
            _ => Err(ConnectError::NotFibra { peer }),
        }
    }

    /// The connection is in use. Until then its session counts as none: were it lost before, the next to resume it would otherwise not
    /// learn that it was new.
    pub(super) fn settle(&mut self, server: u64) {
        self.server = server;
    }

    /// Sends our open; returns the server's answer, if that is a frame.
    fn exchange_opens(&self, mut stream: &TcpStream, window: usize) -> io::Result<Option<Frame>> {
        let open = Open {
            client: self.client,
            incarnation: self.incarnation,
            server: self.server,
            window: u16::try_from(window).unwrap_or(u16::MAX),
            secret: self.secret.to_vec().into(),
        };
        let mut frame = Vec::new();
        encode::open(&mut frame, &open);
        stream.write_all(&frame)?;
        Ok(handshake::read_frame(stream)?.ok())
    }
}

/// Tells the kernel how the connection is used, and when to give it up.
fn configure(stream: &TcpStream, keepalive: Option<Keepalive>) -> io::Result<()> {
    // Calls are written by the batch: waiting for more would only delay them.
    stream.set_nodelay(true)?;
    // While the peer takes nothing of what is written, nobody looks whether it is there.
    let silence = keepalive.map(|keepalive| keepalive.after.saturating_add(keepalive.timeout));
    let stall = silence.map_or(WRITE_STALL_MAX, |silence| silence.clamp(Duration::from_millis(1), WRITE_STALL_MAX));
    stream.set_write_timeout(Some(stall))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if silence.is_some() {
        stream.set_user_timeout(Some(stall))?;
    }
    Ok(())
}

/// Sends our preface; returns the server's.
fn exchange_prefaces(mut stream: &TcpStream) -> io::Result<[u8; preface::LEN]> {
    stream.write_all(&preface::encode(preface::VERSION))?;
    let mut answer = [0; preface::LEN];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// The time left; never zero, which would mean "for ever" or be refused.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(clock::now()).max(Duration::from_millis(1))
}

pub(super) fn io_error(peer: SocketAddr, after: Duration, source: io::Error) -> ConnectError {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { peer },
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            ConnectError::Closed { peer }
        }
        io::ErrorKind::TimedOut => ConnectError::TimedOut { peer, after },
        _ => ConnectError::Io { peer, source },
    }
}
