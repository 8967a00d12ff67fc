//! A simulation that fails says why, when, under which seed and configuration, and what happened last.

use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};
use fibra::sim::{Cause, Failure, Sim};

fn fails(builder: fibra::sim::Builder, client: impl Fn() -> fibra::sim::Ending + 'static) -> Failure {
    let mut sim = builder.build();
    sim.host("server", || {
        let listener = TcpListener::bind("0.0.0.0:1")?;
        listener.incoming().try_for_each(|stream| stream.map(drop))?;
        Ok(())
    });
    sim.client("client", client);
    sim.run().expect_err("it fails")
}

#[test]
fn by_an_error_of_a_client() {
    let failure = fails(Sim::builder().seed(42), || {
        drop(TcpStream::connect("server:1")?);
        fibra::sleep(Duration::from_secs(2))?;
        TcpStream::connect("server:2")?;
        Ok(())
    });
    assert!(matches!(failure.cause(), Cause::Error { host, .. } if host == "client"), "{failure}");
    assert!(failure.at() >= Duration::from_secs(2) && failure.at() < Duration::from_secs(3), "{failure}");
    let text = failure.to_string();
    for part in ["seed 42", "refused", "host server", "client client", "links:", "client -> server: open"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
#[cfg(panic = "unwind")]
fn by_a_panic() {
    let failure = fails(Sim::builder(), || panic!("that was not to be"));
    let expected = Cause::Panic { host: "client".to_owned(), message: "that was not to be".to_owned() };
    assert_eq!(failure.cause(), &expected);
}

#[test]
fn by_waiting_for_ever() {
    let failure = fails(Sim::builder(), || {
        let stream = TcpListener::bind("0.0.0.0:5")?.accept()?;
        drop(stream);
        Ok(())
    });
    assert!(matches!(failure.cause(), Cause::Deadlock(text) if text.contains("client")), "{failure}");
}

#[test]
fn by_taking_too_long() {
    let limit = Duration::from_secs(10);
    let failure = fails(Sim::builder().time_limit(limit), || {
        loop {
            fibra::sleep(Duration::from_secs(1))?;
        }
    });
    assert!(matches!(failure.cause(), Cause::OutOfTime { waiting, .. } if waiting.contains("client")), "{failure}");
}
