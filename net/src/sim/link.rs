//! Links: what the way from one machine to another does to what travels on it. Each direction is a link of its own.

use std::time::Duration;

use fibra_scheduler::seeded::Rng;

use super::agenda::Instant;

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

    fn draw(&self, rng: &mut Rng) -> u64 {
        let (min, max) = match chance(rng, self.tail) {
            true => (self.max, self.tail_max),
            false => (self.min, self.max),
        };
        between(rng, nanos(min), nanos(max))
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
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub(super) conditions: Conditions,
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
    pub(super) fn new(conditions: Conditions) -> Self {
        Self { conditions, ..Self::default() }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cuts > 0
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.is_cut() || self.is_held
    }

    /// When `bytes` arrive that are sent now.
    pub(super) fn arrival(&mut self, now: Instant, bytes: usize, rng: &mut Rng) -> Instant {
        let sent = match self.conditions.bandwidth {
            None => now,
            Some(bandwidth) => {
                let takes = (bytes as u64).saturating_mul(1_000_000_000) / bandwidth.max(1);
                self.busy_until = self.busy_until.max(now).saturating_add(takes);
                self.busy_until
            }
        };
        sent.saturating_add(self.conditions.latency.draw(rng))
    }

    /// As [`arrival`](Link::arrival), of what is sent again until it arrives.
    pub(super) fn reliable_arrival(&mut self, now: Instant, bytes: usize, rng: &mut Rng) -> Instant {
        let mut at = self.arrival(now, bytes, rng);
        let mut attempt = 0;
        while attempt < 8 && chance(rng, self.conditions.loss) {
            at = at.saturating_add(retry(attempt));
            attempt += 1;
        }
        at
    }

    /// As [`arrival`](Link::arrival), of a datagram.
    pub(super) fn datagram_arrival(&mut self, now: Instant, bytes: usize, rng: &mut Rng) -> Instant {
        let at = self.arrival(now, bytes, rng);
        if chance(rng, self.conditions.reordering) {
            return at;
        }
        self.last_datagram = self.last_datagram.max(at);
        self.last_datagram
    }
}

/// Whether what has the probability `probability` is the case. Draws nothing if that is certain.
pub(super) fn chance(rng: &mut Rng, probability: f64) -> bool {
    // Exact on every machine: a conversion, a product with a power of two, a comparison.
    probability > 0.0 && (probability >= 1.0 || ((rng.word() >> 11) as f64) / ((1_u64 << 53) as f64) < probability)
}

/// A number from `min` to `max`, both included.
pub(super) fn between(rng: &mut Rng, min: u64, max: u64) -> u64 {
    match usize::try_from(max.saturating_sub(min)) {
        Ok(0) => min,
        Ok(span) => min + rng.below(span.saturating_add(1)) as u64,
        Err(_) => min,
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
