//! What guests may call: one file for each group of interfaces of the contract.

mod ambient;
mod files;
mod http;
mod server;
