//! What a run is made of: servers, clients, faults. All drawn from the seed, and printed when the run fails.
//!
//! Swarm testing (Groce, Zhang, Eide, Chen, Regehr: "Swarm Testing", ISSTA 2012): each plan leaves out many kinds of calls, options and faults,
//! so that what is left comes up more often, and in states that a mix of everything rarely reaches.

mod lanes;

use std::time::Duration;

use fibra::seeded::Rng;
use fibra::sim::{Fault, Faults, Schedule, Skew, Trouble};

/// Keeps what a plan draws apart from others of the same seed.
const PURPOSE: u64 = 1 << 32;

/// Longer than anything is disturbed, or takes to be mended.
const PATIENCE: Duration = Duration::from_secs(300);

/// A run. Smaller ones are made by taking something away.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) servers: Vec<ServerPlan>,
    pub(crate) clients: Vec<ClientPlan>,
    /// When faults end, and clients begin no more calls.
    pub(crate) until: Duration,
    pub(crate) faults: Faults,
    pub(crate) schedule: Schedule,
}

/// A server, and how its bounds are set.
#[derive(Clone, Debug)]
pub(crate) struct ServerPlan {
    pub(crate) skew: Skew,
    pub(crate) lease: Duration,
    pub(crate) window: usize,
    pub(crate) in_flight: usize,
    pub(crate) waiting_max: usize,
    pub(crate) buffered_bytes: usize,
    /// How often it drains and starts anew, and how long a drain may take.
    pub(crate) drains: Option<(Duration, Duration)>,
    /// Whether there is middleware, which sees every call and refuses some, before they run and after.
    pub(crate) is_strict: bool,
}

/// A client: one channel, and fibers that call.
#[derive(Clone, Debug)]
pub(crate) struct ClientPlan {
    pub(crate) skew: Skew,
    /// Which of the servers its channel is for.
    pub(crate) targets: Vec<usize>,
    pub(crate) fibers: usize,
    /// Calls of each fiber.
    pub(crate) calls: usize,
    /// How often which action is taken.
    pub(crate) mix: Vec<(Action, usize)>,
    pub(crate) pause: Duration,
    /// How long handlers take, at most.
    pub(crate) work: Duration,
    /// Of how many parts each takes some, or none, so that many end at the same time; `None`: each takes as long as it likes.
    pub(crate) work_parts: Option<u32>,
    /// The longest filler of a reply or item, in bytes.
    pub(crate) bytes: usize,
    pub(crate) timeout: (Duration, Duration),
    /// How long ordered calls are waited for that are then given up; `None`: up to the longest timeout.
    pub(crate) patience: Option<Duration>,
    pub(crate) window: usize,
    pub(crate) in_flight: usize,
    /// How much its output may hold, if that is not what is usual.
    pub(crate) buffered_bytes: Option<usize>,
    pub(crate) attempts: Option<u32>,
    pub(crate) hedge: Option<Duration>,
    pub(crate) keepalive: Option<(Duration, Duration)>,
    pub(crate) idle_timeout: Option<Duration>,
    /// How many bytes beside its number a call has in its metadata, if it has any.
    pub(crate) metadata: Option<usize>,
    pub(crate) around: Option<Around>,
    /// How many lanes its ordered calls are in.
    pub(crate) lanes: usize,
}

/// What a client's middleware does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// Says so in its metadata.
    Sign,
    /// Also makes it once more if it has not run.
    Insist,
}

/// What a fiber does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// An at-most-once call.
    Once,
    /// An idempotent one.
    Again,
    /// A one-way one.
    Post,
    /// Starts several that run in order, and gives some of them up.
    Order,
    /// One whose method returns an error of its own.
    Decline,
    /// One whose method panics.
    Panic,
    /// Starts one, and joins, waits for a while, cancels or drops it.
    Start,
    /// Starts several with one write, and joins them in some order.
    Batch,
    /// Makes one in a fiber that is cancelled.
    Cancel,
    Upload,
    Download,
    Exchange,
    /// Reads, writes or swaps a register.
    Register,
}

const ACTIONS: [Action; 13] = [
    Action::Once,
    Action::Again,
    Action::Post,
    Action::Order,
    Action::Decline,
    Action::Panic,
    Action::Start,
    Action::Batch,
    Action::Cancel,
    Action::Upload,
    Action::Download,
    Action::Exchange,
    Action::Register,
];

/// What may be wrong with one host, clients too.
const TROUBLES: [Trouble; 4] = [Trouble::Crash, Trouble::Pause, Trouble::NoDescriptors, Trouble::Stall];

/// Numbers of a seed.
pub(crate) struct Dice(Rng);

impl Dice {
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(Rng::new(seed, PURPOSE + purpose))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound.max(1))
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(crate) fn up_to(&mut self, longest: Duration) -> Duration {
        self.between(Duration::ZERO, longest)
    }

    pub(crate) fn between(&mut self, min: Duration, max: Duration) -> Duration {
        let micros = max.saturating_sub(min).as_micros() as usize;
        min + Duration::from_micros(self.below(micros + 1) as u64)
    }
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 0);
        let until = millis(dice.of(&[50, 300, 1_000, 3_000, 10_000]));
        let servers: Vec<_> = (0..dice.of(&[1, 1, 1, 2, 3])).map(|_| ServerPlan::draw(&mut dice)).collect();
        let clients = (0..dice.of(&[1, 2, 2, 3])).map(|_| ClientPlan::draw(&mut dice, servers.len())).collect();
        let mut faults = Faults::swarm(seed, until);
        if dice.one_in(6) {
            faults.faults.clear();
        }
        let mut plan = Self { seed, servers, clients, until, faults, schedule: Schedule::swarm(seed) };
        plan.draw_more(&mut Dice::new(seed, 1));
        plan.draw_lanes(&mut Dice::new(seed, 2));
        plan
    }

    /// What came later has dice of its own, so that the rest of a seed's plan stays as it was.
    fn draw_more(&mut self, dice: &mut Dice) {
        for server in &mut self.servers {
            server.is_strict = dice.one_in(4);
        }
        for client in &mut self.clients {
            client.metadata = dice.of(&[None, Some(0), Some(20), Some(2_000)]);
            client.around = dice.of(&[None, None, None, None, Some(Around::Sign), Some(Around::Insist)]);
        }
        let clients: Vec<_> = (0..self.clients.len()).map(super::roles::client_name).collect();
        for what in TROUBLES {
            if !dice.one_in(4) {
                continue;
            }
            let (every, lasting) = (dice.between(millis(50), millis(5_000)), dice.up_to(millis(2_000)));
            let hosts = clients.clone();
            self.faults.faults.push(Fault { what, hosts, every: (every / 4, every), lasting: (millis(0), lasting) });
        }
    }

    /// The same with callers that wait longer than anything takes: what they are not told of, they wait for until somebody notices.
    pub(crate) fn patient(mut self) -> Self {
        for client in &mut self.clients {
            client.timeout = (PATIENCE, PATIENCE);
            // Who does not look whether its server is there waits for it without end; who gives it up before a slow link brings what is sent
            // again gets no further.
            client.keepalive = Some((millis(1_000), millis(2_000)));
        }
        self
    }
}

fn skew(dice: &mut Dice) -> Skew {
    if !dice.one_in(4) {
        return Skew::default();
    }
    // A bad quartz is wrong by 200 in a million; these are worse.
    Skew { offset: dice.up_to(millis(100_000)), drift: dice.below(4_001) as i32 - 2_000 }
}

impl ServerPlan {
    fn draw(dice: &mut Dice) -> Self {
        let drains = dice.one_in(4).then(|| (dice.between(millis(20), millis(2_000)), dice.up_to(millis(1_500))));
        Self {
            skew: skew(dice),
            lease: millis(dice.of(&[5, 200, 2_000, 1_800_000])),
            window: dice.of(&[1, 3, 16, 512]),
            in_flight: dice.of(&[1, 8, 1_024, 1_024]),
            waiting_max: dice.of(&[2, 16, 65_536, 65_536]),
            buffered_bytes: dice.of(&[200, 4_096, 8 << 20]),
            drains,
            is_strict: false,
        }
    }
}

impl ClientPlan {
    fn draw(dice: &mut Dice, servers: usize) -> Self {
        let all: Vec<_> = (0..servers).collect();
        let targets = if dice.one_in(2) { all } else { vec![dice.below(servers)] };
        let mut mix = Vec::new();
        for action in ACTIONS {
            if dice.one_in(2) {
                mix.push((action, 1 + dice.below(8)));
            }
        }
        if mix.is_empty() {
            mix.push((Action::Once, 1));
        }
        let shortest = millis(dice.of(&[1, 20, 500]));
        let longest = millis(dice.of(&[1, 50, 1_000, 10_000]));
        Self {
            skew: skew(dice),
            targets,
            fibers: dice.of(&[1, 2, 4, 12]),
            calls: dice.of(&[3, 6, 12, 25]),
            mix,
            pause: millis(dice.of(&[0, 1, 20, 300])),
            work: millis(dice.of(&[0, 0, 2, 50, 1_000])),
            work_parts: None,
            bytes: dice.of(&[0, 20, 100, 3_000, 40_000]),
            timeout: (shortest, longest.max(shortest)),
            patience: None,
            window: dice.of(&[1, 4, 512]),
            in_flight: dice.of(&[1, 8, 1_024, 1_024]),
            buffered_bytes: None,
            attempts: dice.of(&[None, Some(1), Some(10)]),
            hedge: dice.of(&[None, Some(millis(1)), Some(millis(50))]),
            keepalive: dice.of(&[None, Some((millis(20), millis(100))), Some((millis(1_000), millis(500)))]),
            idle_timeout: dice.of(&[None, Some(millis(50))]),
            metadata: None,
            around: None,
            lanes: 1,
        }
    }

    pub(crate) fn action(&self, dice: &mut Dice) -> Action {
        let mut left = dice.below(self.mix.iter().map(|(_, weight)| weight).sum());
        for &(action, weight) in &self.mix {
            if left < weight {
                return action;
            }
            left -= weight;
        }
        Action::Once
    }
}
