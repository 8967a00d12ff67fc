#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use fibra_scheduler::{
    Builder, Counters, Fiber, FiberId, JoinHandle, LocalKey, Scope, ScopedJoinHandle, TooManyFibers, ambient, block_on,
    blocking, cancel, clock, counters, current, dump, fiber_local, in_fiber, park, scope, seeded, sleep, spawn,
    spawn_local, stacks, sync, yield_now,
};

pub use fibra_macros::service;

pub mod runtime;
pub mod sim;

/// std's networking types on fibers: what blocks there parks the fiber here. See [`fibra_net`].
pub use fibra_net as net;
/// What source made of `.proto` files uses: protobuf's well-known types, and a status. With the feature `proto`. See [`fibra_proto`].
#[cfg(feature = "proto")]
pub use fibra_proto as proto;
/// Services, servers and proxies. See [`fibra_rpc`].
pub use fibra_rpc as rpc;

/// Runs `f` as the first fiber of a runtime with as many workers as there are CPUs, and returns what it returns. The fibers that
/// are still there are then cancelled and drained.
///
/// The calling thread becomes a worker, so `f` need not be `Send` and may borrow.
///
/// ```
/// let sum = fibra::run(|| {
///     let fibers: Vec<_> = (1..=3).map(|n| fibra::spawn(move || n)).collect();
///     fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum::<i32>()
/// });
/// assert_eq!(sum, 6);
/// ```
///
/// # Panics
///
/// If `f` panics, with its payload; if all fibers wait for each other for ever, with a report of who waits for what; if the runtime cannot start (no thread, no file descriptor for epoll), which
/// [`runtime::builder`]`().run(f)` returns as an error instead; or inside a runtime, since runtimes do not nest.
#[track_caller]
pub fn run<F, T>(f: F) -> T
where
    F: FnOnce() -> T,
{
    match runtime::builder().run(f) {
        Ok(value) => value,
        Err(error) if error.kind() == std::io::ErrorKind::Deadlock => panic!("{error}"),
        Err(error) => panic!("the fibra runtime did not start: {error}"),
    }
}
