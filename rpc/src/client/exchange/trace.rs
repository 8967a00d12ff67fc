//! The span of a call, and its place in a trace, if it is to have any.

use super::Exchange;
use crate::call_span::CallSpan;
use crate::client::calls::Outcome;
use crate::error::CallError;
use crate::metadata::Metadata;
use crate::wire::failure::Code;

impl Exchange<'_> {
    /// Makes an attempt within its span, and with its place in the trace, if it is to have any.
    #[inline]
    pub(super) fn traced(
        &self,
        metadata: &Metadata,
        attempt: impl FnOnce(&Metadata) -> Result<Outcome, CallError>,
    ) -> Result<Outcome, CallError> {
        let Some((span, metadata)) = self.span(metadata) else { return attempt(metadata) };
        span.run(
            || {
                let outcome = attempt(&metadata);
                self.tell_server(&span);
                outcome
            },
            |outcome| match outcome {
                Ok(Outcome::Value(_)) => None,
                Ok(Outcome::Failure { code, .. }) => Some(Code::from_wire(*code).map_or("unknown", Code::name)),
                Err(error) => Some(error.name()),
            },
        )
    }

    /// As [`traced`](Self::traced), of a call that is only begun: its span is around the sending, for who waits for the answer, and when, is not
    /// known yet.
    pub(in crate::client) fn begin_traced<R>(&self, metadata: &Metadata, begin: impl FnOnce(&Metadata) -> R) -> R {
        let Some((span, metadata)) = self.span(metadata) else { return begin(metadata) };
        let begin = || {
            let begun = begin(&metadata);
            self.tell_server(&span);
            begun
        };
        span.run(begin, |_| None)
    }

    /// Its span, with the metadata that it is to go with; if it is part of a trace.
    #[inline]
    fn span(&self, metadata: &Metadata) -> Option<(CallSpan, Metadata)> {
        CallSpan::client(self.method.full_name(), || self.to.only_peer(), metadata)
    }

    /// Tells a call's span which of several servers it went to.
    fn tell_server(&self, span: &CallSpan) {
        if let Some(place) = self.place.get()
            && self.to.only_peer().is_none()
        {
            span.peer(&self.to.peer(Some(place)));
        }
    }
}
