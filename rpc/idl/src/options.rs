//! What a method's options make of it, and options that contradict each other or the method.

use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, ReflectMessage, ServiceDescriptor, Value,
};

use crate::names::{snake, unraw};
use crate::places::{Placed, Problems};
use crate::types::EMPTY;

/// The field number of `options` in the descriptors of methods.
const METHOD_OPTIONS: i32 = 4;
/// That in the descriptors of services.
const SERVICE_OPTIONS: i32 = 3;
/// That of `idempotency_level` in `google.protobuf.MethodOptions`.
const IDEMPOTENCY_LEVEL: i32 = 34;

/// What `#[fibra::service]` is to know of a method.
pub(crate) struct MethodPlan {
    /// Its name in the trait.
    pub(crate) rust_name: String,
    /// Its name on the wire.
    pub(crate) name: String,
    pub(crate) semantics: Semantics,
    pub(crate) fails: Fails,
    pub(crate) deprecated: bool,
}

/// How often it may run, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Semantics {
    AtMostOnce,
    Idempotent,
    Maybe,
    Ordered,
    OrderedIn(String),
}

/// What it fails with.
pub(crate) enum Fails {
    Never,
    WithStatus,
    With(MessageDescriptor),
}

/// Names that a method of the trait cannot have, since every proxy has methods of these names.
const OF_PROXIES: [&str; 10] =
    ["new", "connect", "local", "channel", "start", "batch", "within", "with_metadata", "retry", "hedge"];

impl MethodPlan {
    pub(crate) fn of(method: &MethodDescriptor, problems: &mut Problems<'_>) -> Self {
        let rust_name = snake(method.name());
        let name = unraw(&rust_name).to_owned();
        let rust_name = if OF_PROXIES.contains(&name.as_str()) { format!("{name}_") } else { rust_name };
        // `self_`, for which there is no raw identifier.
        let name = name.strip_suffix('_').map_or(name.clone(), str::to_owned);
        let options = Options::of_method(method);
        let semantics = semantics(method, &options, problems);
        let fails = fails(method, &options, &semantics, problems);
        let deprecated = method.method_descriptor_proto().options.as_ref().is_some_and(|options| options.deprecated());
        Self { rust_name, name, semantics, fails, deprecated }
    }
}

fn semantics(method: &MethodDescriptor, options: &Options, problems: &mut Problems<'_>) -> Semantics {
    let streams = method.is_client_streaming() || method.is_server_streaming();
    let level =
        method.method_descriptor_proto().options.as_ref().map(|options| options.idempotency_level().as_str_name());
    let idempotent = level.filter(|level| *level != "IDEMPOTENCY_UNKNOWN");
    let (maybe, ordered, lane) =
        (options.flag("fibra.maybe"), options.flag("fibra.ordered"), options.text("fibra.lane"));

    let mut refuse = |option: &str, why: &str| options.refuse(method, option, why, problems);
    if streams && maybe {
        refuse("fibra.maybe", "a call that streams is sent once and answered: remove `maybe`");
    }
    if streams && (ordered || lane.is_some()) {
        let option = if ordered { "fibra.ordered" } else { "fibra.lane" };
        refuse(option, "a call that streams is in no order: remove the option");
    }
    if let (Some(level), true) = (idempotent, maybe) {
        refuse("fibra.maybe", &format!("a method is either `{level}` or `maybe`: remove one"));
    }
    if maybe && (ordered || lane.is_some()) || idempotent.is_some() && (ordered || lane.is_some()) {
        let option = if ordered { "fibra.ordered" } else { "fibra.lane" };
        refuse(
            option,
            "only methods that run at most once (the default) can be ordered: to keep the order is to know what has run",
        );
    }
    if maybe && method.output().full_name() != EMPTY {
        refuse("fibra.maybe", "no reply is awaited: a `maybe` method returns google.protobuf.Empty");
    }
    if let Some(lane) = &lane
        && !is_word(lane)
    {
        refuse("fibra.lane", "a lane's name is one word, such as \"accounts\"");
    }
    match lane {
        // Protobuf's own option says of a stream, too, that it may be repeated; fibra repeats none.
        _ if streams => Semantics::AtMostOnce,
        _ if maybe => Semantics::Maybe,
        _ if idempotent.is_some() => Semantics::Idempotent,
        Some(lane) => Semantics::OrderedIn(lane),
        None if ordered => Semantics::Ordered,
        None => Semantics::AtMostOnce,
    }
}

fn fails(method: &MethodDescriptor, options: &Options, semantics: &Semantics, problems: &mut Problems<'_>) -> Fails {
    let (error, infallible) = (options.text("fibra.error"), options.flag("fibra.infallible"));
    if *semantics == Semantics::Maybe {
        if error.is_some() {
            options.refuse(method, "fibra.error", "no reply is awaited: a `maybe` method has no error", problems);
        }
        return Fails::Never;
    }
    match (error, infallible) {
        (Some(_), true) => {
            options.refuse(method, "fibra.infallible", "a method either has an error or none: remove one", problems);
            Fails::Never
        }
        (None, true) => Fails::Never,
        (Some(error), false) => match message(&error, method.full_name(), method.parent_pool()) {
            Some(message) => Fails::With(message),
            None => {
                options.refuse(method, "fibra.error", &no_message(&error), problems);
                Fails::WithStatus
            }
        },
        (None, false) => {
            let service = method.parent_service();
            let error = Options::of_service(service).text("fibra.service_error");
            // What is wrong with it is said once, with the service.
            error
                .and_then(|error| message(&error, service.full_name(), service.parent_pool()))
                .map_or(Fails::WithStatus, Fails::With)
        }
    }
}

/// Looks at a service's own options.
pub(crate) fn check_service(service: &ServiceDescriptor, problems: &mut Problems<'_>) {
    let options = Options::of_service(service);
    if let Some(error) = options.text("fibra.service_error")
        && message(&error, service.full_name(), service.parent_pool()).is_none()
    {
        options.refuse(service, "fibra.service_error", &no_message(&error), problems);
    }
}

fn no_message(name: &str) -> String {
    format!("there is no message `{name}` here: is it imported?")
}

/// The message of that name, looked for as protobuf looks for a field's type: from the innermost scope outwards.
fn message(name: &str, scope: &str, pool: &DescriptorPool) -> Option<MessageDescriptor> {
    if let Some(full_name) = name.strip_prefix('.') {
        return pool.get_message_by_name(full_name);
    }
    let mut scope = Some(scope);
    while let Some(around) = scope {
        if let Some(message) = pool.get_message_by_name(&format!("{around}.{name}")) {
            return Some(message);
        }
        scope = around.rsplit_once('.').map(|(around, _)| around);
    }
    pool.get_message_by_name(name)
}

/// Names on the wire are made of these.
pub(crate) fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// The options of a method or a service, those of fibra among them.
struct Options {
    values: DynamicMessage,
    /// Where they are in the descriptor.
    field: i32,
}

impl Options {
    fn of_method(method: &MethodDescriptor) -> Self {
        Self { values: method.options(), field: METHOD_OPTIONS }
    }

    fn of_service(service: &ServiceDescriptor) -> Self {
        Self { values: service.options(), field: SERVICE_OPTIONS }
    }

    fn get(&self, option: &str) -> Option<Value> {
        // Not there if nothing imports the file that declares it.
        let extension = self.values.descriptor().parent_pool().get_extension_by_name(option)?;
        self.values.has_extension(&extension).then(|| self.values.get_extension(&extension).into_owned())
    }

    fn flag(&self, option: &str) -> bool {
        self.get(option).and_then(|value| value.as_bool()).unwrap_or(false)
    }

    fn text(&self, option: &str) -> Option<String> {
        self.get(option)?.as_str().map(str::to_owned)
    }

    /// The option is wrong there.
    fn refuse(&self, thing: &impl Placed, option: &str, why: &str, problems: &mut Problems<'_>) {
        let extension = self.values.descriptor().parent_pool().get_extension_by_name(option);
        let number =
            extension.and_then(|extension| i32::try_from(extension.number()).ok()).unwrap_or(IDEMPOTENCY_LEVEL);
        problems.push_at(thing, &[self.field, number], format!("{option}: {why}"));
    }
}
