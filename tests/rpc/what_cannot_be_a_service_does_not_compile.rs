//! What the attribute refuses, and what it says: one file of `ui/` each, with the compiler's output beside it.

#[test]
fn errors_point_at_the_cause_and_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/rpc/ui/*.rs");
}
