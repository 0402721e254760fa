//! Figures are read to people who do not see them, follow the theme, and are shown somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use roxmltree::{Document, Node};

use super::Problem;
use super::includes::includes;
use crate::tree::{Tree, resolve};

/// The styles of the figures.
const STYLES: &str = "book/theme/figures.css";

/// Figures in here are shown outside of the book too, so they bring styles of their own.
const STANDALONE: &str = "book/src/figures";

/// The tag that a figure stands in, for its styles to reach it.
const FRAME: &str = "<figure class=\"rt-figure\"";

/// Attributes that give a colour, and the values that do not name one.
const COLOURS: [&str; 5] = ["fill", "stroke", "color", "stop-color", "flood-color"];
const NO_COLOUR: [&str; 5] = ["none", "currentColor", "context-fill", "context-stroke", "inherit"];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let styles = tree.get(Path::new(STYLES)).unwrap_or_default();
    let (shown, mut problems) = shown(tree);
    let mut ids = BTreeMap::new();
    for (path, text) in tree.book("svg") {
        if !shown.contains(path) {
            problems.push(Problem::new(path, 1, "no page shows this figure."));
        }
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() {
                let sentence = "a blank line ends the figure in a page of Markdown.";
                problems.push(Problem::new(path, number, sentence));
            }
        }
        match Document::parse(text) {
            Err(error) => problems.push(Problem::new(
                path,
                error.pos().row as usize,
                format!("not XML: {error}."),
            )),
            Ok(figure) => {
                let mut say = |node: Node<'_, '_>, sentence: String| {
                    let line = figure.text_pos_at(node.range().start).row as usize;
                    problems.push(Problem::new(path, line, sentence));
                };
                check_root(figure.root_element(), &mut say);
                for node in figure.root_element().descendants() {
                    check_looks(path, node, styles, &mut say);
                    if let Some(id) = node.attribute("id")
                        && let Some(other) = ids.insert(id.to_string(), path)
                    {
                        let other = other.display();
                        say(
                            node,
                            format!("the id `{id}` is taken: {other} is on the same printed page."),
                        );
                    }
                }
            }
        }
    }
    problems
}

/// The figures that pages include, and the includes that stand outside of a frame.
fn shown(tree: &Tree) -> (BTreeSet<PathBuf>, Vec<Problem>) {
    let mut shown = BTreeSet::new();
    let mut problems = Vec::new();
    for (page, text) in tree.pages() {
        for include in includes(text) {
            let path = resolve(page, include.path);
            if path.extension().is_none_or(|it| it != "svg") {
                continue;
            }
            shown.insert(path);
            let above = text.lines().take(include.line - 1);
            let nearest = above.filter(|line| !line.trim().is_empty()).last();
            if !nearest.is_some_and(|line| line.starts_with(FRAME)) {
                let sentence = format!("a figure stands right below `{FRAME}>`.");
                problems.push(Problem::new(page, include.line, sentence));
            }
        }
    }
    (shown, problems)
}

/// What a screen reader needs, and what lets the figure fit its column.
fn check_root<'a>(svg: Node<'a, 'a>, say: &mut impl FnMut(Node<'a, 'a>, String)) {
    if svg.attribute("role") != Some("img") {
        say(svg, "the figure needs `role=\"img\"`.".into());
    }
    let labels: Vec<&str> =
        svg.attribute("aria-labelledby").unwrap_or_default().split_whitespace().collect();
    for name in ["title", "desc"] {
        let element = svg.children().find(|child| child.has_tag_name(name));
        let element =
            element.filter(|element| element.text().is_some_and(|text| !text.trim().is_empty()));
        match element {
            None => say(svg, format!("the figure needs a <{name}>.")),
            Some(element) => {
                if !element.attribute("id").is_some_and(|id| labels.contains(&id)) {
                    say(element, format!("`aria-labelledby` does not name the <{name}>."));
                }
            }
        }
    }
    if svg.attribute("viewBox").is_none() {
        say(svg, "the figure needs a `viewBox`.".into());
    }
    for size in ["width", "height"] {
        if svg.has_attribute(size) {
            say(svg, format!("the column decides the size, not `{size}`."));
        }
    }
}

/// Colours come from classes, and the classes exist.
fn check_looks<'a>(
    path: &Path,
    node: Node<'a, 'a>,
    styles: &str,
    say: &mut impl FnMut(Node<'a, 'a>, String),
) {
    if node.has_tag_name("style") && !path.starts_with(STANDALONE) {
        say(node, format!("styles belong into {STYLES}."));
    }
    for attribute in node.attributes() {
        let (name, value) = (attribute.name(), attribute.value());
        if name == "style" {
            say(node, "a `style` of its own; use a class.".into());
        }
        let is_colour = !NO_COLOUR.contains(&value) && !value.starts_with("url(#");
        if COLOURS.contains(&name) && is_colour {
            say(node, format!("`{name}=\"{value}\"` does not follow the theme; use a class."));
        }
    }
    for class in node.attribute("class").unwrap_or_default().split_whitespace() {
        if !has_class(styles, class) {
            say(node, format!("{STYLES} has no class `{class}`."));
        }
    }
}

fn has_class(styles: &str, class: &str) -> bool {
    styles.match_indices('.').any(|(dot, _)| {
        styles[dot + 1..]
            .strip_prefix(class)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_book::tests::said;

    const PAGE: &str =
        "# A\n\n<figure class=\"rt-figure\">\n{{#include figures/a.svg}}\n</figure>\n";
    const FIGURE: &str = r#"<svg viewBox="0 0 720 9" role="img" aria-labelledby="a-t a-d" xmlns="http://www.w3.org/2000/svg">
<title id="a-t">A loop</title>
<desc id="a-d">It goes round.</desc>
<path class="line" fill="none" d="M0 0H9" marker-end="url(#a-arrow)"/>
</svg>
"#;

    fn check_figure(figure: &str) -> String {
        said(
            check,
            &Tree::of([
                (STYLES, ".rt-figure .line { } .rt-figure :is(.box-a) { }"),
                ("book/src/01-one/index.md", PAGE),
                ("book/src/01-one/figures/a.svg", figure),
            ]),
        )
    }

    /// The figure above with `from` replaced by `to` is refused with `sentence`.
    fn refused(from: &str, to: &str, sentence: &str) {
        assert!(FIGURE.contains(from), "{from:?} is not in the figure");
        let said = check_figure(&FIGURE.replacen(from, to, 1));
        let place = "book/src/01-one/figures/a.svg:";
        assert!(said.starts_with(place) && said.contains(sentence), "{said:?}");
    }

    #[test]
    fn a_sound_figure_passes() {
        assert_eq!(check_figure(FIGURE), "");
    }

    #[test]
    fn a_figure_needs_words() {
        refused("<title id=\"a-t\">A loop</title>\n", "", "1: the figure needs a <title>.");
        refused("It goes round.", "", "1: the figure needs a <desc>.");
        refused("a-t a-d", "a-t", "3: `aria-labelledby` does not name the <desc>.");
        refused(" role=\"img\"", "", "1: the figure needs `role");
    }

    #[test]
    fn a_figure_fits_its_column() {
        refused("viewBox=\"0 0 720 9\" ", "", "needs a `viewBox`");
        refused("role", "width=\"720\" role", "not `width`");
    }

    #[test]
    fn a_figure_has_no_blank_lines() {
        refused("<desc", "\n<desc", "3: a blank line ends the figure");
    }

    #[test]
    fn a_figure_has_no_colours_of_its_own() {
        for colour in ["fill=\"#fff\"", "fill=\"red\"", "fill=\"rgb(1 2 3)\""] {
            refused("fill=\"none\"", colour, &format!("4: `{colour}` does not follow the theme"));
        }
        refused("fill=\"none\"", "style=\"fill: red\"", "use a class");
        refused("<desc", "<style/><desc", "3: styles belong into");
    }

    #[test]
    fn a_class_has_a_style() {
        refused("\"line\"", "\"lin\"", "4: book/theme/figures.css has no class `lin`.");
        refused("\"line\"", "\"line box\"", "has no class `box`");
    }

    #[test]
    fn a_figure_is_well_formed() {
        refused("</svg>", "", "not XML");
    }

    #[test]
    fn a_figure_stands_in_a_frame() {
        let tree = Tree::of([
            ("book/src/a.md", "{{#include a.svg}}\n"),
            ("book/src/a.svg", &FIGURE.replace("line", "")),
        ]);
        assert_eq!(
            said(check, &tree),
            "book/src/a.md:1: a figure stands right below `<figure class=\"rt-figure\">`."
        );
    }

    #[test]
    fn a_figure_that_nobody_sees_is_refused() {
        let tree =
            Tree::of([(STYLES, ".line"), ("book/src/a.md", "Words."), ("book/src/a.svg", FIGURE)]);
        assert_eq!(said(check, &tree), "book/src/a.svg:1: no page shows this figure.");
    }

    #[test]
    fn an_id_is_taken_once() {
        let page = "<figure class=\"rt-figure\">\n{{#include a.svg}}\n<figure class=\"rt-figure\">\n{{#include b.svg}}\n";
        let tree = Tree::of([
            (STYLES, ".line"),
            ("book/src/a.md", page),
            ("book/src/a.svg", FIGURE),
            ("book/src/b.svg", FIGURE),
        ]);
        let said = said(check, &tree);
        assert!(
            said.starts_with("book/src/b.svg:2: the id `a-t` is taken: book/src/a.svg"),
            "{said}"
        );
    }

    #[test]
    fn a_figure_of_the_readme_may_bring_its_styles() {
        let tree = Tree::of([
            (STYLES, ".line"),
            ("book/src/a.md", &PAGE.replace("# A\n\n", "")),
            (
                "book/src/figures/a.svg",
                &FIGURE.replace("<desc", "<style>.line { fill: red }</style><desc"),
            ),
        ]);
        assert_eq!(said(check, &tree), "");
    }
}
