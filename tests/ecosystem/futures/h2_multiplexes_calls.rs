//! A client and a server of HTTP/2 (crate h2): many calls over one connection, each answered by a fiber of its own.

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::support::{Failure, block_on, join, on_one_worker, pair, tls_pair};

/// How many calls are under way at once.
const CALLS: usize = 50;

/// A body that needs several windows of the flow control.
const LONG: usize = 300_000;

/// Serves one connection.
fn serve(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Failure> {
    let mut connection = block_on(h2::server::handshake(stream))?;
    while let Some(call) = fibra::block_on(connection.accept())? {
        let (request, respond) = call?;
        fibra::spawn_local(move || block_on(answer(request.into_body(), respond)).expect("the client is there"));
    }
    Ok(())
}

/// Returns what it gets.
async fn answer(mut body: RecvStream, mut respond: SendResponse<Bytes>) -> Result<(), Failure> {
    let bytes = receive(&mut body).await?;
    let mut stream = respond.send_response(Response::new(()), false)?;
    send(&mut stream, bytes).await
}

async fn receive(body: &mut RecvStream) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

/// Sends as much at a time as the peer's window allows.
async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), Failure> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.ok_or("the stream is closed")??;
        stream.send_data(bytes.split_to(room.min(bytes.len())), false)?;
    }
    Ok(stream.send_data(Bytes::new(), true)?)
}

fn exchange<S>(near: S, far: S) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let server = fibra::spawn_local(move || serve(far));
    let (sender, connection) = block_on(h2::client::handshake(near))?;
    let driver = fibra::spawn_local(move || block_on(connection));
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let sender = sender.clone();
            fibra::spawn_local(move || {
                block_on(async move {
                    let body = Bytes::from(vec![number as u8; if number == 0 { LONG } else { number }]);
                    let mut sender = sender.ready().await?;
                    let (response, mut stream) = sender.send_request(Request::post("/").body(())?, false)?;
                    send(&mut stream, body.clone()).await?;
                    assert_eq!(receive(response.await?.body_mut()).await?, body);
                    Ok::<_, Failure>(())
                })
            })
        })
        .collect();
    for call in calls {
        join(call)?;
    }
    drop(sender);
    join(driver)?;
    join(server)
}

#[test]
fn over_tcp() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, far) = pair()?;
        exchange(near, far)
    })
}

#[test]
fn over_tls() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, far) = tls_pair()?;
        exchange(near, far)
    })
}
