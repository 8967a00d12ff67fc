//! Looking into a thread that does not answer: its CPU clock, and a backtrace that a signal makes it take of itself.
//!
//! ```text
//!   watcher                                thread
//!   ───────                                ──────
//!   slot: idle ─▶ armed for the thread
//!   tgkill(thread, SIGURG) ──────────────▶ handler: armed ─▶ taking, writes addresses and note into the slot, ─▶ taken
//!   slot: taken ─▶ idle, reads
//! ```
//!
//! SIGURG, as Go does for the same purpose: it is ignored by default, so a signal that comes late harms nobody. A handler that the
//! program had for it before is called for the signals that are not ours.
//!
//! Invariants:
//! * What runs in the handler allocates nothing and locks nothing. The unwinder finds its tables without a lock where glibc has
//!   `_dl_find_object` (2.35); older ones take a recursive lock, which is held only while a library is being loaded.
//! * One slot for the process: whoever samples holds `SAMPLING`, and gives it up only when no handler writes any more.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{io, ptr, thread};

/// A thread to look into from outside.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    number: i32,
    #[cfg(target_os = "linux")]
    clock: Option<libc::clockid_t>,
}

/// What a thread did at one moment.
#[derive(Debug)]
pub struct Sample {
    /// The return addresses on its stack, innermost first.
    pub addresses: Vec<usize>,
    /// What [`install`]'s function returned on that thread.
    pub note: *mut (),
}

/// How many frames a sample has at the most.
pub const FRAMES_MAX: usize = 128;

/// How often, and how many times, the watcher looks whether the thread has answered: 100 ms in all. A thread that the system does not
/// run, or that is inside an uninterruptible system call, does not.
const LOOK_EVERY: Duration = Duration::from_micros(200);
const LOOKS_MAX: u32 = 500;

/// States of the slot besides "armed", which is the thread's number.
const IDLE: i64 = 0;
const TAKING: i64 = -1;
const TAKEN: i64 = -2;

static SAMPLING: Mutex<()> = Mutex::new(());
static STATE: AtomicI64 = AtomicI64::new(IDLE);
static ADDRESSES: [AtomicUsize; FRAMES_MAX] = [const { AtomicUsize::new(0) }; FRAMES_MAX];
static LEN: AtomicUsize = AtomicUsize::new(0);
/// How many of the first addresses are the handler's own.
static SKIP: AtomicUsize = AtomicUsize::new(0);
static NOTE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
static HANDLER: OnceLock<Handler> = OnceLock::new();

struct Handler {
    note: fn() -> *mut (),
    previous: libc::sigaction,
}

/// Installs the handler for the whole process, once; the first caller's `note` stays. It is called in the signal handler on the
/// sampled thread and must not allocate, lock or panic.
///
/// # Errors
///
/// Whatever `sigaction` reports; `Unsupported` on systems other than Linux.
pub fn install(note: fn() -> *mut ()) -> io::Result<()> {
    if !cfg!(target_os = "linux") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if HANDLER.get().is_some() {
        return Ok(());
    }
    // The first unwinding binds symbols and loads tables, which no handler should do.
    walk(|_| true);
    let mut previous = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with a null action, the call only writes the present one.
    if unsafe { libc::sigaction(libc::SIGURG, ptr::null(), previous.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: written by the call above; and a sigaction is plain data, valid as zeroes.
    if HANDLER.set(Handler { note, previous: unsafe { previous.assume_init() } }).is_err() {
        return Ok(()); // Another thread was faster.
    }
    // SAFETY: a sigaction is plain data, valid as zeroes.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    action.sa_sigaction = on_signal as *const () as usize;
    // SAFETY: `on_signal` has the signature that SA_SIGINFO asks for, and does only what a handler may.
    match unsafe { libc::sigaction(libc::SIGURG, &action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Subject {
    /// The calling thread.
    pub fn current() -> Self {
        Subject {
            number: crate::thread_number(),
            #[cfg(target_os = "linux")]
            clock: own_clock(),
        }
    }

    /// How long the thread has run on a CPU; `None` once it has ended, and on systems other than Linux.
    pub fn cpu_time(&self) -> Option<Duration> {
        #[cfg(target_os = "linux")]
        {
            let mut time = MaybeUninit::<libc::timespec>::uninit();
            // SAFETY: the call writes one timespec; the clock of a thread that has ended is refused with EINVAL.
            if unsafe { libc::clock_gettime(self.clock?, time.as_mut_ptr()) } != 0 {
                return None;
            }
            // SAFETY: the call above has written it.
            let time = unsafe { time.assume_init() };
            Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Whether the thread waits for something, rather than runs or would run if it had a CPU. `None`: that cannot be known.
    pub fn is_blocked(&self) -> Option<bool> {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", self.number)).ok()?;
        // The state follows the name, which is in parentheses and may contain any character.
        let state = stat.rsplit_once(") ")?.1.chars().next()?;
        Some(state != 'R')
    }

    /// Has the thread say where it is. `None` if it does not answer within 100 ms, or [`install`] was not called.
    pub fn sample(&self) -> Option<Sample> {
        HANDLER.get()?;
        let _one_at_a_time = SAMPLING.lock().unwrap_or_else(PoisonError::into_inner);
        STATE.store(self.number.into(), Ordering::Release);
        if !signal(self.number) {
            STATE.store(IDLE, Ordering::Relaxed);
            return None;
        }
        let mut looks = 0;
        while STATE.load(Ordering::Acquire) != TAKEN {
            thread::park_timeout(LOOK_EVERY);
            looks += 1;
            let armed = self.number.into();
            // What a handler has begun it ends: only one that has not come yet is given up.
            if looks >= LOOKS_MAX && STATE.compare_exchange(armed, IDLE, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return None;
            }
        }
        let (len, skip) = (LEN.load(Ordering::Relaxed), SKIP.load(Ordering::Relaxed));
        let mut addresses: Vec<usize> =
            ADDRESSES[skip..len].iter().map(|address| address.load(Ordering::Relaxed)).collect();
        if let (Some(interrupted), true) = (addresses.first_mut(), skip > 0) {
            // Not a return address: it names the instruction itself, where the others name the one behind.
            *interrupted += 1;
        }
        let note = NOTE.load(Ordering::Relaxed);
        STATE.store(IDLE, Ordering::Release);
        Some(Sample { addresses, note })
    }
}

/// The return addresses of the caller's frames that lie on `stack`, innermost first, [`FRAMES_MAX`] at the most. The unwinder would go
/// on to the frames of whoever has resumed it.
#[inline(never)]
pub fn frames_on(stack: &Range<usize>) -> Vec<usize> {
    let mut addresses = Vec::with_capacity(FRAMES_MAX);
    walk(|frame| {
        let is_here = stack.contains(&frame.sp().addr());
        if is_here {
            addresses.push(frame.ip().addr());
        }
        is_here && addresses.len() < FRAMES_MAX
    });
    addresses
}

/// Shows `f` the caller's frames until it says no. Without the lock of `backtrace::trace`, which whoever looks up names holds for as
/// long as it takes to read all debug information: a worker must not wait for that.
fn walk(f: impl FnMut(&backtrace::Frame) -> bool) {
    // SAFETY: the lock is for the debug library of Windows, which allows one thread at a time. The unwinder has no such limit.
    unsafe { backtrace::trace_unsynchronized(f) };
}

#[cfg(target_os = "linux")]
fn own_clock() -> Option<libc::clockid_t> {
    let mut clock = 0;
    // SAFETY: the calling thread is alive, and the call writes one number.
    (unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) } == 0).then_some(clock)
}

/// Sends the signal; `false` if there is no such thread.
fn signal(thread: i32) -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: the call touches no memory. Should the number belong to a newer thread by now, its handler ignores the signal.
    return unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGURG) } == 0;
    #[cfg(not(target_os = "linux"))]
    false
}

extern "C" fn on_signal(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(handler) = HANDLER.get() else { return };
    let own = i64::from(crate::thread_number());
    if STATE.compare_exchange(own, TAKING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        // SAFETY: `previous` is what sigaction gave us for this signal, and the arguments are the kernel's.
        return unsafe { crate::overflow::pass_on(&handler.previous, signal, info, context) };
    }
    let interrupted = interrupted_at(context);
    let (mut len, mut skip) = (0, 0);
    walk(|frame| {
        let address = frame.ip().addr();
        if Some(address) == interrupted && skip == 0 {
            skip = len;
        }
        ADDRESSES[len].store(address, Ordering::Relaxed);
        len += 1;
        len < FRAMES_MAX
    });
    LEN.store(len, Ordering::Relaxed);
    SKIP.store(skip, Ordering::Relaxed);
    NOTE.store((handler.note)(), Ordering::Relaxed);
    STATE.store(TAKEN, Ordering::Release);
}

/// The address of the instruction at which a signal has interrupted its thread.
fn interrupted_at(context: *mut libc::c_void) -> Option<usize> {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    // SAFETY: the kernel hands a SA_SIGINFO handler a valid ucontext.
    return usize::try_from(unsafe { &*context.cast::<libc::ucontext_t>() }.uc_mcontext.gregs[libc::REG_RIP as usize])
        .ok();
    #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
    // SAFETY: as above.
    return usize::try_from(unsafe { &*context.cast::<libc::ucontext_t>() }.uc_mcontext.pc).ok();
    #[allow(unreachable_code)]
    {
        let _ = context;
        None
    }
}
