//! What goes on in a run besides the network: machines are started, faults come and go, clients come to their ends.

use std::cell::RefCell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fibra_scheduler::park::{self, Reason, Unparker};
use fibra_scheduler::seeded::{self, Host, World};

use super::builder::Ending;
use super::current::Shared;
use super::faults::{CALM, Plan};
use super::network::{Hosts, Network};
use super::report::Cause;
use super::rule::{Rule, Rules};

/// What runs on a machine.
pub(super) struct Role {
    pub(super) main: Rc<dyn Fn() -> Ending>,
    pub(super) is_client: bool,
    pub(super) is_done: bool,
}

/// What goes on in a run, besides the network.
struct Play {
    cast: Vec<Role>,
    clients: Vec<bool>,
    clients_left: usize,
    plan: Plan,
    /// Those that have not begun, and those that have.
    rules: Vec<Rule>,
    under_way: Rules,
    failure: Option<Cause>,
    audience: Option<Unparker>,
}

impl Play {
    fn new(cast: Vec<Role>, rules: Vec<Rule>, plan: Plan) -> Self {
        let clients: Vec<_> = cast.iter().map(|role| role.is_client).collect();
        let clients_left = clients.iter().filter(|is_client| **is_client).count();
        let under_way = Rules::default();
        Self { cast, clients, clients_left, plan, rules, under_way, failure: None, audience: None }
    }

    /// What runs on `machine` has come to its end.
    fn end(&mut self, machine: u16, ended: Result<(), Cause>) {
        let role = &mut self.cast[usize::from(machine)];
        match ended {
            Ok(()) if role.is_client && !mem::replace(&mut role.is_done, true) => self.clients_left -= 1,
            Ok(()) => {}
            Err(cause) => self.fail(cause),
        }
        self.tell();
    }

    fn fail(&mut self, cause: Cause) {
        self.failure.get_or_insert(cause);
    }

    fn tell(&self) {
        if let Some(audience) = &self.audience {
            audience.unpark();
        }
    }
}

/// The run, from the first boot to the last crash.
pub(super) struct Stage {
    shared: Arc<Shared>,
    play: RefCell<Play>,
}

impl Stage {
    pub(super) fn new(shared: &Arc<Shared>, cast: Vec<Role>, rules: Vec<Rule>, plan: Plan) -> Rc<Self> {
        Rc::new(Self { shared: Arc::clone(shared), play: RefCell::new(Play::new(cast, rules, plan)) })
    }

    /// The run's first fiber: starts all, and waits for the end.
    pub(super) fn perform(self: Rc<Self>) -> Result<(), (Cause, Duration)> {
        self.play.borrow_mut().audience = Some(park::current());
        let machines = 0..self.play.borrow().cast.len() as u16;
        machines.clone().for_each(|machine| Rc::clone(&self).boot(machine));
        let rules = mem::take(&mut self.play.borrow_mut().rules);
        rules.into_iter().for_each(|rule| self.begin(rule));
        let ended = loop {
            let mut play = self.play.borrow_mut();
            if let Some(cause) = play.failure.take() {
                break Err(cause);
            }
            if play.clients_left == 0 {
                break Ok(());
            }
            drop(play);
            if park::wait(Reason::Parked, None).is_err() {
                // The run is given up: what is said here nobody hears.
                break Ok(());
            }
        };
        let at = seeded::elapsed().unwrap_or_default();
        self.shared.with(|state| {
            state.is_over = true;
            machines.for_each(|machine| state.lose(machine));
        });
        ended.map_err(|cause| (cause, at))
    }

    fn begin(self: &Rc<Self>, Rule { name, act }: Rule) {
        let stage = Rc::clone(self);
        let fiber = fibra_scheduler::Builder::new().name(&*name);
        let run = move || {
            let (network, hosts) = (Network(Arc::clone(&stage.shared)), Hosts(Arc::clone(&stage.shared)));
            let ended = catch_unwind(AssertUnwindSafe(|| act(&network, &hosts)));
            let is_over = stage.shared.with(|state| state.is_over);
            let mut play = stage.play.borrow_mut();
            if let Err(cause) = cause_of(ended, &name)
                && !is_over
                && !play.under_way.is_over()
            {
                play.fail(cause);
                play.tell();
            }
        };
        let begun = fiber.spawn_local(run);
        let mut play = self.play.borrow_mut();
        match begun {
            Ok(rule) => play.under_way.add(rule),
            Err(error) => play.fail(Cause::Start(error.to_string())),
        }
    }

    /// Starts a machine that is down.
    fn boot(self: Rc<Self>, machine: u16) {
        let started = self.shared.with(|state| {
            let it = state.machine(machine);
            if it.host.is_some() {
                return None;
            }
            let host = Host::boot(it.skew);
            it.host = Some(host);
            it.boots += 1;
            let name = it.name.clone();
            state.tell("boot", machine, machine, 0);
            Some((host, name))
        });
        let Some((host, name)) = started else { return };
        let main = Rc::clone(&self.play.borrow().cast[usize::from(machine)].main);
        let stage = Rc::clone(&self);
        let run = {
            let name = name.clone();
            move || {
                let ended = catch_unwind(AssertUnwindSafe(|| main()));
                drop(main);
                // What it says after its crash nobody hears.
                if host.is_up() {
                    stage.play.borrow_mut().end(machine, cause_of(ended, &name));
                }
            }
        };
        if let Err(error) = host.spawn(fibra_scheduler::Builder::new().name(&*name), run) {
            self.play.borrow_mut().end(machine, Err(Cause::Start(error.to_string())));
        }
    }
}

fn cause_of(ended: std::thread::Result<Ending>, name: &str) -> Result<(), Cause> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Cause::Error { host: name.to_owned(), error: error.to_string() }),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            Err(Cause::Panic { host: name.to_owned(), message: text.unwrap_or_else(|| "no text".to_owned()) })
        }
    }
}

/// The network, and what is done to it.
pub(super) struct Around(pub(super) Rc<Stage>);

impl World for Around {
    fn next(&self) -> Option<Duration> {
        self.0.shared.next().map(Duration::from_nanos)
    }

    fn happen(&mut self, _now: Duration) {
        let stage = &self.0;
        let (faults, boots) = stage.shared.with(|state| (mem::take(&mut state.faults), mem::take(&mut state.boots)));
        for (fault, begins) in faults {
            let mut play = stage.play.borrow_mut();
            let Play { plan, clients, under_way, .. } = &mut *play;
            if fault == CALM {
                under_way.end();
            }
            stage.shared.with(|state| plan.act(state, fault, begins, clients));
        }
        boots.into_iter().for_each(|machine| Rc::clone(stage).boot(machine));
    }
}
