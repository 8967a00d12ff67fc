//! Deterministic simulation: services and their clients on a simulated network, with simulated disks, from one seed. See [`fibra_net::sim`] and
//! [`disk`].

pub use fibra_net::sim::*;
pub use fibra_sim::disk;
