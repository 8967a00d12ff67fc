//! Every server tells its services over the wire, as their traits declare them, unless it is told not to.

use fibra::rpc::reflection::{MethodInfo, ReflectionClient, ServiceInfo};
use fibra::rpc::service::{Method, Semantics};
use fibra::rpc::{CallError, Server};
use serde::{Deserialize, Serialize};

use crate::support::{DeskClient, LOOPBACK, on_one_worker, serve, serve_with};

#[test]
fn names_types_semantics_and_documentation() {
    on_one_worker(|| {
        let (server, _counter) = serve();
        let reflection = ReflectionClient::connect(server.local_addr()).expect("it listens");
        assert_eq!(reflection.list().expect("a list"), ["desk", "fibra.health", "fibra.reflection"]);
        let desk = reflection.describe("desk".to_owned()).expect("a reply").expect("it is served");
        assert_eq!(desk, ServiceInfo::from(DeskClient::DESCRIPTOR));
        let [add, withdraw, ..] = &desk.methods[..] else { panic!("{desk:?}") };
        assert_eq!((add.to_string().as_str(), &*add.docs), ("idempotent add(a: i64, b: i64) -> i64", "The sum."));
        assert_eq!(withdraw.to_string(), "withdraw(cents: u64) -> Result<u64, Refusal>");
        assert_eq!(reflection.describe("nothing".to_owned()).expect("a reply"), None);
        let itself = reflection.describe("fibra.reflection".to_owned()).expect("a reply").expect("it is served");
        assert_eq!(itself.methods.len(), 2);
    });
}

#[test]
fn methods_of_one_service_are_told_together_however_they_are_served() {
    on_one_worker(|| {
        let add = Method::named("math.add", Semantics::Idempotent).with_docs("The sum.");
        let server = Server::builder().method(add, |(a, b): (i64, i64)| a + b);
        let server = server.fallible_method("math.half", |(a,): (u64,)| if a % 2 == 0 { Ok(a / 2) } else { Err(a) });
        let server = server.bind(LOOPBACK).expect("a free port");
        let reflection = ReflectionClient::connect(server.local_addr()).expect("it listens");
        let math = reflection.describe("math".to_owned()).expect("a reply").expect("it is served");
        let expected = "service math {\n    /// The sum.\n    idempotent add(0: _, 1: _) -> i64;\n\n    half(0: _) -> Result<u64, u64>;\n}";
        assert_eq!(math.to_string(), expected);
    });
}

#[test]
fn it_can_be_switched_off() {
    on_one_worker(|| {
        let (server, _counter) = serve_with(Server::builder().reflection(false));
        let reflection = ReflectionClient::connect(server.local_addr()).expect("it listens");
        let error = reflection.list().expect_err("it is not served");
        assert!(matches!(error, CallError::UnknownMethod { .. }), "{error:?}");
    });
}

/// What a server of a later version might say, and one of an earlier.
#[derive(Serialize, Deserialize)]
struct Later {
    full_name: String,
    semantics: Semantics,
    temperature: f64,
}

#[test]
fn other_versions_are_understood() {
    let later = Later { full_name: "a.b".to_owned(), semantics: Semantics::Maybe, temperature: 20.5 };
    let server =
        Server::builder().method("later.tell", move |()| Later { full_name: later.full_name.clone(), ..later });
    let channel = fibra::rpc::Channel::local_server(server).expect("one method");
    let told: MethodInfo = fibra::rpc::client::Proxy::new(channel)
        .call_by_name("later.tell", &[(); 0])
        .expect("what is unknown is skipped");
    assert_eq!((&*told.full_name, told.semantics, told.arguments.len()), ("a.b", Semantics::Maybe, 0));
}
