//! An agreement in the formats that other people's legal tools read.
//!
//! ```text
//! akoma_ntoso(&agreement, "ps")    the text, one document per language      <article eId="art_4"> … <paragraph eId="art_4__para_14">
//! legalruleml(&agreement)          the rules, beside it                     <lrml:PrescriptiveStatement key="C14"> …
//! ```
//!
//! Both are what [`Agreement`] says, in another form, and the same agreement gives the same bytes. Text and rules stay two
//! documents: a rule names the paragraph that it stands under, and a paragraph the rules under it, by address. Nothing is
//! read back; the folder is the agreement.
mod akn;
mod legalruleml;
mod xml;

use crate::source::Agreement;

/// The text in one language, as an Akoma Ntoso 3.0 document (OASIS LegalDocML): articles, paragraphs, and of every rule
/// that stands under one where to find it. A title or text that is missing in this language is left out, never replaced.
///
/// What the format has no place for stands under `proprietary`: the digest that names the agreement, and which addresses
/// hold drafts that no native lawyer has read.
pub fn akoma_ntoso(agreement: &Agreement, language: &str) -> String {
    akn::document(agreement, language).document()
}

/// The rules, as a LegalRuleML 1.0 document (OASIS) in its compact form: every commitment with whom it binds and toward whom,
/// its clock, its exceptions and remedies, and every definition. Each statement names the paragraph that it renders by its
/// address in [`akoma_ntoso`]. docs/reference/interchange.md says what the format cannot carry.
pub fn legalruleml(agreement: &Agreement) -> String {
    legalruleml::document(agreement).document()
}

/// Names the agreement among works of law, whatever its language and form: `/akn/xx/act/2026-11-01/the-hamsaya-accord`.
/// `xx`: ISO 3166 leaves it to its users, and gives it to no country. An agreement that does not say when it binds has the
/// first day there is.
fn work(agreement: &Agreement) -> String {
    let title = agreement.title();
    let named = title.get("en").or_else(|| title.values().next()).map(String::as_str).unwrap_or_default();
    let words = named.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    let slug = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    format!("/akn/xx/act/{}/{}", day(agreement), if slug.is_empty() { "agreement" } else { &slug })
}

fn day(agreement: &Agreement) -> String {
    let bound = agreement.in_force().map(|instant| instant.to_string());
    bound.and_then(|instant| Some(instant.split_once('T')?.0.to_string())).unwrap_or("0001-01-01".into())
}
