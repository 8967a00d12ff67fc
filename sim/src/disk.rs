//! A disk of a simulated machine: what was synced survives a crash, and what was not may.
//!
//! ```text
//!   write_at ──▶ what its programs read (page cache)
//!                    │ sync_all                     crash: for each sector of 512 bytes that was not synced, the seed
//!                    ▼                                     decides: as synced, as last written, or as in between
//!                what is there for good ◀──────────────────┘
//! ```
//!
//! A [`Disk`] has files by name, which are read and written as [`std::fs::File`]s at offsets. It belongs to a machine, and outlives
//! each life of it: when a fiber of a [`Host`](fibra_scheduler::seeded::Host) uses it and the host before has crashed, that
//! crash is settled first. From its crash on, a host's operations fail and change nothing.
//!
//! ```
//! use fibra_scheduler::seeded::{Host, Skew};
//! use fibra_scheduler::{Builder, driver, runtime};
//! use fibra_sim::disk::Disk;
//!
//! runtime::Builder::new(driver::idle).seed(7).run(|| -> std::io::Result<()> {
//!     let disk = Disk::new("bank");
//!     let machine = Host::boot(Skew::default());
//!     let first_life = machine.spawn(Builder::new(), {
//!         let disk = disk.clone();
//!         move || -> std::io::Result<()> {
//!             let journal = disk.create("journal")?;
//!             journal.write_all_at(b"synced. ", 0)?;
//!             journal.sync_all()?;
//!             journal.write_all_at(b"not synced.", 8)
//!         }
//!     })?;
//!     first_life.join().unwrap()?;
//!     machine.crash();
//!
//!     let machine = Host::boot(Skew::default());
//!     let second_life = machine.spawn(Builder::new(), move || -> std::io::Result<()> {
//!         let journal = disk.open("journal")?;
//!         let mut bytes = vec![0; journal.len()? as usize];
//!         journal.read_exact_at(&mut bytes, 0)?;
//!         assert!(bytes.starts_with(b"synced. "));
//!         assert!(bytes.len() == 8 || bytes.len() == 19); // as long as it was at some time since
//!         Ok(())
//!     })?;
//!     second_life.join().unwrap()
//! })??;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What a crash leaves
//!
//! Since a file's last sync:
//!
//! * **Sectors.** Each of the 512 bytes at a multiple of 512 is as it was after some write since then, or as it was synced. So a write may be
//!   lost or torn, and later ones may be there without it. Within a sector it is all or nothing, unless
//!   [`Faults::torn_sectors`] says otherwise.
//! * **Length.** It is one that the file has had since then. What is between data that was lost is zeros. Truncation goes with its length: what
//!   was cut off is there if the length is.
//! * **Names.** Files are created, renamed and removed in order: a crash leaves those changes up to some point. To sync a file keeps
//!   all changes of names that came before, as ext4 and XFS do; as POSIX has it, only [`Disk::sync_directory`] does
//!   ([`Builder::posix_names`]).
//!
//! Some crashes lose all of that, some nothing, some leave what was done up to some point, the rest each sector by its own.
//!
//! # What goes wrong besides
//!
//! [`Faults`]: errors of reads, writes and syncs, a full disk, bits that rot, and crashes in the middle of an operation. After a sync that
//! failed, what it was to sync is in doubt: a later sync that succeeds does not include it, unless it was written again, as on
//! Linux. All that happens is part of the run's [trace](fibra_scheduler::seeded::Trace), contents included.
//!
//! Operations take no time, unless [`Builder::latency`] says so: then they park the fiber. Whoever holds a lock of `std::sync` over an
//! operation, as redb does, should leave it so, or use it from one fiber only.

mod builder;
mod content;
mod dice;
mod faults;
mod file;
mod handle;
mod names;
#[cfg(feature = "redb")]
mod redb;
mod state;
mod statistics;

pub use builder::Builder;
pub use faults::Faults;
pub use file::File;
pub use handle::Disk;
pub use statistics::Statistics;
