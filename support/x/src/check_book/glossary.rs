//! The glossary and the other pages lead to one another. Each entry links to a page that explains
//! it, and at least one page links to the entry.

use std::collections::BTreeMap;
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::Problem;
use crate::tree::{Tree, anchor_id, line_at, resolve};

const GLOSSARY: &str = "book/src/glossary.md";

/// A term, which is a title in a list of definitions.
#[derive(Default)]
struct Entry {
    line: usize,
    term: String,
    leads_on: bool,
}

pub fn check(tree: &Tree) -> Vec<Problem> {
    let glossary = Path::new(GLOSSARY);
    let Some(text) = tree.get(glossary) else { return Vec::new() };
    let entries = entries(text);
    let ids: Vec<String> = entries.iter().map(|entry| anchor_id(&entry.term)).collect();
    let mut used = BTreeMap::new();
    let mut problems = Vec::new();
    for (page, text) in tree.pages().filter(|(page, _)| *page != glossary) {
        for (line, id) in links(page, text) {
            if ids.contains(&id) {
                used.insert(id, page);
            } else {
                let sentence = format!("the glossary has no entry `{id}`.");
                problems.push(Problem::new(page, line, sentence));
            }
        }
    }
    let mut before = "";
    for (entry, id) in entries.iter().zip(&ids) {
        let Entry { line, term, leads_on } = entry;
        let mut say = |sentence: String| problems.push(Problem::new(glossary, *line, sentence));
        if !leads_on {
            say(format!("\"{term}\" leads to no page that explains it."));
        }
        if !used.contains_key(id) {
            say(format!("no page leads to \"{term}\"; link to `glossary.md#{id}`."));
        }
        if id.as_str() <= before {
            say(format!("\"{term}\" is not in the order of the alphabet."));
        }
        before = id;
    }
    problems
}

fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut in_term = false;
    let parser = Parser::new_ext(text, Options::ENABLE_DEFINITION_LIST);
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::DefinitionListTitle) => {
                in_term = true;
                entries.push(Entry { line: line_at(text, range.start), ..Entry::default() });
            }
            Event::End(TagEnd::DefinitionListTitle) => in_term = false,
            Event::Text(words) | Event::Code(words) if in_term => {
                if let Some(entry) = entries.last_mut() {
                    entry.term.push_str(&words);
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                if let Some(entry) = entries.last_mut() {
                    entry.leads_on |= !dest_url.starts_with('#');
                }
            }
            _ => {}
        }
    }
    entries
}

/// The links of a page into the glossary: line and id.
fn links(page: &Path, text: &str) -> Vec<(usize, String)> {
    let links = Parser::new(text).into_offset_iter().filter_map(|(event, range)| match event {
        Event::Start(Tag::Link { dest_url, .. }) => {
            let (path, id) = dest_url.split_once('#')?;
            let is_glossary = !path.is_empty() && resolve(page, path) == Path::new(GLOSSARY);
            is_glossary.then(|| (line_at(text, range.start), id.to_string()))
        }
        _ => None,
    });
    links.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    const PAGE: &str =
        "# One\n\nA [poll](../glossary.md#poll), and the [run queue](../glossary.md#run-queue).\n";
    const TERMS: &str = "# Glossary\n\nPoll\n: To ask. See [One](01-one/index.md).\n\nrun queue\n: A [line](01-one/index.md).\n";

    fn check_both(page: &str, glossary: &str) -> String {
        said(check, &Tree::of([("book/src/01-one/index.md", page), (GLOSSARY, glossary)]))
    }

    #[test]
    fn links_both_ways_pass() {
        assert_eq!(check_both(PAGE, TERMS), "");
    }

    #[test]
    fn an_entry_that_nobody_leads_to_is_refused() {
        assert_eq!(
            check_both("# One\n\n[poll](../glossary.md#poll)\n", TERMS),
            "book/src/glossary.md:6: no page leads to \"run queue\"; link to `glossary.md#run-queue`."
        );
    }

    #[test]
    fn an_entry_that_leads_nowhere_is_refused() {
        assert_eq!(
            check_both(PAGE, &TERMS.replace("A [line](01-one/index.md)", "A [line](#poll)")),
            "book/src/glossary.md:6: \"run queue\" leads to no page that explains it."
        );
    }

    #[test]
    fn a_link_to_no_entry_is_refused() {
        assert_eq!(
            check_both(&format!("{PAGE}\n[x](../glossary.md#gone)\n"), TERMS),
            "book/src/01-one/index.md:5: the glossary has no entry `gone`."
        );
    }

    #[test]
    fn the_alphabet_is_kept() {
        let swapped = TERMS.replace("Poll\n", "x\n").replace("run queue\n", "Poll\n");
        let swapped = swapped.replace("x\n", "run queue\n");
        assert_eq!(
            check_both(PAGE, &swapped),
            "book/src/glossary.md:6: \"Poll\" is not in the order of the alphabet."
        );
    }
}
