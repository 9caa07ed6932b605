//! How much memory an idle resource takes: the resident size of this process before and after making a million.

mod fleet;

const COUNT: usize = 1_000_000;

/// Size of a page on every platform that this is run on, in bytes.
const PAGE: usize = 4096;

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second field is the resident size in pages") * PAGE
}

#[expect(clippy::print_stdout, reason = "telling the number is what this program is for")]
fn main() {
    let before = resident();
    let ledger = fleet::ledger(COUNT);
    let bytes = resident() - before;
    println!("{} bytes per idle resource at {}", bytes / COUNT, ledger.resource_count());
}
