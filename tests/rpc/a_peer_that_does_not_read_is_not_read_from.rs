//! A client that sends and does not read is held back: what the server keeps for it is bounded.

use std::io::Write;
use std::time::Duration;

use crate::support::raw::{self, REPLY, Raw};
use crate::support::{connect, on_one_worker, serve};

#[test]
fn its_writes_stop_and_go_on_when_it_reads() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut raw = Raw::connect(server.local_addr());
        raw.stream.set_write_timeout(Some(Duration::from_millis(200))).expect("not zero");

        // 64 KiB each way for each call. Without backpressure the server would take all of this 1 GiB.
        let payload = [&[0x91, 0xda, 0xff, 0xff][..], &vec![b'x'; 0xffff]].concat();
        let mut sent = 0;
        let unsent = (1..=16_384).find_map(|xid| {
            let call = raw::call(xid, Duration::from_secs(60), "desk.echo", &payload);
            let mut rest = &call[..];
            while !rest.is_empty() {
                match raw.stream.write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) => {
                        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                        return Some(rest.to_vec());
                    }
                }
            }
            sent = xid;
            None
        });
        let unsent = unsent.expect("the server stops reading");
        assert_eq!(connect(&server).add(3, 5).expect("others are served"), 8);

        // A writer and a reader, now: what was held back comes.
        let writer = fibra::spawn({
            let mut stream = raw.stream.try_clone().expect("shared");
            stream.set_write_timeout(None).expect("none");
            move || stream.write_all(&unsent)
        });
        for xid in 1..=sent + 1 {
            let (kind, got, body) = raw.receive().expect("a reply");
            assert_eq!((kind, got, body.len()), (REPLY, xid, payload.len() - 1));
        }
        crate::support::join(writer).expect("the server reads again");
    });
}
