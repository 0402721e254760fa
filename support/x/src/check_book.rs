//! What mdBook lets pass, and this book does not.
//!
//! A file for each check: a function from the [`Tree`] to its [`Problem`]s, and the tests that show
//! it fail.

mod anchors;
mod code_blocks;
mod commands;
mod figures;
mod glossary;
mod includes;
mod next;
mod predictions;
mod stubs;
mod summary;
mod traces;

pub use includes::includes;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::tree::Tree;

/// Something that is wrong with the book.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    file: PathBuf,
    line: usize,
    sentence: String,
}

impl Problem {
    fn new(file: &Path, line: usize, sentence: impl Into<String>) -> Problem {
        Problem { file: file.to_path_buf(), line, sentence: sentence.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.sentence)
    }
}

/// All that is wrong with the book, sorted by place.
pub fn problems(tree: &Tree) -> Vec<Problem> {
    let checks = [
        anchors::check,
        code_blocks::check,
        commands::check,
        figures::check,
        glossary::check,
        includes::check,
        next::check,
        predictions::check,
        stubs::check,
        summary::check,
        traces::check,
    ];
    let mut problems: Vec<Problem> = checks.iter().flat_map(|check| check(tree)).collect();
    problems.sort();
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a check says, a line for each problem.
    pub fn said(check: fn(&Tree) -> Vec<Problem>, tree: &Tree) -> String {
        let lines: Vec<String> = check(tree).iter().map(Problem::to_string).collect();
        lines.join("\n")
    }

    #[test]
    fn a_book_without_faults_has_no_problems() {
        let tree = Tree::of([
            ("book/src/SUMMARY.md", "# Summary\n\n[Start](start.md)\n\n- [One](01-one/index.md)\n"),
            (
                "book/src/start.md",
                "# Start\n\nWords to begin with.\n\nNext: [one](01-one/index.md).\n",
            ),
            (
                "book/src/01-one/index.md",
                "# One\n\nA word.\n\n```rust,ignore\n{{#include ../../../chapters/one.rs:main}}\n```\n\nNext: [again](../start.md).\n",
            ),
            ("chapters/one.rs", "// ANCHOR: main\nfn main() {}\n// ANCHOR_END: main\n"),
        ]);
        assert_eq!(said(problems, &tree), "");
    }

    #[test]
    fn all_checks_are_made_and_problems_come_sorted_by_place() {
        let page = "Words.\n\n{{#include gone.rs}}\n\nTODO\n\n`cargo test -p gone`\n\n```\ncode\n```\n\nThe end.\n";
        let tree = Tree::of([
            ("book/src/SUMMARY.md", "[A](a.md)\n"),
            ("book/src/a.md", page),
            ("book/src/b.md", "Words.\n"),
            ("book/src/c.svg", ""),
            ("chapters/d.rs", "// ANCHOR: d\n"),
        ]);
        let found: Vec<String> = problems(&tree).iter().map(Problem::to_string).collect();
        let expected = [
            "book/src/a.md:3: includes",
            "book/src/a.md:5: \"TODO\"",
            "book/src/a.md:7: there is no crate",
            "book/src/a.md:9: a code block",
            "book/src/a.md:13: the page does not end",
            "book/src/b.md:1: the page does not end",
            "book/src/b.md:1: the page is not in SUMMARY.md.",
            "book/src/c.svg:1: no page shows",
            "book/src/c.svg:1: not XML",
            "chapters/d.rs:1: the anchor",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }
}
