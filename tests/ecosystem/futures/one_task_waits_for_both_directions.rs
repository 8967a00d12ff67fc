//! One task polls both directions of one stream: each wakes it, neither hides the other.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::support::{Failure, LOST, block_on, join, on_one_worker, pair, tls_pair};

/// More than the buffers of a loopback connection hold.
const BULK: usize = 16 << 20;

/// Writes and reads [`BULK`] bytes, in one task.
async fn exchange(stream: impl AsyncRead + AsyncWrite) -> Result<(), Failure> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut write = pin!(async {
        writer.write_all(&vec![7; BULK]).await?;
        writer.flush().await
    });
    let mut read = pin!(async {
        let mut bytes = vec![0; BULK];
        reader.read_exact(&mut bytes).await.map(|_| bytes)
    });
    let (mut written, mut bytes) = (None, None);
    poll_fn(|cx| {
        if written.is_none()
            && let Poll::Ready(result) = write.as_mut().poll(cx)
        {
            written = Some(result);
        }
        if bytes.is_none()
            && let Poll::Ready(result) = read.as_mut().poll(cx)
        {
            bytes = Some(result);
        }
        if written.is_some() && bytes.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    written.ok_or("nothing was written")??;
    assert!(bytes.ok_or("nothing was read")??.iter().all(|byte| *byte == 7));
    Ok(())
}

fn between<S>((near, far): (S, S)) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + 'static,
{
    let other = fibra::spawn_local(move || block_on(exchange(far)));
    block_on(exchange(near))?;
    join(other)
}

#[test]
fn on_tcp() -> Result<(), Failure> {
    on_one_worker(|| between(pair()?))
}

#[test]
fn on_tls() -> Result<(), Failure> {
    on_one_worker(|| between(tls_pair()?))
}

#[test]
fn on_unix_streams() -> Result<(), Failure> {
    on_one_worker(|| between(fibra::net::UnixStream::pair()?))
}

/// Has a peer send back what one task writes and another reads.
fn by_two_tasks<S>(
    mut reader: impl AsyncRead + Unpin + 'static,
    mut writer: impl AsyncWrite + Unpin,
    mut far: S,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let reader = fibra::spawn_local(move || {
        block_on(async move {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).await.map(|_| bytes)
        })
    });
    let echo = fibra::spawn_local(move || {
        block_on(async move {
            let (mut from, mut to) = tokio::io::split(&mut far);
            tokio::io::copy(&mut from, &mut to).await?;
            to.shutdown().await
        })
    });
    block_on(async move {
        writer.write_all(&vec![7; BULK]).await?;
        writer.flush().await?;
        Pin::new(&mut writer).shutdown().await
    })?;
    join(echo)?;
    assert_eq!(join(reader)?.len(), BULK);
    Ok(())
}

#[test]
fn halves_are_polled_by_two_tasks() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, far) = pair()?;
        let (reader, writer) = near.into_split();
        by_two_tasks(reader, writer, far)
    })
}

#[test]
fn halves_of_tls_are_polled_by_two_tasks() -> Result<(), Failure> {
    on_one_worker(|| {
        let (near, far) = tls_pair()?;
        let (reader, writer) = near.into_split();
        fibra::cancel::with_timeout(LOST, || by_two_tasks(reader, writer, far))
    })
}
