use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fibra_scheduler::cancel::{Interrupted, with_timeout};
use fibra_scheduler::{JoinHandle, block_on, sleep, spawn, yield_now};

#[test]
fn other_fibers_run_while_a_future_is_pending() {
    crate::run_on(1, || {
        let (sender, receiver) = std::sync::mpsc::channel::<Waker>();
        let mut polled = 0;
        let waiting = spawn(move || {
            block_on(poll_fn(|context| {
                polled += 1;
                match polled {
                    1 => {
                        sender.send(context.waker().clone()).expect("received");
                        Poll::Pending
                    }
                    polls => Poll::Ready(polls),
                }
            }))
        });
        while !waiting.is_finished() {
            yield_now();
            receiver.try_iter().for_each(Waker::wake);
        }
        assert_eq!(waiting.join().expect("no panic"), Ok(2));
    });
}

#[test]
fn an_interrupted_future_is_dropped() {
    struct CountOnDrop(Arc<AtomicUsize>);
    impl Drop for CountOnDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    crate::run_on(1, || {
        let dropped = Arc::new(AtomicUsize::new(0));
        let guard = CountOnDrop(dropped.clone());
        let never = async move {
            let _guard = guard;
            std::future::pending::<()>().await
        };
        assert_eq!(with_timeout(Duration::from_millis(1), || block_on(never)), Err(Interrupted::TimedOut));
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_join_handle_is_a_future() {
    crate::run_on(2, || {
        let sum = block_on(async {
            let fibers: Vec<_> = (0..100)
                .map(|n| {
                    spawn(move || {
                        yield_now();
                        n
                    })
                })
                .collect();
            let mut sum = 0;
            for fiber in fibers {
                sum += fiber.await.expect("no panic");
            }
            sum
        });
        assert_eq!(sum, Ok(4950));
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_comes_out_of_the_future() {
    crate::run_on(1, || {
        let fiber = fibra_scheduler::spawn_local(|| panic!("contained"));
        assert!(block_on(fiber).expect("not interrupted").is_err());
    });
}

/// An executor may move a future and its waker about: the last waker counts.
#[test]
fn the_waker_of_the_last_poll_is_woken() {
    crate::run_on(1, || {
        let mut fiber = Box::pin(spawn(|| sleep(Duration::from_millis(1))));
        let first = fiber.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending());
        assert_eq!(block_on(fiber).expect("not interrupted").expect("no panic"), Ok(()));
    });
}

#[test]
fn a_handle_that_was_awaited_drops_its_result_once() {
    crate::run_on(1, || {
        let result = Arc::new(());
        let copy = result.clone();
        let taken = block_on(spawn(move || copy)).expect("not interrupted").expect("no panic");
        assert_eq!(Arc::strong_count(&result), 2);
        drop(taken);
        assert_eq!(Arc::strong_count(&result), 1);
    });
}

/// As an executor may do that polls where it is woken: on the fiber that ends.
struct DropsHandle<T>(Mutex<Option<JoinHandle<T>>>);

impl<T: Send + 'static> Wake for DropsHandle<T> {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().expect("no panic").take());
    }
}

#[test]
fn a_waker_may_drop_the_handle_that_it_is_called_for() {
    crate::run_on(1, || {
        let result = Arc::new(());
        let copy = result.clone();
        let mut fiber = spawn(move || copy);
        let waker = Arc::new(DropsHandle(Mutex::new(None)));
        assert!(Pin::new(&mut fiber).poll(&mut Context::from_waker(&waker.clone().into())).is_pending());
        *waker.0.lock().expect("no panic") = Some(fiber);
        while waker.0.lock().expect("no panic").is_some() {
            yield_now();
        }
        assert_eq!(Arc::strong_count(&result), 1);
    });
}

#[test]
fn a_handle_that_was_polled_can_be_joined_or_dropped() {
    crate::run_on(1, || {
        let result = Arc::new(());
        for joins in [true, false] {
            let copy = result.clone();
            let mut fiber = spawn(move || copy);
            assert!(Pin::new(&mut fiber).poll(&mut Context::from_waker(Waker::noop())).is_pending());
            if joins {
                drop(fiber.join().expect("no panic"));
            } else {
                drop(fiber);
                yield_now();
            }
            assert_eq!(Arc::strong_count(&result), 1);
        }
    });
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_of_a_waker_is_contained() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("in a waker");
        }
    }
    crate::run_on(1, || {
        let mut fiber = spawn(|| 5);
        assert!(Pin::new(&mut fiber).poll(&mut Context::from_waker(&Arc::new(Bomb).into())).is_pending());
        while !fiber.is_finished() {
            yield_now();
        }
        assert_eq!(fiber.join().expect("the waker's panic is not the fiber's"), 5);
    });
}

#[test]
fn plain_threads_block_on_futures_too() {
    assert_eq!(block_on(async { 7 }), Ok(7));
}
