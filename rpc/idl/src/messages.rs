//! What prost-build is to write: messages that are serde's, too.
//!
//! Invariants, on which peers of other versions depend:
//! * A message travels as a map by its fields' names in the `.proto`; fields that are missing have their defaults.
//! * A oneof is a map of one member, by the member's name; one that is not known leaves the oneof unset.
//! * An enum is its number, whether it has a name here or not, and is read by its name, too; bytes are bytes.

use std::collections::HashSet;

use prost_build::Config;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use crate::names::{camel, nested, oneofs, snake, unraw};
use crate::sources::Sources;
use crate::types::Elsewhere;

/// What a field of an enum's values has, until the [names](crate::enums) of that enum are added.
pub(crate) const ENUMERATION: &str = "::fibra::proto::Enumeration";

/// What an enum has, until it has its names: another name of a number.
pub(crate) const ALIAS: &str = "fibra_alias";

const DERIVE: &str = "#[derive(::serde::Serialize, ::serde::Deserialize)]";

/// prost-build's configuration for all messages of `sources`.
pub(crate) fn config(sources: &Sources, elsewhere: &Elsewhere) -> Config {
    let mut config = Config::new();
    // Their types are among those elsewhere.
    config.compile_well_known_types();
    for (name, path) in elsewhere.iter() {
        config.extern_path(name, path);
    }
    // In an order that is the same everywhere, so that equal messages are equal bytes.
    config.btree_map(["."]);
    config.bytes(["."]);
    config.message_attribute(".", format!("{DERIVE}\n#[serde(default)]"));
    for file in sources.files() {
        file.enums().for_each(|of| alias(&of, &mut config));
        for message in file.messages() {
            configure(&message, elsewhere, &mut config);
        }
    }
    config
}

fn configure(message: &MessageDescriptor, elsewhere: &Elsewhere, config: &mut Config) {
    message.child_enums().for_each(|of| alias(&of, config));
    for field in message.fields().filter(|field| field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic())) {
        if unraw(&snake(field.name())) != field.name() {
            config.field_attribute(format!(".{}", field.full_name()), format!("#[serde(rename = {:?})]", field.name()));
        }
        if is_named(&field, elsewhere) {
            config.field_attribute(format!(".{}", field.full_name()), format!("#[serde(with = {ENUMERATION:?})]"));
        }
    }
    for oneof in oneofs(message) {
        let path = format!(".{}", oneof.full_name());
        config.enum_attribute(&path, format!("{DERIVE}\n#[serde(rename_all = \"snake_case\")]"));
        let rename = if unraw(&snake(oneof.name())) == oneof.name() {
            String::new()
        } else {
            format!("rename = {:?}, ", oneof.name())
        };
        config.field_attribute(&path, format!("#[serde({rename}deserialize_with = \"::fibra::proto::oneof\")]"));
        for field in oneof.fields() {
            if snake_of_serde(&camel(field.name())) != field.name() {
                config.field_attribute(
                    format!("{path}.{}", field.name()),
                    format!("#[serde(rename = {:?})]", field.name()),
                );
            }
            if is_named(&field, elsewhere) {
                config.field_attribute(format!("{path}.{}", field.name()), format!("#[serde(with = {ENUMERATION:?})]"));
            }
        }
    }
    for message in nested(message) {
        configure(&message, elsewhere, config);
    }
}

/// prost-build knows the first name of a number only: the first in the file.
fn alias(of: &EnumDescriptor, config: &mut Config) {
    let mut known = HashSet::new();
    for value in of.enum_descriptor_proto().value.iter().filter(|value| !known.insert(value.number())) {
        let attribute = format!("#[{ALIAS}({:?}, {})]", value.name(), value.number());
        config.enum_attribute(format!(".{}", of.full_name()), attribute);
    }
}

/// Whether it holds values of an enum whose names are known, since it is not elsewhere.
fn is_named(field: &FieldDescriptor, elsewhere: &Elsewhere) -> bool {
    let is_ours = |kind: Kind| kind.as_enum().is_some_and(|of| !elsewhere.has(of.full_name()));
    match field.kind() {
        Kind::Message(entry) if field.is_map() => is_ours(entry.map_entry_value_field().kind()),
        kind => is_ours(kind),
    }
}

/// A variant's name by serde's `rename_all = "snake_case"`.
fn snake_of_serde(variant: &str) -> String {
    let mut snake = String::new();
    for (index, char) in variant.char_indices() {
        if index > 0 && char.is_uppercase() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}
