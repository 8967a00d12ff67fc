//! A call that is waited for: its first attempt, and as many more as there are to be.

use fibra_scheduler::park;
use serde::Serialize;

use super::{Exchange, Output, To, tell};
use crate::client::attempts::{Attempts, Ended};
use crate::client::calls::{Outcome, Unanswered, Why};
use crate::client::endpoint::Endpoints;
use crate::client::lanes::Ticket;
use crate::client::local;
use crate::client::race::Race;
use crate::error::CallError;
use crate::metadata::Metadata;
use crate::middleware::Chain;
use crate::scratch;
use crate::wire::header::FLAG_ONE_WAY;

impl Exchange<'_> {
    /// Makes the call and waits for its outcome.
    pub(in crate::client) fn call<A: Serialize>(&self, args: &A, middleware: &Chain) -> Result<Outcome, CallError> {
        let mut attempt = |metadata: &Metadata| self.traced(metadata, |metadata| self.attempt(args, metadata));
        if middleware.is_empty() { attempt(self.metadata) } else { self.around(middleware, &mut attempt) }
    }

    /// Makes a call that nobody answers.
    pub(in crate::client) fn call_one_way<A: Serialize>(&self, args: &A, middleware: &Chain) -> Result<(), CallError> {
        let mut attempt = |metadata: &Metadata| {
            self.traced(metadata, |metadata| self.post(args, metadata).map(|()| Outcome::Value(Vec::new())))
        };
        let posted = if middleware.is_empty() { attempt(self.metadata) } else { self.around(middleware, &mut attempt) };
        posted.map(|_nothing| ())
    }

    /// Sends the call and waits for the answer.
    fn attempt<A: Serialize>(&self, args: &A, metadata: &Metadata) -> Result<Outcome, CallError> {
        let frame = self.encode(args, self.flags(), metadata)?;
        match self.to {
            To::Remote(endpoints) => match self.send(endpoints, frame) {
                Ok(Outcome::Value(value)) => {
                    endpoints.common().retries.succeeded();
                    Ok(Outcome::Value(value))
                }
                ended => self.go_on(endpoints, ended),
            },
            To::Local(local) => local::call(self, local, frame),
        }
    }

    /// Sends a call that nobody answers.
    fn post<A: Serialize>(&self, args: &A, metadata: &Metadata) -> Result<(), CallError> {
        let mut frame = self.encode(args, FLAG_ONE_WAY, metadata)?;
        let endpoints = match self.to {
            To::Remote(endpoints) => endpoints,
            // Whatever comes of it.
            To::Local(local) => return local::call(self, local, frame).map_or_else(|_| Ok(()), |_| Ok(())),
        };
        let posted = loop {
            let (chosen, place) = match endpoints.choose(None, self.deadline) {
                Ok(chosen) => chosen,
                Err(end) => break Err(end),
            };
            self.place.set(Some(place));
            match chosen.calls().post(&mut frame, self.deadline) {
                Err(Unanswered { why: Why::Moved { .. }, .. }) => {}
                posted => break posted,
            }
        };
        scratch::give(frame);
        posted.map_err(|end| self.unanswered(end))
    }

    /// What the end of a call means that was [begun](Self::begin) before; if it `may_wait`, it may be made again first.
    pub(in crate::client) fn settle(&self, ended: Ended, may_wait: bool) -> Result<Outcome, CallError> {
        match (ended, self.to) {
            (Ok(Outcome::Value(value)), _) => Ok(Outcome::Value(value)),
            (ended, To::Remote(endpoints)) if may_wait => self.go_on(endpoints, ended),
            (ended, _) => ended.map_err(|end| self.unanswered(end)),
        }
    }

    /// The first attempt has not brought a value: as many more as there are to be.
    #[cold]
    pub(super) fn go_on(&self, endpoints: &Endpoints, ended: Ended) -> Result<Outcome, CallError> {
        let common = endpoints.common();
        let ordered = self.lane().zip(self.ticket.get());
        let attempts = Attempts {
            common,
            ordered,
            policy: self.retry.unwrap_or(common.settings.retry),
            idempotent: !self.in_session(),
            deadline: self.deadline,
        };
        let attempt = |frame, again| {
            if again {
                self.ticket.set(self.ticket.get().map(Ticket::again));
            }
            self.send(endpoints, frame)
        };
        attempts.go_on(ended, attempt).map_err(|end| self.unanswered(end))
    }

    /// Sends the call once, or as often as connections are lost meanwhile, and waits for the answer.
    fn send(&self, endpoints: &Endpoints, frame: Vec<u8>) -> Ended {
        if let Some(hedging) = self.hedging
            && !self.in_session()
        {
            let race = Race { endpoints, hedging, method: self.method.full_name(), deadline: self.deadline };
            let mut place = self.place.get();
            let ended = race.run(frame, &mut place);
            self.place.set(place);
            return ended;
        }
        let (chosen, hold) = match self.choose_once(endpoints) {
            Ok(chosen) => chosen,
            Err(end) => {
                scratch::give(frame);
                return Err(end);
            }
        };
        let ended = match self.enter(&chosen, frame, hold, Some(park::current()), Output::Sent) {
            Ok(xid) => tell(xid, chosen.calls().wait(xid, self.deadline)),
            Err(end) => Err(end),
        };
        chosen.ended(&ended);
        ended
    }
}
