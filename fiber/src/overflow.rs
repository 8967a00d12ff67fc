//! Saying which fiber has overflowed its stack, before the process dies of it.
//!
//! An overflow touches the guard, which raises SIGSEGV (SIGBUS on macOS). std's handler knows only the guards of threads, so
//! ours comes first: it asks the scheduler whether the address is the running fiber's guard, prints the answer, and aborts.
//! Any other fault goes on to whatever handler there was.
//!
//! It never tries to recover: the code that overflowed may hold any lock or be in the middle of `malloc`.
//!
//! Invariants:
//! * What runs in the handler allocates nothing, locks nothing and calls only `write` and `abort`.
//! * Every thread that runs fibers has an alternate signal stack: an overflowed stack has no room for a handler.

use std::fmt::{self, Write};
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::{io, ptr};

use crate::memory::{Mapping, page_size, round_up};

/// Says whose guard `address` is, if it is a fiber's that runs on this thread: writes the message to `out` and returns `true`.
///
/// Called in a signal handler: it must not allocate, lock or panic.
pub type Describe = fn(address: usize, out: &mut dyn Write) -> bool;

/// Room for a handler. std gives its threads an alternate stack, too, but only just enough for its own handler, not for the
/// unwinder of [`sample`](crate::sample).
const SIGNAL_STACK_SIZE: usize = 32 << 10;

struct Handler {
    describe: Describe,
    /// What was installed before, for SIGSEGV and SIGBUS.
    previous: [libc::sigaction; 2],
}

static HANDLER: OnceLock<Handler> = OnceLock::new();

const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// Installs the handler for the whole process, once; the first caller's `describe` stays.
///
/// # Errors
///
/// Whatever `sigaction` reports.
pub fn install(describe: Describe) -> io::Result<()> {
    if HANDLER.get().is_some() {
        return Ok(());
    }
    let mut previous = [MaybeUninit::<libc::sigaction>::zeroed(); 2];
    for (&signal, previous) in SIGNALS.iter().zip(&mut previous) {
        // SAFETY: with a null action, the call only writes the present one to `previous`.
        if unsafe { libc::sigaction(signal, ptr::null(), previous.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: both were written by the calls above; and a sigaction is plain data, valid as zeroes to begin with.
    let previous = previous.map(|action| unsafe { action.assume_init() });
    if HANDLER.set(Handler { describe, previous }).is_err() {
        return Ok(()); // Another thread was faster.
    }
    for signal in SIGNALS {
        // SAFETY: a sigaction is plain data, valid as zeroes.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        action.sa_sigaction = on_fault as *const () as usize;
        // SAFETY: `on_fault` has the signature that SA_SIGINFO asks for, and does only what a handler may.
        if unsafe { libc::sigaction(signal, &action, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// An alternate signal stack for the current thread, if it had none or a small one, which comes back when this is dropped, on the same
/// thread.
#[derive(Debug)]
pub struct SignalStack {
    /// Ours, and what was there before.
    own: Option<(Mapping, libc::stack_t)>,
}

impl SignalStack {
    /// Makes sure that the current thread has one.
    ///
    /// # Errors
    ///
    /// Whatever `mmap`, `mprotect` or `sigaltstack` report.
    pub fn ensure() -> io::Result<Self> {
        Self::ensure_in(None)
    }

    /// As [`ensure`](SignalStack::ensure), in memory that an earlier one has left, if there is any.
    ///
    /// # Errors
    ///
    /// As [`ensure`](SignalStack::ensure).
    pub fn ensure_in(spare: Option<SpareStack>) -> io::Result<Self> {
        let mut present = MaybeUninit::<libc::stack_t>::uninit();
        // SAFETY: with a null new stack, the call only writes the present one.
        if unsafe { libc::sigaltstack(ptr::null(), present.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above has written it.
        let present = unsafe { present.assume_init() };
        if present.ss_flags & libc::SS_DISABLE == 0 && present.ss_size >= SIGNAL_STACK_SIZE {
            return Ok(SignalStack { own: None });
        }
        let size = round_up(SIGNAL_STACK_SIZE);
        let SpareStack(mapping) = spare.map_or_else(SpareStack::new, Ok)?;
        let stack = libc::stack_t {
            // SAFETY: one page into a mapping that is larger than that.
            ss_sp: unsafe { mapping.start().add(page_size()) }.as_ptr().cast(),
            ss_flags: 0,
            ss_size: size,
        };
        // SAFETY: the range is mapped, ours, and stays so until `drop` has taken the stack away.
        if unsafe { libc::sigaltstack(&stack, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(SignalStack { own: Some((mapping, present)) })
    }

    /// Drops it, but for its memory, if it has some of its own.
    pub fn retire(mut self) -> Option<SpareStack> {
        self.withdraw().map(SpareStack)
    }

    /// Lets the thread have what it had before.
    fn withdraw(&mut self) -> Option<Mapping> {
        let (mapping, previous) = self.own.take()?;
        // SAFETY: we are not on our stack, since no handler returns here; what was there before is still there, since it belongs
        // to the thread, which has not ended.
        unsafe { libc::sigaltstack(&previous, ptr::null_mut()) };
        Some(mapping)
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        drop(self.withdraw());
    }
}

/// Memory for a [`SignalStack`], with a guard below: what one that has retired leaves.
#[derive(Debug)]
pub struct SpareStack(Mapping);

impl SpareStack {
    fn new() -> io::Result<Self> {
        let mapping = Mapping::new(round_up(SIGNAL_STACK_SIZE) + page_size())?;
        // SAFETY: the lowest page of a mapping that nobody uses yet.
        unsafe { crate::guard::install(crate::guard::GuardKind::Protection, mapping.start(), page_size())? };
        Ok(Self(mapping))
    }
}

extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(handler) = HANDLER.get() else { return };
    // SAFETY: the kernel hands a SA_SIGINFO handler a valid siginfo, and for these signals it has an address.
    let address = unsafe { (*info).si_addr() } as usize;
    let mut message = Message::new();
    if (handler.describe)(address, &mut message) {
        message.flush();
        // SAFETY: abort may be called in a signal handler.
        unsafe { libc::abort() };
    }
    let previous = handler.previous[usize::from(signal != SIGNALS[0])];
    if previous.sa_sigaction == libc::SIG_DFL || previous.sa_sigaction == libc::SIG_IGN {
        // The faulting instruction runs again, and dies as if we had never been there.
        // SAFETY: `previous` is what sigaction gave us.
        unsafe { libc::sigaction(signal, &previous, ptr::null_mut()) };
    } else {
        // SAFETY: as above, and the arguments are the kernel's.
        unsafe { pass_on(&previous, signal, info, context) };
    }
}

/// Calls the handler that was there before, if it is a function.
///
/// # Safety
///
/// In a handler of `signal`, with its arguments; `previous` is what `sigaction` once gave for it.
pub(crate) unsafe fn pass_on(
    previous: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    if previous.sa_sigaction == libc::SIG_DFL || previous.sa_sigaction == libc::SIG_IGN {
        return;
    }
    if previous.sa_flags & libc::SA_SIGINFO != 0 {
        // SAFETY: an action with SA_SIGINFO holds a function of this signature.
        let next: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
            unsafe { std::mem::transmute(previous.sa_sigaction) };
        next(signal, info, context);
    } else {
        // SAFETY: an action without SA_SIGINFO that is neither default nor ignore holds a function of this signature.
        let next: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(previous.sa_sigaction) };
        next(signal);
    }
}

/// Text for standard error, put together without allocating and written by one call.
struct Message {
    text: [u8; 1024],
    len: usize,
}

impl Message {
    fn new() -> Self {
        Message { text: [0; 1024], len: 0 }
    }

    fn flush(&self) {
        let text = &self.text[..self.len];
        // SAFETY: `text` is valid for its length; write may be called in a signal handler. Nothing can be done if it fails.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }
}

impl Write for Message {
    /// What does not fit is cut off.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.text[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}
