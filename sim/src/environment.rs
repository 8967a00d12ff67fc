//! What the environment says, and the command that runs a case again.

use std::env;
use std::fmt::Write as _;
use std::thread;

use crate::recipe::Recipe;

/// The value of a variable.
///
/// # Panics
///
/// If it is set and no number: a typing error must not run another test than was meant.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {value}")))
}

/// The case that is to be run.
///
/// # Panics
///
/// As [`number`].
pub(crate) fn case() -> Option<Recipe> {
    let value = env::var("FIBRA_SIM_CASE").ok()?;
    Some(value.parse().unwrap_or_else(|error| panic!("FIBRA_SIM_CASE='{value}': {error}")))
}

/// What runs this test, or this program, again: `cargo test` with the test's name, if it is one of libtest's, which names its threads
/// after them.
pub(crate) fn command() -> String {
    let current = thread::current();
    match current.name() {
        Some(test) if test != "main" => {
            let mut command = "cargo test".to_owned();
            if !cfg!(debug_assertions) {
                command.push_str(" --release");
            }
            if let Ok(package) = env::var("CARGO_PKG_NAME") {
                // Writing to a string does not fail.
                let _ = write!(command, " -p {package}");
            }
            let _ = write!(command, " {test} -- --exact --nocapture");
            command
        }
        _ => env::args().map(|word| quoted(&word)).collect::<Vec<_>>().join(" "),
    }
}

/// As a shell takes it for one word.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,+@%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a-b/c=1"), "a-b/c=1");
        assert_eq!(quoted("seed=1 it's"), r"'seed=1 it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_test_is_named_in_the_command() {
        assert!(command().contains("environment::tests::a_test_is_named_in_the_command -- --exact"), "{}", command());
    }
}
