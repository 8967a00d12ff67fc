#[cfg(panic = "unwind")]
use std::sync::Arc;
#[cfg(panic = "unwind")]
use std::sync::atomic::{AtomicBool, Ordering};

use fibra_fiber::{Context, Resumed, StackPool, suspend};
use fibra_scheduler::park::{self, Reason};
#[cfg(panic = "unwind")]
use fibra_scheduler::sync::{Semaphore, channel};
use fibra_scheduler::{sleep, spawn, yield_now};

/// A context on a stack of its own, made inside a fiber.
fn nested(f: impl FnOnce() + 'static) -> Context {
    Context::new(StackPool::new().take(64 << 10).expect("a stack"), f)
}

#[cfg(panic = "unwind")]
#[test]
fn parking_inside_panics_before_anything_is_touched() {
    crate::run_on(1, || {
        let fiber = spawn(|| {
            let waits: [fn(); 4] = [
                yield_now,
                || park::park(Reason::Parked),
                || assert!(sleep(std::time::Duration::from_secs(3600)).is_ok()),
                || park::on_first_park(&mut || unreachable!("no park"), || ()),
            ];
            for wait in waits {
                assert!(matches!(nested(wait).resume(), Resumed::Finished(Err(_))));
            }
            // The fiber itself is as it was.
            yield_now();
            7
        });
        assert_eq!(fiber.join().expect("no panic"), 7);
    });
}

/// It is not lost with who panics.
#[cfg(panic = "unwind")]
#[test]
fn nothing_is_handed_to_who_waits_inside() {
    crate::run_on(1, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let (sender, receiver) = channel::bounded(1);
        for number in 0..50 {
            let (permits, messages) = (semaphore.clone(), receiver.clone());
            let [has_begun, may_end] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
            let (begins, ended) = (has_begun.clone(), may_end.clone());
            let waiting = move || {
                begins.store(true, Ordering::Release);
                if number % 2 == 0 {
                    drop(permits.acquire());
                } else if let Ok(message) = messages.recv() {
                    assert_eq!(message, number);
                    ended.store(true, Ordering::Release);
                }
            };
            let giver = std::thread::spawn({
                let (permits, sender) = (semaphore.clone(), sender.clone());
                move || {
                    while !has_begun.load(Ordering::Acquire) {
                        std::hint::spin_loop();
                    }
                    if number % 2 == 0 { permits.add_permits(1) } else { sender.send(number).expect("received") }
                }
            });
            assert!(matches!(nested(waiting).resume(), Resumed::Finished(_)));
            giver.join().expect("no panic");
            if number % 2 == 0 {
                semaphore.try_acquire().expect("it was given, and given back or not taken").forget();
            } else if !may_end.load(Ordering::Acquire) {
                assert_eq!(receiver.try_recv(), Ok(number));
            }
        }
    });
}

#[test]
fn suspending_inside_leaves_only_the_nested_context() {
    crate::run_on(1, || {
        let context = nested(suspend);
        assert!(matches!(context.resume(), Resumed::Suspended));
        yield_now();
        assert!(matches!(context.resume(), Resumed::Finished(Ok(()))));
    });
}
