//! The least HTTP/1.1 client that can keep a connection busy, so that the generator takes as little as possible of
//! the processor that it shares with the server.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::limits::ANSWER_BYTES_MAX;

/// One keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read and not yet consumed: `buffer[..filled]`.
    buffer: Vec<u8>,
    filled: usize,
    /// Length of the answer that the caller looks at; dropped at the next exchange.
    shown: usize,
}

/// One answer.
pub(crate) struct Reply<'a> {
    /// The status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects to `address`, `host:port`.
    pub(crate) async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024], filled: 0, shown: 0 })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Cancel safety
    /// None: the connection is of no use after the future was dropped.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Reply<'_>> {
        self.buffer.copy_within(self.shown..self.filled, 0);
        self.filled -= self.shown;
        self.shown = 0;
        self.stream.write_all(request).await?;
        loop {
            if let Some(head) = head(&self.buffer[..self.filled])? {
                let end = head.length + head.body;
                if self.filled >= end {
                    self.shown = end;
                    return Ok(Reply { status: head.status, body: &self.buffer[head.length..end] });
                }
            }
            if self.filled == self.buffer.len() {
                if self.filled >= ANSWER_BYTES_MAX {
                    return Err(invalid("an answer is too long"));
                }
                self.buffer.resize(self.filled * 2, 0);
            }
            match self.stream.read(&mut self.buffer[self.filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.filled += read,
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Bytes up to and including the empty line.
    length: usize,
    /// Bytes of the body.
    body: usize,
}

/// Reads the status line and headers, if all of them are there.
fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| invalid("a head is not text"))?;
    let status = text
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| invalid("a status is no number"))?;
    let mut body = None;
    for line in text.split("\r\n").skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            body = value.trim().parse().ok();
        }
    }
    let body = match (body, status) {
        (Some(body), _) => body,
        (None, 204 | 304) => 0,
        (None, _) => return Err(invalid("an answer has no content-length")),
    };
    Ok(Some(Head { status, length: end + 4, body }))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Writes a request into `out`, replacing what is there.
pub(crate) fn request(
    out: &mut Vec<u8>,
    method: &str,
    host: &str,
    path: std::fmt::Arguments<'_>,
    body: &str,
) {
    use std::io::Write as _;
    out.clear();
    let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    let length = body.len();
    write!(out, "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{kind}content-length: {length}\r\n\r\n{body}")
        .expect("a vector takes every byte");
}

/// The JSON text behind `"key":"`, up to the next quote. Good enough for names without escapes, which ours are.
pub(crate) fn text<'a>(body: &'a [u8], key: &str) -> Option<&'a str> {
    let rest = behind(body, key)?.strip_prefix('"')?;
    rest.split('"').next()
}

/// The JSON number behind `"key":`.
pub(crate) fn number(body: &[u8], key: &str) -> Option<u64> {
    let rest = behind(body, key)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn behind<'a>(body: &'a [u8], key: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(body).ok()?;
    let mut rest = text;
    loop {
        let (_, tail) = rest.split_once('"')?;
        if let Some(value) = tail.strip_prefix(key).and_then(|tail| tail.strip_prefix("\":")) {
            return Some(value.trim_start());
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_only_when_it_is_complete() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nx: y\r\n\r\nabc";
        for cut in 0..45 {
            assert_eq!(head(&answer[..cut.min(43)]).expect("valid"), None, "{cut}");
        }
        assert_eq!(head(answer).expect("valid"), Some(Head { status: 200, length: 44, body: 3 }));
        assert_eq!(head(b"HTTP/1.1 204 No Content\r\n\r\n").expect("valid").map(|head| head.body), Some(0));
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(head(b"rubbish\r\n\r\n").is_err());
    }

    #[test]
    fn names_and_numbers_are_found_in_json() {
        let body = br#"{"type":"t","name": "gpu-1","lease":{"id":42},"x":"id"}"#;
        assert_eq!(text(body, "name"), Some("gpu-1"));
        assert_eq!(number(body, "id"), Some(42));
        assert_eq!(text(body, "none"), None);
        assert_eq!(number(body, "name"), None);
    }
}
