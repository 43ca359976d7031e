//! Verified copies of the other logs: asked for, checked, and held to be judged.
//!
//! ```text
//! idle ──► FetchCheckpoint ──► a newer one of a quorum ──► FetchEntries ──► copy.advance ──► idle
//!            │ nothing new: at once again if the peer held the question, else after pull_ms;
//!            │              once a heartbeat another node's copy is asked, each in turn
//!            └ silence: back-off, and meanwhile another node's copy is asked
//! ```
//! A checkpoint moves a copy only if the log's policy finds a quorum under it: then no other quorum can have seen another
//! tree, as long as no more witnesses lie than the policy bears. Who shows it does not matter: a keeper that shows some an
//! old one, because it will not or cannot do better, withholds nothing from them.
use crate::dark::Freshness;
use crate::held::Held;
use crate::node::{Action, At, Hint, News, Node, Silence, head_of};
use crate::own::BackOff;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::follower::{Follow, FollowError, Follower};
use hamsaya_record::founding::Founding;
use hamsaya_record::note::Note;
use hamsaya_record::statement::FieldValue;
use hamsaya_record::store::Store;
use hamsaya_record::tile::{Level, Tile, WIDTH};
use hamsaya_record::verify;
use hamsaya_record::witness;
use std::collections::BTreeMap;

/// So many bundles are asked for at once.
const BUNDLES_MAX: usize = 32;
/// Who brings entries unasked: no peer of that name is ever asked.
const UNASKED: &str = "";
/// So many checkpoints of a log that did not go on from another are kept until they can be compared.
const SUSPECTS_MAX: usize = 8;

/// A copy of another's log.
#[derive(Debug)]
pub struct Copy<S> {
    pub(crate) follower: Follower<S>,
    pub(crate) held: Held,
    pub(crate) keeper: String,
    /// Since when it has entries whose time no log proves.
    pub(crate) untimed_since_ms: Option<u64>,
    pub(crate) unsettled_since_ms: Option<u64>,
    pub(crate) freshness: Freshness,
    asking: bool,
    next_ms: u64,
    /// When another than the keeper is asked next, and how many were.
    others_ms: Option<u64>,
    others_asked: usize,
    etags: BTreeMap<String, String>,
    back_off: BTreeMap<String, BackOff>,
    wanted: Option<Wanted>,
    /// Signed by the log, and no proof joined them to what we had cosigned.
    suspects: Vec<Note>,
    /// Its keeper signed what cannot both be true; said once.
    equivocated: bool,
}

/// A checkpoint whose entries are on their way.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) note: Note,
    pub(crate) size: u64,
    pub(crate) leaves: Vec<Vec<u8>>,
    etag: Option<String>,
}

impl<S: Store> Copy<S> {
    pub(crate) fn new(follower: Follower<S>, held: Held, keeper: &str) -> Copy<S> {
        Copy {
            follower,
            held,
            keeper: keeper.to_string(),
            untimed_since_ms: None,
            unsettled_since_ms: None,
            freshness: Freshness::default(),
            asking: false,
            next_ms: 0,
            others_ms: None,
            others_asked: 0,
            etags: BTreeMap::new(),
            back_off: BTreeMap::new(),
            wanted: None,
            suspects: Vec::new(),
            equivocated: false,
        }
    }

    pub(crate) fn wake_at(&self) -> Option<u64> {
        (!self.asking).then_some(self.next_ms)
    }

    /// The keeper, unless it is silent or has been asked for long; then another who may hold a copy.
    fn whom_to_ask(&mut self, at: At, peers: &[String], others_after_ms: u64) -> Option<String> {
        let rested = |peer: &&String| self.back_off.get(*peer).is_none_or(|b| b.over(at));
        let keeper = peers.iter().find(|p| **p == self.keeper).filter(rested);
        let others: Vec<&String> = peers.iter().filter(|p| **p != self.keeper).filter(rested).collect();
        let in_turn = others.get(self.others_asked.checked_rem(others.len()).unwrap_or_default()).copied();
        let is_due = at.elapsed_ms >= *self.others_ms.get_or_insert(at.elapsed_ms.saturating_add(others_after_ms));
        let asked = if is_due { in_turn.or(keeper) } else { keeper.or(in_turn) }?.clone();
        if asked != self.keeper {
            self.others_asked += 1;
            self.others_ms = Some(at.elapsed_ms.saturating_add(others_after_ms));
        }
        Some(asked)
    }

    /// When somebody can be asked again.
    fn rested_at(&self, peers: &[String]) -> u64 {
        peers.iter().map(|p| self.back_off.get(p).map_or(0, |b| b.until_ms)).min().unwrap_or(u64::MAX)
    }
}

impl Wanted {
    pub(crate) fn new(note: Note, size: u64, etag: Option<String>) -> Wanted {
        Wanted { note, size, leaves: Vec::new(), etag }
    }

    /// Bundles that hold the next entries, for whoever holds so many already.
    pub(crate) fn next_bundles(&self, held: u64) -> Vec<Tile> {
        let from = held + self.leaves.len() as u64;
        let tiles = (from / WIDTH..self.size.div_ceil(WIDTH)).filter_map(|n| Tile::at(Level::Entries, n, self.size));
        tiles.take(BUNDLES_MAX).collect()
    }

    /// Takes bundles as they came; false if they are not what was asked for.
    pub(crate) fn take(&mut self, held: u64, bundles: &[Vec<u8>]) -> bool {
        let tiles = self.next_bundles(held);
        if bundles.len() != tiles.len() || tiles.is_empty() {
            return false;
        }
        for (tile, bytes) in tiles.iter().zip(bundles) {
            // A full bundle may stand for the partial one that was asked for.
            let Ok(entries) = tile.entries(bytes).or_else(|_| tile.full().entries(bytes)) else { return false };
            let known = held + self.leaves.len() as u64 - tile.start();
            let end = self.size.min(tile.start() + WIDTH) - tile.start();
            let (Ok(known), Ok(end)) = (usize::try_from(known), usize::try_from(end)) else { return false };
            let Some(new) = entries.get(known..end) else { return false };
            self.leaves.extend(new.iter().map(|e| e.to_vec()));
        }
        true
    }

    pub(crate) fn is_complete(&self, held: u64) -> bool {
        held + self.leaves.len() as u64 >= self.size
    }
}

impl<S: Store> Node<S> {
    /// Asks for news of every log that is not being asked for.
    pub(crate) fn pull(&mut self) {
        // Without time nothing is stamped; copies can wait for it too.
        if self.at.now.is_none() {
            return;
        }
        let peers: Vec<String> = self
            .setup
            .peers
            .iter()
            .filter(|p| self.founding.member(p).is_some_and(|m| m.origin.is_some()))
            .cloned()
            .collect();
        for (origin, copy) in &mut self.copies {
            if copy.asking || copy.next_ms > self.at.elapsed_ms {
                continue;
            }
            let Some(peer) = copy.whom_to_ask(self.at, &peers, self.setup.pacing.heartbeat_s * 1000) else {
                copy.next_ms = copy.rested_at(&peers).max(self.at.elapsed_ms + 1);
                continue;
            };
            copy.asking = true;
            // Whoever stands in for a silent keeper is not held up: the keeper may be back soon.
            let hold_ms = if peer == copy.keeper { self.setup.pacing.hold_ms } else { 0 };
            let etag = copy.etags.get(&peer).cloned();
            self.out.push(Action::FetchCheckpoint { origin: origin.clone(), peer, etag, hold_ms });
        }
    }

    pub(crate) fn peer_checkpoint(&mut self, origin: &str, peer: &str, answer: Result<News, Silence>) {
        if answer.is_ok() {
            self.heard(peer);
        }
        if self.is_own(origin) {
            return self.lost_checkpoint(peer, answer);
        }
        let (at, pacing) = (self.at, self.setup.pacing);
        let Some(copy) = self.copies.get_mut(origin) else { return };
        copy.asking = false;
        match answer {
            Err(_) => copy.back_off.entry(peer.to_string()).or_default().failed(at, &pacing),
            Ok(news) => {
                copy.back_off.remove(peer);
                // Who was asked besides the keeper is asked again in turn; the keeper at once, if it can be.
                let keeper_waits = peer != copy.keeper && copy.back_off.get(&copy.keeper).is_none_or(|b| b.over(at));
                copy.next_ms = at.elapsed_ms + if keeper_waits { 0 } else { pacing.pull_ms };
                match news {
                    News::Same { held: true } | News::Nothing { held: true } => copy.next_ms = at.elapsed_ms,
                    News::Same { held: false } | News::Nothing { held: false } => (),
                    News::Checkpoint { note, etag } => self.follow(origin, peer, &note, etag),
                }
            }
        }
    }

    /// A checkpoint came: its entries are asked for if it is newer, its cosignatures kept if it is not.
    fn follow(&mut self, origin: &str, peer: &str, note: &[u8], etag: Option<String>) {
        let Some((size, note)) = trusted(&self.founding, origin, note) else {
            self.alarm(format!("{peer} shows a checkpoint of {origin} that no quorum cosigned"));
            return self.failed(origin, peer);
        };
        let Some(copy) = self.copies.get_mut(origin) else { return };
        copy.wanted = Some(Wanted::new(note, size, etag));
        self.fetch_or_advance(origin, peer);
    }

    /// Asks for the entries that are still missing; once there are none, the copy moves.
    fn fetch_or_advance(&mut self, origin: &str, peer: &str) {
        let Some(copy) = self.copies.get_mut(origin) else { return };
        let (held, Some(wanted)) = (copy.follower.size(), &copy.wanted) else { return };
        if wanted.is_complete(held) {
            return self.advance(origin, peer);
        }
        copy.asking = true;
        let tiles = wanted.next_bundles(held);
        self.out.push(Action::FetchEntries { origin: origin.to_string(), peer: peer.to_string(), tiles });
    }

    pub(crate) fn peer_entries(&mut self, origin: &str, peer: &str, answer: Result<Vec<Vec<u8>>, Silence>) {
        if self.is_own(origin) {
            return self.lost_entries(peer, answer);
        }
        let Some(copy) = self.copies.get_mut(origin) else { return };
        copy.asking = false;
        if copy.wanted.is_none() {
            // They came another way meanwhile.
            copy.next_ms = self.at.elapsed_ms;
            return;
        }
        let held = copy.follower.size();
        let taken = answer.is_ok_and(|bundles| copy.wanted.as_mut().is_some_and(|wanted| wanted.take(held, &bundles)));
        if taken { self.fetch_or_advance(origin, peer) } else { self.failed(origin, peer) }
    }

    fn failed(&mut self, origin: &str, peer: &str) {
        let (at, pacing) = (self.at, self.setup.pacing);
        if let Some(copy) = self.copies.get_mut(origin) {
            copy.wanted = None;
            copy.etags.remove(peer);
            copy.back_off.entry(peer.to_string()).or_default().failed(at, &pacing);
        }
    }

    /// Entries came from somebody who was not asked; true if the copy holds them now.
    pub(crate) fn brought(&mut self, origin: &str, note: Note, size: u64, leaves: Vec<Vec<u8>>) -> bool {
        let held = |copies: &BTreeMap<String, Copy<S>>| copies.get(origin).is_some_and(|c| c.follower.size() >= size);
        if !held(&self.copies)
            && let Some(copy) = self.copies.get_mut(origin)
        {
            copy.wanted = Some(Wanted { note, size, leaves, etag: None });
            self.advance(origin, UNASKED);
        }
        held(&self.copies)
    }

    /// All entries are there: the copy moves, durably, or says why it cannot.
    fn advance(&mut self, origin: &str, peer: &str) {
        let Some(copy) = self.copies.get_mut(origin) else { return };
        let Some(wanted) = copy.wanted.take() else { return };
        if copy.follower.size() == 0 && wanted.leaves.first().is_some_and(|leaf| *leaf != self.setup.founding_leaf) {
            // Its keeper founded another federation. Nothing of it is kept: else this node could never start again.
            self.alarm(format!("{origin}: entry 0 is not our founding"));
            return self.failed(origin, peer);
        }
        match copy.follower.advance(wanted.note.to_text().as_bytes(), &wanted.leaves) {
            Ok(followed) => {
                // Ask at once for what came meanwhile; the peer holds the question if nothing did.
                copy.next_ms = self.at.elapsed_ms;
                match wanted.etag {
                    Some(etag) => copy.etags.insert(peer.to_string(), etag),
                    None => copy.etags.remove(peer),
                };
                if let Follow::Grown { from, to } = followed {
                    for (index, leaf) in (from..).zip(&wanted.leaves) {
                        copy.held.replay(index, leaf);
                    }
                    copy.held.times(&mut self.timed);
                    if let Err(error) = copy.held.check(origin) {
                        return self.stop(error.to_string());
                    }
                    self.out.push(Action::Announce(Hint::Head { origin: origin.to_string(), size: to }));
                    self.bench.record_changed(self.at);
                }
                copy.freshness.renew(copy.follower.checkpoint(), &self.founding, self.at);
                self.mark_untimed();
                self.compare_suspects(origin);
            }
            Err(FollowError::Inconsistent { theirs, .. }) => {
                copy.suspects.push(*theirs);
                self.compare_suspects(origin);
            }
            // The peer sent wrong entries: that proves nothing against the log.
            Err(FollowError::Count { .. } | FollowError::Checkpoint(_)) => self.failed(origin, peer),
            Err(FollowError::Tiles(hamsaya_record::tiles::TilesError::OtherRoot { .. })) => self.failed(origin, peer),
            Err(FollowError::Tiles(error)) => {
                if error.is_not_written() {
                    // What was fetched is fetched again once there is room.
                    self.failed(origin, peer);
                }
                self.not_stored(&error);
            }
        }
    }

    /// Notes since when a copy has entries that nobody's logged cosignatures cover.
    fn mark_untimed(&mut self) {
        for (origin, copy) in &mut self.copies {
            let timed = self.timed.size(&self.founding, origin);
            let untimed = copy.held.first_plain_from(timed).is_some();
            copy.untimed_since_ms = untimed.then(|| copy.untimed_since_ms.unwrap_or(self.at.elapsed_ms));
        }
    }

    /// A log asked for a cosignature on a checkpoint that no proof joins to the last one. That proves nothing yet: the proof
    /// may have been spoilt on its way.
    pub(crate) fn suspect(&mut self, request: &[u8]) {
        let Some(note) = witness::asked(request) else { return };
        let Ok(checkpoint) = Checkpoint::parse(&note.text) else { return };
        let origin = checkpoint.origin;
        if self.witness.contradiction(&note).is_some() {
            self.alarm(different_logs(&origin));
        }
        let Some(copy) = self.copies.get_mut(&origin) else { return };
        if copy.suspects.len() < SUSPECTS_MAX && !copy.suspects.iter().any(|held| held.text == note.text) {
            copy.suspects.push(note);
            self.compare_suspects(&origin);
        }
    }

    /// Once the copy is as long as a suspect, it shows whether that is of another tree.
    fn compare_suspects(&mut self, origin: &str) {
        let Some(copy) = self.copies.get_mut(origin) else { return };
        let Some(log) = self.founding.log_key(origin) else { return };
        let size = copy.follower.size();
        let (ripe, rest) = std::mem::take(&mut copy.suspects)
            .into_iter()
            .partition(|note| head_of(note).is_some_and(|head| head.size <= size));
        copy.suspects = rest;
        let ripe: Vec<Note> = ripe;
        for note in ripe {
            match copy.follower.tiles().contradiction(&note) {
                Ok(None) => (),
                Ok(Some(found)) if found.is_proven(log) => return self.equivocation(origin, found.first, found.second),
                // Then it is our own tiles that do not lead to the signed root.
                Ok(Some(_)) => return self.stop(format!("our copy of {origin} is not what it was when it was read")),
                Err(error) => return self.stop(error.to_string()),
            }
        }
    }

    /// Two checkpoints that cannot both be true prove themselves; both go into the record.
    fn equivocation(&mut self, origin: &str, first: Note, second: Note) {
        let Some(copy) = self.copies.get_mut(origin) else { return };
        copy.next_ms = self.at.elapsed_ms + self.setup.pacing.pull_ms;
        if std::mem::replace(&mut copy.equivocated, true) {
            return;
        }
        self.alarm(different_logs(origin));
        let notes = [first, second].iter().map(|n| FieldValue::Text(n.to_text())).collect();
        let fields = [
            ("origin".to_string(), FieldValue::Text(origin.to_string())),
            ("notes".to_string(), FieldValue::List(notes)),
        ];
        self.say("equivocation", fields.into_iter().collect());
    }
}

fn different_logs(origin: &str) -> String {
    format!("{origin} shows different logs to different readers")
}

/// Size and note of a checkpoint that a quorum of the log's witnesses cosigned; lines that do not verify are left out.
pub(crate) fn trusted(founding: &Founding, origin: &str, note: &[u8]) -> Option<(u64, Note)> {
    let (log, policy) = (founding.log_key(origin)?, founding.policy(origin)?);
    let (checkpoint, note) = Checkpoint::open(note, log).ok()?;
    let note = verify::trusted(&note, founding, origin);
    let witnesses = policy.counted();
    let met = witnesses.iter().map(|w| &w.vkey).filter(|key| note.signatures.iter().any(|s| s.names(key)));
    policy.is_quorum(met).then_some((checkpoint.size, note))
}
