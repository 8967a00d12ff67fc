//! The names by which a method is called: its full name `calculator.add`, and what others write for it.
//!
//! | written | meant |
//! |---|---|
//! | `calculator.add` | itself |
//! | `Calculator.Add`, `Calculator/Add`, `/calculator/add` | `calculator.add` |
//! | `add` | that of the one service on the port which has it |
//!
//! The services of fibra itself are not among those that a bare name is looked for in.
//!
//! Invariant: a name that is somebody's full name means that one, whatever else it may be read as.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Services of these names, or below, are fibra's own.
const OWN: &str = "fibra";

/// Full names by what comes behind their last dot, of those that are then told apart still.
pub fn bare(full_names: impl IntoIterator<Item = String>) -> HashMap<String, String> {
    let mut names = HashMap::new();
    for full in full_names {
        let Some((service, method)) = full.rsplit_once('.') else { continue };
        if service.split('.').next() == Some(OWN) {
            continue;
        }
        match names.entry(method.to_owned()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Some(full));
            }
            Entry::Occupied(mut occupied) => {
                occupied.insert(None);
            }
        }
    }
    names.into_iter().filter_map(|(method, full)| Some((method, full?))).collect()
}

/// What another spelling of a name stands for: in snake case, with dots.
///
/// ```
/// use fibra_rpc::dialect::name::canonical;
///
/// assert_eq!(canonical("Calculator.AddSlowly"), "calculator.add_slowly");
/// assert_eq!(canonical("/calculator/add"), "calculator.add");
/// assert_eq!(canonical("KV.GetURL"), "kv.get_url");
/// ```
pub fn canonical(name: &str) -> String {
    let name = name.strip_prefix('/').unwrap_or(name);
    let mut canonical = String::with_capacity(name.len() + 4);
    let mut chars = name.chars().peekable();
    let mut last = None::<char>;
    while let Some(char) = chars.next() {
        if char.is_uppercase() {
            // As the attribute `service` does with a trait's name.
            let after_word = last.is_some_and(|last| last.is_lowercase() || last.is_numeric());
            let ends_acronym =
                last.is_some_and(char::is_uppercase) && chars.peek().copied().is_some_and(char::is_lowercase);
            if after_word || ends_acronym {
                canonical.push('_');
            }
        }
        if char == '/' {
            canonical.push('.');
        } else {
            canonical.extend(char.to_lowercase());
        }
        last = Some(char);
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_one_services() {
        let full = ["calculator.add", "calculator.divide", "bank.divide", "bank.divide", "fibra.health.check", "alone"];
        let bare = bare(full.map(str::to_owned));
        assert_eq!(bare.into_iter().collect::<Vec<_>>(), [("add".to_owned(), "calculator.add".to_owned())]);
    }
}
