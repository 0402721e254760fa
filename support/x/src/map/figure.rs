//! The figures of the map. Everything is on a grid, so that the same sources give the same file.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::chapter::Chapter;

/// The distance of two lines of text.
const LINE: usize = 16;
/// How many characters of a name fit into a line of a box.
const COLUMNS: usize = 26;
/// Where the three columns of a chapter's figure begin, and how wide each is.
const LEFT: usize = 2;
const MIDDLE: usize = 255;
const RIGHT: usize = 508;
const WIDTH: usize = 210;
/// Where the boxes begin, below the words at the top.
const TOP: usize = 26;

/// A box of a chapter's figure: whose it is, and the names in it.
struct Boxed {
    class: &'static str,
    title: String,
    lines: Vec<String>,
}

impl Boxed {
    fn new(class: &'static str, title: String, names: impl Iterator<Item = String>) -> Boxed {
        Boxed { class, title, lines: wrapped(names) }
    }

    fn height(&self) -> usize {
        32 + LINE * self.lines.len()
    }

    fn draw(&self, svg: &mut String, x: usize, y: usize, height: usize) {
        let class = self.class;
        line(
            svg,
            format!(
                r#"<rect class="{class}" x="{x}" y="{y}" width="{WIDTH}" height="{height}" rx="4"/>"#
            ),
        );
        text(svg, "strong", x + 10, y + 21, &self.title);
        for (at, names) in self.lines.iter().enumerate() {
            text(svg, "mono small", x + 10, y + 40 + LINE * at, names);
        }
    }
}

/// The figure of one chapter: what it takes, what it adds, and who takes that.
pub fn chapter(chapter: &Chapter, all: &[Chapter]) -> String {
    let mut left: Vec<Boxed> = Vec::new();
    for (number, names) in &chapter.takes {
        if let Some(from) = all.iter().find(|it| it.number == *number) {
            left.push(Boxed::new("box", from.heading(), names.iter().cloned()));
        }
    }
    let outside = ["std".to_string()].into_iter().chain(chapter.outside.iter().cloned());
    left.push(Boxed::new("box muted", "From outside".into(), outside));
    let mut right: Vec<Boxed> = Vec::new();
    for later in all {
        if let Some(names) = later.takes.get(&chapter.number) {
            right.push(Boxed::new("box", later.heading(), names.iter().cloned()));
        }
    }
    let names = chapter.items.iter().map(|it| &it.name).filter(|name| !name.contains("::"));
    let here = Boxed::new("box-b", chapter.heading(), names.cloned());

    let needed = [stacked(&left), stacked(&right), here.height()];
    let height = needed.into_iter().max().unwrap_or_default();
    let id = format!("map-{:02}", chapter.number);
    let title = format!("The crates around chapter {}", chapter.number);
    let mut svg = begin(&id, TOP + height + 4, &title, &words(chapter, all));
    text(&mut svg, "small muted", LEFT, 14, "it takes");
    text(&mut svg, "small muted", MIDDLE, 14, "it adds");
    let later = if right.is_empty() { "nobody builds on it" } else { "it is taken by" };
    text(&mut svg, "small muted", RIGHT, 14, later);
    here.draw(&mut svg, MIDDLE, TOP, height);
    column(&mut svg, &left, LEFT, (LEFT + WIDTH, MIDDLE), &id);
    column(&mut svg, &right, RIGHT, (MIDDLE + WIDTH, RIGHT), &id);
    svg + "</svg>\n"
}

/// The boxes of a column, each with an arrow at the height of its title.
fn column(svg: &mut String, boxes: &[Boxed], x: usize, arrow: (usize, usize), id: &str) {
    let mut y = TOP;
    for boxed in boxes {
        boxed.draw(svg, x, y, boxed.height());
        let ((from, to), y_arrow) = (arrow, y + 16);
        line(
            svg,
            format!(
                r#"<path class="line" d="M{from} {y_arrow}H{to}" marker-end="url(#{id}-arrow)"/>"#
            ),
        );
        y += boxed.height() + 10;
    }
}

fn stacked(boxes: &[Boxed]) -> usize {
    boxes.iter().map(|it| it.height() + 10).sum::<usize>().saturating_sub(10)
}

/// The figure of all chapters: a staircase, in which every step stands on some below it.
pub fn staircase(chapters: &[Chapter]) -> String {
    const STEP: usize = 38;
    const ROW: usize = 34;
    const BOX: usize = 190;
    let mut sentences = String::new();
    for chapter in chapters {
        let on: Vec<String> = chapter.takes.keys().map(u32::to_string).collect();
        let on = if on.is_empty() { "none".into() } else { on.join(", ") };
        let _ = write!(sentences, " Chapter {} uses {on}.", chapter.number);
    }
    let description = format!("Which chapters the library of each chapter uses.{sentences}");
    let height = ROW * chapters.len() + 4;
    let mut svg = begin("map-all", height, "The staircase", &description);
    let x = |at: usize| 2 + STEP * at;
    let y = |at: usize| 2 + ROW * at;
    // A line goes down from each step, as far as somebody stands on it.
    for (at, chapter) in chapters.iter().enumerate() {
        let users = chapters.iter().rposition(|it| it.takes.contains_key(&chapter.number));
        if let Some(last) = users {
            let (x, from, to) = (x(at) + STEP / 2, y(at) + ROW - 6, y(last) + ROW / 2 - 3);
            line(&mut svg, format!(r#"<path class="line muted" d="M{x} {from}V{to}"/>"#));
        }
    }
    for (at, chapter) in chapters.iter().enumerate() {
        let middle = y(at) + ROW / 2 - 3;
        let on: BTreeSet<usize> = chapters
            .iter()
            .enumerate()
            .filter(|(_, it)| chapter.takes.contains_key(&it.number))
            .map(|(at, _)| at)
            .collect();
        if let Some(first) = on.first() {
            let (from, to) = (x(*first) + STEP / 2, x(at));
            line(
                &mut svg,
                format!(
                    r#"<path class="line muted" d="M{from} {middle}H{to}" marker-end="url(#map-all-arrow)"/>"#
                ),
            );
        }
        for below in on {
            let x = x(below) + STEP / 2;
            line(&mut svg, format!(r#"<circle class="text" cx="{x}" cy="{middle}" r="4"/>"#));
        }
        let (x, top, height) = (x(at), y(at), ROW - 6);
        line(
            &mut svg,
            format!(
                r#"<rect class="box-b" x="{x}" y="{top}" width="{BOX}" height="{height}" rx="4"/>"#
            ),
        );
        text(&mut svg, "strong", x + 10, middle + 5, &chapter.heading());
    }
    svg + "</svg>\n"
}

fn begin(id: &str, height: usize, title: &str, description: &str) -> String {
    let mut svg = String::new();
    line(
        &mut svg,
        format!(
            r#"<svg viewBox="0 0 720 {height}" role="img" aria-labelledby="{id}-t {id}-d" xmlns="http://www.w3.org/2000/svg">"#
        ),
    );
    line(&mut svg, format!(r#"<title id="{id}-t">{}</title>"#, escaped(title)));
    line(&mut svg, format!(r#"<desc id="{id}-d">{}</desc>"#, escaped(description)));
    line(
        &mut svg,
        format!(
            r#"<marker id="{id}-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="arrow" d="M0 0 8 4 0 8z"/></marker>"#
        ),
    );
    svg
}

/// What the figure shows, for those who do not see it.
fn words(chapter: &Chapter, all: &[Chapter]) -> String {
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    let mut words = Vec::new();
    for (number, names) in &chapter.takes {
        words.push(format!("It takes {} from chapter {number}.", list(names)));
    }
    for later in all {
        if let Some(names) = later.takes.get(&chapter.number) {
            words.push(format!("Chapter {} takes {}.", later.number, list(names)));
        }
    }
    match words.is_empty() {
        true => "It takes nothing from a chapter, and none takes anything from it.".into(),
        false => words.join(" "),
    }
}

/// Names behind one another, broken into lines that fit a box.
fn wrapped(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for name in names {
        match lines.last_mut() {
            Some(line) if line.len() + name.len() + 2 <= COLUMNS => {
                line.push_str(", ");
                line.push_str(&name);
            }
            _ => lines.push(name),
        }
    }
    lines
}

fn text(svg: &mut String, class: &str, x: usize, y: usize, words: &str) {
    line(svg, format!(r#"<text class="{class}" x="{x}" y="{y}">{}</text>"#, escaped(words)));
}

fn line(svg: &mut String, text: String) {
    svg.push_str(&text);
    svg.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
