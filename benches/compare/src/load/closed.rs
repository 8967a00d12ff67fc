//! The closed loop: whoever has an answer asks again.

use std::io;

use super::connection::{Connections, Nanos};
use super::measurement::{Load, Measurement};

/// A measurement goes on until everyone has had an answer on average, but at most so many times as long as asked.
const LONGER: f64 = 10.0;

/// Keeps one request under way on each connection, and measures after `warm_up` seconds for `seconds`; longer if a server is so slow
/// that its answers would not go round.
pub(super) fn measure(connections: &mut Connections, server: u32, warm_up: f64, seconds: f64) -> io::Result<Load> {
    for index in 0..connections.len() {
        connections.send(index, connections.now())?;
    }
    go_round(connections, warm_up, |_, _| {})?;
    let mut measurement = Measurement::new(server, 0);
    measurement.start_at(0, connections.now())?;
    go_round(connections, seconds, |since, now| measurement.answered(since, now))?;
    measurement.stop_at(0, connections.now())?;
    connections.drain()?;
    Ok(measurement.finish())
}

fn go_round(connections: &mut Connections, seconds: f64, mut answered: impl FnMut(Nanos, Nanos)) -> io::Result<()> {
    let start = connections.now();
    let (end, last) = (start + (seconds * 1e9) as Nanos, start + (seconds * LONGER * 1e9) as Nanos);
    let mut missing = connections.len();
    loop {
        let now = connections.now();
        if now >= last || (now >= end && missing == 0) {
            return Ok(());
        }
        connections.turn(None, |_, since, now| {
            missing = missing.saturating_sub(1);
            answered(since, now);
            Some(now)
        })?;
    }
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
