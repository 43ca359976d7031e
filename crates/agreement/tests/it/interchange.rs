//! What other people's tools read: well-formed, whole, every reference with a target, and the texts as they were.
//! `make test-interop` validates the same documents against the schema of OASIS.
use crate::{agreements, files};
use hamsaya_agreement::{Agreement, Begin, Clock, Instead, Whom, interchange};
use roxmltree::{Document, Node};
use std::collections::BTreeSet;

/// Every agreement that is shipped.
fn shipped() -> Vec<Agreement> {
    let named = ["hamsaya-accord", "river-ceasefire", "template"];
    named.map(|n| Agreement::parse(&files(&agreements().join(n))).unwrap_or_else(|e| panic!("{n}: {e}"))).into()
}

fn read(xml: &str) -> Document<'_> {
    Document::parse(xml).unwrap_or_else(|e| panic!("{e}\n{xml}"))
}

fn named<'a, 'i>(document: &'a Document<'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    document.descendants().filter(move |n| n.tag_name().name() == name)
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| n.tag_name().name() == name)
}

/// All text below, as one line of words.
fn words(node: Node) -> String {
    let all: String = node.descendants().filter_map(|n| n.is_text().then(|| n.text()).flatten()).collect();
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Blocks of a source text, as they are compared: white space is the file's, backticks are markup.
fn blocks(text: Option<&String>) -> Vec<String> {
    let blocks = text.map(String::as_str).unwrap_or_default().split("\n\n");
    let blocks = blocks.map(|b| b.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" "));
    blocks.filter(|b| !b.is_empty()).collect()
}

fn blocks_of(node: Option<Node>) -> Vec<String> {
    let blocks = node.into_iter().flat_map(|n| n.children().filter(|c| c.tag_name().name() == "p"));
    blocks.map(words).filter(|b| !b.is_empty()).collect()
}

#[test]
fn every_text_is_in_its_akoma_ntoso_document() {
    for agreement in shipped() {
        let languages: Vec<String> = agreement.languages().map(String::from).collect();
        for language in &languages {
            let xml = interchange::akoma_ntoso(&agreement, language);
            let document = read(&xml);
            let by_id = |id: &str| document.descendants().find(|n| n.attribute("eId") == Some(id));
            let title = named(&document, "docTitle").next().map(words);
            assert_eq!(title.as_deref(), agreement.title().get(language).map(String::as_str), "{language}");
            for article in agreement.articles() {
                let element = by_id(&article.address).unwrap_or_else(|| panic!("no {}", article.address));
                assert_eq!(
                    blocks_of(child(element, "intro")),
                    blocks(article.text.get(language)),
                    "{}",
                    article.address
                );
                let heading = child(element, "heading").map(words);
                let whole = child(element, "num").map(words).into_iter().chain(heading.clone());
                let whole = whole.collect::<Vec<_>>().join(" - ");
                let title = article.title.get(language);
                assert!(heading.as_ref() == title || Some(&whole) == title, "{language} {whole} {title:?}");
                for paragraph in &article.paragraphs {
                    let inner = by_id(&paragraph.address).unwrap_or_else(|| panic!("no {}", paragraph.address));
                    assert_eq!(inner.parent(), Some(element), "{} stands in its article", paragraph.address);
                    assert_eq!(child(inner, "num").map(words).unwrap_or_default(), paragraph.number);
                    assert_eq!(child(inner, "heading").map(words).as_ref(), paragraph.title.get(language));
                    let text = blocks_of(child(inner, "content"));
                    assert_eq!(text, blocks(paragraph.text.get(language)), "{language} {}", paragraph.address);
                }
            }
            for commitment in agreement.commitments() {
                let key = commitment.part.as_ref().map_or(commitment.id.clone(), |p| format!("{}.{p}", commitment.id));
                let is_of = |n: &Node| {
                    n.attribute("for") == Some(&format!("#{}", commitment.address))
                        && n.attribute("href").is_some_and(|h| h.ends_with(&format!("/!rules#{key}")))
                };
                assert_eq!(named(&document, "alternativeReference").filter(is_of).count(), 1, "{key}");
            }
        }
    }
}

/// Every `eId` is one, and what points into the document points at something.
#[test]
fn every_address_is_one_and_every_reference_resolves() {
    for agreement in shipped() {
        for language in agreement.languages() {
            let xml = interchange::akoma_ntoso(&agreement, language);
            let document = read(&xml);
            let ids: Vec<&str> = document.descendants().filter_map(|n| n.attribute("eId")).collect();
            let once: BTreeSet<&str> = ids.iter().copied().collect();
            assert_eq!(ids.len(), once.len(), "an eId stands twice");
            let pointing = document.descendants().flat_map(|n| n.attributes()).filter(|a| a.name() != "eId");
            let inner: Vec<&str> = pointing.filter_map(|a| a.value().strip_prefix('#')).collect();
            assert!(inner.len() > 10, "{inner:?}");
            for target in inner {
                assert!(once.contains(target), "#{target} is nowhere");
            }
        }
    }
}

#[test]
fn drafts_are_named_and_not_authoritative() {
    let accord = crate::accord();
    for (language, authoritative, drafts) in [("en", "true", 0), ("ps", "false", 45)] {
        let xml = interchange::akoma_ntoso(&accord, language);
        let document = read(&xml);
        let said = named(&document, "FRBRauthoritative").next().and_then(|n| n.attribute("value"));
        assert_eq!(said, Some(authoritative), "{language}");
        assert!(named(&document, "needsReview").count() >= drafts, "{language}");
    }
}

#[test]
fn the_same_agreement_gives_the_same_bytes() {
    let (one, other) = (crate::accord(), crate::accord());
    assert_eq!(interchange::akoma_ntoso(&one, "ur"), interchange::akoma_ntoso(&other, "ur"));
    assert_eq!(interchange::legalruleml(&one), interchange::legalruleml(&other));
}

/// Texts come from anybody: signs of XML, codes, controls, a language that is missing, an agreement without a day.
#[test]
fn foreign_texts_stay_text() {
    let mut folder = files(&agreements().join("template"));
    let article = "# Article 2 - <Duties> & \"more\" {#art_2}\n## 1 A {#art_2__para_1}\n::: text {lang=en}\na < b && `c < d`]]> \u{1}\n:::\n## Annexed {#art_2__para_a}\n::: text {lang=ps review=needed}\nپښتو\n:::\n";
    folder.insert("02-duties.md".into(), article.into());
    let charter = String::from_utf8(folder["agreement.toml"].clone()).unwrap();
    let charter = charter.replace("languages = [\"en\"]", "languages = [\"en\", \"ps\"]");
    let charter: String = charter.lines().filter(|l| !l.starts_with("in_force")).map(|l| format!("{l}\n")).collect();
    folder.insert("agreement.toml".into(), charter.into());
    let agreement = Agreement::parse(&folder).unwrap_or_else(|e| panic!("{e}"));
    let xml = interchange::akoma_ntoso(&agreement, "en");
    let document = read(&xml);
    let paragraph = document.descendants().find(|n| n.attribute("eId") == Some("art_2__para_1")).unwrap();
    assert_eq!(words(child(paragraph, "content").unwrap()), "a < b && c < d]]> \u{fffd}");
    let article = document.descendants().find(|n| n.attribute("eId") == Some("art_2")).unwrap();
    assert_eq!(words(child(article, "heading").unwrap()), "<Duties> & \"more\"");
    assert!(xml.contains("/akn/xx/act/0001-01-01/an-agreement"), "{xml}");
    let pashto = interchange::akoma_ntoso(&agreement, "ps");
    assert!(!pashto.contains("Duties"), "a text that is missing is not replaced:\n{pashto}");
}

const FORMULAS: &str = "Atom|Equal|And|Or|Naf|Neg|Exists|Operation|Interval|Violation";
const TERMS: &str = "Ind|Var|Data|Expr|Skolem";

/// What may stand in what, in order, of what is written here: after the compact schema of the OASIS standard of 30 August
/// 2021. `?` at most once, `*` any number, nothing: once.
fn content(parent: &str, name: &str) -> Vec<String> {
    // Negation as failure stands only where the schema lets it.
    let strong = FORMULAS.replace("Naf|", "");
    let said = match name {
        "LegalRuleML" => {
            "Prefix* LegalReferences Times? TemporalCharacteristics? Agents Roles Associations Context? Statements"
        }
        "LegalReferences" => "LegalReference*",
        "Times" => "Time*",
        "Time" => "Data",
        "TemporalCharacteristics" => "TemporalCharacteristic*",
        "TemporalCharacteristic" => "forStatus hasStatusDevelopment atTime",
        "Agents" => "Agent*",
        "Agent" => "hasType*",
        "Roles" => "Role*",
        "Role" => "filledBy*",
        "Associations" => "Association*",
        "Association" => "appliesSource* toTarget*",
        "Context" => "appliesTemporalCharacteristic* inScope*",
        "Statements" => {
            "PrescriptiveStatement|ConstitutiveStatement|OverrideStatement|PenaltyStatement|ReparationStatement*"
        }
        "PrescriptiveStatement" | "ConstitutiveStatement" => "Comment? hasType* Rule?",
        "OverrideStatement" => "Override",
        "PenaltyStatement" => "Atom",
        "ReparationStatement" => "Reparation",
        "Reparation" => "appliesPenalty* toPrescriptiveStatement*",
        "Rule" => "hasStrength? if then",
        "hasStrength" => "DefeasibleStrength|Defeater",
        "then" => "Obligation|Prohibition|Permission|Atom",
        "Obligation" | "Prohibition" | "Permission" => return vec!["slot*".into(), strong],
        "slot" if ["Obligation", "Prohibition", "Permission"].contains(&parent) => "Bearer|AuxiliaryParty Ind|Var",
        "slot" => return vec!["Ind".into(), TERMS.into()],
        "if" => return vec![FORMULAS.into()],
        "And" | "Or" | "Operation" => return vec![format!("{FORMULAS}*")],
        "Exists" => return vec!["Var*".into(), strong],
        "Naf" | "Neg" => return vec![strong],
        "Atom" => return vec!["Rel".into(), format!("{TERMS}*"), "slot*".into()],
        "Equal" => return vec![TERMS.into(), TERMS.into()],
        "Interval" => "Data Data?",
        "Expr" => return vec!["Fun".into(), format!("{TERMS}*")],
        _ => "",
    };
    said.split_whitespace().map(String::from).collect()
}

fn check_content(node: Node, parent: &str) {
    let name = node.tag_name().name();
    let children: Vec<Node> = node.children().filter(Node::is_element).collect();
    let found: Vec<&str> = children.iter().map(|c| c.tag_name().name()).collect();
    let mut next = 0;
    for wanted in content(parent, name) {
        let (names, least, most) = match (wanted.strip_suffix('?'), wanted.strip_suffix('*')) {
            (Some(names), _) => (names, 0, 1),
            (_, Some(names)) => (names, 0, usize::MAX),
            _ => (wanted.as_str(), 1, 1),
        };
        let run = found[next..].iter().take_while(|f| names.split('|').any(|n| n == **f)).count().min(most);
        assert!(run >= least, "{name} in {parent} lacks {names}: {found:?}");
        next += run;
    }
    assert_eq!(next, found.len(), "{name} in {parent}: {found:?}");
    children.into_iter().for_each(|child| check_content(child, name));
}

#[test]
fn rules_stand_as_the_schema_of_legalruleml_wants_them() {
    for agreement in shipped() {
        let xml = interchange::legalruleml(&agreement);
        check_content(read(&xml).root_element(), "");
    }
}

/// Keys are one, and everything that is referred to is there: within the rules, and from rules to text.
#[test]
fn every_key_is_one_and_rules_lead_to_their_text() {
    for agreement in shipped() {
        let xml = interchange::legalruleml(&agreement);
        let document = read(&xml);
        let keys: Vec<&str> = document
            .descendants()
            .flat_map(|n| [n.attribute("key"), n.attribute("refersTo")])
            .flatten()
            .map(|k| k.trim_start_matches(':'))
            .collect();
        let once: BTreeSet<&str> = keys.iter().copied().collect();
        assert_eq!(keys.len(), once.len(), "a key stands twice");
        let references =
            document.descendants().flat_map(|n| [n.attribute("keyref"), n.attribute("over"), n.attribute("under")]);
        for reference in references.flatten() {
            assert!(once.contains(reference.trim_start_matches('#')), "{reference} is nowhere");
        }
        let text = interchange::akoma_ntoso(&agreement, "en");
        let text = read(&text);
        let uri = named(&text, "FRBRWork").next().and_then(|w| child(w, "FRBRthis")).and_then(|t| t.attribute("value"));
        let ids: BTreeSet<&str> = text.descendants().filter_map(|n| n.attribute("eId")).collect();
        for reference in named(&document, "LegalReference") {
            let (document, address) = reference.attribute("refID").unwrap().split_once('#').unwrap();
            assert_eq!(Some(document), uri);
            assert!(ids.contains(address), "{address} is nowhere in the text");
        }
        // And from the text to the rules.
        for reference in named(&text, "alternativeReference") {
            let (_, key) = reference.attribute("href").unwrap().split_once('#').unwrap();
            assert!(once.contains(key), "{key} is no rule");
        }
        // Every statement that renders a text is led back to it.
        let targets: BTreeSet<&str> = named(&document, "toTarget").filter_map(|n| n.attribute("keyref")).collect();
        for statement in ["PrescriptiveStatement", "ConstitutiveStatement"].iter().flat_map(|n| named(&document, n)) {
            let key = statement.attribute("key").unwrap();
            assert!(targets.contains(&*format!("#{key}")), "{key} renders no text");
        }
    }
}

/// Every commitment and part: whom it binds, what it demands, what follows, and each of its exceptions over it.
#[test]
fn every_commitment_is_a_statement() {
    for agreement in shipped() {
        let xml = interchange::legalruleml(&agreement);
        let document = read(&xml);
        for commitment in agreement.commitments() {
            let key = commitment.part.as_ref().map_or(commitment.id.clone(), |p| format!("{}.{p}", commitment.id));
            let is_it = |n: &Node| n.attribute("key") == Some(&key);
            let statement = named(&document, "PrescriptiveStatement").find(is_it).unwrap_or_else(|| panic!("no {key}"));
            let types: Vec<&str> = named_in(statement, "hasType").filter_map(|n| n.attribute("iri")).collect();
            assert_eq!(
                types[..2],
                [format!("hs:{}", commitment.nature), format!("hs:severity{}", commitment.severity)]
            );
            if commitment.audited.is_some() && commitment.part.is_none() {
                assert!(types.contains(&"hs:audited"));
                continue;
            }
            assert!(named_in(statement, "Bearer").count() > 0, "{key} binds nobody");
            let repaired = format!("{key}.remedy");
            let repair = named(&document, "ReparationStatement").find(|n| n.attribute("key") == Some(&repaired));
            let penalties = repair.into_iter().flat_map(|n| named_in(n, "appliesPenalty")).count();
            assert_eq!(penalties, commitment.remedies.len(), "{key}");
            let own = own_clauses(&commitment.rule, commitment.part.as_deref());
            let over = named(&document, "Override").filter(|n| n.attribute("under") == Some(&format!("#{key}")));
            let exceptions = own.iter().filter(|l| l.starts_with("exception") || l.starts_with("lapses")).count();
            assert_eq!(over.count(), exceptions, "{key}");
        }
    }
}

fn named_in<'a, 'i>(node: Node<'a, 'i>, name: &'a str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.descendants().filter(move |n| n.tag_name().name() == name)
}

/// Clauses of one part of a rule block.
fn own_clauses<'r>(rule: &'r str, part: Option<&str>) -> Vec<&'r str> {
    let mut is_own = part.is_none();
    let mut own = Vec::new();
    for line in rule.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("part ") {
            is_own = Some(name) == part;
        }
        own.extend(is_own.then_some(line));
    }
    own
}

/// The rule of the module's example, whole.
#[test]
fn a_duty_with_an_exception() {
    let xml = interchange::legalruleml(&crate::accord());
    let begin = xml.find("    <lrml:PrescriptiveStatement key=\"C14\">").unwrap();
    let end = xml[begin..].find("    <lrml:ConstitutiveStatement").unwrap();
    insta::assert_snapshot!(&xml[begin..begin + end]);
}

/// What no shipped agreement says, and the language can: each stands as the schema wants it.
#[test]
fn every_clause_of_the_language_has_a_place() {
    let mut folder = files(&agreements().join("template"));
    let rules = r#"# Article 2 - Duties {#art_2}
## 1 Questions {#art_2__para_1}
::: text {lang=en}
Questions.
:::
```accord
define urgent(question: q) when once asked(question: q, urgent: true)
define old(question: q) when once asked(question: q) and not not once[1 d, *] asked(question: q)
define known(question: q) when exists y. (not urgent(question: q) and once asked(question: q, by: y) and y != "A")

commitment C1 : conduct, result, severity C
  let asked_now = asked(question: q, by: y, to_whom: x)
  part quiet
    opens      asked_now and not old(question: q)
    bearer x, y jointly
    must not   answered(question: q, by: x)  until urgent(question: q)
    lapses     known(question: q)
    lapses     historically[0 s, 1 d] urgent(question: q)
    exception  free: none  when urgent(question: q)
    exception  other: bearer guarantor  when known(question: q) over free
    remedy     C2, M1
  part reply
    opens      asked_now
    bearer x, y
    must       answered(question: q, by: x) or urgent(question: q) since[0 s, 90 s] known(question: q)
    remedy     M1

commitment C2 : result, severity B
  opens      every 12 h from 2027-01-01T00:00:00Z d and asked(question: q, to_whom: x) and reached(d + 1 h)
  bearer x
  must       answered(question: q, by: x)  within 36 h
  remedy     M1

commitment C3 : prohibition, severity A, audited "Somebody looks."
```
"#;
    folder.insert("02-duties.md".into(), rules.into());
    let agreement = Agreement::parse(&folder).unwrap_or_else(|e| panic!("{e}"));
    let xml = interchange::legalruleml(&agreement);
    let document = read(&xml);
    check_content(document.root_element(), "");
    let statement = |key: &str| {
        let is_it = |n: &Node| n.attribute("key") == Some(key);
        document.descendants().find(is_it).unwrap_or_else(|| panic!("no {key} in {xml}"))
    };
    let holds = |key: &str, name: &str, attribute: &str, value: &str| {
        assert!(
            named_in(statement(key), name).any(|n| n.attribute(attribute) == Some(value)),
            "{key} lacks {value}: {xml}"
        );
    };
    holds("C1.quiet", "hasType", "iri", "hs:conduct");
    holds("C1.quiet", "hasType", "iri", "hs:result");
    holds("C1.quiet", "Bearer", "iri", "hs:jointly");
    holds("C1.quiet", "Operation", "type", "hs:before");
    holds("C1.reply", "Bearer", "iri", "hs:each");
    holds("C1.reply", "Operation", "type", "hs:since");
    holds("C1.quiet.exception.other", "Ind", "iri", "ag:role.guarantor");
    holds("C1.quiet.remedy", "appliesPenalty", "keyref", "#remedy.C2");
    holds("C2", "Rel", "iri", "hs:each");
    holds("C3", "hasType", "iri", "hs:audited");
    for (over, under) in [
        ("#C1.quiet.exception.free", "#C1.quiet"),
        ("#C1.quiet.exception.other", "#C1.quiet"),
        ("#C1.quiet.exception.other", "#C1.quiet.exception.free"),
        ("#C1.quiet.lapse.2", "#C1.quiet"),
    ] {
        let is_it = |n: &Node| n.attribute("over") == Some(over) && n.attribute("under") == Some(under);
        assert!(named(&document, "Override").any(|n| is_it(&n)), "{over} over {under}");
    }
}

/// In short, what a reading in words is made of.
#[test]
fn what_a_rule_demands() {
    let accord = crate::accord();
    let terms = |id: &str, part: Option<&str>| {
        let commitment = accord.commitments().iter().find(|c| c.id == id && c.part.as_deref() == part).unwrap();
        accord.terms(commitment).unwrap()
    };
    let said = |whom: &[Whom]| whom.iter().map(|w| (w.name.clone(), w.said_by.clone())).collect::<Vec<_>>();
    let lodged = |field: &str| Some(("lodged".to_string(), field.to_string()));
    let c14 = terms("C14", None);
    assert_eq!(c14.begins, [Begin::Fact("lodged".into())]);
    assert_eq!(said(&c14.bearers), [("y".to_string(), lodged("against"))]);
    assert_eq!(said(&c14.toward), [("x".to_string(), lodged("by"))]);
    assert_eq!((&c14.course[..], c14.clock), (&["ack".to_string()][..], Clock::WithinS(6 * 3_600)));
    assert_eq!(c14.exceptions, [("flash".to_string(), Instead::Clock(Clock::WithinS(3_600)))]);
    let embargo = terms("C13", Some("embargo"));
    assert_eq!(
        (embargo.clock, &embargo.lapses[..]),
        (Clock::BarredForS(72 * 3_600), &["embargo_lifted".to_string()][..])
    );
    let team = terms("C16", Some("team"));
    assert_eq!(team.bearers[0].filled_by.as_deref(), Some("G1"));
    assert_eq!(terms("C12", None).clock, Clock::BarredUntil);
    assert_eq!(terms("C31", Some("hours")).exceptions[0].1, Instead::Nothing);
    for commitment in accord.commitments() {
        assert!(accord.terms(commitment).is_some(), "{}", commitment.id);
    }
}
