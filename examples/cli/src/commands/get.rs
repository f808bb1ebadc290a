//! `ibyok get`

use std::path::PathBuf;

use data_encoding::BASE64;
use ibyok_core::{keys::WhichVersion, secrecy::ExposeSecret};
use serde::Serialize;
use zeroize::Zeroizing;

use super::Cx;
use crate::access::{Fetched, KeyArgument};
use crate::error::Result;
use crate::exit::Exit;
use ibyok_operations::file::write_private;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    key: String,
    /// Print this version instead of the current one: a number or `pending`
    #[arg(long, value_name = "N|pending", value_parser = parse_version)]
    version: Option<WhichVersion>,
    /// Print this field instead of the key itself
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// Print no line break after the value
    #[arg(short = 'n', long)]
    no_newline: bool,
    /// Write to this file (mode 0600) instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The document that `--json` prints. It holds the value, and is written without a copy in between.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "ref")]
    reference: &'a str,
    version: u32,
    mode: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<&'a str>,
}

/// Parses a version as it is typed.
pub(super) fn parse_version(text: &str) -> Result<WhichVersion, String> {
    text.parse()
        .map_err(|_| "use a number of at least 1, or `pending`".to_owned())
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let key: KeyArgument = args.key.parse()?;
    let field = args.field.as_deref().map(str::parse).transpose()?;
    cx.with_access(async |access, cx| {
        let fetched = key.retrieve(access, args.version, field).await?;
        if fetched.is_mock() {
            cx.io
                .say("this value is a mock, not the key; `ibyok keys show` shows the setting that decided it");
        }
        let text = if cx.globals.json {
            document(&fetched)?
        } else {
            plain(&fetched, args.no_newline)
        };
        match &args.output {
            Some(path) => write_private(path, &text)?,
            None => cx.io.answer(&text)?,
        }
        Ok(Exit::Done)
    })
    .await
}

fn plain(fetched: &Fetched, no_newline: bool) -> Zeroizing<Vec<u8>> {
    let value = fetched.value.expose_secret();
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len() + 1));
    bytes.extend_from_slice(value);
    if !no_newline {
        bytes.push(b'\n');
    }
    bytes
}

fn document(fetched: &Fetched) -> Result<Zeroizing<Vec<u8>>> {
    let text = fetched.value.text().ok();
    let base64 = Zeroizing::new(match text {
        Some(_) => String::new(),
        None => BASE64.encode(fetched.value.expose_secret()),
    });
    let document = Document {
        reference: &fetched.reference,
        version: fetched.version,
        mode: &fetched.mode,
        value: text,
        value_base64: text.is_none().then_some(base64.as_str()),
    };
    // Escaping makes a byte six characters at most, so that the buffer never grows and leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(6 * fetched.value.len() + 1024));
    serde_json::to_writer_pretty(&mut *bytes, &document).map_err(|error| {
        crate::error::Error::failed(format!("cannot write the answer as JSON: {error}"), "this is a bug")
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}
