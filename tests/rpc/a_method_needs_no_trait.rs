//! Methods are served by name and closure, and called by name, on either side of a proxy or a service that is generated.

use fibra::rpc::client::Proxy;
use fibra::rpc::codec::Value;
use fibra::rpc::service::{Method, Semantics};
use fibra::rpc::{BindError, CallError, Channel, Executed, Server};

use crate::support::{LOOPBACK, Refusal, connect, on_one_worker, serve};

#[test]
fn a_generated_proxy_calls_closures() {
    on_one_worker(|| {
        let server = Server::builder()
            .method(Method::named("desk.add", Semantics::Idempotent), |(a, b): (i64, i64)| a + b)
            .fallible_method("desk.withdraw", |(cents,): (u64,)| {
                100_u64.checked_sub(cents).ok_or_else(|| Refusal::NotEnough { missing: cents - 100 })
            })
            .method("desk.pass", |()| ())
            .bind(LOOPBACK)
            .expect("a free port");
        let desk = connect(&server);
        assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        assert_eq!(desk.withdraw(1).expect("there is enough"), 99);
        assert!(matches!(desk.withdraw(101), Err(CallError::Application(Refusal::NotEnough { missing: 1 }))));
        desk.pass().expect("it passes");
        assert!(matches!(desk.echo(String::new()), Err(CallError::UnknownMethod { .. })));
    });
}

#[test]
fn what_is_served_by_a_trait_is_called_by_name() {
    on_one_worker(|| {
        let (server, counter) = serve();
        let proxy = Proxy::connect(server.local_addr()).expect("it listens");
        let name = format!("desk.{}", "add");
        let sum: i64 = proxy.call_by_name(&name, &(3, 5)).expect("a sum");
        let any: Value = proxy.call(&Method::named(name.as_str(), Semantics::Idempotent), &(3, 5)).expect("a sum");
        assert_eq!((sum, any), (8, Value::from(8)));

        let error = proxy.call_by_name::<_, u64>("desk.withdraw", &(101_u64,)).expect_err("too much");
        let CallError::Application(value) = error else { panic!("{error:?}") };
        assert_eq!(value.to_string(), "{\"NotEnough\": {\"missing\": 1}}");

        for none in [Value::Nil, Value::Array(vec![])] {
            proxy.call_by_name::<_, ()>("desk.wait_a_while", &none).expect_err("it takes one");
        }
        counter.turnstile.open();
        proxy.call_by_name::<_, ()>("desk.pass", &()).expect("`()` are no arguments");
        proxy.call_by_name::<_, ()>("desk.pass", &[(); 0]).expect("nor is an empty array");

        let later = proxy.starter().start::<_, String>(Method::named("desk.echo", Semantics::AtMostOnce), &("hi",));
        assert_eq!(later.join().expect("an echo"), "hi");

        let error = proxy.call_by_name::<_, Value>("desk.nothing", &()).expect_err("there is none");
        assert!(error.to_string().starts_with("desk.nothing at 127.0.0.1:"), "{error}");
    });
}

#[test]
fn arguments_are_checked_as_everywhere() {
    let server = Server::builder()
        .method("sum.of", |numbers: Vec<Value>| numbers.iter().filter_map(Value::as_i64).sum::<i64>())
        .method("sum.two", |(a, b): (i64, i64)| a + b);
    let proxy = Proxy::new(Channel::local_server(server).expect("their names differ"));
    assert_eq!(proxy.call_by_name::<_, i64>("sum.of", &(1, 2, 3, "four")).expect("a sum"), 6);
    assert_eq!(proxy.call_by_name::<_, i64>("sum.of", &()).expect("a sum"), 0);
    for error in [
        proxy.call_by_name::<_, i64>("sum.two", &(1, 2, 3)).expect_err("one too many"),
        proxy.call_by_name::<_, i64>("sum.two", &("one", 2)).expect_err("no number"),
        proxy.call_by_name::<_, i64>("sum.two", &7).expect_err("no array"),
    ] {
        assert!(matches!(error, CallError::BadArguments { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
    }
}

/// Such names cannot travel: the call fails, and not its connection, nor does another method run.
#[test]
fn a_name_that_cannot_be_fails_its_own_call() {
    on_one_worker(|| {
        let longest = "m".repeat(255);
        let builder = || Server::builder().method(Method::named(longest.as_str(), Semantics::AtMostOnce), |()| 1);
        let server = builder().bind(LOOPBACK).expect("a free port");
        let remote = Proxy::connect(server.local_addr()).expect("it listens");
        let local = Proxy::new(Channel::local_server(builder()).expect("one method"));
        for proxy in [remote, local] {
            for name in [String::new(), "m".repeat(256), "m".repeat(1000)] {
                let error = proxy.call_by_name::<_, i64>(&name, &[(); 0]).expect_err("no name");
                assert!(matches!(error, CallError::UnknownMethod { .. }), "{error:?}");
            }
            assert_eq!(proxy.call_by_name::<_, i64>(&longest, &[(); 0]).expect("a value"), 1);
        }
    });
}

#[test]
fn a_closure_that_panics_fails_its_own_call() {
    let server = Server::builder().method("a.b", |()| -> u8 { panic!("on purpose") });
    let proxy = Proxy::new(Channel::local_server(server).expect("one method"));
    let error = proxy.call_by_name::<_, ()>("a.b", &[(); 0]).expect_err("it panics");
    assert!(matches!(error, CallError::HandlerPanicked { .. }), "{error:?}");
}

#[test]
fn one_name_is_one_method() {
    on_one_worker(|| {
        let server = Server::builder().method("a.b", |()| 1).method("a.c", |()| 2).method("a.b", |()| 3);
        let error = server.bind(LOOPBACK).expect_err("two of one name");
        assert!(matches!(error, BindError::DuplicateMethod { ref name } if name == "a.b"), "{error:?}");
    });
}
