//! Every page of the built book, and every replay on it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use browser::replay::{self, Replay};
use browser::{Book, Browser, Server, View, none, pages, with_browser};

/// All of a page and its replays that is loaded, in bytes.
const HEAVIEST: u64 = 300_000;

/// Runs `act` for each replay of the book, and fails with all that it finds.
fn each_replay(
    doing: &str,
    view: View,
    act: impl AsyncFn(&Browser, &Replay) -> Result<Vec<String>>,
) -> Result<()> {
    let book = Book::open()?;
    let server = Server::start(book.folder())?;
    let pages = book.pages_with_replays()?;
    let count = with_browser(async |browser| {
        replay::each_of(browser, &server.base(), &pages, view, act).await
    })?;
    println!("{count} replays {doing}, {}", view.name());
    Ok(())
}

#[test]
fn every_page_fits_its_window_and_complains_of_nothing() -> Result<()> {
    let book = Book::open()?;
    let server = Server::start(book.folder())?;
    with_browser(async |browser| {
        pages::fit(browser, &server.base(), book.pages(), async |_| Ok(Vec::new())).await
    })?;
    println!("{} pages, wide and narrow, light and dark", book.pages().len());
    Ok(())
}

#[test]
fn every_page_opens_from_a_file() -> Result<()> {
    let book = Book::open()?;
    let base = format!("file://{}/", book.folder().display());
    // The page for a wrong address can be anywhere, so its links begin at the root of the server.
    let pages = book.pages().iter().map(String::as_str).filter(|page| *page != "404.html");
    with_browser(async |browser| {
        browser.never_print().await?;
        let mut problems = Vec::new();
        for page in pages.chain(["print.html"]) {
            let faults = browser.open(&base, page, View::WIDE).await?;
            problems.extend(faults.iter().map(|fault| format!("{page}: {fault}")));
        }
        none(&problems)
    })
}

#[test]
fn without_scripts_every_page_is_read_and_every_run_is_told() -> Result<()> {
    let book = Book::open()?;
    let server = Server::start(book.folder())?;
    let told =
        with_browser(async |browser| pages::tell(browser, &server.base(), book.pages()).await)?;
    println!("{} runs told without scripts", told.iter().sum::<usize>());
    Ok(())
}

#[test]
fn on_paper_every_run_is_told() -> Result<()> {
    each_replay("on paper", View { paper: true, ..View::WIDE }, replay::print)
}

#[test]
fn every_replay_goes_to_its_end_and_back_on_a_desk() -> Result<()> {
    each_replay("to the end and back", View::WIDE, replay::walk)
}

#[test]
fn every_replay_goes_to_its_end_and_back_on_a_phone() -> Result<()> {
    each_replay("to the end and back", View::NARROW, replay::walk)
}

#[test]
fn every_replay_is_played_predicted_and_clicked() -> Result<()> {
    each_replay("played, predicted and clicked", View::WIDE, replay::use_all)
}

#[test]
fn links_lead_to_the_line_of_the_step_and_at_once_for_who_asks_for_less_motion() -> Result<()> {
    let links = Cell::new(0);
    let view = View { calm: true, ..View::WIDE };
    each_replay("followed to the code, without motion", view, async |browser, replay| {
        let (count, problems) = replay::follow_links(browser, replay).await?;
        links.set(links.get() + count);
        Ok(problems)
    })?;
    println!("{} links to code, each to its line", links.get());
    ensure!(links.get() > 0, "no replay links to the code of its page");
    Ok(())
}

/// All kinds of panels that there are.
const PANELS: [&str; 8] =
    ["inbox", "printed", "reactor", "ring", "tasks", "threads", "timers", "wheels"];

#[test]
fn every_kind_of_panel_is_shown_somewhere_and_moves_with_the_run() -> Result<()> {
    let shown = RefCell::new(BTreeMap::new());
    each_replay("looked at for their panels", View::WIDE, async |browser, replay| {
        for (name, changes) in replay::panels(browser, replay).await? {
            *shown.borrow_mut().entry(name).or_insert(0) += usize::from(changes);
        }
        Ok(Vec::new())
    })?;
    let shown = shown.into_inner();
    println!("replays by the panels that move in them: {shown:?}");
    ensure!(shown.keys().eq(PANELS.iter()), "these panels are shown: {shown:?}");
    ensure!(shown.values().all(|count| *count > 0), "a panel never changes: {shown:?}");
    Ok(())
}

#[test]
fn every_page_is_light() -> Result<()> {
    let book = Book::open()?;
    let mut weights = Vec::new();
    for page in book.pages() {
        weights.push((book.weight(page)?, page));
    }
    weights.sort();
    let heavy: Vec<String> = weights
        .iter()
        .filter(|(bytes, _)| *bytes >= HEAVIEST)
        .map(|(bytes, page)| format!("{page} has {bytes} bytes"))
        .collect();
    if let Some((bytes, page)) = weights.last() {
        println!("the heaviest page, with its replays: {page}, {} KB", bytes / 1000);
    }
    // Whoever asks for the whole book at once gets it: that is what the button for printing is for.
    println!(
        "not among them, as it is all pages in one: print.html, {} KB",
        book.weight("print.html")? / 1000
    );
    none(&heavy)
}
