//! Pages that are broken by intent: whatever the other tests look for, they see.

use anyhow::{Result, ensure};
use browser::{Book, Browser, Server, View, replay, with_browser};

/// A page with a replay of two runs, of which the first breaks a rule.
const PAGE: &str = "05-executor/index.html";

/// How the page is broken: something is put before its end, or something in it replaced.
enum Fault {
    None,
    Put(&'static str),
    Replace(&'static str, &'static str),
}

use Fault::{None as Sound, Put, Replace};

impl Fault {
    /// Serves the book with the fault in the page.
    fn serve(self, book: &Book) -> Result<Server> {
        Server::start_with(book.folder(), move |path, bytes| {
            let (from, to) = match self {
                _ if path != PAGE => return bytes,
                Sound => return bytes,
                Put(html) => ("</main>", format!("{html}</main>")),
                Replace(from, to) => (from, to.to_owned()),
            };
            String::from_utf8_lossy(&bytes).replacen(from, &to, 1).into_bytes()
        })
    }
}

/// The fault has been named, or there is none.
fn seen(problems: &[String], wanted: &str) -> Result<()> {
    let is_right = if wanted.is_empty() {
        problems.is_empty()
    } else {
        problems.iter().any(|problem| problem.contains(wanted))
    };
    ensure!(is_right, "instead of “{wanted}” this was seen: {problems:#?}");
    Ok(())
}

#[test]
fn what_is_wrong_with_a_page_is_seen() -> Result<()> {
    let book = Book::open()?;
    with_browser(async |browser| {
        for (fault, wanted) in [
            (Sound, ""),
            (Put("<script>console.error('planted')</script>"), "planted"),
            (Put("<script>nobody.knows()</script>"), "nobody is not defined"),
            (Put("<img src='missing.png' alt=''>"), "status 404"),
            (Put("<img src='http://localhost:1/a.png' alt=''>"), "asks for http://localhost:1/"),
            (Put("<div style='width: 2000px'>wide</div>"), "px wide in a window of 360 px"),
            (Put("<style>html { background: #fff !important }</style>"), "the ground is not dark"),
            (Put("<style>.rt-now { white-space: nowrap }</style>"), "rt-now"),
            (Put("<style>rt-replay .rt-bar { width: 500px }</style>"), "reaches out of rt-replay"),
        ] {
            let server = fault.serve(&book)?;
            let mut problems = browser.open(&server.base(), PAGE, View::NARROW).await?;
            problems.extend(browser.call::<Vec<String>>("tooWide", vec![]).await?);
            seen(&problems, wanted)?;
        }
        Ok(())
    })
}

#[test]
fn a_run_that_is_not_told_without_scripts_is_seen() -> Result<()> {
    let book = Book::open()?;
    with_browser(async |browser| {
        for (fault, wanted) in [
            (Sound, ""),
            (Replace("<li value=\"0\">", "<li value=\"0\"></li><li>"), "steps, and"),
            (Replace("{\"title\"", "{title"), "is no JSON"),
            (Put("<style>.rt-words li:nth-child(3) { display: none }</style>"), "not shown"),
            (Put("<style>.rt-words ol { max-height: 5em; overflow: auto }</style>"), "is hidden"),
            (Put("<style>.rt-trace { display: block }</style>"), "the trace itself"),
        ] {
            let server = fault.serve(&book)?;
            let view = View { scripts: browser::Scripts::Off, ..View::NARROW };
            browser.open(&server.base(), PAGE, view).await?;
            let (_, problems) = replay::read_told(browser).await?;
            seen(&problems, wanted)?;
        }
        Ok(())
    })
}

#[test]
fn a_replay_that_lies_is_seen() -> Result<()> {
    let book = Book::open()?;
    with_browser(async |browser| {
        for (fault, wanted) in [
            (Sound, ""),
            (Replace("{\"ev\":\"end\"", "{\"ev\":\"close\""), "This run cannot be replayed"),
            (Put("<style>.rt-broken { color: inherit !important }</style>"), "what is red is {}"),
            (Put(ON_KEYUP_THE_NEXT_SENTENCE), "reads “Task 7 is spawned.”"),
            (Put(ON_KEYUP_A_COUNTER), "does not look as it did before"),
            (Put(LEFT_IS_DEAF), "leads to step"),
            (Put(THE_SECOND_IS_AHEAD), "the runs have taken"),
        ] {
            let server = fault.serve(&book)?;
            let (_, problems) =
                replay::each(browser, &server.base(), PAGE, View::WIDE, replay::walk).await?;
            seen(&problems, wanted)?;
        }
        Ok(())
    })
}

const ON_KEYUP_THE_NEXT_SENTENCE: &str = "<script>addEventListener('keyup', () => {
    document.querySelector('.rt-now').lastChild.data = 'Task 7 is spawned.';
}, true)</script>";

const ON_KEYUP_A_COUNTER: &str = "<script>let count = 0; addEventListener('keyup', () => {
    document.querySelector('.rt-caption').textContent = count += 1;
}, true)</script>";

const THE_SECOND_IS_AHEAD: &str = "<script>addEventListener('keyup', () => {
    const now = document.querySelector('.rt-lane + .rt-lane li[aria-current]');
    now?.nextElementSibling?.setAttribute('aria-current', 'step');
    now?.removeAttribute('aria-current');
}, true)</script>";

const LEFT_IS_DEAF: &str = "<script>addEventListener('keydown', (event) => {
    if (event.key === 'ArrowLeft') event.stopPropagation();
}, true)</script>";

#[test]
fn controls_that_do_nothing_are_seen() -> Result<()> {
    let book = Book::open()?;
    with_browser(async |browser| {
        for (fault, wanted) in [
            (Sound, ""),
            (Put(P_IS_DEAF), "the key p does not ask"),
            (Put(SPACE_IS_DEAF), "the space bar does not play"),
            (Put(EVERY_ANSWER_IS_RIGHT), "instead of “No. What happens is:"),
            (Put(TAB_IS_DEAF), "the tab key leads to"),
            (Put(ONE_SPEED), "the pauses are"),
            (Put(THE_SLIDER_IS_DEAF), "the middle of the slider is step 0"),
        ] {
            let server = fault.serve(&book)?;
            let (_, problems) =
                replay::each(browser, &server.base(), PAGE, View::WIDE, replay::use_all).await?;
            seen(&problems, wanted)?;
        }
        Ok(())
    })
}

const P_IS_DEAF: &str = "<script>addEventListener('keydown', (event) => {
    if (event.key === 'p') event.stopPropagation();
}, true)</script>";

const SPACE_IS_DEAF: &str = "<script>addEventListener('keydown', (event) => {
    if (event.key !== ' ') return;
    event.stopPropagation();
    event.preventDefault();
}, true)</script>";

const ONE_SPEED: &str = "<script>addEventListener('change', (event) => {
    event.stopPropagation();
}, true)</script>";

const THE_SLIDER_IS_DEAF: &str = "<script>addEventListener('input', (event) => {
    event.stopPropagation();
    event.target.value = 0;
}, true)</script>";

const TAB_IS_DEAF: &str = "<script>addEventListener('keydown', (event) => {
    if (event.key === 'Tab') event.preventDefault();
}, true)</script>";

const EVERY_ANSWER_IS_RIGHT: &str = "<script>addEventListener('keyup', () => {
    const verdict = document.querySelector('.rt-bad-text');
    if (verdict !== null) verdict.textContent = verdict.textContent.replace(/^No. What happens is:/, 'Yes.');
}, true)</script>";

/// Links that lead somewhere else, or slowly.
#[test]
fn links_that_lead_astray_are_seen() -> Result<()> {
    let book = Book::open()?;
    let links = async |browser: &Browser, replay: &replay::Replay| {
        Ok(replay::follow_links(browser, replay).await?.1)
    };
    with_browser(async |browser| {
        for (fault, calm, wanted) in [
            (Sound, true, ""),
            (Sound, false, "the page moves to the code of step"),
            (Put("<style>.rt-mark { margin-top: 3em }</style>"), true, "the link leads to"),
        ] {
            let server = fault.serve(&book)?;
            let view = View { calm, ..View::WIDE };
            let (_, problems) = replay::each(browser, &server.base(), PAGE, view, links).await?;
            seen(&problems, wanted)?;
        }
        Ok(())
    })
}
