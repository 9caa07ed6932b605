//! The closed loop: each client sends its next request when the last one was answered.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::http::{Connection, number, request, text};
use super::limits::WARM_UP;
use super::tally::Tally;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mix {
    /// Boskos: acquire one of a pool, release it
    AcquireRelease,
    /// `ConTest`: lock one target, unlock it
    LockUnlock,
    /// Lessor's own: lease one of a pool, give it back
    V1,
}

/// What all clients have in common.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// `host:port` of the server.
    pub(crate) address: String,
    /// How many clients.
    pub(crate) clients: u64,
    /// Over how many pools.
    pub(crate) pools: u64,
    /// What they do; `None` sends requests whose answers are not looked at.
    pub(crate) mix: Option<Mix>,
    /// How long they are counted.
    pub(crate) duration: Duration,
    /// Ends it before that: each client gives back what it has, and stops.
    pub(crate) stop: CancellationToken,
}

/// When counting begins and ends.
#[derive(Clone, Copy)]
struct Period {
    from: Instant,
    to: Instant,
}

impl Load {
    /// Runs all clients and gives what they counted together.
    ///
    /// # Errors
    /// If a client cannot connect. What goes wrong later is counted.
    pub(crate) async fn run(&self) -> io::Result<Tally> {
        let mut connections = Vec::new();
        for _ in 0..self.clients {
            connections.push(Connection::open(&self.address).await?);
        }
        let from = Instant::now() + WARM_UP;
        let period = Period { from, to: from + self.duration };
        let mut clients = JoinSet::new();
        for (number, connection) in (0..self.clients).zip(connections) {
            let client = Client {
                number,
                pool: number % self.pools,
                host: self.address.clone(),
                connection,
                request: Vec::new(),
                body: String::new(),
                tally: Tally::new(),
                period,
                stop: self.stop.clone(),
            };
            clients.spawn(client.run(self.mix));
        }
        let mut sum = Tally::new();
        while let Some(client) = clients.join_next().await {
            sum.add(&client.map_err(io::Error::other)?);
        }
        Ok(sum)
    }
}

struct Client {
    number: u64,
    pool: u64,
    host: String,
    connection: Connection,
    request: Vec<u8>,
    body: String,
    tally: Tally,
    period: Period,
    stop: CancellationToken,
}

impl Client {
    async fn run(mut self, mix: Option<Mix>) -> Tally {
        while Instant::now() < self.period.to && !self.stop.is_cancelled() {
            let outcome = match mix {
                None => self.empty().await,
                Some(Mix::AcquireRelease) => self.acquire_release().await,
                Some(Mix::LockUnlock) => self.lock_unlock().await,
                Some(Mix::V1) => self.v1().await,
            };
            if let Err(cause) = outcome {
                self.tally.failed(&cause.kind().to_string());
                match Connection::open(&self.host).await {
                    Ok(connection) => self.connection = connection,
                    // The server is gone.
                    Err(_) => break,
                }
            }
        }
        self.tally
    }

    /// Sends what is in `self.request` and counts it. Gives what `read` makes of the answer, if that is `wanted`.
    async fn send<T>(&mut self, wanted: u16, read: impl FnOnce(&[u8]) -> Option<T>) -> io::Result<Option<T>> {
        let begin = Instant::now();
        let reply = self.connection.exchange(&self.request).await?;
        let end = Instant::now();
        self.tally.answered();
        let counted = begin >= self.period.from && end <= self.period.to;
        if reply.status != wanted {
            if counted {
                self.tally.failed(&reply.status.to_string());
            }
            return Ok(None);
        }
        let read = read(reply.body);
        if counted {
            match &read {
                Some(_) => self.tally.done(end - begin),
                None => self.tally.failed("answer not understood"),
            }
        }
        Ok(read)
    }

    async fn empty(&mut self) -> io::Result<()> {
        request(
            &mut self.request,
            "POST",
            &self.host,
            format_args!("/acquire?type=bench-{}&state=free&dest=busy&owner=c{}", self.pool, self.number),
            "",
        );
        self.send(200, |_| Some(())).await.map(drop)
    }

    async fn acquire_release(&mut self) -> io::Result<()> {
        request(
            &mut self.request,
            "POST",
            &self.host,
            format_args!("/acquire?type=bench-{}&state=free&dest=busy&owner=c{}", self.pool, self.number),
            "",
        );
        let name = self.send(200, |body| text(body, "name").map(str::to_owned)).await?;
        let Some(name) = name else { return Ok(()) };
        request(
            &mut self.request,
            "POST",
            &self.host,
            format_args!("/release?name={name}&dest=free&owner=c{}", self.number),
            "",
        );
        self.send(200, |_| Some(())).await.map(drop)
    }

    async fn lock_unlock(&mut self) -> io::Result<()> {
        for verb in ["lock", "unlock"] {
            self.body.clear();
            let job = self.number + 1;
            write!(self.body, "{{\"job\":{job},\"duration\":60000,\"targets\":[\"bench-lock-{job}\"]}}")
                .expect("a string takes everything");
            request(&mut self.request, "POST", &self.host, format_args!("/v1/locks/{verb}"), &self.body);
            self.send(200, |_| Some(())).await?;
        }
        Ok(())
    }

    async fn v1(&mut self) -> io::Result<()> {
        self.body.clear();
        write!(
            self.body,
            "{{\"owner\":\"c{}\",\"pool\":\"bench-{}\",\"ttl\":60000}}",
            self.number, self.pool
        )
        .expect("a string takes everything");
        request(&mut self.request, "POST", &self.host, format_args!("/v1/leases"), &self.body);
        let Some(id) = self.send(201, |body| number(body, "id")).await? else { return Ok(()) };
        request(&mut self.request, "DELETE", &self.host, format_args!("/v1/leases/{id}"), "");
        self.send(204, |_| Some(())).await.map(drop)
    }
}
