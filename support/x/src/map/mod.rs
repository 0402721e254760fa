//! The map of the staircase: pages and figures made from the chapters' own sources.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `items` | what a crate offers: its public items, each with the first sentence of its docs |
//! | `chapter` | a chapter: what it offers, what it takes from earlier ones, what it replaces |
//! | `pages` | the pages in `book/src/map` |
//! | `figure` | their figures |
//! | `demos` | the index of the failing demos, `book/src/demos.md` |
//! | `book` | what these have to know of the other pages |

mod book;
mod chapter;
mod demos;
mod figure;
mod items;
mod pages;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::tree::Tree;
use chapter::Chapter;

/// Where the pages of the map are, and nothing else is.
pub const FOLDER: &str = "book/src/map";

/// What every page says above all else, to those who open its source.
const HAND_OFF: &str = "<!-- Made by `cargo x map` from the sources. Do not edit. -->\n\n";

/// Files by their path from the root of the checkout.
type Files = BTreeMap<PathBuf, String>;

/// Writes the map, and takes away what is no part of it any more.
pub fn write(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let files = files(&tree)?;
    for path in left_over(&tree, &files) {
        let path = root.join(path);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    for (path, text) in &files {
        if tree.get(path) == Some(text) {
            continue;
        }
        let path = root.join(path);
        let folder = path.parent().context("a file of the map is in no folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// What is not as it would be written now: a sentence for each file.
pub fn stale(tree: &Tree) -> Result<Vec<String>> {
    let files = files(tree)?;
    let changed = files
        .iter()
        .filter(|(path, text)| tree.get(path) != Some(text))
        .map(|(path, _)| format!("{} is not what the sources say.", path.display()));
    let left = left_over(tree, &files);
    let left = left.iter().map(|path| format!("{} is made from nothing.", path.display()));
    Ok(changed.chain(left).collect())
}

fn files(tree: &Tree) -> Result<Files> {
    let chapters = Chapter::all(tree)?;
    let mut files = pages::pages(tree, &chapters);
    files.extend(demos::page(tree, &chapters)?);
    Ok(files)
}

fn left_over(tree: &Tree, files: &Files) -> Vec<PathBuf> {
    tree.files()
        .map(|(path, _)| path)
        .filter(|path| path.starts_with(FOLDER) && !files.contains_key(*path))
        .map(Path::to_path_buf)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two chapters, the second on top of the first, and the pages that show them.
    fn staircase() -> Vec<(PathBuf, String)> {
        let files = [
            (
                "book/src/01-one/index.md",
                "# One\n\n```rust\n{{#include ../../../chapters/01-one/src/park.rs:park}}\n```\n",
            ),
            (
                "book/src/02-two/index.md",
                "# Two\n\n## Predict: who wakes?\n\n```console\n$ cargo run -q -p ch02-two --example sleeps\n```\n",
            ),
            ("chapters/01-one/Cargo.toml", "[package]\nname = \"ch01-one\"\n\n[dependencies]\n"),
            (
                "chapters/01-one/src/lib.rs",
                "//! One.\n\nmod park;\n\npub use park::{Park, Parker};\n",
            ),
            (
                "chapters/01-one/src/park.rs",
                "/// How to [sleep](x). And more.\npub trait Park {}\n\n/// Sleeps for [`Park`].\n#[derive(Debug)]\npub struct Parker;\n",
            ),
            (
                "chapters/02-two/Cargo.toml",
                "[package]\nname = \"ch02-two\"\n\n[dependencies]\nch01-one.workspace = true\nnix.workspace = true\n",
            ),
            (
                "chapters/02-two/src/lib.rs",
                "//! Two.\n\nmod reactor;\n\npub use reactor::Reactor;\n",
            ),
            (
                "chapters/02-two/src/reactor.rs",
                "use ch01_one::{\n    Park,\n};\n\n/// Knows who waits.\npub struct Reactor;\n\nimpl Park for Reactor {}\n",
            ),
            (
                "chapters/02-two/examples/sleeps.rs",
                "//! Fault S1: a thread that\n//! sleeps on.\n//!\n//! Predict: who wakes it?\n\nfn main() { demo::run(|_| Ok(())) }\n",
            ),
            (
                "chapters/02-two/workshop/replaces.toml",
                "[[replaces]]\nold = \"ch01_one::Parker\"\nnew = \"Reactor\"\nwhy = \"The kernel wakes, too.\"\n",
            ),
        ];
        files.map(|(path, text)| (path.into(), text.into())).into()
    }

    /// The staircase, with what `cargo x map` makes of it.
    fn with_map() -> Vec<(PathBuf, String)> {
        let mut all = staircase();
        all.extend(files(&Tree::of_owned(all.clone())).unwrap());
        all
    }

    fn page(name: &str) -> String {
        files(&Tree::of_owned(staircase())).unwrap().remove(Path::new(name)).unwrap()
    }

    #[test]
    fn a_page_says_what_is_new_taken_replaced_and_fitted() {
        let page = page("book/src/map/02-two.md");
        for line in [
            "# Map: Two",
            "| `Reactor` | Knows who waits. | `reactor.rs` |",
            "| [1. One](01-one.md) | `Park` |",
            "| `Parker` ([chapter 1](01-one.md)) | `Reactor` | The kernel wakes, too. |",
            "| `Park` | [chapter 1](01-one.md) | `Reactor` |",
            "From outside it takes `nix`.",
        ] {
            assert!(page.lines().any(|it| it == line), "{line:?} is not in\n{page}");
        }
    }

    #[test]
    fn a_page_says_who_builds_on_it_and_where_it_is_shown() {
        let page = page("book/src/map/01-one.md");
        for line in [
            "| `Park` | How to sleep. | [`park.rs`](../01-one/index.md) |",
            "| `Parker` | Sleeps for `Park`. | [`park.rs`](../01-one/index.md) |",
            "| [2. Two](02-two.md) | `Park` |",
        ] {
            assert!(page.lines().any(|it| it == line), "{line:?} is not in\n{page}");
        }
    }

    #[test]
    fn the_index_of_demos_has_the_first_words_of_each_its_fault_and_the_place_that_shows_it() {
        let page = page("book/src/demos.md");
        let entry = "- [`sleeps`](02-two/index.md#predict-who-wakes), fault S1. A thread that sleeps on.<br>\n  \
                     `cargo run -p ch02-two --example sleeps`\n";
        assert!(page.contains(entry), "{page}");
        let fault = "| S1 | The thread goes to sleep while a task is queued. | [`sleeps`](02-two/";
        assert!(page.contains(fault), "{page}");
    }

    #[test]
    fn a_map_that_was_just_written_is_not_stale() {
        assert_eq!(stale(&Tree::of_owned(with_map())).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_changed_source_makes_the_map_stale() {
        let mut files = with_map();
        let source = |(path, _): &&mut (PathBuf, String)| path.ends_with("src/reactor.rs");
        let (_, text) = files.iter_mut().find(source).unwrap();
        *text = text.replace("Knows who waits", "Knows who sleeps");
        let stale = stale(&Tree::of_owned(files)).unwrap();
        assert_eq!(stale, ["book/src/map/02-two.md is not what the sources say."]);
    }

    #[test]
    fn a_page_of_a_chapter_that_has_gone_is_found() {
        let mut files = with_map();
        files.push(("book/src/map/03-gone.md".into(), String::new()));
        let stale = stale(&Tree::of_owned(files)).unwrap();
        assert_eq!(stale, ["book/src/map/03-gone.md is made from nothing."]);
    }

    /// The error that comes of the staircase with one file changed.
    fn refused(name: &str, from: &str, to: &str) -> String {
        let mut all = staircase();
        let (_, text) = all.iter_mut().find(|(path, _)| path.ends_with(name)).unwrap();
        assert!(text.contains(from), "{from:?} is not in {name}");
        *text = text.replace(from, to);
        format!("{:#}", files(&Tree::of_owned(all)).unwrap_err())
    }

    #[test]
    fn what_is_replaced_has_to_exist_on_both_sides() {
        let said = refused("replaces.toml", "ch01_one::Parker", "ch01_one::Gone");
        assert!(said.ends_with("there is no `ch01_one::Gone` before chapter 2"), "{said}");
        let said = refused("replaces.toml", "\"Reactor\"", "\"Gone\"");
        assert!(said.ends_with("chapter 2 has no `Gone`"), "{said}");
    }

    #[test]
    fn a_demo_that_no_page_shows_is_refused() {
        let said = refused("02-two/index.md", "sleeps", "other");
        assert_eq!(said, "no page shows the demo `sleeps` of ch02-two");
    }

    #[test]
    fn a_public_item_without_docs_is_refused() {
        let said = refused("src/reactor.rs", "/// Knows who waits.\n", "");
        assert_eq!(said, "chapters/02-two/src/reactor.rs: `Reactor` has no docs");
    }
}
