//! The `tracing` spans that a fiber has entered are around its own events only: they are left when it waits and entered again, in their
//! order, when it goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fibra::sync::channel;
use tracing::span::Id;
use tracing::{Event, Subscriber, info, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Writes down who enters and leaves what, and which spans are around each event.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn add(&self, line: String) {
        self.0.lock().expect("no panic").push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    /// What was around each event.
    fn events(&self) -> Vec<String> {
        self.take().into_iter().filter_map(|line| line.strip_prefix("event ").map(str::to_owned)).collect()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let scope = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let names: Vec<_> = scope.map(|span| span.name()).collect();
        self.add(format!("event {}", names.join(".")));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.add(format!("+{}", context.span(id).expect("it is open").name()));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.add(format!("-{}", context.span(id).expect("it is open").name()));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.add(format!("closed {}", context.span(&id).expect("it is there still").name()));
    }
}

fn recorded<T>(f: impl FnOnce(&Recorder) -> T) -> T {
    let recorder = Recorder::default();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(recorder.clone()), || f(&recorder))
}

fn on_one_worker<T>(f: impl FnOnce() -> T) -> T {
    fibra::runtime::builder().workers(1).run(f).expect("a runtime")
}

#[test]
fn of_two_fibers_that_take_turns() {
    recorded(|recorder| {
        on_one_worker(|| {
            let first = fibra::spawn(|| {
                let _outer = info_span!("a").entered();
                let inner = info_span!("aa").entered();
                fibra::yield_now();
                info!("inside");
                drop(inner);
                fibra::yield_now();
                info!("outside");
            });
            let second = fibra::spawn(|| {
                let _outer = info_span!("b").entered();
                fibra::yield_now();
                info!("once");
                fibra::yield_now();
                info!("twice");
            });
            first.join().expect("no panic");
            second.join().expect("no panic");
        });
        let expected = [
            "+a",
            "+aa",
            "-aa",
            "-a", // The first yields,
            "+b",
            "-b", // so does the second.
            "+a",
            "+aa",
            "event a.aa",
            "-aa",
            "closed aa",
            "-a",
            "+b",
            "event b",
            "-b",
            "+a",
            "event a",
            "-a",
            "closed a",
            "+b",
            "event b",
            "-b",
            "closed b",
        ];
        assert_eq!(recorder.take(), expected);
    });
}

#[test]
fn whatever_it_waits_for() {
    recorded(|recorder| {
        on_one_worker(|| {
            let (sender, receiver) = channel::bounded::<u32>(0);
            let lock = Arc::new(fibra::sync::Mutex::new(0));
            let guard = lock.lock();
            let waits = fibra::spawn({
                let lock = lock.clone();
                move || {
                    let _span = info_span!("waits").entered();
                    receiver.recv().expect("a message");
                    info!("of a channel");
                    *lock.lock() += 1;
                    info!("of a lock");
                    fibra::sleep(Duration::from_millis(1)).expect("nobody cancels it");
                    info!("of a timer");
                    fibra::spawn(fibra::yield_now).join().expect("no panic");
                    info!("of a fiber");
                    fibra::blocking(|| ()).expect("a thread");
                    info!("of the pool");
                }
            });
            sender.send(1).expect("a receiver");
            info!("here");
            drop(guard);
            waits.join().expect("no panic");
            info!("here");
        });
        let events = recorder.events();
        assert_eq!(events.iter().filter(|scope| *scope == "waits").count(), 5, "{events:?}");
        assert_eq!(events.iter().filter(|scope| scope.is_empty()).count(), 2, "{events:?}");
    });
}

#[test]
fn who_is_spawned_inside_is_outside() {
    recorded(|recorder| {
        on_one_worker(|| {
            let _span = info_span!("parent").entered();
            fibra::spawn(|| info!("child")).join().expect("no panic");
            info!("parent");
        });
        assert_eq!(recorder.events(), ["", "parent"]);
    });
}

#[test]
fn what_a_fiber_forgets_to_leave_ends_with_it() {
    recorded(|recorder| {
        on_one_worker(|| {
            fibra::spawn(|| {
                std::mem::forget(info_span!("forgotten").entered());
                fibra::yield_now();
                info!("inside");
            })
            .join()
            .expect("no panic");
            fibra::spawn(|| info!("next")).join().expect("no panic");
        });
        assert_eq!(recorder.events(), ["forgotten", ""]);
    });
}

#[test]
fn the_span_around_a_runtime_is_around_its_first_fiber() {
    recorded(|recorder| {
        let _span = info_span!("main").entered();
        on_one_worker(|| {
            let other = fibra::spawn(|| info!("other"));
            info!("first");
            other.join().expect("no panic");
            info!("first");
        });
        info!("after");
        assert_eq!(recorder.events(), ["main", "", "main", "main"]);
    });
}

#[test]
fn in_a_seeded_run_too() {
    for seed in 0..20 {
        recorded(|recorder| {
            fibra::runtime::builder()
                .seed(seed)
                .run(|| {
                    let see = |span: tracing::Span| {
                        fibra::spawn(move || {
                            let _entered = span.entered();
                            for _ in 0..5 {
                                info!("here");
                                fibra::yield_now();
                            }
                        })
                    };
                    let fibers = [see(info_span!("a")), see(info_span!("b"))];
                    fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
                })
                .expect("a runtime");
            let events = recorder.events();
            for name in ["a", "b"] {
                assert_eq!(events.iter().filter(|scope| *scope == name).count(), 5, "{events:?}");
            }
        });
    }
}

/// A span that its fiber has entered twice, and a panic out of one.
#[cfg(panic = "unwind")]
#[test]
fn entered_twice_and_left_by_a_panic() {
    recorded(|recorder| {
        on_one_worker(|| {
            let fiber = fibra::spawn(|| {
                let span = info_span!("twice");
                let _once = span.enter();
                let inside = || {
                    let _again = span.enter();
                    fibra::yield_now();
                    info!("inside");
                    panic!("as asked");
                };
                assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(inside)).is_err());
                fibra::yield_now();
                info!("outside");
            });
            fibra::yield_now();
            info!("another");
            fiber.join().expect("no panic");
        });
        let lines = recorder.take();
        let balance = lines.iter().fold(0, |balance, line| match line.as_bytes().first() {
            Some(b'+') => balance + 1,
            Some(b'-') => balance - 1,
            _ => balance,
        });
        assert_eq!(balance, 0, "{lines:?}");
        let events: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("event ")).collect();
        assert_eq!(events, ["", "twice", "twice"], "{lines:?}");
    });
}
