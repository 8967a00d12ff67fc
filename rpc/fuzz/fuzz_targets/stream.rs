//! Both halves of a stream, with a peer that does whatever it likes: what is sent is paid for, what came is taken once and in order.

#![no_main]

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use fibra_rpc::limits::{STREAM_CREDIT_MAX, STREAM_PIECE_BYTES_MAX};
use fibra_rpc::stream::flow::{Violation, cost};
use fibra_rpc::stream::inbound::{End, Inbound, Taken};
use fibra_rpc::stream::outbound::{Next, Outbound, Over};
use libfuzzer_sys::fuzz_target;

const ITEM_BYTES_MAX: usize = 4096;

#[derive(Arbitrary, Debug)]
struct Run {
    window: u16,
    credit: u32,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    // Of the receiving half.
    Receive { len: u16, more: bool },
    PeerEnds { finished: bool },
    Take,
    Widen(u16),
    Discard,
    // Of the sending half.
    Send { rest: u32 },
    GoOn,
    Grant(u32),
    PeerStops,
    EndIt,
}

fuzz_target!(|run: Run| {
    let mut receiving = Receiving::new(run.window.into());
    let mut sending = match Outbound::given(run.credit) {
        Ok(outbound) => Some(Sending { outbound, credit: u64::from(run.credit), rest: 0, over: None }),
        Err(violation) => {
            assert!(violation == Violation::TooMuchCredit && run.credit > STREAM_CREDIT_MAX);
            None
        }
    };
    for step in run.steps {
        // What a peer does wrong ends its connection.
        let goes_on = match (step, &mut sending) {
            (Step::Receive { len, more }, _) => receiving.receive(len.into(), more),
            (Step::PeerEnds { finished }, _) => {
                receiving.peer_ends(if finished { End::Finished } else { End::Abandoned })
            }
            (Step::Take, _) => receiving.take(),
            (Step::Widen(window), _) => receiving.widen(window.into()),
            (Step::Discard, _) => receiving.discard(),
            (Step::Send { rest }, Some(sending)) => sending.send(rest.max(1) as usize, false),
            (Step::GoOn, Some(sending)) => sending.rest == 0 || sending.send(sending.rest, true),
            (Step::Grant(bytes), Some(sending)) => sending.grant(bytes),
            (Step::PeerStops, Some(sending)) => sending.stop(),
            (Step::EndIt, Some(sending)) => sending.end(),
            (_, None) => true,
        };
        if !goes_on {
            break;
        }
    }
});

struct Receiving {
    inbound: Inbound,
    window: usize,
    /// What the peer may still send.
    credit: usize,
    /// What has come and not been taken, by byte, and where its items end.
    bytes: VecDeque<u8>,
    items: VecDeque<usize>,
    partial: usize,
    /// Of the item that comes in pieces, with what was taken of it.
    assembled: usize,
    item: Vec<u8>,
    next: u8,
    end: Option<End>,
    discarding: bool,
}

impl Receiving {
    fn new(window: usize) -> Self {
        Self {
            inbound: Inbound::new(window, ITEM_BYTES_MAX),
            window,
            credit: window,
            bytes: VecDeque::new(),
            items: VecDeque::new(),
            partial: 0,
            assembled: 0,
            item: Vec::new(),
            next: 0,
            end: None,
            discarding: false,
        }
    }

    fn receive(&mut self, len: usize, more: bool) -> bool {
        // An item's frame is not empty.
        let len = len.max(1);
        let piece: Vec<u8> = (0..len).map(|at| self.next.wrapping_add(at as u8)).collect();
        self.next = self.next.wrapping_add(len as u8);
        let expected = if self.end.is_some() {
            Err(Violation::AfterEnd)
        } else if cost(len) > self.credit {
            Err(Violation::BeyondCredit)
        } else if self.assembled + len > ITEM_BYTES_MAX {
            Err(Violation::ItemTooLong)
        } else {
            Ok(!self.discarding)
        };
        assert_eq!(self.inbound.receive(&piece, more), expected);
        if expected.is_err() {
            return false;
        }
        self.credit -= cost(len);
        self.assembled = if more { self.assembled + len } else { 0 };
        if !self.discarding {
            self.bytes.extend(piece);
            self.partial += len;
            if !more {
                self.items.push_back(std::mem::take(&mut self.partial));
            }
        }
        assert!(self.bytes.len() <= self.window);
        true
    }

    fn peer_ends(&mut self, end: End) -> bool {
        let expected = match (self.end, end) {
            (Some(_), _) => Err(Violation::AfterEnd),
            (None, End::Finished) if self.assembled > 0 => Err(Violation::WithinItem),
            _ => Ok(()),
        };
        assert_eq!(self.inbound.end(end), expected);
        if expected.is_ok() {
            self.end = Some(end);
        }
        assert_eq!(self.inbound.ended(), self.end);
        expected.is_ok()
    }

    fn take(&mut self) -> bool {
        let before = self.item.len();
        let taken = self.inbound.take(&mut self.item);
        let (whole, len) = match self.items.pop_front() {
            Some(len) => (true, len),
            None => (false, std::mem::take(&mut self.partial)),
        };
        let came: Vec<u8> = self.bytes.drain(..len).collect();
        assert!(self.item[before..] == came);
        let expected = match self.end {
            _ if whole => Taken::Item,
            Some(end) => Taken::End(end),
            None => Taken::Nothing,
        };
        assert_eq!(taken, expected);
        if whole {
            assert!(self.item.len() <= ITEM_BYTES_MAX);
            self.item.clear();
        }
        let grant = self.inbound.grant();
        assert!(grant.is_none() || (self.end.is_none() && !self.discarding));
        self.credit += grant.unwrap_or_default() as usize;
        assert!(self.credit + self.bytes.len() <= self.window, "more was given than the window holds");
        // What is not owed any more is less than half of it: so a sender with nothing on its way can go on.
        let goes_on = self.end.is_none() && !self.discarding && self.bytes.is_empty();
        assert!(!goes_on || 2 * self.credit + 1 >= self.window, "{} of {}", self.credit, self.window);
        true
    }

    fn widen(&mut self, window: usize) -> bool {
        self.inbound.widen(window);
        self.window = self.window.max(window);
        assert_eq!(self.inbound.window(), self.window);
        true
    }

    fn discard(&mut self) -> bool {
        self.inbound.discard();
        self.discarding = true;
        self.bytes.clear();
        self.items.clear();
        self.partial = 0;
        true
    }
}

struct Sending {
    outbound: Outbound,
    credit: u64,
    /// What is left of an item that goes in pieces.
    rest: usize,
    over: Option<Over>,
}

impl Sending {
    fn send(&mut self, rest: usize, begun: bool) -> bool {
        match self.outbound.next(rest, begun) {
            Next::Piece { len } => {
                assert!(self.over.is_none() && (self.rest == 0 || begun), "two items mix");
                assert!((1..=rest.min(STREAM_PIECE_BYTES_MAX)).contains(&len));
                self.credit = self.credit.checked_sub(cost(len) as u64).expect("nothing is sent without credit");
                self.rest = rest - len;
            }
            Next::Wait => {
                let can_go = self.rest == 0 || begun;
                let suffices = self.credit >= cost(rest.min(STREAM_PIECE_BYTES_MAX)) as u64;
                assert!(self.over.is_none() && !(can_go && suffices), "it waits in vain");
            }
            Next::Over(over) => assert_eq!(Some(over), self.over),
        }
        true
    }

    fn grant(&mut self, bytes: u32) -> bool {
        self.credit += u64::from(bytes);
        let granted = self.outbound.grant(bytes);
        assert_eq!(granted.is_ok(), self.credit <= u64::from(STREAM_CREDIT_MAX));
        granted.is_ok()
    }

    fn stop(&mut self) -> bool {
        self.outbound.stop();
        self.over = self.over.or(Some(Over::Stopped));
        true
    }

    fn end(&mut self) -> bool {
        let cut = self.outbound.end();
        assert_eq!(cut.is_none(), self.over == Some(Over::Ended));
        if let (Some(cut), None) = (cut, self.over) {
            assert_eq!(cut, self.rest > 0);
        }
        self.over = Some(Over::Ended);
        true
    }
}
