//! Deterministic simulation: your servers and clients, unchanged, in one thread, on a virtual clock and a network whose faults a seed decides.
//! Years of bad network in a minute, and each failure again as often as you like.
//!
//! ```text
//!   check(|sim| ..)                   for each of many seeds, on as many threads as there are CPUs:
//!     sim.draw("deposits", 1..=20)    what the test leaves open
//!     sim.host("bank", ..)      ┐  ┌─────────┐  ◀── a swarm of faults, for ten seconds: loss, resets, partitions,
//!     sim.client("alice", ..)   ├──┤ network │      crashes, pauses, slow and full, each seed others;
//!     sim.client("bob", ..)     ┘  └─────────┘      and rules of your own: sim.rule("flapping", ..)
//!     sim.run()?                      ends when the clients have
//!     assert_eq!(..)                  what is to hold then
//! ```
//!
//! ```
//! # #[fibra::service]
//! # trait Counter {
//! #     fn add(&self, count: u64) -> u64;
//! # }
//! # #[derive(Clone, Default)]
//! # struct Sum(std::sync::Arc<std::sync::atomic::AtomicU64>);
//! # impl Counter for Sum {
//! #     fn add(&self, count: u64) -> u64 {
//! #         self.0.fetch_add(count, std::sync::atomic::Ordering::Relaxed) + count
//! #     }
//! # }
//! use std::time::Duration;
//! use fibra::rpc::Server;
//!
//! # fn the_sum_grows() {
//! fibra::sim::check(|sim| {
//!     let calls = sim.draw("calls", 1..=20);
//!     sim.host("server", || loop {
//!         match Server::builder().service(CounterServer::new(Sum::default())).bind("0.0.0.0:7000") {
//!             Ok(server) => return Ok(server.wait()?),
//!             Err(_) => fibra::sleep(Duration::from_secs(1))?, // No socket left, for now.
//!         }
//!     });
//!     sim.client("alice", move || {
//!         let counter = loop {
//!             match CounterClient::connect("server:7000") {
//!                 Ok(counter) => break counter,
//!                 Err(_) => fibra::sleep(Duration::from_secs(1))?, // Not up yet.
//!             }
//!         };
//!         let mut last = 0;
//!         for _ in 0..calls {
//!             if let Ok(sum) = counter.add(1) {
//!                 assert!(sum > last, "the sum was {last}, and is {sum}");
//!                 last = sum;
//!             }
//!             fibra::sleep(Duration::from_millis(200))?;
//!         }
//!         Ok(())
//!     });
//!     Ok(())
//! });
//! # }
//! # #[cfg(panic = "unwind")]
//! # {
//! #     let failed = std::panic::catch_unwind(the_sum_grows).expect_err("it fails");
//! #     let text = failed.downcast_ref::<String>().expect("it is a text");
//! #     let recipe = text.split("FIBRA_SIM_CASE='").nth(1).expect(text);
//! #     assert!(recipe.contains("crash=[]") && !recipe.contains("loss") && !recipe.contains("partition"), "{text}");
//! # }
//! ```
//!
//! This test fails, since a server that has crashed begins anew. Of the failure's 40 lines:
//!
//! ```text
//! a simulation fails, with seed 2, after 2 that did not
//! alice panicked at tests/counter.rs:38:21: the sum was 5, and is 1
//! seed=2 until=10s latency=50us..5ms tail=0/100ms reordering=0.484375 splitting=0.421875 partition=[]:198250us..793ms/0s..445ms ..
//!
//! the smallest case that fails alike, after 829 runs:
//! after 812.808641ms of virtual time, alice panicked at tests/counter.rs:38:21: the sum was 3, and is 1
//! drawn: calls = 5
//!   Fault { what: Crash, hosts: [], every: (474.75ms, 1.899s), lasting: (0ns, 0ns) }
//! what happened last:
//!   404.033805ms server -> alice: data (17 bytes)
//!   559.925868ms server: crash
//!   559.927868ms server: boot
//!   604.157317ms alice -> server: data (38 bytes)
//!   604.454693ms server -> alice: reset
//!   610.840176ms alice -> server: open
//!
//! this case again:
//!   FIBRA_SIM_CASE='seed=3 draws=4 until=560ms crash=[]:474750us..1899ms/0s..0s' cargo test the_sum_grows -- --exact --nocapture
//! the first again:
//!   FIBRA_SIM_SEED=2 cargo test the_sum_grows -- --exact --nocapture
//! ```
//!
//! The example `simulate` shows one test from its failure to the fix.
//!
//! # What to write
//!
//! * **What may differ, draw**: [`Case::draw`], [`Case::pick`], and [`Case::draws`] for fibers of hosts and clients. The shrinker makes fewer and lesser draws;
//!   so the number of clients, of calls, their sizes and pauses are better drawn than fixed.
//! * **Judge what is known.** Under faults calls fail. [`executed()`](crate::rpc::CallError::executed) says which of them have run.
//! * **Memory that outlives a crash** is what a host's closure has captured, where its disk would be; what `main` makes itself is gone.
//! * **Liveness**: the faults end after ten seconds ([`Explorer::faults`] says otherwise). A client that then still does not get on
//!   is a failure by a deadlock or by the [time limit](Builder::time_limit).
//! * **A case that has failed once** stays a test: [`Explorer::case`].
//!
//! # What is simulated, and what is not
//!
//! | | |
//! |---|---|
//! | `fibra::net`: TCP, UDP, names of hosts | simulated, below their buffers: short reads, resets, half-open connections, full windows |
//! | `fibra::rpc`, `sync`, `spawn`, `scope`, `cancel` | the same code as in production |
//! | time: `sleep`, timeouts, deadlines, `fibra::clock::now()` | virtual, each host by its own clock; an hour of waiting takes no time |
//! | `fibra::blocking` | runs its closure in place |
//! | randomness: [`seeded::random`](crate::seeded::random), draws | of the seed |
//! | `std::net`, Unix sockets, files, processes | are the real ones: what would have to wait fails, what they do is not lost in a crash |
//! | `std::thread`, `std::time`, `HashMap`'s order, `static`s | are the real ones, and spoil the determinism, which a rerun of each hundredth seed notices |
//! | memory order, data races | not looked for: one thread, which switches where fibers wait |
//!
//! # Modules
//!
//! | what | where |
//! |---|---|
//! | [`check`], [`Explorer`], [`Case`], [`Draws`], [`Recipe`], [`Finding`], [`Counterexample`] | `fibra-sim`: many seeds, and the smallest case that fails |
//! | [`Sim`], [`Network`], [`Hosts`], [`Faults`], [`Fault`], [`Conditions`], [`Report`], [`Failure`] | [`fibra_net::sim`]: one run, and what can go wrong in it |
//! | [`disk`] | simulated disks: what was not synced is lost, torn or reordered at a crash |
//! | [`Trace`](crate::seeded::Trace), [`Skew`] | [`seeded`](crate::seeded): order, time, randomness |

pub use fibra_sim::*;
