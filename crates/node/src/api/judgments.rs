//! Judgments, their digests, and where two nodes' digests differ.
use super::Api;
use super::problem::Problem;
use super::shapes;
use super::who::Who;
use crate::compare::{self, Heads, path_of};
use crate::node::{Case, Explain};
use crate::sight::Sight;
use crate::tls;
use axum::Json;
use axum::extract::{Query, State};
use hamsaya_agreement::rights::{Denied, Verb};
use hamsaya_agreement::{JudgeError, Judgment, Reasons, Verdict};
use hamsaya_record::Instant;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::statement::{FieldValue, hex};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What to judge.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    as_of: Option<String>,
    known_by: Option<String>,
    /// `origin=size` by comma: at earlier heads than the newest.
    heads: Option<String>,
    /// A branch of the digest's tree: `art_4/C14`.
    path: Option<String>,
    peer: Option<String>,
    /// `all` (the default), `none`, or the label of the one verdict whose reasons are wanted.
    explain: Option<String>,
}

impl Asked {
    fn instant(field: &str, text: Option<&String>) -> Result<Option<Instant>, Problem> {
        let allowed = "an instant like `2026-11-24T20:00:00Z`";
        text.map(|t| t.parse().map_err(|_| Problem::bad_parameter(field, t, allowed))).transpose()
    }

    /// The judgment asked for, with at least these verdicts explained.
    async fn judgment(&self, api: &Api, explain: Explain) -> Result<Arc<Judgment>, Problem> {
        match self.case(api).await? {
            (_, Some(judgment)) if explain == Explain::None => Ok(judgment),
            (case, _) => api.shell.judge(case, explain).await?.map_err(other_agreement),
        }
    }

    /// The case asked for. Without parameters it is the one that the node judged last, with its judgment, as long as a new
    /// one would say the same.
    async fn case(&self, api: &Api) -> Result<(Case, Option<Arc<Judgment>>), Problem> {
        let (as_of, known_by) =
            (Asked::instant("as_of", self.as_of.as_ref())?, Asked::instant("known_by", self.known_by.as_ref())?);
        let heads = self.heads.as_deref().map(Heads::parse).transpose();
        let heads = heads.map_err(|found| Problem::bad_parameter("heads", &found, "`origin=size` by comma"))?;
        let now = api.shell.clock().now();
        let case = api.shell.ask(move |node| {
            let now = now.ok_or_else(|| Problem::paused("the scenario's clock was not set yet"))?;
            if let (None, None, None, Some((case, judgment))) = (as_of, known_by, &heads, node.current_judgment(now)) {
                return Ok((case, Some(judgment)));
            }
            let case = match &heads {
                None => node.case(as_of.unwrap_or(now), known_by.unwrap_or(now)),
                Some(heads) => {
                    let mut cut = Vec::new();
                    for (origin, size) in &heads.0 {
                        cut.push(node.head_at(origin, *size).ok_or_else(|| {
                            Problem::not_found(format!("this node does not hold {size} entries of {origin}"))
                        })?);
                    }
                    cut.sort();
                    node.case_at(&cut, as_of.unwrap_or(now), known_by.unwrap_or(now))
                }
            };
            let case = case.ok_or_else(|| Problem::forbidden("this node only witnesses, it does not judge"))?;
            Ok((case, None))
        });
        case.await?
    }
}

fn other_agreement(error: JudgeError) -> Problem {
    Problem::conflict("other_agreement", "The record belongs to another agreement", error.to_string())
}

/// So many verdicts are explained only to see whether they may be shown; what is beyond is withheld.
const LOOKED_INTO_MAX: usize = 200;

/// `GET /api/judgment`
pub(super) async fn judgment(
    State(api): State<Api>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    let sight = who.findings(&api).await?;
    let explain = match asked.explain.as_deref() {
        None | Some("all") => Explain::All,
        Some("none") => Explain::None,
        Some(label) => Explain::Only([label.to_string()].into()),
    };
    let mut judgment = Arc::unwrap_or_clone(asked.judgment(&api, explain.clone()).await?);
    // The docket may know more; the answer depends on the question alone.
    for verdict in judgment.verdicts.iter_mut().filter(|verdict| !explain.wants(verdict)) {
        let disputed = std::mem::take(&mut verdict.reasons.disputed);
        verdict.reasons = Reasons { disputed, ..Reasons::default() };
    }
    // Both sides compare the whole, whoever reads a part of it.
    let digest = hex(&judgment.digest());
    let withheld = withhold(&api, &asked, &sight, &mut judgment).await?;
    // That verdicts were read is written down also where they come without what they rest on.
    if !judgment.verdicts.is_empty() {
        let cited: BTreeSet<String> = judgment.verdicts.iter().flat_map(cited).collect();
        let which = format!("judgment {digest}");
        who.reads_places(&api, std::iter::once(which).chain(cited).collect())?;
    }
    let commitments = api.agreement().map(|a| a.commitments()).unwrap_or_default();
    let mut answer = shapes::judgment(&judgment, commitments);
    answer["digest"] = json!(digest);
    answer["withheld"] = json!(withheld);
    Ok(Json(answer))
}

/// Takes out what rests on entries marked beyond the reader, and out of reasons what the reader does not see. By marking,
/// how many verdicts are withheld; of those that rest on `TLP:RED` nothing is said.
async fn withhold(
    api: &Api,
    asked: &Asked,
    sight: &Sight,
    judgment: &mut Judgment,
) -> Result<BTreeMap<String, u64>, Problem> {
    let mut withheld = BTreeMap::new();
    let doubtful = judgment.verdicts.iter().filter(|v| sight.may_hide(&v.valuation));
    let labels: BTreeSet<String> = doubtful.map(|v| v.label.clone()).take(LOOKED_INTO_MAX).collect();
    let explained = match labels.is_empty() {
        true => None,
        false => Some(asked.judgment(api, Explain::Only(labels.clone())).await?),
    };
    let rests_on = |label: &str| -> Option<Denied> {
        let reasons = explained.as_ref()?.verdicts.iter().find(|v| v.label == label)?;
        sight.beyond(reasons).cloned()
    };
    judgment.verdicts.retain(|v| {
        let denied = match (sight.may_hide(&v.valuation), labels.contains(&v.label)) {
            (false, _) => sight.beyond(v).cloned(),
            (true, true) => rests_on(&v.label),
            (true, false) => Some(Denied::Hidden),
        };
        if let Some(denied) = denied.as_ref().filter(|denied| **denied != Denied::Hidden) {
            *withheld.entry(denied.to_string()).or_default() += 1;
        }
        denied.is_none()
    });
    judgment.verdicts.iter_mut().for_each(|v| sight.redact(&mut v.reasons));
    Ok(withheld)
}

/// What a verdict names, for the read log.
fn cited(verdict: &Verdict) -> impl Iterator<Item = String> + '_ {
    let reasons = &verdict.reasons;
    let cites = reasons.opened_by.iter().chain(&reasons.because).chain(&reasons.disputed);
    cites.map(|cite| format!("{}#{}", cite.origin, cite.index))
}

/// Nodes compare what they judge; of people, whoever reads findings.
fn compares(api: &Api, who: &Who) -> Result<(), Problem> {
    if *who == Who::Node { Ok(()) } else { who.needs(api, "finding", Verb::Read) }
}

/// `GET /api/digest`: signed by the node, and appended nowhere, or the record would never come to rest.
pub(super) async fn digest(
    State(api): State<Api>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    compares(&api, &who)?;
    let judgment = asked.judgment(&api, Explain::None).await?;
    let digest = hex(&judgment.digest());
    let fields = verdict_fields(&judgment, &digest);
    let (name, signed) = api.shell.ask(move |node| (node.name().to_string(), node.stated("verdict", fields))).await?;
    Ok(Json(json!({
        "node": name,
        "digest": digest,
        "heads": shapes::heads(&judgment.heads),
        "as_of": judgment.as_of.to_string(),
        "known_by": judgment.known_by.to_string(),
        "signed": signed.as_ref().map(envelope),
    })))
}

fn verdict_fields(judgment: &Judgment, digest: &str) -> BTreeMap<String, FieldValue> {
    let text = |t: String| FieldValue::Text(t);
    let heads = judgment.heads.iter().map(|head| {
        let size = i64::try_from(head.size).unwrap_or(i64::MAX);
        let fields =
            [("origin", text(head.origin.clone())), ("size", FieldValue::Int(size)), ("root", text(hex(&head.root)))];
        FieldValue::Map(fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect())
    });
    let fields = [
        ("digest", text(digest.to_string())),
        ("as_of", text(judgment.as_of.to_string())),
        ("known_by", text(judgment.known_by.to_string())),
        ("heads", FieldValue::List(heads.collect())),
    ];
    fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}

/// The envelope as JSON: what it is in a log.
fn envelope(envelope: &Envelope) -> Value {
    serde_json::from_slice(&envelope.to_leaf()).unwrap_or(Value::Null)
}

/// `GET /api/digest/node`: a branch of the digest's tree.
pub(super) async fn branch(
    State(api): State<Api>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    compares(&api, &who)?;
    // The tree names every instance that there is, whoever looks.
    if who != Who::Node && who.sight(&api).await?.hides() {
        return Err(Problem::right("the digest's tree names verdicts that you may not see"));
    }
    let judgment = asked.judgment(&api, Explain::None).await?;
    let path = asked.path.clone().unwrap_or_default();
    let names = path_of(&path);
    let children = judgment
        .branch(&names)
        .ok_or_else(|| Problem::not_found(format!("the digest's tree has no branch `{path}`")))?;
    let children: Vec<Value> = children.iter().map(|(name, hash)| json!({"name": name, "hash": hex(hash)})).collect();
    Ok(Json(json!({"path": path, "children": children})))
}

/// `GET /api/digest/compare`: asks another node at the heads and the instant that both have reached, and names the first
/// instance and the entry in which they differ.
pub(super) async fn compare(
    State(api): State<Api>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    let sight = who.findings(&api).await?;
    let key = Arc::new(api.shell.ask(|node| node.node_key().clone()).await?);
    let name = asked.peer.clone().unwrap_or_default();
    let peer = api.folder.config.peers.iter().find(|p| p.name == name);
    let known: Vec<&str> = api.folder.config.peers.iter().map(|p| p.name.as_str()).collect();
    let peer = peer.ok_or_else(|| Problem::bad_parameter("peer", &name, &known.join(", ")))?;
    let tls = tls::of_peer(&api.folder.dir, &api.folder.config, peer).map_err(|e| Problem::internal(e.to_string()))?;
    let url = peer.url.clone();
    let theirs = compare::Theirs::ask(&url, tls.clone(), key.clone()).await.map_err(Problem::peer)?;
    let now = api.shell.clock().now().unwrap_or(theirs.as_of);
    let mine = api.shell.ask(|node| node.heads()).await?;
    let common = compare::common(&mine, &theirs.heads);
    let as_of = theirs.as_of.min(now);
    let at = Asked {
        as_of: Some(as_of.to_string()),
        known_by: Some(as_of.to_string()),
        heads: Some(common.to_string()),
        ..Asked::default()
    };
    let (case, _) = at.case(&api).await?;
    let judgment = api.shell.judge(case.clone(), Explain::None).await?.map_err(other_agreement)?;
    let shell = api.shell.clone();
    let explain = move |label: &str| {
        let explain = Explain::Only([label.to_string()].into());
        shell.judge_here(&case, &explain).map_err(|error| error.to_string())
    };
    let compared =
        compare::compare(judgment, explain, (&url, tls, key), &common, as_of).await.map_err(Problem::peer)?;
    Ok(Json(json!({
        "equal": compared.equal,
        "mine": compared.mine,
        "theirs": compared.theirs,
        "as_of": as_of.to_string(),
        "known_by": as_of.to_string(),
        "heads": common.0.iter().map(|(origin, size)| json!({"origin": origin, "size": size})).collect::<Vec<_>>(),
        "first_difference": compared.difference.as_ref().filter(|_| !sight.hides()).map(|d| json!({
            "label": d.label, "origin": d.entry.as_ref().map(|e| &e.0), "index": d.entry.as_ref().map(|e| e.1),
        })),
        "behind": compare::behind(&mine, &theirs.heads).iter().map(|b| json!({
            "node": if b.ours { api.folder.config.name.as_str() } else { name.as_str() }, "origin": b.origin, "index": b.index,
        })).collect::<Vec<_>>(),
        "exchanges": compared.exchanges,
    })))
}

/// `GET /api/changes`: recent changes of verdicts, newest last.
pub(super) async fn changes(State(api): State<Api>, who: Who) -> Result<Json<Value>, Problem> {
    let sight = who.findings(&api).await?;
    let changes = api.shell.ask(move |node| {
        let seen = node.changes().filter(|changed| sight.shows(&changed.change));
        seen.map(|changed| shapes::change(changed, |cite| sight.sees(cite))).collect::<Vec<_>>()
    });
    let changes = changes.await?;
    if !changes.is_empty() {
        who.reads_places(&api, vec![format!("{} changes of verdicts", changes.len())])?;
    }
    Ok(Json(Value::Array(changes)))
}
