//! Which application answers a path.

use crate::error::{Error, Result, Status};

/// What is mounted where, the longest prefix first; the root, with the empty prefix, is last.
pub(super) struct Mounts<T> {
    entries: Box<[(Box<str>, T)]>,
}

impl<T> Mounts<T> {
    /// A table; the prefixes have passed [`check`].
    pub(super) fn new(root: T, mounts: impl IntoIterator<Item = (String, T)>) -> Mounts<T> {
        let mut entries: Vec<(Box<str>, T)> = mounts
            .into_iter()
            .map(|(prefix, mounted)| (prefix.into_boxed_str(), mounted))
            .collect();
        entries.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        entries.push(("".into(), root));
        Mounts { entries: entries.into_boxed_slice() }
    }

    /// What answers `path`, which is as it was sent.
    pub(super) fn find(&self, path: &str) -> &T {
        let last = self.entries.len() - 1;
        let found = self.entries[..last].iter().find(|(prefix, _)| covers(prefix, path));
        &found.unwrap_or(&self.entries[last]).1
    }

    /// Everything that is mounted.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, mounted)| mounted)
    }
}

fn covers(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// Refuses prefixes that no path could begin with, and what is mounted twice.
pub(super) fn check<'a>(prefixes: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen: Vec<&str> = Vec::new();
    for prefix in prefixes {
        let invalid = !prefix.starts_with('/')
            || prefix.ends_with('/')
            || prefix.bytes().any(|byte| !byte.is_ascii_graphic() || b"?#%".contains(&byte));
        if invalid {
            return Err(Error::new(
                Status::Invalid,
                format!(
                    "the mount {prefix:?} is no path: it begins with '/', does not end with one, \
                     and holds no '?', '#', '%' or space"
                ),
            ));
        }
        if seen.contains(&prefix) {
            return Err(Error::new(
                Status::Invalid,
                format!("two applications are mounted at {prefix}: give each a path of its own"),
            ));
        }
        seen.push(prefix);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Mounts<&'static str> {
        let mounts = [("/a", "a"), ("/a/b", "ab"), ("/relay-blocking", "blocking")];
        Mounts::new("root", mounts.map(|(prefix, name)| (prefix.to_string(), name)))
    }

    #[test]
    fn the_longest_prefix_wins() {
        assert_eq!(*table().find("/a/b"), "ab");
        assert_eq!(*table().find("/a/b/c"), "ab");
        assert_eq!(*table().find("/a/c"), "a");
    }

    #[test]
    fn a_prefix_ends_with_a_segment() {
        assert_eq!(*table().find("/a"), "a");
        assert_eq!(*table().find("/a/"), "a");
        assert_eq!(*table().find("/ab"), "root");
        assert_eq!(*table().find("/relay-blocking2"), "root");
    }

    #[test]
    fn everything_else_goes_to_the_root() {
        for path in ["/", "", "*", "/hello", "/A"] {
            assert_eq!(*table().find(path), "root");
        }
    }

    #[test]
    fn what_cannot_be_a_prefix_is_refused() {
        for prefix in ["", "/", "a", "/a/", "/a?b", "/a#b", "/a b", "/a%20b", "/\u{e9}"] {
            assert!(check([prefix]).is_err(), "{prefix:?}");
        }
        assert!(check(["/a", "/b", "/a"]).is_err());
        assert!(check(["/a", "/a/b", "/b"]).is_ok());
    }
}
