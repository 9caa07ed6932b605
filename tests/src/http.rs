//! A small blocking HTTP/1.1 client over plain sockets: polite by default, rude when a test wants it.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longest silence of a server in the middle of an answer: longer than the server holds any request open.
const READ_BOUND: Duration = Duration::from_mins(1);

/// Largest answer that is read; a server that sends more is broken.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, without transfer encoding.
    pub body: Vec<u8>,
}

/// A connection that is opened when needed and kept.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Answer {
    /// The first header of this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the answer is text")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The `type` of a problem; empty if the answer is none.
    #[must_use]
    pub fn problem(&self) -> String {
        let is_problem = self.header("content-type") == Some("application/problem+json");
        let kind = is_problem.then(|| self.json()["type"].as_str().map(str::to_owned)).flatten();
        kind.unwrap_or_default()
    }
}

impl Client {
    /// A client of the server at `address`; connects with the first request.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// If there is no connection, it breaks, or the answer is not HTTP.
    pub fn send(&mut self, method: &str, path: &str) -> io::Result<Answer> {
        self.send_with(method, path, &[], b"")
    }

    /// Sends a request with a JSON body.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_json(&mut self, method: &str, path: &str, body: &Value) -> io::Result<Answer> {
        self.send_with(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Sends a request with these headers and this body. `Host` and `Content-Length` are added.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").expect("a string takes any text");
        }
        write!(head, "content-length: {}\r\n\r\n", body.len()).expect("a string takes any text");
        let request = [head.as_bytes(), body].concat();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::new(connect(self.address)?),
        };
        stream.get_mut().write_all(&request)?;
        let answer = read_answer(&mut stream, method == "HEAD")?;
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// Opens a connection with a bound on every read and write.
///
/// # Errors
/// If nobody listens there.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_BOUND))?;
    stream.set_write_timeout(Some(READ_BOUND))?;
    Ok(stream)
}

/// Sends these bytes as they are, and reads one answer.
///
/// A server may answer and close before it has taken everything: then the answer counts, not the broken write.
///
/// # Errors
/// If there is no connection or no answer.
pub fn raw(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut stream = connect(address)?;
    let written = stream.write_all(request);
    let answer = read_answer(&mut BufReader::new(stream), false);
    match (answer, written) {
        (Err(_), Err(error)) => Err(error),
        (answer, _) => answer,
    }
}

/// Reads one answer.
///
/// # Errors
/// If the connection breaks or what comes is not HTTP/1.
pub fn read_answer(stream: &mut BufReader<TcpStream>, head_only: bool) -> io::Result<Answer> {
    let status = line(stream)?;
    let code = status.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let code = code.ok_or_else(|| broken(format!("not a status line: {status:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = line(stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken(format!("not a header: {line:?}")))?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status: code, headers, body: Vec::new() };
    if head_only || matches!(code, 100..=199 | 204 | 304) {
        return Ok(answer);
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = chunks(stream)?;
    } else if let Some(length) = answer.header("content-length") {
        let length: u64 = length.parse().map_err(|_| broken(format!("not a length: {length:?}")))?;
        stream.take(length.min(ANSWER_BYTES_MAX)).read_to_end(&mut answer.body)?;
        if answer.body.len() as u64 != length {
            return Err(broken("the body broke off".to_owned()));
        }
    } else {
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer.body)?;
    }
    Ok(answer)
}

fn chunks(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?;
        let size = u64::from_str_radix(&size, 16).map_err(|_| broken(format!("not a chunk: {size:?}")))?;
        stream.take(size.min(ANSWER_BYTES_MAX)).read_to_end(&mut body)?;
        line(stream)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed"));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| broken("the head is not text".to_owned()))
}

fn broken(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Escapes a value for a query string.
#[must_use]
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a string takes any text");
        }
    }
    escaped
}
