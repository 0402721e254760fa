use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::log::LoggingPrefsLogLevel;
use thirtyfour::{
    By, ChromiumLikeCapabilities, DesiredCapabilities, WebDriver, WebDriverRunError, WebElement,
};
use tokio::time::timeout;

/// The functions that are called in the page.
const PAGE: &str = include_str!("page.js");

/// How long a test may take before it is taken for hung. The slowest is done in a fraction of it.
const DEADLINE: Duration = Duration::from_secs(300);

/// The two themes that a reader gets who has chosen none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// What the book looks like by day.
    Light,
    /// What it looks like for those whose system is dark.
    Dark,
}

impl Theme {
    /// What the system prefers, as CSS calls it.
    fn scheme(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    /// As usual.
    On,
    /// For readers without JavaScript.
    Off,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// By day or by night.
    pub theme: Theme,
    /// The width of the window in CSS pixels.
    pub width: u32,
    /// With scripts or without.
    pub scripts: Scripts,
    /// Whether the reader has asked for less motion.
    pub calm: bool,
    /// Whether it is for a printer and not for a screen.
    pub paper: bool,
}

impl View {
    /// A desk by day.
    pub const WIDE: Self =
        Self { theme: Theme::Light, width: 1400, scripts: Scripts::On, calm: false, paper: false };
    /// A phone by night.
    pub const NARROW: Self =
        Self { theme: Theme::Dark, width: 360, scripts: Scripts::On, calm: false, paper: false };

    /// The same by night, or by day.
    #[must_use]
    pub fn in_the_other_theme(self) -> Self {
        let theme = if self.theme == Theme::Light { Theme::Dark } else { Theme::Light };
        Self { theme, ..self }
    }

    /// The name for sentences and files.
    pub fn name(&self) -> String {
        let scripts = if self.scripts == Scripts::Off { "-no-scripts" } else { "" };
        let paper = if self.paper { "-paper" } else { "" };
        format!("{}-{}{scripts}{paper}", self.theme.scheme(), self.width)
    }
}

/// A running browser with one window.
pub struct Browser {
    driver: WebDriver,
}

/// A driver of browsers, which ends with its owner. The kernel ends the browser with it.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // It may be gone already, and then there is nothing to do.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Runs a test in a browser of its own, which is ended whatever comes of the test.
///
/// # Errors
/// What `test` says, or that the browser could not be started, or that it all took too long.
pub fn with_browser<T>(test: impl AsyncFnOnce(&Browser) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // A new profile: nothing of what a test does is there for the next.
    let profile = TempDir::new()?;
    let (process, port) = start_driver()?;
    let result = runtime.block_on(async {
        let driver = connect(port, &profile).await.context("the browser did not start")?;
        driver
            .run_and_quit(|driver| async {
                let browser = Browser { driver };
                timeout(DEADLINE, test(&browser))
                    .await
                    .map_err(|_| anyhow!("not done after {DEADLINE:?}"))?
            })
            .await
            .map_err(|error| match error {
                WebDriverRunError::Body(error)
                | WebDriverRunError::BodyAndCleanup { body: error, .. } => error,
                error => anyhow!("{error}"),
            })
    });
    drop(process);
    result
}

/// Starts chromedriver on a port that is free, which it says.
fn start_driver() -> Result<(Driver, u16)> {
    let mut child = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("chromedriver is missing. To get it: apt-get install chromium chromium-driver")?;
    let output = child.stdout.take().context("chromedriver has no output")?;
    let driver = Driver(child);
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return Ok((driver, port.trim_end_matches('.').parse()?));
        }
    }
    Err(anyhow!("chromedriver has ended without saying its port"))
}

async fn connect(port: u16, profile: &TempDir) -> Result<WebDriver> {
    let mut wanted = DesiredCapabilities::chrome();
    for argument in [
        "--headless",
        // Chromium has no sandbox for root, which is who runs in most containers.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // As on a phone, where they take no room.
        "--hide-scrollbars",
    ] {
        wanted.add_arg(argument)?;
    }
    wanted.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
    wanted.set_logging_prefs("browser", LoggingPrefsLogLevel::All)?;
    wanted.set_logging_prefs("performance", LoggingPrefsLogLevel::All)?;
    Ok(WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await?)
}

impl Browser {
    async fn look(&self, view: View) -> Result<()> {
        let motion = if view.calm { "reduce" } else { "no-preference" };
        self.resize(view.width, 900).await?;
        self.tell(
            "Emulation.setEmulatedMedia",
            json!({ "media": if view.paper { "print" } else { "screen" }, "features": [
                { "name": "prefers-color-scheme", "value": view.theme.scheme() },
                { "name": "prefers-reduced-motion", "value": motion },
            ] }),
        )
        .await?;
        self.tell(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": view.scripts == Scripts::Off }),
        )
        .await
    }

    /// Keeps the page for printing from opening a dialog.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn never_print(&self) -> Result<()> {
        self.tell(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": "window.print = () => {};" }),
        )
        .await
    }

    async fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        )
        .await
    }

    async fn tell(&self, method: &str, parameters: Value) -> Result<()> {
        self.driver.cdp().send_raw(method, parameters).await?;
        Ok(())
    }

    /// Opens a page in a view, waits until all of it is there, and says what has gone wrong: errors in the console,
    /// requests that failed, and requests to anywhere but `base`.
    ///
    /// # Errors
    /// If there is no such page, or the browser does not answer.
    pub async fn open(&self, base: &str, page: &str, view: View) -> Result<Vec<String>> {
        self.look(view).await?;
        self.complaints(base).await?;
        let url = format!("{base}{page}");
        self.driver.goto(&url).await.with_context(|| url.clone())?;
        let mut problems = self.complaints(base).await?;
        if view.scripts == Scripts::On {
            problems.extend(self.settle(view).await?);
            problems.extend(self.complaints(base).await?);
        }
        Ok(problems)
    }

    /// Shows the page that is open in another view, and says if it has not followed.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn turn(&self, view: View) -> Result<Option<String>> {
        self.look(view).await?;
        self.settle(view).await
    }

    /// Waits until all of the page is there.
    async fn settle(&self, view: View) -> Result<Option<String>> {
        let is_dark: bool = self.call("settled", vec![]).await?;
        let wanted = view.theme.scheme();
        let is_right = is_dark == (view.theme == Theme::Dark);
        Ok((!is_right).then(|| format!("the ground is not {wanted}")))
    }

    /// What has been logged since this was called last.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn complaints(&self, base: &str) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        for entry in self.driver.get_log("browser").await? {
            // What could not be loaded is in the other log as well, with its reason.
            if entry.level == "SEVERE" && !entry.message.contains("Failed to load resource") {
                problems.push(format!("in the console: {}", entry.message));
            }
        }
        let mut asked = HashMap::new();
        for entry in self.driver.get_log("performance").await? {
            let logged: Value = serde_json::from_str(&entry.message)?;
            problems.extend(network_problem(&logged["message"], base, &mut asked));
        }
        Ok(problems)
    }

    /// Calls a function of `page.js` in the page.
    ///
    /// # Errors
    /// If the function throws, or returns something else.
    pub async fn call<T: DeserializeOwned>(&self, function: &str, with: Vec<Value>) -> Result<T> {
        let script = format!("{PAGE}\nreturn {function}(...arguments);");
        let returned =
            self.driver.execute(script, with).await.with_context(|| function.to_owned())?;
        serde_json::from_value(returned.json().clone()).with_context(|| function.to_owned())
    }

    /// The elements of the page that a CSS selector finds.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn find_all(&self, selector: &str) -> Result<Vec<WebElement>> {
        Ok(self.driver.find_all(By::Css(selector.to_owned())).await?)
    }

    /// The element that has the focus.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn focused(&self) -> Result<WebElement> {
        Ok(self.driver.active_element().await?)
    }

    /// Keeps a picture of the window below `target/browser/pictures`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn picture(&self, page: &str, view: View) -> Result<()> {
        Ok(self.driver.screenshot(&picture_path(page, view)?).await?)
    }

    /// Keeps a picture of a whole element there, in a window that is high enough for it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn picture_of(&self, element: &WebElement, name: &str, view: View) -> Result<()> {
        self.resize(view.width, 4000).await?;
        self.call::<()>("unpin", vec![]).await?;
        self.call::<()>("bring", vec![element.to_json()?]).await?;
        element.screenshot(&picture_path(name, view)?).await?;
        self.resize(view.width, 900).await
    }
}

fn picture_path(name: &str, view: View) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/browser/pictures");
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("{}-{}.png", name.replace(".html", "").replace('/', "-"), view.name())))
}

/// What is wrong with an event of the network. `asked` holds the addresses by the numbers of the requests.
fn network_problem(
    event: &Value,
    base: &str,
    asked: &mut HashMap<String, String>,
) -> Option<String> {
    let parameters = &event["params"];
    let request = parameters["requestId"].as_str()?;
    match event["method"].as_str()? {
        "Network.requestWillBeSent" => {
            let url = parameters["request"]["url"].as_str()?;
            asked.insert(request.to_owned(), url.to_owned());
            let is_ours =
                [base, "data:", "about:", "blob:"].iter().any(|start| url.starts_with(start));
            (!is_ours).then(|| format!("asks for {url}"))
        }
        "Network.responseReceived" => {
            let status = parameters["response"]["status"].as_u64()?;
            (status >= 400)
                .then(|| format!("status {status} for {}", parameters["response"]["url"]))
        }
        // The browser itself gives up what the page that was left has begun.
        "Network.loadingFailed" if parameters["canceled"] != true => {
            let url = asked.get(request).map_or("a request", String::as_str);
            Some(format!("{url} has failed: {}", parameters["errorText"]))
        }
        _ => None,
    }
}
