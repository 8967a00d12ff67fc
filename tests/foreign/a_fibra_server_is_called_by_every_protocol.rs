//! What a fibra server says to others is understood here: values, errors, and whether the call ran.

use std::collections::BTreeMap;

use fibra::rpc::client::foreign::{Foreign, ForeignError};
use fibra::rpc::codec::Value;
use fibra::rpc::{CallError, Executed};

use crate::support::{PROTOCOLS, connect, on_one_worker, serve};

fn on_each(f: impl Fn(&str, &Foreign)) {
    on_one_worker(|| {
        let server = serve();
        for protocol in PROTOCOLS {
            f(protocol, &connect(protocol, server.local_addr()));
        }
    });
}

#[test]
fn values_come_back() {
    on_each(|protocol, server| {
        for number in 0..10 {
            let sum: i64 = server.call("calculator.add", &(number, 5)).expect(protocol);
            assert_eq!(sum, number + 5, "{protocol}");
        }
        let nothing: () = server.call("calculator.wait", &(0,)).expect(protocol);
        assert_eq!(nothing, (), "{protocol}");
    });
}

#[test]
fn arguments_have_names_where_the_protocol_has() {
    on_each(|protocol, server| {
        let args = BTreeMap::from([("b", 2), ("a", 7)]);
        let quotient = server.call::<_, i64>("calculator.divide", &args);
        match (protocol, quotient) {
            ("msgpack-rpc", Err(ForeignError::Call(CallError::BadArguments { .. }))) => {}
            ("msgpack-rpc", quotient) => panic!("{quotient:?}"),
            (_, quotient) => assert_eq!(quotient.expect(protocol), 3),
        }
    });
}

#[test]
fn a_notification_has_no_answer() {
    on_each(|protocol, server| {
        server.notify("calculator.add", &(3, 5)).expect(protocol);
        let sum: i64 = server.call("calculator.add", &(3, 5)).expect(protocol);
        assert_eq!(sum, 8, "{protocol}");
    });
}

fn error_of(server: &Foreign, method: &str, args: &[i64]) -> (Value, Executed, String) {
    let error = server.call::<_, Value>(method, &args).expect_err("it fails");
    let text = error.to_string();
    match error {
        ForeignError::Answered { error, executed, .. } => (error, executed, text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn errors_say_whether_it_ran() {
    on_each(|protocol, server| {
        let (error, executed, _) = error_of(server, "calculator.divide", &[1, 0]);
        assert_eq!(executed, Executed::Yes, "{protocol}: {error}");
        assert!(error.to_string().contains("DividedByZero"), "{protocol}: {error}");
        let (error, executed, text) = error_of(server, "calculator.multiply", &[1, 0]);
        assert_eq!(executed, Executed::No, "{protocol}: {error}");
        assert!(
            text.starts_with("calculator.multiply at 127.0.0.1:") && text.ends_with("calling again is safe"),
            "{text}"
        );
        let (error, executed, _) = error_of(server, "calculator.add", &[1]);
        assert_eq!(executed, Executed::No, "{protocol}: {error}");
    });
}

#[test]
#[cfg(panic = "unwind")]
fn a_panic_ran() {
    on_each(|protocol, server| {
        let (error, executed, _) = error_of(server, "calculator.fail", &[]);
        assert_eq!(executed, Executed::Yes, "{protocol}: {error}");
    });
}

#[test]
fn a_value_of_another_type_is_told() {
    on_each(|protocol, server| {
        let error = server.call::<_, String>("calculator.add", &(3, 5)).expect_err("it is a number");
        assert!(
            matches!(error, ForeignError::Call(CallError::BadReply { executed: Executed::Yes, .. })),
            "{protocol}: {error:?}"
        );
    });
}
