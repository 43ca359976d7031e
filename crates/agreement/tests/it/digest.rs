//! The digest: an independent computation, a vector, and finding where two judgments differ.
use crate::golden::golden;
use crate::small::{ANSWER, play};
use hamsaya_agreement::{Child, JudgeError, Judgment, Reason, State, Verdict, judge_explaining};
use hamsaya_record::Instant;
use hamsaya_record::logs::Logs;
use hamsaya_record::statement::{Act, Statement, StatementId};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::convert::Infallible;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What docs of the digest say, written down a second time.
mod slow {
    use super::*;

    fn part(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u64).to_be_bytes()[..], bytes].concat()
    }
    fn instant(i: Option<Instant>) -> Vec<u8> {
        part(&i.map(|i| i.0.to_be_bytes().to_vec()).unwrap_or_default())
    }
    fn hash(parts: &[Vec<u8>]) -> Vec<u8> {
        let all: Vec<u8> =
            std::iter::once(b"hamsaya/judgment/v1".to_vec()).chain(parts.to_vec()).flat_map(|p| part(&p)).collect();
        Sha256::digest(all).to_vec()
    }
    fn leaf(v: &Verdict) -> Vec<u8> {
        let address = match &v.part {
            Some(part) => format!("{}.{part}", v.address),
            None => v.address.clone(),
        };
        let state = match v.state {
            State::Kept => "kept",
            State::Breached => "breached",
            State::Pending => "pending",
            State::Disputed => "disputed",
        };
        let reason = match v.reason {
            Reason::Performed => "performed",
            Reason::Discharged => "discharged",
            Reason::NotPerformed => "not_performed",
            Reason::Contravened => "contravened",
            Reason::Open => "open",
            Reason::OnDisputedFacts => "on_disputed_facts",
        };
        let valuation: Vec<u8> =
            v.valuation.iter().flat_map(|(n, v)| [part(n.as_bytes()), part(v.as_bytes())].concat()).collect();
        let mut disputed: Vec<[u8; 32]> = v.reasons.disputed.iter().map(|c| c.statement_id.0).collect();
        disputed.sort();
        disputed.dedup();
        [
            part(address.as_bytes()),
            part(&valuation),
            part(v.bearer.as_bytes()),
            instant(Some(v.since)),
            instant(Some(v.opened)),
            instant(v.due),
            part(state.as_bytes()),
            instant(v.breached_since),
            instant(v.until),
            part(reason.as_bytes()),
            part(&disputed.iter().flat_map(|id| part(id)).collect::<Vec<u8>>()),
        ]
        .concat()
    }

    pub fn digest(j: &Judgment, articles: &[(&str, &[&str])]) -> Vec<u8> {
        let heads: Vec<u8> = j
            .heads
            .iter()
            .flat_map(|h| [part(h.origin.as_bytes()), part(&(h.size as i64).to_be_bytes()), part(&h.root)].concat())
            .collect();
        let mut top: Vec<Vec<u8>> = vec![b"judgment".to_vec(), j.agreement.to_vec(), heads];
        top.extend([j.as_of.0.to_be_bytes().to_vec(), j.known_by.0.to_be_bytes().to_vec()]);
        for (article, commitments) in articles {
            let mut parts: Vec<Vec<u8>> = vec![b"article".to_vec(), article.as_bytes().to_vec()];
            for id in *commitments {
                let mut leaves: Vec<Vec<u8>> = j.verdicts.iter().filter(|v| v.commitment == *id).map(leaf).collect();
                leaves.sort();
                let leaves = leaves.into_iter().map(|l| hash(&[b"instance".to_vec(), l]));
                let parts_of = [b"commitment".to_vec(), id.as_bytes().to_vec()];
                parts.push(hash(&parts_of.into_iter().chain(leaves).collect::<Vec<_>>()));
            }
            top.push(hash(&parts));
        }
        hash(&top)
    }
}

#[test]
fn as_documented() {
    let golden = golden();
    for (h, articles) in [
        (48, &[("art_4", &["C12", "C13", "C14", "C15", "C16"][..])][..]),
        (
            620,
            &[
                ("art_2", &["C04"][..]),
                ("art_4", &["C12", "C13", "C14", "C15", "C16", "C17", "C18", "C19"]),
                ("art_6", &["C23", "C24"]),
                ("art_9", &["C32"]),
            ],
        ),
    ] {
        let judgment = golden.briefly(h, h);
        assert_eq!(hex(&judgment.digest()), hex(&slow::digest(&judgment, articles)), "H {h}");
    }
}

/// Pinned: another implementation that reads the small agreement of these tests must come to the same bytes.
#[test]
fn vector() {
    let (agreement, case, logs) = play(
        ANSWER,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #2 +3:00 P2 answered(ask: \"A\") -- answers
         #3 +4:00 P2 asked(ask: \"B\", from: \"P1\", urgent: true) -- asks",
    );
    let at = case.start.plus(6 * 3600);
    let judgment = judge_explaining(&agreement, &logs, at, at, |_| true).unwrap();
    let found = format!("agreement {}\ndigest    {}", hex(&agreement.digest()), hex(&judgment.digest()));
    insta::assert_snapshot!(found, @r"
    agreement b1e31c3e8ce6b70cc96a4278400ef71239cf65bd2a17a0de64296062ad4cc7e7
    digest    77220aa1d15f46ca78e871d55c282a1c5961f71488fd95daf57a32dab900c135
    ");
}

/// Explanations are outside the digest.
#[test]
fn reasons_do_not_count() {
    let golden = golden();
    let explained = |v: &Verdict| v.commitment == "C14";
    let at = golden.at(48 * 60);
    let some = judge_explaining(&golden.accord, &golden.logs, at, at, explained).unwrap();
    assert_eq!(some.digest(), golden.briefly(48, 48).digest());
}

fn first_difference(a: &Judgment, b: &Judgment) -> Option<(Option<String>, Option<String>, Option<String>)> {
    let ask = |path: &[&str]| -> Result<Option<Vec<Child>>, Infallible> { Ok(b.branch(path)) };
    let found = a.first_difference(ask).unwrap()?;
    assert!(found.exchanges <= 3);
    Some((found.article, found.commitment, found.label))
}

#[test]
fn where_two_judgments_differ() {
    let golden = golden();
    let same = golden.briefly(230, 230);
    assert_eq!(first_difference(&same, &same.clone()), None);
    // One side has not seen G2's sheet.
    let sheet = golden.briefly(230, 300);
    let found = first_difference(&same, &sheet).unwrap();
    assert_eq!(found, (Some("art_9".into()), Some("C32".into()), Some("C32.lane(K1, P2)".into())));
    // One side has an article that the other lacks, and the other way round.
    let (early, late) = (golden.briefly(-1, -1), golden.briefly(48, 48));
    for (a, b) in [(&early, &late), (&late, &early)] {
        let (article, commitment, label) = first_difference(a, b).unwrap();
        assert_eq!((article.as_deref(), commitment.as_deref()), (Some("art_4"), Some("C12")));
        assert_eq!(label.as_deref(), Some("C12(A1, P1)"));
    }
    assert_eq!(late.branch(&["art_4", "C99"]), None);
    assert_eq!(late.branch(&["art_4"]).unwrap().len(), 5);
}

/// A founding that names another agreement: nothing is judged.
#[test]
fn another_agreement() {
    let golden = golden();
    let mut timed = Vec::new();
    for (n, entry) in golden.logs.entries().iter().enumerate() {
        timed.push((hamsaya_record::logs::Entry::clone(entry), golden.logs.logged_at(n, Instant(i64::MAX)).unwrap()));
    }
    let (mut founding, at) = timed[0].clone();
    founding.statement = Statement::new([7; 32], Act::Record, "founding", "id", "P1", "*", at.hi);
    founding.statement_id = StatementId([7; 32]);
    founding.index = 1_000;
    let with = |agreement: [u8; 32]| {
        let mut founding = founding.clone();
        founding.statement.agreement = agreement;
        Logs::with_times(timed.iter().cloned().chain([(founding, at)]).collect())
    };
    let judged = judge_explaining(&golden.accord, &with([7; 32]), at.hi, at.hi, |_| false);
    assert!(matches!(judged, Err(JudgeError::OtherAgreement { found, .. }) if found == "07".repeat(32)));
    let at = golden.at(48 * 60);
    let judged = judge_explaining(&golden.accord, &with(golden.accord.digest()), at, at, |_| false).unwrap();
    assert_eq!(judged.digest(), golden.briefly(48, 48).digest());
}

/// The digest that names an agreement changes with every byte of it.
#[test]
fn the_agreements_own_digest() {
    let files: BTreeMap<String, Vec<u8>> = crate::small::files(ANSWER);
    let lines: String = files.iter().map(|(p, b)| format!("{}  {p}\n", hex(&Sha256::digest(b)))).collect();
    let parsed = hamsaya_agreement::Agreement::parse(&files).unwrap();
    assert_eq!(hex(&parsed.digest()), hex(&Sha256::digest(lines)));
}
