use std::io;
use std::io::Read;

use fibra_net::{TcpListener, TcpStream};

/// They would make it depend on the network; so what would have to wait is an error.
#[test]
fn a_seeded_run_has_no_sockets() {
    let waits_for_the_network = || -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut stream = TcpStream::connect(listener.local_addr()?)?;
        stream.read(&mut [0]).map(drop)
    };
    let builder = fibra_scheduler::runtime::Builder::new(fibra_net::reactor::Factory::default());
    let error = builder.seed(1).run(waits_for_the_network).expect("no deadlock").expect_err("it would wait");
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("seeded"), "{error}");
}
