//! Whoever is asked to predict finds the answer below, behind `<summary>Answer</summary>`, before the next
//! question and before the next heading. And an answer has its question.

use std::path::Path;

use pulldown_cmark::{Event, Parser, Tag};

use super::Problem;
use crate::tree::{Tree, line_at};

/// What a question begins with: a heading, or a word in bold type.
const QUESTION: &str = "Predict:";
const ANSWER: &str = "<summary>Answer</summary>";

pub fn check(tree: &Tree) -> Vec<Problem> {
    tree.pages().flat_map(|(page, text)| check_page(page, text)).collect()
}

fn check_page(page: &Path, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut say = |line, sentence: &str| problems.push(Problem::new(page, line, sentence));
    let unanswered =
        format!("the question has no `{ANSWER}` before the next one or the next heading.");
    let mut open = None;
    for (line, mark) in marks(text) {
        if mark == Mark::Answer {
            if open.take().is_none() {
                say(line, "the answer has no question: `**Predict:** what happens?`");
            }
            continue;
        }
        if let Some(asked) = open.take() {
            say(asked, &unanswered);
        }
        open = (mark == Mark::Question).then_some(line);
    }
    if let Some(asked) = open {
        say(asked, &unanswered);
    }
    problems
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Question,
    Answer,
    /// Of a section that begins with something else than a question.
    Heading,
}

/// All questions, answers and headings of a page, with their lines.
fn marks(text: &str) -> Vec<(usize, Mark)> {
    let mut marks = Vec::new();
    let mut events = Parser::new(text).into_offset_iter().peekable();
    while let Some((event, range)) = events.next() {
        let mut asks = || {
            let words = events.peek().map(|(event, _)| event);
            matches!(words, Some(Event::Text(words)) if words.starts_with(QUESTION))
        };
        let mark = match event {
            Event::Start(Tag::Heading { .. }) if asks() => Mark::Question,
            Event::Start(Tag::Heading { .. }) => Mark::Heading,
            Event::Start(Tag::Strong) if asks() => Mark::Question,
            Event::Html(html) if html.contains(ANSWER) => Mark::Answer,
            _ => continue,
        };
        marks.push((line_at(text, range.start), mark));
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    const ANSWERED: &str = "<details>\n<summary>Answer</summary>\n\nYes.\n\n</details>\n";

    fn check_text(page: &str) -> String {
        said(check, &Tree::of([("book/src/a.md", page)]))
    }

    #[test]
    fn a_question_and_its_answer_pass() {
        for question in [
            "## Predict: why?\n\nCode.\n\n```rust\n// ## Not a heading\n```",
            "So. **Predict:** is it?\n\n- **this**\n- that",
        ] {
            let page = format!("# A\n\n{question}\n\n{ANSWERED}");
            assert_eq!(check_text(&format!("{page}\n{question}\n\n{ANSWERED}\n## B\n")), "");
        }
    }

    #[test]
    fn a_question_without_an_answer_is_refused() {
        let asks = "# A\n\n**Predict:** this?\n\n";
        let at_3 = "book/src/a.md:3: the question has no `<summary>Answer</summary>` before the next one or \
                    the next heading.";
        assert_eq!(check_text(asks), at_3);
        for next in ["**Predict:** that?", "## Predict: that?"] {
            assert_eq!(check_text(&format!("{asks}{next}\n\n{ANSWERED}")), at_3);
        }
        let under_a_heading = format!("{asks}## Later\n\n{ANSWERED}");
        assert_eq!(
            check_text(&under_a_heading),
            format!(
                "{at_3}\nbook/src/a.md:8: the answer has no question: `**Predict:** what happens?`"
            )
        );
    }

    #[test]
    fn an_answer_to_nothing_is_refused() {
        for page in [ANSWERED.to_string(), format!("**Predict:** this?\n\n{ANSWERED}\n{ANSWERED}")]
        {
            let said = check_text(&page);
            assert!(
                said.ends_with("the answer has no question: `**Predict:** what happens?`"),
                "{said}"
            );
        }
    }

    #[test]
    fn code_that_looks_like_a_question_is_none() {
        assert_eq!(
            check_text("```text\n**Predict:** this?\n```\n\nTo **Predict** is not to ask.\n"),
            ""
        );
    }
}
