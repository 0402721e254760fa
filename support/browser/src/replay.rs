//! Replays, driven as a reader does it, and held against the traces that they show.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use thirtyfour::{Key, WebElement};

use crate::browser::{Browser, View};
use crate::none;

/// A run as the page tells it without a script.
pub struct Run {
    /// A sentence for each step.
    sentences: Vec<String>,
    /// How many events have happened after each number of steps.
    stops: Vec<usize>,
    /// Which rules are broken, at which event's index, and what the badge then says.
    broken: Vec<(usize, String)>,
    /// How it has ended: `done`, `failed` or `hung`.
    end: String,
}

/// A replay on the page that is open.
pub struct Replay {
    element: WebElement,
    /// One, or two beside each other.
    runs: Vec<Run>,
    name: String,
    view: View,
}

#[derive(Deserialize)]
struct Told {
    trace: String,
    sentences: Vec<String>,
}

#[derive(Deserialize, Debug)]
struct Notes {
    states: Vec<Shown>,
    problems: Vec<String>,
}

/// What a replay shows.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Shown {
    row: usize,
    last: usize,
    range: usize,
    lanes: Vec<Lane>,
    asked: Option<String>,
    asks_first: bool,
    choices: Vec<String>,
    play: String,
    focus: Option<String>,
}

#[derive(Deserialize, Debug)]
struct Lane {
    taken: usize,
    now: String,
    rules: Vec<Badge>,
}

#[derive(Deserialize, Debug)]
struct Badge {
    text: String,
    red: bool,
}

impl Run {
    /// Reads the trace by itself, so that it can be held against what the page's script makes of it.
    fn read(Told { trace, sentences }: Told) -> Result<Self> {
        let lines: Vec<Value> = trace
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .context("a line of the trace is no JSON")?;
        let header = lines.first().context("the trace is empty")?;
        let skipped: Vec<&str> =
            header["skip"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let events: Vec<&Value> = lines.iter().filter(|line| line["ev"].is_string()).collect();
        let stops = std::iter::once(0)
            .chain((1..=events.len()).filter(|&n| {
                let kind = events[n - 1]["ev"].as_str().unwrap_or_default();
                !skipped.contains(&kind)
            }))
            .collect();
        let mut broken = Vec::new();
        for rule in lines.iter().filter(|line| line["broken"].is_object()) {
            let (says, why) = (rule["says"].as_str(), rule["broken"]["why"].as_str());
            let seq = &rule["broken"]["seq"];
            let index = if rule["at_end"] == true {
                events.len() - 1
            } else {
                events.iter().position(|event| event["seq"] == *seq).context("no such event")?
            };
            let (says, why) = (says.context("a rule says nothing")?, why.context("no reason")?);
            broken.push((index, format!("{says} Broken at event {seq}: {why}.")));
        }
        let end = events.last().and_then(|event| event["how"].as_str()).context("no end")?;
        Ok(Self { sentences, stops, broken, end: end.to_owned() })
    }

    fn steps(&self) -> usize {
        self.stops.len() - 1
    }

    /// Whether a step lacks its sentence.
    fn untold(&self) -> Option<String> {
        let count = self.sentences.iter().filter(|text| !text.is_empty()).count();
        let is_whole = count == self.steps() && count == self.sentences.len();
        (!is_whole).then(|| format!("{} steps, and {count} sentences", self.steps()))
    }

    fn sentence(&self, taken: usize) -> &str {
        if taken == 0 { "Before the first step." } else { &self.sentences[taken - 1] }
    }

    /// What the red badges say after so many steps.
    fn red(&self, taken: usize) -> BTreeSet<&str> {
        let happened = self.stops[taken];
        self.broken
            .iter()
            .filter(|(index, _)| *index < happened)
            .map(|(_, text)| text.as_str())
            .collect()
    }
}

impl Replay {
    /// How the run has ended, or the first of two: `done`, `failed` or `hung`.
    pub fn end(&self) -> &str {
        self.runs.first().map_or("", |run| &run.end)
    }
}

/// Opens all lists of steps on a page that was opened without scripts. Returns how many runs are told, and
/// what of them is missing or hidden.
///
/// # Errors
/// If the browser does not answer.
pub async fn read_told(browser: &Browser) -> Result<(usize, Vec<String>)> {
    for summary in browser.find_all("rt-replay details.rt-words:not([open]) > summary").await? {
        press_mouse(browser, &summary).await?;
    }
    let mut count = 0;
    let mut problems = Vec::new();
    for (n, replay) in browser.find_all("rt-replay").await?.iter().enumerate() {
        let told: Vec<Told> = browser.call("told", vec![replay.to_json()?]).await?;
        let mut faults: Vec<String> = browser.call("unseen", vec![replay.to_json()?]).await?;
        if told.is_empty() {
            faults.push("there is no run".into());
        }
        for told in told {
            count += 1;
            match Run::read(told) {
                Ok(run) => faults.extend(run.untold()),
                Err(error) => faults.push(format!("{error:#}")),
            }
        }
        problems.extend(faults.into_iter().map(|fault| format!("replay {}: {fault}", n + 1)));
    }
    Ok((count, problems))
}

/// Does something with each replay of these pages, and returns how many there are.
///
/// # Errors
/// If there is none, the browser does not answer, or anything is wrong with one.
pub async fn each_of(
    browser: &Browser,
    base: &str,
    pages: &[&str],
    view: View,
    act: impl AsyncFn(&Browser, &Replay) -> Result<Vec<String>>,
) -> Result<usize> {
    let mut problems = Vec::new();
    let mut count = 0;
    for page in pages {
        let (replays, faults) = each(browser, base, page, view, &act).await?;
        count += replays;
        problems.extend(faults);
    }
    ensure!(count > 0, "there is no replay in {pages:?}");
    none(&problems)?;
    Ok(count)
}

/// Opens a page, does something with each of its replays, and returns how many there are and all that is
/// wrong with them.
///
/// # Errors
/// If there is no such page, or the browser does not answer.
pub async fn each(
    browser: &Browser,
    base: &str,
    page: &str,
    view: View,
    act: impl AsyncFn(&Browser, &Replay) -> Result<Vec<String>>,
) -> Result<(usize, Vec<String>)> {
    browser.open(base, page, view).await?;
    let elements = browser.find_all("rt-replay").await?;
    let count = elements.len();
    let mut problems = Vec::new();
    for (n, element) in elements.into_iter().enumerate() {
        let name = format!("{page}-replay-{}", n + 1);
        let mut faults = match open(browser, element, name.clone(), view).await? {
            Ok(replay) => {
                act(browser, &replay).await.unwrap_or_else(|error| vec![format!("{error:#}")])
            }
            Err(fault) => vec![fault],
        };
        faults.extend(browser.complaints(base).await?);
        problems.extend(faults.iter().map(|fault| format!("{name}, {}: {fault}", view.name())));
    }
    Ok((count, problems))
}

/// The replay, or what is wrong with it as such: it cannot be shown, or does not show all its runs.
async fn open(
    browser: &Browser,
    element: WebElement,
    name: String,
    view: View,
) -> Result<Result<Replay, String>> {
    let class = element.class_name().await?.unwrap_or_default();
    if !class.contains("rt-ready") {
        let text = element.text().await?;
        return Ok(Err(format!("it is not shown: {}", text.lines().next().unwrap_or_default())));
    }
    let told: Vec<Told> = browser.call("told", vec![element.to_json()?]).await?;
    let runs = match told.into_iter().map(Run::read).collect::<Result<Vec<_>>>() {
        Ok(runs) => runs,
        Err(error) => return Ok(Err(format!("{error:#}"))),
    };
    let replay = Replay { element, runs, name, view };
    let lanes = state(browser, &replay).await?.lanes.len();
    Ok(if lanes == replay.runs.len() {
        Ok(replay)
    } else {
        Err(format!("{lanes} runs are shown of {}", replay.runs.len()))
    })
}

async fn press(browser: &Browser, replay: &Replay, keys: &str) -> Result<Notes> {
    replay.element.send_keys(keys).await?;
    browser.call("notes", vec![replay.element.to_json()?]).await
}

fn keys(keys: &[Key]) -> String {
    keys.iter().map(|key| char::from(key.clone())).collect()
}

/// Goes through a replay by keys: to the end in one leap, to the beginning, forward step by step, and back.
/// Says where it is not where the keys lead, or does not show what its trace says, or shows something else
/// than at the same step before, or where something is cut off.
///
/// # Errors
/// If the browser does not answer.
pub async fn walk(browser: &Browser, replay: &Replay) -> Result<Vec<String>> {
    browser.call::<()>("watch", vec![replay.element.to_json()?]).await?;
    let first: Notes = browser.call("notes", vec![replay.element.to_json()?]).await?;
    let mut problems = first.problems;
    let last = first.states.first().context("no state")?.last;

    let home_and_end = keys(&[Key::End, Key::Home]);
    let forward = keys(&vec![Key::Right; last + 1]);
    let back = keys(&vec![Key::Left; last + 1]);
    let notes = press(browser, replay, &format!("{home_and_end}{forward}{back}")).await?;
    problems.extend(notes.problems);

    // One press more than there are steps, in both directions: it stays where it is.
    let wanted: Vec<usize> = [last, 0]
        .into_iter()
        .chain(1..=last)
        .chain([last])
        .chain((0..last).rev())
        .chain([0])
        .collect();
    let rows: Vec<usize> = notes.states.iter().map(|state| state.row).collect();
    if rows != wanted {
        let n = rows.iter().zip(&wanted).take_while(|(row, wanted)| row == wanted).count();
        problems.push(format!(
            "key {} of {} leads to step {:?} instead of {:?}",
            n + 1,
            wanted.len(),
            rows.get(n),
            wanted.get(n)
        ));
    }
    for state in first.states.iter().chain(&notes.states) {
        problems.extend(unlike(state, &replay.runs));
        problems.extend(out_of_step(state, &replay.runs));
    }
    if let Some(end) = notes.states.first() {
        for (lane, run) in end.lanes.iter().zip(&replay.runs) {
            if lane.taken != run.steps() {
                problems.push(format!("the end is after {} of {} steps", lane.taken, run.steps()));
            }
        }
    }
    problems.dedup();
    replay.element.send_keys(keys(&[Key::End])).await?;
    browser.picture_of(&replay.element, &replay.name, replay.view).await?;
    Ok(problems)
}

/// Where one of two runs is ahead of the other, although they have agreed so far.
fn out_of_step(state: &Shown, runs: &[Run]) -> Option<String> {
    let ([left, right], [one, other]) = (&state.lanes[..], runs) else { return None };
    let agree = one.sentences.iter().zip(&other.sentences).take_while(|(one, other)| one == other);
    let is_apart = left.taken != right.taken && left.taken.min(right.taken) < agree.count();
    is_apart.then(|| {
        format!("at step {} the runs have taken {} and {}", state.row, left.taken, right.taken)
    })
}

/// Where a replay shows something else than what its runs say.
fn unlike(state: &Shown, runs: &[Run]) -> Vec<String> {
    let mut problems = Vec::new();
    if state.range != state.row {
        problems.push(format!("at step {} the slider stands at {}", state.row, state.range));
    }
    for (lane, run) in state.lanes.iter().zip(runs) {
        if lane.taken > run.steps() || run.sentences.len() != run.steps() {
            problems.push(format!("step {} of {}", lane.taken, run.steps()));
            continue;
        }
        let wanted = run.sentence(lane.taken);
        if lane.now != wanted {
            problems.push(format!("step {} reads “{}” instead of “{wanted}”", state.row, lane.now));
        }
        let red: BTreeSet<&str> =
            lane.rules.iter().filter(|rule| rule.red).map(|rule| rule.text.as_str()).collect();
        let wanted = run.red(lane.taken);
        if red != wanted {
            problems.push(format!(
                "at step {} what is red is {red:?} instead of {wanted:?}",
                state.row
            ));
        }
    }
    problems
}

/// Uses the rest of what a replay offers: the keys for playing and predicting, the button, the list.
///
/// # Errors
/// If the browser does not answer.
pub async fn use_all(browser: &Browser, replay: &Replay) -> Result<Vec<String>> {
    browser.call::<()>("watch", vec![replay.element.to_json()?]).await?;
    let mut problems = Vec::new();
    problems.extend(tab(browser, replay).await.context("tab")?);
    problems.extend(predict(browser, replay).await.context("predict")?);
    problems.extend(play(browser, replay).await.context("play")?);
    problems.extend(speeds(browser, replay).await.context("speeds")?);
    problems.extend(click(browser, replay).await.context("click")?);
    problems.extend(scrub(browser, replay).await.context("scrub")?);
    let notes: Notes = browser.call("notes", vec![replay.element.to_json()?]).await?;
    problems.extend(notes.problems);
    Ok(problems)
}

async fn state(browser: &Browser, replay: &Replay) -> Result<Shown> {
    browser.call("shown", vec![replay.element.to_json()?]).await
}

/// The tab key leads from the replay to its buttons, and back.
async fn tab(browser: &Browser, replay: &Replay) -> Result<Option<String>> {
    replay.element.send_keys(keys(&[Key::Home, Key::Tab])).await?;
    let inside = state(browser, replay).await?.focus;
    let back = keys(&[Key::Shift, Key::Tab]);
    browser.focused().await?.send_keys(back).await?;
    let outside = state(browser, replay).await?.focus;
    let is_right = inside.as_ref().is_some_and(|name| name.starts_with("button"))
        && outside.as_ref().is_some_and(|name| name.starts_with("rt-replay"));
    Ok((!is_right).then(|| format!("the tab key leads to {inside:?}, and back to {outside:?}")))
}

/// A wrong answer is called wrong, and the right one right; both lead to the step that was asked for.
async fn predict(browser: &Browser, replay: &Replay) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    press(browser, replay, &format!("{}p", keys(&[Key::Home]))).await?;
    let asked = state(browser, replay).await?;
    if !asked
        .asked
        .as_deref()
        .is_some_and(|title| title.to_lowercase().ends_with("what happens next?"))
    {
        problems.push(format!("the key p does not ask, but says {:?}", asked.asked));
        return Ok(problems);
    }
    if !asked.asks_first {
        problems.push(format!("the focus is not on the first answer, but on {:?}", asked.focus));
    }
    // The next step of the first run that is no printed line, by its sentence.
    let choices: Vec<&str> = asked
        .choices
        .iter()
        .filter_map(|text| text.split_once(". "))
        .map(|(_, text)| text)
        .collect();
    let run = replay.runs.first().context("no run")?;
    let answer = run.sentences.iter().position(|sentence| choices.contains(&sentence.as_str()));
    ensure!(choices.len() == asked.choices.len(), "choices without a number: {:?}", asked.choices);
    let Some(step) = answer else {
        problems.push(format!("none of {choices:?} ever happens"));
        return Ok(problems);
    };
    let right =
        choices.iter().position(|text| *text == run.sentences[step]).context("no choice")?;
    let wrong = (right + 1) % choices.len();
    for (chosen, verdict) in [(wrong, "No. What happens is: "), (right, "Yes. ")] {
        press(browser, replay, &format!("{}p", keys(&[Key::Home]))).await?;
        // The focus is on the first answer now, as it is for a reader.
        browser.focused().await?.send_keys((chosen + 1).to_string()).await?;
        let state = state(browser, replay).await?;
        let wanted = format!("{verdict}{}", run.sentences[step]);
        if state.asked.as_deref() != Some(&wanted) || state.lanes[0].taken != step + 1 {
            problems.push(format!(
                "after answer {} it says {:?} instead of “{wanted}”, and stands at step {} instead of {}",
                chosen + 1, state.asked, state.lanes[0].taken, step + 1
            ));
        }
    }
    Ok(problems)
}

/// The space bar plays, and pauses.
async fn play(browser: &Browser, replay: &Replay) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let speed = replay.element.find(thirtyfour::By::Css("select")).await?;
    speed.send_keys("very fast").await?;
    let before = press(browser, replay, &keys(&[Key::Home])).await?;
    let last = before.states.last().context("no state")?.last;
    press(browser, replay, " ").await?;
    let wanted = last.min(2);
    loop {
        let state = state(browser, replay).await?;
        if state.row >= wanted {
            break;
        }
        if state.play != "Pause" {
            problems.push(format!("the space bar does not play: the button says {}", state.play));
            return Ok(problems);
        }
    }
    if state(browser, replay).await?.play == "Pause" {
        press(browser, replay, " ").await?;
    }
    let state = state(browser, replay).await?;
    if state.play != "Play"
        || browser.call::<bool>("playsOn", vec![replay.element.to_json()?]).await?
    {
        problems.push(format!("the space bar does not pause: the button says {}", state.play));
    }
    Ok(problems)
}

/// There are several speeds, each faster than the one before, and a change is in force at once.
async fn speeds(browser: &Browser, replay: &Replay) -> Result<Option<String>> {
    press(browser, replay, &keys(&[Key::Home])).await?;
    let pauses: Vec<u32> = browser.call("pauses", vec![replay.element.to_json()?]).await?;
    let is_right = pauses.len() > 2 && pauses.is_sorted_by(|one, next| one > next);
    Ok((!is_right).then(|| format!("from speed to speed, the pauses are {pauses:?} ms")))
}

/// A click on the middle of the slider leads to the middle of the run.
async fn scrub(browser: &Browser, replay: &Replay) -> Result<Vec<String>> {
    press(browser, replay, &keys(&[Key::Home])).await?;
    let slider = replay.element.find(thirtyfour::By::Css("input[type=range]")).await?;
    press_mouse(browser, &slider).await?;
    let state = state(browser, replay).await?;
    let mut problems = unlike(&state, &replay.runs);
    if state.row.abs_diff(state.last / 2) > 1 + state.last / 20 {
        problems.push(format!("the middle of the slider is step {} of {}", state.row, state.last));
    }
    Ok(problems)
}

/// Clicks on what a reader has scrolled to the middle of the window: the book's bar covers its upper edge.
async fn press_mouse(browser: &Browser, element: &WebElement) -> Result<()> {
    browser.call::<()>("bring", vec![element.to_json()?]).await?;
    Ok(element.click().await?)
}

/// The mouse steps, and jumps to a step of the list.
async fn click(browser: &Browser, replay: &Replay) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    press(browser, replay, &keys(&[Key::Home])).await?;
    let buttons = replay.element.find_all(thirtyfour::By::Css(".rt-bar button")).await?;
    press_mouse(browser, &buttons[1]).await?;
    let row = state(browser, replay).await?.row;
    if row != 1 {
        problems.push(format!("the button for a step leads to step {row}"));
    }
    for (n, run) in replay.runs.iter().enumerate() {
        browser.call::<()>("openWords", vec![replay.element.to_json()?, n.into()]).await?;
        let lists = replay.element.find_all(thirtyfour::By::Css("details.rt-words")).await?;
        let items = lists[n].find_all(thirtyfour::By::Css("li button")).await?;
        let middle = items.len() / 2;
        press_mouse(browser, &items[middle]).await?;
        let lane = &state(browser, replay).await?.lanes[n];
        if lane.taken != middle + 1 || lane.now != run.sentences[middle] {
            problems.push(format!("step {} of the list leads to step {}", middle + 1, lane.taken));
        }
    }
    Ok(problems)
}

/// Follows all links from steps to the code of the page. Returns how many there are, and what is wrong: the
/// page is still on its way after the first, or a line is marked that is not the step's.
///
/// # Errors
/// If the browser does not answer.
pub async fn follow_links(browser: &Browser, replay: &Replay) -> Result<(usize, Vec<String>)> {
    let last = state(browser, replay).await?.last;
    replay.element.send_keys(keys(&[Key::Home])).await?;
    for step in 1..=last {
        replay.element.send_keys(keys(&[Key::Right])).await?;
        match browser.call("followsAtOnce", vec![replay.element.to_json()?]).await? {
            None => {}
            Some(true) => break,
            Some(false) => {
                return Ok((1, vec![format!("the page moves to the code of step {step}")]));
            }
        }
    }
    browser.call("misled", vec![replay.element.to_json()?]).await
}

/// The panels of a replay, and whether they change in the course of the run.
///
/// # Errors
/// If the browser does not answer.
pub async fn panels(browser: &Browser, replay: &Replay) -> Result<BTreeMap<String, bool>> {
    browser.call("panels", vec![replay.element.to_json()?]).await
}

/// What is not on the paper that the page is printed on.
///
/// # Errors
/// If the browser does not answer.
pub async fn print(browser: &Browser, replay: &Replay) -> Result<Vec<String>> {
    browser.call("unseen", vec![replay.element.to_json()?]).await
}
