//! The read log: which office read what under which purpose, one line for each read, in a chain of hashes.
//!
//! ```json
//! {"n":12,"prev":"5d41…","at":"2026-11-26T10:47:06Z","node":"P1","office":"liaison","role":"sector_liaison","purpose":"duty",
//!  "asked":"/api/entries","entries":["p1.example/hamsaya/1#12"]}
//! ```
//! It lies in the node's folder, `reads.jsonl`, and holds offices, never persons. A read is written down before it is
//! answered. A line that was changed, dropped or put in breaks the chain for whoever has a later head; the node states the
//! head of each day in its own log (`read_digest`), so that the day cannot be rewritten afterwards. A process that dies while
//! it writes leaves half a line, which the next start takes off: nobody was answered.
use hamsaya_record::Instant;
use hamsaya_record::statement::hex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// The file's name.
pub const READS: &str = "reads.jsonl";

const DAY_S: i64 = 86_400;

/// Who read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<'a> {
    /// When.
    pub at: Instant,
    /// Member whose office it is.
    pub node: &'a str,
    /// `liaison`.
    pub office: &'a str,
    /// `sector_liaison`.
    pub role: &'a str,
    /// `duty`.
    pub purpose: &'a str,
    /// Path that was asked.
    pub asked: &'a str,
    /// A page asked by itself, because something may have changed.
    pub is_auto: bool,
    /// `origin#index` of what is `TLP:AMBER` or above in the answer.
    pub entries: &'a [String],
}

/// A day that is over, and what its last line was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The midnight that ended it.
    pub end: Instant,
    /// Reads in it.
    pub reads: u64,
    /// SHA-256 of its last line, in hex.
    pub head: String,
}

/// Why the file is not a chain.
#[derive(Debug, thiserror::Error)]
pub enum ReadsError {
    /// The file.
    #[error("{READS}: {0}")]
    Io(#[from] io::Error),
    /// A line that does not follow from the one before.
    #[error("{READS}:{line}: found {found}, allowed is the line after {allowed}")]
    Broken {
        /// Which, from 1.
        line: u64,
        /// What it names.
        found: String,
        /// What came before.
        allowed: String,
    },
    /// It is another one than that whose head the node stated in its log.
    #[error(
        "{READS}: of the day that ended at {0} it has another end, or fewer reads, than the node stated in its log\nhint: put the right file back; what is missing in it was read by somebody"
    )]
    Contradicts(Instant),
}

/// The chain, and where it stands.
#[derive(Debug)]
pub struct Reads {
    file: File,
    lines: u64,
    bytes: u64,
    head: String,
    /// The day under way: its end, its reads.
    day: Option<(Instant, u64)>,
    /// Days that are over and were not stated yet.
    over: Vec<Day>,
}

impl Reads {
    /// Opens and replays the chain in a node's folder.
    pub fn open(dir: &Path) -> Result<Reads, ReadsError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(dir.join(READS))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
        }
        let mut reads = Reads { file, lines: 0, bytes: whole as u64, head: String::new(), day: None, over: Vec::new() };
        for line in bytes[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let value: Value = serde_json::from_slice(line).unwrap_or(Value::Null);
            let (n, prev) = (value["n"].as_u64(), value["prev"].as_str().unwrap_or("nothing"));
            let at = value["at"].as_str().and_then(|at| at.parse().ok());
            match at {
                Some(at) if n == Some(reads.lines) && prev == reads.head => reads.grow(line, at),
                _ => {
                    return Err(ReadsError::Broken {
                        line: reads.lines + 1,
                        found: format!("line {} after `{prev}`", n.map_or("?".to_string(), |n| n.to_string())),
                        allowed: format!("`{}`", reads.head),
                    });
                }
            }
        }
        Ok(reads)
    }

    /// Writes a read down; it is durable when this returns.
    pub fn write(&mut self, read: &Read<'_>) -> io::Result<()> {
        let mut line = json!({
            "n": self.lines, "prev": self.head, "at": read.at.to_string(), "node": read.node, "office": read.office,
            "role": read.role, "purpose": read.purpose, "asked": read.asked, "entries": read.entries,
        });
        if read.is_auto {
            line["auto"] = json!(true);
        }
        let mut line = line.to_string();
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What may be half a line is taken off again: the next line follows the last whole one, or none does.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += line.len() as u64;
        self.grow(line.trim_end().as_bytes(), read.at);
        Ok(())
    }

    fn grow(&mut self, line: &[u8], at: Instant) {
        self.turn(at);
        let end = Instant((at.0.div_euclid(DAY_S) + 1) * DAY_S);
        let (_, reads) = self.day.get_or_insert((end, 0));
        *reads += 1;
        self.lines += 1;
        self.head = hex(&Sha256::digest(line).into());
    }

    /// Closes the day under way if it is over by now.
    fn turn(&mut self, now: Instant) {
        if let Some((end, reads)) = self.day.filter(|(end, _)| *end <= now) {
            self.over.push(Day { end, reads, head: self.head.clone() });
            self.day = None;
        }
    }

    /// Days that are over by now, oldest first.
    pub fn days(&mut self, now: Instant) -> Vec<Day> {
        self.turn(now);
        self.over.clone()
    }

    /// Whether it is the chain of which this was stated when a day was over.
    pub fn check(&mut self, day: &Day) -> Result<(), ReadsError> {
        self.turn(day.end);
        if self.over.contains(day) { Ok(()) } else { Err(ReadsError::Contradicts(day.end)) }
    }

    /// A day whose head stands in the log.
    pub fn stated(&mut self, day: &Day) {
        self.over.retain(|over| over != day);
    }

    /// How many reads were written, and the hash of the last.
    pub fn head(&self) -> (u64, &str) {
        (self.lines, &self.head)
    }

    /// Lines from a number on.
    pub fn lines(&mut self, from: u64, limit: usize) -> io::Result<Vec<Value>> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut text = String::new();
        self.file.read_to_string(&mut text)?;
        let wanted = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(wanted.filter(|line| line["n"].as_u64().is_some_and(|n| n >= from)).take(limit).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> std::path::PathBuf {
        use std::sync::atomic::{AtomicU32, Ordering};
        static N: AtomicU32 = AtomicU32::new(0);
        let name = format!("hamsaya-reads-{}-{}", std::process::id(), N.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn read(at: i64) -> Read<'static> {
        let (node, office, role) = ("P1", "liaison", "sector_liaison");
        Read {
            at: Instant(at),
            node,
            office,
            role,
            purpose: "duty",
            asked: "/api/entries",
            is_auto: false,
            entries: &[],
        }
    }

    #[test]
    fn it_goes_on_after_a_start_and_a_half_line_is_taken_off() {
        let dir = folder();
        let mut reads = Reads::open(&dir).unwrap();
        reads.write(&read(10)).unwrap();
        reads.write(&read(20)).unwrap();
        let head = reads.head().1.to_string();
        drop(reads);
        let mut file = OpenOptions::new().append(true).open(dir.join(READS)).unwrap();
        file.write_all(b"{\"n\":2,\"pre").unwrap();
        drop(file);
        let mut reads = Reads::open(&dir).unwrap();
        assert_eq!(reads.head(), (2, head.as_str()));
        reads.write(&read(30)).unwrap();
        assert_eq!(Reads::open(&dir).unwrap().head().0, 3);
        assert_eq!(reads.lines(1, 1).unwrap()[0]["n"], 1);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_line_that_is_changed_dropped_or_put_in_is_found() {
        let dir = folder();
        let mut reads = Reads::open(&dir).unwrap();
        (0..4).for_each(|n| reads.write(&read(n)).unwrap());
        let text = std::fs::read_to_string(dir.join(READS)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let changed = lines[1].replace("duty", "audit");
        for (wrong, at) in [
            (vec![lines[0], &changed, lines[2], lines[3]], 3),
            (vec![lines[0], lines[2], lines[3]], 2),
            (vec![lines[0], lines[1], lines[1], lines[2], lines[3]], 3),
            (vec![lines[1], lines[2]], 1),
        ] {
            std::fs::write(dir.join(READS), wrong.join("\n") + "\n").unwrap();
            let found = Reads::open(&dir).unwrap_err().to_string();
            assert!(found.starts_with(&format!("{READS}:{at}:")), "{found}");
        }
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_day_ends_with_its_head() {
        let dir = folder();
        let mut reads = Reads::open(&dir).unwrap();
        reads.write(&read(10)).unwrap();
        reads.write(&read(DAY_S - 1)).unwrap();
        let head = reads.head().1.to_string();
        assert_eq!(reads.days(Instant(DAY_S - 1)), []);
        reads.write(&read(DAY_S)).unwrap();
        let first = Day { end: Instant(DAY_S), reads: 2, head };
        assert_eq!(reads.days(Instant(DAY_S)), std::slice::from_ref(&first));
        assert_eq!(Reads::open(&dir).unwrap().days(Instant(2 * DAY_S))[0], first);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
