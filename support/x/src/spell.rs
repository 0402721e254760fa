//! The spelling of the pages, by hunspell and its British dictionary.
//!
//! Code is left out. A word of the field that no dictionary knows goes into `support/words.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::tree::{Tree, line_at};

/// The words of the field, one in a line.
const WORDS: &str = "support/words.txt";

/// Where a word stands: the page, and the line.
type Place = (PathBuf, usize);

/// A sentence for each word that is neither in the dictionary nor in the list, at its first place.
///
/// # Errors
/// If there is no hunspell, or if it has no British dictionary.
pub fn unknown(tree: &Tree) -> Result<Vec<String>> {
    let mut places = places(tree);
    let ours: BTreeSet<&str> =
        tree.get(Path::new(WORDS)).unwrap_or_default().lines().map(str::trim).collect();
    places.retain(|word, _| !ours.contains(word.as_str()) && !ours.contains(&*word.to_lowercase()));
    let unknown = hunspell(places.keys())?;
    let mut found: Vec<(&Place, &String)> =
        places.iter().filter(|(word, _)| unknown.contains(*word)).map(|(a, b)| (b, a)).collect();
    found.sort();
    let say = |((page, line), word): (&Place, &String)| {
        format!("{}:{line}: \"{word}\" is in no dictionary, and not in {WORDS}.", page.display())
    };
    Ok(found.into_iter().map(say).collect())
}

/// The words of all pages and of the README, each with its first place.
fn places(tree: &Tree) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    let readme = Path::new("README.md");
    let readme = tree.get(readme).map(|text| (readme, text));
    for (page, text) in tree.pages().chain(readme) {
        let mut in_code = false;
        for (event, range) in Parser::new(text).into_offset_iter() {
            match event {
                Event::Start(Tag::CodeBlock(_)) => in_code = true,
                Event::End(TagEnd::CodeBlock) => in_code = false,
                Event::Text(prose) if !in_code && !prose.starts_with("{{#") => {
                    let line = line_at(text, range.start);
                    for word in words(&prose) {
                        places.entry(word).or_insert_with(|| (page.to_path_buf(), line));
                    }
                }
                _ => {}
            }
        }
    }
    places
}

/// The words in a text, without the `'s` of a genitive. What has a digit or an underscore in it is a
/// name, and so is what looks like a path.
fn words(prose: &str) -> impl Iterator<Item = String> {
    let separates = |c: char| c.is_whitespace() || "()[]{}\"“”…,;:!?|*+=<>–—".contains(c);
    let pieces = prose.split(separates).filter(|piece| {
        let dotted = piece.trim_matches('.').contains('.');
        !dotted && !piece.contains(['/', '_', '{', '\\']) && !piece.contains(char::is_numeric)
    });
    pieces.flat_map(|piece| piece.split(['-', '.'])).filter_map(|word| {
        let word = word.replace('’', "'");
        let word = word.trim_matches(|c: char| !c.is_alphabetic());
        let word = word.strip_suffix("'s").unwrap_or(word);
        (word.chars().count() > 1).then(|| word.to_string())
    })
}

/// Those of the words that hunspell does not know.
fn hunspell<'a>(words: impl Iterator<Item = &'a String>) -> Result<BTreeSet<String>> {
    let text: String = words.flat_map(|word| [word, "\n"]).collect();
    let mut child = Command::new("hunspell")
        .args(["-d", "en_GB", "-i", "utf-8", "-l"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("hunspell could not be started")?;
    let mut input = child.stdin.take().context("hunspell takes no words")?;
    // It answers while it is being asked, so somebody has to listen meanwhile.
    let asking = thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    let asked = asking.join().is_ok_and(|written| written.is_ok());
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && asked, "hunspell has failed: {}", complaint.trim());
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(prose: &str) -> Vec<String> {
        words(prose).collect()
    }

    #[test]
    fn names_of_things_are_no_words() {
        assert_eq!(found("tokio/src a_b ch05 runtime.rs io_uring 64ᵏ"), Vec::<String>::new());
    }

    #[test]
    fn words_lose_what_is_around_them() {
        assert_eq!(
            found("“Don’t”, said (the kernel's) one-shot timer."),
            ["Don't", "said", "the", "kernel", "one", "shot", "timer"]
        );
    }

    #[test]
    fn code_is_left_out_and_the_first_place_is_kept() {
        let page = "# Won\n\nA `wrng` thing.\n\n```text\nwrng\n```\n\nthing\n";
        let places = places(&Tree::of([("book/src/a.md", page)]));
        let place = |word: &str| places.get(word).map(|(_, line)| *line);
        assert_eq!(place("thing"), Some(3));
        assert_eq!(place("Won"), Some(1));
        assert_eq!(place("wrng"), None);
    }
}
