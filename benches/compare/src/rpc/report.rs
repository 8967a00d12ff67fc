//! The report on remote calls: tables for the terminal, goals, plots and JSON.

pub(crate) mod goals;
pub(crate) mod text;
