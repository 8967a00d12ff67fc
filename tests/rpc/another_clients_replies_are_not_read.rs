//! A session belongs to the secret that opened it; a client that begins anew ends its earlier session.

use crate::support::raw::{self, FAILURE, GOAWAY, REPLY, Raw, Session};
use crate::support::{on_one_worker, serve};

/// The goaway code with which an open is answered.
fn is_refused(server: &fibra::rpc::Server, session: &Session) -> u8 {
    let mut raw = Raw::connect_only(server.local_addr());
    raw.send(&session.open());
    raw.send(&raw::add(1, 3, 5));
    let (kind, xid, body) = raw.receive().expect("last words");
    assert_eq!((kind, xid), (GOAWAY, 0));
    assert_eq!(raw.receive(), None, "closed, and nothing was answered");
    body[0]
}

#[test]
fn another_secret_is_refused() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut owner = Raw::connect_only(server.local_addr());
        owner.open(&Session::default());
        owner.send(&raw::add(1, 3, 5));
        assert_eq!(owner.receive(), Some((REPLY, 1, vec![8])));
        for secret in [b"".to_vec(), b"Secret".to_vec(), b"secret2".to_vec()] {
            assert_eq!(is_refused(&server, &Session { secret: secret.clone(), ..Session::default() }), 2);
            assert_eq!(is_refused(&server, &Session { secret, incarnation: 2, ..Session::default() }), 2);
        }
        owner.send(&raw::add(1, 3, 5));
        assert_eq!(owner.receive(), Some((REPLY, 1, vec![8])), "its own is as before");
    });
}

#[test]
fn an_earlier_incarnation_is_over() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut earlier = Raw::connect_only(server.local_addr());
        let opened = earlier.open(&Session::default());
        let mut later = Raw::connect_only(server.local_addr());
        assert!(!later.open(&Session { incarnation: 2, ..Session::default() }).resumed);

        earlier.send(&raw::add(1, 3, 5));
        let (kind, xid, body) = earlier.receive().expect("a failure");
        assert_eq!((kind, xid, body[0]), (FAILURE, 1, 14), "the session has ended");
        later.send(&raw::add(1, 3, 5));
        assert_eq!(later.receive(), Some((REPLY, 1, vec![8])));
        assert_eq!(is_refused(&server, &Session::default()), 4);

        // A session that this server is said to have, and has not, is not made anew.
        assert_eq!(is_refused(&server, &Session { client: 9, server: opened.server, ..Session::default() }), 3);
    });
}
