//! A panic in a handler is that call's error; the connection, and the calls on it, go on.

use fibra::rpc::{CallError, Executed};

use crate::support::{connect, join, log, on_one_worker, serve};

#[test]
fn the_caller_is_told_and_others_are_not_disturbed() {
    let ((), log) = log::capture(|| {
        on_one_worker(|| {
            let (server, counter) = serve();
            let proxy = connect(&server);
            let waiting = fibra::spawn({
                let proxy = proxy.clone();
                move || proxy.pass()
            });
            counter.turnstile.wait_for(1);

            let error = proxy.fail("out of ink".to_owned()).expect_err("it panics");
            assert_eq!(error.executed(), Executed::Yes);
            assert!(error.to_string().contains("desk.fail"), "{error}");
            let CallError::HandlerPanicked { message, .. } = error else { panic!("{error:?}") };
            assert_eq!(message, "out of ink");

            let error = proxy.fail("first line\n\u{1b}[31msecond line".to_owned()).expect_err("it panics");
            assert!(!error.to_string().contains(char::is_control), "a message is one plain line: {error:?}");

            assert_eq!(proxy.add(3, 5).expect("the connection goes on"), 8);
            counter.turnstile.open();
            join(waiting).expect("the other call goes on");
        });
    });
    assert!(log.iter().any(|line| line.contains("desk.fail") && line.contains("out of ink")), "{log:?}");
}

#[test]
fn a_panic_whose_payload_panics_is_one_panic() {
    on_one_worker(|| {
        let (server, _) = serve();
        let proxy = connect(&server);
        let error = proxy.fail("twice".to_owned()).expect_err("it panics");
        assert!(matches!(error, CallError::HandlerPanicked { .. }), "{error:?}");
        assert_eq!(proxy.add(3, 5).expect("the connection goes on"), 8);
    });
}
