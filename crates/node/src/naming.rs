//! Which entries open a file: whoever names it again under a lower marking opens nothing by that.
//!
//! ```text
//! P1 #12  liaison            f1  TLP:AMBER+STRICT  PAP:AMBER     opens it, as far as this goes
//! P1 #20  gate               f1  TLP:CLEAR         PAP:CLEAR     opens nothing
//! P1 #21  liaison, chair     f1  TLP:AMBER         PAP:AMBER     opens it: its author, and a second
//! ```
//! The author of a file is who first named it in its keeper's log. He lowers what he said of it with a second office of the
//! keeper; everybody else may name it as it was, or higher, which takes nothing back. Entries stay what they are: only what
//! is beside the log hangs on this. Nothing here knows readers.
use hamsaya_agreement::rights::{HANDLINGS, finest_m};
use hamsaya_record::key::Role;
use hamsaya_record::logs::Entry;
use hamsaya_record::statement::MARKINGS;
use std::collections::{BTreeMap, BTreeSet};

type Sha = [u8; 32];

/// What the keeper of one log says of files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naming {
    files: BTreeMap<Sha, File>,
}

#[derive(Clone, Debug)]
struct File {
    /// Offices of the keeper that signed the entry which first named it.
    author: BTreeSet<String>,
    /// Entries that open it, with how far.
    opened: Vec<(u64, Bar)>,
    /// Entries that name it and do not open it.
    idle: Vec<u64>,
}

/// How far from everybody an entry holds a file; each greater is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bar {
    marking: usize,
    handling: usize,
    is_original: bool,
    /// The entry names a place more finely than it may leave with.
    has_fine_place: bool,
}

impl Bar {
    fn of(entry: &Entry, sha: &Sha) -> Bar {
        let statement = &entry.statement;
        let rank = |words: &[&str], word: &str| words.iter().position(|w| *w == word).unwrap_or(words.len());
        let finest_m = finest_m(&statement.marking);
        Bar {
            marking: rank(&MARKINGS, &statement.marking),
            handling: rank(&HANDLINGS, statement.handling()),
            is_original: !statement.files.iter().any(|file| file.sha256 == *sha && file.working_copy),
            has_fine_place: statement.place.as_ref().is_some_and(|place| place.precision_m < finest_m),
        }
    }

    fn is_no_lower_than(self, other: Bar) -> bool {
        self.marking >= other.marking
            && self.handling >= other.handling
            && self.is_original >= other.is_original
            && self.has_fine_place >= other.has_fine_place
    }
}

/// Offices of a member that signed an entry, each once, whatever key it has today.
fn offices(keeper: &str, entry: &Entry) -> BTreeSet<String> {
    let persons = [Role::Office.name(), Role::Device.name()];
    let signers = entry.signers.iter().filter(|s| s.node == keeper && persons.contains(&s.role.as_str()));
    let name = |keyid: &str| keyid.rsplit_once('+').map_or(keyid, |(name, _)| name).to_string();
    signers.map(|signer| name(&signer.keyid)).collect()
}

impl Naming {
    /// Takes the next entry of the keeper's log that speaks in his name.
    pub(crate) fn see(&mut self, keeper: &str, entry: &Entry) {
        let shas: BTreeSet<Sha> = entry.statement.files.iter().map(|file| file.sha256).collect();
        for sha in shas {
            let (by, bar) = (offices(keeper, entry), Bar::of(entry, &sha));
            let Some(file) = self.files.get_mut(&sha) else {
                let file = File { author: by, opened: vec![(entry.index, bar)], idle: Vec::new() };
                self.files.insert(sha, file);
                continue;
            };
            let is_as_before = file.opened.iter().any(|(_, before)| bar.is_no_lower_than(*before));
            let is_lowered = by.len() >= 2 && !by.is_disjoint(&file.author);
            match is_as_before || is_lowered {
                true => file.opened.push((entry.index, bar)),
                false => file.idle.push(entry.index),
            }
        }
    }

    /// Indexes of the entries that open a file, in order.
    pub(crate) fn opened(&self, sha: &Sha) -> impl Iterator<Item = u64> {
        self.files.get(sha).into_iter().flat_map(|file| &file.opened).map(|(index, _)| *index)
    }

    /// Indexes of the entries that name it and open nothing.
    pub(crate) fn idle(&self, sha: &Sha) -> impl Iterator<Item = u64> {
        self.files.get(sha).into_iter().flat_map(|file| &file.idle).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamsaya_record::Instant;
    use hamsaya_record::logs::Signer;
    use hamsaya_record::statement::{Act, FieldValue, FileRef, Place, Statement, StatementId};

    /// `marking pap[ original][ fine] by`: an entry of P1 that names the file.
    fn entry(index: u64, said: &str) -> Entry {
        let words: Vec<&str> = said.split(' ').collect();
        let mut statement = Statement::new([7; 32], Act::Notify, "outage_notice", "", "P1", "p1/log", Instant(0));
        statement.marking = format!("TLP:{}", words[0]);
        statement.fields.insert("pap".into(), FieldValue::Text(format!("PAP:{}", words[1])));
        let file = FileRef {
            name: "f1".into(),
            sha256: [1; 32],
            bytes: 1,
            media_type: "image/jpeg".into(),
            capture: None,
            captured_at: None,
            tool: None,
            working_copy: !words.contains(&"original"),
        };
        statement.files = vec![file.clone(), file];
        if words.contains(&"fine") {
            let (s_e7, w_e7, n_e7, e_e7) = (0, 0, 0, 0);
            statement.place = Some(Place { s_e7, w_e7, n_e7, e_e7, precision_m: 10, gazetteer_id: None });
        }
        let signers = words.last().unwrap().split(',').map(|who| {
            let (node, office) = who.split_once('/').unwrap_or(("P1", who));
            let role = if office == "node" { Role::Node } else { Role::Office };
            let keyid = format!("{}.example/{office}+{index:08x}", node.to_lowercase());
            Signer { keyid, node: node.into(), role: role.name().into() }
        });
        let signers = signers.collect();
        Entry { origin: "p1/log".into(), index, statement_id: StatementId([0; 32]), statement, signers }
    }

    #[test]
    fn a_marking_is_lowered_by_its_author_and_a_second_and_by_nobody_else() {
        let check = |said: &[&str], expected: &[u64]| {
            let mut naming = Naming::default();
            for (index, said) in (0..).zip(said) {
                naming.see("P1", &entry(index, said));
            }
            assert_eq!(naming.opened(&[1; 32]).collect::<Vec<_>>(), expected, "{said:?}");
            assert_eq!(naming.idle(&[1; 32]).count(), said.len() - expected.len(), "{said:?}");
        };
        check(&[], &[]);
        let first = "AMBER AMBER liaison";
        check(&[first], &[0]);
        // As it was, and higher: anybody.
        check(
            &[first, "AMBER AMBER gate", "RED AMBER gate", "AMBER RED gate", "AMBER AMBER original gate"],
            &[0, 1, 2, 3, 4],
        );
        // Lower in one of them: not by another, not by one alone, not by two others.
        for lower in ["GREEN AMBER", "CLEAR RED", "AMBER GREEN"] {
            for by in ["gate", "liaison", "liaison,node", "liaison,P2/chair", "gate,chair", "P2/liaison,P2/chair"] {
                check(&[first, &format!("{lower} {by}")], &[0]);
            }
            check(&[first, &format!("{lower} liaison,chair")], &[0, 1]);
        }
        check(&["AMBER AMBER original liaison", "AMBER AMBER gate"], &[0]);
        check(&["AMBER AMBER fine liaison", "AMBER AMBER gate"], &[0]);
        // What was raised was open before; what was lowered is open as far as it was lowered.
        check(&[first, "RED RED gate", "AMBER AMBER gate", "GREEN AMBER gate"], &[0, 1, 2]);
        check(&[first, "GREEN AMBER chair,liaison", "GREEN AMBER gate", "CLEAR AMBER gate"], &[0, 1, 2]);
        // Who lowered it with the author is not its author.
        check(&[first, "GREEN AMBER chair,liaison", "CLEAR AMBER chair,gate"], &[0, 1]);
    }
}
