//! The service: a trait, and an implementation. The attribute writes the server's side and the client's.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the calculator can do.
#[fibra::service]
pub(crate) trait Calculator {
    /// The sum, modulo 2^64.
    #[rpc(idempotent)]
    fn add(&self, a: i64, b: i64) -> i64;

    /// The quotient. The error is a type of our own, and arrives as such.
    #[rpc(idempotent)]
    fn divide(&self, a: i64, b: i64) -> Result<i64, Undefined>;

    /// The sum, after some thought. It looks as if it blocked; other calls run meanwhile.
    fn add_slowly(&self, a: i64, b: i64, seconds: u64) -> i64;
}

/// There is no such quotient.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Undefined {
    /// Nothing can be divided by zero.
    DividedByZero,
    /// The quotient is more than 64 bits hold.
    TooLarge,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DividedByZero => "division by zero",
            Self::TooLarge => "the quotient is too large",
        })
    }
}

impl std::error::Error for Undefined {}

/// The implementation. It has no state; one that had would keep it in atomics or behind locks, since calls run at once.
pub(crate) struct Arithmetic;

impl Calculator for Arithmetic {
    fn add(&self, a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }

    fn divide(&self, a: i64, b: i64) -> Result<i64, Undefined> {
        if b == 0 { Err(Undefined::DividedByZero) } else { a.checked_div(b).ok_or(Undefined::TooLarge) }
    }

    fn add_slowly(&self, a: i64, b: i64, seconds: u64) -> i64 {
        // Cut short only if the server shuts down, and then nobody waits for the sum.
        let _ = fibra::sleep(Duration::from_secs(seconds));
        a.wrapping_add(b)
    }
}
