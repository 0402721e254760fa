//! The pages that `cargo x replay` makes, of runs that pass, fail and hang: each is one file, which a learner opens
//! from the disk, and which is held to what the book's replays are held to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use browser::replay::{self, Replay};
use browser::{Browser, View, pages, with_browser};

/// The pages that `cargo x pages` has made.
struct Pages {
    base: String,
    names: Vec<String>,
}

impl Pages {
    fn find() -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/x/pages");
        let none = || format!("{}: call cargo x pages 07.1", folder.display());
        let folder = folder.canonicalize().with_context(none)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.extend(name.ends_with(".html").then_some(name));
        }
        names.sort();
        Ok(Self { base: format!("file://{}/", folder.display()), names })
    }

    fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}

fn each_page(
    doing: &str,
    view: View,
    act: impl AsyncFn(&Browser, &Replay) -> Result<Vec<String>>,
) -> Result<()> {
    let pages = Pages::find()?;
    let count = with_browser(async |browser| {
        replay::each_of(browser, &pages.base, &pages.names(), view, act).await
    })?;
    ensure!(count == pages.names.len(), "{count} replays on {} pages", pages.names.len());
    println!("{count} pages of exercises {doing}, {}", view.name());
    Ok(())
}

#[test]
fn every_page_fits_its_window_and_complains_of_nothing() -> Result<()> {
    let pages = Pages::find()?;
    with_browser(async |browser| {
        pages::fit(browser, &pages.base, &pages.names, async |browser| {
            browser.call::<()>("openAll", vec![]).await?;
            browser.call::<Vec<String>>("tooWide", vec![]).await
        })
        .await
    })?;
    println!("{} pages of exercises, wide and narrow, light and dark", pages.names.len());
    Ok(())
}

#[test]
fn without_scripts_every_run_is_told() -> Result<()> {
    let pages = Pages::find()?;
    let told = with_browser(async |browser| pages::tell(browser, &pages.base, &pages.names).await)?;
    ensure!(told.iter().all(|runs| *runs == 1), "{:?} tell {told:?} runs", pages.names);
    println!("{} pages of exercises told without scripts", told.len());
    Ok(())
}

#[test]
fn on_paper_every_run_is_told() -> Result<()> {
    each_page("on paper", View { paper: true, ..View::WIDE }, replay::print)
}

#[test]
fn every_run_goes_to_its_end_and_back_on_a_desk() -> Result<()> {
    each_page("to the end and back", View::WIDE, replay::walk)
}

#[test]
fn every_run_goes_to_its_end_and_back_on_a_phone() -> Result<()> {
    each_page("to the end and back", View::NARROW, replay::walk)
}

#[test]
fn every_run_is_played_predicted_and_clicked() -> Result<()> {
    each_page("played, predicted and clicked", View::WIDE, replay::use_all)
}

#[test]
fn every_step_leads_to_its_line_of_the_code() -> Result<()> {
    let links = Cell::new(0);
    let view = View { calm: true, ..View::WIDE };
    each_page("followed to the code", view, async |browser, replay| {
        let (count, mut problems) = replay::follow_links(browser, replay).await?;
        links.set(links.get() + count);
        if count == 0 {
            problems.push("no step leads to the code".to_owned());
        }
        Ok(problems)
    })?;
    println!("{} links to code of exercises, each to its line", links.get());
    Ok(())
}

#[test]
fn every_page_says_how_its_run_has_ended() -> Result<()> {
    let counts = RefCell::new(BTreeMap::new());
    each_page("read for their ends", View::WIDE, async |browser, replay| {
        let end = replay.end();
        *counts.borrow_mut().entry(end.to_owned()).or_insert(0) += 1;
        browser.call::<()>("openAll", vec![]).await?;
        let mut said = String::new();
        for output in browser.find_all("main > details:has(~ rt-replay) pre").await? {
            said += &output.text().await?;
        }
        let is_right = match end {
            "done" => said.is_empty(),
            "failed" => said.contains("panicked at exercises/"),
            "hung" => said.contains("still running after"),
            _ => false,
        };
        let problem = (!is_right).then(|| format!("of a run with the end {end} it says {said:?}"));
        Ok(problem.into_iter().collect())
    })?;
    let counts = counts.into_inner();
    println!("pages of exercises by the ends of their runs: {counts:?}");
    ensure!(counts.len() == 3, "the runs of an exercise are done, failed or hung: {counts:?}");
    Ok(())
}
