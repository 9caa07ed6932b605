//! The state bar: how a pool is used, by length, colour and pattern.

use askama::Template;

use super::{coordinate, share};

/// Width of a bar, in units of its picture.
const WIDTH: f64 = 240.0;

/// How many resources of a pool are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Can be leased now.
    pub free: u64,
    /// Somebody holds them.
    pub leased: u64,
    /// Wait to be cleaned.
    pub dirty: u64,
    /// Anything else: drained, being made, being deleted, in a state of the users'.
    pub away: u64,
}

/// A state bar.
#[derive(Clone, Debug, Template)]
#[template(path = "chart/bar.svg")]
pub struct Bar {
    words: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    class: &'static str,
    x: String,
    width: String,
}

impl Stock {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.free + self.leased + self.dirty + self.away
    }

    /// In words: `2 free, 3 leased`.
    #[must_use]
    pub fn words(&self) -> String {
        let named = self.named().into_iter().filter(|(_, count)| *count > 0);
        let words: Vec<String> = named.map(|(name, count)| format!("{count} {name}")).collect();
        if words.is_empty() { "no resources".to_owned() } else { words.join(", ") }
    }

    fn named(&self) -> [(&'static str, u64); 4] {
        [("free", self.free), ("leased", self.leased), ("dirty", self.dirty), ("away", self.away)]
    }
}

impl Bar {
    /// The bar of a pool.
    #[must_use]
    pub fn of(stock: &Stock) -> Self {
        let mut from = 0.0;
        let pieces = stock.named().into_iter().filter(|(_, count)| *count > 0).map(|(class, count)| {
            let width = share(count, stock.total(), WIDTH);
            let piece = Piece { class, x: coordinate(from), width: coordinate(width) };
            from += width;
            piece
        });
        Self { pieces: pieces.collect(), words: stock.words() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_fill_the_bar_in_order() {
        let bar = Bar::of(&Stock { free: 1, leased: 2, dirty: 0, away: 1 });
        let pieces: Vec<_> = bar.pieces.iter().map(|p| (p.class, p.x.as_str(), p.width.as_str())).collect();
        assert_eq!(pieces, [("free", "0", "60"), ("leased", "60", "120"), ("away", "180", "60")]);
        let svg = bar.render().expect("renders");
        assert!(svg.contains("<title>1 free, 2 leased, 1 away</title>"), "{svg}");
        assert!(svg.contains("url(#p-leased)"), "{svg}");
    }

    #[test]
    fn an_empty_pool_has_an_empty_bar() {
        let bar = Bar::of(&Stock::default());
        assert!(bar.pieces.is_empty());
        assert_eq!(bar.words, "no resources");
    }
}
