//! A client and a server of hyper 1.x: connections that are kept alive, bodies in chunks, several at a time on one worker.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fibra::net::TcpListener;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::rt::ReadBufCursor;
use hyper::service::service_fn;
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::support::{Failure, LOOPBACK, block_on, join, on_one_worker, pair, tls_pair};

/// A stream as hyper wants it. What hyper-util's `TokioIo` does.
struct Io<S>(S);

impl<S: AsyncRead + Unpin> hyper::rt::Read for Io<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 8 << 10];
        let room = bytes.len().min(buf.remaining());
        let mut read = ReadBuf::new(&mut bytes[..room]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for Io<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A body of unknown length: it goes in chunks.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// Returns each request's body, a byte more, in pieces.
async fn echo(request: Request<Incoming>) -> Result<Response<Pieces>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let pieces = body.chunks(1000).map(Bytes::copy_from_slice).chain([Bytes::from(path)]);
    Ok(Response::new(Pieces(pieces.collect())))
}

/// Serves one connection.
fn serve<S>(stream: S) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    block_on(hyper::server::conn::http1::Builder::new().serve_connection(Io(stream), service_fn(echo)))
}

/// A connection of a client, which a fiber of its own drives.
fn client<S, B>(stream: S) -> Result<SendRequest<B>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    let (sender, connection) = block_on(hyper::client::conn::http1::handshake(Io(stream)))?;
    fibra::spawn_local(move || block_on(connection).expect("the server speaks HTTP"));
    Ok(sender)
}

fn request<B>(path: &str, body: B) -> Result<Request<B>, Failure> {
    Ok(Request::post(path).header(HOST, "server.test").body(body)?)
}

/// Three requests over one connection.
fn exchange<S>(near: S, far: S) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let server = fibra::spawn_local(move || serve(far));
    let mut sender = client(near)?;
    for length in [0, 10, 100_000] {
        let body = Bytes::from(vec![b'x'; length]);
        block_on(sender.ready())?;
        let response = block_on(sender.send_request(request("/path", Full::new(body))?))?;
        assert_eq!(response.headers().get(TRANSFER_ENCODING).map(|value| value.as_bytes()), Some(&b"chunked"[..]));
        assert_eq!(response.headers().get(CONTENT_LENGTH), None);
        let body = block_on(response.into_body().collect())?.to_bytes();
        assert_eq!(body.len(), length + 5);
        assert!(body.ends_with(b"/path"));
    }
    drop(sender);
    join(server)
}

#[test]
fn one_connection_carries_several_requests() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, far) = pair()?;
        exchange(near, far)
    })
}

#[test]
fn under_tls_as_well() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, far) = tls_pair()?;
        exchange(near, far)
    })
}

#[test]
fn a_request_goes_in_chunks_too() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, far) = pair()?;
        let server = fibra::spawn_local(move || serve(far));
        let mut sender = client(near)?;
        let pieces = (0..50).map(|number| Bytes::from(vec![number; 5000])).collect();
        let response = block_on(sender.send_request(request("/", Pieces(pieces))?))?;
        assert_eq!(block_on(response.into_body().collect())?.to_bytes().len(), 50 * 5000 + 1);
        drop(sender);
        join(server)
    })
}

#[test]
fn one_worker_serves_many_at_a_time() -> Result<(), Failure> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        // All are connected before any is served.
        let mut senders = Vec::new();
        for _ in 0..20 {
            senders.push(client(fibra::net::TcpStream::connect(addr)?)?);
            let (stream, _) = listener.accept()?;
            fibra::spawn_local(move || serve(stream).expect("the client speaks HTTP"));
        }
        for round in 0..3 {
            let pending: Vec<_> = senders
                .iter_mut()
                .map(|sender| Ok(sender.send_request(request(&format!("/{round}"), Full::new(Bytes::new()))?)))
                .collect::<Result<_, Failure>>()?;
            for response in pending {
                let body = block_on(block_on(response)?.into_body().collect())?.to_bytes();
                assert_eq!(body, format!("/{round}"));
            }
            for sender in &mut senders {
                block_on(sender.ready())?;
            }
        }
        Ok(())
    })
}
