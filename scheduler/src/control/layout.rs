//! What a [debugger](crate::dump::debugger) must know of a control block.
//!
//! `Cell`, `UnsafeCell` and `MaybeUninit` are transparent.

use std::mem::offset_of;

use fibra_fiber::Context;

use super::slot::Slot;
use super::token::Token;
use super::{Control, Origin, Owned};
use crate::dump::debugger::Field;

const OWNED: usize = offset_of!(Control, owned);
const ORIGIN: usize = offset_of!(Control, origin);
const CONTEXT: usize = OWNED + offset_of!(Owned, context) + Slot::CONTEXT;

/// Where what lies in a control block, and the states that it may be in.
pub(crate) const FIELDS: [Field; 16] = [
    Field::number("fiber.size", size_of::<Control>()),
    Field::number("fiber.token", OWNED + offset_of!(Owned, token)),
    Field::number("fiber.parked", Token::PARKED as usize),
    Field::number("fiber.cancelled", offset_of!(Control, cancelled)),
    Field::number("fiber.reason", OWNED + offset_of!(Owned, reason)),
    Field::number("fiber.since", OWNED + offset_of!(Owned, since)),
    Field::number("fiber.id", ORIGIN + offset_of!(Origin, id)),
    Field::number("fiber.name", ORIGIN + offset_of!(Origin, name)),
    Field::number("fiber.spawned_at", ORIGIN + offset_of!(Origin, spawned_at)),
    Field::number("fiber.stack_size", ORIGIN + offset_of!(Origin, stack_size)),
    Field::number("fiber.suspended_at", CONTEXT + Context::LAYOUT.suspended_at),
    Field::number("fiber.stack_end", CONTEXT + Context::LAYOUT.stack_end),
    Field::number("saved.pc", Context::LAYOUT.saved.pc),
    Field::number("saved.frame", Context::LAYOUT.saved.frame),
    Field::number("saved.base", Context::LAYOUT.saved.base),
    Field::number("saved.end", Context::LAYOUT.saved.end),
];
