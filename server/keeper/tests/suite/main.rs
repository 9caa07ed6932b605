//! The keeper on a real store: what it promises while all goes well, and while it does not.

mod clocks;
mod disk;
mod failures;
mod feed;
mod lab;
mod load;
mod waiting;
