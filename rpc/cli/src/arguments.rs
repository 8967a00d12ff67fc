//! The arguments of a call: from words or JSON to values of the method's types.
//!
//! Invariant: if the types are known, what is refused here the server would have refused as well, with less to say.

use fibra::rpc::reflection::{ArgumentInfo, MethodInfo};

use crate::catalogue::Found;
use crate::failure::Failure;
use crate::names;
use crate::types::Type;
use crate::value::{self, Value};

/// The arguments that were given for `method`.
///
/// # Errors
///
/// [`Failure::Usage`], which names the argument and its type.
pub(crate) fn read(method: &Found, words: &[String], json: Option<&str>) -> Result<Vec<Value>, Failure> {
    let json = json.map(|text| {
        serde_json::from_str::<Value>(text).map_err(|error| Failure::usage(format!("--args is not JSON: {error}")))
    });
    match (method, json.transpose()?) {
        (Found::Known(method), None) => by_place(method, words, |word, ty| value::word(word, ty)),
        (Found::Known(method), Some(Value::Array(values))) => {
            by_place(method, &values, |value, ty| value::fit(value.clone(), ty))
        }
        (Found::Known(method), Some(Value::Map(entries))) => by_name(method, entries),
        (Found::Named(_), Some(Value::Array(values))) => Ok(values),
        (Found::Named(name), None) => {
            let unknown = Type::of("_");
            let values = words.iter().enumerate().map(|(at, word)| {
                let value = value::word(word, &unknown);
                value.map_err(|misfit| Failure::usage(format!("{name}: argument {at}: {misfit}")))
            });
            values.collect()
        }
        (Found::Named(name), Some(Value::Map(_))) => Err(Failure::usage(format!(
            "{name}: the server does not tell the names of its arguments: give them in order, or as a JSON array"
        ))),
        (_, Some(_)) => Err(Failure::usage("--args takes a JSON object, by name, or an array")),
    }
}

/// Whether it takes whatever comes.
fn takes_any_number(method: &MethodInfo) -> bool {
    matches!(&method.arguments[..], [only] if only.name == "..")
}

fn by_place<T>(
    method: &MethodInfo,
    given: &[T],
    read: impl Fn(&T, &Type) -> Result<Value, value::Misfit>,
) -> Result<Vec<Value>, Failure> {
    let any_number = takes_any_number(method);
    if !any_number && given.len() != method.arguments.len() {
        let (wanted, got) = (method.arguments.len(), given.len());
        let plural = if wanted == 1 { "" } else { "s" };
        return Err(misused(method, &format!("it takes {wanted} argument{plural}, not {got}")));
    }
    let types = method.arguments.iter().map(|argument| (argument, Type::of(&argument.ty)));
    let types: Vec<_> = types.collect();
    let values = given.iter().enumerate().map(|(at, given)| {
        let (argument, ty) = if any_number { &types[0] } else { &types[at] };
        read(given, ty).map_err(|misfit| misfitting(method, argument, &misfit))
    });
    values.collect()
}

fn by_name(method: &MethodInfo, entries: Vec<(Value, Value)>) -> Result<Vec<Value>, Failure> {
    if takes_any_number(method) {
        return Err(misused(method, "its arguments have no names: give them in order, or as a JSON array"));
    }
    let mut given: Vec<Option<Value>> = vec![None; method.arguments.len()];
    for (name, value) in entries {
        let name = name.as_str().unwrap_or_default();
        let Some(at) = method.arguments.iter().position(|argument| argument.name == name) else {
            let hint = names::hint(name, method.arguments.iter().map(|argument| &*argument.name));
            return Err(misused(method, &format!("it has no argument `{name}`{hint}")));
        };
        if given[at].replace(value).is_some() {
            return Err(misused(method, &format!("argument `{name}` is given twice")));
        }
    }
    let values = method.arguments.iter().zip(given).map(|(argument, given)| {
        let ty = Type::of(&argument.ty);
        let value = match given {
            Some(value) => value,
            None if ty.is_optional() => Value::Nil,
            None => return Err(misused(method, &format!("argument `{}: {}` is missing", argument.name, argument.ty))),
        };
        value::fit(value, &ty).map_err(|misfit| misfitting(method, argument, &misfit))
    });
    values.collect()
}

fn misfitting(method: &MethodInfo, argument: &ArgumentInfo, misfit: &value::Misfit) -> Failure {
    misused(method, &format!("argument `{}: {}`: {misfit}", argument.name, argument.ty))
}

/// The problem, and how the method is to be used.
fn misused(method: &MethodInfo, problem: &str) -> Failure {
    Failure::usage(format!("{}: {problem}\n  {method}", method.full_name))
}
