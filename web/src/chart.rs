//! Pictures: inline SVG made here. Each has a title in words, and stands beside the numbers that it is made of.

mod bar;
mod gantt;
mod histogram;
mod sparkline;
mod told;

pub use bar::{Bar, Stock};
pub use gantt::{Gantt, Lane, Span, Window};
pub use histogram::Histogram;
pub use sparkline::Sparkline;
pub use told::Told;

/// A number with one digit after the point, as coordinates are written: `0`, `12.5`.
fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), ToOwned::to_owned)
}

/// `part` of `whole` as a length on a line that is `length` long.
#[expect(clippy::cast_precision_loss, reason = "a picture has a thousand points, a double has 2^53 integers")]
fn share(part: u64, whole: u64, length: f64) -> f64 {
    if whole == 0 { 0.0 } else { part.min(whole) as f64 / whole as f64 * length }
}
