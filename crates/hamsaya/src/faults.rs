//! What does not fit in a folder, as people read it.
use crate::complaint::Complaint;
use hamsaya_record::tiles::Fault;

/// Each fault: where, what; below it what was found and what was expected.
pub fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|f| format!("{f}\n")).collect()
}

/// For commands that need an intact record.
pub fn complaint(faults: Vec<Fault>) -> Complaint {
    let count = faults.len();
    Complaint::new(format!("the record does not fit its proofs in {count} place{}", if count == 1 { "" } else { "s" }))
        .at(lines(&faults).trim_end().replace('\n', "\n  "))
        .hint("`hamsaya verify DIR` checks one folder; take a copy from another node for what does not fit")
}
