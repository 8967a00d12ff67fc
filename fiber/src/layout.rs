//! What debuggers must know of a context that is suspended. Not for programs: nothing in Rust reads it.

/// Where in a [`Context`](crate::Context) lies what a debugger needs, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Its stack pointer; 0 while it runs.
    pub suspended_at: usize,
    /// The end of its stack, from which it grows down.
    pub stack_end: usize,
    /// What it goes on with.
    pub saved: Saved,
}

/// Where, from the stack pointer of a suspended context up, the registers lie that its switch has saved. The compiler saves others where
/// its unwind tables say.
#[derive(Clone, Copy, Debug)]
pub struct Saved {
    /// The address of the instruction that comes next.
    pub pc: usize,
    /// `rbp` on x86_64, `x29` on aarch64.
    pub frame: usize,
    /// `rbx` on x86_64, `x19` on aarch64.
    pub base: usize,
    /// Where the stack pointer will be: behind all of them.
    pub end: usize,
}
