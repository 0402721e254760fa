//! Each `{{#include path:anchor}}` names a file and an anchor that exist. mdBook includes nothing,
//! without a word, if the anchor does not.

use std::path::Path;

use super::{Problem, anchors};
use crate::tree::{Tree, line_at, resolve};

/// A `{{#include path:anchor}}` of a page.
pub struct Include<'a> {
    pub line: usize,
    pub path: &'a str,
    anchor: Option<&'a str>,
}

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (page, text) in tree.pages() {
        for helper in helpers(text) {
            let sentence = match Include::from(&helper) {
                Some(include) => fault(tree, page, &include),
                None if helper.words.starts_with("title ") => None,
                None => Some(format!(
                    "`#{}` is not used here; `#include` is all that a page needs.",
                    helper.words
                )),
            };
            problems.extend(sentence.map(|it| Problem::new(page, helper.line, it)));
        }
    }
    problems
}

/// All that a page includes.
pub fn includes(text: &str) -> Vec<Include<'_>> {
    helpers(text).iter().filter_map(Include::from).collect()
}

/// What stands between `{{#` and `}}`, and where.
struct Helper<'a> {
    line: usize,
    words: &'a str,
}

fn helpers(text: &str) -> Vec<Helper<'_>> {
    text.match_indices("{{")
        .filter(|(start, _)| !text[..*start].ends_with('\\'))
        .filter_map(|(start, _)| {
            let (inside, _) = text[start + 2..].split_once("}}")?;
            Some(Helper { line: line_at(text, start), words: inside.trim().strip_prefix('#')? })
        })
        .collect()
}

impl<'a> Include<'a> {
    fn from(helper: &Helper<'a>) -> Option<Include<'a>> {
        let target = helper.words.strip_prefix("include ")?.trim();
        let (path, anchor) = match target.split_once(':') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (target, None),
        };
        Some(Include { line: helper.line, path, anchor })
    }
}

fn fault(tree: &Tree, page: &Path, include: &Include<'_>) -> Option<String> {
    let path = resolve(page, include.path);
    let name = path.display();
    let Some(text) = tree.get(&path) else {
        return Some(format!("includes {name}, which does not exist."));
    };
    match include.anchor {
        None if anchors::has_marks(text) => Some(format!(
            "includes all of {name}, with the marks of its anchors; include its anchors."
        )),
        None => None,
        Some(anchor) if anchor.contains(':') || anchor.parse::<usize>().is_ok() => {
            Some(format!("includes {name} by line numbers, which drift; name an anchor."))
        }
        Some(anchor) => match anchors::region(text, anchor) {
            None => Some(format!("{name} has no anchor `{anchor}`.")),
            Some((line, shown)) if shown.concat().trim().is_empty() => {
                Some(format!("the anchor `{anchor}` at {name}:{line} is empty."))
            }
            Some(_) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    fn check_page(page: &str) -> String {
        let code =
            "// ANCHOR: a\nfn a() {}\n// ANCHOR_END: a\n// ANCHOR: empty\n\n// ANCHOR_END: empty\n";
        said(
            check,
            &Tree::of([
                ("book/src/01-one/index.md", page),
                ("book/src/01-one/figures/a.svg", "<svg/>"),
                ("chapters/a.rs", code),
            ]),
        )
    }

    #[test]
    fn what_exists_may_be_included() {
        assert_eq!(
            check_page(
                "{{#include ../../../chapters/a.rs:a}}\n{{ #include figures/a.svg }}\n{{#title One}}\n"
            ),
            ""
        );
    }

    #[test]
    fn an_escaped_include_is_only_text() {
        assert_eq!(check_page("`\\{{#include gone.rs}}`\n"), "");
    }

    #[test]
    fn a_missing_file_is_refused() {
        assert_eq!(
            check_page("# One\n\n{{#include gone.rs:a}}\n"),
            "book/src/01-one/index.md:3: includes book/src/01-one/gone.rs, which does not exist."
        );
    }

    #[test]
    fn a_missing_anchor_is_refused() {
        assert_eq!(
            check_page("{{#include ../../../chapters/a.rs:b}}"),
            "book/src/01-one/index.md:1: chapters/a.rs has no anchor `b`."
        );
    }

    #[test]
    fn an_empty_anchor_is_refused() {
        assert_eq!(
            check_page("{{#include ../../../chapters/a.rs:empty}}"),
            "book/src/01-one/index.md:1: the anchor `empty` at chapters/a.rs:4 is empty."
        );
    }

    #[test]
    fn marks_of_anchors_do_not_get_into_a_page() {
        assert!(
            check_page("{{#include ../../../chapters/a.rs}}").contains("include its anchors"),
            "a whole file"
        );
    }

    #[test]
    fn line_numbers_are_refused() {
        for lines in ["7", "3:9", ":9"] {
            let page = format!("{{{{#include ../../../chapters/a.rs:{lines}}}}}");
            assert!(check_page(&page).contains("name an anchor"), "{lines}");
        }
    }

    #[test]
    fn other_helpers_are_refused() {
        assert!(check_page("{{#playground a.rs}}").contains("`#playground a.rs` is not used here"));
    }
}
