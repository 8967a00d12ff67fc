//! The Rust types of messages: those that are generated, and those that are elsewhere.

use prost_reflect::MessageDescriptor;

use crate::error::Error;
use crate::names::{camel, module, snake};

/// Messages and enums of `google.protobuf` that are types of `fibra::proto`.
const OF_FIBRA: [&str; 9] =
    ["Timestamp", "Duration", "FieldMask", "Any", "Struct", "ListValue", "Value", "NullValue", "Empty"];

/// Messages of `google.protobuf` that are types of Rust's.
const OF_RUST: [(&str, &str); 9] = [
    ("BoolValue", "bool"),
    ("BytesValue", "::prost::bytes::Bytes"),
    ("DoubleValue", "f64"),
    ("FloatValue", "f32"),
    ("Int32Value", "i32"),
    ("Int64Value", "i64"),
    ("StringValue", "::prost::alloc::string::String"),
    ("UInt32Value", "u32"),
    ("UInt64Value", "u64"),
];

/// As a method's argument or value, nothing.
pub(crate) const EMPTY: &str = "google.protobuf.Empty";

/// Types that are not generated: by their full names in protobuf with a dot before them, or those of their packages, and where they are in Rust.
pub(crate) struct Elsewhere(Vec<(String, String)>);

impl Elsewhere {
    /// The well-known types, and those that the user has.
    pub(crate) fn new(own: &[(String, String)]) -> Result<Self, Error> {
        for (name, path) in own {
            let is_name = name.trim_start_matches('.').split('.').all(is_identifier);
            if !is_name || syn::parse_str::<syn::Path>(path).is_err() {
                return Err(Error::ExternPath { name: name.clone(), path: path.clone() });
            }
        }
        let of_fibra =
            OF_FIBRA.iter().map(|name| (format!(".google.protobuf.{name}"), format!("::fibra::proto::{name}")));
        let of_rust = OF_RUST.iter().map(|(name, ty)| (format!(".google.protobuf.{name}"), (*ty).to_owned()));
        let own = own.iter().rev().map(|(name, path)| (format!(".{}", name.trim_start_matches('.')), path.clone()));
        let mut all: Vec<(String, String)> = Vec::new();
        // What the user says last counts, also of a well-known type.
        for (name, path) in own.chain(of_fibra).chain(of_rust) {
            if !all.iter().any(|(known, _)| *known == name) {
                all.push((name, path));
            }
        }
        Ok(Self(all))
    }

    /// As prost-build takes them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, path)| (name.as_str(), path.as_str()))
    }

    /// Whether a message or an enum of that full name is elsewhere.
    pub(crate) fn has(&self, full_name: &str) -> bool {
        self.find(full_name).is_some()
    }

    /// The path of its type, or that of a package and what is left of the name.
    fn find<'a>(&self, full_name: &'a str) -> Option<(&str, &'a str)> {
        let longest = self.0.iter().filter_map(|(name, path)| {
            let rest = full_name.strip_prefix(&name[1..])?;
            let is_within = rest.is_empty() || rest.starts_with('.');
            is_within.then_some((name.len(), path.as_str(), rest.trim_start_matches('.')))
        });
        longest.max_by_key(|(length, ..)| *length).map(|(_, path, rest)| (path, rest))
    }

    /// The type of a message, as it is called in the module of `package`.
    pub(crate) fn path(&self, message: &MessageDescriptor, package: &str) -> String {
        if let Some((path, rest)) = self.find(message.full_name()) {
            if rest.is_empty() {
                return path.to_owned();
            }
            let (modules, name) = rest.rsplit_once('.').unwrap_or(("", rest));
            let modules = module(modules).into_iter();
            return std::iter::once(path.to_owned()).chain(modules).chain([camel(name)]).collect::<Vec<_>>().join("::");
        }
        let (from, to) = (module(package), module(message.package_name()));
        let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        let mut path = vec!["super".to_owned(); from.len() - common];
        path.extend_from_slice(&to[common..]);
        let mut outer = Vec::new();
        let mut parent = message.parent_message();
        while let Some(message) = parent {
            outer.push(snake(message.name()));
            parent = message.parent_message();
        }
        path.extend(outer.into_iter().rev());
        path.push(camel(message.name()));
        path.join("::")
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// Whether it is a type of `google.protobuf` that is nowhere.
pub(crate) fn is_unmapped(full_name: &str, elsewhere: &Elsewhere) -> bool {
    full_name.starts_with("google.protobuf.") && !elsewhere.has(full_name)
}

/// What to say of such a type.
pub(crate) fn unmapped(full_name: &str) -> String {
    format!("`{full_name}` has no Rust type: say where there is one (`extern_path`)")
}
