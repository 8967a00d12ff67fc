//! What a service says of itself: its methods, their arguments and types, what repeating a call does, documentation.
//!
//! `#[service]` writes it as a constant; what is registered at run time makes its own. A server tells them to
//! whoever asks: [`reflection`](crate::reflection).
//!
//! Invariant: types are text, as somebody wrote them. They are for people; nothing is decided by them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Streams;
use crate::reflection::write_streams;
use crate::session::Lane;

/// A service's name, documentation and methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    name: Cow<'static, str>,
    docs: &'static str,
    methods: Cow<'static, [Method]>,
}

impl Descriptor {
    /// Describes a service. Methods are known by their place in `methods`.
    pub const fn new(name: &'static str, methods: &'static [Method]) -> Self {
        Self { name: Cow::Borrowed(name), docs: "", methods: Cow::Borrowed(methods) }
    }

    /// As [`new`](Self::new), of what is known at run time only.
    pub fn owned(name: String, methods: Vec<Method>) -> Self {
        Self { name: Cow::Owned(name), docs: "", methods: Cow::Owned(methods) }
    }

    /// With this documentation.
    pub const fn with_docs(mut self, docs: &'static str) -> Self {
        self.docs = docs;
        self
    }

    /// The service's name: what comes before the last dot of a full method name.
    pub const fn name(&self) -> &str {
        match &self.name {
            Cow::Borrowed(name) => name,
            Cow::Owned(name) => name.as_str(),
        }
    }

    /// Its documentation, as written on the trait.
    pub const fn docs(&self) -> &'static str {
        self.docs
    }

    /// The methods, in the order of their declaration.
    pub const fn methods(&self) -> &[Method] {
        match &self.methods {
            Cow::Borrowed(methods) => methods,
            Cow::Owned(methods) => methods.as_slice(),
        }
    }
}

/// One method of a service: what a call of it needs to know, and what a person does.
///
/// ```
/// use fibra_rpc::service::{Argument, Method, Semantics};
///
/// const ADD: Method = Method::new("calculator.add", Semantics::Idempotent)
///     .with_arguments(&[Argument::new("a", "i64"), Argument::new("b", "i64")])
///     .with_value("i64");
/// assert_eq!(ADD.to_string(), "calculator.add(a: i64, b: i64) -> i64");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    full_name: Cow<'static, str>,
    docs: &'static str,
    semantics: Semantics,
    arguments: &'static [Argument],
    value: &'static str,
    error: Option<&'static str>,
    lane: Option<OrderedLane>,
    client_items: Option<&'static str>,
    server_items: Option<&'static str>,
}

impl Method {
    /// Describes a method: `service.method`, and what repeating it does. It has no arguments and no value until they are added.
    pub const fn new(full_name: &'static str, semantics: Semantics) -> Self {
        Self {
            full_name: Cow::Borrowed(full_name),
            docs: "",
            semantics,
            arguments: &[],
            value: "()",
            error: None,
            lane: None,
            client_items: None,
            server_items: None,
        }
    }

    /// As [`new`](Self::new), of a name that is known at run time only.
    ///
    /// ```
    /// # use fibra_rpc::{CallError, client::Proxy, service::{Method, Semantics}};
    /// fn sum_by(method: &str, proxy: &Proxy) -> Result<i64, CallError> {
    ///     proxy.call(&Method::named(method, Semantics::Idempotent), &(3, 5))
    /// }
    /// # let _ = sum_by;
    /// ```
    pub fn named(full_name: impl Into<String>, semantics: Semantics) -> Self {
        let mut method = Self::new("", semantics);
        method.full_name = Cow::Owned(full_name.into());
        method
    }

    /// With this documentation.
    pub const fn with_docs(mut self, docs: &'static str) -> Self {
        self.docs = docs;
        self
    }

    /// With these arguments, in order.
    pub const fn with_arguments(mut self, arguments: &'static [Argument]) -> Self {
        self.arguments = arguments;
        self
    }

    /// With a value of this type.
    pub const fn with_value(mut self, value: &'static str) -> Self {
        self.value = value;
        self
    }

    /// With an error of its own, of this type.
    pub const fn with_error(mut self, error: &'static str) -> Self {
        self.error = Some(error);
        self
    }

    /// With a stream of the client's, of items of this type. Its calls are never repeated, whatever its semantics.
    pub const fn with_client_items(mut self, ty: &'static str) -> Self {
        self.client_items = Some(ty);
        self
    }

    /// With a stream of the server's, of items of this type. Its calls are never repeated, whatever its semantics.
    pub const fn with_server_items(mut self, ty: &'static str) -> Self {
        self.server_items = Some(ty);
        self
    }

    /// Ordered, in the lane of this name. See [`OrderedLane`].
    pub const fn with_lane(mut self, name: &'static str) -> Self {
        self.lane = Some(OrderedLane::new(name));
        self
    }

    /// The name on the wire: `service.method`.
    pub const fn full_name(&self) -> &str {
        match &self.full_name {
            Cow::Borrowed(name) => name,
            Cow::Owned(name) => name.as_str(),
        }
    }

    /// The name, for an error: free if it is a constant.
    pub(crate) fn shared_name(&self) -> &Cow<'static, str> {
        &self.full_name
    }

    /// What comes after the last dot of the full name.
    pub fn name(&self) -> &str {
        self.full_name.rsplit_once('.').map_or(&self.full_name, |(_, name)| name)
    }

    /// Its documentation, as written in the trait.
    pub const fn docs(&self) -> &'static str {
        self.docs
    }

    /// What a caller may expect when a reply is lost.
    pub const fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// The arguments, in order.
    pub const fn arguments(&self) -> &'static [Argument] {
        self.arguments
    }

    /// The type of its value; of a method that returns `Result<T, E>`, the `T`.
    pub const fn value(&self) -> &'static str {
        self.value
    }

    /// The type of its own error, if it has one.
    pub const fn error(&self) -> Option<&'static str> {
        self.error
    }

    /// In which directions items travel while it runs.
    pub const fn streams(&self) -> Streams {
        Streams::of(self.client_items.is_some(), self.server_items.is_some())
    }

    /// The type of the items that the client sends, if it does.
    pub const fn client_items(&self) -> Option<&'static str> {
        self.client_items
    }

    /// The type of the items that the server sends, if it does.
    pub const fn server_items(&self) -> Option<&'static str> {
        self.server_items
    }

    /// The lane, if its calls are ordered.
    pub const fn lane(&self) -> Option<OrderedLane> {
        self.lane
    }
}

/// A constant of a trait's descriptor, as the proxies have it.
impl From<&'static Method> for Cow<'static, Method> {
    fn from(method: &'static Method) -> Self {
        Cow::Borrowed(method)
    }
}

impl From<Method> for Cow<'static, Method> {
    fn from(method: Method) -> Self {
        Cow::Owned(method)
    }
}

/// As one would write its declaration, less the attributes.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.full_name)?;
        for (index, argument) in self.arguments.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}: {}", argument.name, argument.ty)?;
        }
        write_streams(f, self.arguments.is_empty(), self.client_items, self.server_items)?;
        f.write_str(")")?;
        match (self.value, self.error) {
            ("()", None) => Ok(()),
            (value, None) => write!(f, " -> {value}"),
            (value, Some(error)) => write!(f, " -> Result<{value}, {error}>"),
        }
    }
}

/// One argument of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    name: &'static str,
    ty: &'static str,
}

impl Argument {
    /// Describes an argument: its name and its type.
    pub const fn new(name: &'static str, ty: &'static str) -> Self {
        Self { name, ty }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its type.
    pub const fn ty(&self) -> &'static str {
        self.ty
    }
}

/// What the ordered methods of a service have in common: their calls run one at a time, in the order in which a client made them.
///
/// `#[rpc(ordered)]` puts a method in the lane of its service, `#[rpc(ordered = "accounts")]` in the lane `accounts` of its service.
///
/// The server holds back a call that comes before its turn, and runs it when those before it have ended, or answers that it has not run when its time
/// is nearly up. A call that fails, or is given up, stops none behind it: those run in their turn.
///
/// The order is that of one [`Channel`](crate::Channel), and the one in which calls were made as their makers can tell: of two that are made at
/// the same time either may be first. It is kept
///
/// * over any number of connections, and for calls that are started or in a batch, too;
/// * by a retry: a call that was refused is made again only if none was made after it in its lane, and else fails as refused;
/// * at one server at a time: of several, calls go where those before them are, and wait if that one is not to be had. A lane moves when all
///   before have ended. One of those that ended with [`Executed::Maybe`](crate::Executed::Maybe) may yet run at the server that was left;
/// * by a proxy of this process, which has its calls run one after the other.
///
/// A call by a method's name alone says nothing of a lane, and neither does a one-way call of such a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderedLane {
    name: &'static str,
    number: Lane,
}

impl OrderedLane {
    /// The lane of that name: `service`, or `service.lane`.
    pub const fn new(name: &'static str) -> Self {
        // FNV-1a, 32 bits, folded: both sides need not agree on it, only all the proxies of one channel.
        let mut hash = 0x811C_9DC5_u32;
        let bytes = name.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
            at += 1;
        }
        let [a, b, c, d] = hash.to_be_bytes();
        Self { name, number: a ^ b ^ c ^ d }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its number in a session, made of its name. Two lanes of one number are one: more waiting than need be, and no less order.
    pub const fn number(&self) -> Lane {
        self.number
    }
}

/// How often a method may run for one call, as its trait declares.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Semantics {
    /// `#[rpc(maybe)]`: sent once, and no reply is awaited.
    Maybe,
    /// `#[rpc(idempotent)]`: running it again does no harm, so that it may be repeated.
    Idempotent,
    /// The default: runs at most once.
    AtMostOnce,
}
