//! `ibyok providers`: the catalogue of providers, which the vault uses to recognise keys.

use ibyok_core::providers::{Catalogue, Provider};
use ibyok_operations::providers::find;
use serde_json::{Value, json};

use super::Cx;
use crate::error::Result;
use crate::exit::Exit;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the providers whose keys the vault recognises
    List,
    /// Show a provider: the shapes of its keys, its usual variables, and its pages to create and revoke keys
    Show {
        /// The provider's id or name, for example `openai`
        #[arg(value_name = "NAME")]
        name: String,
    },
}

const COLUMNS: [(&str, &str); 4] = [
    ("ID", "id"),
    ("NAME", "name"),
    ("CATEGORY", "category"),
    ("VARIABLE", "variable"),
];

const FACTS: [(&str, &str); 8] = [
    ("id", "id"),
    ("name", "name"),
    ("category", "category"),
    ("variables", "variables"),
    ("mock", "mock_prefix"),
    ("create a key", "create_url"),
    ("revoke a key", "revoke_url"),
    ("note", "note"),
];

pub(super) fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::List => {
            let items: Vec<Value> = Catalogue::builtin().iter().map(document).collect();
            cx.answer_list(items, &COLUMNS, "no providers")
        }
        Verb::Show { name } => show(&name, cx),
    }
}

fn show(name: &str, cx: &mut Cx<'_>) -> Result<Exit> {
    let provider = find(name)?;
    cx.answer_one(&document(provider), &FACTS)?;
    if !cx.globals.json {
        for shape in provider.shapes() {
            let context = if shape.is_context_only() {
                "  (recognised only near its variable or name)"
            } else if shape.is_public() {
                "  (public by design; a scan ignores it)"
            } else {
                ""
            };
            let line = format!("shape         {}{context}", shape.pattern());
            cx.io.answer_line(&crate::show::clean(&line))?;
        }
    }
    Ok(Exit::Done)
}

fn document(provider: &Provider) -> Value {
    let shapes = provider.shapes().iter().map(|shape| {
        json!({
            "pattern": shape.pattern(),
            "example": shape.example(),
            "context_only": shape.is_context_only(),
            "documented": shape.is_documented(),
            "public": shape.is_public(),
        })
    });
    json!({
        "id": provider.id(),
        "name": provider.name(),
        "category": provider.category().as_str(),
        "variable": provider.variable(),
        "variables": provider.variables().collect::<Vec<_>>(),
        "mock_prefix": provider.mock_prefix(),
        "create_url": provider.create_url(),
        "revoke_url": provider.revoke_url(),
        "note": provider.note(),
        "shapes": shapes.collect::<Vec<_>>(),
    })
}
