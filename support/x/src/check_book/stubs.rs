//! No page waits to be written.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::Problem;
use crate::tree::{Tree, line_at};

/// What people leave where something is missing. Lower case: the case does not matter.
const PHRASES: [&str; 4] = ["under construction", "coming soon", "to be written", "lorem ipsum"];

/// The same, as words that mean it in capitals only.
const WORDS: [&str; 4] = ["TODO", "FIXME", "TBD", "XXX"];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    // The words of the map are those of the sources, where something may well be "to be written".
    for (page, text) in tree.pages().filter(|(page, _)| !page.starts_with(crate::map::FOLDER)) {
        let mut in_heading = false;
        let mut in_code = false;
        let mut has_text = false;
        for (event, range) in Parser::new(text).into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { .. }) => in_heading = true,
                Event::End(TagEnd::Heading(_)) => in_heading = false,
                Event::Start(Tag::CodeBlock(_)) => in_code = true,
                Event::End(TagEnd::CodeBlock) => in_code = false,
                Event::Text(words) if !in_code => {
                    has_text |= !in_heading;
                    if let Some(stub) = stub(&words) {
                        let line = line_at(text, range.start);
                        let sentence = format!("\"{stub}\" says that something is missing.");
                        problems.push(Problem::new(page, line, sentence));
                    }
                }
                _ => {}
            }
        }
        if !has_text {
            problems.push(Problem::new(page, 1, "the page has no text."));
        }
    }
    problems
}

fn stub(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    let word = |it: &&str| text.split(|c: char| !c.is_alphanumeric()).any(|w| w == *it);
    PHRASES
        .into_iter()
        .find(|phrase| lower.contains(phrase))
        .or_else(|| WORDS.into_iter().find(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    fn check_text(page: &str) -> String {
        said(check, &Tree::of([("book/src/a.md", page)]))
    }

    #[test]
    fn a_written_page_passes() {
        assert_eq!(check_text("# A\n\nWords, and a `todo!()`.\n\n```text\nTODO\n```\n"), "");
    }

    #[test]
    fn a_page_of_headings_is_refused() {
        assert_eq!(check_text("# A\n\n## B\n"), "book/src/a.md:1: the page has no text.");
    }

    #[test]
    fn a_page_that_says_that_it_is_not_done_is_refused() {
        assert_eq!(
            check_text("# A\n\nWords.\nTODO: more words.\n"),
            "book/src/a.md:4: \"TODO\" says that something is missing."
        );
        for stub in ["Coming soon!", "> Under construction", "# XXX\n\nWords"] {
            assert!(check_text(stub).contains("something is missing"), "{stub:?}");
        }
    }
}
