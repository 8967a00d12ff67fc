//! Dumps as text: what matters first, then a paragraph a fiber.

use std::fmt;

use super::trace::{Symbols, symbolise};
use super::{Dump, FiberDump, State};
use crate::FiberId;

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let (fibers, workers) = (self.fibers.len(), self.workers);
        writeln!(f, "fibra: {fibers} fiber{} on {workers} worker{}", plural(fibers), plural(workers))?;
        for cycle in self.deadlocks() {
            self.write_cycle(f, &cycle)?;
        }
        let held = self.silent.iter().filter_map(|silent| silent.running.as_ref());
        let symbols = look_up(self.fibers.iter().chain(held));
        for silent in &self.silent {
            match &silent.running {
                Some(fiber) => {
                    write!(
                        f,
                        "\nworker {} does not answer: a fiber holds it, hence its fibers are not listed\n",
                        silent.worker
                    )?;
                    fiber.write(f, &symbols)?;
                }
                None => writeln!(f, "\nworker {} does not answer, hence its fibers are not listed", silent.worker)?,
            }
        }
        for fiber in &self.fibers {
            writeln!(f)?;
            fiber.write(f, &symbols)?;
        }
        Ok(())
    }
}

impl Dump {
    fn write_cycle(&self, f: &mut fmt::Formatter<'_>, cycle: &[FiberId]) -> fmt::Result {
        f.write_str("deadlock: ")?;
        for (index, &id) in cycle.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", which " })?;
            if let (0, Some(fiber)) = (index, self.fiber(id)) {
                write!(f, "{} ", Named(fiber))?;
            }
            if let Some(reason) = self.fiber(id).and_then(FiberDump::reason) {
                write!(f, "{reason}")?;
            }
        }
        writeln!(f)
    }
}

impl fmt::Display for FiberDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &look_up([self].into_iter()))
    }
}

impl FiberDump {
    fn write(&self, f: &mut fmt::Formatter<'_>, symbols: &Symbols) -> fmt::Result {
        write!(f, "{} on worker {} ", Named(self), self.worker)?;
        match self.state {
            State::Running => f.write_str("runs")?,
            State::Ready => f.write_str("is ready")?,
            State::Parked { reason, waited, .. } => write!(f, "{reason}, for {waited:.1?}")?,
            State::NotStarted => f.write_str("has not started")?,
        }
        writeln!(f)?;
        write!(f, "    spawned at {}", self.spawned_at)?;
        let size = self.stack_size / 1024;
        match self.stack_used {
            Some(0) | None => write!(f, "; stack {size} KiB")?,
            Some(used) => write!(f, "; stack {:.1} of {size} KiB", used as f64 / 1024.0)?,
        }
        if let Some(deepest) = self.stack_deepest {
            write!(f, ", at the most {:.1} by those spawned there", deepest as f64 / 1024.0)?;
        }
        writeln!(f)?;
        if let (Some(why), true) = (self.backtrace.why_missing(), self.state != State::NotStarted) {
            writeln!(f, "    no backtrace: {why}")?;
        }
        for (index, frame) in self.backtrace.frames_by(symbols).iter().enumerate() {
            writeln!(f, "  {index:>2}: {frame}")?;
        }
        Ok(())
    }
}

struct Named<'a>(&'a FiberDump);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fiber {}", self.0.id)?;
        match &self.0.name {
            Some(name) => write!(f, " '{name}'"),
            None => Ok(()),
        }
    }
}

/// The names for all of these fibers' traces, each address once.
fn look_up<'a>(fibers: impl Iterator<Item = &'a FiberDump>) -> Symbols {
    let mut addresses: Vec<usize> = fibers.flat_map(|fiber| fiber.backtrace.addresses()).copied().collect();
    addresses.sort_unstable();
    addresses.dedup();
    symbolise(&addresses)
}
