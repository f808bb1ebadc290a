//! The table of `docs/providers.md` is what the catalogue says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

use std::{env, fmt::Write as _, fs};

use ibyok_providers::{Capability, Catalogue, Category, Provider, Shape};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/providers.md");
const MARK: &str = "<!-- the table: written by `UPDATE_DOCS=1 cargo test -p ibyok-providers --test docs` -->\n";

#[test]
fn the_page_lists_every_provider_as_it_is() {
    let page = fs::read_to_string(PAGE).expect("docs/providers.md");
    let (before, written) = page.split_once(MARK).expect("the mark before the table");
    let table = table();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PAGE, format!("{before}{MARK}{table}")).unwrap();
    } else {
        assert!(
            written == table,
            "docs/providers.md is stale: run this test with UPDATE_DOCS=1"
        );
    }
}

fn table() -> String {
    let mut table = format!("\n{} providers.\n", Catalogue::builtin().iter().len());
    for category in Category::ALL {
        writeln!(table, "\n### {}\n", title(category)).unwrap();
        writeln!(table, "| provider | id | variable | keys | mock | by program |").unwrap();
        writeln!(table, "| --- | --- | --- | --- | --- | --- |").unwrap();
        for provider in Catalogue::builtin()
            .iter()
            .filter(|provider| provider.category() == category)
        {
            writeln!(table, "{}", row(provider)).unwrap();
        }
    }
    table
}

fn row(provider: &Provider) -> String {
    let (name, url, id, variable) = (
        provider.name(),
        provider.create_url(),
        provider.id(),
        provider.variable(),
    );
    let can: Vec<_> = provider.capabilities().map(Capability::as_str).collect();
    let can = if can.is_empty() {
        "–".to_owned()
    } else {
        can.join(", ").replace('_', " ")
    };
    let (keys, mock) = (keys(provider), provider.mock_prefix());
    format!("| [{name}]({url}) | `{id}` | `{variable}` | {keys} | `{mock}…` | {can} |")
}

fn keys(provider: &Provider) -> &'static str {
    let recognises = |shape: &Shape| !shape.is_context_only() && !shape.is_public();
    if provider.shapes().iter().any(recognises) {
        "recognised"
    } else if provider.shapes().iter().any(|shape| shape.is_documented()) {
        "with a hint"
    } else {
        "not documented"
    }
}

fn title(category: Category) -> &'static str {
    match category {
        Category::Llm => "Language, speech and image models",
        Category::Search => "Vector stores and search",
        Category::Cloud => "Clouds, hosting and networks",
        Category::Data => "Databases, data platforms and data sources",
        Category::Payment => "Payments and shops",
        Category::Mail => "Mail, SMS and telephony",
        Category::Source => "Source hosting and package registries",
        Category::Operations => "Building, deploying and monitoring",
        Category::Work => "Chat, documents and other tools of teams",
        Category::Maps => "Maps and weather",
        Category::Identity => "Identity and secrets",
        _ => panic!("{category:?} has no title"),
    }
}
