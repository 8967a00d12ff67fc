//! A sender and a receiver with a network between them, in random interleavings.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::limits::STREAM_CREDIT_MIN;
use crate::stream::flow::cost;
use crate::stream::inbound::{End, Inbound, Taken};
use crate::stream::outbound::{Next, Outbound};

const ITEM_BYTES_MAX: usize = 300_000;

/// What may happen next, if it can.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The sender sends a piece of what it has to.
    Send,
    /// A piece arrives.
    Arrive,
    /// The receiver takes, and gives credit.
    Take,
    /// Credit arrives.
    Credit,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![Just(Step::Send), Just(Step::Arrive), Just(Step::Take), Just(Step::Credit)]
}

fn item_len() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 1_usize..300, 2 => 300_usize..20_000, 1 => 20_000_usize..ITEM_BYTES_MAX]
}

struct World {
    window: usize,
    outbound: Outbound,
    inbound: Inbound,
    items: Vec<Vec<u8>>,
    /// The item that is being sent, and how much of it was.
    at: (usize, usize),
    there: VecDeque<(Vec<u8>, bool)>,
    back: VecDeque<u32>,
    item: Vec<u8>,
    taken: Vec<Vec<u8>>,
    end: Option<End>,
}

impl World {
    fn new(window: usize, wider: usize, lens: &[usize]) -> Self {
        let items = lens.iter().enumerate().map(|(n, &len)| (0..len).map(|at| (n * 7 + at) as u8).collect()).collect();
        let mut inbound = Inbound::new(window, ITEM_BYTES_MAX);
        inbound.widen(window + wider);
        Self {
            window: window + wider,
            outbound: Outbound::new(window),
            inbound,
            items,
            at: (0, 0),
            there: VecDeque::new(),
            back: VecDeque::new(),
            item: Vec::new(),
            taken: Vec::new(),
            end: None,
        }
    }

    /// Does it if it can be done; whether it could.
    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Send => {
                let (number, sent) = self.at;
                let Some(item) = self.items.get(number) else { return false };
                let Next::Piece { len } = self.outbound.next(item.len() - sent, sent > 0) else { return false };
                assert!(len > 0 && sent + len <= item.len());
                let more = sent + len < item.len();
                self.there.push_back((item[sent..sent + len].to_vec(), more));
                self.at = if more { (number, sent + len) } else { (number + 1, 0) };
                let on_its_way: usize = self.there.iter().map(|(piece, _)| cost(piece.len())).sum();
                assert!(on_its_way <= self.window, "more than the window on its way");
                true
            }
            Step::Arrive => {
                let Some((piece, more)) = self.there.pop_front() else { return false };
                assert_eq!(self.inbound.receive(&piece, more), Ok(true));
                true
            }
            Step::Take => {
                let before = self.item.len();
                match self.inbound.take(&mut self.item) {
                    Taken::Item => self.taken.push(std::mem::take(&mut self.item)),
                    Taken::Nothing if self.item.len() > before => {}
                    Taken::Nothing => return false,
                    Taken::End(end) => return self.end.replace(end).is_none(),
                }
                if let Some(credit) = self.inbound.grant() {
                    assert!(credit >= STREAM_CREDIT_MIN);
                    self.back.push_back(credit);
                }
                true
            }
            Step::Credit => {
                let Some(credit) = self.back.pop_front() else { return false };
                self.outbound.grant(credit).expect("within the limit");
                true
            }
        }
    }
}

proptest! {
    #[test]
    fn every_item_arrives_once_and_in_order_whatever_happens_when(
        window in 2 * STREAM_CREDIT_MIN as usize..40_000,
        wider in prop_oneof![Just(0), 0_usize..200_000],
        lens in vec(item_len(), 0..30),
        steps in vec(step(), 0..400),
    ) {
        let mut world = World::new(window, wider, &lens);
        if let Some(credit) = world.inbound.grant() {
            world.back.push_back(credit);
        }
        for step in steps {
            world.step(step);
        }
        // From here on everybody does what can be done: it always ends.
        loop {
            let progress = [Step::Send, Step::Arrive, Step::Take, Step::Credit].map(|step| world.step(step));
            if !progress.contains(&true) {
                break;
            }
        }
        prop_assert_eq!(world.taken.len(), world.items.len());
        prop_assert!(world.taken == world.items);
        prop_assert_eq!(world.inbound.end(End::Finished), Ok(()));
        world.step(Step::Take);
        prop_assert_eq!(world.end, Some(End::Finished));
    }

    #[test]
    fn a_stream_that_is_cut_short_gives_what_came_whole_and_says_so(
        window in 2 * STREAM_CREDIT_MIN as usize..40_000,
        lens in vec(item_len(), 0..30),
        steps in vec(step(), 0..400),
        stops in any::<bool>(),
    ) {
        let mut world = World::new(window, 0, &lens);
        for step in steps {
            world.step(step);
        }
        // The receiver may have had enough first; what is under way then is neither taken nor a violation.
        if stops {
            world.inbound.discard();
            world.outbound.stop();
        }
        prop_assert!(world.outbound.end().is_some());
        prop_assert!(!world.step(Step::Send), "nothing is sent behind the end");
        while let Some((piece, more)) = world.there.pop_front() {
            prop_assert_eq!(world.inbound.receive(&piece, more), Ok(!stops));
        }
        prop_assert_eq!(world.inbound.end(End::Abandoned), Ok(()));
        while world.end.is_none() {
            world.step(Step::Take);
        }
        prop_assert_eq!(world.end, Some(End::Abandoned));
        let sent_whole = world.at.0;
        prop_assert!(world.taken.len() == sent_whole || (stops && world.taken.len() < sent_whole));
        prop_assert!(world.items.starts_with(&world.taken));
    }

    #[test]
    fn a_receiver_holds_no_more_than_its_window_whatever_comes(
        window in 512_usize..5_000,
        pieces in vec((0_usize..3_000, any::<bool>(), any::<bool>()), 0..200),
        ends_at in 0_usize..200,
    ) {
        let mut inbound = Inbound::new(window, 10_000);
        let mut credit = window;
        let mut item = Vec::new();
        let mut held = 0;
        for (n, (len, more, take)) in pieces.into_iter().enumerate() {
            if n == ends_at {
                let _ = inbound.end(End::Abandoned);
            }
            // After an error a connection is closed; whatever else comes must do no harm.
            if inbound.receive(&vec![0; len], more).is_ok() {
                prop_assert!(cost(len) <= credit && n < ends_at);
                credit -= cost(len);
                held += len;
            }
            if take {
                inbound.take(&mut item);
                held -= item.len().min(held);
                item.clear();
                credit += inbound.grant().map_or(0, |bytes| bytes as usize);
            }
            prop_assert!(held <= window);
        }
    }
}
