/// A started fiber cannot move between threads: its context is not `Send`, nor is its stack.
#[test]
fn moving_a_context_to_another_thread_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/fiber/ui/*.rs");
}
