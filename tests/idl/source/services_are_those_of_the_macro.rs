//! A service is a trait of `#[fibra::service]`: what its options say is in the descriptor, and its proxy calls it, also between two ends of a
//! connection.

use std::sync::Mutex;

use fibra::proto::{Code, Status};
use fibra::rpc::service::Semantics;
use fibra::rpc::stream::{Receiver, Sender};
use fibra::rpc::{CallError, Server};
use fibra_idl_tests::api::kinds::v1::{
    HttpGate, HttpGateClient, Scalars, Station, StationClient, StationServer, Tree, tree,
};

#[derive(Default)]
struct OnTheRoof {
    log: Mutex<Vec<String>>,
}

fn number(an_int32: i32) -> Scalars {
    Scalars { an_int32, ..Scalars::default() }
}

impl Station for OnTheRoof {
    fn grow(&self, request: Tree) -> Result<Tree, Status> {
        Ok(Tree { left: Some(Box::new(request)), ..Tree::default() })
    }

    fn look(&self, request: String) -> Result<i64, Status> {
        request.parse().map_err(|_| Status::new(Code::InvalidArgument, format!("{request} is no number")))
    }

    fn set_color(&self, _: Scalars) -> Result<(), Status> {
        Ok(())
    }

    fn reset(&self) -> Result<(), Status> {
        Ok(())
    }

    fn log(&self, request: String) {
        self.log.lock().expect("nothing panics").push(request);
    }

    fn first(&self, request: Scalars) -> Result<Scalars, Status> {
        Ok(request)
    }

    fn second(&self, request: Scalars) -> Scalars {
        request
    }

    fn fail(&self, request: Scalars) -> Result<Scalars, tree::Leaf> {
        Err(tree::Leaf { name: request.a_string, ..tree::Leaf::default() })
    }

    fn sum(&self, requests: Receiver<Scalars>) -> Result<Scalars, Status> {
        let mut sum = 0;
        for request in requests {
            sum += request?.an_int32;
        }
        Ok(number(sum))
    }

    fn count(&self, request: Scalars, replies: Sender<Scalars>) -> Result<(), Status> {
        for count in 0..request.an_int32 {
            replies.send(number(count))?;
        }
        Ok(())
    }

    fn echo(&self, requests: Receiver<Tree>, replies: Sender<Tree>) -> Result<(), Scalars> {
        for request in requests {
            let sent = request.and_then(|request| replies.send(request));
            sent.map_err(|error| Scalars { a_string: error.to_string(), ..Scalars::default() })?;
        }
        Ok(())
    }

    fn new_(&self, request: Scalars) -> Result<Scalars, Status> {
        Ok(request)
    }

    fn with_metadata_(&self, request: Scalars) -> Result<Scalars, Status> {
        Ok(request)
    }

    fn r#type(&self, request: Scalars) -> Result<Scalars, Status> {
        Ok(request)
    }

    fn self_(&self, request: Scalars) -> Result<Scalars, Status> {
        Ok(request)
    }
}

#[test]
fn its_methods_are_called() {
    fibra::run(|| {
        let server = Server::builder()
            .service(StationServer::new(OnTheRoof::default()))
            .bind("127.0.0.1:0")
            .expect("a free port");
        let station = StationClient::connect(server.local_addr()).expect("it listens");

        let grown = station.grow(Tree::default()).expect("it grows");
        assert_eq!(grown.left.as_deref(), Some(&Tree::default()));
        assert_eq!(station.look("-3".to_owned()).expect("a number"), -3);
        station.reset().expect("nothing to it");
        station.log("one way".to_owned()).expect("it is sent");
        assert_eq!(station.second(number(2)).expect("it never fails"), number(2));
        assert_eq!(station.new_(number(3)).expect("by its name on the wire"), number(3));
        assert_eq!(station.self_(number(4)).expect("by its name on the wire"), number(4));

        let Err(CallError::Application(status)) = station.look("three".to_owned()) else { panic!("no number") };
        assert_eq!((status.code(), status.message.as_str()), (Code::InvalidArgument, "three is no number"));
        let named = Scalars { a_string: "oak".into(), ..Scalars::default() };
        let Err(CallError::Application(leaf)) = station.fail(named) else { panic!("it always fails") };
        assert_eq!(leaf.name, "oak");

        let sum = station.sum().expect("it begins");
        for item in 1..=4 {
            sum.send(number(item)).expect("it listens");
        }
        assert_eq!(sum.finish().expect("a sum"), number(10));
        let counted: Result<Vec<_>, _> = station.count(number(3)).expect("it begins").collect();
        assert_eq!(counted.expect("all came"), [number(0), number(1), number(2)]);
        let mut echo = station.echo().expect("it begins");
        echo.send(Tree::default()).expect("it listens");
        assert_eq!(echo.recv().expect("it echoes"), Some(Tree::default()));
        echo.finish().expect("it ends");
    });
}

#[test]
fn its_options_are_in_the_descriptor() {
    let service = StationClient::DESCRIPTOR;
    assert_eq!((service.name(), service.docs()), ("kinds.v1.station", "A service with methods of all kinds."));
    let method = |name: &str| service.methods().iter().find(|method| method.name() == name).expect("it has that");
    for (name, semantics, lane, declaration) in [
        ("grow", Semantics::AtMostOnce, None, "(request: Tree) -> Result<Tree, fibra::proto::Status>"),
        ("look", Semantics::Idempotent, None, "(request: String) -> Result<i64, fibra::proto::Status>"),
        ("set_color", Semantics::Idempotent, None, "(request: Scalars) -> Result<(), fibra::proto::Status>"),
        ("reset", Semantics::AtMostOnce, None, "() -> Result<(), fibra::proto::Status>"),
        ("log", Semantics::Maybe, None, "(request: String)"),
        (
            "first",
            Semantics::AtMostOnce,
            Some("kinds.v1.station"),
            "(request: Scalars) -> Result<Scalars, fibra::proto::Status>",
        ),
        ("second", Semantics::AtMostOnce, Some("kinds.v1.station.second"), "(request: Scalars) -> Scalars"),
        ("fail", Semantics::AtMostOnce, None, "(request: Scalars) -> Result<Scalars, tree::Leaf>"),
    ] {
        let method = method(name);
        assert_eq!(method.semantics(), semantics, "{name}");
        assert_eq!(method.lane().map(|lane| lane.name()), lane, "{name}");
        assert_eq!(method.to_string(), format!("kinds.v1.station.{name}{declaration}"));
    }
    assert_eq!(method("grow").docs(), "Runs at most once.");
    assert_eq!((method("echo").client_items(), method("echo").server_items()), (Some("Tree"), Some("Tree")));
    for name in ["new", "with_metadata", "type", "self"] {
        assert_eq!(method(name).full_name(), format!("kinds.v1.station.{name}"));
    }
}

#[test]
fn a_service_may_have_an_error_for_all_its_methods() {
    struct Shut;
    impl HttpGate for Shut {
        fn open(&self) -> Result<(), tree::Leaf> {
            Err(tree::Leaf::default())
        }

        fn close(&self) -> Result<(), Tree> {
            Err(Tree::default())
        }
    }
    assert_eq!(HttpGateClient::DESCRIPTOR.name(), "kinds.v1.http_gate");
    let gate = HttpGateClient::local(Shut);
    assert!(matches!(gate.open(), Err(CallError::Application(tree::Leaf { .. }))));
    assert!(matches!(gate.close(), Err(CallError::Application(Tree { .. }))));
}
