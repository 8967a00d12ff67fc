//! The service that is called: each of its methods tells the ledger that it runs, and answers with what only this execution can know.

use std::time::Duration;

use fibra::rpc::Request;
use fibra::rpc::stream::{Receiver, Sender, StreamError};
use fibra::{cancel, clock};
use serde::{Deserialize, Serialize};

use super::around::{self, Luggage};
use super::history::{Answer, Op};
use super::ledger::{Id, Ledger, Run, Running, is_up};

/// What a handler is to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: Id,
    /// Which life of which client has made it.
    pub(crate) client: u32,
    pub(crate) luggage: Luggage,
    /// How long it takes.
    pub(crate) micros: u32,
    /// The length of the reply's, or each item's, filler.
    pub(crate) bytes: u32,
}

/// Where an ordered call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Among the lanes of its session.
    pub(crate) lane: u32,
    pub(crate) caller: u64,
    /// Among its caller's calls in all lanes.
    pub(crate) number: u64,
}

/// What a handler has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) run: Run,
    filler: String,
}

impl Receipt {
    pub(crate) fn new(run: Run, bytes: u32) -> Self {
        Self { run, filler: filler(run, bytes) }
    }

    /// The execution, if all of the receipt arrived as it was sent.
    pub(crate) fn verify(&self, bytes: u32) -> Option<Run> {
        (self.filler == filler(self.run, bytes)).then_some(self.run)
    }
}

/// Text, which serde copies: numbers it would take one by one.
fn filler(run: Run, bytes: u32) -> String {
    char::from(b' ' + (run % 64) as u8).to_string().repeat(bytes as usize)
}

/// An item of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: Id,
    pub(crate) number: u32,
    filler: String,
}

impl Item {
    pub(crate) fn new(task: Task, number: u32) -> Self {
        Self { id: task.id, number, filler: filler(number.into(), task.bytes) }
    }
}

#[fibra::service]
pub(crate) trait Desk {
    /// At most once.
    fn once(&self, task: Task) -> Receipt;

    #[rpc(idempotent)]
    fn again(&self, task: Task) -> Receipt;

    #[rpc(maybe)]
    fn post(&self, task: Task);

    /// In the order in which its caller makes those of its lane.
    #[rpc(ordered)]
    fn in_turn(&self, task: Task, place: Place) -> Receipt;

    #[rpc(ordered = "second")]
    fn in_second_lane(&self, task: Task, place: Place) -> Receipt;

    #[rpc(ordered = "third")]
    fn in_third_lane(&self, task: Task, place: Place) -> Receipt;

    /// Has an error of its own: the execution's number.
    fn decline(&self, task: Task) -> Result<(), u64>;

    fn panic(&self, task: Task);

    /// Takes `count` items.
    fn upload(&self, task: Task, count: u32, items: Receiver<Item>) -> Result<Receipt, StreamError>;

    /// Gives `count` items, and says how many went out.
    fn download(&self, task: Task, count: u32, items: Sender<Item>) -> (Receipt, u32);

    /// Gives back what it takes.
    fn exchange(&self, task: Task, given: Receiver<Item>, back: Sender<Item>) -> Result<Receipt, StreamError>;

    #[rpc(idempotent)]
    fn read(&self, task: Task, key: u32) -> (Receipt, u32);

    fn write(&self, task: Task, key: u32, value: u32) -> Receipt;

    fn swap(&self, task: Task, key: u32, from: u32, to: u32) -> (Receipt, bool);
}

/// One life of a server's service.
#[derive(Clone, Debug)]
pub(crate) struct Clerk {
    pub(crate) ledger: Ledger,
    pub(crate) life: usize,
}

impl Clerk {
    fn begin(&self, task: Task, is_of_session: bool) -> Running {
        let running = self.ledger.begin(task.id, self.life, is_of_session.then_some(task.client));
        around::check(&self.ledger, task);
        let xid = Request::with_current(|request| request.and_then(Request::xid));
        if xid.is_none_or(|xid| (xid < 1 << 63) != is_of_session) {
            self.ledger.breaks(format!("call {} has the xid {xid:?}", task.id));
        }
        let deadline = Request::with_current(|request| request.and_then(Request::deadline));
        if let Some(late) = deadline.and_then(|deadline| clock::now().checked_duration_since(deadline)) {
            self.ledger.breaks(format!("call {} runs when its time has been up for {late:?}", task.id));
        }
        let timeout = self.ledger.timeout(task.id);
        if deadline.is_some_and(|deadline| deadline.saturating_duration_since(clock::now()) > timeout) {
            self.ledger.breaks(format!("call {} may run for longer than {timeout:?}", task.id));
        }
        if task.micros > 0 {
            // Cut short when its server ends or nobody waits any more; it has run all the same.
            let _ = fibra::sleep(Duration::from_micros(task.micros.into()));
            if deadline.is_some_and(|deadline| deadline <= clock::now()) && cancel::check().is_ok() {
                self.ledger.breaks(format!("call {} goes on when its time is up", task.id));
            }
        }
        running
    }

    fn serve(&self, task: Task, is_of_session: bool) -> Receipt {
        let running = self.begin(task, is_of_session);
        Receipt::new(running.run, task.bytes)
    }

    /// Does something to a register, in the midst of its execution.
    fn apply(&self, task: Task, is_of_session: bool, key: u32, op: Op) -> (Receipt, Answer) {
        let running = self.begin(Task { micros: task.micros / 2, ..task }, is_of_session);
        let answer = match is_up() {
            true => self.ledger.history(|history| history.apply(key as usize, op)),
            false => Answer::Written,
        };
        if task.micros > 0 {
            let _ = fibra::sleep(Duration::from_micros((task.micros / 2).into()));
        }
        (Receipt::new(running.run, task.bytes), answer)
    }

    /// Items come in order, each once.
    pub(crate) fn expect(&self, task: Task, number: u32, item: &Item) {
        if *item != Item::new(task, number) {
            self.ledger.breaks(format!(
                "the stream of call {}: item {} of {} in place of {number}",
                task.id, item.number, item.id
            ));
        }
    }
}

impl Desk for Clerk {
    fn once(&self, task: Task) -> Receipt {
        self.serve(task, true)
    }

    fn again(&self, task: Task) -> Receipt {
        self.serve(task, false)
    }

    fn post(&self, task: Task) {
        self.serve(task, false);
    }

    fn in_turn(&self, task: Task, place: Place) -> Receipt {
        let _turn = self.ledger.turn(task.id, self.life, task.client, place);
        self.serve(task, true)
    }

    fn in_second_lane(&self, task: Task, place: Place) -> Receipt {
        self.in_turn(task, place)
    }

    fn in_third_lane(&self, task: Task, place: Place) -> Receipt {
        self.in_turn(task, place)
    }

    fn decline(&self, task: Task) -> Result<(), u64> {
        Err(self.serve(task, true).run)
    }

    fn panic(&self, task: Task) {
        let run = self.serve(task, true).run;
        // As a panic, but without its message on standard error.
        std::panic::resume_unwind(Box::new(run.to_string()));
    }

    fn upload(&self, task: Task, count: u32, items: Receiver<Item>) -> Result<Receipt, StreamError> {
        let running = self.begin(task, false);
        let mut number = 0;
        for item in items {
            self.expect(task, number, &item?);
            number += 1;
        }
        if number != count {
            self.ledger.breaks(format!("upload {} ended well after {number} items of {count}", task.id));
        }
        Ok(Receipt::new(running.run, 0))
    }

    fn download(&self, task: Task, count: u32, items: Sender<Item>) -> (Receipt, u32) {
        let running = self.begin(task, false);
        let sent = (0..count).take_while(|&number| items.send(Item::new(task, number)).is_ok()).count() as u32;
        (Receipt::new(running.run, 0), sent)
    }

    fn exchange(&self, task: Task, given: Receiver<Item>, back: Sender<Item>) -> Result<Receipt, StreamError> {
        let running = self.begin(task, false);
        for (number, item) in (0..).zip(given) {
            let item = item?;
            self.expect(task, number, &item);
            back.send(item)?;
        }
        Ok(Receipt::new(running.run, 0))
    }

    fn read(&self, task: Task, key: u32) -> (Receipt, u32) {
        match self.apply(task, false, key, Op::Read) {
            (receipt, Answer::Value(value)) => (receipt, value),
            (receipt, _) => (receipt, u32::MAX),
        }
    }

    fn write(&self, task: Task, key: u32, value: u32) -> Receipt {
        self.apply(task, true, key, Op::Write(value)).0
    }

    fn swap(&self, task: Task, key: u32, from: u32, to: u32) -> (Receipt, bool) {
        let (receipt, answer) = self.apply(task, true, key, Op::Swap(from, to));
        (receipt, answer == Answer::Swapped(true))
    }
}
