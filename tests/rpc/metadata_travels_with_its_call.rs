//! What a proxy's metadata says reaches the handlers of its calls, whatever their semantics; another proxy of the channel is another matter.

use std::sync::{Arc, Mutex};

use fibra::rpc::{Metadata, Request, Server};

use crate::support::{LOOPBACK, on_one_worker, wait_until};

#[fibra::service]
pub(crate) trait Notes {
    fn tenant(&self) -> Option<String>;

    #[rpc(idempotent)]
    fn token(&self) -> Option<Vec<u8>>;

    #[rpc(maybe)]
    fn note(&self);
}

#[derive(Clone, Default)]
struct Notebook(Arc<Mutex<Vec<String>>>);

fn tenant() -> Option<String> {
    Request::current()?.metadata().text("tenant").map(str::to_owned)
}

impl Notes for Notebook {
    fn tenant(&self) -> Option<String> {
        tenant()
    }

    fn token(&self) -> Option<Vec<u8>> {
        Request::current()?.metadata().bytes("token").map(<[u8]>::to_vec)
    }

    fn note(&self) {
        self.0.lock().expect("no panic").extend(tenant());
    }
}

#[test]
fn to_handlers_of_every_kind() {
    on_one_worker(|| {
        let notebook = Notebook::default();
        let server = Server::builder().service(NotesServer::new(notebook.clone())).bind(LOOPBACK).expect("a free port");
        let plain = NotesClient::connect(server.local_addr()).expect("it listens");
        let mut metadata = Metadata::new();
        metadata.insert("tenant", "acme").expect("room");
        metadata.insert("token", &[7_u8; 300][..]).expect("room");
        let marked = plain.with_metadata(metadata);
        assert_eq!(marked.tenant().expect("an answer").as_deref(), Some("acme"));
        assert_eq!(marked.token().expect("an answer"), Some(vec![7; 300]));
        marked.note().expect("room");
        wait_until(|| !notebook.0.lock().expect("no panic").is_empty());
        assert_eq!(*notebook.0.lock().expect("no panic"), ["acme"]);
        assert_eq!(plain.tenant().expect("an answer"), None);
        assert_eq!(plain.token().expect("an answer"), None);
    });
}
