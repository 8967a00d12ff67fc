//! The switch from one stack to another: a few instructions an architecture, and the only assembly of fibra.
//!
//! ```text
//!   stack A                                             stack B
//!   ───────                                             ───────
//!   switch(&saved, b, message):
//!     push what the compiler cannot save, where to go on
//!     saved ◀─ stack pointer
//!     stack pointer ◀─ b, jump to where B goes on ────▶ pop what was pushed
//!                                                       returns message
//! ```
//!
//! Everything that a call may change, and everything else that can be named, is declared as clobbered: the compiler saves what it
//! still needs, which is less than a function could know. What remains is what no clobber can name: frame pointer and base register.
//!
//! It is entered by falling into it and left by a jump, with neither call nor return. Processors predict returns from a stack of their own; a
//! switch that returns pops from it what the resumed side never pushed, and each return above is then mispredicted, too. This way
//! the predictions of one fiber serve the next, which most often waits in the same place.
//!
//! The idea of inline assembly with clobbers in place of saved registers is libfringe's, kept by corosensei.
//!
//! Not saved: the floating-point control words, which Rust code must leave as they are.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

pub(crate) use arch::{PREPARED, SAVED, prefetch, prepare, switch};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!(
    "fibra switches stacks on x86_64 and aarch64 only; another architecture needs a file in fiber/src/switch/"
);

/// The alignment of a stack's base, and of what [`prepare`] puts there.
pub(crate) const ALIGN: usize = 16;

/// What runs on a fresh stack: takes the address of its argument, and never returns.
pub(crate) type Entry = unsafe extern "C" fn(*mut u8) -> !;
