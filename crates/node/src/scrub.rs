//! Every byte of the record is read again once a day, while the node runs.
//!
//! ```text
//! scrub_s ──► verify::node_folder ──► fits: nothing is said
//!                                 └─► alarm: the record on this disk does not fit its proofs in 1 place: log/tile/entries/000.p/7
//! ```
//! A start reads everything, but a node may run for a year, and a bit that rots in an old tile is read by nobody until it is
//! asked for. What rotted is not mended under the running node: `hamsaya record fsck DIR --from COPY` does that while it
//! stands still. Nothing is signed over it meanwhile: new entries rest on the tree's right edge, which is in memory. What lies in a bucket is its service's
//! to scrub.
use crate::folder::Folder;
use crate::shell::Shell;
use hamsaya_record::verify;
use std::time::Duration;

/// An alarm names so many places.
const NAMED_MAX: usize = 3;

/// Scrubs as long as the node runs.
pub(crate) fn start(shell: &Shell, folder: &Folder) {
    if folder.config.store.is_some() {
        return;
    }
    let (shell, dir) = (shell.clone(), folder.dir.clone());
    let pause = Duration::from_secs(folder.config.pacing.scrub_s.max(1));
    tokio::spawn(async move {
        let mut stopping = shell.stopping();
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => (),
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            let dir = dir.clone();
            let read = tokio::task::spawn_blocking(move || verify::node_folder(&dir).err());
            // A reader that panicked says nothing; the next day's is another.
            let Ok(Some(faults)) = read.await else { continue };
            let named: Vec<&str> = faults.iter().take(NAMED_MAX).map(|fault| fault.key.as_str()).collect();
            let (places, more) = (faults.len(), if faults.len() > NAMED_MAX { " …" } else { "" });
            let places = if places == 1 { "1 place".to_string() } else { format!("{places} places") };
            let alarm = format!(
                "the record on this disk does not fit its proofs in {places}: {}{more}; stop the node, then `hamsaya record fsck`",
                named.join(", ")
            );
            if shell.ask(move |node| node.alarm(alarm)).await.is_err() {
                return;
            }
        }
    });
}
