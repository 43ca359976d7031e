//! A page on paper: the HTML, printed by a browser that is on the machine.
//!
//! ```text
//! chromium --headless --print-to-pdf=… page.html        links within the page, tags for readers and text to copy stay
//! ```
//!
//! Setting three scripts from right to left, with links and tags, is a browser's trade; one that prints is at hand on the
//! machines where pages are read, and no typesetter has to be built with the command (docs/decisions/0006).
use crate::complaint::Complaint;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, process};

/// Browsers that print, by the names that systems give them.
const BROWSERS: [&str; 6] =
    ["chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "google-chrome-stable", "chrome"];
/// Names another one.
const BROWSER: &str = "HAMSAYA_BROWSER";

/// A browser that can print, if there is one.
pub fn browser() -> Option<PathBuf> {
    if let Some(named) = env::var_os(BROWSER) {
        return Some(PathBuf::from(named));
    }
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let places = BROWSERS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|place| place.is_file())
}

/// No browser was found. `flag` asked for paper; `others` need none.
pub fn no_browser(flag: &str, others: &str) -> Complaint {
    Complaint::new(format!("no browser that prints was found, looked for are {}", BROWSERS.join(" ")))
        .at(flag)
        .hint(format!("install Chromium, or name a browser in {BROWSER}; {others}"))
}

/// Prints a page.
pub fn pdf(browser: &Path, html: &str) -> Result<Vec<u8>, Complaint> {
    let desk = env::temp_dir().join(format!("hamsaya-print-{}", process::id()));
    let printed = print(browser, html, &desk);
    // Also when it failed: nothing of a restricted page may stay behind.
    let _ = fs::remove_dir_all(&desk);
    printed
}

fn print(browser: &Path, html: &str, desk: &Path) -> Result<Vec<u8>, Complaint> {
    let failed = |what: String| {
        Complaint::new(format!("the browser did not print: {what}"))
            .at(browser.display())
            .hint(format!("see that it starts, or name another in {BROWSER}"))
    };
    make_private(desk).map_err(|e| failed(format!("{}: {e}", desk.display())))?;
    let (page, paper) = (desk.join("page.html"), desk.join("page.pdf"));
    fs::write(&page, html).map_err(|e| failed(e.to_string()))?;
    let with = |flag: &str, value: &Path| {
        let mut argument = OsString::from(flag);
        argument.push(value);
        argument
    };
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--no-pdf-header-footer"])
        // The page's own policy lets it run and fetch nothing; no name is looked up either.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg(with("--user-data-dir=", &desk.join("profile")))
        .arg(with("--print-to-pdf=", &paper))
        .args(is_root().then_some("--no-sandbox"))
        .arg(&page)
        .stdin(Stdio::null());
    let output = command.output().map_err(|e| failed(e.to_string()))?;
    let bytes = fs::read(&paper).unwrap_or_default();
    if bytes.starts_with(b"%PDF-") {
        return Ok(undated(bytes));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_string();
    Err(failed(format!("{}, {last}", output.status)))
}

/// The same page gives the same bytes: when it was printed says nothing of it. Places within the file stay as they are.
fn undated(mut paper: Vec<u8>) -> Vec<u8> {
    const DIGITS: &[u8; 14] = b"19700101000000";
    for mark in [&b"/CreationDate (D:"[..], b"/ModDate (D:"] {
        let at = paper.windows(mark.len()).position(|w| w == mark).map(|at| at + mark.len());
        let date = at.and_then(|at| paper.get_mut(at..at + DIGITS.len()));
        if let Some(date) = date.filter(|d| d.iter().all(u8::is_ascii_digit)) {
            date.copy_from_slice(DIGITS);
        }
    }
    paper
}

/// A folder that nobody else reads; an error if it is there already.
fn make_private(dir: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// The superuser's browser starts only without its sandbox.
#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paper_does_not_say_when_it_was_printed() {
        for (printed, kept) in [
            (
                "%PDF-1.4 <</CreationDate (D:20261126081924+00'00')\n/ModDate (D:20261126081924+00'00')>>",
                "%PDF-1.4 <</CreationDate (D:19700101000000+00'00')\n/ModDate (D:19700101000000+00'00')>>",
            ),
            ("%PDF-1.4 /CreationDate (D:2026", "%PDF-1.4 /CreationDate (D:2026"),
            ("%PDF-1.4", "%PDF-1.4"),
        ] {
            assert_eq!(undated(printed.into()), kept.as_bytes(), "{printed}");
        }
    }
}
