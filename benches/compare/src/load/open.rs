//! The open loop: requests are due at a constant rate, dealt to the connections in turn.
//!
//! A connection carries one request at a time. One that falls due meanwhile waits on this side, and its latency counts from when it
//! was due. The client polls without ever sleeping, so as not to be late itself.

use std::io;
use std::time::Duration;

use super::connection::{Connections, Nanos};
use super::measurement::{Load, Measurement};

/// After the last request was due, answers are awaited for this long.
const GRACE: Nanos = 1_000_000_000;

/// How many requests may be sent between two looks at the answers.
const SENT_AT_ONCE: usize = 64;

/// When requests are due: the `n`th at `start + n * interval`, on connection `n % connections`.
struct Timetable {
    start: Nanos,
    interval: f64,
    connections: u64,
}

impl Timetable {
    fn due(&self, number: u64) -> Nanos {
        self.start + (number as f64 * self.interval) as Nanos
    }

    /// When the `nth` request of a connection is due.
    fn due_on(&self, index: usize, nth: u64) -> Nanos {
        self.due(nth * self.connections + index as u64)
    }
}

/// Requests of one connection.
#[derive(Clone, Copy, Default)]
struct Count {
    due: u64,
    sent: u64,
}

/// Makes `rate` requests a second, and measures those that are due after `warm_up` seconds, for `seconds`.
pub(super) fn measure(
    connections: &mut Connections,
    server: u32,
    rate: f64,
    warm_up: f64,
    seconds: f64,
) -> io::Result<Load> {
    let table = Timetable { start: connections.now(), interval: 1e9 / rate, connections: connections.len() as u64 };
    let begin = table.start + (warm_up * 1e9) as Nanos;
    let end = begin + (seconds * 1e9) as Nanos;
    let mut measurement = Measurement::new(server, begin);
    let mut counts = vec![Count::default(); connections.len()];
    let mut number = 0;
    let mut waiting: u64 = 0;
    loop {
        let now = connections.now();
        measurement.start_at(begin, now)?;
        // Should this process have been held up, the measurement began late, and takes its time nevertheless.
        let stopped = measurement.stop_at(measurement.began().unwrap_or(begin) + (end - begin), now)?;
        let all_answered = table.due(number) >= end && waiting == 0 && connections.under_way == 0;
        if stopped && (all_answered || now >= end + GRACE) {
            break;
        }
        for _ in 0..SENT_AT_ONCE {
            let due = table.due(number);
            if due > now || due >= end {
                break;
            }
            let index = (number % table.connections) as usize;
            number += 1;
            counts[index].due += 1;
            if connections.is_idle(index) {
                connections.send(index, due)?;
                counts[index].sent += 1;
            } else {
                waiting += 1;
            }
        }
        connections.turn(Some(Duration::ZERO), |index, since, now| {
            measurement.answered(since, now);
            let count = &mut counts[index];
            (count.sent < count.due).then(|| {
                waiting -= 1;
                count.sent += 1;
                table.due_on(index, count.sent - 1)
            })
        })?;
    }
    // What this process was too slow for was due nevertheless.
    while table.due(number) < end {
        counts[(number % table.connections) as usize].due += 1;
        number += 1;
    }
    let never_sent = counts.iter().enumerate().flat_map(|(index, count)| {
        let table = &table;
        (count.sent..count.due).map(move |nth| table.due_on(index, nth))
    });
    let now = connections.now();
    for since in connections.unanswered().chain(never_sent) {
        measurement.unanswered(since, now);
    }
    Ok(Load { rate: Some(rate), ..measurement.finish() })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::serve::Workload;

    #[test]
    fn a_stall_is_paid_for_by_everyone_who_was_due_meanwhile() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut message = [0; 64];
            let mut served = 0;
            while stream.read_exact(&mut message).is_ok() {
                served += 1;
                if served == 100 {
                    thread::sleep(Duration::from_millis(200));
                }
                stream.write_all(&message).unwrap();
            }
        });
        let mut connections = Connections::new(server, Workload::Echo).unwrap();
        connections.open(1).unwrap();
        let load = measure(&mut connections, std::process::id(), 1000.0, 0.0, 0.5).unwrap();
        // A fifth of all were due in the first half of the stall. Whoever sends only when the server is ready sees one.
        assert!(load.latency.p90_us > 90_000.0, "{load:?}");
    }

    #[test]
    fn connections_take_turns() {
        let table = Timetable { start: 1000, interval: 10.0, connections: 3 };
        let turns: Vec<_> = (0..6).map(|number| table.due(number)).collect();
        assert_eq!(turns, [1000, 1010, 1020, 1030, 1040, 1050]);
        assert_eq!([table.due_on(1, 0), table.due_on(1, 1)], [turns[1], turns[4]]);
    }
}
