//! Akoma Ntoso 3.0, as `http://docs.oasis-open.org/legaldocml/ns/akn/3.0` defines it.
//!
//! ```text
//! <akomaNtoso><act name="agreement">
//!   <meta>   identification (work, expression in one language, manifestation), lifecycle, where the rules are, members
//!   <preface>   the title
//!   <body>   <article eId="art_4"><num/><heading/><intro/><paragraph eId="art_4__para_14"><num/><heading/><content/>
//! ```
use super::xml::{Element, element};
use super::{day, work};
use crate::block::Item;
use crate::keywords;
use crate::source::{Agreement, Article, MemberRole, Paragraph, hex};
use std::collections::BTreeSet;

const NAMESPACE: &str = "http://docs.oasis-open.org/legaldocml/ns/akn/3.0";
/// Of what stands under `proprietary`.
const OURS: &str = "urn:hamsaya:agreement:v1";
/// Who says what the metadata say: the software.
const SOURCE: &str = "#hamsaya";

pub(super) fn document(agreement: &Agreement, language: &str) -> Element {
    let title = agreement.title().get(language).cloned().unwrap_or_default();
    // The schema lets a language stand on parts alone.
    let preface =
        element("preface").with("xml:lang", language).child(element("p").child(element("docTitle").text(title)));
    let articles = agreement.articles().iter().map(|a| article(a, language));
    element("akomaNtoso").with("xmlns", NAMESPACE).child(
        element("act")
            .with("name", "agreement")
            .with("contains", "originalVersion")
            .child(meta(agreement, language))
            .child(preface)
            .child(element("body").with("xml:lang", language).children(articles)),
    )
}

fn meta(agreement: &Agreement, language: &str) -> Element {
    let lifecycle = element("lifecycle").with("source", SOURCE).child(
        element("eventRef")
            .with("eId", "meta__lifecycle__eventRef_1")
            .with("date", day(agreement))
            .with("type", "generation")
            .with("source", SOURCE),
    );
    let analysis = element("analysis").with("source", SOURCE).child(rules(agreement));
    element("meta")
        .child(identification(agreement, language))
        .child(lifecycle)
        .child(analysis)
        .child(references(agreement))
        .child(proprietary(agreement, language))
}

/// One text in several languages is one work with several expressions. That of drafts is not authoritative.
fn identification(agreement: &Agreement, language: &str) -> Element {
    let work = work(agreement);
    let expression = format!("{work}/{}@{}", three_letters(language), day(agreement));
    let author = |href: String| element("FRBRauthor").with("href", href);
    let parties = agreement.members().iter().filter(|m| m.role == MemberRole::Party);
    let parties: Vec<Element> = parties.map(|m| author(format!("#{}", identifier(&m.name)))).collect();
    let level = |name, this: String, uri: String, authors: &[Element]| {
        let name_of_date = if agreement.in_force().is_some() { "inForce" } else { "undated" };
        element(name)
            .child(element("FRBRthis").with("value", this))
            .child(element("FRBRuri").with("value", uri))
            .child(element("FRBRdate").with("date", day(agreement)).with("name", name_of_date))
            .children(authors.to_vec())
    };
    let is_draft = drafts(agreement, language).next().is_some();
    let with = |name, value: &str| element(name).with("value", value);
    element("identification")
        .with("source", SOURCE)
        .child(level("FRBRWork", format!("{work}/!main"), work.clone(), &parties).child(with("FRBRcountry", "xx")))
        .child(
            level("FRBRExpression", format!("{expression}/!main"), expression.clone(), &parties)
                .child(with("FRBRauthoritative", if is_draft { "false" } else { "true" }))
                .child(element("FRBRlanguage").with("language", three_letters(language))),
        )
        .child(
            level(
                "FRBRManifestation",
                format!("{expression}/!main.xml"),
                format!("{expression}.akn"),
                &[author(SOURCE.into())],
            )
            .child(with("FRBRformat", "application/akn+xml")),
        )
}

/// Of every commitment, and of every definition that a rule may use: where it stands, and its rule's place in the other
/// document.
fn rules(agreement: &Agreement) -> Element {
    let rules = format!("{}/!rules", work(agreement));
    let reference = |address: &str, key: &str| {
        element("alternativeReference").with("for", format!("#{address}")).with("href", format!("{rules}#{key}"))
    };
    let commitments = agreement.commitments().iter().map(|c| reference(&c.address, &key(&c.id, c.part.as_deref())));
    let definitions = definitions(agreement);
    let definitions = definitions.iter().map(|(address, name)| reference(address, &definition_key(name)));
    element("otherReferences").with("source", SOURCE).children(commitments).children(definitions)
}

/// `C16.access`: what the rules' document calls a commitment or a part.
pub(super) fn key(id: &str, part: Option<&str>) -> String {
    part.map_or(id.to_string(), |part| format!("{id}.{part}"))
}

pub(super) fn definition_key(name: &str) -> String {
    format!("def.{name}")
}

/// Addresses and names of what rule blocks define, sorted, each once: a definition may have several cases.
fn definitions(agreement: &Agreement) -> BTreeSet<(String, String)> {
    let placed = agreement.items().iter().filter_map(|source| {
        let name = match &source.item {
            Item::Define(define) => &define.name,
            Item::Assert(assert) => &assert.name,
            Item::Broken(_) | Item::Commitment(_) => return None,
        };
        Some((standing(agreement, &source.file, name.at.line)?, name.name.clone()))
    });
    placed.collect()
}

/// Address of the paragraph, or else the article, under which a line of a file stands.
pub(super) fn standing(agreement: &Agreement, file: &str, line: usize) -> Option<String> {
    let article = agreement.articles().iter().find(|a| a.file == file)?;
    let above = article.paragraphs.iter().rev().find(|p| p.line < line);
    Some(above.map_or(&article.address, |p| &p.address).clone())
}

fn references(agreement: &Agreement) -> Element {
    let ontology = |kind, class: &str, name: &str| {
        element(kind)
            .with("eId", identifier(name))
            .with("href", format!("/akn/ontology/{class}/xx/{}", identifier(name)))
            .with("showAs", name)
    };
    let members = agreement.members().iter().map(|m| ontology("TLCOrganization", "organization", &m.name));
    let software = element("TLCOrganization")
        .with("eId", "hamsaya")
        .with("href", "/akn/ontology/organization/xx/hamsaya")
        .with("showAs", "Hamsaya");
    element("references").with("source", SOURCE).children(members).child(software)
}

fn proprietary(agreement: &Agreement, language: &str) -> Element {
    let drafts = drafts(agreement, language).map(|a| element("h:needsReview").with("href", format!("#{a}")));
    element("proprietary")
        .with("source", SOURCE)
        .with("xmlns:h", OURS)
        .child(element("h:digest").with("algorithm", "sha256").text(hex(&agreement.digest())))
        .children(drafts)
}

/// Addresses whose title or text in this language is a draft.
fn drafts<'a>(agreement: &'a Agreement, language: &'a str) -> impl Iterator<Item = &'a str> {
    agreement.articles().iter().flat_map(move |article| {
        let own = article.drafts.contains(language).then_some(article.address.as_str());
        let below = article.paragraphs.iter().filter(|p| p.drafts.contains(language));
        own.into_iter().chain(below.map(|p| p.address.as_str()))
    })
}

fn article(article: &Article, language: &str) -> Element {
    let number = article.address.trim_start_matches("art_");
    let title = article.title.get(language).map(String::as_str);
    let (num, heading) = title.map_or((number, None), |title| numbered(title, number));
    let mut out = element("article").with("eId", &article.address).child(element("num").text(num));
    out = out.children(heading.map(|h| element("heading").text(h)));
    let text = article.text.get(language).map(String::as_str).unwrap_or_default();
    if article.paragraphs.is_empty() {
        return out.child(content("content", &article.address, text));
    }
    if !text.trim().is_empty() {
        out = out.child(content("intro", &article.address, text));
    }
    out.children(article.paragraphs.iter().map(|p| paragraph(p, language)))
}

/// `Article 4 - Territory`: `Article 4` and `Territory`. A title without its number is only a title.
fn numbered<'t>(title: &'t str, number: &'t str) -> (&'t str, Option<&'t str>) {
    match title.split_once(" - ") {
        Some((num, heading)) if num.rsplit(' ').next() == Some(number) => (num, Some(heading.trim())),
        _ => (number, Some(title)),
    }
}

fn paragraph(paragraph: &Paragraph, language: &str) -> Element {
    let mut out = element("paragraph").with("eId", &paragraph.address);
    if !paragraph.number.is_empty() {
        out = out.child(element("num").text(&paragraph.number));
    }
    if let Some(title) = paragraph.title.get(language) {
        out = out.child(element("heading").text(title));
    }
    let text = paragraph.text.get(language).map(String::as_str).unwrap_or_default();
    out.child(content("content", &paragraph.address, text))
}

/// Blocks of a text. Its lines were broken for the file's sake; a blank line parts two blocks.
fn content(name: &'static str, address: &str, text: &str) -> Element {
    let eid = format!("{address}__{name}");
    let blocks = text.split("\n\n").map(|b| b.split_whitespace().collect::<Vec<_>>().join(" "));
    let blocks = blocks.filter(|b| !b.is_empty()).enumerate();
    let blocks: Vec<Element> =
        blocks.map(|(n, b)| words(element("p").with("eId", format!("{eid}__p_{}", n + 1)), &b)).collect();
    let out = element(name).with("eId", &eid).children(blocks);
    // The format wants a block in every content: a text that is missing is an empty one.
    if out.is_bare() { out.child(element("p").with("eId", format!("{eid}__p_1"))) } else { out }
}

/// Words with the codes among them, which stand between backticks.
fn words(block: Element, text: &str) -> Element {
    text.split('`').enumerate().filter(|(_, piece)| !piece.is_empty()).fold(block, |block, (n, piece)| match n % 2 {
        0 => block.text(piece),
        _ => block.child(element("span").with("class", "code").text(piece)),
    })
}

/// A name as an `eId` may be.
pub(super) fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Languages are named by the three letters of ISO 639-2; `xml:lang` keeps the tag with its region.
fn three_letters(language: &str) -> &str {
    match keywords::LANGUAGES.iter().position(|l| *l == language) {
        Some(n) => ["eng", "fas", "pus", "urd"][n],
        None => language,
    }
}
