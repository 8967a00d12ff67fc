//! `serve` accepts on every worker; each handshake is made by its own fiber.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fibra::net::tls::TlsStream;

use crate::certificates::SERVER;
use crate::support::{Failure, join, listener};

/// How many clients there are.
const CLIENTS: usize = 60;

#[test]
fn all_are_served_and_then_it_ends() -> Result<(), Failure> {
    fibra::runtime::builder().workers(3).run(|| {
        let (listener, config) = listener()?;
        let addr = listener.local_addr()?;
        let served = Arc::new(AtomicUsize::new(0));
        let serving = listener.try_clone()?;
        let server = fibra::spawn({
            let served = Arc::clone(&served);
            move || {
                serving.serve(move |handshake, _| {
                    let mut stream = handshake.finish().expect("the client speaks TLS");
                    let mut bytes = Vec::new();
                    stream.read_to_end(&mut bytes).expect("the client ends it");
                    stream.write_all(&bytes).expect("the client reads");
                    served.fetch_add(1, Ordering::Relaxed);
                })
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let config = Arc::clone(&config);
                fibra::spawn(move || -> Result<_, Failure> {
                    let (mut reader, mut writer) = TlsStream::connect(addr, SERVER, config)?.into_split();
                    writer.write_all(number.to_string().as_bytes())?;
                    drop(writer);
                    let mut echo = String::new();
                    reader.read_to_string(&mut echo)?;
                    assert_eq!(echo, number.to_string());
                    Ok(())
                })
            })
            .collect();
        for client in clients {
            join(client)?;
        }
        listener.shutdown()?;
        join(server)?;
        assert_eq!(served.load(Ordering::Relaxed), CLIENTS);
        Ok(())
    })?
}
