//! Calls with streams: what comes, comes in order, each item once, and a stream that ends well is complete.

use fibra::rpc::CallError;
use fibra::rpc::stream::StreamError;

use super::caller::Caller;
use super::desk::Item;
use super::ledger::Kind;

/// The longest stream, in items.
const ITEMS_MAX: usize = 12;

impl Caller<'_> {
    pub(crate) fn upload(&mut self) {
        let made = self.make(Kind::Once, "upload");
        let count = self.dice.below(ITEMS_MAX + 1) as u32;
        let stops = self.dice.one_in(4).then(|| self.dice.below(ITEMS_MAX) as u32);
        let stream = match self.within(made).upload(made.task, count) {
            Ok(stream) => stream,
            Err(error) => return self.told(made, Err(error)),
        };
        for number in 0..count {
            if stops == Some(number) {
                // Dropping it gives the call up.
                return self.ledger.give_up(made.id());
            }
            match stream.send(Item::new(made.task, number)) {
                Ok(()) => {}
                // What it has come to, its answer tells.
                Err(StreamError::CallEnded | StreamError::Disconnected | StreamError::Stopped) => break,
                Err(_) => return self.ledger.give_up(made.id()),
            }
        }
        match stream.finish() {
            Ok(receipt) => self.told::<StreamError>(made, Ok(receipt.run)),
            // What the method says of items that did not come.
            Err(CallError::Application(_)) => {
                if self.ledger.runs(made.id()) == 0 {
                    self.ledger.breaks(format!("upload {} has not run, and has an error of its own", made.id()));
                }
            }
            Err(error) => self.told(made, Err(error)),
        }
    }

    pub(crate) fn download(&mut self) {
        let made = self.make(Kind::Once, "download");
        let count = self.dice.below(ITEMS_MAX + 1) as u32;
        let stops = self.dice.one_in(4).then(|| self.dice.below(ITEMS_MAX) as u32);
        let mut stream = match self.within(made).download(made.task, count) {
            Ok(stream) => stream,
            Err(error) => return self.told(made, Err(error)),
        };
        let mut taken = 0;
        loop {
            match stream.recv() {
                Ok(Some(item)) => {
                    if item != Item::new(made.task, taken) {
                        self.ledger.breaks(format!(
                            "download {}: item {} of {} in place of {taken}",
                            made.id(),
                            item.number,
                            item.id
                        ));
                    }
                    taken += 1;
                }
                Ok(None) => break,
                Err(error) => return self.told(made, Err(error)),
            }
            if stops == Some(taken) {
                return self.ledger.give_up(made.id());
            }
        }
        match stream.finish() {
            Ok((receipt, sent)) => {
                // The last may have been refused as the call's time was up.
                if taken < sent || sent > count {
                    self.ledger
                        .breaks(format!("download {}: {taken} items came, {sent} were sent, of {count}", made.id()));
                }
                self.told::<StreamError>(made, Ok(receipt.run));
            }
            Err(error) => self.told(made, Err(error)),
        }
    }

    pub(crate) fn exchange(&mut self) {
        let made = self.make(Kind::Once, "exchange");
        let count = self.dice.below(ITEMS_MAX + 1) as u32;
        let stream = match self.within(made).exchange(made.task) {
            Ok(stream) => stream,
            Err(error) => return self.told(made, Err(error)),
        };
        let (sender, mut back) = stream.split();
        let task = made.task;
        let sending = fibra::spawn(move || {
            let sent = (0..count).try_for_each(|number| sender.send(Item::new(task, number)));
            if sent.is_ok() {
                sender.finish();
            }
        });
        let mut taken = 0;
        let ended = loop {
            match back.recv() {
                Ok(Some(item)) => {
                    if item != Item::new(task, taken) {
                        self.ledger.breaks(format!(
                            "exchange {}: item {} of {} in place of {taken}",
                            made.id(),
                            item.number,
                            item.id
                        ));
                    }
                    taken += 1;
                }
                Ok(None) => break back.finish(),
                Err(error) => break Err(error),
            }
        };
        match ended {
            Ok(receipt) => {
                if taken != count {
                    self.ledger.breaks(format!("exchange {} ended well after {taken} items of {count}", made.id()));
                }
                self.told::<StreamError>(made, Ok(receipt.run));
            }
            Err(CallError::Application(_)) => {}
            Err(error) => self.told(made, Err(error)),
        }
        // It ends with the call.
        if sending.join().is_err() {
            self.ledger.breaks(format!("the sender of exchange {} panicked", made.id()));
        }
    }
}
