//! Unix streams: bytes in order, from one socket into the other's.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};

use rustix::io::Errno;

use super::{BUFFER, Kind, READABLE, WRITABLE, is_room};
use crate::byte_stream::Received;
use crate::sim::connection::copy;
use crate::sim::dice::Decision;
use crate::sim::state::State;

/// What has come to one end.
#[derive(Debug, Default)]
pub(super) struct Stream {
    arrived: VecDeque<u8>,
    /// The peer has found no room.
    is_awaited: bool,
}

impl Stream {
    pub(super) fn is_unread(&self) -> bool {
        !self.arrived.is_empty()
    }
}

impl State {
    /// Moves what has come to `bufs`; or copies it, if `peek`.
    pub(in crate::sim) fn read_unix(
        &mut self,
        number: u32,
        bufs: &mut [IoSliceMut<'_>],
        peek: bool,
    ) -> Result<Received, Errno> {
        let machine = self.unix(number)?.machine;
        if self.machine(machine).is_stalled {
            return Err(Errno::AGAIN);
        }
        let socket = self.unix(number)?;
        let Kind::Stream(stream) = &mut socket.kind else { return Err(Errno::OPNOTSUPP) };
        if stream.arrived.is_empty() {
            return match socket.error.take() {
                Some(error) => Err(error),
                None if socket.is_read_shut => Ok(Received::all(0)),
                None => Err(Errno::AGAIN),
            };
        }
        let there = stream.arrived.len().min(bufs.iter().map(|buf| buf.len()).sum());
        let most = if peek { there } else { self.link(machine, machine).cut_short(Decision::Splitting, there) };
        let socket = self.unix(number)?;
        let Kind::Stream(stream) = &mut socket.kind else { return Err(Errno::OPNOTSUPP) };
        let mut bytes = 0;
        for buf in bufs {
            let part = buf.len().min(most - bytes);
            let (front, back) = stream.arrived.as_slices();
            copy(front, back, bytes, &mut buf[..part]);
            bytes += part;
        }
        if !peek {
            stream.arrived.drain(..bytes);
            if stream.is_awaited && is_room(stream.arrived.len()) {
                stream.is_awaited = false;
                if let Some(peer) = socket.peer.as_ref().map(|peer| peer.number) {
                    self.raise_unix(peer, WRITABLE);
                }
            }
        }
        Ok(Received { bytes, cut: most < there })
    }

    /// Takes from `bufs` what there is room for at the peer.
    pub(in crate::sim) fn write_unix(&mut self, number: u32, bufs: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let socket = self.unix(number)?;
        let machine = socket.machine;
        let peer = socket.peer.as_ref().ok_or(Errno::NOTCONN)?.number;
        if socket.is_write_shut {
            return Err(Errno::PIPE);
        }
        let asked: usize = bufs.iter().map(|buf| buf.len()).sum();
        if asked == 0 {
            return Ok(0);
        }
        let Ok(Kind::Stream(stream)) = self.unix(peer).map(|peer| &mut peer.kind) else { return Err(Errno::PIPE) };
        let room = asked.min(BUFFER - stream.arrived.len());
        stream.is_awaited |= room < asked;
        if room == 0 {
            return Err(Errno::AGAIN);
        }
        let bytes = self.link(machine, machine).cut_short(Decision::ShortWrite, room);
        if let Kind::Stream(stream) = &mut self.unix(peer)?.kind {
            let mut left = bytes;
            for buf in bufs {
                let part = &buf[..left.min(buf.len())];
                stream.arrived.extend(part);
                left -= part.len();
            }
        }
        self.tell("Unix data", machine, machine, bytes);
        self.raise_unix(peer, READABLE);
        if bytes < room {
            // It may go on: nobody has to make room.
            self.raise_unix(number, WRITABLE);
        }
        Ok(bytes)
    }
}
