//! What things of protobuf are called in Rust. The rules are prost-build's, which writes the messages; it keeps them to itself.

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{MessageDescriptor, OneofDescriptor};

/// A field, a module, a method: `fooBar` to `foo_bar`, `type` to `r#type`.
pub(crate) fn snake(name: &str) -> String {
    identifier(&name.to_snake_case())
}

/// A type or a variant: `foo_bar` to `FooBar`.
pub(crate) fn camel(name: &str) -> String {
    identifier(&name.to_upper_camel_case())
}

/// The variant of an enum's value: `COLOR_RED` of `Color` to `Red`.
pub(crate) fn variant(enumeration: &str, value: &str) -> String {
    let (prefix, name) = (camel(enumeration), camel(value));
    match name.strip_prefix(&prefix) {
        Some(stripped) if stripped.starts_with(char::is_uppercase) => identifier(stripped),
        _ => identifier(&name),
    }
}

/// The module of a package, as its segments.
pub(crate) fn module(package: &str) -> Vec<String> {
    package.split('.').filter(|segment| !segment.is_empty()).map(snake).collect()
}

/// The enum of a oneof, in the module of its message.
pub(crate) fn oneof_type(oneof: &OneofDescriptor) -> String {
    let name = camel(oneof.name());
    let message = oneof.parent_message();
    let is_taken = nested(message).any(|other| camel(other.name()) == name)
        || message.child_enums().any(|other| camel(other.name()) == name);
    if is_taken { format!("{name}OneOf") } else { name }
}

/// The messages that are declared in another one, without those that protobuf makes up for maps.
pub(crate) fn nested(message: &MessageDescriptor) -> impl Iterator<Item = MessageDescriptor> {
    message.child_messages().filter(|message| !message.is_map_entry())
}

/// The oneofs of a message, without those that protobuf makes up for `optional`.
pub(crate) fn oneofs(message: &MessageDescriptor) -> impl Iterator<Item = OneofDescriptor> {
    message.oneofs().filter(|oneof| !oneof.is_synthetic())
}

/// Less the mark of a raw identifier.
pub(crate) fn unraw(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

fn identifier(name: &str) -> String {
    match name {
        "as" | "break" | "const" | "continue" | "else" | "enum" | "false" | "fn" | "for" | "if" | "impl" | "in"
        | "let" | "loop" | "match" | "mod" | "move" | "mut" | "pub" | "ref" | "return" | "static" | "struct"
        | "trait" | "true" | "type" | "unsafe" | "use" | "where" | "while" | "dyn" | "abstract" | "become" | "box"
        | "do" | "final" | "macro" | "override" | "priv" | "typeof" | "unsized" | "virtual" | "yield" | "async"
        | "await" | "try" | "gen" => format!("r#{name}"),
        "_" | "super" | "self" | "Self" | "extern" | "crate" => format!("{name}_"),
        _ if name.starts_with(char::is_numeric) => format!("_{name}"),
        _ => name.to_owned(),
    }
}
