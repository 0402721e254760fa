use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::invariants::RULES;
use crate::json::{is_first, with_numbered_fds};
use crate::{Cast, Event, Place, Record};

/// A recorded run as a page of the book shows it: once for the `<rt-replay>` element of
/// `book/theme/replay.js`, and once in words.
#[derive(Debug)]
pub struct Replay<'a> {
    /// What the run is called, beside another one.
    pub title: &'a str,
    /// The command that makes it, if there is one.
    pub command: Option<&'a str>,
    /// Who takes part.
    pub cast: Cast,
    /// Kinds of events that get no step and no sentence of their own, by their names in JSON. They
    /// happen all the same.
    pub skip: &'a [&'a str],
    /// What happened.
    pub records: &'a [Record],
    /// How it ended.
    pub end: End,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It came to its end.
    Done,
    /// Nothing happens any more, and nothing ever will.
    Hung,
    /// By this panic or signal, in the middle of something.
    Failed(String),
    /// It came to its end, and reports this error.
    Error(String),
    /// It went on to this end, and only the first of so many events are shown.
    Cut(usize, Box<End>),
}

impl Replay<'_> {
    /// Writes the run as a piece of HTML, to be included into a page: the events as lines of JSON, in a
    /// `<script>` that no browser runs, and a list of them in words. The first line of JSON says what
    /// the others refer to. `source` gives the text of a source file by its path.
    ///
    /// The piece is the same for every run that takes the same steps in the same code: clock times are
    /// left out, and file descriptors are numbered from 1 in the order in which they appear.
    pub fn to_html(&self, source: impl Fn(&Path) -> Option<String>) -> String {
        let records = numbered(self.records);
        let places: Vec<&Place> = records
            .iter()
            .filter(|it| !is_note(it))
            .map(|it| &it.place)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();

        let mut lines = self.header(&records, &places, source);
        lines.extend(records.iter().map(|record| step(record, &places)));
        lines.push(json(&EndLine { ev: "end", how: self.end.name() }));
        // In a script, nothing may look like the end of it.
        let lines: String = lines.iter().map(|line| line.replace('<', "\\u003c") + "\n").collect();

        let sentences = self.sentences(&records);
        let count = sentences.len();
        let items: String = sentences.iter().map(|item| format!("{item}\n")).collect();
        let title = escaped(self.title);
        format!(
            "<script type=\"application/x-ndjson\" class=\"rt-trace\">\n{lines}</script>\n\
             <details class=\"rt-words\">\n<summary>{title}: all {count} steps in words</summary>\n\
             <ol>\n{items}</ol>\n</details>\n"
        )
    }

    /// The lines before the first step: the run, the rules that it keeps or breaks, the places.
    fn header(
        &self,
        records: &[Record],
        places: &[&Place],
        source: impl Fn(&Path) -> Option<String>,
    ) -> Vec<String> {
        let header = json(&Header {
            title: self.title,
            command: self.command,
            names: Names {
                task: named(self.cast.tasks),
                fd: named(self.cast.fds),
                thread: named(self.cast.threads),
                timer: named(self.cast.timers),
                op: named(self.cast.ops),
            },
            skip: self.skip,
        });
        let rules = RULES
            .iter()
            .filter(|rule| (rule.applies)(records) && (!rule.at_end || self.end.is_orderly()))
            .map(|rule| {
                let broken = (rule.holds)(records).err();
                json(&RuleLine {
                    rule: rule.name,
                    says: rule.says,
                    at_end: rule.at_end,
                    broken: broken.map(|it| Broken { seq: it.seq, why: it.why }),
                })
            });
        let places = places.iter().map(|place| json(&located(place, &source)));
        std::iter::once(header).chain(rules).chain(places).collect()
    }

    /// A list item for each step.
    fn sentences(&self, records: &[Record]) -> Vec<String> {
        let mut items: Vec<String> = records
            .iter()
            .filter(|record| !self.skip.contains(&kind(&record.event).as_str()))
            .map(|record| {
                let sentence = escaped(&self.cast.sentence(record.thread, &record.event));
                match record.event {
                    Event::Note { .. } => format!("<li class=\"rt-note\">{sentence}</li>"),
                    _ => format!("<li value=\"{}\">{sentence}</li>", record.seq),
                }
            })
            .collect();
        items.push(format!(
            "<li class=\"rt-end\">{}</li>",
            escaped(&self.end.sentence(records.len()))
        ));
        items
    }
}

impl End {
    /// Whether everything had its chance to come home.
    fn is_orderly(&self) -> bool {
        matches!(self, End::Done | End::Error(_))
    }

    fn name(&self) -> &'static str {
        match self {
            End::Cut(_, end) => end.name(),
            End::Done => "done",
            End::Hung => "hung",
            End::Failed(_) | End::Error(_) => "failed",
        }
    }

    /// What it says after so many events that were shown.
    fn sentence(&self, shown: usize) -> String {
        match self {
            End::Done => "The program has come to its end.".into(),
            End::Hung => "Nothing happens any more: the program hangs.".into(),
            End::Failed(why) => format!("The program fails. {why}"),
            End::Error(why) => format!("The program ends with an error. {why}"),
            End::Cut(all, end) => {
                let end = match **end {
                    // What goes round and round hangs as well.
                    End::Hung => "The program does not end in time.".into(),
                    ref end => end.sentence(shown),
                };
                format!("These were the first {shown} of {all} recorded events. {end}")
            }
        }
    }
}

/// The first line.
#[derive(Serialize)]
struct Header<'a> {
    title: &'a str,
    command: Option<&'a str>,
    names: Names,
    skip: &'a [&'a str],
}

/// Names by numbers. In JSON a number that is a key is a text.
#[derive(Serialize)]
struct Names {
    task: BTreeMap<String, &'static str>,
    fd: BTreeMap<String, &'static str>,
    thread: BTreeMap<String, &'static str>,
    timer: BTreeMap<String, &'static str>,
    op: BTreeMap<String, &'static str>,
}

/// A rule that says something about this run.
#[derive(Serialize)]
struct RuleLine {
    rule: &'static str,
    says: &'static str,
    at_end: bool,
    broken: Option<Broken>,
}

#[derive(Serialize)]
struct Broken {
    seq: usize,
    why: String,
}

#[derive(Serialize)]
struct PlaceLine {
    file: String,
    line: u32,
    /// The line, between the one before it and the one after it.
    text: [String; 3],
}

/// One of the lines that follow.
#[derive(Serialize)]
struct Step<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<usize>,
    #[serde(skip_serializing_if = "is_first")]
    thread: usize,
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<usize>,
}

/// The last line.
#[derive(Serialize)]
struct EndLine {
    ev: &'static str,
    how: &'static str,
}

fn step(record: &Record, places: &[&Place]) -> String {
    let is_event = !is_note(record);
    json(&Step {
        seq: is_event.then_some(record.seq),
        thread: record.thread,
        event: &record.event,
        place: places.iter().position(|place| is_event && **place == record.place),
    })
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("a line has only numbers and strings")
}

/// Numbers the file descriptors, and the events, among which notes do not count: so the numbers are
/// those that the run itself knows.
fn numbered(records: &[Record]) -> Vec<Record> {
    let mut records = with_numbered_fds(records);
    let mut events = 0;
    for record in &mut records {
        record.seq = events;
        events += usize::from(!is_note(record));
    }
    records
}

fn is_note(record: &Record) -> bool {
    matches!(record.event, Event::Note { .. })
}

/// The name of an event in JSON.
fn kind(event: &Event) -> String {
    let json = serde_json::to_value(event).expect("an event has only numbers and strings");
    json["ev"].as_str().unwrap_or_default().to_string()
}

fn named<N: ToString>(names: &[(N, &'static str)]) -> BTreeMap<String, &'static str> {
    names.iter().map(|(number, name)| (number.to_string(), *name)).collect()
}

/// A place with the text of its line, and of the lines around it, by which a page finds it in the code
/// that it shows.
fn located(place: &Place, source: impl Fn(&Path) -> Option<String>) -> PlaceLine {
    let file = plain(Path::new(&*place.file));
    let text = source(&file).unwrap_or_default();
    // A page does not show the marks of the regions that it includes.
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.contains("// ANCHOR"));
    let mut text = [const { String::new() }; 3];
    let mut before = "";
    while let Some((number, line)) = lines.next() {
        if number == place.line {
            let after = lines.next().map_or("", |(_, line)| line);
            text = [before, line, after].map(str::to_string);
            break;
        }
        before = line;
    }
    PlaceLine { file: file.display().to_string(), line: place.line, text }
}

/// A path without detours: a module that a test includes from the examples is at `tests/../examples`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
