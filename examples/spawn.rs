//! Spawning fibers and joining them; what waits costs no thread; what panics hurts nobody else.
//!
//! ```text
//! cargo run --release --example spawn
//! ```

use std::time::{Duration, Instant};

fn main() {
    fibra::run(|| {
        // A fiber is spawned and joined as a thread is.
        let fiber = fibra::spawn(|| 3 + 5);
        println!("3 + 5 = {}", fiber.join().expect("it does not panic"));

        // Ten thousand of them sleep at the same time, on as many threads as there are CPUs.
        let start = fibra::clock::now();
        let sleepers: Vec<_> = (0..10_000).map(|_| fibra::spawn(|| fibra::sleep(Duration::from_millis(100)))).collect();
        for sleeper in sleepers {
            sleeper.join().expect("it does not panic").expect("nobody cancels it");
        }
        println!("10,000 fibers slept 100 ms each in {} ms", elapsed_ms(start));

        // A panic ends its own fiber and comes out of join, as in std.
        let broken = fibra::spawn(|| panic!("this one fiber"));
        println!("a fiber that panicked: {}", if broken.join().is_err() { "join says so" } else { "unnoticed" });

        // Cancelling makes whatever a fiber waits for fail.
        let sleeper = fibra::spawn(|| fibra::sleep(Duration::from_secs(3600)));
        sleeper.cancel();
        println!("an hour's sleep, cancelled: {:?}", sleeper.join().expect("it does not panic"));

        // What blocks the whole thread, and cannot be helped, goes to a pool of threads.
        let name = fibra::blocking(|| std::fs::read_to_string("/proc/sys/kernel/ostype"));
        println!("read on another thread: {:?}", name.map(|text| text.map(|text| text.trim().to_owned())));
    });
}

fn elapsed_ms(start: Instant) -> u128 {
    fibra::clock::now().duration_since(start).as_millis()
}
