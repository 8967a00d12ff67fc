//! All sessions of a server, beside a model of whose they are.
//!
//! Which of several idle sessions makes room for another is not modelled: the sessions tell that they have ended.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use fibra_rpc::session::table::{Bounds, Endable, Opened, Unopened};
use fibra_rpc::session::{ClientId, Principal, Refused, Sessions};

const BOUNDS: Bounds = Bounds { live_max: 4, ended_max: usize::MAX, lease: Duration::from_secs(60) };

#[derive(Arbitrary, Debug)]
pub enum Step {
    Open {
        client: u8,
        principal: bool,
        incarnation: u8,
    },
    Find {
        client: u8,
        principal: bool,
        incarnation: u8,
    },
    /// Something of it runs from now on, or nothing does.
    Busy {
        client: u8,
        busy: bool,
    },
    Wait {
        seconds: u8,
    },
    EndExpired,
}

/// Alive for as long as somebody else has a share of it.
struct Session(Rc<Cell<bool>>);

impl Endable for Session {
    fn is_idle(&self) -> bool {
        !self.0.get()
    }
}

struct Known {
    principal: bool,
    incarnation: u8,
    is_busy: Rc<Cell<bool>>,
    heard_at: Instant,
}

impl Known {
    fn is_live(&self) -> bool {
        Rc::strong_count(&self.is_busy) > 1
    }
}

pub fn run(steps: &[Step]) {
    let mut sessions: Sessions<Session> = Sessions::new(BOUNDS);
    let mut clients: BTreeMap<u8, Known> = BTreeMap::new();
    // Any instant will do, as long as there are some before it.
    let mut now = Instant::now() + Duration::from_secs(3600);
    for step in steps {
        let live_before: Vec<u8> = clients.iter().filter(|(_, known)| known.is_live()).map(|(&id, _)| id).collect();
        match *step {
            Step::Open { client, principal, incarnation } => {
                open(&mut sessions, &mut clients, client % 8, principal, incarnation % 4, now);
            }
            Step::Find { client, principal, incarnation } => {
                let (client, incarnation) = (client % 8, incarnation % 4);
                let refused = refusal(clients.get(&client), principal, incarnation);
                let found = sessions.find(id(client), &credentials(principal), incarnation.into(), now);
                assert_eq!(found.map(drop).err(), refused);
                if refused.is_none() {
                    clients.get_mut(&client).expect("it was found").heard_at = now;
                }
            }
            Step::Busy { client, busy } => {
                clients.get(&(client % 8)).into_iter().for_each(|known| known.is_busy.set(busy));
            }
            Step::Wait { seconds } => now += Duration::from_secs(seconds.into()),
            Step::EndExpired => {
                let ended = sessions.end_expired(now);
                assert!(ended.iter().all(Endable::is_idle));
                drop(ended);
                let is_over = |known: &Known| now - known.heard_at >= BOUNDS.lease;
                let ended = live_before.iter().map(|client| &clients[client]).filter(|known| !known.is_live());
                assert!(ended.into_iter().all(is_over));
            }
        }
        assert_eq!(sessions.len(), clients.values().filter(|known| known.is_live()).count());
        assert!(sessions.len() <= BOUNDS.live_max);
        let lost =
            live_before.iter().map(|client| &clients[client]).find(|known| !known.is_live() && known.is_busy.get());
        assert!(lost.is_none(), "a session at work has ended");
    }
}

fn open(
    sessions: &mut Sessions<Session>,
    clients: &mut BTreeMap<u8, Known>,
    client: u8,
    principal: bool,
    incarnation: u8,
    now: Instant,
) {
    drop(sessions.end_expired(now));
    let refused = refusal(clients.get(&client), principal, incarnation);
    let is_busy = Rc::new(Cell::new(false));
    let new = || Session(Rc::clone(&is_busy));
    let opened = sessions.open(id(client), &credentials(principal), incarnation.into(), now, new);
    let is_new = match (refused, clients.get(&client)) {
        (None, _) => {
            assert!(matches!(opened, Ok(Opened::Resumed)));
            clients.get_mut(&client).expect("it is known").heard_at = now;
            return;
        }
        (Some(_), None) => true,
        (Some(Refused::WrongIncarnation { current }), Some(_)) => current < incarnation.into(),
        (Some(_), Some(_)) => false,
    };
    match opened {
        _ if !is_new => assert!(matches!(opened, Err(Unopened::Refused(refusal)) if Some(refusal) == refused)),
        Ok(Opened::New { replaced }) => {
            assert_eq!(replaced.is_some(), clients.get(&client).is_some_and(Known::is_live));
            drop(replaced);
            clients.insert(client, Known { principal, incarnation, is_busy, heard_at: now });
        }
        Err(Unopened::Full { max }) => {
            assert_eq!((max, sessions.len()), (BOUNDS.live_max, BOUNDS.live_max));
            assert!(clients.values().all(|known| !known.is_live() || known.is_busy.get()), "there was one to end");
        }
        Ok(Opened::Resumed) | Err(_) => panic!("a new session was refused, or is said to be resumed"),
    }
}

/// Why a session is not found, if it is not.
fn refusal(known: Option<&Known>, principal: bool, incarnation: u8) -> Option<Refused> {
    match known {
        None => Some(Refused::Expired),
        Some(known) if known.principal != principal => Some(Refused::NotYours),
        Some(known) if known.incarnation != incarnation => {
            Some(Refused::WrongIncarnation { current: known.incarnation.into() })
        }
        Some(known) => (!known.is_live()).then_some(Refused::Expired),
    }
}

fn id(client: u8) -> ClientId {
    ClientId([client; 16])
}

fn credentials(principal: bool) -> Principal {
    Principal::new(if principal { &b"one"[..] } else { b"one, and more" })
}
