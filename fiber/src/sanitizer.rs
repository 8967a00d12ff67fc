//! Telling AddressSanitizer of stack switches: else it takes a switch for a wild stack pointer, and a `catch_unwind` for a leak.
//!
//! Each switch is framed by two calls: one announces which stack comes, one says that it has come. Without the `sanitizer` feature
//! all of this is nothing.
//!
//! Source: `sanitizer/common_interface_defs.h` of LLVM's compiler-rt.

use std::ops::Range;

#[cfg(feature = "sanitizer")]
unsafe extern "C" {
    fn __sanitizer_start_switch_fiber(fake_stack: *mut *mut u8, bottom: *const u8, size: usize);
    fn __sanitizer_finish_switch_fiber(fake_stack: *mut u8, bottom: *mut *const u8, size: *mut usize);
    fn __asan_unpoison_memory_region(start: *const u8, size: usize);
}

/// Frames a switch away from a stack to which someone will come back.
#[inline(always)]
pub(crate) fn around<R>(to: Range<usize>, switch: impl FnOnce() -> R) -> R {
    #[cfg(not(feature = "sanitizer"))]
    {
        let _ = to;
        switch()
    }
    #[cfg(feature = "sanitizer")]
    {
        let mut fake_stack = std::ptr::null_mut();
        // SAFETY: the range is the stack that comes next; what is saved of this one is handed back below, on this stack.
        unsafe { __sanitizer_start_switch_fiber(&mut fake_stack, to.start as *const u8, to.len()) };
        let result = switch();
        // SAFETY: as above; null asks for nothing about the stack that we come from.
        unsafe { __sanitizer_finish_switch_fiber(fake_stack, std::ptr::null_mut(), std::ptr::null_mut()) };
        result
    }
}

/// The first thing on a fresh stack.
#[inline(always)]
pub(crate) fn arrive() {
    #[cfg(feature = "sanitizer")]
    // SAFETY: a fresh stack has no fake stack yet.
    unsafe {
        __sanitizer_finish_switch_fiber(std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
    }
}

/// The last thing on a stack that ends: `to` comes next, and this one's fake stack is freed.
#[inline(always)]
pub(crate) fn depart(to: Range<usize>) {
    #[cfg(not(feature = "sanitizer"))]
    let _ = to;
    #[cfg(feature = "sanitizer")]
    {
        // SAFETY: the range is the stack that comes next; a null handle says that this one ends.
        unsafe { __sanitizer_start_switch_fiber(std::ptr::null_mut(), to.start as *const u8, to.len()) };
    }
}

/// What lived on `stack` is gone; whatever comes to lie there is not to be taken for it.
#[inline(always)]
pub(crate) fn forget(stack: Range<usize>) {
    #[cfg(not(feature = "sanitizer"))]
    let _ = stack;
    #[cfg(feature = "sanitizer")]
    // SAFETY: the caller owns the memory.
    unsafe {
        __asan_unpoison_memory_region(stack.start as *const u8, stack.len());
    }
}

/// The calling thread's own stack.
#[cfg(feature = "sanitizer")]
pub(crate) fn thread_stack() -> Range<usize> {
    thread_local! {
        static STACK: std::cell::Cell<(usize, usize)> = const { std::cell::Cell::new((0, 0)) };
    }
    let (start, end) = STACK.get();
    if end != 0 {
        return start..end;
    }
    let (mut bottom, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are initialised by the first call, read by the second, and destroyed by the third.
    unsafe {
        let mut attributes = std::mem::MaybeUninit::uninit();
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) == 0 {
            libc::pthread_attr_getstack(attributes.as_ptr(), &mut bottom, &mut size);
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
    }
    STACK.set((bottom as usize, bottom as usize + size));
    bottom as usize..bottom as usize + size
}
