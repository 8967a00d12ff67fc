/// `spawn` is safe because of its bounds: these programs must not compile. That `spawn_local` needs no `Send` is shown by the
/// tests of this suite that use it with an `Rc`.
#[test]
fn spawn_demands_send_and_spawn_local_keeps_its_handle_here() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/scheduler/ui/spawn_demands_send.rs");
    cases.compile_fail("tests/scheduler/ui/a_local_result_stays.rs");
}
