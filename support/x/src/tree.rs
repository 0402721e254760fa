//! The text files of the checkout, in memory, so that a check is a function and its test needs no disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;

/// Where the pages are.
pub const PAGES: &str = "book/src";

/// Text files by their path from the root of the checkout.
pub struct Tree {
    files: BTreeMap<PathBuf, String>,
}

impl Tree {
    /// Reads the checkout at `root`, without hidden folders and without what was built.
    pub fn read(root: &Path) -> anyhow::Result<Tree> {
        let mut files = BTreeMap::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let place = root.join(&folder);
            let unreadable = || format!("cannot read {}", place.display());
            for entry in fs::read_dir(&place).with_context(unreadable)? {
                let entry = entry.with_context(unreadable)?;
                let path = folder.join(entry.file_name());
                let kind = entry.file_type().with_context(unreadable)?;
                if kind.is_dir() && !is_skipped(&path) {
                    folders.push(path);
                } else if kind.is_file()
                    && let Ok(text) = fs::read_to_string(entry.path())
                {
                    files.insert(path, text);
                }
            }
        }
        Ok(Tree { files })
    }

    /// The text of the file at `path`.
    pub fn get(&self, path: &Path) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Every file with its text.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files.iter().map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// The files of the book with this extension.
    pub fn book(&self, extension: &str) -> impl Iterator<Item = (&Path, &str)> {
        self.files().filter(move |(path, _)| {
            path.starts_with(PAGES) && path.extension().is_some_and(|it| it == extension)
        })
    }

    /// The pages of the book: its Markdown files except the table of contents.
    pub fn pages(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.book("md").filter(|(path, _)| !path.ends_with("SUMMARY.md"))
    }

    #[cfg(test)]
    pub fn of_owned(files: Vec<(PathBuf, String)>) -> Tree {
        Tree { files: files.into_iter().collect() }
    }

    #[cfg(test)]
    pub fn of<const N: usize>(files: [(&str, &str); N]) -> Tree {
        let files = files.map(|(path, text)| (path.into(), text.into()));
        Tree { files: files.into() }
    }
}

fn is_skipped(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "target" || folder == Path::new("book/book")
}

/// The path that `link` in the file `from` leads to, from the root of the checkout.
pub fn resolve(from: &Path, link: &str) -> PathBuf {
    let mut path = from.parent().unwrap_or(from).to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

/// The number, from 1, of the line that the byte `offset` is on.
pub fn line_at(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// The id that mdBook gives to a heading, or to a term of a list of definitions.
pub fn anchor_id(words: &str) -> String {
    let letter = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    };
    words.chars().filter_map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_resolved_from_the_folder_of_its_page() {
        let page = Path::new("book/src/05-executor/index.md");
        assert_eq!(resolve(page, "../../../chapters/a.rs"), Path::new("chapters/a.rs"));
        assert_eq!(
            resolve(page, "./figures/a.svg"),
            Path::new("book/src/05-executor/figures/a.svg")
        );
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!(line_at("a\nb\n", 0), 1);
        assert_eq!(line_at("a\nb\n", 2), 2);
    }

    #[test]
    fn this_checkout_is_read_without_what_was_built() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tree = Tree::read(&root).unwrap();
        assert!(tree.get(Path::new("support/x/src/tree.rs")).is_some());
        for (path, _) in tree.files() {
            assert!(!path.starts_with("target"), "{path:?}");
            assert!(!path.starts_with(".git"), "{path:?}");
        }
    }
}
