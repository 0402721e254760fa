//! A chapter as the map sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::book;
use super::items::{self, Item, names_in};
use crate::tree::{PAGES, Tree};

/// Traits from elsewhere that are seams of this course: something can be put behind them.
const SEAMS_FROM_OUTSIDE: [(&str, &str); 4] = [
    ("AsyncRead", "`futures`"),
    ("AsyncWrite", "`futures`"),
    ("LocalSpawn", "`futures`"),
    ("Wake", "`std`"),
];

/// A crate of the staircase.
pub struct Chapter {
    pub number: u32,
    /// `05-executor`, which is what its folders and pages are called.
    pub name: String,
    /// The title of its first page.
    pub title: String,
    /// As its users write it: `ch05_executor`.
    pub krate: String,
    pub items: Vec<Item>,
    /// Which items of which earlier chapters its library uses.
    pub takes: BTreeMap<u32, BTreeSet<String>>,
    /// The crates from outside that its library uses.
    pub outside: Vec<String>,
    /// Who fits into which seam that was drawn elsewhere, in the order of the files.
    pub fits: Vec<Fit>,
    pub replaces: Vec<Replaced>,
}

/// A type that was put behind a trait of somebody else.
pub struct Fit {
    pub seam: String,
    pub drawn_by: Drawn,
    pub by: String,
}

/// Who has drawn a seam.
#[derive(PartialEq, Eq, Clone, Copy)]
pub enum Drawn {
    Chapter(u32),
    Outside(&'static str),
}

/// Something of an earlier chapter that a new one takes the place of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replaced {
    /// `ch03_block_on::Parker`
    pub old: String,
    pub new: String,
    pub why: String,
}

/// `chapters/NN-name/workshop/replaces.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    replaces: Vec<Replaced>,
}

#[derive(Deserialize)]
struct CargoToml {
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
}

impl Chapter {
    /// All chapters, in their order.
    pub fn all(tree: &Tree) -> Result<Vec<Chapter>> {
        let mut chapters: Vec<Chapter> = Vec::new();
        for (manifest, text) in tree.files() {
            if let Ok(rest) = manifest.strip_prefix("chapters")
                && rest.ends_with("Cargo.toml")
                && let Some(name) = rest.parent().and_then(Path::to_str)
                && !name.contains('/')
            {
                let chapter = Chapter::read(tree, name, text, &chapters)
                    .with_context(|| format!("chapters/{name}"));
                chapters.push(chapter.map_err(flat)?);
            }
        }
        Ok(chapters)
    }

    fn read(tree: &Tree, name: &str, manifest: &str, earlier: &[Chapter]) -> Result<Chapter> {
        let (number, _) = name.split_once('-').context("the folder has no number")?;
        let number = number.parse().context("the folder has no number")?;
        let page = Path::new(PAGES).join(name).join("index.md");
        let title = tree.get(&page).and_then(book::title).context("the chapter has no page")?;
        let manifest: CargoToml = toml::from_str(manifest)?;
        let src = Path::new("chapters").join(name).join("src");
        let mut chapter = Chapter {
            number,
            name: name.into(),
            title: title.into(),
            krate: format!("ch{}", name.replace('-', "_")),
            items: items::of_crate(tree, &src)?,
            takes: BTreeMap::new(),
            outside: Vec::new(),
            fits: Vec::new(),
            replaces: Vec::new(),
        };
        let ours = |it: &&String| !it.starts_with("ch") || !it[2..].starts_with(char::is_numeric);
        chapter.outside = manifest.dependencies.keys().filter(ours).cloned().collect();
        let sources = tree.files().filter(|(path, _)| path.starts_with(&src));
        for (_, text) in sources {
            let code = code(text);
            for earlier in earlier {
                let taken = taken(&code, &earlier.krate);
                if !taken.is_empty() {
                    chapter.takes.entry(earlier.number).or_default().extend(taken);
                }
            }
            chapter.find_fits(&code, earlier);
        }
        chapter.read_replaces(tree, earlier)?;
        Ok(chapter)
    }

    /// The seams that this code fits into: `impl Park for Reactor`.
    fn find_fits(&mut self, code: &str, earlier: &[Chapter]) {
        for line in code.lines() {
            let Some((seam, by)) = implementation(line) else { continue };
            let is_taken = |it: &&Chapter| {
                let is_trait = it.items.iter().any(|it| it.name == seam && it.kind == "trait");
                is_trait && self.takes.get(&it.number).is_some_and(|names| names.contains(seam))
            };
            let outside = SEAMS_FROM_OUTSIDE.iter().find(|(name, _)| *name == seam);
            let drawn_by = match (earlier.iter().find(is_taken), outside) {
                (Some(chapter), _) => Drawn::Chapter(chapter.number),
                (None, Some((_, whose))) => Drawn::Outside(whose),
                (None, None) => continue,
            };
            self.fits.push(Fit { seam: seam.into(), drawn_by, by: by.into() });
        }
    }

    fn read_replaces(&mut self, tree: &Tree, earlier: &[Chapter]) -> Result<()> {
        let path = Path::new("chapters").join(&self.name).join("workshop/replaces.toml");
        let Some(text) = tree.get(&path) else { return Ok(()) };
        let table: Table = toml::from_str(text).with_context(|| path.display().to_string())?;
        for replaced in &table.replaces {
            ensure!(
                replaced.whose(earlier).is_some(),
                "{}: there is no `{}` before chapter {}",
                path.display(),
                replaced.old,
                self.number
            );
            ensure!(
                self.items.iter().any(|item| item.name == replaced.new),
                "{}: chapter {} has no `{}`",
                path.display(),
                self.number,
                replaced.new
            );
        }
        self.replaces = table.replaces;
        Ok(())
    }

    /// Where its first page is, from the folder of the pages.
    pub fn page(&self) -> String {
        format!("{}/index.md", self.name)
    }

    /// The folder of its pages.
    pub fn pages(&self) -> PathBuf {
        Path::new(PAGES).join(&self.name)
    }

    /// `5. The executor`.
    pub fn heading(&self) -> String {
        format!("{}. {}", self.number, self.title)
    }
}

impl Replaced {
    /// The chapter that it comes from, and its name there.
    pub fn whose<'a>(&self, earlier: &'a [Chapter]) -> Option<(&'a Chapter, &str)> {
        let (krate, name) = self.old.split_once("::")?;
        let chapter = earlier.iter().find(|chapter| chapter.krate == krate)?;
        chapter.items.iter().any(|item| item.name == name).then_some((chapter, name))
    }
}

/// One line out of an error and its causes, without what stands twice in it.
fn flat(error: anyhow::Error) -> anyhow::Error {
    let root = error.root_cause().to_string();
    match root.starts_with("chapters/") {
        true => anyhow::anyhow!(root),
        false => error,
    }
}

/// A source without its comments and its unit tests.
fn code(text: &str) -> String {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |code, line| code + line + "\n")
}

/// The items of `krate` that the code names.
fn taken(code: &str, krate: &str) -> BTreeSet<String> {
    let path = format!("{krate}::");
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(&path) {
        let rest = &code[at + path.len()..];
        let end = match rest.starts_with('{') {
            true => rest.find('}').map(|at| at + 1),
            false => rest.find(|c: char| !c.is_alphanumeric() && c != '_'),
        };
        names.extend(names_in(&rest[..end.unwrap_or(rest.len())]));
    }
    names
}

/// What `impl<…> path::Trait<…> for Type {` puts behind what: the trait and the type.
fn implementation(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("impl")?;
    let (parameters, rest) = match rest.strip_prefix('<') {
        Some(rest) => rest.split_at(closing(rest)?),
        None => ("", rest),
    };
    let (seam, by) = rest.split_once(" for ")?;
    let seam = seam.trim_start_matches('>').trim();
    let seam = seam.split('<').next()?.rsplit("::").next()?;
    let by = by.trim_end().trim_end_matches("{}").trim_end_matches('{').trim_end();
    // A blanket implementation is for whoever asks.
    let is_blanket = parameters.split([':', ',']).next() == Some(by);
    (!is_blanket).then_some((seam, by))
}

/// Where the angle bracket closes that was open at the beginning of `text`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, c) in text.char_indices() {
        match c {
            '<' => open += 1,
            '>' if !text[..at].ends_with('-') => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_implementation_is_a_trait_and_a_type() {
        for (line, expected) in [
            ("impl Park for Reactor {", Some(("Park", "Reactor"))),
            ("impl<P: Park> Park for TimerPark<P> {", Some(("Park", "TimerPark<P>"))),
            ("impl<F: Fn(Box<dyn X>) -> Y> a::B<F> for C {}", Some(("B", "C"))),
            ("impl<F: Fn()> Executor for F {", None),
            ("impl Reactor {", None),
            ("    impl Park for Inner {", None),
        ] {
            assert_eq!(implementation(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_taken_is_named_behind_the_crate() {
        let code = "use ch01_one::{\n    A,\n    b::c,\n};\nlet d = ch01_one::d::e();\n";
        assert_eq!(taken(code, "ch01_one").into_iter().collect::<Vec<_>>(), ["A", "b", "d"]);
    }

    #[test]
    fn neither_comments_nor_unit_tests_are_code() {
        assert_eq!(code("a\n  // b\n#[cfg(test)]\nc\n"), "a\n");
    }
}
