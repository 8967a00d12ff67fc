//! A client and a server over a network that loses, repeats and reorders whatever it likes.
//!
//! The client calls, sends again, gives up; the server runs, finishes, refuses to run. Whatever the order: no xid runs twice, all replies to
//! one are the same, a lane's calls run one after the other in its order, none that its client still wants is overtaken, and what is kept stays
//! within its bounds.

use std::collections::BTreeMap;
use std::mem;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Arrival, Lane, Progress, Refused, ReplyCache, Turn, Verdict, Window, Xid};

const WINDOW: usize = 8;
const REPLY_BYTES_MAX: usize = 64;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The client makes a call, in a lane or not.
    Call { lane: Option<Lane> },
    /// It sends one of its outstanding calls again.
    Resend(usize),
    /// One of the messages under way arrives, and may arrive once more.
    Arrive { message: usize, again: bool },
    /// One of them is lost.
    Lose(usize),
    /// A running call ends, with a reply of that size.
    Finish { running: usize, bytes: usize },
    /// A running call turns out not to run, and its client is told so.
    Refuse(usize),
    /// A running call turns out not to run, and nobody is told.
    Abandon(usize),
    /// A held one, likewise; or its time is up.
    LetGo { held: usize, is_told: bool },
    /// One of the replies under way reaches the client.
    Reply(usize),
    /// The client gives up an outstanding call.
    GiveUp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..64_usize;
    prop_oneof![
        3 => prop_oneof![Just(None), Just(Some(0)), Just(Some(1))].prop_map(|lane| Step::Call { lane }),
        2 => which().prop_map(Step::Resend),
        6 => (which(), any::<bool>()).prop_map(|(message, again)| Step::Arrive { message, again }),
        1 => which().prop_map(Step::Lose),
        4 => (which(), 0..40_usize).prop_map(|(running, bytes)| Step::Finish { running, bytes }),
        1 => which().prop_map(Step::Refuse),
        1 => which().prop_map(Step::Abandon),
        1 => (which(), any::<bool>()).prop_map(|(held, is_told)| Step::LetGo { held, is_told }),
        3 => which().prop_map(Step::Reply),
        1 => which().prop_map(Step::GiveUp),
    ]
}

/// A call, and what its client has said before it on the same connection.
#[derive(Clone)]
struct Message {
    arrival: Arrival,
    base: Xid,
    aside: Vec<Xid>,
}

impl Message {
    fn of(arrival: Arrival, window: &Window) -> Self {
        Self { arrival, base: window.base(), aside: window.aside().collect() }
    }

    /// What comes before the call.
    fn acknowledge(&self, server: &mut ReplyCache<()>, progress: &mut Progress<()>) {
        if !self.aside.is_empty() {
            server.set_aside(self.base, &self.aside, progress).expect("an honest client");
        }
    }
}

#[derive(Default)]
struct World {
    window: Option<Window>,
    /// The lanes of the client's calls.
    calls: BTreeMap<Xid, Option<Lane>>,
    to_server: Vec<Message>,
    to_client: Vec<Xid>,
    running: Vec<Xid>,
    held: Vec<Xid>,
    finished: BTreeMap<Xid, Vec<u8>>,
    executions: BTreeMap<Xid, usize>,
    order: Vec<Xid>,
}

impl World {
    fn window(&mut self) -> &mut Window {
        self.window.get_or_insert_with(|| Window::new(WINDOW))
    }

    fn lane(&self, xid: Xid) -> Option<Lane> {
        self.calls.get(&xid).copied().flatten()
    }

    /// Sends a call, which comes after the last of its lane that is still waited for.
    fn send(&mut self, xid: Xid) {
        let first_incomplete = self.window().first_incomplete();
        let turn = self.lane(xid).map(|lane| {
            let is_waited_for = |other: &Xid| {
                self.lane(*other) == Some(lane) && self.window.as_ref().is_some_and(|it| it.is_outstanding(*other))
            };
            let after = (first_incomplete..xid).rev().find(is_waited_for).unwrap_or(0);
            Turn { lane, after }
        });
        let arrival = Arrival { xid, first_incomplete, fingerprint: xid, turn };
        let message = Message::of(arrival, self.window());
        self.to_server.push(message);
    }

    fn run(&mut self, xid: Xid) {
        if let Some(lane) = self.lane(xid) {
            let in_lane = |other: &&Xid| self.lane(**other) == Some(lane);
            assert_eq!(self.running.iter().find(in_lane), None, "two of one lane run at once");
        }
        self.held.retain(|&held| held != xid);
        self.running.push(xid);
        self.order.push(xid);
    }

    fn take_progress(&mut self, progress: Progress<()>) {
        self.held.retain(|held| !progress.dropped.contains(held));
        progress.released.into_iter().for_each(|xid| self.run(xid));
    }

    /// A message arrives.
    fn arrive(&mut self, message: &Message, server: &mut ReplyCache<()>) {
        let Arrival { xid, .. } = message.arrival;
        let mut progress = Progress::default();
        message.acknowledge(server, &mut progress);
        self.take_progress(mem::take(&mut progress));
        match server.arrive(message.arrival, &mut progress) {
            Ok(Verdict::New) => self.run(xid),
            Ok(Verdict::Held) => {
                self.held.retain(|&held| held != xid);
                self.held.push(xid);
            }
            Ok(Verdict::InProgress) => {}
            Ok(Verdict::Done(reply)) => {
                assert_eq!(Some(reply), self.finished.get(&xid).map(Vec::as_slice));
                self.to_client.push(xid);
            }
            Err(Refused::Stale { first_incomplete }) => assert!(xid < first_incomplete),
            Err(Refused::Forgotten) => assert!(self.finished.contains_key(&xid)),
            Err(Refused::Overtaken { by }) => {
                assert!(xid < by && self.lane(xid).is_some());
                assert!(!self.order.contains(&xid), "xid {xid} has run");
                assert!(!self.window().is_outstanding(xid), "xid {xid} was waited for");
            }
            Err(refused) => panic!("an honest client was told {refused}"),
        }
        self.take_progress(progress);
    }

    fn finish(&mut self, xid: Xid, reply: Vec<u8>, server: &mut ReplyCache<()>) {
        self.running.retain(|&running| running != xid);
        let mut progress = Progress::default();
        assert!(server.finish(xid, &reply, true, &mut progress).is_some());
        *self.executions.entry(xid).or_default() += 1;
        self.finished.insert(xid, reply);
        self.to_client.push(xid);
        self.take_progress(progress);
    }

    /// Refused, and its client is told so.
    fn refuse(&mut self, xid: Xid, server: &mut ReplyCache<()>) {
        let mut progress = Progress::default();
        assert!(server.finish(xid, b"", false, &mut progress).is_some());
        self.finished.insert(xid, Vec::new());
        self.to_client.push(xid);
        self.take_progress(progress);
    }

    fn abandon(&mut self, xid: Xid, server: &mut ReplyCache<()>) {
        let mut progress = Progress::default();
        assert!(server.abandon(xid, &mut progress).is_some());
        self.take_progress(progress);
    }

    fn step(&mut self, step: Step, server: &mut ReplyCache<()>) {
        match step {
            Step::Call { lane } => {
                let Some(xid) = self.window().open() else { return };
                self.calls.insert(xid, lane);
                self.send(xid);
            }
            Step::Resend(which) => {
                let outstanding: Vec<Xid> = self.calls.keys().copied().collect();
                let Some(place) = pick(&outstanding, which) else { return };
                if self.window().is_outstanding(outstanding[place]) {
                    self.send(outstanding[place]);
                }
            }
            Step::Arrive { message, again } => {
                let Some(place) = pick(&self.to_server, message) else { return };
                let message = self.to_server[place].clone();
                if !again {
                    self.to_server.swap_remove(place);
                }
                self.arrive(&message, server);
            }
            Step::Lose(which) => {
                if let Some(place) = pick(&self.to_server, which) {
                    self.to_server.swap_remove(place);
                }
            }
            Step::Finish { running, bytes } => {
                let Some(place) = pick(&self.running, running) else { return };
                let xid = self.running[place];
                self.finish(xid, vec![xid as u8; bytes], server);
            }
            Step::Refuse(which) | Step::Abandon(which) => {
                let Some(place) = pick(&self.running, which) else { return };
                let xid = self.running.swap_remove(place);
                self.order.retain(|&other| other != xid);
                match step {
                    Step::Refuse(_) => self.refuse(xid, server),
                    _ => self.abandon(xid, server),
                }
            }
            Step::LetGo { held, is_told } => {
                let Some(place) = pick(&self.held, held) else { return };
                let xid = self.held.swap_remove(place);
                if is_told { self.refuse(xid, server) } else { self.abandon(xid, server) }
            }
            Step::Reply(which) => {
                let Some(place) = pick(&self.to_client, which) else { return };
                let xid = self.to_client.swap_remove(place);
                self.window().complete(xid);
            }
            Step::GiveUp(which) => {
                let outstanding: Vec<Xid> = self.calls.keys().copied().collect();
                let Some(place) = pick(&outstanding, which) else { return };
                self.window().complete(outstanding[place]);
            }
        }
    }
}

fn pick<T>(from: &[T], which: usize) -> Option<usize> {
    (!from.is_empty()).then(|| which % from.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_network_does_nothing_runs_twice(steps in vec(step(), 0..300)) {
        let mut world = World::default();
        let mut server: ReplyCache<()> = ReplyCache::new(WINDOW, REPLY_BYTES_MAX);
        for step in steps {
            world.step(step, &mut server);
            prop_assert!(world.executions.values().all(|&count| count == 1));
            prop_assert!(server.reply_bytes() <= REPLY_BYTES_MAX && server.known() < 2 * WINDOW);
            prop_assert_eq!(server.is_idle(), world.running.is_empty() && world.held.is_empty());
        }
        for lane in [0, 1] {
            let lane: Vec<Xid> = world.order.iter().copied().filter(|&xid| world.lane(xid) == Some(lane)).collect();
            prop_assert!(lane.is_sorted(), "the lane ran in the order {:?}", lane);
        }
        // From now on nothing is lost, and all that is waited for comes through, whatever has happened to those before it.
        world.to_server.clear();
        for _ in 0..=2 * WINDOW {
            let waited_for: Vec<Xid> =
                world.calls.keys().copied().filter(|&xid| world.window.as_ref().is_some_and(|it| it.is_outstanding(xid))).collect();
            waited_for.into_iter().rev().for_each(|xid| world.send(xid));
            while let Some(message) = world.to_server.pop() {
                world.arrive(&message, &mut server);
            }
            for xid in world.running.clone() {
                world.finish(xid, Vec::new(), &mut server);
            }
            for xid in std::mem::take(&mut world.to_client) {
                world.window().complete(xid);
            }
        }
        prop_assert_eq!(world.window().outstanding(), 0);
    }

    /// Once the network is whole again, every call that its client still wants ends.
    #[test]
    fn in_the_end_every_call_has_its_reply(steps in vec(0..WINDOW, 0..100)) {
        let mut window = Window::new(WINDOW);
        let mut server: ReplyCache<()> = ReplyCache::new(WINDOW, usize::MAX);
        let mut progress = Progress::default();
        let mut executed = 0;
        let mut outstanding = Vec::new();
        for delay in steps {
            // Some are sent in vain, and all that are outstanding again with the next one.
            while outstanding.len() <= delay && let Some(xid) = window.open() {
                outstanding.push(xid);
            }
            for &xid in outstanding.iter().rev() {
                let arrival = Arrival { xid, first_incomplete: window.first_incomplete(), fingerprint: 0, turn: None };
                Message::of(arrival, &window).acknowledge(&mut server, &mut progress);
                if server.arrive(arrival, &mut progress) == Ok(Verdict::New) {
                    executed += 1;
                    prop_assert!(server.finish(xid, &xid.to_be_bytes(), true, &mut progress).is_some());
                }
            }
            for xid in outstanding.drain(..) {
                prop_assert!(window.complete(xid));
            }
        }
        prop_assert_eq!(window.first_incomplete(), executed + 1);
        prop_assert_eq!(window.outstanding(), 0);
    }

    /// Some calls take for ever: all others go on, however many, and a slow one that comes again still has its one run.
    #[test]
    fn slow_calls_stall_nobody(slow in proptest::collection::btree_set(1..400_u64, 0..WINDOW - 1), resends in vec(0..400_u64, 0..20)) {
        let mut window = Window::new(WINDOW);
        let mut server: ReplyCache<()> = ReplyCache::new(WINDOW, REPLY_BYTES_MAX);
        let mut progress = Progress::default();
        for xid in 1..400 {
            prop_assert_eq!(window.open(), Some(xid));
            let send = |xid: Xid, window: &Window, server: &mut ReplyCache<()>, progress: &mut Progress<()>| {
                let arrival = Arrival { xid, first_incomplete: window.first_incomplete(), fingerprint: xid, turn: None };
                Message::of(arrival, window).acknowledge(server, progress);
                server.arrive(arrival, progress).map(|verdict| verdict == Verdict::New)
            };
            prop_assert_eq!(send(xid, &window, &mut server, &mut progress), Ok(true));
            if !slow.contains(&xid) {
                prop_assert!(server.finish(xid, b"quick", true, &mut progress).is_some());
                prop_assert!(window.complete(xid));
            }
            if resends.contains(&xid) {
                for &xid in slow.iter().filter(|&&slow| slow <= xid) {
                    prop_assert_eq!(send(xid, &window, &mut server, &mut progress), Ok(false));
                }
            }
            prop_assert!(server.known() < 2 * WINDOW && window.outstanding() <= slow.len());
        }
        for &xid in &slow {
            prop_assert!(server.finish(xid, b"slow", true, &mut progress).is_some());
            let arrival = Arrival { xid, first_incomplete: window.first_incomplete(), fingerprint: xid, turn: None };
            prop_assert_eq!(server.arrive(arrival, &mut progress), Ok(Verdict::Done(b"slow")));
            prop_assert!(window.complete(xid));
        }
        prop_assert_eq!((window.first_incomplete(), window.base(), window.aside().count()), (400, 400, 0));
        server.acknowledge(400, &mut progress);
        prop_assert_eq!((server.known(), server.reply_bytes()), (0, 0));
    }

    /// Hostile clients get their refusals, and nothing grows over its bounds.
    #[test]
    fn whatever_a_client_sends_memory_is_bounded(
        arrivals in vec((0..40_u64, 0..40_u64, 0..3_u64, proptest::option::of(0..40_u64), any::<bool>()), 0..300),
        words in vec((0..40_u64, vec(0..40_u64, 0..WINDOW + 1)), 0..40),
    ) {
        let mut words = words.into_iter();
        let mut server: ReplyCache<()> = ReplyCache::new(WINDOW, REPLY_BYTES_MAX);
        let mut ran = BTreeMap::new();
        for (xid, first_incomplete, fingerprint, after, ends) in arrivals {
            let turn = after.map(|after| Turn { lane: (after % 3) as u8, after });
            let mut progress = Progress::default();
            if let Some((first_incomplete, wanted)) = words.next() {
                let _ = server.set_aside(first_incomplete, &wanted, &mut progress);
            }
            let arrival = Arrival { xid, first_incomplete, fingerprint, turn };
            let mut runs = Vec::new();
            if server.arrive(arrival, &mut progress) == Ok(Verdict::New) {
                runs.push(xid);
            }
            while let Some(xid) = runs.pop().or_else(|| progress.released.pop()) {
                let count: &mut u32 = ran.entry(xid).or_default();
                *count += 1;
                prop_assert_eq!(*count, 1, "xid {} ran twice", xid);
                if ends {
                    server.finish(xid, &[0; 20], true, &mut progress);
                }
            }
            prop_assert!(server.reply_bytes() <= REPLY_BYTES_MAX && server.known() < 2 * WINDOW);
            prop_assert!(server.detours() <= 2 * WINDOW);
        }
    }
}
