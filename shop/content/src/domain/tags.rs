//! Tags: short words of one spelling, so that whoever means the same finds the same.

/// Tags of one post, at most.
pub const TAGS_MAX: usize = 10;
/// Characters of a tag, at most.
pub const TAG_MAX: usize = 32;
/// What a tag is, for people.
pub const SHAPE: &str = "must be 1 to 32 letters a-z, digits or `-`";

/// A tag as it is kept: in lower case, without surrounding space; `None` for what is no tag.
pub fn normal(tag: &str) -> Option<String> {
    let tag = tag.trim().to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ((1..=TAG_MAX).contains(&tag.len()) && tag.bytes().all(fits)).then_some(tag)
}

/// Each tag once, where it came first.
pub fn unique(tags: Vec<String>) -> Vec<String> {
    let mut seen = Vec::with_capacity(tags.len());
    for tag in tags {
        if !seen.contains(&tag) {
            seen.push(tag);
        }
    }
    seen
}

/// Those of `tags` that are not among `others`.
pub fn without<'a>(tags: &'a [String], others: &'a [String]) -> impl Iterator<Item = &'a str> {
    tags.iter().filter(|tag| !others.contains(tag)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tag: &str, expected: Option<&str>) {
        assert_eq!(normal(tag).as_deref(), expected, "{tag:?}");
    }

    #[test]
    fn a_tag_has_one_spelling() {
        check("rust-2024", Some("rust-2024"));
        check(" Rust ", Some("rust"));
        check(&"x".repeat(32), Some(&"x".repeat(32)));
    }

    #[test]
    fn what_is_too_long_empty_or_of_other_characters_is_no_tag() {
        for tag in ["", " ", "two words", "über", "a/b", "\u{212a}", &"x".repeat(33)] {
            check(tag, None);
        }
    }

    #[test]
    fn what_differs_is_what_one_side_alone_has() {
        let tags = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(unique(tags("b a b c a")), ["b", "a", "c"]);
        let (one, other) = (tags("a b c"), tags("c d"));
        assert_eq!(without(&one, &other).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(without(&other, &one).collect::<Vec<_>>(), ["d"]);
    }
}
