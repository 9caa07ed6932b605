//! What pages load: one stylesheet, one module, one icon. Named by their content, so that a browser may keep them for
//! ever.

use std::sync::LazyLock;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its path, e.g. `/assets/style-1f2e3d4c5b6a7988.css`; another content has another path.
    pub path: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its entity tag: of the content, in quotes.
    pub tag: String,
    /// Its content.
    pub text: String,
}

static ALL: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset("style", "css", "text/css; charset=utf-8", include_str!("../static/style.css").to_owned()),
        asset("lessor", "js", "text/javascript; charset=utf-8", code(include_str!("../static/lessor.js"))),
        asset("icon", "svg", "image/svg+xml", include_str!("../static/icon.svg").to_owned()),
    ]
});

/// All of them.
#[must_use]
pub fn all() -> &'static [Asset] {
    &*ALL
}

/// The path of the stylesheet.
#[must_use]
pub fn style() -> &'static str {
    &ALL[0].path
}

/// The path of the module.
#[must_use]
pub fn script() -> &'static str {
    &ALL[1].path
}

/// The path of the icon.
#[must_use]
pub fn icon() -> &'static str {
    &ALL[2].path
}

fn asset(name: &str, extension: &str, media_type: &'static str, text: String) -> Asset {
    let hash = hash(text.as_bytes());
    Asset {
        path: format!("/assets/{name}-{hash:016x}.{extension}"),
        media_type,
        tag: format!("\"{hash:016x}\""),
        text,
    }
}

/// A module without the lines that are a comment: those are for readers of the source, and a seventh of its bytes.
fn code(source: &str) -> String {
    let lines = source.split_inclusive('\n');
    lines.filter(|line| !line.trim_start().starts_with("//")).collect()
}

/// 64 bits that tell contents apart (FNV-1a): nobody attacks a name that only we give.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_has_another_name() {
        let of = |text: &str| asset("a", "css", "text/css", text.to_owned());
        let (one, two) = (of("x{}"), of("y{}"));
        assert_ne!(one.path, two.path);
        assert_ne!(one.tag, two.tag);
        assert_eq!(one, of("x{}"));
    }

    #[test]
    fn comments_are_not_sent() {
        assert_eq!(
            code("// What for.\nlet a = 'http://b' // c\n  // Why.\nend\n"),
            "let a = 'http://b' // c\nend\n"
        );
    }

    #[test]
    fn every_page_can_name_them() {
        for (path, start) in [(style(), "style-"), (script(), "lessor-"), (icon(), "icon-")] {
            assert!(path.starts_with(&format!("/assets/{start}")), "{path}");
        }
        assert_eq!(all().len(), 3);
    }
}
