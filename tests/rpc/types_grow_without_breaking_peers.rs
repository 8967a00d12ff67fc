//! Two versions of one service meet, either as the client of the other: what was added, dropped or defaulted is no matter, and what cannot be
//! understood is a typed error of that one call.

use std::fmt::Debug;

use fibra::rpc::{CallError, Channel, Executed, Server};

/// The first version.
mod old {
    use serde::{Deserialize, Serialize};

    #[fibra::service(name = "people")]
    pub(super) trait People {
        fn enter(&self, person: Person) -> Person;
        fn paint(&self, colour: Colour) -> Colour;
        fn mark(&self, mark: Mark) -> Mark;
        fn count(&self, number: u32) -> u32;
        fn greet(&self, name: String) -> String;
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Person {
        pub(super) name: String,
        /// Dropped later.
        #[serde(default)]
        pub(super) nickname: Option<String>,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) enum Colour {
        Red,
        Green,
    }

    /// Ready for what is to come.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) enum Mark {
        Plain,
        #[serde(other)]
        Unknown,
    }
}

/// The second.
mod new {
    use serde::{Deserialize, Serialize};

    #[fibra::service(name = "people")]
    pub(super) trait People {
        fn enter(&self, person: Person) -> Person;
        fn paint(&self, colour: Colour) -> Colour;
        fn mark(&self, mark: Mark) -> Mark;
        /// Wider.
        fn count(&self, number: u64) -> u64;
        /// With one argument more.
        fn greet(&self, name: String, language: String) -> String;
        /// Added.
        fn leave(&self);
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Person {
        /// Added, before what there was.
        #[serde(default)]
        pub(super) address: Address,
        #[serde(default = "of_age")]
        pub(super) age: u8,
        pub(super) name: String,
    }

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Address {
        pub(super) lines: Vec<String>,
    }

    fn of_age() -> u8 {
        18
    }

    /// With variants more, in another order.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) enum Colour {
        Blue,
        Green,
        Mixed { red: u8 },
        Red,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) enum Mark {
        Plain,
        Crossed,
    }
}

/// Serves either version.
struct Town;

impl old::People for Town {
    fn enter(&self, person: old::Person) -> old::Person {
        person
    }
    fn paint(&self, colour: old::Colour) -> old::Colour {
        colour
    }
    fn mark(&self, mark: old::Mark) -> old::Mark {
        mark
    }
    fn count(&self, number: u32) -> u32 {
        number
    }
    fn greet(&self, name: String) -> String {
        name
    }
}

impl new::People for Town {
    fn enter(&self, person: new::Person) -> new::Person {
        let lines = vec!["Town Hall".to_owned()];
        new::Person { address: new::Address { lines }, ..person }
    }
    fn paint(&self, colour: new::Colour) -> new::Colour {
        // A colour that the first version does not know.
        if colour == new::Colour::Red { new::Colour::Mixed { red: 9 } } else { colour }
    }
    fn mark(&self, _: new::Mark) -> new::Mark {
        new::Mark::Crossed
    }
    fn count(&self, number: u64) -> u64 {
        number << 32
    }
    fn greet(&self, name: String, language: String) -> String {
        name + &language
    }
    fn leave(&self) {}
}

/// A client of the second version, and a server of the first.
fn of_old() -> new::PeopleClient {
    let server = Server::builder().service(old::PeopleServer::new(Town));
    new::PeopleClient::new(Channel::local_server(server).expect("one service"))
}

/// A client of the first version, and a server of the second.
fn of_new() -> old::PeopleClient {
    let server = Server::builder().service(new::PeopleServer::new(Town));
    old::PeopleClient::new(Channel::local_server(server).expect("one service"))
}

/// The error of a call whose arguments the server does not understand.
fn refused<T: Debug>(result: Result<T, CallError>) -> String {
    match result.expect_err("they differ") {
        error @ CallError::BadArguments { .. } => {
            assert_eq!(error.executed(), Executed::No);
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

/// The error of a call whose value the client does not understand.
fn not_understood<T: Debug>(result: Result<T, CallError>) -> String {
    match result.expect_err("they differ") {
        error @ CallError::BadReply { .. } => {
            assert_eq!(error.executed(), Executed::Yes);
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_field_that_was_added_is_skipped_there_and_defaulted_here() {
    let ada =
        new::Person { address: new::Address { lines: vec!["1 Main St".to_owned()] }, age: 36, name: "Ada".into() };
    let back = of_old().enter(ada).expect("what is new is skipped");
    assert_eq!(back, new::Person { address: new::Address::default(), age: 18, name: "Ada".into() });
}

#[test]
fn a_field_that_was_dropped_is_skipped_there_and_defaulted_here() {
    let ada = old::Person { name: "Ada".into(), nickname: Some("Countess".into()) };
    let back = of_new().enter(ada).expect("what is gone is skipped");
    assert_eq!(back, old::Person { name: "Ada".into(), nickname: None });
}

#[test]
fn a_field_without_a_default_is_missed_by_name() {
    #[derive(serde::Serialize)]
    struct Nameless {
        age: u8,
    }
    let proxy = fibra::rpc::client::Proxy::new(of_new().channel().clone());
    let method = &old::PeopleClient::DESCRIPTOR.methods()[0];
    let error = refused::<old::Person>(proxy.call(method, &(Nameless { age: 1 },)));
    assert!(error.contains("missing field `name`"), "{error}");
}

#[test]
fn variants_are_known_by_name_wherever_they_stand() {
    assert_eq!(of_old().paint(new::Colour::Green).expect("both have it"), new::Colour::Green);
    assert_eq!(of_new().paint(old::Colour::Green).expect("both have it"), old::Colour::Green);
}

#[test]
fn a_variant_that_the_other_side_lacks_fails_that_call_only() {
    let people = of_old();
    let error = refused(people.paint(new::Colour::Blue));
    assert!(error.contains("Blue"), "{error}");
    refused(people.paint(new::Colour::Mixed { red: 1 }));
    assert_eq!(people.paint(new::Colour::Red).expect("both have it"), new::Colour::Red);

    let people = of_new();
    let error = not_understood(people.paint(old::Colour::Red));
    assert!(error.contains("Mixed"), "{error}");
    people.paint(old::Colour::Green).expect("both have it");
}

#[test]
fn who_is_ready_for_unknown_variants_takes_them() {
    assert_eq!(of_new().mark(old::Mark::Plain).expect("it is ready"), old::Mark::Unknown);
    let back = not_understood(of_old().mark(new::Mark::Crossed));
    assert!(back.contains("Unknown"), "{back}");
}

#[test]
fn numbers_are_as_wide_as_they_need_to_be() {
    assert_eq!(of_old().count(7).expect("it fits"), 7);
    refused(of_old().count(1 << 32));
    assert_eq!(of_new().count(0).expect("it fits"), 0);
    not_understood(of_new().count(1));
}

#[test]
fn arguments_are_by_position_and_their_number_is_checked() {
    let error = refused(of_old().greet("Ada".into(), "en".into()));
    assert!(error.contains("1 arguments, not 2"), "{error}");
    refused(of_new().greet("Ada".into()));
}

#[test]
fn a_method_that_was_added_is_unknown() {
    let error = of_old().leave().expect_err("it has none");
    assert!(matches!(error, CallError::UnknownMethod { .. }), "{error:?}");
}
