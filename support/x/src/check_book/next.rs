//! Every page ends with what to do next: a sentence that begins with `Next:` and has a link.

use std::path::Path;

use pulldown_cmark::{Event, Parser, Tag};

use super::Problem;
use crate::tree::{Tree, line_at, resolve};

pub fn check(tree: &Tree) -> Vec<Problem> {
    tree.pages().filter_map(|(page, text)| check_page(page, text)).collect()
}

fn check_page(page: &Path, text: &str) -> Option<Problem> {
    let end = text.trim_end();
    let at = end.rfind("\n\n").map_or(0, |at| at + 2);
    let last = end[at..].split_whitespace().collect::<Vec<_>>().join(" ");
    let next = last.find("Next: ").map(|at| &last[at..]);
    let goes_on = next.is_some_and(|next| leads_elsewhere(page, next));
    let sentence = "the page does not end with what to do next: `Next: [words](page.md).`";
    (!goes_on).then(|| Problem::new(page, line_at(text, at), sentence))
}

fn leads_elsewhere(page: &Path, text: &str) -> bool {
    Parser::new(text).any(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => {
            let path = dest_url.split('#').next().unwrap_or_default();
            !path.is_empty() && resolve(page, path) != page
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    fn check_text(page: &str) -> String {
        said(check, &Tree::of([("book/src/a.md", page)]))
    }

    #[test]
    fn a_page_that_says_what_is_next_passes() {
        for end in [
            "Next: [b](b.md).\n",
            "So much for that. Next:\n[b](../b.md#c), which is long.\n\n",
            "Next: in [b](b.md) it goes on.",
        ] {
            assert_eq!(check_text(&format!("# A\n\nWords.\n\n{end}")), "", "{end:?}");
        }
    }

    #[test]
    fn a_page_that_leaves_its_reader_alone_is_refused() {
        for end in [
            "Words.",
            "Next: nothing.",
            "Next: [up](#a).",
            "Next: [this](a.md#b).",
            "[b](b.md) was next: it is.",
            "Next: [b](b.md).\n\nBut wait.",
        ] {
            let said = check_text(&format!("# A\n\n{end}\n"));
            assert!(said.contains("does not end with what to do next"), "{end:?}: {said:?}");
        }
        assert!(check_text("# A\n\nOne.\n\nTwo.\n").starts_with("book/src/a.md:5: "));
    }
}
