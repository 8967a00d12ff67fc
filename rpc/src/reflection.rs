//! What a server serves, told by itself: the service `fibra.reflection`, for tools and for who reads logs.
//!
//! Every server has it, unless [told not to](crate::server::Builder::reflection).
//!
//! ```
//! use fibra_rpc::CallError;
//! use fibra_rpc::reflection::ReflectionClient;
//!
//! fn print_all(reflection: &ReflectionClient) -> Result<(), CallError> {
//!     for service in reflection.list()? {
//!         if let Some(service) = reflection.describe(service)? {
//!             println!("{service}");
//!         }
//!     }
//!     Ok(())
//! }
//! # let _ = print_all;
//! ```
//!
//! Invariant: every field that is added later has a default, so that old and new sides go on to understand each other.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::service::{Descriptor, Method, Semantics};

/// Says what a server serves.
#[fibra_macros::service(crate = crate, name = "fibra.reflection")]
pub trait Reflection {
    /// The names of all services, in order.
    #[rpc(idempotent)]
    fn list(&self) -> Vec<String>;

    /// All about one service; `None` if there is none of that name.
    #[rpc(idempotent)]
    fn describe(&self, service: String) -> Option<ServiceInfo>;
}

/// A service, as it travels. Displays as a trait would be written.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceInfo {
    /// What comes before the last dot of its methods' full names.
    pub name: String,
    /// Its documentation.
    #[serde(default)]
    pub docs: String,
    /// Its methods, in the order of their declaration.
    #[serde(default)]
    pub methods: Vec<MethodInfo>,
}

/// A method, as it travels.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodInfo {
    /// The full name: `service.method`.
    pub full_name: String,
    /// Its documentation.
    #[serde(default)]
    pub docs: String,
    /// What a caller may expect when a reply is lost.
    pub semantics: Semantics,
    /// The name of its lane, if its calls are ordered.
    #[serde(default)]
    pub lane: Option<String>,
    /// Its arguments, in order.
    #[serde(default)]
    pub arguments: Vec<ArgumentInfo>,
    /// The type of the items that the client sends while it runs, if it does.
    #[serde(default)]
    pub client_items: Option<String>,
    /// The type of the items that the server sends while it runs, if it does.
    #[serde(default)]
    pub server_items: Option<String>,
    /// The type of its value.
    #[serde(default)]
    pub value: String,
    /// The type of its own error, if it has one.
    #[serde(default)]
    pub error: Option<String>,
}

/// An argument, as it travels.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentInfo {
    /// Its name; its place, if it has none.
    pub name: String,
    /// Its type, as written; `_` if that is not known.
    #[serde(default)]
    pub ty: String,
}

impl From<&Descriptor> for ServiceInfo {
    fn from(descriptor: &Descriptor) -> Self {
        Self {
            name: descriptor.name().to_owned(),
            docs: descriptor.docs().to_owned(),
            methods: descriptor.methods().iter().map(MethodInfo::from).collect(),
        }
    }
}

impl From<&Method> for MethodInfo {
    fn from(method: &Method) -> Self {
        let arguments = method.arguments().iter();
        let arguments = arguments.map(|it| ArgumentInfo { name: it.name().to_owned(), ty: it.ty().to_owned() });
        Self {
            full_name: method.full_name().to_owned(),
            docs: method.docs().to_owned(),
            semantics: method.semantics(),
            lane: method.lane().map(|lane| lane.name().to_owned()),
            arguments: arguments.collect(),
            client_items: method.client_items().map(str::to_owned),
            server_items: method.server_items().map(str::to_owned),
            value: method.value().to_owned(),
            error: method.error().map(str::to_owned),
        }
    }
}

impl fmt::Display for ServiceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_docs(f, "", &self.docs)?;
        writeln!(f, "service {} {{", self.name)?;
        for (index, method) in self.methods.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write_docs(f, "    ", &method.docs)?;
            writeln!(f, "    {method};")?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for MethodInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.semantics {
            Semantics::Maybe => f.write_str("maybe ")?,
            Semantics::Idempotent => f.write_str("idempotent ")?,
            Semantics::AtMostOnce => {}
        }
        if let Some(lane) = &self.lane {
            write!(f, "ordered({lane}) ")?;
        }
        let name = self.full_name.rsplit_once('.').map_or(&*self.full_name, |(_, name)| name);
        write!(f, "{name}(")?;
        for (index, ArgumentInfo { name, ty }) in self.arguments.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}: {ty}")?;
        }
        write_streams(f, self.arguments.is_empty(), self.client_items.as_deref(), self.server_items.as_deref())?;
        f.write_str(")")?;
        match (&*self.value, &self.error) {
            ("()" | "", None) => Ok(()),
            (value, None) => write!(f, " -> {value}"),
            (value, Some(error)) => write!(f, " -> Result<{value}, {error}>"),
        }
    }
}

/// The streams among the arguments, behind the others.
pub(crate) fn write_streams(
    f: &mut fmt::Formatter<'_>,
    is_first: bool,
    client_items: Option<&str>,
    server_items: Option<&str>,
) -> fmt::Result {
    let mut separator = if is_first { "" } else { ", " };
    for (name, items) in [("Receiver", client_items), ("Sender", server_items)] {
        if let Some(items) = items {
            write!(f, "{separator}{name}<{items}>")?;
            separator = ", ";
        }
    }
    Ok(())
}

fn write_docs(f: &mut fmt::Formatter<'_>, indent: &str, docs: &str) -> fmt::Result {
    docs.lines().try_for_each(|line| writeln!(f, "{}", format_args!("{indent}/// {line}").to_string().trim_end()))
}

/// What the services of one server say.
pub(crate) struct Catalogue(BTreeMap<String, ServiceInfo>);

impl Catalogue {
    /// Of these services, and of itself. Those of one name are one.
    pub(crate) fn of<'a>(descriptors: impl Iterator<Item = &'a Descriptor>) -> Self {
        let mut services = BTreeMap::<String, ServiceInfo>::new();
        for info in descriptors.chain([ReflectionClient::DESCRIPTOR]).map(ServiceInfo::from) {
            services
                .entry(info.name.clone())
                .and_modify(|known| known.methods.extend_from_slice(&info.methods))
                .or_insert(info);
        }
        Self(services)
    }
}

impl Reflection for Catalogue {
    fn list(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn describe(&self, service: String) -> Option<ServiceInfo> {
        self.0.get(&service).cloned()
    }
}
