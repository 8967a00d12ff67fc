//! Whose a session is, and when it ends.

use std::time::{Duration, Instant};

use super::super::Refused;
use super::super::table::{Bounds, ClientId, Endable, Opened, Principal, Sessions, Unopened};

const LEASE: Duration = Duration::from_secs(60);
const BOUNDS: Bounds = Bounds { live_max: 2, ended_max: 1, lease: LEASE };

/// A session by name, idle or not.
#[derive(Debug, PartialEq, Eq)]
struct Session(&'static str, bool);

impl Endable for Session {
    fn is_idle(&self) -> bool {
        self.1
    }
}

struct Fixture {
    sessions: Sessions<Session>,
    start: Instant,
}

impl Fixture {
    fn new() -> Self {
        Self { sessions: Sessions::new(BOUNDS), start: fibra_scheduler::clock::now() }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn open(&mut self, client: u8, secret: &str, incarnation: u64, at: u64) -> Result<Opened<Session>, Unopened> {
        let now = self.at(at);
        self.sessions.open(id(client), &principal(secret), incarnation, now, || Session("new", true))
    }

    fn find(&mut self, client: u8, secret: &str, incarnation: u64, at: u64) -> Result<&mut Session, Refused> {
        let now = self.at(at);
        self.sessions.find(id(client), &principal(secret), incarnation, now)
    }
}

fn id(client: u8) -> ClientId {
    ClientId([client; 16])
}

fn principal(secret: &str) -> Principal {
    Principal::new(secret.as_bytes())
}

#[test]
fn a_session_is_resumed_by_whom_it_belongs_to() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.open(1, "secret", 1, 0), Ok(Opened::New { replaced: None }));
    assert_eq!(fixture.open(1, "secret", 1, 1), Ok(Opened::Resumed));
    for thief in ["", "secreT", "secret2", "s"] {
        assert_eq!(fixture.open(1, thief, 1, 1), Err(Unopened::Refused(Refused::NotYours)));
        assert_eq!(fixture.open(1, thief, 2, 1), Err(Unopened::Refused(Refused::NotYours)));
        assert_eq!(fixture.find(1, thief, 1, 1), Err(Refused::NotYours));
    }
    assert!(fixture.find(1, "secret", 1, 1).is_ok());
}

#[test]
fn a_higher_incarnation_replaces_a_lower_one() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.open(1, "", 3, 0), Ok(Opened::New { replaced: None }));
    fixture.find(1, "", 3, 0).expect("open").0 = "old";
    assert_eq!(fixture.open(1, "", 2, 0), Err(Unopened::Refused(Refused::WrongIncarnation { current: 3 })));
    assert_eq!(fixture.open(1, "", 4, 0), Ok(Opened::New { replaced: Some(Session("old", true)) }));
    assert_eq!(fixture.find(1, "", 3, 0), Err(Refused::WrongIncarnation { current: 4 }));
    assert_eq!(fixture.sessions.len(), 1);
}

#[test]
fn a_lease_ends_with_silence_and_what_ended_stays_ended() {
    let mut fixture = Fixture::new();
    fixture.open(1, "", 1, 0).expect("room");
    assert!(fixture.find(1, "", 1, 59).is_ok(), "which renews the lease");
    let now = fixture.at(118);
    assert_eq!(fixture.sessions.end_expired(now), []);
    let now = fixture.at(119);
    assert_eq!(fixture.sessions.end_expired(now), [Session("new", true)]);
    assert!(fixture.sessions.is_empty());
    assert_eq!(fixture.find(1, "", 1, 120), Err(Refused::Expired));
    assert_eq!(fixture.open(1, "", 1, 120), Err(Unopened::Refused(Refused::Expired)));
    assert_eq!(fixture.open(1, "other", 2, 120), Err(Unopened::Refused(Refused::NotYours)), "not even after its end");
    assert_eq!(fixture.open(1, "", 2, 120), Ok(Opened::New { replaced: None }));
}

#[test]
fn a_lease_is_renewed_by_who_knows_the_session() {
    let mut fixture = Fixture::new();
    fixture.open(1, "", 1, 0).expect("room");
    let at = fixture.sessions.at(id(1)).expect("it was opened");
    let (soon, later) = (fixture.at(30), fixture.at(59));
    fixture.sessions.renew(at, soon, |session| session.0 == "new");
    fixture.sessions.renew(at, later, |session| session.0 == "another that was here before");
    let [before, then] = [89, 90].map(|seconds| fixture.at(seconds));
    assert_eq!(fixture.sessions.end_expired(before), []);
    assert_eq!(fixture.sessions.end_expired(then).len(), 1);
    fixture.sessions.renew(at, then, |_| true);
    assert_eq!(fixture.find(1, "", 1, 90), Err(Refused::Expired), "what has ended stays so");
}

#[test]
fn a_session_at_work_outlives_its_lease() {
    let mut fixture = Fixture::new();
    fixture.open(1, "", 1, 0).expect("room");
    fixture.find(1, "", 1, 0).expect("open").1 = false;
    let now = fixture.at(61);
    assert_eq!(fixture.sessions.end_expired(now), []);
    // `find` would renew the lease.
    fixture.find(1, "", 1, 0).expect("open").1 = true;
    let now = fixture.at(121);
    assert_eq!(fixture.sessions.end_expired(now).len(), 1);
}

#[test]
fn a_call_of_a_session_that_was_never_opened_is_refused() {
    assert_eq!(Fixture::new().find(1, "", 1, 0), Err(Refused::Expired));
}

#[test]
fn a_full_table_ends_who_has_been_idle_for_longest() {
    let mut fixture = Fixture::new();
    fixture.open(1, "", 1, 0).expect("room");
    fixture.open(2, "", 1, 30).expect("room");
    fixture.find(1, "", 1, 31).expect("open").1 = false;
    assert_eq!(fixture.open(3, "", 1, 31), Ok(Opened::New { replaced: None }));
    assert_eq!(fixture.find(2, "", 1, 32), Err(Refused::Expired), "the first was at work");
    assert!(fixture.find(1, "", 1, 32).is_ok());
    fixture.find(3, "", 1, 32).expect("open").1 = false;
    assert_eq!(fixture.open(4, "", 1, 33), Err(Unopened::Full { max: 2 }), "all are at work");
    assert_eq!(fixture.open(1, "", 1, 33), Ok(Opened::Resumed), "it has its place");
    assert!(matches!(fixture.open(3, "", 2, 34), Ok(Opened::New { replaced: Some(_) })), "so has its successor");
    assert_eq!(fixture.sessions.len(), 2);
}

#[test]
fn those_at_work_do_not_hide_for_ever_who_could_make_room() {
    let bounds = Bounds { live_max: 100, ..BOUNDS };
    let mut fixture = Fixture { sessions: Sessions::new(bounds), ..Fixture::new() };
    for client in 0..100 {
        fixture.open(client, "", 1, 0).expect("room");
        // The last is idle.
        fixture.find(client, "", 1, 0).expect("open").1 = client == 99;
    }
    let tries = (0..100).position(|_| fixture.open(100, "", 1, 1).is_ok());
    assert!(tries.is_some_and(|refused| refused < 10), "{tries:?}");
    assert_eq!(fixture.find(99, "", 1, 1), Err(Refused::Expired));
}

#[test]
fn a_lease_of_nothing_ends_what_is_idle_and_no_more() {
    let bounds = Bounds { lease: Duration::ZERO, ..BOUNDS };
    let mut fixture = Fixture { sessions: Sessions::new(bounds), ..Fixture::new() };
    fixture.open(1, "", 1, 0).expect("room");
    fixture.find(1, "", 1, 0).expect("open").1 = false;
    let now = fixture.at(0);
    assert_eq!(fixture.sessions.end_expired(now), []);
    assert!(fixture.open(2, "", 1, 0).is_ok());
}

#[test]
fn many_incarnations_of_one_client_take_one_place() {
    let mut fixture = Fixture::new();
    for incarnation in 1..=1000 {
        assert!(fixture.open(1, "", incarnation, 0).is_ok());
    }
    assert_eq!(fixture.sessions.len(), 1);
    let now = fixture.at(60);
    assert_eq!(fixture.sessions.end_expired(now).len(), 1);
}

#[test]
fn of_the_ended_the_oldest_are_forgotten() {
    let mut fixture = Fixture::new();
    fixture.open(1, "", 1, 0).expect("room");
    fixture.open(2, "", 1, 1).expect("room");
    let now = fixture.at(100);
    assert_eq!(fixture.sessions.end_expired(now).len(), 2);
    assert_eq!(fixture.find(1, "", 1, 100), Err(Refused::Expired), "still no session that it could run in");
    assert_eq!(fixture.open(2, "", 1, 100), Err(Unopened::Refused(Refused::Expired)));
    assert_eq!(fixture.open(1, "", 1, 100), Ok(Opened::New { replaced: None }), "its client is told that it is new");
}
