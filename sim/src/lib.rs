//! Simulation for tests: many seeds, a swarm of faults each, and the smallest case that fails.
//!
//! ```text
//!   check(test)
//!     seeds ──▶ Recipe: seed, faults, draws ──▶ Case ──▶ test ──▶ Sim::run ──▶ passes: the next seed
//!                  ▲                                                  └─▶ fails: a Counterexample
//!                  └───────────── shrink: fewer faults, fewer and lesser draws ◀───┘
//! ```
//!
//! What is simulated, and how, is in [`fibra_net::sim`], all of which is here, too.
//!
//! ```
//! use std::io::{Read, Write};
//! use fibra_net::{TcpListener, TcpStream};
//! use fibra_sim::Faults;
//!
//! fibra_sim::Explorer::new().seeds(0..20).faults(|_| Faults::default()).check(|sim| {
//!     sim.host("echo", || {
//!         for stream in TcpListener::bind("0.0.0.0:7")?.incoming() {
//!             let stream = stream?;
//!             fibra_scheduler::spawn(move || std::io::copy(&mut &stream, &mut &stream));
//!         }
//!         Ok(())
//!     });
//!     sim.client("client", || {
//!         // It may not be up yet, and whatever is sent may be lost.
//!         let Ok(mut stream) = TcpStream::connect("echo:7") else { return Ok(()) };
//!         stream.set_read_timeout(Some(std::time::Duration::from_secs(1)))?;
//!         let mut echo = [0; 5];
//!         if stream.write_all(b"hello").and_then(|()| stream.read_exact(&mut echo)).is_ok() {
//!             assert_eq!(&echo, b"hello");
//!         }
//!         Ok(())
//!     });
//!     Ok(())
//! });
//! ```
//!
//! # Modules
//!
//! | module | what it is |
//! |---|---|
//! | `explorer`, `seeds` | [`check`], [`Explorer`]: a test under many seeds, on several threads |
//! | `case`, `draws` | [`Case`], [`Draws`]: what a test is given |
//! | `recipe` | [`Recipe`]: all that decides about a case, as text |
//! | `play`, `quiet` | one run of a case, with its panics |
//! | `shrink` | smaller cases that fail alike |
//! | [`disk`] | disks of simulated machines, which lose at a crash what was not synced |
//! | `counterexample`, `finding`, `environment` | what is told about a failure, and the command that leads there again |

#![forbid(unsafe_code)]

mod case;
mod counterexample;
pub mod disk;
mod draws;
mod environment;
mod explorer;
mod finding;
mod play;
mod quiet;
mod recipe;
mod seeds;
mod shrink;

pub use fibra_net::sim::*;

pub use case::Case;
pub use counterexample::{Counterexample, Kind};
pub use draws::{DRAWS_MAX, Drawn, Draws};
pub use explorer::{Explorer, Summary, check};
pub use finding::Finding;
pub use recipe::{Recipe, RecipeError};
