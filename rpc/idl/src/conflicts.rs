//! Names that are different in protobuf and would be the same in Rust, and names that Rust has no way to say.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use prost_reflect::{EnumDescriptor, FileDescriptor, Kind, MessageDescriptor};

use crate::error::Problem;
use crate::names::{camel, module, nested, oneof_type, oneofs, snake, variant};
use crate::places::{Placed, Problems};
use crate::sources::Sources;
use crate::types::{Elsewhere, is_unmapped, unmapped};

/// What a service is called in Rust: the trait, and what `#[fibra::service]` writes beside it.
const OF_SERVICE: [&str; 4] = ["", "Server", "Client", "Start"];

/// Looks at all names that source is made of.
pub(crate) fn check(sources: &Sources, elsewhere: &Elsewhere, problems: &mut Problems<'_>) {
    let mut modules: HashMap<Vec<String>, Scope> = HashMap::new();
    for file in sources.files() {
        let path = module(file.package_name());
        // A package is a module in that of the one around it, in which there may be messages.
        for (depth, name) in path.iter().enumerate() {
            let around = modules.entry(path[..depth].to_vec()).or_default();
            around.packages.insert(name.clone());
        }
        check_package_name(&file, problems);
        let scope = modules.entry(path).or_default();
        for message in file.messages().filter(|message| !elsewhere.has(message.full_name())) {
            check_message(&message, scope, elsewhere, problems);
        }
        for enumeration in file.enums().filter(|enumeration| !elsewhere.has(enumeration.full_name())) {
            check_enum(&enumeration, scope, problems);
        }
        for service in file.services() {
            for suffix in OF_SERVICE {
                scope.claim(&service, service.name(), format!("{}{suffix}", camel(service.name())), problems);
            }
        }
    }
    // Only now are all packages known, whichever file came first.
    for scope in modules.values() {
        scope.check_modules(problems);
    }
}

fn check_package_name(file: &FileDescriptor, problems: &mut Problems<'_>) {
    for segment in file.package_name().split('.').filter(|segment| !segment.is_empty()) {
        if snake(segment).is_empty() {
            problems.push_at(file, &[], format!("`{segment}` has no letter: there is no module of that name in Rust"));
        }
    }
}

fn check_message(message: &MessageDescriptor, scope: &mut Scope, elsewhere: &Elsewhere, problems: &mut Problems<'_>) {
    scope.claim(message, message.name(), camel(message.name()), problems);
    let mut fields = Scope::default();
    for field in message.fields() {
        // What is of a oneof is a variant of it.
        if field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic()) {
            fields.claim(&field, field.name(), snake(field.name()), problems);
        }
        let kind = match field.kind() {
            Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        let of = match &kind {
            Kind::Message(of) => of.full_name(),
            Kind::Enum(of) => of.full_name(),
            _ => continue,
        };
        if is_unmapped(of, elsewhere) {
            problems.push(&field, unmapped(of));
        }
    }
    let mut inner = Scope::default();
    for message in nested(message) {
        check_message(&message, &mut inner, elsewhere, problems);
    }
    for enumeration in message.child_enums() {
        check_enum(&enumeration, &mut inner, problems);
    }
    for oneof in oneofs(message) {
        fields.claim(&oneof, oneof.name(), snake(oneof.name()), problems);
        inner.claim(&oneof, oneof.name(), oneof_type(&oneof), problems);
        let mut variants = Scope::default();
        for field in oneof.fields() {
            variants.claim(&field, field.name(), camel(field.name()), problems);
        }
    }
    if !inner.names.is_empty() {
        scope.claim(message, message.name(), snake(message.name()), problems);
    }
}

fn check_enum(enumeration: &EnumDescriptor, scope: &mut Scope, problems: &mut Problems<'_>) {
    scope.claim(enumeration, enumeration.name(), camel(enumeration.name()), problems);
    let mut variants = HashMap::new();
    for (index, value) in (0..).zip(enumeration.values()) {
        let variant = variant(enumeration.name(), value.name());
        let place = [2, index, 1]; // EnumDescriptorProto.value, EnumValueDescriptorProto.name
        if variant.is_empty() {
            problems.push_at(enumeration, &place, nameless(value.name()));
        }
        // Of several names for one number the first becomes the variant.
        let (number, name) = (value.number(), value.name().to_owned());
        if enumeration.values().take(usize::try_from(index).unwrap_or(0)).any(|earlier| earlier.number() == number) {
            continue;
        }
        if let Some(first) = variants.insert(variant.clone(), name) {
            problems.push_at(enumeration, &place, alike(value.name(), &first, &variant));
        }
    }
}

fn alike(name: &str, first: &str, rust: &str) -> String {
    format!("`{name}` and `{first}` would both be `{rust}` in Rust: rename one")
}

fn nameless(name: &str) -> String {
    format!("`{name}` has no letter: it cannot be a name in Rust")
}

/// The names of one scope of Rust, and what has them.
#[derive(Default)]
struct Scope {
    /// What has them is called so in protobuf.
    names: HashMap<String, String>,
    /// The names of packages' modules.
    packages: HashSet<String>,
    /// Who wants which name, and the problem that it is if a package has it.
    claims: Vec<(String, Problem)>,
}

impl Scope {
    /// `thing`, whose name is `name`, would be called `rust`.
    fn claim(&mut self, thing: &impl Placed, name: &str, rust: String, problems: &mut Problems<'_>) {
        if rust.is_empty() {
            return problems.push(thing, nameless(name));
        }
        let message =
            format!("what is within `{name}` and a package of that name would be in one module of Rust: rename one");
        self.claims.push((rust.clone(), problems.of(thing, message)));
        match self.names.entry(rust) {
            Entry::Occupied(first) => problems.push(thing, alike(name, first.get(), first.key())),
            Entry::Vacant(place) => {
                place.insert(name.to_owned());
            }
        }
    }

    fn check_modules(&self, problems: &mut Problems<'_>) {
        let taken = self.claims.iter().filter(|(rust, _)| self.packages.contains(rust));
        taken.for_each(|(_, problem)| problems.add(problem.clone()));
    }
}
