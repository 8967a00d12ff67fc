//! Streams: items from the client, from the server, and both ways, as plain loops.
//!
//! ```text
//! cargo run --release --example streams
//! ```

use std::error::Error;

use fibra::rpc::Server;
use fibra::rpc::stream::{Receiver, Sender, StreamError};

/// What a weather station can do.
#[fibra::service]
trait Station {
    /// The mean of what the client sends.
    fn mean(&self, readings: Receiver<f64>) -> Result<f64, StreamError>;

    /// So many readings, as they come. Returns how many the client has taken.
    fn watch(&self, count: u32, readings: Sender<f64>) -> u32;

    /// Each reading with half of the one before mixed in.
    fn smooth(&self, readings: Receiver<f64>, smoothed: Sender<f64>) -> Result<(), StreamError>;
}

struct OnTheRoof;

impl Station for OnTheRoof {
    fn mean(&self, readings: Receiver<f64>) -> Result<f64, StreamError> {
        let (mut sum, mut count) = (0.0, 0_u32);
        for reading in readings {
            sum += reading?;
            count += 1;
        }
        Ok(sum / f64::from(count.max(1)))
    }

    fn watch(&self, count: u32, readings: Sender<f64>) -> u32 {
        // An error says that nobody listens any more.
        (0..count).map(|hour| 10.0 + f64::from(hour % 24)).take_while(|reading| readings.send(*reading).is_ok()).count()
            as u32
    }

    fn smooth(&self, readings: Receiver<f64>, smoothed: Sender<f64>) -> Result<(), StreamError> {
        let mut before = None;
        for reading in readings {
            let reading = reading?;
            let mixed = before.map_or(reading, |before: f64| f64::midpoint(before, reading));
            smoothed.send(mixed)?;
            before = Some(mixed);
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    fibra::run(|| {
        let server = Server::builder().service(StationServer::new(OnTheRoof)).bind("127.0.0.1:0")?;
        let station = StationClient::connect(server.local_addr())?;

        let mean = station.mean()?;
        for reading in [17.0, 21.0, 25.0] {
            mean.send(reading)?;
        }
        println!("mean: {}", mean.finish()?);

        let mut readings = station.watch(1_000_000)?;
        let mut warmest = f64::MIN;
        for reading in readings.by_ref().take(100_000) {
            warmest = warmest.max(reading?);
        }
        println!("warmest of 100000: {warmest}");
        // We have seen enough: this ends the handler, too.
        drop(readings);

        // One fiber sends while this one takes.
        let (readings, smoothed) = station.smooth()?.split();
        let sender = fibra::spawn(move || {
            (0..1_000).try_for_each(|_| readings.send(20.0))?;
            readings.finish();
            Ok::<_, StreamError>(())
        });
        let mut count = 0;
        for reading in smoothed {
            assert!((reading? - 20.0).abs() < 1e-9);
            count += 1;
        }
        sender.join().map_err(|_| "the sender panicked")??;
        println!("smoothed: {count}");
        Ok(())
    })
}
