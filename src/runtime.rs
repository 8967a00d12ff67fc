//! Runtimes: how many workers, which stacks, from start to shutdown. [`fibra::run`](crate::run) is [`builder`]`().run(f)`.

pub use fibra_scheduler::runtime::{Builder, DEFAULT_FIBERS_MAX, DEFAULT_GRACE, Runtime, Seeded};

/// The settings of a runtime whose fibers can use [`fibra::net`](crate::net).
///
/// ```
/// let eight = fibra::runtime::builder().workers(2).run(|| 3 + 5)?;
/// assert_eq!(eight, 8);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn builder() -> Builder {
    Builder::new(crate::net::reactor::Factory::default())
}
