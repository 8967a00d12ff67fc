//! Compiles or does not.

use std::panic::{RefUnwindSafe, UnwindSafe};

use fibra::net::{
    Incoming, ReadHalf, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream, WriteHalf, unix,
};

fn like_std<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

#[test]
fn they_are() {
    like_std::<TcpStream>();
    like_std::<TcpListener>();
    like_std::<Incoming<'_>>();
    like_std::<UdpSocket>();
    like_std::<UnixDatagram>();
    like_std::<UnixListener>();
    like_std::<UnixStream>();
    like_std::<unix::Incoming<'_>>();
    like_std::<ReadHalf<TcpStream>>();
    like_std::<WriteHalf<UnixStream>>();
}
