//! What simulated machines have beside their network: disks.
//!
//! See [`disk`]. The network is [`fibra_net::sim`]; who runs when, and what a machine's life is, are
//! [`fibra_scheduler::seeded`] and [`Host`](fibra_scheduler::seeded::Host).

#![forbid(unsafe_code)]

pub mod disk;
