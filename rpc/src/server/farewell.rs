//! How a connection ends on which there are last words for the peer.
//!
//! A socket that is closed while something is unread resets its connection, and what the peer has not received by then is lost: the reason why
//! it is closed, above all, if the peer was in the midst of sending. So the output is ended first, and what still comes is read and dropped, until
//! the peer closes too.
//!
//! Invariant: it takes no longer than [`FAREWELL_TIME_MAX`], nor reads more than [`FAREWELL_BYTES_MAX`] and a buffer. Who goes on sending beyond that is reset.

use std::io::Read;

use fibra_net::{Shutdown, TcpStream};
use fibra_scheduler::clock;

use crate::limits::{FAREWELL_BYTES_MAX, FAREWELL_TIME_MAX, READ_BYTES};

/// Waits until the peer has what was written, or as long as it may take. To be called when nobody reads or writes any more.
pub(super) fn wait(mut stream: &TcpStream) {
    let deadline = clock::now() + FAREWELL_TIME_MAX;
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut dropped = 0;
    let mut buffer = vec![0; READ_BYTES];
    while dropped < FAREWELL_BYTES_MAX {
        let left = deadline.saturating_duration_since(clock::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => dropped += count,
        }
    }
}
