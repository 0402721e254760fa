//! Rust code in a page comes from a tested file. A few typed lines may show a shape.

use std::path::Path;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

use super::Problem;
use crate::tree::{Tree, line_at};

/// How many lines of Rust a page may hold that come from no file.
const TYPED_LINES: usize = 3;

pub fn check(tree: &Tree) -> Vec<Problem> {
    tree.pages().flat_map(|(page, text)| check_page(page, text)).collect()
}

fn check_page(page: &Path, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (event, range) in Parser::new(text).into_offset_iter() {
        let Event::Start(Tag::CodeBlock(kind)) = event else {
            continue;
        };
        let language = match &kind {
            CodeBlockKind::Fenced(info) => info.split([',', ' ']).next().unwrap_or_default(),
            CodeBlockKind::Indented => "",
        };
        let sentence = match language {
            "" => "a code block that does not say its language: rust, console, text …?".into(),
            "rust" | "rs" => match typed_lines(&text[range.clone()]) {
                0..=TYPED_LINES => continue,
                count => format!(
                    "{count} lines of Rust that no test sees; include them from a file of a chapter."
                ),
            },
            _ => continue,
        };
        problems.push(Problem::new(page, line_at(text, range.start), sentence));
    }
    problems
}

/// The lines of a fenced block that are not included from a file.
fn typed_lines(block: &str) -> usize {
    block
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .filter(|line| !line.starts_with("```") && !line.starts_with("~~~"))
        .filter(|line| !line.starts_with("{{#include"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    fn check_text(page: &str) -> String {
        said(check, &Tree::of([("book/src/a.md", page)]))
    }

    #[test]
    fn three_typed_lines_and_any_included_ones_are_allowed() {
        assert_eq!(
            check_text(
                "```rust,ignore\n{{#include a.rs:a}}\n\nlet a;\nlet b;\nlet c;\n{{#include a.rs:b}}\n```\n"
            ),
            ""
        );
    }

    #[test]
    fn four_typed_lines_are_refused() {
        assert_eq!(
            check_text("# A\n\n```rust,ignore\nlet a;\nlet b;\n\nlet c;\nlet d;\n```\n"),
            "book/src/a.md:3: 4 lines of Rust that no test sees; include them from a file of a chapter."
        );
    }

    #[test]
    fn a_block_in_a_list_is_seen_too() {
        let said = check_text("- a\n\n  ~~~ rust\n  let a;\n  let b;\n  let c;\n  let d;\n  ~~~\n");
        assert!(said.starts_with("book/src/a.md:3: 4 lines of Rust"), "{said}");
    }

    #[test]
    fn other_languages_may_be_typed() {
        assert_eq!(check_text("```console\n$ a\nb\nc\nd\ne\n```\n"), "");
    }

    #[test]
    fn a_block_says_its_language() {
        assert!(check_text("```\nlet a;\n```\n").contains("does not say its language"));
        assert!(check_text("Words.\n\n    let a;\n").contains("does not say its language"));
    }
}
