//! Compiles or does not.

use std::panic::{RefUnwindSafe, UnwindSafe};

use fibra::net::{Incoming, TcpListener, TcpStream};

fn like_std<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

#[test]
fn they_are() {
    like_std::<TcpStream>();
    like_std::<TcpListener>();
    like_std::<Incoming<'_>>();
}
