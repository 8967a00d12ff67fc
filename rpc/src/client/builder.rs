//! How a channel connects, and what it bears.

use std::time::Duration;

use fibra_net::ToSocketAddrs;

use super::Channel;
use super::keepalive::Keepalive;
use super::retry::{RetryBudget, RetryPolicy};
use crate::error::ConnectError;
use crate::limits::{CONNECT_TIMEOUT, Limits, SETTING_MAX};

/// Gathers what a [`Channel`] needs. Made by [`Channel::builder`].
///
/// ```no_run
/// use std::time::Duration;
/// use fibra_rpc::Channel;
///
/// let channel = Channel::builder()
///     .connect_timeout(Duration::from_secs(2))
///     .idle_timeout(Some(Duration::from_secs(300)))
///     .connect("calculator.internal:7000")?;
/// # Ok::<(), fibra_rpc::ConnectError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder connects nothing until it is told to"]
pub struct Builder {
    settings: Settings,
}

/// What a [`Builder`] was told.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) limits: Limits,
    pub(super) connect_timeout: Duration,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) retry: RetryPolicy,
    pub(super) retry_budget: RetryBudget,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            connect_timeout: CONNECT_TIMEOUT,
            idle_timeout: None,
            keepalive: Some(Keepalive::default()),
            retry: RetryPolicy::default(),
            retry_budget: RetryBudget::default(),
        }
    }
}

impl Builder {
    /// The limits of each connection. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits.bounded();
        self
    }

    /// How long connecting may take, all addresses included, name resolution not. Default: [`CONNECT_TIMEOUT`].
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout.min(SETTING_MAX);
        self
    }

    /// After how long without a call the connection is closed; the next call brings it back, and with it the session, if the server's
    /// [lease](crate::server::Builder::session_lease) has not ended. Default: never.
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.settings.idle_timeout = timeout.map(|timeout| timeout.min(SETTING_MAX));
        self
    }

    /// How a peer that has fallen silent is noticed. Default: [`Keepalive::default`]; `None`: not, but by deadlines of calls.
    pub fn keepalive(mut self, keepalive: Option<Keepalive>) -> Self {
        self.settings.keepalive = keepalive.map(Keepalive::bounded);
        self
    }

    /// How calls are made again that say nothing of it themselves, where that is [safe](super::retry). Default: [`RetryPolicy::default`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// What share of the load retries may add. Default: [`RetryBudget::default`].
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.settings.retry_budget = budget;
        self
    }

    /// Connects, as [`Channel::connect`] does.
    ///
    /// # Errors
    ///
    /// As [`Channel::connect`].
    pub fn connect(self, addr: impl ToSocketAddrs) -> Result<Channel, ConnectError> {
        Channel::open(addr, self.settings)
    }

    /// Connects to several servers of the same services, each with a session of its own: to the first 64 that are named. Each call goes to one of them: of two that are
    /// drawn, the one with fewer calls under way. One that fails several calls in a row is left alone for a while, and one that is going
    /// down gets no new calls. A call that has not left moves to another server when its connection is lost; an at-most-once call that may
    /// have left stays.
    ///
    /// Returns once one of them has answered. They are dialled in this order, the next when the one before has failed or has not answered for
    /// [`NEXT_SERVER_DELAY`](crate::limits::NEXT_SERVER_DELAY); the connect timeout is that of each.
    ///
    /// # Errors
    ///
    /// As [`Channel::connect`]; that of the last server if none answers.
    pub fn connect_to<A: ToSocketAddrs>(self, endpoints: impl IntoIterator<Item = A>) -> Result<Channel, ConnectError> {
        Channel::open_to(endpoints, self.settings)
    }
}
