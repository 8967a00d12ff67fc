//! The peers of other languages: Go, and boost.fiber of C++, where their compilers are installed.
//!
//! ```text
//! apt install golang libboost-fiber-dev
//! cargo bench --bench foreign
//! ```
//!
//! Every measurement is a process of its own, all pinned to one CPU, one after the other in turns; the table has the medians. What the
//! operations are is said where the peers of our own language run them: `switch.rs`, `channel.rs`, `spawn.rs`.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use fibra::sync::channel;
use peers::{in_fibra, now, pin_to_one_cpu, time};

mod peers;

/// How often each peer has its turn.
const TURNS: usize = 9;

struct Operation {
    name: &'static str,
    /// How many of them one round does.
    in_a_round: u64,
    /// As many as take some tens of milliseconds.
    rounds: u64,
    fibra: fn(u64) -> Duration,
}

const OPERATIONS: [Operation; 4] = [
    Operation { name: "yield", in_a_round: 1000, rounds: 3000, fibra: yields },
    Operation { name: "channel", in_a_round: 2, rounds: 300_000, fibra: messages },
    Operation { name: "spawn one", in_a_round: 1, rounds: 300_000, fibra: |rounds| spawns(rounds, 1) },
    Operation { name: "spawn 900", in_a_round: 900, rounds: 300, fibra: |rounds| spawns(rounds, 900) },
];

struct Peer {
    name: &'static str,
    program: PathBuf,
}

fn main() {
    // In a process of its own, like the others: `foreign OPERATION ROUNDS`.
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    if let (Some(name), Some(rounds)) = (arguments.next(), arguments.next()) {
        let operation = OPERATIONS.iter().find(|operation| operation.name == name).expect("an operation");
        println!("{}", (operation.fibra)(rounds.parse().expect("a number")).as_nanos());
        return;
    }

    pin_to_one_cpu(); // And with it all that it starts.
    let peers = build_peers();
    print!("{:<12}", "ns each");
    peers.iter().for_each(|peer| print!("{:>22}", peer.name));
    println!();
    for operation in &OPERATIONS {
        let mut samples = vec![Vec::new(); peers.len()];
        for _ in 0..TURNS {
            for (peer, samples) in peers.iter().zip(&mut samples) {
                samples.push(run(peer, operation));
            }
        }
        print!("{:<12}", operation.name);
        let medians: Vec<f64> = samples.into_iter().map(median).collect();
        for median in &medians {
            print!("{median:>12.1} ({:>5.2} x)", median / medians[0]);
        }
        println!();
    }
}

/// This program, and what there is a compiler for.
fn build_peers() -> Vec<Peer> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign");
    fs::create_dir_all(&built).expect("a place to build in");
    let mut peers = vec![Peer { name: "fibra", program: env::current_exe().expect("this program") }];

    let go = built.join("go");
    let mut compile = Command::new("go");
    compile.args(["build", "-o"]).arg(&go).arg(sources.join("peer.go"));
    peers.extend(build("go", go, compile));

    let boost = built.join("boost");
    let mut compile = Command::new("g++");
    compile.args(["-O3", "-march=native", "-DNDEBUG", "-std=c++17", "-o"]).arg(&boost).arg(sources.join("peer.cpp"));
    compile.args(["-lboost_fiber", "-lboost_context"]);
    peers.extend(build("boost.fiber", boost, compile));
    peers
}

fn build(name: &'static str, program: PathBuf, mut compile: Command) -> Option<Peer> {
    let is_built = compile.status().is_ok_and(|status| status.success());
    if !is_built {
        eprintln!("{name} is left out: `{}` failed", compile.get_program().display());
    }
    is_built.then_some(Peer { name, program })
}

/// What one operation took, in nanoseconds.
fn run(peer: &Peer, operation: &Operation) -> f64 {
    let arguments = [operation.name.to_owned(), operation.rounds.to_string()];
    let output = Command::new(&peer.program).args(arguments).output().expect("a program that was just built");
    assert!(output.status.success(), "{} failed: {}", peer.name, String::from_utf8_lossy(&output.stderr));
    let took: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number of nanoseconds");
    took / (operation.rounds * operation.in_a_round) as f64
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn yields(rounds: u64) -> Duration {
    in_fibra(|| {
        let turns = move || {
            fibra::yield_now();
            let start = now();
            (0..rounds).for_each(|_| fibra::yield_now());
            start.elapsed()
        };
        let fibers: Vec<_> = (0..1000).map(|_| fibra::spawn_local(turns)).collect();
        fibers.into_iter().map(|fiber| fiber.join().expect("no panic")).max().unwrap_or_default()
    })
}

fn messages(rounds: u64) -> Duration {
    let (there, received) = channel::bounded(1);
    let (back, returned) = channel::bounded(1);
    in_fibra(|| {
        let echo = fibra::spawn(move || {
            while let Ok(n) = received.recv() {
                back.send(n).expect("received");
            }
        });
        let play = |rounds| {
            for n in 0..rounds {
                there.send(n).expect("echoed");
                returned.recv().expect("echoed");
            }
        };
        play(1);
        let elapsed = time(|| play(rounds));
        drop(there);
        echo.join().expect("no panic");
        elapsed
    })
}

fn spawns(rounds: u64, fibers: u64) -> Duration {
    in_fibra(|| {
        let mut handles = Vec::with_capacity(fibers as usize);
        let mut round = || {
            handles.extend((0..fibers).map(|n| fibra::spawn(move || black_box(n))));
            let sum: u64 = handles.drain(..).map(|handle| handle.join().expect("no panic")).sum();
            black_box(sum);
        };
        round();
        time(|| (0..rounds).for_each(|_| round()))
    })
}
