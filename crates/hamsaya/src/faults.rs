//! What does not fit in a folder, as people read it.
use crate::complaint::Complaint;
use hamsaya_node::config::Config;
use hamsaya_record::tiles::Fault;
use std::path::Path;

/// Each fault: where, what; below it what was found and what was expected.
pub fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|f| format!("{f}\n")).collect()
}

/// The folder, if its record can lie in it: for commands that read a record offline.
pub fn record_is_in(dir: &Path) -> Result<&Path, Complaint> {
    let settings = std::fs::read_to_string(dir.join("node.toml")).unwrap_or_default();
    match Config::parse(&settings).is_ok_and(|config| config.store.is_some()) {
        false => Ok(dir),
        true => Err(Complaint::new("the record of this node lies in a bucket, not in its folder")
            .at(dir.join("node.toml").display())
            .hint("`hamsaya record fetch DIR COPY` makes a folder of it, or give the URL of the node")),
    }
}

/// For commands that need an intact record.
pub fn complaint(faults: Vec<Fault>) -> Complaint {
    let count = faults.len();
    Complaint::new(format!("the record does not fit its proofs in {count} place{}", if count == 1 { "" } else { "s" }))
        .at(lines(&faults).trim_end().replace('\n', "\n  "))
        .hint("`hamsaya record fsck DIR --from COPY` takes from another copy what does not fit")
}
