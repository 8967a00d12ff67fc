//! A server with a thread for each connection refuses calls that stream, and says why; its other calls go on.

use fibra::rpc::{CallError, Server};

use crate::support::{connect, on_one_worker, streams};

#[test]
fn the_call_has_not_run() {
    on_one_worker(|| {
        let (server, _tap, proxy) = streams::serve_with(Server::builder().thread_per_connection());
        let error = proxy.sum().expect("it begins").finish().expect_err("it is refused");
        assert!(matches!(&error, CallError::UnknownMethod { message, .. } if message.contains("thread")), "{error:?}");
        let numbers = proxy.sum().expect("it begins");
        let sent = (0..100_000).find_map(|number| numbers.send(number).err());
        assert_eq!(sent, Some(fibra::rpc::stream::StreamError::CallEnded));
        assert!(matches!(numbers.finish(), Err(CallError::UnknownMethod { .. })));
        assert_eq!(connect(&server).add(3, 5).expect("a sum"), 8);
        assert_eq!(proxy.channel().stats().connections, 1, "what crossed the answer did no harm");
    });
}
