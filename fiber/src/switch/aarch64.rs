//! The switch on aarch64, AAPCS64.
//!
//! A suspended stack, from its stack pointer up: `x29`, `x19`, where to go on, one word of padding.

use std::arch::{asm, naked_asm};

use super::Entry;
use crate::layout::Saved;

/// How many bytes [`prepare`] takes below the argument.
pub(crate) const PREPARED: usize = 4 * size_of::<usize>();

/// What a switch leaves on the stack, for debuggers.
pub(crate) const SAVED: Saved = Saved { frame: 0, base: 8, pc: 16, end: 32 };

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
            "adr x3, 2f",
            "stp x29, x19, [sp, #-32]!",
            "str x3, [sp, #16]",
            "mov x3, sp",
            "str x3, [x1]",
            "ldr x3, [x2, #16]",
            "mov sp, x2",
            "br x3",
            "2:",
            "ldp x29, x19, [sp], #32",
            in("x1") saved,
            in("x2") to,
            inlateout("x0") message => answer,
            lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _, lateout("x24") _, lateout("x25") _,
            lateout("x26") _, lateout("x27") _, lateout("x28") _, lateout("lr") _,
            lateout("d8") _, lateout("d9") _, lateout("d10") _, lateout("d11") _,
            lateout("d12") _, lateout("d13") _, lateout("d14") _, lateout("d15") _,
            clobber_abi("C"),
        );
    }
    answer
}

/// Has the cache fetch the line of `address`, whether there is anything or not.
#[inline(always)]
pub(crate) fn prefetch(address: usize) {
    // SAFETY: a hint to the processor, which no address makes fault, and which touches neither memory nor flags.
    unsafe { asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly)) };
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
        let frame = argument.cast::<usize>().sub(4);
        frame.write(entry as *const () as usize);
        frame.add(2).write(root as *const () as usize);
        frame as usize
    }
}

/// The outermost frame of a stack. Unwinders and debuggers stop here: its caller's address is declared undefined.
#[unsafe(naked)]
unsafe extern "C" fn root() -> ! {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined x30",
        "ldr x16, [sp], #32",
        // Behind the four words lies the argument.
        "mov x0, sp",
        "mov x29, xzr",
        // A call without its instruction: it would never be returned from, and the predictor would go on to expect that.
        "adr x30, 2f",
        "br x16",
        "2:",
        "brk #1",
        ".cfi_endproc",
    )
}
