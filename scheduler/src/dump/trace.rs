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

/// What lies between the place where a fiber waits and the function that it has called to wait.
const ABOVE: [&str; 11] = [
    "__rust_try",
    "backtrace::",
    "core::",
    "std::",
    "fibra_fiber::",
    "fibra_scheduler::control::",
    "fibra_scheduler::cancel::",
    "fibra_scheduler::dump::request::",
    "fibra_scheduler::dump::trace::",
    "fibra_scheduler::park::",
    "fibra_scheduler::worker::",
];

/// What lies below the closure that a fiber was spawned with.
const BELOW: [&str; 4] = ["core::", "std::", "__rust_try", "fibra_scheduler::runtime::Builder::run"];

impl Frame {
    /// Whether its function is in one of these modules.
    fn is_of(&self, modules: &[&str]) -> bool {
        // `<T as Trait>::method` is in the module of T.
        let name = self.name.as_deref().unwrap_or_default().trim_start_matches(['<', '&']);
        modules.iter().any(|module| name.starts_with(module))
    }

    /// Whether it is what runs a fiber's closure.
    fn is_entry(&self) -> bool {
        self.is_of(&["fibra_scheduler::control::stage::"])
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
