//! What the map has to know of the pages that people have written.

use std::path::Path;

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

use crate::check_book::includes;
use crate::tree::{PAGES, Tree, anchor_id, resolve};

/// The title of a page: its first heading.
pub fn title(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("# "))
}

/// A link from the folder of the pages to the heading below which `words` are found first.
pub fn place(tree: &Tree, folder: &Path, words: &str) -> Option<String> {
    let mut pages = tree.pages().filter(|(page, _)| page.starts_with(folder));
    // A folder's index comes before the other pages of a chapter.
    let found = |(page, text): (&Path, &str)| {
        let at = text.find(words)?;
        let page = page.strip_prefix(PAGES).ok()?.display().to_string();
        Some(match heading_above(text, at) {
            Some(heading) => format!("{page}#{}", anchor_id(&heading)),
            None => page,
        })
    };
    let index = folder.join("index.md");
    tree.get(&index).and_then(|text| found((&index, text))).or_else(|| pages.find_map(found))
}

/// The page of the chapter in `folder` that shows a part of the file `source`.
pub fn shown_on<'a>(tree: &'a Tree, folder: &Path, source: &Path) -> Option<&'a Path> {
    let shows = |page: &Path, text: &str| {
        includes(text).iter().any(|include| resolve(page, include.path) == source)
    };
    let mut pages = tree.pages().filter(|(page, _)| page.starts_with(folder));
    pages.find(|(page, text)| shows(page, text)).map(|(page, _)| page)
}

/// The last heading before `at`, if it is not the title.
fn heading_above(text: &str, at: usize) -> Option<String> {
    let mut heading = None;
    let mut is_open = false;
    for (event, range) in Parser::new(text).into_offset_iter() {
        if range.start > at {
            break;
        }
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                is_open = true;
                heading = (level != HeadingLevel::H1).then(String::new);
            }
            Event::End(TagEnd::Heading(_)) => is_open = false,
            Event::Text(words) | Event::Code(words) if is_open => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            _ => {}
        }
    }
    heading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_heading_above() {
        let page = "# Title\n\nfirst\n\n## A `poll`, and more\n\nsecond\n";
        let tree = Tree::of([("book/src/01-one/index.md", page)]);
        let place = |words| place(&tree, Path::new("book/src/01-one"), words);
        assert_eq!(place("first").unwrap(), "01-one/index.md");
        assert_eq!(place("second").unwrap(), "01-one/index.md#a-poll-and-more");
        assert_eq!(place("third"), None);
    }
}
