//! The network and the hosts of a simulation, to be changed while it runs: by clients, by whoever has a handle.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::agenda::Event;
use super::current::Shared;
use super::link::{Conditions, Link};
use super::state::State;

/// The links between the hosts of a [`Sim`](super::Sim). A clone is the same network.
///
/// What is on its way when a link is cut gets lost; connections send it again, as kernels do, and are given up after about 15 minutes, or
/// after their `TCP_USER_TIMEOUT`.
///
/// # Panics
///
/// All of its calls, for a name that is no host's.
#[derive(Clone)]
pub struct Network(pub(super) Arc<Shared>);

impl Network {
    /// Cuts both directions between two hosts, until [`heal`](Self::heal). Nobody is told.
    pub fn partition(&self, a: &str, b: &str) {
        self.partition_one_way(a, b);
        self.partition_one_way(b, a);
    }

    /// Cuts the way from one host to another; what goes back arrives.
    pub fn partition_one_way(&self, from: &str, to: &str) {
        self.0.with(|state| {
            let (from, to) = state.pair(from, to);
            state.cut(from, to);
        });
    }

    /// Ends the partitions between two hosts, in both directions.
    pub fn heal(&self, a: &str, b: &str) {
        self.0.with(|state| {
            let (a, b) = state.pair(a, b);
            for (from, to) in [(a, b), (b, a)] {
                state.link(from, to).cuts = 0;
                state.tell("healed", from, to, 0);
            }
        });
    }

    /// Keeps all that goes from one host to the other, in both directions, until [`release`](Self::release).
    pub fn hold(&self, a: &str, b: &str) {
        self.0.with(|state| {
            let (a, b) = state.pair(a, b);
            state.set_held(a, b, true);
        });
    }

    /// Lets what was held arrive, at once and in order.
    pub fn release(&self, a: &str, b: &str) {
        self.0.with(|state| {
            let (a, b) = state.pair(a, b);
            state.set_held(a, b, false);
        });
    }

    /// Changes what the way from one host to another does.
    pub fn condition(&self, from: &str, to: &str, change: impl FnOnce(&mut Conditions)) {
        self.0.with(|state| {
            let (from, to) = state.pair(from, to);
            change(&mut state.link(from, to).conditions);
        });
    }

    /// Changes what all links do.
    pub fn condition_all(&self, mut change: impl FnMut(&mut Conditions)) {
        self.0.with(|state| {
            change(&mut state.conditions);
            state.links().for_each(|(_, _, link)| change(&mut link.conditions));
        });
    }

    /// Resets all connections between two hosts: both ends are told.
    pub fn reset(&self, a: &str, b: &str) {
        self.0.with(|state| {
            let (a, b) = state.pair(a, b);
            state.reset_between(a, b);
        });
    }

    /// Ends all that disturbs: partitions, holds, losses, pauses, stalls. Hosts that are down are started. How long links take stays as it is.
    pub fn calm(&self) {
        self.0.with(State::calm);
    }

    /// What has happened last, a line for each event; during a run and behind it.
    pub fn last_events(&self) -> Vec<String> {
        self.0.with(|state| state.describe_last(std::time::Duration::MAX))
    }

    /// The address of a host.
    pub fn addr(&self, host: &str) -> IpAddr {
        self.0.with(|state| {
            let machine = state.named(host);
            state.machine(machine).addrs[0]
        })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

/// The hosts of a [`Sim`](super::Sim). A clone is the same hosts.
///
/// # Panics
///
/// All of its calls, for a name that is no host's.
#[derive(Clone)]
pub struct Hosts(pub(super) Arc<Shared>);

impl Hosts {
    /// Ends a host as by pulling its plug: whatever its fibers do from this instant on fails, and nobody else notices. What was on its way
    /// arrives; what was still in its buffers is gone.
    ///
    /// A fiber that crashes its own host goes on until it next waits.
    pub fn crash(&self, host: &str) {
        self.0.with(|state| {
            let machine = state.named(host);
            state.lose(machine);
        });
    }

    /// Starts a host anew, as it was first started; one that is up crashes before.
    pub fn restart(&self, host: &str) {
        self.0.with(|state| {
            let machine = state.named(host);
            state.lose(machine);
            state.agenda.note(state.now, Event::Boot { machine });
        });
    }

    /// Stops running its fibers; its connections go on acknowledging what arrives, as the kernel does for a process that is stopped.
    pub fn pause(&self, host: &str) {
        self.0.with(|state| {
            let machine = state.named(host);
            state.set_paused(machine, true);
        });
    }

    /// Runs the fibers of a paused host again.
    pub fn resume(&self, host: &str) {
        self.0.with(|state| {
            let machine = state.named(host);
            state.set_paused(machine, false);
        });
    }

    /// Lets its programs read nothing more, though they run and write: what comes to them fills its buffers, and then those who send are held up.
    pub fn stall(&self, host: &str) {
        self.0.with(|state| {
            let machine = state.named(host);
            state.set_stalled(machine, true);
        });
    }

    /// Lets the programs of a stalled host read again.
    pub fn unstall(&self, host: &str) {
        self.0.with(|state| {
            let machine = state.named(host);
            state.set_stalled(machine, false);
        });
    }

    /// Lets a host have no more than `max` sockets: beyond it, `EMFILE`.
    pub fn limit_descriptors(&self, host: &str, max: usize) {
        self.0.with(|state| {
            let machine = state.named(host);
            state.machine(machine).descriptors_max = max;
        });
    }

    /// How many sockets a host has.
    pub fn descriptors(&self, host: &str) -> usize {
        self.0.with(|state| {
            let machine = state.named(host);
            state.machine(machine).descriptors
        })
    }

    /// Whether a host is up.
    pub fn is_up(&self, host: &str) -> bool {
        self.0.with(|state| {
            let machine = state.named(host);
            state.machine(machine).host.is_some()
        })
    }

    /// How often a host has been started.
    pub fn boots(&self, host: &str) -> u32 {
        self.0.with(|state| {
            let machine = state.named(host);
            state.machine(machine).boots
        })
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosts").finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn named(&self, host: &str) -> u16 {
        *self.names.get(host).unwrap_or_else(|| panic!("the simulation has no host '{host}'"))
    }

    fn pair(&self, a: &str, b: &str) -> (u16, u16) {
        (self.named(a), self.named(b))
    }

    pub(super) fn cut(&mut self, from: u16, to: u16) {
        self.link(from, to).cuts += 1;
        self.tell("cut", from, to, 0);
    }

    /// Ends one cut.
    pub(super) fn mend(&mut self, from: u16, to: u16) {
        let link = self.link(from, to);
        link.cuts = link.cuts.saturating_sub(1);
        self.tell("healed", from, to, 0);
    }

    pub(super) fn set_held(&mut self, a: u16, b: u16, is_held: bool) {
        for (from, to) in [(a, b), (b, a)] {
            self.link(from, to).is_held = is_held;
            self.tell(if is_held { "held" } else { "released" }, from, to, 0);
            if !is_held {
                self.release(from, to);
            }
        }
    }

    pub(super) fn set_paused(&mut self, machine: u16, is_paused: bool) {
        if let Some(host) = self.machine(machine).host {
            self.tell(if is_paused { "paused" } else { "resumed" }, machine, machine, 0);
            if is_paused { host.pause() } else { host.resume() }
        }
    }

    pub(super) fn set_stalled(&mut self, machine: u16, is_stalled: bool) {
        if std::mem::replace(&mut self.machine(machine).is_stalled, is_stalled) == is_stalled {
            return;
        }
        self.tell(if is_stalled { "stalled" } else { "reads again" }, machine, machine, 0);
        if !is_stalled {
            self.raise_readable(machine);
        }
    }

    pub(super) fn calm(&mut self) {
        let held: Vec<_> = self.links().filter(|(.., link)| link.is_held).map(|(from, to, _)| (from, to)).collect();
        self.links().for_each(|(_, _, link)| link.calm());
        held.into_iter().for_each(|(from, to)| self.release(from, to));
        for machine in 0..self.machines.len() as u16 {
            self.set_paused(machine, false);
            self.set_stalled(machine, false);
            self.machine(machine).is_exhausted = false;
            if self.machine(machine).host.is_none() {
                self.agenda.note(self.now, Event::Boot { machine });
            }
        }
        self.tell("calm", 0, 0, 0);
    }
}

impl Link {
    /// Nothing is lost or kept any more.
    fn calm(&mut self) {
        (self.cuts, self.is_held) = (0, false);
        let Conditions { latency, bandwidth, .. } = self.conditions;
        self.conditions = Conditions { latency, bandwidth, ..Conditions::default() };
    }
}
