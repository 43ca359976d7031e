//! Writing XML, one way: the same elements, the same bytes.
//!
//! ```text
//! element("num").with("eId", "art_4__num").text("4")     <num eId="art_4__num">4</num>
//! ```
//!
//! An element with text in it stands on one line as it was built, since white space would be text; any other has its
//! children on lines of their own. Nothing is read here.
use std::fmt::Write as _;

/// An element, as it is being built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Element(Element),
    Text(String),
}

pub(super) fn element(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), children: Vec::new() }
}

impl Element {
    pub fn with(mut self, attribute: &'static str, value: impl Into<String>) -> Element {
        self.attributes.push((attribute, value.into()));
        self
    }

    pub fn with_some(self, attribute: &'static str, value: Option<impl Into<String>>) -> Element {
        match value {
            Some(value) => self.with(attribute, value),
            None => self,
        }
    }

    pub fn text(mut self, text: impl Into<String>) -> Element {
        self.children.push(Node::Text(text.into()));
        self
    }

    pub fn child(self, child: Element) -> Element {
        self.children([child])
    }

    pub fn children(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// Whether nothing stands in it.
    pub fn is_bare(&self) -> bool {
        self.children.is_empty()
    }

    /// The document whose root this is.
    pub fn document(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let _ = write!(out, "<{}", self.name);
        for (attribute, value) in &self.attributes {
            let _ = write!(out, " {attribute}=\"{}\"", escaped(value));
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        let is_mixed = self.children.iter().any(|c| matches!(c, Node::Text(_)));
        for child in &self.children {
            if !is_mixed {
                let _ = write!(out, "\n{:width$}", "", width = 2 * (depth + 1));
            }
            match child {
                Node::Element(element) => element.write(out, depth + 1),
                Node::Text(text) => out.push_str(&escaped(text)),
            }
        }
        if !is_mixed {
            let _ = write!(out, "\n{:width$}", "", width = 2 * depth);
        }
        let _ = write!(out, "</{}>", self.name);
    }
}

/// Text as XML 1.0 holds it. What no document may hold, even escaped, becomes U+FFFD: the text came from a file that
/// anybody may have written.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // As they stand, a reader would make spaces of them in an attribute.
            '\n' | '\t' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_its_place_and_its_signs() {
        let p = element("p").text("a < b & ").child(element("b").text("\u{1}c\"")).text(" ");
        let root = element("root").with("eId", "x\ny").child(p).child(element("empty"));
        assert_eq!(
            root.document(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<root eId=\"x&#10;y\">\n  <p>a &lt; b &amp; <b>\u{fffd}c&quot;</b> </p>\n  <empty/>\n</root>\n"
        );
    }
}
