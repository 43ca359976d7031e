//! A page as one HTML file, with nothing to be fetched: it can be mailed, kept and printed.
//!
//! ```text
//! html("ps", "rtl", "راپور", STYLE, &body)      typeface and style inside, nothing runs
//! ```
//!
//! Reports and agreements are laid out on it; `pdf` prints it.
pub mod pdf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Subsets of the interface's typeface, with what of Unicode each draws.
const FACES: [(&str, &str); 2] = [
    (
        "arabic",
        "U+0600-06FF,U+0750-077F,U+0870-088E,U+0890-0891,U+0897-08E1,U+08E3-08FF,U+200C-200E,U+2010-2011,U+204F,U+2E41,U+FB50-FDFF,U+FE70-FE74,U+FE76-FEFC",
    ),
    ("latin", "U+0000-00FF,U+2000-206F,U+20AC,U+2122,U+2191,U+2193,U+2212"),
];

/// Nothing runs, nothing is fetched.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; font-src data:";

/// What all pages share.
const STYLE: &str = include_str!("sheet/sheet.css");

/// Lays a page out, with a style of its own.
pub fn html(lang: &str, dir: &str, title: &str, style: &str, body: &Markup) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang=(lang) dir=(dir) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(faces())) (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body { (body) }
        }
    };
    markup.into_string()
}

/// The typeface inside the file; without a console built into the command, the reader's own typeface must do.
fn faces() -> String {
    let face = |(subset, range): &(&str, &str)| {
        let font = BASE64.encode(hamsaya_node::api::typeface(subset)?);
        let source = format!("url(data:font/woff2;base64,{font}) format(\"woff2\")");
        Some(format!("@font-face{{font-family:Vazirmatn;font-weight:100 900;src:{source};unicode-range:{range}}}\n"))
    };
    FACES.iter().filter_map(face).collect()
}
