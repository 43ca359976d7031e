//! `hamsaya demo`: five nodes on loopback play the golden scenario.
use super::Outcome;
use super::import::Desk;
use super::init::{DemoNode, NodeRole, demo_place};
use crate::agreements;
use crate::client::NodeClient;
use crate::complaint::Complaint;
use crate::demo::expect::{first_difference, line};
use crate::demo::narrate::{Because, hours, moved};
use crate::demo::play::{Town, withdraws};
use crate::folder::Folder;
use crate::verdicts::{self, Row};
use crate::words::{Language, Words};
use anyhow::{Context, Result};
use clap::Args;
use hamsaya_agreement::case::{Case, Expected, Row as Step};
use hamsaya_node::accounts;
use hamsaya_record::Instant;
use indicatif::ProgressBar;
use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a node may take to find out why a verdict changed.
const REASONS_PATIENCE: Duration = Duration::from_secs(20);

/// Start five nodes on loopback and play the golden scenario: record, witness, judge, compare
///
/// P1 and P2 are parties, G1 and G2 guarantors, O1 a witness that sees no entries; each has a process, a folder and keys of
/// its own. The scenario (agreements/cases/good/golden-scenario.md) is posted through their HTTP interface; only time is
/// injected. Exit code 1 if any verdict, digest or acknowledged statement is not as it must be.
#[derive(Args)]
#[command(visible_alias = "up")]
pub struct Demo {
    /// Stop at the end; without it the nodes run until Ctrl-C
    #[arg(long)]
    once: bool,
    /// In the middle, end this node's process as a power cut would, and start it again
    #[arg(long, value_name = "NODE")]
    kill: Option<String>,
    /// Keep the folders after Ctrl-C too; --once always keeps them
    #[arg(long)]
    keep: bool,
    /// Seconds between two steps, to read along
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, conflicts_with = "fast")]
    pace: f64,
    /// No time between steps (the default)
    #[arg(long)]
    fast: bool,
    /// First of five ports on loopback; 0: any that are free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Incidents to import at the end, in the columns of UCDP GED; default: the sample that ships
    #[arg(long, value_name = "FILE")]
    ged: Option<PathBuf>,
    /// Folder to make the place in; default: the system's temporary folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Language of the words
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
}

impl Demo {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let words = Words::of(self.lang)?;
        let script = Case::parse(SCENARIO, &agreements::shipped_text(SCENARIO)?)?;
        let place = self.place()?;
        writeln!(out, "place: {}", place.display())?;
        let first = script.rows.first().map_or(script.start, |s| s.at);
        let nodes = demo_place(&place, self.port, first.plus(-3600))?;
        if let Some(kill) = &self.kill
            && !nodes.iter().any(|n| n.name == *kill)
        {
            let names: Vec<&str> = nodes.iter().map(|n| n.name.as_str()).collect();
            return Err(Complaint::new(format!("`{kill}` is no node of the demo, allowed are {}", names.join(" ")))
                .at("--kill")
                .into());
        }
        let agreement = agreements::read(&nodes[0].folder.path("agreement"))?;
        let mut town = Town::start(&nodes, &agreement)?;
        let doors = doors(&nodes)?;
        for node in &nodes {
            writeln!(out, "{:3} {}  {}", node.name, node.url, node.folder.dir().display())?;
        }
        writeln!(out)?;
        let (faults, since) = (Vec::new(), Instant(0));
        let mut play = Play { demo: self, script: &script, words: &words, out, faults, since };
        play.steps(&mut town)?;
        let end = end_of(&script);
        play.import(&town, &nodes[3].folder, end)?;
        play.close(&town, end)?;
        let outcome = if play.faults.is_empty() { Outcome::NoBreach } else { Outcome::Found };
        for fault in &play.faults {
            writeln!(play.out, "error: {fault}")?;
        }
        self.leave(out, &mut town, &doors, &place)?;
        Ok(outcome)
    }

    fn place(&self) -> Result<PathBuf> {
        let within = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|e| Complaint::new(format!("the system gives no randomness: {e}")))?;
        let place = within.join(format!("hamsaya-demo-{}", verdicts::hex(&random)));
        fs::create_dir_all(&place).with_context(|| format!("{} cannot be made", place.display()))?;
        Ok(place)
    }

    /// Stops the nodes: at once, or when somebody presses Ctrl-C.
    fn leave(&self, out: &mut dyn Write, town: &mut Town, doors: &[Door], place: &Path) -> Result<()> {
        if !self.once {
            writeln!(out, "\nconsole")?;
            for process in &town.processes {
                write!(out, "  {:3} {}/", process.name, process.client.url())?;
                match doors.iter().find(|door| door.node == process.name) {
                    Some(door) => writeln!(out, "  sign in as {} with {}", door.office, door.password)?,
                    None => writeln!(out)?,
                }
            }
            writeln!(out, "Ctrl-C stops the nodes")?;
            out.flush()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(tokio::signal::ctrl_c())?;
        }
        town.stop()?;
        if self.once || self.keep {
            writeln!(out, "\nfolders are left in {}", place.display())?;
        } else {
            fs::remove_dir_all(place)?;
        }
        Ok(())
    }
}

/// How people get into one node's console.
struct Door {
    node: String,
    office: String,
    password: String,
}

/// An account for the chair or the observer of each member, with a password of its own that is printed and kept nowhere.
fn doors(nodes: &[DemoNode]) -> Result<Vec<Door>> {
    let mut doors = Vec::new();
    for node in nodes.iter().filter(|node| node.keeps_a_log()) {
        let office = if node.role == NodeRole::Party { "chair" } else { "observer" };
        let password = accounts::password()?;
        accounts::set(node.folder.dir(), office, &password)?;
        doors.push(Door { node: node.name.clone(), office: office.into(), password });
    }
    Ok(doors)
}

const SCENARIO: &str = "cases/good/golden-scenario.md";

/// The last instant of a scenario.
fn end_of(script: &Case) -> Instant {
    let steps = script.rows.iter().map(|s| s.at);
    steps.chain(script.expected.iter().map(|b| b.as_of)).max().unwrap_or(script.start)
}

/// How long a node is waited for to say why verdicts moved at step `n`. One that begins, or begins again, has no judgment from
/// before to compare with. That nothing was open before does not mean that: the entry that opens the first verdicts is their
/// reason.
fn patience(n: usize, killed: bool) -> Duration {
    if killed || n == 0 { Duration::ZERO } else { REASONS_PATIENCE }
}

/// The play, as it goes on.
struct Play<'a> {
    demo: &'a Demo,
    script: &'a Case,
    words: &'a Words,
    out: &'a mut dyn Write,
    /// What is not as it must be, in the order in which it was found.
    faults: Vec<String>,
    /// The step before.
    since: Instant,
}

impl Play<'_> {
    fn steps(&mut self, town: &mut Town) -> Result<()> {
        let first = self.script.rows.first().map_or(self.script.start, |s| s.at);
        town.set_clock(first.plus(-3600))?;
        town.agree(first.plus(-3600), first.plus(-3600))?;
        let mut before = Vec::new();
        let mut blocks = self.script.expected.iter().filter(|b| b.known_by == b.as_of).peekable();
        let kill_at = self.kill_at();
        for (n, step) in self.script.rows.iter().enumerate() {
            while let Some(block) = blocks.next_if(|b| b.as_of < step.at) {
                self.compare(town, block)?;
            }
            self.step(town, n, step, kill_at == Some(n), &mut before)?;
            std::thread::sleep(Duration::from_secs_f64(self.demo.pace));
        }
        for block in blocks {
            self.compare(town, block)?;
        }
        // What was known when: the same instants again, by what had come later.
        for block in self.script.expected.iter().filter(|b| b.known_by != b.as_of) {
            self.compare(town, block)?;
        }
        Ok(())
    }

    /// The middle one of the steps that the node to be killed says; of all steps, if it says nothing.
    fn kill_at(&self) -> Option<usize> {
        let name = self.demo.kill.as_deref()?;
        let said_by = |any: bool| -> Vec<usize> {
            let steps = self.script.rows.iter().enumerate();
            let said = steps.filter(|(_, s)| s.said.as_ref().is_some_and(|e| any || e.log == name));
            said.map(|(n, _)| n).collect()
        };
        let own = said_by(false);
        let candidates = if own.is_empty() { said_by(true) } else { own };
        candidates.get(candidates.len() / 2).copied()
    }

    fn step(&mut self, town: &mut Town, n: usize, step: &Step, kill: bool, before: &mut Vec<Row>) -> Result<()> {
        town.set_clock(step.at)?;
        let receipt = town.say(step)?;
        let hour = hours(step.at, self.script.start);
        let label = step.label.as_deref().unwrap_or_default();
        let (log, kind) = step.said.as_ref().map_or(("", ""), |said| (said.log.as_str(), said.kind.as_str()));
        writeln!(self.out, "{hour:>8}  {log:3} {label:5} {kind:16} {}", step.narration)?;
        if kill && let Some(name) = &self.demo.kill {
            town.kill(name, step.at)?;
            writeln!(self.out, "{:37}{name}: process killed after it acknowledged {label}, and started again", "")?;
        }
        town.settle(receipt.as_ref(), step.at)?;
        let after = town.verdicts("P1", step.at, step.at)?;
        let all = moved(before, &after);
        let changes = town.changes("P1", &all, self.since, patience(n, kill));
        self.since = step.at;
        let because = Because { changes: &changes, labels: &town.labels, withdraws: withdraws(step) };
        for moved in all {
            writeln!(self.out, "{:37}{}", "", because.said(&moved, self.words, step.at))?;
        }
        self.out.flush()?;
        *before = after;
        Ok(())
    }

    /// Compares both parties' verdicts with what the scenario expects at an instant.
    fn compare(&mut self, town: &Town, block: &Expected) -> Result<()> {
        let start = self.script.start;
        // The clock of the nodes never goes back: later knowledge of an earlier instant is asked for, not lived.
        if block.as_of == block.known_by {
            town.set_clock(block.as_of)?;
            town.settle(None, block.as_of)?;
        }
        let mut said = format!("{:>8}  verdicts", hours(block.as_of, start));
        if block.known_by != block.as_of {
            said.push_str(&format!(" by what was known at {}", hours(block.known_by, start)));
        }
        for name in ["P1", "P2"] {
            let rows = town.verdicts(name, block.as_of, block.known_by)?;
            let lines: Vec<String> = rows.iter().map(|row| line(row, start)).collect();
            match first_difference(&block.lines, &lines) {
                None => said.push_str(&format!("  {name} as expected ({})", verdicts::counts(&rows, self.words))),
                Some((expected, found)) => {
                    said.push_str(&format!("  {name} differs: expected `{expected}`, found `{found}`"));
                    let at = hours(block.as_of, start);
                    self.faults.push(format!("{name} at {at}: expected `{expected}`, found `{found}`"));
                }
            }
        }
        writeln!(self.out, "{said}")?;
        Ok(())
    }

    /// G2's open-source desk adds incidents, which no rule reads.
    fn import(&mut self, town: &Town, desk: &Folder, now: Instant) -> Result<()> {
        let (input, dataset): (Box<dyn Read>, &str) = match &self.demo.ged {
            Some(path) => {
                let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
                (Box::new(BufReader::new(file)), "UCDP GED")
            }
            None => (Box::new(crate::ged::SAMPLE.as_bytes()), "typed sample"),
        };
        town.set_clock(now)?;
        let office = "open-source-desk";
        let node: NodeClient = town.node("G2")?.clone();
        let tally = Desk::open(node, desk.key(office)?, office, dataset)?.import(input, &ProgressBar::hidden())?;
        write!(
            self.out,
            "{:>8}  G2  incidents from open sources ({dataset}): {}",
            hours(now, self.script.start),
            tally.as_text()
        )?;
        if !tally.refused.is_empty() {
            self.faults.push(format!("{} incidents were refused", tally.refused.len()));
        }
        town.agree(now, now).map(|_| ())
    }

    /// Both parties' table, all digests, and every acknowledged statement.
    fn close(&mut self, town: &Town, now: Instant) -> Result<()> {
        let (p1, p2) = (town.verdicts("P1", now, now)?, town.verdicts("P2", now, now)?);
        writeln!(
            self.out,
            "\n{}",
            self.words.say("judged", &[("as_of", &now.to_string()), ("known_by", &now.to_string())])
        )?;
        let table = verdicts::side_by_side(("P1", &p1), ("P2", &p2), self.words, now);
        writeln!(self.out, "{table}{}\n", verdicts::counts(&p1, self.words))?;
        let mut digests = Vec::new();
        for name in town.judging() {
            let digest = town.node(name)?.get(&format!("/api/digest?as_of={now}&known_by={now}"))?;
            let digest = digest["digest"].as_str().unwrap_or_default().to_string();
            writeln!(self.out, "digest {name} {digest}")?;
            digests.push(digest);
        }
        if digests.windows(2).any(|pair| pair[0] != pair[1]) {
            self.locate(town)?;
        }
        let lost = town.lost()?;
        if lost.is_empty() {
            let (said, held) = (town.acknowledged.len(), town.judging().len());
            writeln!(self.out, "all {said} acknowledged statements are held by all {held} nodes")?;
        }
        self.faults.extend(lost);
        Ok(())
    }

    /// Names the instance and the entry in which nodes differ from the first.
    fn locate(&mut self, town: &Town) -> Result<()> {
        let first = town.node("P1")?;
        for name in town.judging().iter().skip(1) {
            let compared = first.get(&format!("/api/digest/compare?peer={name}"))?;
            if compared["equal"] != true {
                self.faults.push(format!("P1 and {name} differ, first at {}", compared["first_difference"]));
            }
        }
        if self.faults.is_empty() {
            self.faults.push("the digests differed and no longer do: a node was not at rest".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is open before the scenario's second step, which opens the first four verdicts.
    #[test]
    fn reasons_are_waited_for_also_when_nothing_was_open_before() {
        assert_eq!([patience(0, false), patience(1, true)], [Duration::ZERO; 2]);
        assert_eq!([patience(1, false), patience(2, false)], [REASONS_PATIENCE; 2]);
    }
}
