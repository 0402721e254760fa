//! Every page is in SUMMARY.md, and every page in SUMMARY.md is there.

use std::collections::BTreeSet;
use std::path::Path;

use pulldown_cmark::{Event, Parser, Tag};

use super::Problem;
use crate::tree::{PAGES, Tree, line_at, resolve};

pub fn check(tree: &Tree) -> Vec<Problem> {
    let summary = Path::new(PAGES).join("SUMMARY.md");
    let Some(text) = tree.get(&summary) else {
        return vec![Problem::new(&summary, 1, "the book needs a SUMMARY.md.")];
    };

    let mut problems = Vec::new();
    let mut listed = BTreeSet::new();
    for (event, range) in Parser::new(text).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. }) = event else {
            continue;
        };
        let page = resolve(&summary, &dest_url);
        let sentence = if dest_url.is_empty() {
            "a chapter without a page.".into()
        } else if tree.get(&page).is_none() {
            format!("{} does not exist.", page.display())
        } else if listed.contains(&page) {
            format!("{} is listed twice.", page.display())
        } else {
            listed.insert(page);
            continue;
        };
        problems.push(Problem::new(&summary, line_at(text, range.start), sentence));
    }
    for (page, _) in tree.pages() {
        if !listed.contains(page) {
            problems.push(Problem::new(page, 1, "the page is not in SUMMARY.md."));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    fn check_summary(summary: &str) -> String {
        said(
            check,
            &Tree::of([
                ("book/src/SUMMARY.md", summary),
                ("book/src/a.md", "Words."),
                ("book/src/01-one/index.md", "Words."),
            ]),
        )
    }

    #[test]
    fn a_complete_summary_passes() {
        assert_eq!(check_summary("# Summary\n\n[A](a.md)\n\n- [One](./01-one/index.md)\n"), "");
    }

    #[test]
    fn a_page_that_nobody_finds_is_refused() {
        assert_eq!(
            check_summary("# Summary\n\n[A](a.md)\n"),
            "book/src/01-one/index.md:1: the page is not in SUMMARY.md."
        );
    }

    #[test]
    fn a_chapter_without_its_page_is_refused() {
        let said = check_summary(
            "[A](a.md)\n\n- [One](01-one/index.md)\n- [Two](02-two/index.md)\n- [Three]()\n- [A](a.md)\n",
        );
        assert_eq!(
            said,
            "book/src/SUMMARY.md:4: book/src/02-two/index.md does not exist.\n\
             book/src/SUMMARY.md:5: a chapter without a page.\n\
             book/src/SUMMARY.md:6: book/src/a.md is listed twice."
        );
    }

    #[test]
    fn a_book_without_a_summary_is_refused() {
        let tree = Tree::of([("book/src/a.md", "Words.")]);
        assert!(said(check, &tree).contains("needs a SUMMARY.md"));
    }
}
