//! A proxy of a service in this process has the type, the values and the errors of one over a connection, and needs neither socket nor runtime.

use std::time::Duration;

use fibra::cancel::with_timeout;
use fibra::rpc::error::Peer;
use fibra::rpc::{CallError, Channel, Executed, Server};
use serde::{Deserialize, Serialize};

use crate::support::{Counter, DeskClient, DeskServer, Refusal, connect, on_one_worker, serve};

/// One of each, as far as both can be asked the same.
fn outcomes(desk: &DeskClient) -> Vec<String> {
    let short = desk.within(Duration::from_millis(20));
    vec![
        format!("{:?}", desk.add(3, 5)),
        format!("{:?}", desk.withdraw(10)),
        format!("{:?}", desk.withdraw(101).map_err(executed)),
        format!("{:?}", desk.fail("on purpose".to_owned()).map_err(executed)),
        format!("{:?}", desk.blanks(5 * 1024 * 1024).map_err(executed)),
        format!("{:?}", desk.echo("x".repeat(5 * 1024 * 1024)).map_err(executed)),
        format!("{:?}", desk.pass_unseen().map_err(executed)),
        format!("{:?}", short.wait_a_while(3600).map_err(|error| matches!(error, CallError::Timeout { .. }))),
        format!("{:?}", desk.start().add(1, 1).join()),
        format!("{:?}", desk.batch(|desk| (desk.add(1, 2).join(), desk.echo(String::new()).join()))),
    ]
}

/// Which failure, and whether it ran.
fn executed<E: std::fmt::Debug>(error: CallError<E>) -> (String, Executed) {
    let executed = error.executed();
    let text = format!("{error:?}");
    (text.split([' ', '(']).next().unwrap_or_default().to_owned(), executed)
}

#[test]
fn values_and_errors_are_the_same() {
    on_one_worker(|| {
        let (server, counter) = serve();
        counter.turnstile.open();
        let local = DeskClient::local(counter.clone());
        let remote = connect(&server);
        assert_eq!(outcomes(&local), outcomes(&remote));
        assert_eq!(local.channel().peer(), Peer::Local);
    });
}

#[test]
fn its_errors_name_this_process() {
    let desk = DeskClient::local(Counter::default());
    let error = desk.fail("on purpose".to_owned()).expect_err("it panics");
    assert_eq!(
        error.to_string(),
        "desk.fail in this process: the handler panicked (on purpose): a bug in the service; it has run: calling again runs it again"
    );
}

#[test]
fn it_needs_no_runtime() {
    let desk = DeskClient::local(Counter::default());
    assert_eq!(desk.add(3, 5).expect("a sum"), 8);
    assert!(matches!(desk.withdraw(500), Err(CallError::Application(Refusal::NotEnough { missing: 400 }))));
}

#[test]
fn an_ambient_deadline_reaches_the_service_and_its_end_the_caller() {
    on_one_worker(|| {
        let desk = DeskClient::local(Counter::default());
        let error = with_timeout(Duration::from_millis(20), || desk.wait_a_while(3600)).expect_err("it is cut");
        assert!(matches!(error, CallError::Timeout { executed: Executed::Yes, .. }), "{error:?}");
        let error = with_timeout(Duration::ZERO, || desk.add(1, 1)).expect_err("no time");
        assert_eq!(error.executed(), Executed::No);
    });
}

#[fibra::service]
pub(crate) trait Notes {
    fn first(&self, note: Note) -> Note;
}

/// Loses what serde skips, wherever it is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    text: String,
    #[serde(skip)]
    scribble: u8,
}

struct Book;

impl Notes for Book {
    fn first(&self, note: Note) -> Note {
        assert_eq!(note.scribble, 0, "it does not travel");
        Note { scribble: 9, ..note }
    }
}

#[test]
fn all_services_of_a_server_can_be_local() {
    let server = Server::builder().service(NotesServer::new(Book)).service(DeskServer::new(Counter::default()));
    let channel = Channel::local_server(server).expect("their names differ");
    let note = Note { text: "as serde has it".to_owned(), scribble: 7 };
    let back = NotesClient::new(channel.clone()).first(note.clone()).expect("a note");
    assert_eq!(back, Note { scribble: 0, ..note });
    assert_eq!(DeskClient::new(channel).add(3, 5).expect("a sum"), 8);
}
