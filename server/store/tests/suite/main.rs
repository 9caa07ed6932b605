//! The store from outside: what survives a crash, what readers see, what opening refuses.

mod backup;
mod check;
mod crash;
mod golden;
mod history;
mod lab;
mod opening;
