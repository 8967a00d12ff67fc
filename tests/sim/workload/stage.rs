//! Where a run is: who has come to its end, and what servers are to do.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use super::plan::Plan;
use fibra::cancel::Interrupted;
use fibra::park::{self, Reason, Unparker};
use fibra::sim::{Fault, Trouble};

/// How long whatever was broken may take to mend, once nothing disturbs any more: longer than any caller waits, for what comes of a call that a client
/// has left behind may wait as long.
const PATIENCE: Duration = Duration::from_secs(400);

/// What goes on.
#[derive(Debug, Default)]
struct Scene {
    /// The servers' fibers that wait for it, by number.
    waiting: Vec<Option<Unparker>>,
    clients_left: usize,
    servers_left: usize,
    closes: bool,
    fibers: u64,
}

/// See the [module](self). A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) plan: Rc<Plan>,
    pub(crate) ledger: Ledger,
    scene: Rc<RefCell<Scene>>,
}

impl Stage {
    pub(crate) fn new(plan: Plan) -> Self {
        let servers = plan.servers.len();
        let scene = Scene {
            waiting: vec![None; servers],
            clients_left: plan.clients.len(),
            servers_left: servers,
            ..Scene::default()
        };
        let pauses_clients = |fault: &Fault| fault.what == Trouble::Pause && !fault.hosts.is_empty();
        let ledger = Ledger::new(plan.faults.faults.iter().any(pauses_clients), plan.promptness());
        Self { plan: Rc::new(plan), ledger, scene: Rc::new(RefCell::new(scene)) }
    }

    /// A number for a fiber that calls.
    pub(crate) fn fiber(&self) -> u64 {
        let mut scene = self.scene.borrow_mut();
        scene.fibers += 1;
        scene.fibers
    }

    pub(crate) fn client_ends(&self) {
        self.scene.borrow_mut().clients_left -= 1;
    }

    pub(crate) fn clients_left(&self) -> usize {
        self.scene.borrow().clients_left
    }

    pub(crate) fn server_ends(&self) {
        self.scene.borrow_mut().servers_left -= 1;
    }

    pub(crate) fn servers_left(&self) -> usize {
        self.scene.borrow().servers_left
    }

    /// Something is not as it has to be.
    pub(crate) fn expect(&self, is_so: bool, what: impl FnOnce() -> String) {
        if !is_so && super::ledger::is_up() {
            self.ledger.breaks(what());
        }
    }

    /// Waits until that is so, or for so long that it never will be.
    pub(crate) fn wait_for(&self, mut is_so: impl FnMut() -> bool) -> Result<bool, Interrupted> {
        let mut waited = Duration::ZERO;
        while !is_so() {
            if waited > PATIENCE {
                return Ok(false);
            }
            let pause = (waited / 4).max(Duration::from_millis(1));
            fibra::sleep(pause)?;
            waited += pause;
        }
        Ok(true)
    }

    /// Tells all servers to end.
    pub(crate) fn close(&self) {
        let mut scene = self.scene.borrow_mut();
        scene.closes = true;
        let waiting: Vec<_> = scene.waiting.iter_mut().filter_map(Option::take).collect();
        drop(scene);
        waiting.into_iter().for_each(|server| server.unpark());
    }

    /// Waits as server `number` until then, or until it is to end: whether it is.
    pub(crate) fn wait(&self, number: usize, until: Option<Instant>) -> Result<bool, Interrupted> {
        while !self.closes() {
            self.scene.borrow_mut().waiting[number] = Some(park::current());
            match park::wait(Reason::Parked, until) {
                Err(Interrupted::TimedOut) => break,
                waited => waited?,
            }
        }
        Ok(self.closes())
    }

    pub(crate) fn closes(&self) -> bool {
        self.scene.borrow().closes
    }
}
