//! A report as one HTML file, with nothing to be fetched: it can be mailed, kept and printed.
use super::page::{Cell, Page, Row, Section, Table};
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

const STYLE: &str = include_str!("report.css");

/// Lays a page out.
pub fn html(page: &Page) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang=(page.lang) dir=(page.dir) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (page.title) " · " (page.subtitle) }
                style { (PreEscaped(faces())) (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.marking { bdi dir="ltr" { (page.marking) } }
                    h1 { (page.title) }
                    p.of { (page.subtitle) }
                    @for notice in &page.notices { p.notice { (notice) } }
                    dl {
                        @for (name, cells) in &page.facts {
                            div { dt { (name) } dd { (pieces(cells)) } }
                        }
                    }
                }
                main { @for part in &page.sections { (section(part)) } }
                footer { p.marking { bdi dir="ltr" { (page.marking) } } }
            }
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

fn section(section: &Section) -> Markup {
    html! {
        section id=(section.id) {
            h2 { (section.heading) }
            @if section.commands.is_empty() {
                @for text in &section.lead { p { (text) } }
            } @else {
                @for (text, command) in section.lead.iter().zip(&section.commands) {
                    p { (text) }
                    pre dir="ltr" { (command) }
                }
            }
            @if let Some(table) = &section.table { (rows(table)) }
        }
    }
}

fn rows(table: &Table) -> Markup {
    let is_bare = table.head.iter().all(|head| head.text.is_empty());
    html! {
        div.scroll {
            table .bare[is_bare] {
                @if !is_bare {
                    thead { tr { @for head in &table.head { th scope="col" .number[head.is_number] { (head.text) } } } }
                }
                tbody { @for one in &table.rows { (row(one, table)) } }
            }
        }
    }
}

fn row(row: &Row, table: &Table) -> Markup {
    html! {
        tr id=[&row.id] {
            @if row.is_heading {
                th.group scope="rowgroup" colspan=(table.head.len()) { @for cells in &row.cells { (pieces(cells)) } }
            } @else {
                @for (cells, head) in row.cells.iter().zip(&table.head) {
                    td .number[head.is_number] { (pieces(cells)) }
                }
            }
        }
    }
}

/// Pieces of a cell, each on its own line.
fn pieces(cells: &[Cell]) -> Markup {
    html! { @for cell in cells { span class=[cell.state] { (linked(cell)) } " " } }
}

fn linked(cell: &Cell) -> Markup {
    match &cell.link {
        Some(link) => html! { a href={ "#" (link) } { (piece(cell)) } },
        None => piece(cell),
    }
}

fn piece(cell: &Cell) -> Markup {
    if cell.is_code {
        html! { bdi.code dir="ltr" { (cell.text) } }
    } else {
        html! { (cell.text) }
    }
}
