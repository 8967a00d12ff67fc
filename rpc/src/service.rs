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
//! | this one | [`Service`] and its descriptors |
//! | [`message`] | [`Args`] and [`Reply`]: one call, as a service sees it |
//!
//! Invariant: nothing here names a transport or an encoding, so that one service can stand behind several protocols.

pub mod message;

pub use message::{Answer, Args, Rejected, Reply};

/// A set of methods that a server can run by number.
///
/// Many connections call it at once, from all workers: a service keeps its state behind locks of
/// `fibra::sync`, or in atomics.
pub trait Service: Send + Sync + 'static {
    /// The service's name and methods.
    fn descriptor(&self) -> &'static Descriptor;

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

/// A service's name and methods.
#[derive(Debug)]
pub struct Descriptor {
    name: &'static str,
    methods: &'static [Method],
}

impl Descriptor {
    /// Describes a service. Methods are known by their place in `methods`.
    pub const fn new(name: &'static str, methods: &'static [Method]) -> Self {
        Self { name, methods }
    }

    /// The service's name: what comes before the dot of a full method name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The methods, in the order of their declaration.
    pub const fn methods(&self) -> &'static [Method] {
        self.methods
    }
}

/// One method of a service.
#[derive(Debug)]
pub struct Method {
    full_name: &'static str,
    semantics: Semantics,
    arguments: &'static [&'static str],
}

impl Method {
    /// Describes a method: `service.method`, what repeating it does, and its arguments' names in order.
    pub const fn new(full_name: &'static str, semantics: Semantics, arguments: &'static [&'static str]) -> Self {
        Self { full_name, semantics, arguments }
    }

    /// The name on the wire: `service.method`.
    pub const fn full_name(&self) -> &'static str {
        self.full_name
    }

    /// What a caller may expect when a reply is lost.
    pub const fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// The arguments' names, in order.
    pub const fn arguments(&self) -> &'static [&'static str] {
        self.arguments
    }
}

/// How often a method may run for one call, as its trait declares.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Semantics {
    /// `#[rpc(maybe)]`: sent once, and no reply is awaited.
    Maybe,
    /// `#[rpc(idempotent)]`: running it again does no harm, so that it may be repeated.
    Idempotent,
    /// The default: runs at most once.
    AtMostOnce,
}
