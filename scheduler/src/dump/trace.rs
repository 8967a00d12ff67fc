//! Backtraces: addresses when they are taken, names when they are read.
//!
//! A trace is taken on the stack of the fiber that it is about, so it must need little of it; names need the debug information of
//! the whole program, and are looked up where and when somebody displays them.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fmt, ptr, thread};

use fibra_fiber::sample;

/// How much of a stack must be left for taking a trace on it: the unwinder takes some 5 KiB; the rest is for being sure.
pub(crate) const ROOM_MIN: usize = 24 << 10;

/// How many traces a worker takes for one dump. Each costs some 2 to 3 us, more on a loaded machine, during
/// which its other fibers wait.
pub(crate) const TRACES_MAX: usize = 4096;

/// Where a fiber is: its frames, innermost first, or why they are not known.
#[derive(Clone)]
pub struct Trace {
    addresses: Result<Box<[usize]>, &'static str>,
}

/// One function in a [`Trace`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Its name, if the program has symbols.
    pub name: Option<String>,
    /// The source file, if the program has debug information.
    pub file: Option<PathBuf>,
    /// The line in it.
    pub line: Option<u32>,
}

/// The frames at each address: several where functions were inlined.
pub(super) type Symbols = HashMap<usize, Vec<Frame>>;

impl Trace {
    /// The caller's frames on `stack`: those of the worker below, to which the unwinder would go on, are the same for all.
    #[inline(never)]
    pub(crate) fn take(stack: &Range<usize>) -> Self {
        Trace::from_addresses(sample::frames_on(stack))
    }

    pub(crate) fn from_addresses(addresses: Vec<usize>) -> Self {
        Trace { addresses: Ok(addresses.into()) }
    }

    /// No trace, because of `why`.
    pub(crate) fn missing(why: &'static str) -> Self {
        Trace { addresses: Err(why) }
    }

    /// Why there is no trace, if there is none: the fiber has not started, it has too little stack left to take one there, or others
    /// were too many.
    pub fn why_missing(&self) -> Option<&'static str> {
        self.addresses.as_ref().err().copied()
    }

    /// The raw return addresses, innermost first, with those of the runtime.
    pub fn addresses(&self) -> &[usize] {
        self.addresses.as_deref().unwrap_or_default()
    }

    /// The frames, without those of the runtime above and below: from what the program called to wait, to what it gave `spawn`.
    ///
    /// The first use reads the program's debug information, which takes a while.
    pub fn frames(&self) -> Vec<Frame> {
        self.frames_by(&symbolise(self.addresses()))
    }

    /// As [`frames`](Trace::frames), with names that were looked up before.
    pub(super) fn frames_by(&self, symbols: &Symbols) -> Vec<Frame> {
        let frames = self.addresses().iter().filter_map(|address| symbols.get(address)).flatten();
        let mut frames: Vec<Frame> = frames.cloned().collect();
        if let Some(entry) = frames.iter().position(Frame::is_entry) {
            frames.truncate(entry);
        }
        let is_below = |frame: &Frame| frame.is_of(&BELOW);
        frames.truncate(frames.iter().rposition(|frame| !is_below(frame)).map_or(0, |last| last + 1));
        let above = frames.iter().position(|frame| !frame.is_of(&ABOVE)).unwrap_or(0);
        frames.drain(..above);
        frames
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, frame) in self.frames().iter().enumerate() {
            writeln!(f, "  {index:>2}: {frame}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why_missing() {
            Some(why) => write!(f, "Trace({why})"),
            None => write!(f, "Trace({} frames)", self.addresses().len()),
        }
    }
}

/// What belongs together: the path of its functions, and that of its source files. The latter is all that line tables, which are the
/// debug information of many release builds, say of functions that were inlined.
type Part = (&'static str, &'static str);

const CORE: Part = ("core::", "/library/core/src/");
const STD: Part = ("std::", "/library/std/src/");
const ALLOC: Part = ("alloc::", "/library/alloc/src/");
const TRY: Part = ("__rust_try", "/library/std/src/");

/// What lies between the place where a fiber waits and the function that it has called to wait.
const ABOVE: [Part; 14] = [
    TRY,
    CORE,
    STD,
    ALLOC,
    ("backtrace::", "/backtrace-"),
    ("fibra_fiber::", "fiber/src/"),
    ("fibra_scheduler::control::", "scheduler/src/control"),
    ("fibra_scheduler::cancel::", "scheduler/src/cancel"),
    ("fibra_scheduler::dump::request::", "scheduler/src/dump/request"),
    ("fibra_scheduler::dump::trace::", "scheduler/src/dump/trace"),
    ("fibra_scheduler::park::", "scheduler/src/park"),
    ("fibra_scheduler::queue::", "scheduler/src/queue"),
    ("fibra_scheduler::sync::waiters", "scheduler/src/sync/waiters"),
    ("fibra_scheduler::worker::", "scheduler/src/worker"),
];

/// What lies below the closure that a fiber was spawned with.
const BELOW: [Part; 5] = [CORE, STD, ALLOC, TRY, ("fibra_scheduler::runtime::Builder::run", "scheduler/src/runtime")];

/// What runs a fiber's closure.
const ENTRY: [Part; 1] = [("fibra_scheduler::control::stage::", "scheduler/src/control/stage")];

impl Frame {
    /// Whether its function is in one of these parts.
    fn is_of(&self, parts: &[Part]) -> bool {
        // `<T as Trait>::method` is in the module of T.
        let name = self.name.as_deref().unwrap_or_default().trim_start_matches(['<', '&']);
        // A short name may have paths in its type arguments.
        if name.split('<').next().is_some_and(|path| path.contains("::")) || name == TRY.0 {
            return parts.iter().any(|(module, _)| name.starts_with(module));
        }
        let file = self.file.as_deref().and_then(Path::to_str).unwrap_or_default();
        parts.iter().any(|(_, source)| file.contains(source))
    }

    fn is_entry(&self) -> bool {
        self.is_of(&ENTRY)
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("(no symbol)"))?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "\n         at {}:{line}", shorten(file).display()),
            (Some(file), None) => write!(f, "\n         at {}", shorten(file).display()),
            _ => Ok(()),
        }
    }
}

/// As std's backtraces do: relative to where the process was started, if it lies below.
fn shorten(file: &Path) -> &Path {
    match std::env::current_dir() {
        Ok(directory) => file.strip_prefix(directory).unwrap_or(file),
        Err(_) => file,
    }
}

/// Looks up the names of addresses.
pub(super) fn symbolise(addresses: &[usize]) -> Symbols {
    let look_up = || addresses.iter().map(|&address| (address, frames_at(address))).collect();
    if addresses.is_empty() || !crate::in_fiber() {
        return look_up();
    }
    // Reading debug information takes more stack than a fiber may have.
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("fibra-symbols".into());
        builder.spawn_scoped(scope, look_up).ok().and_then(|thread| thread.join().ok()).unwrap_or_default()
    })
}

fn frames_at(address: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    backtrace::resolve(ptr::without_provenance_mut::<c_void>(address), |symbol| {
        frames.push(Frame {
            name: symbol.name().map(|name| format!("{name:#}")),
            file: symbol.filename().map(Path::to_owned),
            line: symbol.lineno(),
        });
    });
    if frames.is_empty() {
        frames.push(Frame { name: None, file: None, line: None });
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, file: &str) -> Frame {
        Frame { name: Some(name.to_owned()), file: Some(file.into()), line: None }
    }

    #[test]
    fn a_function_is_known_by_its_path_or_if_that_is_missing_by_its_file() {
        assert!(frame("<fibra_scheduler::park::Sleeper>::release", "elsewhere.rs").is_of(&ABOVE));
        assert!(frame("fibra_scheduler::control::stage::Typed<F,T>::run", "stage.rs").is_entry());
        assert!(!frame("app::run", "/home/app/scheduler/src/park.rs").is_of(&ABOVE), "a path is enough");
        // What line tables say of inlined functions.
        assert!(frame("park_until", "/build/scheduler/src/park.rs").is_of(&ABOVE));
        assert!(frame("call_once<(), app::main::{closure_env#0}>", "/rustc/1/library/core/src/ops.rs").is_of(&BELOW));
        assert!(frame("run<app::main::{closure_env#0}, ()>", "/build/scheduler/src/control/stage.rs").is_entry());
        assert!(!frame("{closure#0}", "/home/app/src/main.rs").is_of(&ABOVE));
    }
}
