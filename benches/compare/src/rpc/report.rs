//! The report on remote calls: goals, tables for the terminal, JSON. Its part of the page is with the page.

pub(crate) mod goals;
pub(crate) mod json;
pub(crate) mod text;
