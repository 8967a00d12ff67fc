//! `tungstenite`: WebSockets, client and server.

use fibra::net::TcpStream;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Bytes, Error, Message};

use crate::support::{Failure, converse};

/// How many messages a client sends.
const MESSAGES: usize = 100;

#[test]
fn two_clients_are_served_at_a_time() -> Result<(), Failure> {
    converse(
        |stream, meeting| {
            let mut socket = tungstenite::accept(stream).map_err(|error| error.to_string())?;
            for number in 0.. {
                if number == MESSAGES / 2 {
                    meeting.attend()?;
                }
                match socket.read() {
                    Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message)?,
                    // tungstenite answers by itself, with its next read or write.
                    Ok(Message::Ping(_) | Message::Close(_)) => {}
                    Ok(other) => return Err(format!("{other} was not to come").into()),
                    Err(Error::ConnectionClosed) => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        },
        |addr, client| {
            let stream = TcpStream::connect(addr)?;
            let (mut socket, response) =
                tungstenite::client(format!("ws://{addr}/path"), stream).map_err(|error| error.to_string())?;
            assert_eq!(response.status(), 101);
            for number in 0..MESSAGES {
                let sent = match number % 3 {
                    0 => Message::text(format!("client {client}, message {number}")),
                    1 => Message::binary(vec![number as u8; 1000 * number]),
                    _ => Message::Ping(Bytes::from(vec![number as u8; 100])),
                };
                socket.send(sent.clone())?;
                let expected = match sent {
                    Message::Ping(bytes) => Message::Pong(bytes),
                    other => other,
                };
                assert_eq!(socket.read()?, expected);
            }
            let reason = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
            socket.close(Some(reason.clone()))?;
            assert_eq!(socket.read()?, Message::Close(Some(reason)));
            assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
            Ok(())
        },
    )
}
