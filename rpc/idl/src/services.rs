//! Services as traits under `#[fibra::service]`.

use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;

use prost_build::{Method, Service, ServiceGenerator};
use prost_reflect::ServiceDescriptor;

use crate::names::{snake, unraw};
use crate::options::{Fails, MethodPlan, Semantics, check_service, is_word};
use crate::places::Problems;
use crate::sources::Sources;
use crate::types::{EMPTY, Elsewhere, is_unmapped, unmapped};

/// What one length byte on the wire can say.
const NAME_BYTES_MAX: usize = 255;

/// All methods of all services, by their full names, with what their options make of them.
pub(crate) struct Plans(HashMap<String, MethodPlan>);

impl Plans {
    pub(crate) fn of(sources: &Sources, elsewhere: &Elsewhere, problems: &mut Problems<'_>) -> Self {
        let mut plans = HashMap::new();
        for service in sources.files().flat_map(|file| file.services().collect::<Vec<_>>()) {
            check_service(&service, problems);
            let name = name(service.package_name(), service.name());
            if !name.split('.').all(is_word) {
                problems.push(&service, format!("on the wire it would be `{name}`, where each word begins with a letter: rename it or its package"));
            }
            for method in service.methods() {
                let plan = MethodPlan::of(&method, problems);
                if !is_word(&plan.name) {
                    problems.push(
                        &method,
                        format!(
                            "on the wire it would be `{}`, where a word begins with a letter: rename it",
                            plan.name
                        ),
                    );
                } else if name.len() + 1 + plan.name.len() > NAME_BYTES_MAX {
                    problems.push(
                        &method,
                        format!("`{name}.{}`, its name on the wire, is longer than {NAME_BYTES_MAX} bytes", plan.name),
                    );
                }
                for message in [method.input(), method.output()] {
                    if is_unmapped(message.full_name(), elsewhere) {
                        problems.push(&method, unmapped(message.full_name()));
                    }
                }
                plans.insert(method.full_name().to_owned(), plan);
            }
            check_methods(&service, &plans, problems);
        }
        Self(plans)
    }
}

/// No two methods have one name.
fn check_methods(service: &ServiceDescriptor, plans: &HashMap<String, MethodPlan>, problems: &mut Problems<'_>) {
    let mut names: HashMap<&str, String> = HashMap::new();
    for method in service.methods() {
        if let Some(plan) = plans.get(method.full_name())
            && let Some(first) = names.insert(&plan.name, method.name().to_owned())
        {
            problems.push(
                &method,
                format!("`{}` and `{first}` would both be `{}` on the wire: rename one", method.name(), plan.name),
            );
        }
    }
}

/// A service's name on the wire.
fn name(package: &str, service: &str) -> String {
    let service = snake(service);
    let service = unraw(&service);
    if package.is_empty() { service.to_owned() } else { format!("{package}.{service}") }
}

/// Writes the traits, into what prost-build writes.
pub(crate) struct Traits {
    pub(crate) plans: Plans,
    pub(crate) elsewhere: Rc<Elsewhere>,
}

impl ServiceGenerator for Traits {
    fn generate(&mut self, service: Service, source: &mut String) {
        service.comments.append_with_indent(0, source);
        let Service { name: rust_name, proto_name, package, methods, .. } = &service;
        let wire_name = name(package, proto_name);
        source.push_str(&format!("#[::fibra::service(name = {wire_name:?})]\npub trait {rust_name} {{\n"));
        let scope = if package.is_empty() { proto_name.clone() } else { format!("{package}.{proto_name}") };
        for method in methods {
            if let Some(plan) = self.plans.0.get(&format!("{scope}.{}", method.proto_name)) {
                self.method(method, plan, package, source);
            }
        }
        source.push_str("}\n");
    }
}

impl Traits {
    fn method(&self, method: &Method, plan: &MethodPlan, package: &str, source: &mut String) {
        method.comments.append_with_indent(1, source);
        if plan.deprecated {
            source.push_str("#[deprecated]\n");
        }
        let mut options = Vec::new();
        match &plan.semantics {
            Semantics::AtMostOnce => {}
            Semantics::Idempotent => options.push("idempotent".to_owned()),
            Semantics::Maybe => options.push("maybe".to_owned()),
            Semantics::Ordered => options.push("ordered".to_owned()),
            Semantics::OrderedIn(lane) => options.push(format!("ordered = {lane:?}")),
        }
        if unraw(&plan.rust_name) != plan.name {
            options.push(format!("name = {:?}", plan.name));
        }
        if !options.is_empty() {
            source.push_str(&format!("#[rpc({})]\n", options.join(", ")));
        }
        let unit = |proto: &str| proto.trim_start_matches('.') == EMPTY;
        let mut arguments = String::new();
        if method.client_streaming {
            write_argument(&mut arguments, "requests", "Receiver", &method.input_type);
        } else if !unit(&method.input_proto_type) {
            arguments = format!(", request: {}", method.input_type);
        }
        if method.server_streaming {
            write_argument(&mut arguments, "replies", "Sender", &method.output_type);
        }
        let value = if method.server_streaming || unit(&method.output_proto_type) { "()" } else { &method.output_type };
        let error = match &plan.fails {
            Fails::Never => None,
            Fails::WithStatus => Some("::fibra::proto::Status".to_owned()),
            Fails::With(message) => Some(self.elsewhere.path(message, package)),
        };
        let output = match (value, error) {
            ("()", None) => String::new(),
            (value, None) => format!(" -> {value}"),
            (value, Some(error)) => format!(" -> ::core::result::Result<{value}, {error}>"),
        };
        source.push_str(&format!("fn {}(&self{arguments}){output};\n", plan.rust_name));
    }
}

fn write_argument(arguments: &mut String, name: &str, stream: &str, item: &str) {
    // Writing to a string cannot fail.
    let _ = write!(arguments, ", {name}: ::fibra::rpc::stream::{stream}<{item}>");
}
