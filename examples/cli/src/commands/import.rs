//! `ibyok import`: imports the values of a `.env` file into the vault.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ibyok_core::{EnvironmentName, policy::Pattern, secrecy::ExposeSecret};
use ibyok_operations::dotenv;
use ibyok_operations::file::{read_secret, read_text, utf8};
use ibyok_operations::import::{self, Original, Outcome, Plan};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Cx, tokens};
use crate::access::{Access, Here};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::identity::is_by_token;
use crate::progress::bar;
use crate::show::clean;
use crate::table::Table;

/// The number of keys from which on a progress bar is worth showing.
const LONG: u64 = 50;

/// The largest file that is read, in bytes.
const FILE_MAX: u64 = 16 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The .env file; `-` reads standard input
    file: PathBuf,
    /// Import into this environment
    #[arg(long, value_name = "ENV")]
    env: String,
    /// Import only variables that match this pattern: `*` matches any characters, `?` one character
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Skip variables that match this pattern
    #[arg(long, value_name = "PATTERN")]
    skip: Vec<String>,
    /// Add a new version to each existing key whose value differs
    #[arg(long)]
    update: bool,
    /// Show the changes without making them
    #[arg(long, conflicts_with = "rewrite")]
    dry_run: bool,
    /// Replace the imported values in the file with references
    #[arg(long)]
    rewrite: bool,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let environment: EnvironmentName = args.env.parse()?;
    let (only, skip) = (tokens::patterns(&args.only)?, tokens::patterns(&args.skip)?);
    let wants = |name: &str| {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        (only.is_empty() || any(&only)) && !any(&skip)
    };
    let (text, mut original) = open(&args, cx)?;
    let parsed = dotenv::parse(&text)?;
    // Everything that can be wrong with the file is found before anything is written.
    let by_token = is_by_token(cx.globals, cx.environment);
    let mut plan = import::make(parsed, &environment, by_token, wants)?;
    say_first(&plan, cx);
    cx.with_vault("import", async |here, cx| {
        must_exist(here, &environment).await?;
        let failure = if args.dry_run {
            let there = here.list(Some(&environment)).await?.whole()?;
            let there: HashSet<String> = there.iter().map(|item| item.name.clone()).collect();
            import::compare(here.session(), &mut plan, &there, args.update).await?;
            None
        } else {
            let bar = progress(cx, plan.count(Outcome::Pending));
            let failure = import::store(here.session(), &mut plan, args.update, || bar.inc(1)).await;
            bar.finish_and_clear();
            failure.map(Error::from)
        };
        let refused = plan.count(Outcome::Refused);
        let original = original.as_mut().filter(|_| refused == 0 && failure.is_none());
        let rewritten = original.is_some();
        if let Some(original) = original {
            rewrite(original, &args.file, &text, &plan, here, cx)?;
        }
        let failure = failure.or_else(|| (refused > 0 && !args.dry_run).then(|| other_values(refused)));
        answer(cx, &plan, rewritten, failure.as_ref())?;
        say_last(cx, &args, &plan);
        failure.map_or(Ok(Exit::Done), Err)
    })
    .await
}

/// Refuses an environment that does not exist, also where the file has nothing for it.
async fn must_exist(here: &Here, environment: &EnvironmentName) -> Result<()> {
    if !here.session().environments().reached().await?.contains(environment) {
        // The list of its keys is refused in the words of every other verb.
        here.list(Some(environment)).await?;
    }
    Ok(())
}

fn other_values(refused: usize) -> Error {
    let what = match refused {
        1 => "1 key has a different value and was not changed".to_owned(),
        _ => format!("{refused} keys have different values and were not changed"),
    };
    Error::Vault(ibyok_core::Error::Conflict { what })
}

/// The file's text, and the file itself where it is to be rewritten.
fn open(args: &Args, cx: &mut Cx<'_>) -> Result<(Zeroizing<String>, Option<Original>)> {
    let limit = usize::try_from(FILE_MAX).unwrap_or(usize::MAX);
    if args.file != Path::new("-") && !args.rewrite {
        return Ok((read_text(&args.file, FILE_MAX)?, None));
    }
    if !args.rewrite {
        let read = read_secret(cx.io.input(), limit, "standard input")?;
        return Ok((utf8(read.expose_secret(), &args.file)?, None));
    }
    if args.file == Path::new("-") {
        return Err(Error::usage(
            "`--rewrite` cannot rewrite standard input",
            "give the path of the file",
        ));
    }
    let mut original = Original::open(&args.file)?;
    let name = format!("`{}`", args.file.display());
    let read = read_secret(&mut original.file, limit, &name)?;
    Ok((utf8(read.expose_secret(), &args.file)?, Some(original)))
}

fn say_first(plan: &Plan, cx: &mut Cx<'_>) {
    for line in plan.notes() {
        cx.io.say(&line);
    }
    for line in plan.left() {
        cx.io.warn(&line);
    }
}

fn rewrite(original: &mut Original, path: &Path, text: &str, plan: &Plan, here: &Here, cx: &mut Cx<'_>) -> Result<()> {
    let references = plan.references(&here.namespace_part());
    let written = dotenv::rewrite(text, &references)?;
    original.replace(text.as_bytes(), written.as_bytes())?;
    say_left_over(path, text, &written, plan, cx)?;
    cx.io
        .warn("if the file was ever committed, git's history still has the old values: rotate those keys");
    Ok(())
}

/// Says whether the file still holds something, and on which lines.
fn say_left_over(path: &Path, text: &str, written: &str, plan: &Plan, cx: &mut Cx<'_>) -> Result<()> {
    let left = import::left_over(text, written, plan)?;
    let path = clean(&path.display().to_string());
    if left.copies.is_empty() {
        cx.io.say(&format!(
            "{path} now holds references; the command kept no copy of the values"
        ));
    } else {
        cx.io.warn(&format!(
            "warning: {path} still holds values that were imported: {}",
            left.copies.join(", ")
        ));
    }
    if !left.values.is_empty() {
        cx.io.warn(&format!(
            "warning: {path} still holds values that were not imported: {}",
            left.values.join(", ")
        ));
    }
    Ok(())
}

fn progress(cx: &Cx<'_>, length: usize) -> ProgressBar {
    match u64::try_from(length) {
        Ok(length) if length >= LONG => bar(cx, "importing", length),
        _ => ProgressBar::hidden(),
    }
}

fn answer(cx: &mut Cx<'_>, plan: &Plan, rewritten: bool, failure: Option<&Error>) -> Result<()> {
    if cx.globals.json {
        let mut document = json!({ "items": plan.entries, "next": null, "rewritten": rewritten });
        if let (Some(failure), Value::Object(fields)) = (failure, &mut document) {
            fields.insert("error".to_owned(), failure.document());
        }
        return cx.io.answer_json(&document);
    }
    let mut table = Table::new(&["LINE", "VARIABLE", "REF", "OUTCOME"]);
    // What was not wanted is counted, and not shown.
    for entry in plan.entries.iter().filter(|entry| entry.outcome != Outcome::Skipped) {
        table.row([
            entry.line.to_string(),
            clean(&entry.variable),
            entry.reference().unwrap_or_else(|| "-".to_owned()),
            entry.outcome.word().to_owned(),
        ]);
    }
    table.print_or(cx.io, "no variables to import")
}

fn say_last(cx: &mut Cx<'_>, args: &Args, plan: &Plan) {
    if let Some(recognised) = plan.recognised() {
        cx.io.say(&recognised);
    }
    for warning in plan.warnings() {
        cx.io.warn(&format!("warning: {warning}"));
    }
    let counts = plan.counts();
    cx.io.say(&if args.dry_run {
        format!("{counts}; nothing was changed")
    } else {
        counts
    });
    for failure in plan.failures() {
        cx.io.warn(&clean(&failure));
    }
    if plan.count(Outcome::Refused) > 0 {
        let kept = if args.rewrite { "; the file was not changed" } else { "" };
        cx.io.warn(&format!(
            "refused keys that have a different value{kept}; `--update` adds a new version to them"
        ));
    }
}
