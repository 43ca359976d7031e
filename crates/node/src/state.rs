//! How a node stands, for people and programs: heads, witnesses, peers, entries.
use crate::dark::as_of;
use crate::erased::Erasure;
use crate::held::Held;
use crate::node::{Node, Status, head_of};
use hamsaya_agreement::rights::Denied;
use hamsaya_record::Instant;
use hamsaya_record::attempt::{self, Delivered};
use hamsaya_record::cosignature;
use hamsaya_record::exhibit::{self, Parts, WriteError};
use hamsaya_record::logs::{Entry, Head, Logged, Logs};
use hamsaya_record::note::Note;
use hamsaya_record::statement::{FileRef, Statement, StatementId};
use hamsaya_record::store::Store;
use hamsaya_record::tile::Tile;
use hamsaya_record::tiles::{Place, Tiles, TilesError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A log and what is published of it.
#[derive(Clone, Debug)]
pub(crate) struct HeadState {
    pub(crate) node: String,
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: [u8; 32],
    pub(crate) published_size: u64,
    /// As of when a quorum last cosigned it.
    pub(crate) published_at: Option<Instant>,
    /// The same, if that is so long ago that the log is dark.
    pub(crate) dark_since: Option<Instant>,
    /// Witness and its latest time.
    pub(crate) witnesses: Vec<(String, Option<Instant>)>,
    pub(crate) quorum: usize,
}

/// What a public bundle is made of.
pub(crate) struct Leaves {
    pub(crate) founding_leaf: Vec<u8>,
    /// By origin.
    pub(crate) logs: BTreeMap<String, Vec<Vec<u8>>>,
    pub(crate) notes: Vec<Note>,
}

/// How a node stands.
#[derive(Clone, Debug)]
pub(crate) struct NodeState {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) origin: Option<String>,
    pub(crate) now: Option<Instant>,
    pub(crate) status: Status,
    pub(crate) heads: Vec<HeadState>,
    pub(crate) seen_at: BTreeMap<String, Instant>,
    pub(crate) refused: u64,
    pub(crate) alarms: Vec<String>,
}

/// One entry with its time.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    pub(crate) entry: Arc<Entry>,
    pub(crate) logged: Logged,
}

/// An entry that opens files, each with why it is gone, if it is.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) entry: Arc<Entry>,
    pub(crate) files: Vec<(FileRef, Option<Erasure>)>,
}

/// Entries of the own log that name a file.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// By which it is read.
    pub(crate) opening: Vec<Arc<Entry>>,
    /// By which it is not.
    pub(crate) idle: Vec<Arc<Entry>>,
    /// Why it is gone, if it is.
    pub(crate) erasure: Option<Erasure>,
}

/// A page of entries.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Timed>,
    pub(crate) next: Option<u64>,
    /// What is not shown on this page, by marking or column; of what is hidden nothing is said.
    pub(crate) withheld: BTreeMap<String, u64>,
}

impl<S: Store> Node<S> {
    pub(crate) fn state(&self) -> NodeState {
        let own = self.own.iter().map(|own| {
            let published = own.log.published();
            self.head_state(own.log.origin(), own.log.size(), own.log.tiles().root(), published)
        });
        let copies = self.copies.values().map(|copy| {
            let (size, root) = (copy.follower.size(), copy.follower.tiles().root());
            self.head_state(copy.follower.origin(), size, root, copy.follower.checkpoint())
        });
        let mut heads: Vec<HeadState> = own.chain(copies).collect();
        heads.sort_by(|a, b| a.origin.cmp(&b.origin));
        NodeState {
            name: self.setup.name.clone(),
            role: self.role.name(),
            origin: self.own.as_ref().map(|own| own.log.origin().to_string()),
            now: self.at.now,
            status: self.status.clone(),
            heads,
            seen_at: self.seen_at.clone(),
            refused: self.refusals.total,
            alarms: self.alarms.clone(),
        }
    }

    /// What somebody must look at.
    pub fn alarms(&self) -> &[String] {
        &self.alarms
    }

    fn head_state(&self, origin: &str, size: u64, root: [u8; 32], published: Option<&Note>) -> HeadState {
        let policy = self.founding.policy(origin);
        let counted = policy.map(|p| p.counted()).unwrap_or_default();
        let quorum = policy.and_then(|p| p.numbers()).map_or(0, |n| n.q);
        let latest = |vkey| {
            let note = published?;
            let times = note.signatures.iter().filter_map(|s| cosignature::verify(&note.text, s, vkey));
            times.max().and_then(|t| i64::try_from(t).ok()).map(Instant)
        };
        let witnesses: Vec<(String, Option<Instant>)> =
            counted.iter().map(|w| (String::from_utf8_lossy(&w.name).into_owned(), latest(&w.vkey))).collect();
        HeadState {
            node: self.founding.keeper(origin).map(|m| m.name.clone()).unwrap_or_default(),
            origin: origin.to_string(),
            size,
            root,
            published_size: published.and_then(head_of).map_or(0, |h| h.size),
            published_at: published.and_then(|note| as_of(&self.founding, note)),
            dark_since: self.dark_since(origin),
            witnesses,
            quorum,
        }
    }

    /// The checkpoint that is published of a log; `None`: this node does not hold it, or nothing is published.
    pub(crate) fn published(&self, origin: &str) -> Option<&Note> {
        match &self.own {
            Some(own) if own.log.origin() == origin => own.log.published(),
            _ => self.copies.get(origin)?.follower.checkpoint(),
        }
    }

    /// The last checkpoint that this witness cosigned, by the hash of the log's origin.
    pub(crate) fn witnessed(&self, hash: &str) -> Option<&Note> {
        self.witness.checkpoint_by_hash(hash)
    }

    /// Everything held, published or not.
    pub(crate) fn all_logs(&self) -> Logs {
        let own = self.own.iter().map(|own| (own.log.size(), own.log.tiles().root(), &own.held));
        let copies = self.copies.values().map(|c| (c.follower.size(), c.follower.tiles().root(), &c.held));
        let under = |(size, root, held): (u64, [u8; 32], &Held)| {
            held.at(Head { origin: held.acceptance.origin().to_string(), size, root })
        };
        Logs::verified(&self.founding, own.chain(copies).map(under).collect())
    }

    /// Entries that `may_read` lets through, of one log from an index on, or of all logs from an ordinal on.
    pub(crate) fn entries(
        &self,
        origin: Option<&str>,
        kind: Option<&str>,
        from: u64,
        limit: usize,
        may_read: impl Fn(&Statement) -> Result<(), Denied>,
    ) -> Page {
        let logs = self.all_logs();
        let mut page = Page { entries: Vec::new(), next: None, withheld: BTreeMap::new() };
        for (n, entry) in logs.entries().iter().enumerate() {
            let place = if origin.is_some() { entry.index } else { n as u64 };
            let wanted = origin.is_none_or(|o| *entry.origin == *o)
                && kind.is_none_or(|k| entry.statement.kind == k)
                && place >= from;
            if !wanted {
                continue;
            }
            match may_read(&entry.statement) {
                Ok(()) => {}
                Err(Denied::Hidden) => continue,
                Err(denied) => {
                    *page.withheld.entry(denied.to_string()).or_default() += 1;
                    continue;
                }
            }
            if page.entries.len() == limit {
                page.next = Some(place);
                break;
            }
            let logged = logs.logged(n, Instant(i64::MAX));
            page.entries.push(Timed { entry: entry.clone(), logged });
        }
        page
    }

    /// One entry with its bytes, and to whom it is delivered by attempts.
    pub(crate) fn item(&self, origin: &str, index: u64) -> Option<(Timed, Vec<u8>, Vec<(String, Delivered)>)> {
        let held = *self.all_held().get(origin)?;
        let entry = held.entry(index)?.clone();
        let logs = self.all_logs();
        let n = logs.entries().iter().position(|e| *e.origin == *origin && e.index == index)?;
        let leaf = self.leaf(origin, index)?;
        let delivered = |to: &String| {
            let found = attempt::delivered(&logs, &self.founding, origin, index, to, Instant(i64::MAX));
            found.map(|delivered| (to.clone(), delivered))
        };
        let delivered = entry.statement.to.iter().filter_map(delivered).collect();
        Some((Timed { entry, logged: logs.logged(n, Instant(i64::MAX)) }, leaf, delivered))
    }

    /// An entry that counts, without its bytes.
    pub(crate) fn entry_at(&self, origin: &str, index: u64) -> Option<Arc<Entry>> {
        self.all_held().get(origin)?.entry(index).cloned()
    }

    /// The entry that counts with this statement; a statement has one home.
    pub(crate) fn entry_of(&self, id: &StatementId) -> Option<Arc<Entry>> {
        let held = self.all_held();
        held.values().find_map(|held| held.entry(held.acceptance.index_of(id)?)).cloned()
    }

    /// Why what is salted in an entry is gone; `None`: it is not.
    pub(crate) fn erasure_of(&self, entry: &Entry) -> Option<Erasure> {
        self.erased(&entry.origin)?.get(&entry.statement_id.0).cloned()
    }

    /// Statements whose salted fields are gone, as the log says that has them.
    pub(crate) fn erased_statements(&self) -> Vec<StatementId> {
        let held = self.all_held();
        let of_log = |held: &Held| -> Vec<StatementId> {
            let whats = held.erased().whats().map(|what| StatementId(*what));
            whats.filter(|id| held.acceptance.index_of(id).is_some()).collect()
        };
        held.into_values().flat_map(of_log).collect()
    }

    /// Entries of the own log that name a file. Files are on their owner's node alone.
    pub(crate) fn naming(&self, sha256: &[u8; 32]) -> Names {
        let held = self.own.as_ref().map(|own| &own.held);
        Names {
            opening: held.into_iter().flat_map(|held| held.opening(sha256)).cloned().collect(),
            idle: held.into_iter().flat_map(|held| held.idle(sha256)).cloned().collect(),
            erasure: self.erasure_of_file(sha256),
        }
    }

    /// Why a file of the own log is gone; `None`: it is not.
    pub(crate) fn erasure_of_file(&self, sha256: &[u8; 32]) -> Option<Erasure> {
        self.own.as_ref()?.held.erased().get(sha256).cloned()
    }

    /// What an entry of the own log names and opens.
    pub(crate) fn opened_by(&self, entry: &Entry) -> Vec<(FileRef, Option<Erasure>)> {
        let Some(held) = self.own.as_ref().map(|own| &own.held) else { return Vec::new() };
        let opens = |file: &&FileRef| held.opening(&file.sha256).any(|opening| opening.index == entry.index);
        let files = entry.statement.files.iter().filter(opens);
        files.map(|file| (file.clone(), held.erased().get(&file.sha256).cloned())).collect()
    }

    /// Files that the own log names and that `may_read` lets through, by entry from an index on, and the index of the next.
    pub(crate) fn named_files(
        &self,
        from: u64,
        limit: usize,
        may_read: impl Fn(&Statement) -> bool,
    ) -> (Vec<Named>, Option<u64>) {
        let Some(held) = self.own.as_ref().map(|own| &own.held) else { return (Vec::new(), None) };
        let is_own = |e: &&Arc<Entry>| e.statement.party == self.setup.name;
        let naming = held.entries().iter().filter(|e| e.index >= from && !e.statement.files.is_empty()).filter(is_own);
        let readable = naming.filter(|e| may_read(&e.statement));
        let named = readable.map(|entry| Named { files: self.opened_by(entry), entry: entry.clone() });
        let mut named = named.filter(|named| !named.files.is_empty());
        let page = named.by_ref().take(limit).collect();
        (page, named.next().map(|named| named.entry.index))
    }

    fn leaf(&self, origin: &str, index: u64) -> Option<Vec<u8>> {
        self.tiles(origin)?.entry(index).ok()?
    }

    /// Tiles of a log that this node holds.
    pub(crate) fn tiles(&self, origin: &str) -> Option<&Tiles<S>> {
        match &self.own {
            Some(own) if own.log.origin() == origin => Some(own.log.tiles()),
            _ => Some(self.copies.get(origin)?.follower.tiles()),
        }
    }

    /// A tile of a log that this node holds, as it is or was.
    pub fn tile(&self, origin: &str, tile: Tile) -> Option<Vec<u8>> {
        self.tiles(origin)?.tile(tile).ok()?
    }

    /// Where such a tile is, for who reads it elsewhere.
    pub(crate) fn locate(&self, origin: &str, tile: Tile) -> Option<Place> {
        self.tiles(origin)?.locate(tile)
    }

    /// Cosigned checkpoints that entries carry.
    fn logged_notes(&self) -> Vec<Note> {
        let held = self.all_held();
        exhibit::notes(held.values().flat_map(|h| h.entries()).map(|e| e.as_ref()))
    }

    /// All that a public bundle is made of: every leaf of every log that is here, by origin, and cosigned checkpoints.
    pub(crate) fn leaves(&self) -> Result<Leaves, TilesError> {
        let mut notes = self.logged_notes();
        let mut logs = BTreeMap::new();
        for origin in self.founding.origins() {
            notes.extend(self.published(origin).cloned());
            let Some(tiles) = self.tiles(origin) else { continue };
            logs.insert(origin.to_owned(), tiles.entries(0, tiles.size())?);
        }
        Ok(Leaves { founding_leaf: self.setup.founding_leaf.clone(), logs, notes })
    }

    /// An entry with all that proves it, in one file; `None`: there is no such entry.
    pub(crate) fn exhibit(
        &self,
        origin: &str,
        index: u64,
        disclosures: &[String],
        held: &[Note],
    ) -> Option<Result<Vec<u8>, WriteError>> {
        let leaf = self.leaf(origin, index)?;
        let mut notes = self.logged_notes();
        notes.extend(self.published(origin).cloned());
        let all = self.all_held();
        let entries = all.get(origin).into_iter().flat_map(|h| h.entries());
        let of_keys = entries.filter(|e| e.statement.kind == "key" && e.index < index);
        let keys: Vec<(u64, Vec<u8>)> = of_keys.filter_map(|e| Some((e.index, self.leaf(origin, e.index)?))).collect();
        let parts = Parts {
            origin,
            index,
            leaf: &leaf,
            founding_leaf: &self.setup.founding_leaf,
            notes: &notes,
            keys: &keys,
            disclosures,
            held,
        };
        let tiles = self.tiles(origin)?;
        Some(exhibit::write(&parts, |level, n| tiles.hash(level, n)))
    }
}
