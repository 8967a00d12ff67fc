//! What a server serves: the object-safe side of a `#[service]` trait.
//!
//! ```text
//!   #[service] trait Calculator ──┬─▶ CalculatorServer<T>: Service   adapter, given to a Server
//!                                 └─▶ CalculatorClient               proxy, over a Channel
//! ```
//!
//! The attribute writes both; whoever has no Rust trait (another protocol, a gateway) implements [`Service`] by hand.
//!
//! | file | holds |
//! |---|---|
//! | this one | [`Service`] |
//! | [`descriptor`] | what a service says of itself: [`Descriptor`], [`Method`] |
//! | `dynamic` | methods that are registered by name, with a closure |
//! | [`message`] | [`Args`] and [`Reply`]: one call, as a service sees it |
//! | `streams` | in which directions items travel, and how a service gets at them |
//!
//! Invariant: nothing here names a transport or an encoding, so that one service can stand behind several protocols.

pub mod descriptor;
mod dynamic;
pub mod message;
mod streams;

pub use descriptor::{Argument, Descriptor, Method, OrderedLane, Semantics};
pub use dynamic::Arguments;
pub(crate) use dynamic::{of_result, of_value};
pub use message::{Answer, Args, Rejected, Reply};
pub(crate) use streams::CallStreams;
pub use streams::Streams;

/// A set of methods that a server can run by number.
///
/// Many connections call it at once, from all workers: a service keeps its state behind locks of
/// `fibra::sync`, or in atomics.
pub trait Service: Send + Sync + 'static {
    /// The service's name and methods.
    fn descriptor(&self) -> &Descriptor;

    /// Decodes the arguments of method number `method` of the [descriptor](Self::descriptor), runs it, and encodes what
    /// came out into `reply`.
    ///
    /// A panic is caught by the caller, and fails this call only.
    ///
    /// # Errors
    ///
    /// [`Rejected`]: the method did not run, for there is none of that number or the arguments are not its own.
    fn dispatch(&self, method: usize, args: Args<'_>, reply: Reply<'_>) -> Result<Answer, Rejected>;
}
