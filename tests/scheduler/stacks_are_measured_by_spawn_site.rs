//! A page is 4 KiB here. How deep a fiber really was, it tells itself, by the addresses of its locals.
#![cfg(target_os = "linux")]

use std::hint::black_box;
use std::panic::Location;
use std::time::Duration;

use fibra_scheduler::park::{self, Reason};
use fibra_scheduler::stacks::{EVERY, FIRST, Site, Stacks};
use fibra_scheduler::{Builder, JoinHandle, counters, driver, dump, runtime, sleep, spawn_local, stacks};

const KIB: usize = 1024;

/// The page that is rounded up to, one for what lies above a closure's own locals, one for what lies below the last.
const SLACK: usize = 3 * 4 * KIB;

fn on_one_worker<T>(f: impl FnOnce() -> T) -> T {
    // More than the tests here need in any build.
    runtime::Builder::new(driver::idle).workers(1).stack_size(512 * KIB).run(f).expect("a runtime")
}

/// Goes down so far and back; the lowest address that it had.
#[inline(never)]
fn descend(bytes: usize) -> usize {
    let frame = black_box([1u8; KIB]);
    let lowest = if bytes > KIB { descend(bytes - KIB) } else { frame.as_ptr().addr() };
    black_box(&frame);
    lowest
}

/// How many bytes of its stack a fiber uses that goes down so far.
#[inline(never)]
fn use_stack(bytes: usize) -> usize {
    let top = black_box([1u8; 1]);
    top.as_ptr().addr() - descend(bytes)
}

/// Spawns a fiber that uses its stack; its site is the caller's line.
#[track_caller]
fn user(bytes: usize) -> (JoinHandle<usize>, &'static Location<'static>) {
    user_on(512 * KIB, bytes)
}

#[track_caller]
fn user_on(stack_size: usize, bytes: usize) -> (JoinHandle<usize>, &'static Location<'static>) {
    let spawned = Builder::new().stack_size(stack_size).spawn_local(move || use_stack(bytes));
    (spawned.expect("room"), Location::caller())
}

fn join<T>(fiber: JoinHandle<T>) -> T {
    fiber.join().expect("no panic")
}

fn known(site: &Location<'_>) -> Site {
    *stacks().site(site).expect("started")
}

fn is_about(found: usize, used: usize) -> bool {
    (used..=used + SLACK).contains(&found)
}

#[test]
fn a_recursion_shows_at_its_site() {
    on_one_worker(|| {
        for kib in [1, 10, 50, 100, 200] {
            let (fiber, site) = user(kib * KIB);
            let used = join(fiber);
            let found = known(site);
            assert!(is_about(found.deepest, used), "{used} of {kib} KiB: {found:?}");
            assert_eq!(found.stack_size, 512 * KIB);
        }
    });
}

#[test]
fn two_sites_do_not_mix() {
    on_one_worker(|| {
        // On the very stack that the other has just left: it was given back last.
        for _ in 0..3 {
            let (deep, deep_site) = user(100 * KIB);
            let used_deep = join(deep);
            let (shallow, shallow_site) = user(1);
            let used_shallow = join(shallow);
            assert!(is_about(known(deep_site).deepest, used_deep));
            assert!(is_about(known(shallow_site).deepest, used_shallow));
        }
    });
}

#[test]
fn a_mark_never_shrinks() {
    on_one_worker(|| {
        let mut deepest = 0;
        for kib in [40, 1, 80, 1, 20] {
            let (fiber, site) = user(kib * KIB);
            deepest = deepest.max(join(fiber));
            let found = known(site);
            assert!(is_about(found.deepest, deepest), "{deepest}: {found:?}");
        }
    });
}

#[test]
fn the_first_of_a_site_are_measured_and_then_a_sample() {
    const STARTS: u64 = 5000;
    let measure = |every: Option<u32>| {
        let run = || {
            let start = || user(1);
            let mut site = start().1;
            for _ in 1..STARTS {
                let (fiber, here) = start();
                join(fiber);
                site = here;
            }
            stacks().site(site).map(|site| (site.started, site.measured))
        };
        runtime::Builder::new(driver::idle).workers(1).sample_stacks(every).run(run).expect("a runtime")
    };
    assert_eq!(measure(Some(1)), Some((STARTS, STARTS)));
    assert_eq!(measure(None), None);
    let (_, by_default) = measure(Some(EVERY)).expect("measured");
    assert!((FIRST + 1..STARTS / 50).contains(&by_default), "{by_default}");
}

#[test]
fn what_is_trimmed_has_been_measured_before() {
    let run = || {
        let fiber = spawn_local(|| {
            let used = use_stack(100 * KIB);
            park::park(Reason::Parked);
            used
        });
        let site = dump().fiber(fiber.id()).expect("it has not started").spawned_at;
        while counters().trims == 0 {
            sleep(Duration::from_millis(1)).expect("nobody cancels");
        }
        let trimmed = known(site);
        fiber.unparker().unpark();
        let used = join(fiber);
        assert!(is_about(trimmed.deepest, used), "{used}: {trimmed:?}");
        assert_eq!(known(site), trimmed, "what it used in the end was less, and it counts once");
    };
    let builder = runtime::Builder::new(driver::idle).workers(1).trim_after(Duration::from_millis(10));
    builder.run(run).expect("a runtime");
}

#[test]
fn the_backtrace_of_a_dump_does_not_count() {
    #[inline(never)]
    fn wait_at(depth: usize) -> usize {
        let used = use_stack(depth);
        park::park(Reason::Parked);
        used
    }
    on_one_worker(|| {
        let fiber = spawn_local(|| wait_at(1));
        crate::until_parked(1);
        let found = dump();
        let found = found.fiber(fiber.id()).expect("it waits");
        assert!(!found.backtrace.addresses().is_empty());
        let site = known(found.spawned_at);
        fiber.unparker().unpark();
        join(fiber);
        assert_eq!(known(site.spawned_at), site);
    });
}

#[test]
fn a_dump_says_how_deep_others_of_a_site_were() {
    on_one_worker(|| {
        let start = || spawn_local(|| (use_stack(40 * KIB), park::park(Reason::Parked)).0);
        let first = start();
        crate::until_parked(1);
        first.unparker().unpark();
        let used = join(first);
        let second = start();
        let dump = dump();
        let found = dump.fiber(second.id()).expect("it has not started");
        assert!(found.stack_deepest.is_some_and(|deepest| is_about(deepest, used)), "{found:?}");
        assert!(found.to_string().contains("by those spawned there"), "{found}");
        second.unparker().unpark();
    });
}

#[test]
fn all_workers_count_and_anyone_may_ask() {
    let builder = runtime::Builder::new(driver::idle).workers(3).sample_stacks(1);
    let runtime = builder.start().expect("a runtime");
    let deep = |n: usize| if n == 77 { 60 * KIB } else { 1 };
    // Whichever worker starts the deep one.
    let fibers: Vec<_> = (0..100).map(|n| runtime.spawn(move || use_stack(deep(n))).expect("room")).collect();
    let used = fibers.into_iter().map(join).max().expect("some");
    let stacks = loop {
        // A fiber is measured when it has ended.
        match runtime.stacks() {
            stacks if stacks.sites.iter().all(|site| site.measured == site.started) => break stacks,
            _ => std::thread::yield_now(),
        }
    };
    let [site] = stacks.sites[..] else { panic!("all have one site: {stacks}") };
    assert_eq!((site.started, site.measured, stacks.others), (100, 100, 0));
    assert!(is_about(site.deepest, used), "{used}: {site:?}");
    assert_eq!(fibra_scheduler::stacks(), Stacks::default(), "outside of a runtime");
}

#[test]
fn what_is_suggested_suffices() {
    let run = |stack_size: usize, bytes: usize| {
        on_one_worker(|| {
            let (fiber, site) = user_on(stack_size, bytes);
            join(fiber);
            let table = stacks().to_string();
            let row = table.lines().find(|row| row.starts_with(&site.to_string())).expect("listed").to_owned();
            (known(site).suggested_stack_size().expect("measured"), row)
        })
    };
    for bytes in [1, 30 * KIB, 100 * KIB] {
        let (suggested, row) = run(512 * KIB, bytes);
        assert!(suggested >= 2 * bytes && suggested <= 512 * KIB, "{suggested}");
        assert!(row.ends_with(&format!(" 512.0 KiB  {:>5} KiB", suggested / KIB)), "{row}");
        assert_eq!(run(suggested, bytes).0, suggested);
    }
}

#[test]
fn under_a_seed_too() {
    let run = || {
        let (fiber, site) = user(50 * KIB);
        let used = join(fiber);
        assert!(is_about(known(site).deepest, used));
    };
    runtime::Builder::new(driver::idle).seed(5).run(run).expect("no deadlock");
}
