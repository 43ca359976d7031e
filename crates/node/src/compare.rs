//! Where two nodes' verdicts differ: found in a few questions, named to the entry.
//!
//! ```text
//! GET /api/digest                                 their heads and instant; the smaller of both sides' are common
//! GET /api/digest?as_of&known_by&heads            their digest there: equal, or
//! GET /api/digest/node?path=                      articles     first that differs: art_9
//! GET /api/digest/node?path=art_9                 commitments  C32
//! GET /api/digest/node?path=art_9/C32             instances    C32.lane(K1, P2)
//! GET /api/judgment?explain=C32.lane(K1, P2)      what they cite for it, and we do not
//! ```
//! At common heads honest nodes are equal, byte for byte. If one is merely behind, that is said with the first entry that it
//! lacks.
use crate::wire::Client;
use hamsaya_agreement::{Child, Judgment, Verdict};
use hamsaya_record::Instant;
use hamsaya_record::key::SecretKey;
use hamsaya_record::logs::Head;
use hamsaya_record::statement::{hex, unhex};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use ureq::tls::TlsConfig;

/// Sizes by origin, as they stand in a question: `p1.example/hamsaya/1=12,p2.example/hamsaya/1=9`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads(pub BTreeMap<String, u64>);

impl Heads {
    /// Reads them; the part that does not read comes back.
    pub fn parse(text: &str) -> Result<Heads, String> {
        let parts = text.split(',').filter(|part| !part.is_empty());
        let read = |part: &str| {
            let (origin, size) = part.rsplit_once('=')?;
            Some((origin.to_string(), size.parse().ok()?))
        };
        parts.map(|part| read(part).ok_or_else(|| part.to_string())).collect::<Result<_, _>>().map(Heads)
    }
}

impl fmt::Display for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(origin, size)| format!("{origin}={size}")).collect();
        f.write_str(&parts.join(","))
    }
}

/// The names in a branch's path.
pub fn path_of(path: &str) -> Vec<&str> {
    path.split('/').filter(|name| !name.is_empty()).collect()
}

/// What both sides hold.
pub fn common(ours: &[Head], theirs: &[Head]) -> Heads {
    let sizes: BTreeMap<&str, u64> = theirs.iter().map(|h| (h.origin.as_str(), h.size)).collect();
    let both = ours.iter().filter_map(|h| Some((h.origin.clone(), h.size.min(*sizes.get(h.origin.as_str())?))));
    Heads(both.collect())
}

/// A log of which one side holds less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// True if it is us.
    pub ours: bool,
    /// Which log.
    pub origin: String,
    /// The first entry that is lacking.
    pub index: u64,
}

/// Logs of which one side holds less.
pub fn behind(ours: &[Head], theirs: &[Head]) -> Vec<Behind> {
    let sizes =
        |heads: &[Head]| -> BTreeMap<String, u64> { heads.iter().map(|h| (h.origin.clone(), h.size)).collect() };
    let (mine, other) = (sizes(ours), sizes(theirs));
    let origins: BTreeSet<&String> = mine.keys().chain(other.keys()).collect();
    let size = |sizes: &BTreeMap<String, u64>, origin: &String| sizes.get(origin).copied().unwrap_or_default();
    let differ = origins.into_iter().filter_map(|origin| {
        let (m, t) = (size(&mine, origin), size(&other, origin));
        (m != t).then(|| Behind { ours: m < t, origin: origin.clone(), index: m.min(t) })
    });
    differ.collect()
}

/// The first instance in which two judgments differ, and an entry that only one of them rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Label of the instance; `None`: a whole article or commitment is missing on one side.
    pub label: Option<String>,
    /// Origin and index.
    pub entry: Option<(String, u64)>,
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The digests are the same.
    pub equal: bool,
    /// Ours, hex.
    pub mine: String,
    /// Theirs, hex.
    pub theirs: String,
    /// Where they differ.
    pub difference: Option<Located>,
    /// How often they were asked.
    pub exchanges: usize,
}

/// How far the other side is.
#[derive(Clone, Debug)]
pub(crate) struct Theirs {
    pub(crate) heads: Vec<Head>,
    pub(crate) as_of: Instant,
}

impl Theirs {
    pub(crate) async fn ask(url: &str, tls: Option<TlsConfig>, key: Arc<SecretKey>) -> Result<Theirs, String> {
        let url = format!("{url}/api/digest");
        let answer = away(move || Client::new(tls, key).json(&url).map_err(|e| e.0)).await?;
        let head = |value: &Value| {
            let root = unhex(value["root"].as_str()?).ok()?;
            Some(Head { origin: value["origin"].as_str()?.to_string(), size: value["size"].as_u64()?, root })
        };
        let heads = answer["heads"].as_array().into_iter().flatten().filter_map(head).collect();
        let as_of = answer["as_of"].as_str().unwrap_or_default().parse().map_err(|_| "no instant in its digest")?;
        Ok(Theirs { heads, as_of })
    }
}

/// Compares our judgment at common heads with another node's. `explain` gives it with the reasons of one verdict.
pub(crate) async fn compare(
    judgment: Arc<Judgment>,
    explain: impl FnOnce(&str) -> Result<Arc<Judgment>, String> + Send + 'static,
    (url, tls, key): (&str, Option<TlsConfig>, Arc<SecretKey>),
    heads: &Heads,
    as_of: Instant,
) -> Result<Compared, String> {
    let at = format!("as_of={as_of}&known_by={as_of}&heads={}", escaped(&heads.to_string()));
    let url = url.to_string();
    away(move || {
        let client = Client::new(tls, key);
        locate(&judgment, explain, |path| client.json(&format!("{url}{path}{at}")).map_err(|e| e.0))
    })
    .await
}

/// Walks the two trees to the first instance that differs, then looks for what only one side rests on. `get` asks the other
/// side; the path ends where the instants and heads follow.
fn locate(
    judgment: &Judgment,
    explain: impl FnOnce(&str) -> Result<Arc<Judgment>, String>,
    mut get: impl FnMut(&str) -> Result<Value, String>,
) -> Result<Compared, String> {
    let mut exchanges = 1;
    let mut get = |path: &str| {
        exchanges += 1;
        get(path)
    };
    let mine = hex(&judgment.digest());
    let theirs = get("/api/digest?")?["digest"].as_str().unwrap_or_default().to_string();
    if mine == theirs {
        return Ok(Compared { equal: true, mine, theirs, difference: None, exchanges });
    }
    let found = judgment.first_difference(|path| -> Result<_, String> {
        // A branch that the other side has not is an answer, too.
        Ok(get(&format!("/api/digest/node?path={}&", escaped(&path.join("/")))).ok().map(|answer| children(&answer)))
    })?;
    let label = found.and_then(|found| found.label);
    let entry = match &label {
        Some(label) => {
            let verdicts = get(&format!("/api/judgment?explain={}&", escaped(label)))?;
            let verdicts = verdicts["verdicts"].as_array().into_iter().flatten();
            let other = verdicts.filter(|v| v["label"] == label.as_str()).flat_map(cited).collect();
            let ours = explain(label)?.verdicts.iter().filter(|v| v.label == *label).flat_map(cites).collect();
            first_lacking(&ours, &other)
        }
        None => None,
    };
    Ok(Compared { equal: false, mine, theirs, difference: Some(Located { label, entry }), exchanges })
}

/// Blocking work away from the threads that answer.
async fn away<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?
}

fn children(answer: &Value) -> Vec<Child> {
    let child = |c: &Value| Some((c["name"].as_str()?.to_string(), unhex(c["hash"].as_str()?).ok()?));
    answer["children"].as_array().into_iter().flatten().filter_map(child).collect()
}

type Entries = BTreeSet<(String, u64)>;

fn first_lacking(ours: &Entries, theirs: &Entries) -> Option<(String, u64)> {
    ours.symmetric_difference(theirs).next().cloned()
}

fn cites(verdict: &Verdict) -> impl Iterator<Item = (String, u64)> {
    let reasons = &verdict.reasons;
    let all = reasons.opened_by.iter().chain(&reasons.because).chain(&reasons.disputed);
    all.map(|cite| (cite.origin.clone(), cite.index))
}

fn cited(verdict: &Value) -> Vec<(String, u64)> {
    let lists = ["opened_by", "because", "disputed"].map(|list| &verdict["reasons"][list]);
    let cites = lists.into_iter().filter_map(Value::as_array).flatten();
    cites.filter_map(|c| Some((c["origin"].as_str()?.to_string(), c["index"].as_u64()?))).collect()
}

fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::shapes;
    use crate::folder::agreement_files;
    use hamsaya_agreement::Agreement;
    use hamsaya_agreement::case::Case;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn heads_read_as_they_are_written() {
        let text = "p1.example/hamsaya/1=12,p2.example/hamsaya/1=0";
        assert_eq!(Heads::parse(text).unwrap().to_string(), text);
        assert_eq!(Heads::parse(""), Ok(Heads::default()));
        assert_eq!(Heads::parse("p1=12,p2"), Err("p2".to_string()));
        assert_eq!(Heads::parse("p1=-1"), Err("p1=-1".to_string()));
    }

    #[test]
    fn who_is_behind_and_from_where() {
        let head = |origin: &str, size| Head { origin: origin.to_string(), size, root: [0; 32] };
        let (ours, theirs) = ([head("a", 3), head("b", 5)], [head("a", 4), head("b", 2), head("c", 1)]);
        assert_eq!(common(&ours, &theirs).to_string(), "a=3,b=2");
        let found: Vec<(bool, String, u64)> =
            behind(&ours, &theirs).into_iter().map(|b| (b.ours, b.origin, b.index)).collect();
        assert_eq!(found, [(true, "a".into(), 3), (false, "b".into(), 2), (true, "c".into(), 0)]);
    }

    /// The golden scenario as one side holds it, without the rows of these labels.
    fn golden_without(labels: &[&str]) -> (Arc<Agreement>, Arc<Judgment>) {
        let files = agreement_files(Path::new("../../agreements/hamsaya-accord")).unwrap();
        let agreement = Arc::new(Agreement::parse(&files).unwrap());
        let source = std::fs::read_to_string("../../agreements/cases/good/golden-scenario.md").unwrap();
        let mut case = Case::parse("golden-scenario.md", &source).unwrap();
        let until = case.start.plus(48 * 3600);
        case.rows.retain(|row| row.at <= until && !row.label.as_deref().is_some_and(|l| labels.contains(&l)));
        let logs = case.play("golden-scenario.md", &agreement).unwrap();
        let judgment = hamsaya_agreement::judge(&agreement, &logs, until, until).unwrap();
        (agreement, Arc::new(judgment))
    }

    /// What a node with this judgment answers.
    fn answer(judgment: &Judgment, agreement: &Agreement, path: &str) -> Result<Value, String> {
        let (path, query) = path.split_once('?').unwrap();
        let branch = query.strip_prefix("path=").unwrap_or("").trim_end_matches('&').replace("%2F", "/");
        match path {
            "/api/digest" => Ok(json!({"digest": hex(&judgment.digest())})),
            "/api/judgment" => Ok(shapes::judgment(judgment, agreement.commitments())),
            _ => {
                let children = judgment.branch(&path_of(&branch)).ok_or("no such branch")?;
                let child = |(name, hash): &Child| json!({"name": name, "hash": hex(hash)});
                Ok(json!({"children": children.iter().map(child).collect::<Vec<_>>()}))
            }
        }
    }

    #[test]
    fn equal_judgments_take_one_question() {
        let (agreement, judgment) = golden_without(&[]);
        let compared = locate(&judgment, |_| Ok(judgment.clone()), |path| answer(&judgment, &agreement, path)).unwrap();
        assert_eq!((compared.equal, compared.difference, compared.exchanges), (true, None, 2));
    }

    /// G1's naming of the joint team, row 7, is the entry that one side does not have.
    #[test]
    fn a_difference_is_found_in_a_few_questions_and_named_to_the_entry() {
        let (agreement, mine) = golden_without(&[]);
        let (_, theirs) = golden_without(&["#7"]);
        for (ours, other) in [(&mine, &theirs), (&theirs, &mine)] {
            let compared = locate(ours, |_| Ok(ours.clone()), |path| answer(other, &agreement, path)).unwrap();
            assert!(!compared.equal);
            assert!(compared.exchanges <= 6, "{}", compared.exchanges);
            let found = compared.difference.unwrap();
            assert_eq!(found.label.as_deref(), Some("C16.team(Q1, G1)"));
            assert_eq!(found.entry.map(|e| e.0).as_deref(), Some("g1.example/hamsaya/1"));
        }
    }
}
