//! The mains of a run's hosts: servers, clients, and the auditor, who sees that nothing is left over.
//!
//! ```text
//!   client   connect ─▶ calls, while faults are on ─▶ calls, until one of each kind succeeds ─▶ hang up ─▶ nothing is left
//!   auditor                                                                                      all have ─▶ close the servers
//!   server   bind ─▶ serve ─▶ drain, now and then ─▶ bind ...                                                └─▶ nothing is left
//! ```

use std::time::Duration;

use fibra::clock;
use fibra::rpc::client::{Hedging, Keepalive, RetryPolicy};
use fibra::rpc::{Channel, Limits, Server};
use fibra::seeded::{self, Host};
use fibra::sim::{Ending, Hosts};

use super::around::{self, Luggage};
use super::caller::Caller;
use super::desk::{Clerk, DeskClient, DeskServer, Task};
use super::ledger::Kind;
use super::plan::{ClientPlan, Dice, ServerPlan};
use super::stage::Stage;

const PORT: u16 = 7000;

/// Before trying again what failed at the start.
const PAUSE: Duration = Duration::from_millis(20);

/// A lease that is over when the auditor comes.
const SHORT: Duration = Duration::from_secs(10);

pub(crate) fn server_name(number: usize) -> String {
    format!("server{number}")
}

pub(crate) fn client_name(number: usize) -> String {
    format!("client{number}")
}

/// The main of server `number`.
pub(crate) fn serve(stage: &Stage, number: usize, hosts: &Hosts) -> Ending {
    let name = server_name(number);
    let plan = &stage.plan.servers[number];
    let mut dice = Dice::new(stage.plan.seed, 100 + number as u64 + 1_000 * u64::from(hosts.boots(&name)));
    let mut lives = hosts.boots(&name);
    loop {
        // Who starts it anew may have set it otherwise.
        let mut anew = Dice::new(stage.plan.seed, 10_000 + number as u64 + 100 * u64::from(lives));
        let window = if lives > 1 && anew.one_in(2) { anew.of(&[1, 3, 16]) } else { plan.window };
        lives += 1;
        let server = bind(stage, &ServerPlan { window, ..plan.clone() })?;
        let drain = match plan.drains {
            Some((after, _)) if seeded::elapsed().is_some_and(|now| now < stage.plan.until) => {
                Some(clock::now() + dice.up_to(after))
            }
            _ => None,
        };
        if stage.wait(number, drain)? {
            is_empty(stage, plan, &server, &name)?;
            server.shutdown();
            drop(server);
            has_nothing(stage, &name, hosts)?;
            stage.server_ends();
            return Ok(());
        }
        server.drain(plan.drains.map_or(Duration::ZERO, |(_, timeout)| timeout));
        drop(server);
        fibra::sleep(dice.up_to(PAUSE))?;
    }
}

fn bind(stage: &Stage, plan: &ServerPlan) -> Result<Server, fibra::cancel::Interrupted> {
    let life = stage.ledger.life(plan.waiting_max, plan.window, plan.lease > SHORT, plan.is_strict);
    let mut limits = Limits::default();
    (limits.window, limits.in_flight) = (plan.window, plan.in_flight);
    limits.buffered_bytes = plan.buffered_bytes;
    loop {
        let mut builder = Server::builder()
            .service(DeskServer::new(Clerk { ledger: stage.ledger.clone(), life }))
            .limits(limits)
            .waiting_max(plan.waiting_max)
            .session_lease(plan.lease);
        if plan.is_strict {
            builder = builder.middleware(around::strict(stage.ledger.clone(), life));
        }
        match builder.bind(("0.0.0.0", PORT)) {
            Ok(server) => return Ok(server),
            // Out of sockets, or the one before has not let go.
            Err(_) => fibra::sleep(PAUSE)?,
        }
    }
}

/// All clients have hung up.
fn is_empty(stage: &Stage, plan: &ServerPlan, server: &Server, name: &str) -> Ending {
    let gauge = |metrics: &str, name: &str| -> u64 {
        let line = metrics.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(u64::MAX)
    };
    let mut left = String::new();
    let is_so = stage.wait_for(|| {
        let metrics = server.metrics();
        let connections = gauge(&metrics, "fibra_rpc_connections");
        let waiting = gauge(&metrics, "fibra_rpc_waiting_calls");
        let buffered = gauge(&metrics, "fibra_rpc_buffered_bytes");
        left = format!("{connections} connections, {waiting} calls, {buffered} bytes");
        connections + waiting + buffered == 0
    })?;
    stage.expect(is_so, || format!("{name} has still {left}"));
    if plan.lease < SHORT {
        // Leases are looked at when connections come and go.
        fibra::sleep(plan.lease * 2)?;
        drop(Channel::connect(("127.0.0.1", PORT)));
        let sessions = gauge(&server.metrics(), "fibra_rpc_sessions");
        stage.expect(sessions <= 1, || format!("{name} has still {sessions} sessions, one of them its own"));
        stage.wait_for(|| server.connections() == 0)?;
    }
    Ok(())
}

/// What this host had is gone.
fn has_nothing(stage: &Stage, name: &str, hosts: &Hosts) -> Ending {
    let left = || (Host::current().map_or(0, Host::fibers), hosts.descriptors(name));
    let is_so = stage.wait_for(|| left() == (1, 0))?;
    stage.expect(is_so, || {
        let (fibers, sockets) = left();
        format!("{name} has still {fibers} fibers, this one included, and {sockets} sockets")
    });
    Ok(())
}

fn connect(stage: &Stage, plan: &ClientPlan) -> Result<DeskClient, fibra::cancel::Interrupted> {
    let addrs = || plan.targets.iter().map(|&number| (server_name(number), PORT));
    loop {
        let mut limits = Limits::default();
        (limits.window, limits.in_flight) = (plan.window, plan.in_flight);
        limits.buffered_bytes = plan.buffered_bytes.unwrap_or(limits.buffered_bytes);
        let keepalive = plan.keepalive.map(|(after, timeout)| {
            let mut keepalive = Keepalive::default();
            (keepalive.after, keepalive.timeout) = (after, timeout);
            keepalive
        });
        let builder = Channel::builder().limits(limits).keepalive(keepalive).idle_timeout(plan.idle_timeout);
        let connected = match &plan.targets[..] {
            [_] => builder.connect(addrs().next().as_ref().map(|(name, port)| (&**name, *port)).unwrap_or_default()),
            _ => builder.connect_to(addrs().collect::<Vec<_>>().iter().map(|(name, port)| (&**name, *port))),
        };
        match connected {
            Ok(channel) => {
                let mut desk = match plan.around {
                    Some(around) => DeskClient::new(channel.with_middleware(around::at_client(around))),
                    None => DeskClient::new(channel),
                };
                if let Some(attempts) = plan.attempts {
                    desk = desk.retry(RetryPolicy::default().attempts(attempts));
                }
                if let Some(delay) = plan.hedge {
                    desk = desk.hedge(Hedging::after(delay));
                }
                return Ok(desk);
            }
            Err(_) if seeded::elapsed().is_some_and(|now| now > stage.plan.until + Duration::from_secs(60)) => {
                stage.ledger.breaks("a client never connects".to_owned());
                fibra::sleep(Duration::from_secs(1_000))?;
            }
            Err(_) => fibra::sleep(PAUSE)?,
        }
    }
}

/// The main of client `number`.
pub(crate) fn call(stage: &Stage, number: usize, hosts: &Hosts) -> Ending {
    let name = client_name(number);
    let plan = &stage.plan.clients[number];
    let boot = u64::from(hosts.boots(&name));
    let desk = connect(stage, plan)?;
    let caller = |fiber: usize| Caller {
        plan,
        desk: &desk,
        ledger: &stage.ledger,
        client: 1_000 * boot as u32 + number as u32,
        number: stage.fiber(),
        ordered: 0,
        dice: Dice::new(stage.plan.seed, (number as u64 + 1) * 1_000_000 + boot * 1_000 + fiber as u64),
    };
    fibra::scope(|scope| {
        for fiber in 0..plan.fibers {
            let mut caller = caller(fiber);
            // Not `Send`: it stays on this thread like all others of the run.
            scope.spawn_local(move || {
                for _ in 0..plan.calls {
                    if seeded::elapsed().is_none_or(|now| now >= stage.plan.until) {
                        break;
                    }
                    caller.act();
                    if fibra::sleep(caller.dice.up_to(plan.pause)).is_err() {
                        break;
                    }
                }
            });
        }
    });
    while seeded::elapsed().is_some_and(|now| now <= stage.plan.until) {
        fibra::sleep(PAUSE)?;
    }
    recover(stage, &caller(plan.fibers), &name)?;
    let in_flight = desk.channel().stats().in_flight;
    stage.expect(in_flight == 0, || format!("{name} has {in_flight} calls in flight, and waits for none"));
    drop(desk);
    has_nothing(stage, &name, hosts)?;
    stage.client_ends();
    Ok(())
}

/// Nothing disturbs any more: calls of each kind succeed again.
fn recover(stage: &Stage, caller: &Caller<'_>, name: &str) -> Ending {
    let timeout = Duration::from_secs(5);
    let desk = caller.desk.within(timeout);
    let task = |kind| {
        let id = stage.ledger.call(kind, "recovery");
        let luggage = Luggage { call: id, bytes: None, is_signed: caller.plan.around.is_some() };
        Task { id, client: caller.client, luggage, micros: 0, bytes: 0 }
    };
    let mut last = String::new();
    let is_well = stage.wait_for(|| {
        let task = task(Kind::Again);
        let result = desk.again(task);
        last = format!("{result:?}");
        result.is_ok()
    })?;
    stage.expect(is_well, || format!("idempotent calls of {name} never succeed again: {last}"));
    let is_well = stage.wait_for(|| {
        let task = task(Kind::Once);
        let result = desk.once(task);
        last = format!("{result:?}");
        result.is_ok()
    })?;
    stage.expect(is_well, || format!("at-most-once calls of {name} never succeed again: {last}"));
    Ok(())
}

/// The main of the auditor.
pub(crate) fn audit(stage: &Stage) -> Ending {
    while stage.clients_left() > 0 {
        fibra::sleep(Duration::from_millis(250))?;
    }
    stage.close();
    while stage.servers_left() > 0 {
        fibra::sleep(Duration::from_millis(250))?;
    }
    Ok(())
}
