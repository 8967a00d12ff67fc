//! Which calls count: those that are answered between two moments, while calls go on before, between and after.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::load::{LONGEST, Latency};

/// What was counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Calls {
    pub(crate) per_second: f64,
    pub(crate) latency: Latency,
}

type Recorder = Arc<Mutex<Histogram<u64>>>;

/// The latencies that each thread has recorded.
static RECORDERS: Mutex<Vec<Recorder>> = Mutex::new(Vec::new());

thread_local! {
    static RECORDER: OnceCell<Recorder> = const { OnceCell::new() };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `calls` calls that were made together have been answered after so long. Cheap: each thread has a histogram of its own.
pub(crate) fn answered(after: Duration, calls: u64) {
    let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
    RECORDER.with(|recorder| {
        let recorder = recorder.get_or_init(|| {
            let histogram =
                Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds and precision that make a histogram");
            let recorder = Arc::new(Mutex::new(histogram));
            lock(&RECORDERS).push(Arc::clone(&recorder));
            recorder
        });
        lock(recorder).saturating_record_n(nanos, calls);
    });
}

/// What tells callers when to stop.
#[derive(Default)]
pub(crate) struct Window {
    over: AtomicBool,
}

impl Window {
    /// Whether a caller is to make no more calls.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// From now on calls count.
    pub(crate) fn begin(&self) -> Instant {
        for recorder in &*lock(&RECORDERS) {
            lock(recorder).reset();
        }
        Instant::now()
    }

    /// What has counted since it [began](Self::begin).
    pub(crate) fn end(&self, began: Instant) -> Calls {
        let seconds = began.elapsed().as_secs_f64();
        let mut all: Option<Histogram<u64>> = None;
        for recorder in &*lock(&RECORDERS) {
            let histogram = lock(recorder);
            match &mut all {
                None => all = Some(histogram.clone()),
                Some(all) => all.add(&*histogram).expect("histograms of the same bounds"),
            }
        }
        self.over.store(true, Ordering::Relaxed);
        let all = all.unwrap_or_else(|| Histogram::new(3).expect("a precision that makes a histogram"));
        Calls { per_second: all.len() as f64 / seconds, latency: Latency::of(&all) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_before_the_window_does_not_count() {
        let window = Window::default();
        answered(Duration::from_millis(1), 1000);
        let began = window.begin();
        answered(Duration::from_micros(2), 3);
        assert!(!window.is_over());
        let calls = window.end(began);
        assert!(window.is_over());
        assert!((1.9..2.1).contains(&calls.latency.max_us), "{calls:?}");
        let seconds = began.elapsed().as_secs_f64();
        assert!(calls.per_second >= 3.0 / seconds, "{calls:?}");
    }
}
