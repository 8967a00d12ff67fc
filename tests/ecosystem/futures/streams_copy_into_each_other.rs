//! tokio's helpers run on fibra's streams: a proxy between two connections.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::support::{Failure, block_on, join, on_one_worker, pair, tls_pair};

#[test]
fn a_proxy_carries_both_directions_to_their_ends() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut client, mut near) = pair()?;
        let (mut far, mut server) = pair()?;
        let proxy =
            fibra::spawn_local(move || block_on(async { tokio::io::copy_bidirectional(&mut near, &mut far).await }));
        let served = fibra::spawn_local(move || {
            let mut question = Vec::new();
            server.read_to_end(&mut question)?;
            server.write_all(&vec![9; 3 << 20])?;
            Ok::<_, std::io::Error>(question.len())
        });
        client.write_all(&vec![7; 2 << 20])?;
        client.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer)?;
        assert_eq!((join(served)?, answer.len()), (2 << 20, 3 << 20));
        assert_eq!(join(proxy)?, (2 << 20, 3 << 20));
        Ok(())
    })
}

#[test]
fn a_proxy_may_end_tls() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut client, mut near) = tls_pair()?;
        let (mut far, mut server) = pair()?;
        let proxy =
            fibra::spawn_local(move || block_on(async { tokio::io::copy_bidirectional(&mut near, &mut far).await }));
        client.write_all(b"question")?;
        client.shutdown(Shutdown::Write)?;
        let mut question = String::new();
        server.read_to_string(&mut question)?;
        server.write_all(b"answer")?;
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer)?;
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
        assert_eq!(join(proxy)?, (8, 6));
        Ok(())
    })
}
