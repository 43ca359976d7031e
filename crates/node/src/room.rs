//! A disk without room.
//!
//! ```text
//! NotWritten ──► whoever sent something is told 503; nothing is signed, asked or taken in for a second ──► tried again
//!                 │ what waits in the batch stays there and is logged once there is room
//!                 └ reading and judging go on
//! ```
//! Only a write that changed nothing leads here. After any other error nobody knows what the disk holds, and the node stops.
use crate::node::{Action, Answer, Node, Status};
use hamsaya_record::log::LogError;
use hamsaya_record::store::Store;
use hamsaya_record::tiles::TilesError;

/// It is tried again after so long.
const AGAIN_MS: u64 = 1_000;

/// There was no room.
#[derive(Clone, Debug)]
pub(crate) struct Full {
    pub(crate) why: String,
    pub(crate) until_ms: u64,
}

impl<S: Store> Node<S> {
    /// A write of the log failed.
    pub(crate) fn not_logged(&mut self, error: LogError) {
        match error {
            LogError::Tiles(error) => self.not_stored(&error),
            error => self.stop(error.to_string()),
        }
    }

    /// A write failed.
    pub(crate) fn not_stored(&mut self, error: &TilesError) {
        if !error.is_not_written() {
            return self.stop(error.to_string());
        }
        if matches!(self.status, Status::Stopped(_)) {
            return;
        }
        let why = self.full.take().map_or_else(|| format!("no room for more: {error}"), |full| full.why);
        self.alarm(why.clone());
        for ticket in self.own.iter_mut().flat_map(|own| own.tickets()) {
            self.out.push(Action::Reply { ticket, answer: Answer::Paused(why.clone()) });
        }
        self.full = Some(Full { why, until_ms: self.at.elapsed_ms + AGAIN_MS });
    }

    /// Why it waits for room, if it does.
    pub(crate) fn lacks_room(&self) -> Option<String> {
        self.full.as_ref().map(|full| full.why.clone())
    }

    /// Whether it still waits for room. When it has waited long enough it goes on as if there were some.
    pub(crate) fn waits_for_room(&mut self) -> bool {
        let Some(full) = self.full.take_if(|full| full.until_ms <= self.at.elapsed_ms) else {
            return self.full.is_some();
        };
        self.alarms.retain(|alarm| *alarm != full.why);
        if let Some(own) = &mut self.own {
            // A checkpoint may have found its quorum and no room; its witnesses are asked again.
            own.begin_again();
        }
        // What could not be put in its place is put there first: that shows whether there is room.
        let unsettled = self.copies.values_mut().map(|copy| &mut copy.unsettled_since_ms);
        for since in unsettled.chain(self.own.iter_mut().map(|own| &mut own.unsettled_since_ms)) {
            *since = Some(0);
        }
        false
    }
}
