//! What std does not have yet, or not on every stream.

use std::io;
use std::time::Duration;

use fibra::net::Keepalive;

use crate::support::{kind, pair};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn keepalive() -> io::Result<()> {
    let (near, _far) = pair()?;
    assert_eq!(near.keepalive()?, None);
    let often = Keepalive { idle: 60 * SECOND, interval: 10 * SECOND, probes: 3 };
    for keepalive in [Some(often), None, Some(Keepalive::default())] {
        near.set_keepalive(keepalive)?;
        assert_eq!(near.keepalive()?, keepalive);
    }
    let too_long = Keepalive { idle: 32_768 * SECOND, ..often };
    assert_eq!(kind(near.set_keepalive(Some(too_long))), io::ErrorKind::InvalidInput);
    Ok(())
}

#[test]
fn linger() -> io::Result<()> {
    let (near, _far) = pair()?;
    for linger in [None, Some(Duration::ZERO), Some(7 * SECOND), None] {
        near.set_linger(linger)?;
        assert_eq!(near.linger()?, linger);
    }
    Ok(())
}

#[test]
fn user_timeout() -> io::Result<()> {
    let (near, _far) = pair()?;
    for timeout in [None, Some(Duration::from_millis(1)), Some(3600 * SECOND), None] {
        near.set_user_timeout(timeout)?;
        assert_eq!(near.user_timeout()?, timeout);
    }
    assert_eq!(kind(near.set_user_timeout(Some(Duration::ZERO))), io::ErrorKind::InvalidInput);
    assert_eq!(kind(near.set_user_timeout(Some(Duration::MAX))), io::ErrorKind::InvalidInput);
    Ok(())
}

#[test]
fn quickack() -> io::Result<()> {
    let (near, _far) = pair()?;
    near.set_quickack(false)?;
    assert!(!near.quickack()?);
    near.set_quickack(true)?;
    assert!(near.quickack()?);
    Ok(())
}
