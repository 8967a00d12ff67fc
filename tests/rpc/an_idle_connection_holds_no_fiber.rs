//! Bytes that wait hold fibers, connections do not: however many are open, one fiber of their worker serves them.

use crate::support::raw::{REPLY, Raw, add};
use crate::support::{on_one_worker, serve, wait_until};

const CONNECTIONS: usize = 200;

#[test]
fn one_fiber_serves_all_of_them() {
    on_one_worker(|| {
        let (server, _) = serve();
        let mut peers: Vec<_> = (0..CONNECTIONS).map(|_| Raw::connect(server.local_addr())).collect();
        wait_until(|| server.connections() == CONNECTIONS);
        // This one, the one that accepts, the one that serves.
        wait_until(|| fibra::counters().live == 3);

        for peer in &mut peers {
            peer.send(&add(1, 3, 5));
        }
        for peer in &mut peers {
            assert_eq!(peer.receive(), Some((REPLY, 1, vec![8])));
        }
        assert_eq!(fibra::counters().live, 3, "none of the calls has parked");
    });
}

#[test]
fn a_frame_that_comes_in_parts_is_waited_for_without_one() {
    on_one_worker(|| {
        let (server, _) = serve();
        let (mut slow, mut other) = (Raw::connect(server.local_addr()), Raw::connect(server.local_addr()));
        let frame = add(1, 3, 5);
        for byte in &frame {
            slow.send(std::slice::from_ref(byte));
            other.send(&frame);
            other.receive();
            assert_eq!(fibra::counters().live, 3);
        }
        assert_eq!(slow.receive(), Some((REPLY, 1, vec![8])));
    });
}
