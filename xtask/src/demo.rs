//! `cargo xtask demo`: a server with sample pools, and three things to try.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use clap::Args;

use crate::place::{self, Build};
use crate::process::interrupted;
use crate::server::Server;
use crate::{Result, failed, say, tools};

/// Start a server with sample pools and print three things to try.
///
/// Builds `lessor`, serves examples/pools/sample.yaml with data in target/demo-data, and stops it at Ctrl-C. The data
/// stays for the next time.
#[derive(Args)]
pub(crate) struct Demo {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Build without optimisation: sooner there, slower after.
    #[arg(long)]
    dev: bool,
}

impl Demo {
    pub(crate) fn run(&self) -> Result<()> {
        self.expect_free_port()?;
        let build = if self.dev { Build::Dev } else { Build::Release };
        let bin = tools::build_lessor(build)?;
        let pools = place::root().join("examples/pools/sample.yaml");
        let data = place::target().join("demo-data");
        say::step(&format!("Starting a server with the pools of {}", pools.display()));
        let mut server = Server::start_shown(&bin, self.listen, &data, &pools)?;
        self.print_things_to_try(&bin.display().to_string());
        while !interrupted() {
            if let Some(how) = server.ended() {
                return failed(format!("the server ended by itself ({how})"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        say::step("Stopping the server");
        drop(server);
        Ok(())
    }

    /// Finds out before a build of minutes, not after.
    fn expect_free_port(&self) -> Result<()> {
        match TcpListener::bind(self.listen) {
            Ok(_) => Ok(()),
            Err(error) => failed(format!(
                "port {} on {} cannot be used: {error}\n       stop what listens there, or choose another: \
                 cargo xtask demo --listen 127.0.0.1:{}",
                self.listen.port(),
                self.listen.ip(),
                self.listen.port().checked_add(1).unwrap_or(8081),
            )),
        }
    }

    fn print_things_to_try(&self, bin: &str) {
        let address = self.listen;
        println!();
        say::step("Lessor is ready. Three things to try, the last two in another terminal:");
        println!();
        println!("  1. Look at the pools:     http://{address}/");
        println!();
        println!("  2. Lease a graphics card for ten minutes:");
        println!();
        println!("     curl -H 'content-type: application/json' http://{address}/v1/leases \\");
        println!("          -d '{{\"owner\": \"me\", \"pool\": \"gpu\", \"ttl\": \"10m\"}}'");
        println!();
        println!("  3. Lease a board for as long as a command runs:");
        println!();
        println!("     {bin} run --server http://{address} --pool board-imx8 -- sh -c 'env | grep ^LEASE'");
        println!();
        println!("Ctrl-C stops the server.");
        println!();
    }
}
