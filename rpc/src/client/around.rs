//! A client's middleware around its calls: what it sees of them, and what their callers get.
//!
//! Invariant: all attempts of a call count. What a caller is told about whether it ran holds for each of them.

use super::calls::Outcome;
use super::exchange::Exchange;
use crate::error::{CallError, Executed};
use crate::metadata::Metadata;
use crate::middleware::{self, Chain, Kind};
use crate::request::Request;
use crate::wire::failure::Code;

/// Sends a call with this metadata, and waits for the answer.
pub(super) type Attempt<'a> = dyn FnMut(&Metadata) -> Result<Outcome, CallError> + 'a;

impl Exchange<'_> {
    /// Makes a call through `chain`, which may make any number of attempts.
    #[cold]
    pub(super) fn around(&self, chain: &Chain, attempt: &mut Attempt<'_>) -> Result<Outcome, CallError> {
        let callee = self.callee();
        let mut request =
            Request::new(callee.method.clone(), callee.peer, None, self.deadline(), self.metadata().clone());
        let mut executed = Executed::No;
        let outcome = chain.run(&mut request, &mut |request| {
            let outcome = middleware::Outcome(match attempt(request.metadata()) {
                Ok(Outcome::Value(body)) => Kind::Value(body),
                Ok(Outcome::Failure { code, message, details, repeated, .. }) => {
                    match self.failed(code, message, details, repeated) {
                        Ok(details) => Kind::Application(details),
                        Err(error) => Kind::Failed(error),
                    }
                }
                Err(error) => Kind::Failed(error),
            });
            executed = executed.or(outcome.executed());
            outcome
        });
        match outcome.0 {
            Kind::Value(body) => Ok(Outcome::Value(body)),
            Kind::Application(details) => {
                let (code, message) = (Code::Application as u8, String::new());
                Ok(Outcome::Failure { code, message, details, frame: Vec::new(), repeated: false })
            }
            Kind::Failed(error) => Err(error.after(executed)),
            Kind::Denied(denial, own) => Err(denial.into_error(callee, executed.or(own))),
        }
    }
}
