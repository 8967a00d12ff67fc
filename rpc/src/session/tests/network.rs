//! A client and a server over a network that loses, repeats and reorders whatever it likes.
//!
//! The client calls, sends again, gives up; the server runs, finishes, refuses to run. Whatever the order: no xid runs twice, all replies to
//! one are the same, a lane's calls run one after the other in its order, and what is kept stays within its bounds.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Arrival, Progress, Refused, ReplyCache, Turn, Verdict, Window, Xid};

const WINDOW: usize = 8;
const REPLY_BYTES_MAX: usize = 64;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The client makes a call, in the lane or not.
    Call { in_lane: bool },
    /// It sends one of its outstanding calls again.
    Resend(usize),
    /// One of the messages under way arrives, and may arrive once more.
    Arrive { message: usize, again: bool },
    /// One of them is lost.
    Lose(usize),
    /// A running call ends, with a reply of that size.
    Finish { running: usize, bytes: usize },
    /// A running call turns out not to run.
    Abandon(usize),
    /// One of the replies under way reaches the client.
    Reply(usize),
    /// The client gives up an outstanding call.
    GiveUp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..64_usize;
    prop_oneof![
        3 => any::<bool>().prop_map(|in_lane| Step::Call { in_lane }),
        2 => which().prop_map(Step::Resend),
        6 => (which(), any::<bool>()).prop_map(|(message, again)| Step::Arrive { message, again }),
        1 => which().prop_map(Step::Lose),
        4 => (which(), 0..40_usize).prop_map(|(running, bytes)| Step::Finish { running, bytes }),
        1 => which().prop_map(Step::Abandon),
        3 => which().prop_map(Step::Reply),
        1 => which().prop_map(Step::GiveUp),
    ]
}

#[derive(Default)]
struct World {
    window: Option<Window>,
    last_of_lane: Option<Xid>,
    /// What the client sends for an xid, but for the acknowledgement.
    calls: BTreeMap<Xid, Option<Xid>>,
    to_server: Vec<Arrival>,
    to_client: Vec<Xid>,
    running: Vec<Xid>,
    finished: BTreeMap<Xid, Vec<u8>>,
    executions: BTreeMap<Xid, usize>,
    order: Vec<Xid>,
}

impl World {
    fn window(&mut self) -> &mut Window {
        self.window.get_or_insert_with(|| Window::new(WINDOW))
    }

    fn send(&mut self, xid: Xid) {
        let first_incomplete = self.window().first_incomplete();
        let turn = self.calls.get(&xid).copied().flatten().map(|after| Turn { lane: 0, after });
        self.to_server.push(Arrival { xid, first_incomplete, fingerprint: xid, turn });
    }

    fn run(&mut self, xid: Xid) {
        if self.calls.get(&xid).copied().flatten().is_some() {
            let in_lane = |other: &&Xid| self.calls.get(other).copied().flatten().is_some();
            assert_eq!(self.running.iter().find(in_lane), None, "two of one lane run at once");
        }
        self.running.push(xid);
        self.order.push(xid);
    }

    fn take_progress(&mut self, progress: Progress<()>) {
        progress.released.into_iter().for_each(|xid| self.run(xid));
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
            let mut progress = Progress::default();
            match step {
                Step::Call { in_lane } => {
                    let Some(xid) = world.window().open() else { continue };
                    let after = in_lane.then(|| world.last_of_lane.replace(xid).unwrap_or(0));
                    world.calls.insert(xid, after);
                    world.send(xid);
                }
                Step::Resend(which) => {
                    let outstanding: Vec<Xid> = world.calls.keys().copied().collect();
                    let Some(place) = pick(&outstanding, which) else { continue };
                    if world.window().is_outstanding(outstanding[place]) {
                        world.send(outstanding[place]);
                    }
                }
                Step::Arrive { message, again } => {
                    let Some(place) = pick(&world.to_server, message) else { continue };
                    let arrival = world.to_server[place];
                    if !again {
                        world.to_server.swap_remove(place);
                    }
                    match server.arrive(arrival, &mut progress) {
                        Ok(Verdict::New) => world.run(arrival.xid),
                        Ok(Verdict::Held | Verdict::InProgress) => {}
                        Ok(Verdict::Done(reply)) => {
                            prop_assert_eq!(Some(reply), world.finished.get(&arrival.xid).map(Vec::as_slice));
                            world.to_client.push(arrival.xid);
                        }
                        Err(Refused::Stale { first_incomplete }) => prop_assert!(arrival.xid < first_incomplete),
                        Err(Refused::Forgotten) => prop_assert!(world.finished.contains_key(&arrival.xid)),
                        Err(refused) => prop_assert!(false, "an honest client was told {refused}"),
                    }
                }
                Step::Lose(which) => {
                    if let Some(place) = pick(&world.to_server, which) {
                        world.to_server.swap_remove(place);
                    }
                }
                Step::Finish { running, bytes } => {
                    let Some(place) = pick(&world.running, running) else { continue };
                    let xid = world.running.swap_remove(place);
                    let reply = vec![xid as u8; bytes];
                    prop_assert!(server.finish(xid, &reply, true, &mut progress).is_some());
                    *world.executions.entry(xid).or_default() += 1;
                    world.finished.insert(xid, reply);
                    world.to_client.push(xid);
                }
                Step::Abandon(which) => {
                    let Some(place) = pick(&world.running, which) else { continue };
                    let xid = world.running.swap_remove(place);
                    world.order.retain(|&other| other != xid);
                    prop_assert!(server.abandon(xid, &mut progress).is_some());
                }
                Step::Reply(which) => {
                    let Some(place) = pick(&world.to_client, which) else { continue };
                    let xid = world.to_client.swap_remove(place);
                    world.window().complete(xid);
                }
                Step::GiveUp(which) => {
                    let outstanding: Vec<Xid> = world.calls.keys().copied().collect();
                    let Some(place) = pick(&outstanding, which) else { continue };
                    world.window().complete(outstanding[place]);
                }
            }
            world.take_progress(progress);
            prop_assert!(world.executions.values().all(|&count| count == 1));
            prop_assert!(server.reply_bytes() <= REPLY_BYTES_MAX);
            prop_assert_eq!(server.is_idle() && !world.running.is_empty(), false);
        }
        let lane: Vec<Xid> = world.order.iter().copied().filter(|xid| world.calls[xid].is_some()).collect();
        prop_assert!(lane.is_sorted(), "the lane ran in the order {:?}", lane);
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

    /// Hostile clients get their refusals, and nothing grows over its bounds.
    #[test]
    fn whatever_a_client_sends_memory_is_bounded(
        arrivals in vec((0..40_u64, 0..40_u64, 0..3_u64, proptest::option::of(0..40_u64), any::<bool>()), 0..300),
    ) {
        let mut server: ReplyCache<()> = ReplyCache::new(WINDOW, REPLY_BYTES_MAX);
        let mut ran = BTreeMap::new();
        for (xid, first_incomplete, fingerprint, after, ends) in arrivals {
            let turn = after.map(|after| Turn { lane: (after % 3) as u8, after });
            let mut progress = Progress::default();
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
            prop_assert!(server.reply_bytes() <= REPLY_BYTES_MAX);
        }
    }
}
