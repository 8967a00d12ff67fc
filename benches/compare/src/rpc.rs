//! Remote calls: unary `add(3, 5)`, by fibra, tonic, tarpc and Go, beside a floor that no RPC can fall below.
//!
//! | module | what it is |
//! |---|---|
//! | [`peers`] | those compared, a file each: server and client, as their users would write them |
//! | [`shape`] | how many connections, and how many calls at a time on each |
//! | [`server`], [`client`] | the two kinds of child processes |
//! | [`window`] | which calls count: in the client |
//! | [`session`] | the parent's view of a client; CPU time |
//! | [`plan`], [`run`], [`results`] | what is measured, how, and what came out |
//! | [`instructions`] | what a call costs a server by callgrind's count |
//! | [`report`] | tables, plots, and which goals are met |
//!
//! **The floor** is an event loop that answers frames of the size of fibra's without looking at more than their lengths: as many replies as
//! one read brought calls, in one write. What it takes is the kernel's share, and no server that reads and writes sockets takes
//! less.
//!
//! **Who calls matters**, since a server's cost for a call depends on how many calls one read brings, and so on how fast its client
//! is and how it batches. So the floor speaks enough of fibra's wire (the preface, the session, each call's xid in its reply) to
//! serve fibra's client, and there is a client as bare as the floor that fibra's server serves: an event loop that sends prepared frames
//! and counts replies. Crossing them tells servers from clients:
//!
//! | | the bare client | fibra's client |
//! |---|---|---|
//! | the floor | `floor` | `floor-proxy` |
//! | fibra's server | `fibra-raw` | `fibra` |
//!
//! `fibra-raw` against `floor` is the server alone under the same load, to which the goals for the server's CPU time refer; `fibra` against
//! `floor` is what a user sees of both halves, to which the goal for latency refers. The others are called by their own clients only.
//!
//! All set TCP_NODELAY. Servers and clients have one worker for each CPU that they may use.

pub(crate) mod client;
pub(crate) mod instructions;
pub(crate) mod peers;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod shape;
pub(crate) mod window;
