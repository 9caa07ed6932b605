//! Server-sent events, read line by line (WHATWG HTML, "9.2.6 Interpreting an event stream").

use super::limits::STREAM_LINE_BYTES_MAX;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its name; empty if it has none.
    pub(crate) event: String,
    /// Its data, lines joined by newlines.
    pub(crate) data: String,
}

/// The stream holds a line or an event longer than [`STREAM_LINE_BYTES_MAX`].
#[derive(Debug, thiserror::Error)]
#[error("an event is longer than {STREAM_LINE_BYTES_MAX} bytes")]
pub(crate) struct TooLong;

/// Turns bytes, in pieces of any size, into events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_return: bool,
    begun: bool,
    message: Message,
    has_data: bool,
    last_id: Option<String>,
}

impl Parser {
    /// The ID of the last event, for `Last-Event-ID`.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Begins with a last event ID from elsewhere.
    pub(crate) fn with_last_id(id: Option<String>) -> Self {
        Self { last_id: id, ..Self::default() }
    }

    /// Forgets a half-read event, because the connection broke; the ID stays.
    pub(crate) fn reconnect(&mut self) {
        *self = Self::with_last_id(self.last_id.take());
    }

    /// Reads `bytes` and gives the events that they complete.
    ///
    /// # Errors
    /// [`TooLong`]; the parser is of no use afterwards.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLong> {
        let mut messages = Vec::new();
        for &byte in bytes {
            // CR, LF and CRLF all end a line.
            let second_half = self.after_return && byte == b'\n';
            self.after_return = byte == b'\r';
            match byte {
                _ if second_half => {}
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    messages.extend(self.end_line(&line));
                }
                _ => self.line.push(byte),
            }
            if self.line.len() + self.message.data.len() > STREAM_LINE_BYTES_MAX {
                return Err(TooLong);
            }
        }
        Ok(messages)
    }

    fn end_line(&mut self, line: &[u8]) -> Option<Message> {
        let line = String::from_utf8_lossy(line);
        let line = if self.begun { &*line } else { line.strip_prefix('\u{feff}').unwrap_or(&line) };
        self.begun = true;
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            // An event without data is not dispatched, but its ID counts.
            return std::mem::take(&mut self.has_data).then_some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.message.event),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            // Comments (an empty field name), `retry` and everything unknown.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "\u{feff}: hello\r\n\r\nid: 7\nevent: lease-granted\ndata: {\"a\":\ndata: 1}\n\nid: 8\ndata\r\rretry: 5\nid: 9\n\ndata:x\n";

    fn message(event: &str, data: &str) -> Message {
        Message { event: event.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn pieces_of_any_size_give_the_same_events() {
        for size in 1..=STREAM.len() {
            let mut parser = Parser::default();
            let mut messages = Vec::new();
            for piece in STREAM.as_bytes().chunks(size) {
                messages.extend(parser.push(piece).expect("short"));
            }
            assert_eq!(
                messages,
                [message("lease-granted", "{\"a\":\n1}"), message("", "")],
                "pieces of {size}"
            );
            assert_eq!(parser.last_id(), Some("9"));
        }
    }

    #[test]
    fn a_broken_connection_loses_the_half_event_but_not_the_id() {
        let mut parser = Parser::default();
        parser.push(b"id: 3\ndata: a\n\ndata: ha").expect("short");
        parser.reconnect();
        assert_eq!(parser.push(b"data: b\n\n").expect("short"), [message("", "b")]);
        assert_eq!(parser.last_id(), Some("3"));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; 64 * 1024];
        assert!((0..32).any(|_| parser.push(&piece).is_err()));
    }
}
