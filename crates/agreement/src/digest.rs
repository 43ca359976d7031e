//! The digest of a judgment: a Merkle tree that two nodes compare branch by branch.
//!
//! ```text
//! hash(parts)   SHA-256 of each part as its length (u64, big-endian) and its bytes
//! leaf          hash("hamsaya/judgment/v1", "instance", address, valuation, bearer, since, opened, due, state,
//!                    breached since, until, reason, disputed ids)
//! commitment    hash("hamsaya/judgment/v1", "commitment", id, leaf, leaf, …)
//! article       hash("hamsaya/judgment/v1", "article", address, commitment, commitment, …)
//! digest        hash("hamsaya/judgment/v1", "judgment", agreement, heads, as_of, known_by, article, article, …)
//! ```
//!
//! The address of a leaf is that of its paragraph, then `.` and the part if there is one. Integers are i64, big-endian;
//! what is absent has length 0. A list (valuation, heads, ids) is one field: the lengths and bytes of its items one after
//! the other. Leaves stand in the order of their bytes; articles and commitments in the order of the agreement's text, and
//! only those that have instances. Explanations are outside.
use crate::judgment::{Judgment, Reason, State, Verdict};
use crate::source::Agreement;
use hamsaya_record::instant::Instant;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const DOMAIN: &[u8] = b"hamsaya/judgment/v1";

/// A hash of the tree.
pub type Hash = [u8; 32];

/// A child of a branch: its name (article's address, commitment, label of an instance) and its hash.
pub type Child = (String, Hash);

/// Where two judgments first differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `art_4`; `None`: only the headers differ (heads, instants, agreement).
    pub article: Option<String>,
    /// `C14`; `None`: one side lacks the article.
    pub commitment: Option<String>,
    /// `C14(A1, P1)`; `None`: one side lacks the commitment.
    pub label: Option<String>,
    /// How often the other side was asked.
    pub exchanges: usize,
}

fn field(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend((bytes.len() as u64).to_be_bytes());
    into.extend(bytes);
}

fn hash<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Hash {
    let mut bytes = Vec::new();
    field(&mut bytes, DOMAIN);
    for part in parts {
        field(&mut bytes, part);
    }
    Sha256::digest(&bytes).into()
}

fn instant(into: &mut Vec<u8>, instant: Option<Instant>) {
    match instant {
        Some(i) => field(into, &i.0.to_be_bytes()),
        None => field(into, b""),
    }
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Kept => "kept",
        State::Breached => "breached",
        State::Pending => "pending",
        State::Disputed => "disputed",
    }
}

fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Performed => "performed",
        Reason::Discharged => "discharged",
        Reason::NotPerformed => "not_performed",
        Reason::Contravened => "contravened",
        Reason::Open => "open",
        Reason::OnDisputedFacts => "on_disputed_facts",
    }
}

/// The fields of a leaf, encoded; also the order of instances.
fn encoded(v: &Verdict) -> Vec<u8> {
    let mut all = Vec::new();
    let part = v.part.as_ref().map(|p| format!(".{p}")).unwrap_or_default();
    field(&mut all, format!("{}{part}", v.address).as_bytes());
    let mut valuation = Vec::new();
    for (name, value) in &v.valuation {
        field(&mut valuation, name.as_bytes());
        field(&mut valuation, value.as_bytes());
    }
    field(&mut all, &valuation);
    field(&mut all, v.bearer.as_bytes());
    instant(&mut all, Some(v.since));
    instant(&mut all, Some(v.opened));
    instant(&mut all, v.due);
    field(&mut all, state_word(v.state).as_bytes());
    instant(&mut all, v.breached_since);
    instant(&mut all, v.until);
    field(&mut all, reason_word(v.reason).as_bytes());
    let mut ids: Vec<[u8; 32]> = v.reasons.disputed.iter().map(|c| c.statement_id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut disputed = Vec::new();
    for id in &ids {
        field(&mut disputed, id);
    }
    field(&mut all, &disputed);
    all
}

fn article_of(address: &str) -> &str {
    address.split("__").next().unwrap_or(address)
}

/// Where a verdict stands in the digest: by article and commitment as in the text, then by the bytes of the leaf.
pub(crate) type Rank = (Option<usize>, Option<usize>, Vec<u8>);

/// The order of an agreement's text.
pub(crate) struct Order {
    articles: BTreeMap<String, usize>,
    commitments: BTreeMap<String, usize>,
}

impl Order {
    pub(crate) fn of(agreement: &Agreement) -> Order {
        let articles = agreement.articles().iter().enumerate().map(|(n, a)| (a.address.clone(), n)).collect();
        let mut commitments: BTreeMap<String, usize> = BTreeMap::new();
        for (n, c) in agreement.commitments().iter().enumerate() {
            commitments.entry(c.id.clone()).or_insert(n);
        }
        Order { articles, commitments }
    }

    pub(crate) fn rank(&self, v: &Verdict) -> Rank {
        let article = self.articles.get(article_of(&v.address)).copied();
        (article, self.commitments.get(&v.commitment).copied(), encoded(v))
    }
}

/// One commitment with its leaves.
struct Branch<'v> {
    article: &'v str,
    commitment: &'v str,
    leaves: Vec<Child>,
}

impl Branch<'_> {
    fn hash(&self) -> Hash {
        let parts = [b"commitment".as_slice(), self.commitment.as_bytes()];
        hash(parts.into_iter().chain(self.leaves.iter().map(|(_, h)| h.as_slice())))
    }
}

impl Judgment {
    fn branches(&self) -> Vec<Branch<'_>> {
        let mut branches: Vec<Branch<'_>> = Vec::new();
        for v in &self.verdicts {
            let article = article_of(&v.address);
            let leaf = (v.label.clone(), hash([b"instance".as_slice(), &encoded(v)]));
            match branches.last_mut() {
                Some(b) if b.article == article && b.commitment == v.commitment => b.leaves.push(leaf),
                _ => branches.push(Branch { article, commitment: &v.commitment, leaves: vec![leaf] }),
            }
        }
        branches
    }

    fn articles(&self) -> Vec<Child> {
        let branches = self.branches();
        let mut articles: Vec<(&str, Vec<Hash>)> = Vec::new();
        for b in &branches {
            match articles.last_mut() {
                Some((article, hashes)) if *article == b.article => hashes.push(b.hash()),
                _ => articles.push((b.article, vec![b.hash()])),
            }
        }
        articles
            .into_iter()
            .map(|(article, hashes)| {
                let parts = [b"article".as_slice(), article.as_bytes()];
                (article.to_string(), hash(parts.into_iter().chain(hashes.iter().map(Hash::as_slice))))
            })
            .collect()
    }

    /// The digest that nodes sign and compare.
    pub fn digest(&self) -> Hash {
        let mut heads = Vec::new();
        for head in &self.heads {
            field(&mut heads, head.origin.as_bytes());
            field(&mut heads, &(head.size as i64).to_be_bytes());
            field(&mut heads, &head.root);
        }
        let (as_of, known_by) = (self.as_of.0.to_be_bytes(), self.known_by.0.to_be_bytes());
        let header = [b"judgment".as_slice(), &self.agreement, &heads, &as_of, &known_by];
        let articles = self.articles();
        hash(header.into_iter().chain(articles.iter().map(|(_, h)| h.as_slice())))
    }

    /// A branch of the digest's tree: `[]` gives the articles, `["art_4"]` its commitments, `["art_4", "C14"]` its
    /// instances, each with its hash, in the order of the digest. `None`: there is no such branch.
    pub fn branch(&self, path: &[&str]) -> Option<Vec<Child>> {
        match path {
            [] => Some(self.articles()),
            [article] => {
                let children: Vec<Child> = self
                    .branches()
                    .iter()
                    .filter(|b| b.article == *article)
                    .map(|b| (b.commitment.to_string(), b.hash()))
                    .collect();
                (!children.is_empty()).then_some(children)
            }
            [article, commitment] => self
                .branches()
                .into_iter()
                .find(|b| b.article == *article && b.commitment == *commitment)
                .map(|b| b.leaves),
            _ => None,
        }
    }

    /// Finds the first instance in which another judgment differs, in at most three exchanges: `ask` gives a branch of
    /// the other judgment as [`Judgment::branch`] does. `None`: no branch differs, so only the headers can.
    pub fn first_difference<E>(
        &self,
        mut ask: impl FnMut(&[&str]) -> Result<Option<Vec<Child>>, E>,
    ) -> Result<Option<Difference>, E> {
        let mut path: Vec<String> = Vec::new();
        let mut exchanges = 0;
        while path.len() < 3 {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let mine = self.branch(&names).unwrap_or_default();
            let theirs = ask(&names)?.unwrap_or_default();
            exchanges += 1;
            let Some(name) = first_unequal(&mine, &theirs) else { break };
            path.push(name);
        }
        if path.is_empty() {
            return Ok(None);
        }
        let mut path = path.into_iter();
        Ok(Some(Difference { article: path.next(), commitment: path.next(), label: path.next(), exchanges }))
    }
}

/// Name of the first child that the two do not have alike.
fn first_unequal(mine: &[Child], theirs: &[Child]) -> Option<String> {
    for (n, child) in mine.iter().enumerate() {
        match theirs.get(n) {
            Some(other) if other == child => {}
            // One side lacks a child: it is the one that the other does not know by name.
            Some(other) if other.0 != child.0 && !mine.iter().any(|c| c.0 == other.0) => return Some(other.0.clone()),
            _ => return Some(child.0.clone()),
        }
    }
    theirs.get(mine.len()).map(|c| c.0.clone())
}
