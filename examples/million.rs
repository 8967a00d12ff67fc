//! A million fibers wait at the same time, each on a guarded stack of its own; what one costs, and that it is given back.
//!
//! ```text
//! cargo run --release --example million
//! cargo run --release --example million -- --fibers 100000
//! ```
//!
//! Linux only: the figures come from `/proc/self`. A million fibers take about 5 GB while they wait.

use std::cell::{Cell, RefCell};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;
use std::{env, fs, io};

use fibra::park::{self, Reason, Unparker};

/// Usable bytes of each stack. What is not touched takes no memory; this bounds how deep a fiber may call.
const STACK: usize = 64 << 10;

fn main() -> ExitCode {
    let fibers = match fibers_asked_for(env::args().skip(1)) {
        Ok(fibers) => fibers,
        Err(message) => {
            eprintln!("{message}\nusage: million [--fibers N]");
            return ExitCode::FAILURE;
        }
    };
    match fibra::runtime::builder().workers(1).run(|| show(fibers)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) | Err(error) => {
            eprintln!("million: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fibers_asked_for(mut arguments: impl Iterator<Item = String>) -> Result<u64, String> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(1_000_000),
        (Some("--fibers"), Some(number), None) => match number.parse() {
            Ok(fibers) if fibers > 0 => Ok(fibers),
            _ => Err(format!("not a number of fibers: {number}")),
        },
        _ => Err("unknown arguments".into()),
    }
}

fn show(fibers: u64) -> io::Result<()> {
    let cap: u64 = fs::read_to_string("/proc/sys/vm/max_map_count")?.trim().parse().map_err(io::Error::other)?;
    let before = Memory::now()?;
    println!("Before: {before}.");

    println!("\nSpawning {fibers} fibers; each runs until it parks, on a stack of {} KiB behind a guard.", STACK >> 10);
    let gathering = Rc::new(Gathering::default());
    let mut handles = Vec::with_capacity(fibers as usize);
    let start = fibra::clock::now();
    for _ in 0..fibers {
        let gathering = gathering.clone();
        let wait = move || gathering.wait();
        handles.push(fibra::Builder::new().stack_size(STACK).spawn_local(wait)?);
        // The one just spawned runs now, while its control block is in cache.
        fibra::yield_now();
    }
    // If a stack was refused, its fiber has ended with the reason and will never be counted here.
    while gathering.waiting() < fibers && !handles.iter().any(|handle| handle.is_finished()) {
        fibra::yield_now();
    }
    println!("  {} parked after {:.1} s: {} ns each.", gathering.waiting(), seconds(start), nanos_each(start, fibers));
    let parked = Memory::now()?;
    println!("  Now: {parked}.");
    let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / fibers as f64;
    println!(
        "  Each parked fiber takes {:.2} KiB of resident memory (stack, control block, its places in this program's lists),\n  \
         and {:.2} KiB of page tables, which the kernel counts apart.",
        each(parked.resident_kib, before.resident_kib),
        each(parked.page_tables_kib, before.page_tables_kib),
    );
    println!("  {} mappings for all of it; the kernel allows {cap} (vm.max_map_count).", parked.mappings);

    println!("\nWaking them all, and joining them.");
    let start = fibra::clock::now();
    gathering.end();
    for handle in handles {
        if let Err(payload) = handle.join() {
            // A fiber that got no stack ends with the error that says why.
            return Err(payload.downcast::<io::Error>().map_or_else(|_| io::Error::other("a fiber panicked"), |e| *e));
        }
    }
    println!("  Woken, ended and joined after {:.1} s: {} ns each.", seconds(start), nanos_each(start, fibers));
    drop(gathering);

    // A worker gives memory back when it has nothing else to do, so let it have nothing.
    fibra::sleep(std::time::Duration::from_millis(10)).map_err(io::Error::other)?;
    println!("\nAfter: {}.", Memory::now()?);
    Ok(())
}

/// Fibers that wait until the gathering ends.
#[derive(Default)]
struct Gathering {
    waiting: RefCell<Vec<Unparker>>,
    ended: Cell<bool>,
}

impl Gathering {
    fn wait(&self) {
        self.waiting.borrow_mut().push(park::current());
        while !self.ended.get() {
            park::park(Reason::Parked);
        }
    }

    fn waiting(&self) -> u64 {
        self.waiting.borrow().len() as u64
    }

    fn end(&self) {
        self.ended.set(true);
        for fiber in self.waiting.take() {
            fiber.unpark();
        }
    }
}

/// What the kernel says that this process takes.
struct Memory {
    resident_kib: u64,
    page_tables_kib: u64,
    mappings: usize,
}

impl Memory {
    fn now() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let kib = |key: &str| {
            let value =
                status.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse().ok());
            value.ok_or_else(|| io::Error::other(format!("/proc/self/status has no {key}")))
        };
        Ok(Memory {
            resident_kib: kib("VmRSS:")?,
            page_tables_kib: kib("VmPTE:")?,
            mappings: fs::read_to_string("/proc/self/maps")?.lines().count(),
        })
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |kib: u64| kib as f64 / 1024.0;
        write!(
            f,
            "{:.1} MiB resident, {:.1} MiB of page tables, {} mappings",
            mib(self.resident_kib),
            mib(self.page_tables_kib),
            self.mappings
        )
    }
}

fn seconds(start: Instant) -> f64 {
    fibra::clock::now().duration_since(start).as_secs_f64()
}

fn nanos_each(start: Instant, fibers: u64) -> u128 {
    fibra::clock::now().duration_since(start).as_nanos() / u128::from(fibers)
}
