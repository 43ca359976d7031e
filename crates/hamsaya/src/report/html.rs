//! A report as one HTML file, with nothing to be fetched: it can be mailed, kept and printed.
use super::page::{Cell, Page, Row, Section, Table};
use crate::sheet;
use maud::{Markup, html};

const STYLE: &str = include_str!("report.css");

/// Lays a page out.
pub fn html(page: &Page) -> String {
    let body = html! {
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
    };
    sheet::html(page.lang, page.dir, &format!("{} · {}", page.title, page.subtitle), STYLE, &body)
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
