//! The five nodes of the demo: one process each, of this same binary.
//!
//! A node is asked to stop by closing its standard input, so none outlives the demo, however the demo ends.
use crate::client::NodeClient;
use crate::complaint::Complaint;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// One node's process.
pub struct Process {
    /// `P1`.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Its HTTP interface.
    pub client: NodeClient,
    child: Child,
}

impl Process {
    /// Starts `hamsaya serve` on a folder and waits until it answers.
    pub fn start(name: &str, dir: &Path, client: NodeClient) -> Result<Process> {
        let child = spawn(dir)?;
        let mut process = Process { name: name.into(), dir: dir.to_path_buf(), client, child };
        process.wait_until_it_answers()?;
        Ok(process)
    }

    /// Ends the process as a power cut would.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same folder.
    pub fn restart(&mut self) -> Result<()> {
        self.child = spawn(&self.dir)?;
        self.wait_until_it_answers()
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return self.kill();
            }
            pause();
        }
        Ok(())
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if self.client.get("/api/state").is_ok() {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(self.dir.join("serve.log")).unwrap_or_default();
                let last: Vec<&str> = said.lines().rev().take(6).collect();
                let what = if ended.is_some() { "ended" } else { "does not answer" };
                let last = last.into_iter().rev().collect::<Vec<_>>().join("\n  ");
                return Err(Complaint::new(format!("node {} {what}", self.name))
                    .at(format!("{}\n  {last}", self.dir.join("serve.log").display()))
                    .into());
            }
            pause();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Best effort on the way out of an error: a node that has lost its standard input stops by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path) -> Result<Child> {
    let log = File::options().create(true).append(true).open(dir.join("serve.log"))?;
    Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(dir)
        .args(["--scenario-clock", "--stop-with-stdin"])
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("a node for {} cannot be started", dir.display()))
}

/// Between two looks at a condition.
pub fn pause() {
    std::thread::sleep(Duration::from_millis(15));
}

/// Looks at a condition until it gives something; after `patience` it is a complaint that says what was last seen.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Result<Result<T, String>>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match look()? {
            Ok(found) => return Ok(found),
            Err(seen) if Instant::now() > deadline => {
                let text = format!("waited {} s for {what}", patience.as_secs());
                return Err(Complaint::new(text).at(seen).into());
            }
            Err(_) => pause(),
        }
    }
}

/// Text of a JSON value at a key, or nothing.
pub fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}
