//! As much of WebDriver as the tests need: JSON over HTTP, one command for each connection.
//!
//! <https://www.w3.org/TR/webdriver2/>

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{PATIENCE, exchange};

/// Headless Chromium with a profile of its own. It ends with the test.
pub(crate) struct Browser {
    driver: Child,
    pub(crate) address: String,
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    /// `None`, and a line that says why, on a machine without one.
    pub(crate) fn start() -> Option<Self> {
        Self::start_sized(800, 700)
    }

    /// The same, with a window of this width and height.
    pub(crate) fn start_sized(width: u32, height: u32) -> Option<Self> {
        let spawned = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = spawned else {
            eprintln!("skipped: there is no chromedriver on the path (Debian: chromium-driver)");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let started = "started successfully on port ";
        let port = lines.find_map(|line| {
            Some(line.unwrap().split_once(started)?.1.trim_end_matches('.').to_owned())
        });
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", port.unwrap());
        let mut browser = Self { driver, address, session: String::new(), profile };
        browser.open(width, height);
        Some(browser)
    }

    fn open(&mut self, width: u32, height: u32) {
        let size = format!("--window-size={width},{height}");
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &size,
            &profile,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
        } } });
        let opened = self.command("POST", "/session", &wanted);
        self.session = format!("/session/{}", opened["sessionId"].as_str().unwrap());
    }

    pub(crate) fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    pub(crate) fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    pub(crate) fn title(&self) -> String {
        self.get("/title").as_str().unwrap().to_owned()
    }

    /// The text of the first element that this CSS selector finds.
    pub(crate) fn text(&self, selector: &str) -> Option<String> {
        let found = self.post("/elements", &json!({ "using": "css selector", "value": selector }));
        let element = found.get(0)?.as_object()?.values().next()?.as_str()?.to_owned();
        Some(self.get(&format!("/element/{element}/text")).as_str().unwrap().to_owned())
    }

    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        self.post(&format!("/element/{}/value", self.find(selector)), &json!({ "text": text }));
    }

    pub(crate) fn click(&self, selector: &str) {
        self.post(&format!("/element/{}/click", self.find(selector)), &json!({}));
    }

    /// Clicks on what leads to another page, and waits for that.
    pub(crate) fn follow(&self, selector: &str) {
        self.run("window.isBefore = true");
        self.click(selector);
        let is_there = "return !window.isBefore && document.readyState === 'complete'";
        let deadline = Instant::now() + PATIENCE;
        while self.try_run(is_there) != Ok(Value::Bool(true)) {
            assert!(Instant::now() < deadline, "{selector} leads nowhere");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn run(&self, script: &str) -> Value {
        self.try_run(script).unwrap()
    }

    fn try_run(&self, script: &str) -> Result<Value, String> {
        let body = json!({ "script": script, "args": [] });
        self.try_command("POST", &format!("{}/execute/sync", self.session), &body)
    }

    pub(crate) fn cookies(&self) -> Vec<Value> {
        self.get("/cookie").as_array().unwrap().clone()
    }

    pub(crate) fn set_cookie(&self, cookie: &Value) {
        self.post("/cookie", &json!({ "cookie": cookie }));
    }

    /// The present tab.
    pub(crate) fn tab(&self) -> String {
        self.get("/window").as_str().unwrap().to_owned()
    }

    /// A new tab, which is the present one from then on.
    pub(crate) fn open_tab(&self) -> String {
        let opened = self.post("/window/new", &json!({ "type": "tab" }));
        let tab = opened["handle"].as_str().unwrap().to_owned();
        self.switch_to(&tab);
        tab
    }

    pub(crate) fn switch_to(&self, tab: &str) {
        self.post("/window", &json!({ "handle": tab }));
    }

    /// A picture of the page as a PNG, in base64.
    pub(crate) fn screenshot(&self) -> String {
        self.get("/screenshot").as_str().unwrap().to_owned()
    }

    fn find(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    fn get(&self, path: &str) -> Value {
        self.command("GET", &format!("{}{path}", self.session), &Value::Null)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.command("POST", &format!("{}{path}", self.session), body)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_command(method, path, body).unwrap()
    }

    fn try_command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let answer = exchange(&self.address, request.as_bytes());
        match answer.status {
            200 => Ok(serde_json::from_str::<Value>(&answer.body).unwrap()["value"].take()),
            _ => Err(format!("{method} {path}: {}", answer.body)),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is told to, and not when it is killed.
        let _ = std::panic::catch_unwind(|| self.command("GET", "/shutdown", &Value::Null));
        let _ = self.driver.kill().and_then(|()| self.driver.wait());
    }
}
