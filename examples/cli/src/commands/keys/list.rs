//! `ibyok keys list`

use ibyok_api::KeyInfo;
use ibyok_core::EnvironmentName;

use super::shown::COLUMNS;
use crate::access::{Access, Listed};
use crate::commands::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{Parts, Table};

/// The most keys that a list holds in memory, to sort them. A longer list is printed page by page.
const SORTED: usize = 10_000;

pub(super) async fn run(environment: Option<&str>, cx: &mut Cx<'_>) -> Result<Exit> {
    let environment: Option<EnvironmentName> = environment.map(str::parse).transpose()?;
    cx.with_access(async |access, cx| {
        let (mut list, mut next) = access.key_page(environment.as_ref(), None).await?;
        while next.is_some() && list.items.len() < SORTED {
            let (page, after) = access.key_page(environment.as_ref(), next).await?;
            list.append(page);
            next = after;
        }
        match next {
            None => {
                list.items.sort_by(|one, other| one.reference.cmp(&other.reference));
                cx.answer_documents(&list, &COLUMNS, "no keys")
            }
            Some(next) => stream(list, (environment.as_ref(), next), access, cx).await,
        }
    })
    .await
}

/// Prints a long list in the order of the store: one page of it is in memory at a time.
async fn stream(
    first: Listed<KeyInfo>,
    (environment, next): (Option<&EnvironmentName>, String),
    access: &dyn Access,
    cx: &mut Cx<'_>,
) -> Result<Exit> {
    cx.io
        .say(&format!("more than {SORTED} keys, so the list is not sorted"));
    let mut printed = Printed::new(cx.globals.json);
    printed.print(&first, cx)?;
    // Items are printed; what remains says which records are damaged.
    let mut all = first.without_items();
    let mut next = Some(next);
    while let Some(after) = next {
        let (page, following) = access.key_page(environment, Some(after)).await?;
        printed.print(&page, cx)?;
        all.append(page.without_items());
        next = following;
    }
    printed.end(&all, cx)?;
    if let Some(warning) = all.warning() {
        cx.io.warn(&warning);
    }
    Ok(Exit::Done)
}

/// A list of which some pages are printed.
enum Printed {
    /// The text between two items.
    Json(&'static str),
    Table(Parts),
}

impl Printed {
    fn new(json: bool) -> Self {
        match json {
            true => Printed::Json("{\n  \"items\": [\n"),
            false => Printed::Table(Parts::default()),
        }
    }

    fn print(&mut self, page: &Listed<KeyInfo>, cx: &mut Cx<'_>) -> Result<()> {
        match self {
            Printed::Json(before) => {
                cx.io.has_document = true;
                let mut text = String::new();
                for item in &page.items {
                    text.push_str(before);
                    text.push_str(&indented(item.json(), "    "));
                    *before = ",\n";
                }
                cx.io.answer(text.as_bytes())
            }
            Printed::Table(parts) => {
                let items = page.items.iter().map(std::ops::Deref::deref);
                Table::typed(items, &COLUMNS).print_part(cx.io, parts)
            }
        }
    }

    fn end(&self, all: &Listed<KeyInfo>, cx: &mut Cx<'_>) -> Result<()> {
        match self {
            Printed::Json(_) => {
                let rest = indented(&all.rest(), "");
                // The other members follow the items in the same object.
                let rest = rest.trim_start_matches(['{', '\n']);
                cx.io.answer_line(&format!("\n  ],\n{rest}"))
            }
            Printed::Table(_) => all.damaged_lines().iter().try_for_each(|line| cx.io.answer_line(line)),
        }
    }
}

/// A JSON value in lines, each with `indent` before it.
fn indented(value: &serde_json::Value, indent: &str) -> String {
    let lines = format!("{value:#}");
    let lines: Vec<String> = lines.lines().map(|line| format!("{indent}{line}")).collect();
    lines.join("\n")
}
