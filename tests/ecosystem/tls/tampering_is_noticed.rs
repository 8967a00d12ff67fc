//! What the peer has not encrypted ends the connection, for good.

use std::io::{self, Read, Write};

use fibra::net::tls::rustls::AlertDescription;
use fibra::net::tls::{Error, Fault};

use crate::support::{Failure, on_one_worker, pair};

#[test]
fn every_operation_says_so_from_then_on() -> Result<(), Failure> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        far.write_all(b"before")?;
        // Around TLS, as somebody between could: a record of application data.
        far.get_ref()
            .write_all(&[23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20])?;
        assert_eq!(near.read(&mut [0; 8])?, 6, "what came before is read");
        for error in [near.read(&mut [0; 8]), near.read(&mut [0; 8]), near.write(b"more")] {
            let error = error.expect_err("the connection has ended");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            let error = Error::of(&error).expect("it is TLS that says so");
            assert!(matches!(error, Error::Protocol(_)), "{error}");
            assert_eq!(error.fault(), Fault::Peer);
        }
        let told = far.read(&mut [0; 8]).expect_err("the other end has refused");
        let told = Error::of(&told).expect("it is TLS that says so");
        assert!(matches!(told, Error::Refused(AlertDescription::BadRecordMac)), "{told}");
        Ok(())
    })
}
