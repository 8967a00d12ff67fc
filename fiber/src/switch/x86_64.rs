//! The switch on x86_64, System V ABI.
//!
//! A suspended stack, from its stack pointer up: where to go on, `rbx`, `rbp`.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::arch::{asm, naked_asm};

use super::Entry;
use crate::layout::Saved;

/// How many bytes [`prepare`] takes below the argument.
pub(crate) const PREPARED: usize = 3 * size_of::<usize>();

/// What a switch leaves on the stack, for debuggers.
pub(crate) const SAVED: Saved = Saved { pc: 0, base: 8, frame: 16, end: 24 };

/// Saves where the caller is in `*saved` and goes on at `to`, which gets `message`. Returns the message of whoever switches back.
///
/// # Safety
///
/// `to` was saved by another switch, or made by [`prepare`], has not been gone on with since, and its stack is still there. The stack
/// of the caller stays until it has been gone on with. All on one thread.
#[inline(always)]
pub(crate) unsafe fn switch(saved: *mut usize, to: usize, message: usize) -> usize {
    let answer;
    // SAFETY: on the other stack it goes on as the caller says. This one is left as it was found when someone switches back: the
    // pushed words are popped, the stack pointer is what it was, and whatever the other side may have changed is declared.
    unsafe {
        asm!(
            "push rbp",
            "push rbx",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [rsi], rsp",
            "lea rsp, [rdx + 8]",
            "jmp [rdx]",
            "2:",
            "pop rbx",
            "pop rbp",
            in("rsi") saved,
            in("rdx") to,
            inlateout("rdi") message => answer,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    answer
}

/// Has the cache fetch the line of `address`, whether there is anything or not.
#[inline(always)]
pub(crate) fn prefetch(address: usize) {
    // SAFETY: a hint to the processor, which no address makes fault.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address)) };
}

/// Lays out a fresh stack below `argument` so that the first switch to what is returned, [`PREPARED`] bytes further down, calls
/// `entry(argument)`. The word right below `argument` is left to the caller.
///
/// # Safety
///
/// `argument` is aligned to 16, and there are [`PREPARED`] bytes of room below it.
pub(crate) unsafe fn prepare(argument: *mut u8, entry: Entry) -> usize {
    // SAFETY: there is room, as the caller says; aligned, since `argument` is.
    unsafe {
        let frame = argument.cast::<usize>().sub(3);
        frame.write(root as *const () as usize);
        frame.add(1).write(entry as *const () as usize);
        frame as usize
    }
}

/// The outermost frame of a stack. Unwinders and debuggers stop here: its caller's address is declared undefined.
#[unsafe(naked)]
unsafe extern "C" fn root() -> ! {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        "pop rax",
        // Behind the third word lies the argument.
        "add rsp, 8",
        "mov rdi, rsp",
        "xor ebp, ebp",
        // A call without its instruction: it would never be returned from, and the predictor would go on to expect that.
        "lea rcx, [rip + 2f]",
        "push rcx",
        "jmp rax",
        "2:",
        "ud2",
        ".cfi_endproc",
    )
}
