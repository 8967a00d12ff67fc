//! Fibers that wait, each for something else, to be looked at from outside: with SIGQUIT, or with gdb. See docs/debugging.md.
//!
//! ```text
//! cargo run --release --example waiting
//! ```
//!
//! It says when all are in place, and ends when its standard input does.

use std::io::{self, Read};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use fibra::net::TcpListener;
use fibra::park::{self, Reason};
use fibra::sync::Mutex;
use fibra::sync::channel::{self, Receiver};
use fibra::{Builder, JoinHandle, yield_now};

fn main() -> io::Result<()> {
    fibra::runtime::builder().workers(2).dump_on_sigquit(true).run(|| {
        // On this worker, those that wait. Each waits as soon as it runs, so after one yield all do.
        let ledger = Rc::new(Mutex::new(0));
        let ledger2 = ledger.clone();
        let holder = Builder::new().name("holder").spawn_local(move || holds(&ledger))?;
        let _waiter = Builder::new().name("waiter").spawn_local(move || waits_for_lock(&ledger2))?;
        let _joiner = Builder::new().name("joiner").spawn_local(move || joins(holder))?;
        let _acceptor = Builder::new().name("acceptor").spawn_local(accepts)?;
        let (sender, receiver) = channel::bounded::<u64>(1);
        let _receiver =
            Builder::new().name("receiver").stack_size(64 << 10).spawn_local(move || receives(&receiver))?;
        yield_now();
        // On the other, one that keeps it. Nobody but that worker can start it, since this one waits here, as no fiber should.
        let (started, has_started) = mpsc::channel();
        let reader = Builder::new().name("reader").spawn(move || keeps_its_worker(&started))?;
        has_started.recv().expect("the reader says so before it ends");
        println!("all fibers of process {} are in place; end of input ends it", std::process::id());
        reader.join().expect("it does not panic")?;
        drop(sender);
        Ok(())
    })?
}

#[inline(never)]
fn holds(ledger: &Mutex<u64>) {
    let _held = ledger.lock();
    // Cut short when the program ends.
    let _cancelled = fibra::sleep(Duration::from_secs(24 * 3600));
}

#[inline(never)]
fn waits_for_lock(ledger: &Mutex<u64>) {
    *ledger.lock() += 1;
}

#[inline(never)]
fn joins(other: JoinHandle<()>) {
    other.join().expect("it does not panic");
}

#[inline(never)]
fn accepts() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.accept().map(drop)
}

#[inline(never)]
fn receives(receiver: &Receiver<u64>) {
    // Nothing comes but the end.
    let _disconnected = receiver.recv();
}

#[inline(never)]
fn is_woken() {
    park::park(Reason::Parked);
}

/// Reads by std, so that the worker's thread waits. Behind it there are a fiber that could run, and one that could start.
#[inline(never)]
fn keeps_its_worker(started: &mpsc::Sender<()>) -> io::Result<()> {
    let woken = Builder::new().name("woken").spawn_local(is_woken)?;
    yield_now();
    woken.unparker().unpark();
    let _late = Builder::new().name("late").spawn_local(|| ())?;
    started.send(()).expect("the first fiber waits for it");
    io::stdin().lock().read_to_end(&mut Vec::new()).map(drop)
}
