//! What is held of every page, whatever has made it.

use anyhow::Result;

use crate::{Browser, Scripts, View, none, replay};

/// Looks at these pages wide and narrow, light and dark. `then` looks at more of each, before its theme
/// is turned.
///
/// # Errors
/// If the browser does not answer, or anything is wrong with one.
pub async fn fit(
    browser: &Browser,
    base: &str,
    pages: &[impl AsRef<str>],
    then: impl AsyncFn(&Browser) -> Result<Vec<String>>,
) -> Result<()> {
    let mut problems = Vec::new();
    for view in [View::WIDE, View::NARROW] {
        for page in pages.iter().map(AsRef::as_ref) {
            let mut faults = browser.open(base, page, view).await?;
            faults.extend(browser.call::<Vec<String>>("tooWide", vec![]).await?);
            browser.picture(page, view).await?;
            faults.extend(then(browser).await?);
            faults.extend(browser.turn(view.in_the_other_theme()).await?);
            faults.extend(browser.call::<Vec<String>>("tooWide", vec![]).await?);
            faults.extend(browser.complaints(base).await?);
            problems.extend(faults.iter().map(|fault| format!("{page}, {}: {fault}", view.name())));
        }
    }
    none(&problems)
}

/// Reads these pages without scripts. Returns how many runs each of them tells.
///
/// # Errors
/// If the browser does not answer, or anything cannot be read.
pub async fn tell(browser: &Browser, base: &str, pages: &[impl AsRef<str>]) -> Result<Vec<usize>> {
    let view = View { scripts: Scripts::Off, ..View::NARROW };
    let mut problems = Vec::new();
    let mut runs = Vec::new();
    for page in pages.iter().map(AsRef::as_ref) {
        let mut faults = browser.open(base, page, view).await?;
        faults.extend(browser.call::<Vec<String>>("unreadable", vec![]).await?);
        let (told, missing) = replay::read_told(browser).await?;
        faults.extend(missing);
        faults.extend(browser.call::<Vec<String>>("tooWide", vec![]).await?);
        runs.push(told);
        problems.extend(faults.iter().map(|fault| format!("{page}: {fault}")));
    }
    none(&problems)?;
    Ok(runs)
}
