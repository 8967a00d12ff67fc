//! `EMFILE`: `accept` says so, `incoming` waits until it has passed. Meanwhile the connections that are there are served, and nothing
//! spins; afterwards it takes up to 50 ms.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use fibra::clock;
use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, LOST, counters, join, kind, on_one_worker, pair, spawn_waiting, with_descriptors};

/// Long enough that the pauses are as long as they get.
const FOR_LONG: Duration = Duration::from_millis(300);

/// Takes all descriptors that are left.
fn take_all() -> (Vec<File>, io::Error) {
    let mut hogs = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(hog) => hogs.push(hog),
            Err(error) => return (hogs, error),
        }
    }
}

#[test]
fn incoming_goes_on_when_there_are_descriptors_again() -> io::Result<()> {
    let test = "accepting_outlives_running_out_of_descriptors::incoming_goes_on_when_there_are_descriptors_again";
    with_descriptors(64, test, || on_one_worker(run_out_and_recover))
}

fn run_out_and_recover() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let _client = TcpStream::connect(listener.local_addr()?)?;
    let (hogs, full) = take_all();
    let hogs = Rc::new(RefCell::new(hogs));
    let refused = listener.accept().expect_err("a descriptor is left");
    assert_eq!(refused.raw_os_error(), full.raw_os_error());
    // The connection is there, so the loop can have parked only because it backs off.
    let server = spawn_waiting(move || listener.incoming().next().transpose());
    assert!(!server.is_finished());
    hogs.borrow_mut().clear();
    assert!(join(server)?.is_some());
    Ok(())
}

#[test]
fn neither_spinning_nor_waiting_for_long() -> io::Result<()> {
    let test = "accepting_outlives_running_out_of_descriptors::neither_spinning_nor_waiting_for_long";
    with_descriptors(64, test, || on_one_worker(be_quiet_and_quick))
}

fn be_quiet_and_quick() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let addr = listener.local_addr()?;
    let (mut silent, _peer) = pair()?;
    silent.set_read_timeout(Some(FOR_LONG))?;
    let mut recoveries = Vec::new();
    // The machine may be slow at times, but not each time.
    for _ in 0..5 {
        let _client = TcpStream::connect(addr)?;
        let (hogs, _) = take_all();
        let listener = listener.try_clone()?;
        let server = spawn_waiting(move || {
            let accepted = listener.incoming().next();
            accepted.expect("it ends with an error").map(|_| clock::now())
        });
        let before = counters().polls;
        assert_eq!(kind(silent.read(&mut [0])), io::ErrorKind::TimedOut);
        let polls = counters().polls - before;
        assert!(polls < 60, "the worker has looked outside {polls} times in {FOR_LONG:?}");
        assert!(!server.is_finished());
        drop(hogs);
        let there_are_some = clock::now();
        recoveries.push(join(server)?.duration_since(there_are_some));
    }
    assert!(recoveries.iter().any(|took| *took < Duration::from_millis(100)), "{recoveries:?}");
    Ok(())
}

#[test]
fn each_time_with_short_pauses_at_first() -> io::Result<()> {
    let test = "accepting_outlives_running_out_of_descriptors::each_time_with_short_pauses_at_first";
    with_descriptors(64, test, || on_one_worker(recover_again_and_again))
}

fn recover_again_and_again() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let addr = listener.local_addr()?;
    let accepted = Rc::new(RefCell::new(Vec::new()));
    let server = spawn_waiting({
        let accepted = Rc::clone(&accepted);
        move || listener.incoming().map_while(Result::ok).for_each(|_| accepted.borrow_mut().push(clock::now()))
    });
    let mut recoveries = Vec::new();
    for round in 0..11 {
        let (mut hogs, _) = take_all();
        // The last one is for this end of the connection.
        hogs.pop();
        let _client = TcpStream::connect(addr)?;
        fibra::sleep(if round == 0 { FOR_LONG } else { Duration::from_millis(3) })?;
        assert_eq!(accepted.borrow().len(), round);
        drop(hogs);
        let there_are_some = clock::now();
        while accepted.borrow().len() == round {
            fibra::sleep(Duration::from_millis(1))?;
        }
        recoveries.push(accepted.borrow()[round].duration_since(there_are_some));
    }
    assert!(recoveries[1..].iter().any(|took| *took < Duration::from_millis(30)), "{recoveries:?}");
    server.cancel();
    join(server);
    Ok(())
}

#[test]
fn while_connections_are_served() -> io::Result<()> {
    let test = "accepting_outlives_running_out_of_descriptors::while_connections_are_served";
    with_descriptors(64, test, || fibra::runtime::builder().workers(2).run(serve_meanwhile)?)
}

fn serve_meanwhile() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let addr = listener.local_addr()?;
    let server = {
        let listener = listener.try_clone()?;
        fibra::spawn(move || {
            listener.serve(|stream, _| {
                // Until its client has gone.
                let _ = io::copy(&mut &stream, &mut &stream);
            })
        })
    };
    let ping = |mut stream: &TcpStream| {
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])
    };
    let served = TcpStream::connect(addr)?;
    served.set_read_timeout(Some(LOST))?;
    ping(&served)?;
    let (mut hogs, _) = take_all();
    // The last one is for this end of a connection, so there is none for the other.
    hogs.pop();
    let waiting = TcpStream::connect(addr)?;
    waiting.set_read_timeout(Some(Duration::from_millis(20)))?;
    assert_eq!(kind(ping(&waiting)), io::ErrorKind::TimedOut);
    for _ in 0..1_000 {
        ping(&served)?;
    }
    drop(hogs);
    waiting.set_read_timeout(Some(LOST))?;
    (&waiting).read_exact(&mut [0])?;
    listener.shutdown()?;
    join(server)
}
