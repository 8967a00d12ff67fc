//! Links: what the way from one machine to another does to what travels on it. Each direction is a link of its own.

use std::time::Duration;

use super::agenda::Instant;
use super::dice::{Decision, Dice, between, chance};

/// How long something takes to arrive: usually between `min` and `max`, each as likely; with the probability `tail` up to `tail_max`.
///
/// ```
/// use std::time::Duration;
/// use fibra_net::sim::Latency;
///
/// let far_away = Latency::between(Duration::from_millis(80), Duration::from_millis(120));
/// assert_eq!(far_away.with_tail(0.01, Duration::from_secs(2)).tail, 0.01);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// The shortest.
    pub min: Duration,
    /// The longest, but for the tail.
    pub max: Duration,
    /// The probability of a longer one.
    pub tail: f64,
    /// The longest of those.
    pub tail_max: Duration,
}

impl Latency {
    /// Always the same.
    pub fn fixed(latency: Duration) -> Self {
        Self::between(latency, latency)
    }

    /// Between `min` and `max`.
    pub fn between(min: Duration, max: Duration) -> Self {
        Self { min, max: max.max(min), tail: 0.0, tail_max: max.max(min) }
    }

    /// With the probability `tail`, up to `max`.
    #[must_use]
    pub fn with_tail(self, tail: f64, max: Duration) -> Self {
        Self { tail, tail_max: max.max(self.max), ..self }
    }

    fn draw(&self, dice: &mut Dice) -> u64 {
        // Both are drawn, so that who leaves the tail out gets the same latency for what was not in it.
        let usual = between(dice.of(Decision::Latency), nanos(self.min), nanos(self.max));
        match chance(dice.of(Decision::Tail), self.tail) {
            true => between(dice.of(Decision::Tail), nanos(self.max), nanos(self.tail_max)),
            false => usual,
        }
    }
}

/// What is right between machines of one data centre.
impl Default for Latency {
    fn default() -> Self {
        Self::between(Duration::from_micros(100), Duration::from_micros(500))
    }
}

/// What a link does. Probabilities are from 0 to 1.
///
/// ```
/// use fibra_net::sim::Conditions;
///
/// assert_eq!(Conditions::default().loss, 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// How long it takes.
    pub latency: Latency,
    /// Bytes a second; `None`: as many as there are.
    pub bandwidth: Option<u64>,
    /// That a packet is lost. A connection sends it again, 200 ms later and then twice as long after each attempt; a datagram is gone.
    pub loss: f64,
    /// That a datagram arrives twice.
    pub duplication: f64,
    /// That a datagram may be overtaken.
    pub reordering: f64,
    /// That what a connection carries arrives in pieces, some later than others: short reads.
    pub splitting: f64,
    /// That a write takes less than there is room for: short writes.
    pub short_writes: f64,
    /// That a packet of a connection is answered by a reset of the connection.
    pub resets: f64,
    /// That a new connection is refused.
    pub refusals: f64,
}

/// One direction between two machines.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) conditions: Conditions,
    dice: Dice,
    /// How many cuts hold: nothing arrives, and nobody is told.
    pub(super) cuts: u32,
    /// Nothing arrives for now, but nothing is lost.
    pub(super) is_held: bool,
    /// When what was sent until now has been put on the wire.
    busy_until: Instant,
    /// When the last datagram that must not be overtaken arrives.
    last_datagram: Instant,
}

/// Between the first loss and the next attempt, as Linux's.
pub(super) const RETRY_MIN: u64 = 200_000_000;
/// The longest pause between two attempts, as Linux's.
const RETRY_MAX: u64 = 120_000_000_000;

/// The pause behind attempt number `attempt`, from 0.
pub(super) fn retry(attempt: u32) -> u64 {
    (RETRY_MIN << attempt.min(16)).min(RETRY_MAX)
}

impl Link {
    pub(super) fn new(conditions: Conditions, dice: Dice) -> Self {
        Self { conditions, dice, cuts: 0, is_held: false, busy_until: 0, last_datagram: 0 }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cuts > 0
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.is_cut() || self.is_held
    }

    /// Whether that is the case this time.
    pub(super) fn falls(&mut self, decision: Decision) -> bool {
        let Conditions { loss, duplication, reordering, splitting, short_writes, resets, refusals, latency, .. } =
            self.conditions;
        let probability = match decision {
            Decision::Latency => 1.0,
            Decision::Tail => latency.tail,
            Decision::Loss => loss,
            Decision::Duplication => duplication,
            Decision::Reordering => reordering,
            Decision::Splitting => splitting,
            Decision::ShortWrite => short_writes,
            Decision::Reset => resets,
            Decision::Refusal => refusals,
        };
        chance(self.dice.of(decision), probability)
    }

    /// All of `bytes`, or, if that is the case this time, as many of them as the dice say, at least one.
    pub(super) fn cut_short(&mut self, decision: Decision, bytes: usize) -> usize {
        if bytes > 1 && self.falls(decision) { 1 + self.dice.of(decision).below(bytes) } else { bytes }
    }

    /// When `bytes` arrive that are sent now.
    fn arrival(&mut self, now: Instant, bytes: usize) -> Instant {
        let sent = match self.conditions.bandwidth {
            None => now,
            Some(bandwidth) => {
                let takes = (bytes as u64).saturating_mul(1_000_000_000) / bandwidth.max(1);
                self.busy_until = self.busy_until.max(now).saturating_add(takes);
                self.busy_until
            }
        };
        sent.saturating_add(self.conditions.latency.draw(&mut self.dice))
    }

    /// As [`arrival`](Link::arrival), of what is sent again until it arrives.
    pub(super) fn reliable_arrival(&mut self, now: Instant, bytes: usize) -> Instant {
        let mut at = self.arrival(now, bytes);
        let mut attempt = 0;
        while attempt < 8 && self.falls(Decision::Loss) {
            at = at.saturating_add(retry(attempt));
            attempt += 1;
        }
        at
    }

    /// As [`arrival`](Link::arrival), of a datagram.
    pub(super) fn datagram_arrival(&mut self, now: Instant, bytes: usize) -> Instant {
        let at = self.arrival(now, bytes);
        if self.falls(Decision::Reordering) {
            return at;
        }
        self.last_datagram = self.last_datagram.max(at);
        self.last_datagram
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
