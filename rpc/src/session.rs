//! Sessions: how a call that is sent twice runs once, as state machines without I/O.
//!
//! ```text
//!   client                                     server
//!   Window ── xid, first incomplete xid ────▶  Sessions ─▶ ReplyCache ─┬─ New: run it ─▶ finish: keep the reply
//!     ▲         (and again, if a reply is lost) by client,             ├─ InProgress: attach to the run
//!     └──────────────── reply ◀───────────────  incarnation            └─ Done: the same bytes once more
//! ```
//!
//! A session is one client's numbered calls. The client numbers them from 1 (the *xid*), has at most a *window* of them outstanding, and
//! says with each the first that it has no reply to yet: what comes before is acknowledged, and its replies go. So the server keeps a
//! window's worth of replies for a client, whatever the client does.
//!
//! | file | holds |
//! |---|---|
//! | [`window`] | the client's half: which xids are outstanding |
//! | [`fingerprint`](mod@fingerprint) | whether two calls are the same |
//! | [`verdict`] | what a server says to an arriving xid |
//! | [`lanes`] | which calls of a lane run, wait, or come too late |
//! | [`allowance`] | how much of its replies a session may keep, and all of them together |
//! | [`reply_cache`] | the server's half: what has run, what runs, what was answered |
//! | `kept`, `short_deque`, `ring`, `few` | a reply that it keeps, its calls, who waits for one: small, since most sessions are idle |
//! | [`table`] | all clients of a server: whose session it is, incarnations, leases |
//!
//! Source: RIFL (Lee et al., SOSP 2015, doi:10.1145/2815400.2815416) for identity, window and acknowledgement; the slots of NFSv4.1
//! (RFC 8881, section 2.10.6) for the bound on what is kept.
//!
//! Invariants:
//! * No clock is read and nothing is sent: bytes and `now` in, verdicts out.
//! * An xid runs at most once in a session, whatever arrives, in whatever order, however often.

pub mod allowance;
mod few;
pub mod fingerprint;
mod kept;
pub mod lanes;
pub mod reply_cache;
mod ring;
mod short_deque;
pub mod table;
pub mod verdict;
pub mod window;

pub use allowance::{Allowance, Pool};
pub use fingerprint::fingerprint;
pub use lanes::{Lane, Turn};
pub use reply_cache::{Arrival, Progress, ReplyCache};
pub use table::{ClientId, Principal, Sessions};
pub use verdict::{Refused, Verdict};
pub use window::Window;

/// The number of a call within its session: counts up from 1.
pub type Xid = u64;

/// Calls that a session may have outstanding, unless both sides agree on fewer.
pub const WINDOW: usize = 512;

#[cfg(test)]
mod tests;
