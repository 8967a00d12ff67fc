//! Plans about ordered calls: many, in several lanes of a session at once, so that there is much that waits for its turn. In some nothing disturbs, and
//! whatever waits for longer than its turn is found at once; in some its client takes no replies for a while, or gives up connections that are only slow.

use std::time::Duration;

use fibra::sim::{Conditions, Fault, Latency, Skew, Trouble};

use super::super::roles::client_name;
use super::{Action, Dice, Plan, millis};

/// One in so many plans is about lanes.
const LANES: usize = 5;

impl Plan {
    /// In some plans clients hardly do anything but ordered calls, in several lanes: held calls there are many of, then.
    pub(super) fn draw_lanes(&mut self, dice: &mut Dice) {
        if !dice.one_in(LANES) {
            return;
        }
        for server in &mut self.servers {
            (server.window, server.waiting_max) = (dice.of(&[16, 512]), 65_536);
            server.in_flight = dice.of(&[8, 1_024]);
        }
        for client in &mut self.clients {
            client.mix = vec![(Action::Order, 6), (Action::Once, dice.below(3))];
            client.lanes = dice.of(&[2, 3]);
            client.fibers = dice.of(&[2, 4, 12]);
            client.work = millis(dice.of(&[20, 300, 1_000]));
            client.work_parts = dice.of(&[None, Some(1), Some(3)]);
            (client.window, client.in_flight) = (512, dice.of(&[8, 1_024]));
            client.patience = dice.of(&[None, Some(millis(50)), Some(millis(500))]);
        }
        match dice.below(5) {
            0 | 1 => self.draw_calm(dice),
            2 => self.draw_stalls(dice),
            3 => self.draw_late(dice),
            _ => self.draw_moves(dice),
        }
    }

    /// Nothing disturbs: what waits, waits for its turn alone.
    fn draw_calm(&mut self, dice: &mut Dice) {
        let latency = Latency::between(millis(0), millis(dice.of(&[1, 5, 20])));
        self.faults.faults.clear();
        self.faults.conditions = Conditions { latency, ..Conditions::default() };
        // By a clock that is wrong by much, a server that gives a call up in time does so too late.
        self.faults.skew = Skew::default();
        for server in &mut self.servers {
            (server.drains, server.window, server.in_flight, server.waiting_max) = (None, 512, 1_024, 65_536);
            server.buffered_bytes = dice.of(&[200, 4_096, 8 << 20]);
        }
        for client in &mut self.clients {
            (client.in_flight, client.idle_timeout) = (1_024, None);
            client.bytes = dice.of(&[20, 500, 3_000]);
        }
    }

    /// There is room for hardly a reply, or a request, and clients take none now and then, or servers.
    fn draw_stalls(&mut self, dice: &mut Dice) {
        if dice.one_in(2) {
            self.faults.faults.clear();
        }
        for server in &mut self.servers {
            server.buffered_bytes = dice.of(&[200, 4_096]);
        }
        for client in &mut self.clients {
            client.bytes = dice.of(&[3_000, 40_000]);
            client.buffered_bytes = dice.of(&[None, Some(200)]);
            client.metadata = dice.of(&[client.metadata, Some(2_000)]);
            client.keepalive = dice.of(&[client.keepalive, Some((millis(20), millis(100)))]);
        }
        let hosts = match dice.below(3) {
            0 => Vec::new(),
            _ => (0..self.clients.len()).map(client_name).collect(),
        };
        let (every, lasting) = (dice.between(millis(20), millis(500)), dice.between(millis(20), millis(1_000)));
        let fault = Fault { what: Trouble::Stall, hosts, every: (every / 4, every), lasting: (millis(0), lasting) };
        self.faults.faults.push(fault);
    }

    /// Clients give up connections that are only slow: what was sent on them comes, after what was sent on the next.
    fn draw_late(&mut self, dice: &mut Dice) {
        if dice.one_in(2) {
            self.faults.faults.clear();
        }
        let latency = Latency::between(millis(0), millis(dice.of(&[1, 5, 20])));
        self.faults.conditions.latency = latency.with_tail(dice.of(&[0.02, 0.1, 0.3]), millis(dice.of(&[300, 2_000])));
        for client in &mut self.clients {
            client.keepalive = Some((millis(20), millis(dice.of(&[20, 100]))));
            client.timeout = (millis(20), millis(dice.of(&[300, 2_000])));
        }
    }

    /// Servers go down and come back all the time, and lanes move between them.
    fn draw_moves(&mut self, dice: &mut Dice) {
        if dice.one_in(2) {
            self.faults.faults.clear();
        }
        while self.servers.len() < 2 {
            self.servers.push(self.servers[0].clone());
        }
        for server in &mut self.servers {
            server.drains = Some((dice.between(millis(50), millis(1_000)), dice.between(millis(0), millis(2_000))));
        }
        for client in &mut self.clients {
            client.targets = (0..self.servers.len()).collect();
        }
    }

    /// How soon an ordered call begins that may, if nothing disturbs and there is room for all.
    pub(crate) fn promptness(&self) -> Option<Duration> {
        let Conditions { latency, .. } = self.faults.conditions;
        let is_calm = self.faults.faults.is_empty()
            && self.faults.skew == Skew::default()
            && self.faults.conditions == (Conditions { latency, ..Conditions::default() })
            && self.servers.iter().all(|it| it.drains.is_none() && it.window >= 512 && it.in_flight >= 1_024)
            && self.servers.iter().all(|it| it.waiting_max >= 65_536)
            && self.clients.iter().all(|it| it.window >= 512 && it.in_flight >= 1_024);
        is_calm.then_some(20 * latency.tail_max.max(latency.max) + millis(50))
    }
}
