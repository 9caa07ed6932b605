//! Connections: accepted, bounded in number and in time, and finished in good order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::limits::{
    ACCEPT_PAUSE, BACKLOG, HEAD_BYTES_MAX, HEAD_READ_MAX, KEEPALIVE_AFTER, KEEPALIVE_EVERY, STALLED_MAX,
};
use crate::paced::Paced;

/// What one connection too many is told, before it has said anything: a problem like the API's.
fn too_many(places: usize) -> String {
    let problem = format!(
        r#"{{"type":"/problems/overloaded","title":"Server is overloaded","status":503,"detail":"{places} connections are open, which is the limit"}}"#
    );
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{problem}",
        problem.len()
    )
}

/// Binds `address`.
///
/// # Errors
/// If the system refuses it, e.g. because somebody listens there already.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves connections until `stop` is cancelled, then lets those that are open finish the request at hand.
///
/// At most `places` are open at once; one more is told so and closed. Returns as soon as nothing is accepted any
/// more; `connections` says when the open ones are done.
pub(crate) async fn serve<S>(
    listener: TcpListener,
    site: S,
    places: usize,
    stop: CancellationToken,
    connections: TaskTracker,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let too_many = too_many(places);
    let places = Arc::new(Semaphore::new(places));
    let service = TowerToHyperService::new(site);
    loop {
        let stream = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    refused(&error).await;
                    continue;
                }
            },
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let (service, stop) = (service.clone(), stop.clone());
                connections.spawn(async move {
                    connection(stream, service, stop).await;
                    drop(place);
                });
            }
            // What does not fit into the socket's buffer at once is not worth waiting for.
            Err(_) => {
                let _ = stream.try_write(too_many.as_bytes());
            }
        }
    }
}

/// One connection, to its end.
async fn connection<S>(stream: TcpStream, service: TowerToHyperService<S>, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone,
{
    // Without it an answer may wait for the acknowledgement of the one before. A failure costs only speed.
    let _ = stream.set_nodelay(true);
    // A failure costs only what the probes are for.
    let _ = probe(&stream);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Paced::new(stream)), service);
    let mut connection = pin!(connection);
    let done = tokio::select! {
        biased;
        done = connection.as_mut() => done,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = done {
        // The client went away, or does not speak HTTP: its business, not ours.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Has the system ask from time to time whether the peer is there: one that vanished says no goodbye, and a held
/// request of its would keep its place in line. And has it end the connection of a peer that is there, but reads nothing
/// of its answer (Linux tells so since 5.11); one that reads a little is for [`Paced`].
fn probe(stream: &TcpStream) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_tcp_user_timeout(Some(STALLED_MAX))
}

/// Waits a little if accepting failed for lack of something, and not at all if only that one connection is gone.
async fn refused(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "cannot accept connections");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn the_system_asks_whether_a_silent_peer_is_there() {
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, _) = accepted.expect("it listens");
        probe(&stream).expect("the system can");
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("it can be asked"));
        assert_eq!(socket.tcp_keepalive_time().expect("it can be asked"), KEEPALIVE_AFTER);
        assert_eq!(socket.tcp_user_timeout().expect("it can be asked"), Some(STALLED_MAX));
        drop(client);
    }

    #[tokio::test]
    async fn one_connection_too_many_is_told_so() {
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        let site = axum::Router::new().fallback(async || "here");
        tokio::spawn(serve(listener, site, 1, stop.clone(), connections.clone()));

        let mut first = TcpStream::connect(address).await.expect("it listens");
        let mut answer = [0; 12];
        first.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("it reads");
        first.read_exact(&mut answer).await.expect("it answers");
        assert_eq!(&answer, b"HTTP/1.1 200");

        let mut second = TcpStream::connect(address).await.expect("it listens");
        let mut answer = String::new();
        second.read_to_string(&mut answer).await.expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
        assert!(body.contains("1 connections are open"), "{body}");

        // A place is free again once its connection is gone.
        drop(first);
        while !connections.is_empty() {
            tokio::task::yield_now().await;
        }
        let mut answer = [0; 12];
        let mut third = TcpStream::connect(address).await.expect("it listens");
        third.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("it reads");
        third.read_exact(&mut answer).await.expect("it answers");
        assert_eq!(&answer, b"HTTP/1.1 200");

        // An idle connection ends with the server.
        stop.cancel();
        connections.close();
        connections.wait().await;
        let mut rest = Vec::new();
        third.read_to_end(&mut rest).await.expect("the connection ends");
    }
}
