//! What is around a call: metadata, which has to reach its handler unchanged, and middleware on both sides.
//!
//! * A handler finds just the metadata that its caller has sent, and what the caller's middleware has added.
//! * A strict server's middleware sees a call before its handler does, refuses some before they run and some after. Whoever is told so is told
//!   the truth about whether it has run, as of every other call.

use fibra::rpc::middleware::{Denial, Middleware, Next, Outcome};
use fibra::rpc::{Executed, Metadata, Request};

use super::desk::Task;
use super::ledger::{Id, Ledger};
use super::plan::Around;

const CALL: &str = "call";
const FILLER: &str = "filler";
const SIGNATURE: &str = "signed";

/// What a call has along: nothing, or its number and so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Luggage {
    pub(crate) call: Id,
    pub(crate) bytes: Option<u32>,
    pub(crate) is_signed: bool,
}

impl Luggage {
    pub(crate) fn metadata(self) -> Metadata {
        let mut metadata = Metadata::new();
        if let Some(bytes) = self.bytes {
            let filler = vec![self.call as u8; bytes as usize];
            let packed = metadata.insert(CALL, &*self.call.to_string());
            packed.and_then(|()| metadata.insert(FILLER, &filler[..])).expect("there is room for two entries");
        }
        metadata
    }

    /// Whether that is what has come.
    fn is(self, come: &Metadata) -> bool {
        let mut sent = self.metadata();
        if self.is_signed {
            sent.insert(SIGNATURE, "yes").expect("there is room for a third");
        }
        sent == *come
    }
}

/// What a handler was given is what its caller has sent.
pub(crate) fn check(ledger: &Ledger, task: Task) {
    let come = Request::with_current(|request| request.map(|request| request.metadata().clone()));
    let come = come.unwrap_or_default();
    if !task.luggage.is(&come) {
        ledger.breaks(format!("call {} has {come:?} along, it was sent with {:?}", task.id, task.luggage));
    }
}

/// A strict server's middleware, in one of its lives.
pub(crate) fn strict(ledger: Ledger, life: usize) -> impl Middleware {
    move |request: &mut Request, next: Next<'_>| -> Outcome {
        let call = request.metadata().text(CALL).and_then(|call| call.parse::<Id>().ok());
        ledger.enter(life);
        match call {
            Some(call) if call.is_multiple_of(10) => Denial::new("not this one").into(),
            Some(call) if call.is_multiple_of(5) => {
                let outcome = next.run(request);
                if outcome.is_value() { Denial::new("not this one, after all").into() } else { outcome }
            }
            _ => next.run(request),
        }
    }
}

/// A client's.
pub(crate) fn at_client(around: Around) -> impl Middleware {
    move |request: &mut Request, mut next: Next<'_>| -> Outcome {
        request.metadata_mut().insert(SIGNATURE, "yes").expect("there is room for a third");
        let outcome = next.attempt(request);
        match around == Around::Insist && outcome.executed() == Executed::No {
            true => next.attempt(request),
            false => outcome,
        }
    }
}
