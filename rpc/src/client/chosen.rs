//! Where a call goes: the link that it is sent on, and what its endpoint is to know of it.
//!
//! Invariant: a call counts as under way at its endpoint from when that is chosen until this is dropped, or its end is told, if earlier. Of a
//! channel with one server nothing is counted: there is nothing to choose.

use std::ops::Deref;
use std::sync::Arc;

use fibra_scheduler::cancel::Interrupted;

use super::attempts::Ended;
use super::calls::{Outcome, Unanswered, Why};
use super::endpoint::{Endpoint, Endpoints};
use super::link::Link;
use crate::error::Executed;
use crate::wire::failure::Code;

/// Where a call goes, for as long as its caller waits.
pub(super) struct Chosen<'a> {
    link: Current<'a>,
    /// Of several, and its place among them.
    endpoint: Option<(&'a Endpoint, usize)>,
}

/// Where a call goes that is waited for elsewhere, or later. Keeps the channel open.
pub(super) struct Stay {
    endpoints: Arc<Endpoints>,
    place: usize,
    /// `None`: the endpoint's first.
    link: Option<Arc<Link>>,
    is_counted: bool,
}

/// The link of an endpoint that takes new calls.
pub(super) enum Current<'a> {
    First(&'a Arc<Link>),
    Later(Arc<Link>),
}

impl<'a> Chosen<'a> {
    pub(super) fn only(link: Current<'a>) -> Self {
        Self { link, endpoint: None }
    }

    pub(super) fn of_several(endpoint: &'a Endpoint, place: usize) -> Self {
        endpoint.enter();
        Self { link: endpoint.current(), endpoint: Some((endpoint, place)) }
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        match &self.link {
            Current::First(link) => link,
            Current::Later(link) => link,
        }
    }

    /// How the call ended that went there.
    pub(super) fn ended(&self, ended: &Ended) {
        if let Some((endpoint, _)) = self.endpoint
            && let Some(success) = is_success(ended)
        {
            endpoint.note(&self.link, success);
        }
    }

    /// The same for longer. They are those of `endpoints`.
    pub(super) fn stay(mut self, endpoints: &Arc<Endpoints>) -> Stay {
        let endpoint = self.endpoint.take();
        let link = match &self.link {
            Current::First(_) => None,
            Current::Later(link) => Some(Arc::clone(link)),
        };
        let place = endpoint.map_or(0, |(_, place)| place);
        Stay { endpoints: Arc::clone(endpoints), place, link, is_counted: endpoint.is_some() }
    }
}

impl Stay {
    pub(super) fn endpoints(&self) -> &Arc<Endpoints> {
        &self.endpoints
    }

    pub(super) fn link(&self) -> &Link {
        self.link.as_deref().unwrap_or_else(|| self.endpoints.endpoint(self.place).first())
    }

    /// How the call ended that went there.
    pub(super) fn ended(&mut self, ended: &Ended) {
        self.fared(is_success(ended));
    }

    /// The same, in short; `None`: that says nothing about the server.
    pub(super) fn fared(&mut self, success: Option<bool>) {
        if !std::mem::take(&mut self.is_counted) {
            return;
        }
        let endpoint = self.endpoints.endpoint(self.place);
        endpoint.leave();
        if let Some(success) = success {
            endpoint.note(self.link(), success);
        }
    }
}

/// Whether a server does its work, as far as the end of one call tells.
fn is_success(ended: &Ended) -> Option<bool> {
    match ended {
        Ok(Outcome::Failure { code, .. }) => Some(Code::from_wire(*code) != Some(Code::Overloaded)),
        Ok(Outcome::Value(_)) => Some(true),
        // Sent, and no answer came in time.
        Err(Unanswered { executed: Executed::Maybe, why: Why::Interrupted(Interrupted::TimedOut), .. }) => Some(false),
        Err(Unanswered { why: Why::Lost(_), .. }) => Some(false),
        Err(_) => None,
    }
}

impl Deref for Chosen<'_> {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Drop for Chosen<'_> {
    fn drop(&mut self) {
        if let Some((endpoint, _)) = self.endpoint {
            endpoint.leave();
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.fared(None);
    }
}

impl Deref for Current<'_> {
    type Target = Link;

    fn deref(&self) -> &Link {
        match self {
            Self::First(link) => link,
            Self::Later(link) => link,
        }
    }
}
