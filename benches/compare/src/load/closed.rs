//! The closed loop: whoever has an answer asks again.

use std::io;

use super::connection::{Connections, Nanos};
use super::measurement::{Load, Measurement};

/// Keeps one request under way on each connection, and measures after `warm_up` seconds for `seconds`.
pub(super) fn measure(connections: &mut Connections, server: u32, warm_up: f64, seconds: f64) -> io::Result<Load> {
    for index in 0..connections.len() {
        connections.send(index, connections.now())?;
    }
    let begin = connections.now() + (warm_up * 1e9) as Nanos;
    while connections.now() < begin {
        connections.turn(None, |_, _, now| Some(now))?;
    }
    let mut measurement = Measurement::new(server, 0);
    let end = begin + (seconds * 1e9) as Nanos;
    measurement.start_at(begin, connections.now())?;
    while connections.now() < end {
        connections.turn(None, |_, since, now| {
            measurement.answered(since, now);
            Some(now)
        })?;
    }
    measurement.stop_at(end, connections.now())?;
    connections.drain()?;
    Ok(measurement.finish())
}

/// Makes `each` requests on every connection.
pub(super) fn exchange(connections: &mut Connections, each: u64) -> io::Result<()> {
    let mut left = vec![each; connections.len()];
    for (index, left) in left.iter_mut().enumerate().filter(|(_, left)| **left > 0) {
        *left -= 1;
        connections.send(index, connections.now())?;
    }
    while connections.under_way > 0 {
        connections.turn(None, |index, _, now| {
            left[index] = left[index].checked_sub(1)?;
            Some(now)
        })?;
    }
    Ok(())
}
