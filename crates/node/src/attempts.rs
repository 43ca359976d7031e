//! A guarantor brings one party's log to the other's mirror, when it does not take it by itself, and logs what became of it.
//!
//! ```text
//! P1 #12 to P2, published ──► 900 s ──► what did P2's mirror last sign of P1?   13 or more: nothing is said
//!                                          └ less, or no answer: bring it; again after 450 s, until
//!                                              signed                            attempt consigned
//!                                              3 refusals over 900 s             attempt refused
//!                                              3 silences over 900 s             attempt timeout
//! ```
//! One attempt is open for each log and addressee, and it speaks of all entries up to its size. What it proves to others is in
//! [`hamsaya_record::attempt`]. How long is waited is paced by the clock that paces; the 900 s that are stated are of the clock
//! that stamps, so where time stands still nothing is ever refused.
use crate::bringing::{Bringer, Failed};
use crate::config::Pacing;
use crate::copies::trusted;
use crate::node::Node;
use crate::shell::Shell;
use crate::wire::Peer;
use hamsaya_record::Instant;
use hamsaya_record::attempt::{Attempt, Outcome};
use hamsaya_record::founding::{Founding, MemberRole};
use hamsaya_record::key::Role;
use hamsaya_record::store::Store;
use std::sync::Arc;
use std::time::Duration;

impl<S: Store> Node<S> {
    /// The first published entry of a log from an index on that is addressed to a member, or how far none is.
    fn addressed(&self, origin: &str, to: &str, from: u64) -> Result<u64, u64> {
        let Some(size) = self.published_size(origin) else { return Err(from) };
        let held = self.all_held();
        let entries = held.get(origin).map_or(&[][..], |held| held.entries());
        let entries = &entries[entries.partition_point(|e| e.index < from)..];
        let mut published = entries.iter().take_while(|e| e.index < size);
        let found = published.find(|e| e.statement.to.iter().any(|name| name == to));
        found.map_or(Err(size.max(from)), |e| Ok(e.index))
    }

    /// How much of a log the last attempt of this node was about, to bring it to a member's mirror.
    fn attempted(&self, origin: &str, to: &str) -> u64 {
        let entries = self.own.iter().flat_map(|own| own.held.entries().iter().rev());
        let mut attempts = entries.filter_map(|entry| Attempt::of(&entry.statement));
        attempts.find(|attempt| attempt.origin == origin && attempt.to == to).map_or(0, |attempt| attempt.size)
    }
}

/// Looks after every log and every party that it may be for, as long as the node runs, if this is a guarantor's.
pub(crate) fn start(shell: &Shell, name: &str, peers: &[Peer], founding: &Arc<Founding>, pacing: Pacing) {
    if founding.member(name).is_none_or(|member| member.role != MemberRole::Guarantor) {
        return;
    }
    for peer in peers.iter().filter(|peer| founding.member(&peer.name).is_some_and(|m| m.role == MemberRole::Party)) {
        let Some(key) = founding.keys_of(Role::Mirror).find(|key| key.node == peer.name) else { continue };
        let others = founding.members().iter().filter(|m| m.name != name && m.name != peer.name);
        for origin in others.filter_map(|member| member.origin.as_deref()) {
            let errand = Errand {
                shell: shell.clone(),
                bringer: Bringer::new(shell, peer, &key.vkey, origin),
                founding: founding.clone(),
                origin: origin.to_string(),
                to: peer.name.clone(),
                wait: Duration::from_millis(pacing.attempt_ms),
            };
            tokio::spawn(errand.run());
        }
    }
}

struct Errand {
    shell: Shell,
    bringer: Bringer,
    founding: Arc<Founding>,
    origin: String,
    to: String,
    /// So long an entry is left to its author, and half of it lies between two tries.
    wait: Duration,
}

/// Tries that failed alike.
#[derive(Clone, Copy, Debug)]
struct Tries {
    count: u64,
    first: Instant,
    last: Instant,
    /// What was published at the first.
    size: u64,
}

/// The node stops.
struct Stops;

impl Errand {
    async fn run(mut self) {
        let _ = self.attend().await;
    }

    async fn attend(&mut self) -> Result<(), Stops> {
        let mut hints = self.shell.hints();
        let mut stopping = self.shell.stopping();
        let (origin, to) = (self.origin.clone(), self.to.clone());
        let attempted = self.shell.ask(move |node| node.attempted(&origin, &to)).await;
        let mut settled = attempted.map_err(|_| Stops)?;
        loop {
            hints.borrow_and_update();
            let (origin, to) = (self.origin.clone(), self.to.clone());
            let found = self.shell.ask(move |node| node.addressed(&origin, &to, settled)).await;
            match found.map_err(|_| Stops)? {
                Ok(index) => {
                    self.pause(self.wait).await?;
                    settled = self.settle(index + 1).await?.max(index + 1);
                }
                Err(none_below) => {
                    settled = none_below;
                    tokio::select! {
                        changed = hints.changed() => changed.map_err(|_| Stops)?,
                        _ = stopping.wait_for(|stop| *stop) => return Err(Stops),
                    }
                }
            }
        }
    }

    /// Tries until the mirror has signed for so many entries, or has had its chance; for how many that is settled.
    async fn settle(&mut self, size: u64) -> Result<u64, Stops> {
        let (mut refused, mut silent): (Option<Tries>, Option<Tries>) = (None, None);
        loop {
            let origin = self.origin.clone();
            let published = self.shell.ask(move |node| node.published_size(&origin)).await.map_err(|_| Stops)?;
            if let (Some(published), Some(now)) = (published, self.shell.clock().now()) {
                let (tries, result) = match self.reach(size).await {
                    Ok(Reached::Signed(size)) => return Ok(size),
                    Ok(Reached::Brought(size)) => {
                        let before: Vec<Tries> = refused.into_iter().chain(silent).collect();
                        let first = before.iter().map(|tries| tries.first).min().unwrap_or(now);
                        let count = before.iter().map(|tries| tries.count).sum::<u64>() + 1;
                        self.log(Tries { count, first, last: now, size }, Outcome::Consigned);
                        return Ok(size);
                    }
                    Err(Failed::Refused) => (Some(&mut refused), Outcome::Refused),
                    Err(Failed::Silent) if self.hears_others().await? => (Some(&mut silent), Outcome::Timeout),
                    Err(Failed::Silent | Failed::Here) => (None, Outcome::Timeout),
                };
                if let Some(tries) = tries {
                    let tries = tries.get_or_insert(Tries { count: 0, first: now, last: now, size: published });
                    (tries.count, tries.last) = (tries.count + 1, now);
                    if self.attempt(*tries, result).is_final() {
                        self.log(*tries, result);
                        return Ok(tries.size);
                    }
                }
            }
            self.pause(self.wait / 2).await?;
        }
    }

    /// Who is cut off says of nobody that he is silent.
    async fn hears_others(&self) -> Result<bool, Stops> {
        let to = self.to.clone();
        self.shell.ask(move |node| node.hears_others(&to)).await.map_err(|_| Stops)
    }

    /// What the mirror has signed already counts as it is; else it is brought what is lacking.
    async fn reach(&mut self, size: u64) -> Result<Reached, Failed> {
        if let Some((note, receipt)) = self.bringer.signed().await? {
            // Of a tree that no quorum of the log's witnesses saw it may have signed anything.
            let seen = trusted(&self.founding, &self.origin, note.to_text().as_bytes());
            if seen.is_some() && receipt.size >= size {
                return Ok(Reached::Signed(receipt.size));
            }
        }
        Ok(Reached::Brought(self.bringer.bring().await?.size))
    }

    fn attempt(&self, tries: Tries, result: Outcome) -> Attempt {
        let Tries { count, first, last, size } = tries;
        Attempt { origin: self.origin.clone(), size, to: self.to.clone(), tries: count, first, last, result }
    }

    fn log(&self, tries: Tries, result: Outcome) {
        self.shell.attempted(self.attempt(tries, result));
    }

    async fn pause(&self, wait: Duration) -> Result<(), Stops> {
        let mut stopping = self.shell.stopping();
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            _ = stopping.wait_for(|stop| *stop) => Err(Stops),
        }
    }
}

/// How a mirror came to have signed.
enum Reached {
    /// By itself, or for somebody else: so many entries.
    Signed(u64),
    /// For this node.
    Brought(u64),
}
