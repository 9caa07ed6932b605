//! Connections whose peer must keep up: what it does not read of an answer stays in memory.
//!
//! The system ends the connection of a peer that reads nothing ([`STALLED_MAX`]). One that reads a little now and then
//! would hold its answer for as long as it likes, and with it what all answers together may take.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::limits::{STALLED_MAX, TAKEN_MIN};

/// A connection that fails with [`io::ErrorKind::TimedOut`] if its peer takes less than [`TAKEN_MIN`] within
/// [`STALLED_MAX`] while more waits for it.
#[derive(Debug)]
pub(crate) struct Paced<T> {
    inner: T,
    /// There while the peer is behind.
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    end: Pin<Box<Sleep>>,
    taken: usize,
}

impl<T> Paced<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, watch: None }
    }

    /// What came of a write.
    fn note(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                if let Some(watch) = &mut self.watch {
                    watch.taken += bytes;
                    if watch.taken >= TAKEN_MIN {
                        self.watch = None;
                    }
                }
                written
            }
            Poll::Ready(Err(_)) => written,
            Poll::Pending => {
                let begin = || Watch { end: Box::pin(sleep(STALLED_MAX)), taken: 0 };
                ready!(self.watch.get_or_insert_with(begin).end.as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the peer reads its answer too slowly",
                )))
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.note(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        self.note(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The system has all of it, and the peer is behind no more.
        self.watch = None;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// Sends four times what must be taken at once to a peer that reads `piece` bytes every five seconds.
    async fn send(piece: usize) -> io::Result<()> {
        let (ours, mut theirs) = duplex(4096);
        let peer = tokio::spawn(async move {
            let mut buffer = vec![0; piece];
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                if theirs.read_exact(&mut buffer).await.is_err() {
                    return;
                }
            }
        });
        let mut connection = Paced::new(ours);
        let sent = connection.write_all(&vec![b'x'; 4 * TAKEN_MIN]).await;
        drop(connection);
        peer.await.expect("it does not panic");
        sent
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_a_little_now_and_then_is_left() {
        let error = send(TAKEN_MIN / 16).await.expect_err("it takes three quarters of what it must");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_keeps_up_is_not() {
        send(TAKEN_MIN / 8).await.expect("it takes twice what it must");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_before_does_not_count() {
        let (ours, mut theirs) = duplex(4096);
        let mut connection = Paced::new(ours);
        for _ in 0..3 {
            let (sent, ()) = tokio::join!(connection.write_all(&[b'x'; 8192]), async {
                theirs.read_exact(&mut [0; 8192]).await.expect("it is sent");
            });
            sent.expect("it was read at once");
            connection.flush().await.expect("all is written");
            tokio::time::sleep(2 * STALLED_MAX).await;
        }
    }
}
