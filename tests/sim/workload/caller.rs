//! A fiber of a client: makes calls of all kinds, one action after the other, and tells the ledger what it was told.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use fibra::rpc::CallError;
use fibra::rpc::client::Pending;
use fibra::{cancel, clock};

use super::around::Luggage;
use super::desk::{DeskClient, Place, Receipt, Task};
use super::history::{Answer, KEYS, Op, Outcome};
use super::ledger::{Id, Kind, Ledger, Run, is_up};
use super::plan::{Action, Around, ClientPlan, Dice};

/// See the [module](self).
pub(crate) struct Caller<'a> {
    pub(crate) plan: &'a ClientPlan,
    pub(crate) desk: &'a DeskClient,
    pub(crate) ledger: &'a Ledger,
    pub(crate) client: u32,
    /// Among all fibers of all clients.
    pub(crate) number: u64,
    /// Ordered calls that it has made.
    pub(crate) ordered: u64,
    pub(crate) dice: Dice,
}

/// A call that is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) task: Task,
    pub(crate) timeout: Duration,
    pub(crate) began: Instant,
}

impl Made {
    pub(crate) fn id(&self) -> Id {
        self.task.id
    }
}

type Called<E = std::convert::Infallible> = Result<Receipt, CallError<E>>;

impl Caller<'_> {
    pub(crate) fn act(&mut self) {
        match self.plan.action(&mut self.dice) {
            Action::Once => self.once(),
            Action::Again => self.again(),
            Action::Post => self.post(),
            Action::Order => self.order(),
            Action::Decline => self.decline(),
            Action::Panic => self.panic(),
            Action::Start => self.start(),
            Action::Batch => self.batch(),
            Action::Cancel => self.cancel(),
            Action::Upload => self.upload(),
            Action::Download => self.download(),
            Action::Exchange => self.exchange(),
            Action::Register => self.register(),
        }
    }

    pub(crate) fn make(&mut self, kind: Kind, what: &'static str) -> Made {
        let (min, max) = self.plan.timeout;
        let id = self.ledger.call(kind, what);
        let bytes = self.plan.metadata.map(|bytes| bytes as u32);
        let work = match self.plan.work_parts {
            Some(parts) => self.plan.work * self.dice.below(parts as usize + 1) as u32 / parts,
            None => self.dice.up_to(self.plan.work),
        };
        let task = Task {
            id,
            client: self.client,
            luggage: Luggage { call: id, bytes, is_signed: self.plan.around.is_some() },
            micros: work.as_micros() as u32,
            bytes: self.dice.below(self.plan.bytes + 1) as u32,
        };
        let timeout = self.dice.between(min, max);
        self.ledger.within(task.id, timeout);
        Made { task, timeout, began: clock::now() }
    }

    pub(crate) fn within(&self, made: Made) -> DeskClient {
        let desk = self.desk.within(made.timeout);
        match made.task.luggage.bytes {
            Some(_) => desk.with_metadata(made.task.luggage.metadata()),
            None => desk,
        }
    }

    pub(crate) fn told<E: Debug>(&self, made: Made, result: Result<Run, CallError<E>>) {
        self.ledger.told(made.id(), &result, clock::now() - made.began, made.timeout);
    }

    fn receipt<E: Debug>(&self, made: Made, result: Called<E>) {
        let result = result.map(|receipt| self.run(made, &receipt));
        self.told(made, result);
    }

    pub(crate) fn run(&self, made: Made, receipt: &Receipt) -> Run {
        receipt.verify(made.task.bytes).unwrap_or_else(|| {
            self.ledger.breaks(format!("the reply of call {} is not what was sent", made.id()));
            receipt.run
        })
    }

    /// Where there is middleware, a call that has been started has ended.
    fn started(&self, made: Made) {
        if self.plan.around.is_some() {
            self.ledger.give_up(made.id());
        }
    }

    fn once(&mut self) {
        let made = self.make(Kind::Once, "once");
        self.receipt(made, self.within(made).once(made.task));
    }

    fn again(&mut self) {
        let made = self.make(Kind::Again, "again");
        self.receipt(made, self.within(made).again(made.task));
    }

    fn post(&mut self) {
        let made = self.make(Kind::Once, "post");
        if let Err(error) = self.within(made).post(made.task) {
            self.told(made, Err(error));
        }
    }

    fn order(&mut self) {
        let count = 1 + self.dice.below(4);
        let mut calls = Vec::new();
        for _ in 0..count {
            let made = self.make(Kind::Once, "in turn");
            self.ordered += 1;
            let lane = if self.plan.lanes > 1 { self.dice.below(self.plan.lanes) as u32 } else { 0 };
            let place = Place { lane, caller: self.number, number: self.ordered };
            let desk = self.within(made);
            let call = match lane {
                0 => desk.start().in_turn(made.task, place),
                1 => desk.start().in_second_lane(made.task, place),
                _ => desk.start().in_third_lane(made.task, place),
            };
            // A call that is insisted on goes out once more, with what time is left.
            if self.plan.around != Some(Around::Insist) {
                self.ledger.goes_out(made.id());
            }
            self.started(made);
            // Those before it come first, also when they are joined.
            calls.push((Made { timeout: 8 * self.plan.timeout.1, ..made }, call));
        }
        let is_impatient = self.plan.patience.is_some();
        // Some are not sent before they are waited for, or those before them are, or were given up.
        if is_impatient && self.dice.one_in(3) {
            calls.reverse();
        }
        for (made, mut call) in calls {
            if is_impatient && self.dice.one_in(8) {
                self.ledger.give_up(made.id());
                call.cancel();
                continue;
            }
            let patience = self.dice.up_to(self.plan.patience.unwrap_or(self.plan.timeout.1));
            match self.dice.one_in(4) {
                true => match call.join_timeout(patience) {
                    Some(result) => self.receipt(made, result),
                    None => self.ledger.give_up(made.id()),
                },
                false => self.receipt(made, call.join()),
            }
        }
    }

    fn decline(&mut self) {
        let made = self.make(Kind::Once, "decline");
        let result = match self.within(made).decline(made.task) {
            Ok(()) => {
                self.ledger.breaks(format!("call {} has a value, its method gives none", made.id()));
                return;
            }
            Err(CallError::Application(run)) => Ok(run),
            Err(error) => Err(error),
        };
        self.told(made, result);
    }

    fn panic(&mut self) {
        let made = self.make(Kind::Once, "panic");
        let result = match self.within(made).panic(made.task) {
            Ok(()) => {
                self.ledger.breaks(format!("call {} has a value, its method panics", made.id()));
                return;
            }
            Err(CallError::HandlerPanicked { message, .. }) => Ok(message.parse().unwrap_or(Run::MAX)),
            Err(error) => Err(error),
        };
        self.told(made, result);
    }

    fn start(&mut self) {
        let is_once = self.dice.one_in(2);
        let (kind, what) = if is_once { (Kind::Once, "started once") } else { (Kind::Again, "started again") };
        let made = self.make(kind, what);
        let desk = self.within(made);
        let mut call = if is_once { desk.start().once(made.task) } else { desk.start().again(made.task) };
        self.started(made);
        let patience = self.dice.up_to(self.plan.timeout.1);
        match self.dice.below(5) {
            0 => {
                self.ledger.give_up(made.id());
                call.cancel();
            }
            1 => match call.try_join() {
                Some(result) => self.receipt(made, result),
                None => self.ledger.give_up(made.id()),
            },
            2 => {
                // A call whose server goes down meanwhile waits for somebody who takes it to another: there has to be time left for that.
                let patience = patience / 2;
                // Cut short like any wait when its client is shut down.
                let _ = fibra::sleep(patience);
                // It may have ended long before somebody looks.
                self.receipt(Made { timeout: made.timeout + patience, ..made }, call.join());
            }
            3 => match call.join_timeout(patience) {
                Some(result) => self.receipt(made, result),
                None => self.ledger.give_up(made.id()),
            },
            _ => self.receipt(made, call.join()),
        }
    }

    fn batch(&mut self) {
        let mut made: Vec<_> = (0..2 + self.dice.below(6)).map(|_| self.make(Kind::Once, "of a batch")).collect();
        // One proxy, one load of metadata.
        let luggage = made[0].task.luggage;
        made.iter_mut().for_each(|made| made.task.luggage = luggage);
        // Each waits at its start and at its end, and for those before it.
        let timeout = 2 * made[0].timeout * made.len() as u32;
        let desk = self.within(made[0]);
        made.iter().for_each(|other| self.ledger.within(other.id(), made[0].timeout));
        let mut calls: Vec<_> = desk.batch(|start| {
            let start = |made: &Made| {
                let call = start.once(made.task);
                self.started(*made);
                call
            };
            made.iter().map(start).collect()
        });
        if self.dice.one_in(3) {
            made.iter().skip(1).for_each(|made| self.ledger.give_up(made.id()));
            calls.truncate(1);
        }
        if self.dice.one_in(2) {
            while let Some((index, result)) = Pending::join_any(&mut calls) {
                self.receipt(Made { timeout, ..made[index] }, result);
            }
        } else {
            for (made, call) in made.into_iter().zip(calls) {
                self.receipt(Made { timeout, ..made }, call.join());
            }
        }
    }

    fn cancel(&mut self) {
        let is_once = self.dice.one_in(2);
        let made = self.make(if is_once { Kind::Once } else { Kind::Again }, "cancelled");
        let desk = self.within(made);
        let task = made.task;
        let fiber = fibra::spawn(move || if is_once { desk.once(task) } else { desk.again(task) });
        let patience = self.dice.up_to(self.plan.work.max(Duration::from_millis(2)) * 2);
        let _ = fibra::sleep(patience);
        fiber.cancel();
        if let Ok(result) = cancel::shield(|| fiber.join()) {
            self.receipt(Made { timeout: made.timeout + patience, ..made }, result);
        }
    }

    fn register(&mut self) {
        let key = self.dice.below(KEYS);
        let what = self.dice.below(3);
        let op = self.ledger.history(|history| match what {
            0 => Op::Read,
            1 => Op::Write(history.value()),
            // As often as not from what is there, so that it has a chance.
            _ if self.dice.one_in(3) => Op::Swap(history.value(), history.value()),
            _ => Op::Swap(history.peek(key), history.value()),
        });
        let made = self.make(if op == Op::Read { Kind::Again } else { Kind::Once }, "register");
        let number = self.ledger.history(|history| history.call(key, op));
        let (desk, task, index) = (self.within(made), made.task, key as u32);
        let result = match op {
            Op::Read => desk.read(task, index).map(|(receipt, value)| (receipt, Answer::Value(value))),
            Op::Write(value) => desk.write(task, index, value).map(|receipt| (receipt, Answer::Written)),
            Op::Swap(from, to) => {
                desk.swap(task, index, from, to).map(|(receipt, is_swapped)| (receipt, Answer::Swapped(is_swapped)))
            }
        };
        let outcome = match &result {
            Ok((_, answer)) => Outcome::Answered(*answer),
            Err(error) if error.executed() == fibra::rpc::Executed::No => Outcome::Never,
            Err(_) => Outcome::Unknown,
        };
        // What a crashed client was told it does not know any more.
        if is_up() {
            self.ledger.history(|history| history.end(key, number, outcome));
        }
        self.receipt(made, result.map(|(receipt, _)| receipt));
    }
}
