//! Signals: when to stop, and when to read the pools file again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the server listens to.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Stop; by this signal.
    Stop(i32),
    /// Read the pools file again.
    Reload,
}

impl Signals {
    /// Listens from now on, so that none of them ends the process by itself.
    ///
    /// # Errors
    /// If the system does not let us. Must be called within a runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next wish.
    ///
    /// # Cancel safety
    /// Cancel safe: a signal that came meanwhile is not lost.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop(SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => Wish::Stop(SignalKind::interrupt().as_raw_value()),
            _ = self.hangup.recv() => Wish::Reload,
        }
    }

    /// The next signal that asks to stop.
    ///
    /// # Cancel safety
    /// As [`Signals::next`].
    pub(crate) async fn stop(&mut self) -> i32 {
        loop {
            if let Wish::Stop(signal) = self.next().await {
                return signal;
            }
        }
    }
}
