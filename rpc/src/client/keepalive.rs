//! Whether the peer is still there, and whether the connection is still used: a state machine without clock or socket.
//!
//! ```text
//!   bytes come ─▶ alive ── silent for `after`, and calls wait ─▶ ping ── silent for `timeout` ─▶ lost
//!                   ▲                                             │
//!                   └───────────────── bytes come ────────────────┘
//! ```
//!
//! The fiber that writes looks now and then, at the latest when [`Monitor::look`] says. Readers and callers do nothing for it but count, so
//! that a call pays nothing.
//!
//! Invariants:
//! * Any byte that comes shows that the peer is there, not only the answer to the ping.
//! * Without calls no ping is sent, unless that is asked for; and a connection is never idle while a call waits.
//! * The ping stands behind what is sent again. So that it comes to be answered however slow the link, each silence without an answer before doubles
//!   the patience with the next connection.

use std::time::{Duration, Instant};

use crate::limits::SETTING_MAX;

/// So often the timeout is doubled at most.
const DOUBLINGS_MAX: u32 = 6;

/// What is doubled of a shorter timeout.
const TIMEOUT_MIN: Duration = Duration::from_millis(20);

/// When a connection on which nothing comes is asked for a sign of life, and when it is given up: then calls go out again on another, as far
/// as their [semantics](crate::service::Semantics) allow.
///
/// Default: 5 s of silence while calls wait, and 10 s for the answer. So a peer whose host is gone, or whose process has stopped, is noticed
/// within 20 s. A server of [threads](crate::server::Builder::thread_per_connection) answers no ping while a handler runs: its clients need a
/// timeout longer than its calls take.
///
/// ```
/// use std::time::Duration;
/// use fibra_rpc::{Channel, client::Keepalive};
///
/// let mut keepalive = Keepalive::default();
/// keepalive.after = Duration::from_secs(1);
/// let builder = Channel::builder().keepalive(Some(keepalive));
/// # let _ = builder;
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// How long nothing comes before a ping is sent; it may take half as long again. At least 20 ms.
    pub after: Duration,
    /// How long nothing comes after the ping before the connection counts as lost. On the next one twice as long, up to 64 times, until there is an
    /// answer: a slow link may need longer for what is sent again.
    pub timeout: Duration,
    /// Also while no call waits. Default: no.
    pub when_idle: bool,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { after: Duration::from_secs(5), timeout: Duration::from_secs(10), when_idle: false }
    }
}

impl Keepalive {
    /// This within its bounds: a server takes no more pings than [`GLITCHES_PER_SECOND`](crate::limits::GLITCHES_PER_SECOND).
    pub(super) fn bounded(mut self) -> Self {
        self.after = self.after.clamp(Duration::from_millis(20), SETTING_MAX);
        self.timeout = self.timeout.min(SETTING_MAX);
        self
    }

    /// This for a connection after so many that were given up one after the other, without an answer on any.
    pub(super) fn after_silences(mut self, count: u32) -> Self {
        if count > 0 {
            let doubled = 1 << count.min(DOUBLINGS_MAX);
            self.timeout = self.timeout.max(TIMEOUT_MIN).saturating_mul(doubled).min(SETTING_MAX);
        }
        self
    }
}

/// What has happened on a connection so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Reads that brought something.
    pub(super) heard: u64,
    /// Calls made.
    pub(super) made: u64,
    /// Calls wait now.
    pub(super) waiting: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Look again at that time; `None`: there is nothing to look for.
    Wait(Option<Instant>),
    /// Send a ping, and look again.
    Ping,
    /// Nothing has come for so long.
    Lost(Duration),
    /// Nobody has used it for the idle timeout.
    Idle,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    keepalive: Option<Keepalive>,
    idle_timeout: Option<Duration>,
    last: Seen,
    /// Since when nothing has come that somebody waited for.
    quiet_since: Instant,
    pinged_at: Option<Instant>,
    used_at: Instant,
}

impl Monitor {
    pub(super) fn new(keepalive: Option<Keepalive>, idle_timeout: Option<Duration>, now: Instant, last: Seen) -> Self {
        Self { keepalive, idle_timeout, last, quiet_since: now, pinged_at: None, used_at: now }
    }

    /// What to do, given what has happened until `now`.
    pub(super) fn look(&mut self, now: Instant, seen: Seen) -> Action {
        let last = std::mem::replace(&mut self.last, seen);
        let used = seen.waiting || seen.made != last.made;
        if used {
            self.used_at = now;
        }
        if seen.heard != last.heard {
            self.quiet_since = now;
            self.pinged_at = None;
        }
        let mut next = None;
        let mut at = |instant: Option<Instant>| next = [next, instant].into_iter().flatten().min();
        if let Some(Keepalive { after, timeout, when_idle }) = self.keepalive {
            if let Some(pinged_at) = self.pinged_at {
                if now.saturating_duration_since(pinged_at) >= timeout {
                    return Action::Lost(now.saturating_duration_since(self.quiet_since));
                }
                // Before that, too: the answer wakes nobody here.
                at(pinged_at.checked_add(timeout).map(|lost_at| lost_at.min(now + after)));
            } else {
                if !used && !when_idle {
                    self.quiet_since = now;
                }
                if now.saturating_duration_since(self.quiet_since) >= after {
                    self.pinged_at = Some(now);
                    return Action::Ping;
                }
                // Halfway, too: a call that begins now counts from when it is seen.
                at(self.quiet_since.checked_add(after).map(|ping_at| ping_at.min(now + after / 2)));
            }
        }
        if let Some(idle_timeout) = self.idle_timeout {
            if !seen.waiting && now.saturating_duration_since(self.used_at) >= idle_timeout {
                return Action::Idle;
            }
            at(self.used_at.checked_add(idle_timeout).map(|idle_at| idle_at.max(now + idle_timeout / 16)));
        }
        Action::Wait(next)
    }
}

#[cfg(test)]
mod tests {
    use fibra_scheduler::clock;
    use proptest::prelude::*;

    use super::*;

    const AFTER: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_secs(2);
    const IDLE: Duration = Duration::from_secs(8);

    const KEEPALIVE: Keepalive = Keepalive { after: AFTER, timeout: TIMEOUT, when_idle: false };

    const NOTHING: Seen = Seen { heard: 0, made: 0, waiting: false };

    /// Looks when it says, until it says something else, in a world where nothing changes. When that was, and what.
    fn until_it_acts(monitor: &mut Monitor, start: Instant, seen: Seen, end: Duration) -> Option<(Duration, Action)> {
        let mut now = start;
        while now - start <= end {
            match monitor.look(now, seen) {
                Action::Wait(next) => now = next.filter(|next| *next > now)?,
                action => return Some((now - start, action)),
            }
        }
        None
    }

    #[test]
    fn a_silent_peer_is_pinged_and_then_given_up() {
        let start = clock::now();
        let waiting = Seen { made: 1, waiting: true, ..NOTHING };
        let mut monitor = Monitor::new(Some(KEEPALIVE), None, start, NOTHING);
        assert_eq!(until_it_acts(&mut monitor, start, waiting, IDLE), Some((AFTER, Action::Ping)));
        let lost = until_it_acts(&mut monitor, start + AFTER, waiting, IDLE);
        assert_eq!(lost, Some((TIMEOUT, Action::Lost(AFTER + TIMEOUT))));
    }

    #[test]
    fn any_byte_shows_that_it_is_there() {
        let start = clock::now();
        let waiting = Seen { made: 1, waiting: true, ..NOTHING };
        let mut monitor = Monitor::new(Some(KEEPALIVE), None, start, NOTHING);
        assert_eq!(monitor.look(start + AFTER, waiting), Action::Ping);
        let answered = Seen { heard: 1, ..waiting };
        assert!(matches!(monitor.look(start + AFTER + TIMEOUT, answered), Action::Wait(_)));
        assert_eq!(monitor.look(start + AFTER * 2 + TIMEOUT, answered), Action::Ping);
    }

    #[test]
    fn nobody_waits_so_nobody_asks_unless_told_to() {
        let start = clock::now();
        let mut monitor = Monitor::new(Some(KEEPALIVE), None, start, NOTHING);
        assert_eq!(until_it_acts(&mut monitor, start, NOTHING, IDLE), None);
        let keepalive = Keepalive { when_idle: true, ..KEEPALIVE };
        let mut monitor = Monitor::new(Some(keepalive), None, start, NOTHING);
        assert_eq!(until_it_acts(&mut monitor, start, NOTHING, IDLE), Some((AFTER, Action::Ping)));
    }

    /// Each gives up before it is noticed; that somebody called counts.
    #[test]
    fn short_calls_to_a_dead_peer_add_up() {
        let start = clock::now();
        let mut monitor = Monitor::new(Some(KEEPALIVE), None, start, NOTHING);
        let mut now = start;
        let mut pinged = false;
        for made in 1.. {
            match monitor.look(now, Seen { made, ..NOTHING }) {
                Action::Wait(next) => now = next.expect("it looks on"),
                Action::Ping => pinged = true,
                Action::Lost(_) => break,
                Action::Idle => unreachable!("it has no idle timeout"),
            }
        }
        assert!(pinged && now - start <= AFTER + TIMEOUT + AFTER, "{:?}", now - start);
    }

    #[test]
    fn what_nobody_uses_is_idle() {
        let start = clock::now();
        let mut monitor = Monitor::new(None, Some(IDLE), start, NOTHING);
        assert_eq!(until_it_acts(&mut monitor, start, NOTHING, IDLE * 2), Some((IDLE, Action::Idle)));
        let mut monitor = Monitor::new(None, Some(IDLE), start, NOTHING);
        let waiting = Seen { waiting: true, made: 1, heard: 0 };
        assert_eq!(until_it_acts(&mut monitor, start, waiting, IDLE * 2), None, "a call waits");
        assert!(matches!(monitor.look(start + IDLE * 3, Seen { made: 2, ..NOTHING }), Action::Wait(_)), "one was made");
        assert_eq!(monitor.look(start + IDLE * 4, Seen { made: 2, ..NOTHING }), Action::Idle);
    }

    proptest! {
        /// Whatever happens, it neither gives up a peer that speaks, nor lets one that is silent keep its callers for long, nor spins.
        #[test]
        fn only_the_silent_are_given_up(steps in proptest::collection::vec((0..3_u64, any::<bool>(), 0..2_u64), 1..80)) {
            let start = clock::now();
            let mut monitor = Monitor::new(Some(KEEPALIVE), Some(IDLE), start, NOTHING);
            let (mut now, mut seen) = (start, NOTHING);
            let mut quiet_since = start;
            for (heard, waiting, made) in steps {
                seen = Seen { heard: seen.heard + heard / 2, waiting, made: seen.made + made };
                if heard / 2 > 0 {
                    quiet_since = now;
                }
                match monitor.look(now, seen) {
                    Action::Wait(next) => {
                        let next = next.expect("it looks on");
                        prop_assert!(next > now && next - now <= TIMEOUT, "{:?}", next - now);
                        now = next;
                    }
                    Action::Ping => prop_assert!(now - quiet_since >= AFTER),
                    Action::Lost(_) => {
                        prop_assert!(now - quiet_since >= AFTER + TIMEOUT);
                        return Ok(());
                    }
                    Action::Idle => {
                        prop_assert!(!waiting);
                        return Ok(());
                    }
                }
            }
        }
    }
}
