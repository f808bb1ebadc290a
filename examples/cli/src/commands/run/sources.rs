//! Gathers the contents of a program's variables, and the places that name them.

use std::collections::BTreeMap;
use std::path::Path;

use ibyok_core::{
    EnvironmentName, KeyRef,
    keys::{VariableKind, WhichVersion, reaches_browsers},
    policy::Pattern,
    secrecy::ExposeSecret,
};
use ibyok_operations::dotenv;
use ibyok_operations::run::{self, parse_pair};
use zeroize::Zeroizing;

use super::{Args, Held, Variables};
use crate::access::{Access, Fetched, KeyArgument};
use crate::commands::fetch::{self, Wanted};
use crate::commands::{Cx, import, tokens};
use crate::error::{Error, Result};

/// The largest `--env-file`, in bytes.
const ENV_FILE_MAX: u64 = 16 << 20;

/// The content that a variable is to have.
pub(super) enum Source {
    /// This text.
    Plain(Zeroizing<String>),
    /// This key's value.
    Key(KeyArgument),
    /// This key's value, of a key that was listed, and with it whether it has a pending version.
    Listed(KeyRef),
}

impl Source {
    fn is_a_key(&self) -> bool {
        matches!(self, Source::Key(_) | Source::Listed(_))
    }
}

/// Variables, and the source of each value.
pub(super) type Sources = BTreeMap<String, Source>;

/// Later sources win: environments, a project's keys, files, our own variables, single keys.
///
/// # Errors
/// [`Error::Usage`] for requests that make no sense, and the errors of listing an environment.
pub(super) async fn gather(
    args: &Args,
    project: Option<run::Project>,
    access: &dyn Access,
    cx: &mut Cx<'_>,
) -> Result<Sources> {
    let mut gathered = Sources::new();
    let mut environments = args
        .env
        .iter()
        .map(|name| name.parse())
        .collect::<Result<Vec<EnvironmentName>, _>>()?;
    let (mut keys, mut by_project) = (Vec::new(), false);
    if let Some(project) = project {
        cx.io.say(&format!(
            "keys as {} says",
            crate::show::clean(&project.path.display().to_string())
        ));
        environments.extend(project.environment);
        keys = project.keys;
        by_project = true;
    }
    let said = !(environments.is_empty() && args.env_file.is_empty());
    for environment in &environments {
        gathered.extend(whole(access, cx, environment, args).await?);
    }
    gathered.extend(
        keys.into_iter()
            .map(|(variable, key)| (variable, Source::Key(KeyArgument::Reference(key)))),
    );
    if by_project {
        // Who starts a program in a directory sees what its file hands out.
        let handed: Vec<String> = gathered
            .iter()
            .filter_map(|(variable, source)| handed(variable, source))
            .collect();
        cx.io.say(&format!("the program receives {}", handed.join(", ")));
    }
    for path in &args.env_file {
        gathered.extend(file(path, cx)?);
    }
    own(cx, &mut gathered)?;
    for pair in &args.key {
        let (variable, source) = single(pair)?;
        gathered.insert(variable, source);
    }
    for (variable, _) in gathered.iter().filter(|(_, source)| source.is_a_key()) {
        if let Some(tool) = reaches_browsers(variable) {
            cx.io.warn(&format!(
                "warning: {tool} copies `{variable}` into the code that it sends to browsers, where everybody can read it"
            ));
        }
    }
    if gathered.is_empty() && !said {
        return Err(Error::usage(
            "no keys are given for the program",
            "give `--env`, `--env-file` or `--key`, or write a `.ibyok.toml`",
        ));
    }
    Ok(gathered)
}

fn handed(variable: &str, source: &Source) -> Option<String> {
    match source {
        Source::Key(KeyArgument::Reference(key)) | Source::Listed(key) => Some(format!("{variable} ({key})")),
        _ => None,
    }
}

/// Every key of an environment, or those whose names match.
async fn whole(access: &dyn Access, cx: &mut Cx<'_>, environment: &EnvironmentName, args: &Args) -> Result<Sources> {
    let only: Vec<Pattern> = tokens::patterns(&args.only)?;
    let wants = |name: &str| only.is_empty() || only.iter().any(|pattern| pattern.matches(name));
    let wanted = fetch::of_environment(access, cx, environment, wants).await?;
    let mut sources = Sources::default();
    for one in wanted {
        let pending = args.version.is_some() && one.has_pending;
        let key = if pending {
            one.key.at_version(WhichVersion::Pending)
        } else {
            one.key
        };
        sources.insert(one.variable, Source::Listed(key));
    }
    Ok(sources)
}

/// A `VAR=REF`.
fn single(pair: &str) -> Result<(String, Source)> {
    let (variable, reference) = parse_pair(pair)?;
    Ok((variable.to_owned(), Source::Key(reference.parse()?)))
}

fn file(path: &Path, cx: &mut Cx<'_>) -> Result<Sources> {
    let text = import::read_file(path, ENV_FILE_MAX)?;
    let parsed = dotenv::parse(&text)?;
    let shown = crate::show::clean(&path.display().to_string());
    dotenv::each_once(parsed.assignments.iter().map(|a| (a.variable.as_str(), a.line)))?;
    let mut sources = Sources::new();
    for assignment in &parsed.assignments {
        let (line, variable) = (assignment.line, crate::show::clean(&assignment.variable));
        if assignment.variable.starts_with("IBYOK_") {
            return Err(Error::usage(
                format!("`{shown}` sets `{variable}`, which is reserved for IBYOK and is not passed to programs"),
                "remove it from the file, and set it in the environment of `ibyok`",
            ));
        }
        if !dotenv::is_one_word(&assignment.variable) {
            let hint = "a line is `NAME=value`, a comment, or empty";
            return Err(Error::usage(format!("line {line} is not an assignment"), hint));
        }
        if VariableKind::of(&assignment.variable) == VariableKind::Malformed {
            cx.io.warn(&format!(
                "warning: {shown}, line {line}: skipped `{variable}`: it is not the name of a variable"
            ));
            continue;
        }
        assignment.undisputed()?;
        let source = source(&assignment.variable, &assignment.value)?;
        sources.insert(assignment.variable.clone(), source);
    }
    say_remarks(&parsed, &sources, cx);
    Ok(sources)
}

/// Prints the notes about the values of a file.
fn say_remarks(parsed: &dotenv::Parsed, sources: &Sources, cx: &mut Cx<'_>) {
    for (has, said) in dotenv::WORDS {
        let there = parsed.assignments.iter().filter(|a| sources.contains_key(&a.variable));
        let named: Vec<String> = there
            .filter(|a| has(&a.remarks))
            .map(|a| format!("{} (line {})", crate::show::clean(&a.variable), a.line))
            .collect();
        if !named.is_empty() {
            cx.io.say(&format!("{said}: {}", named.join(", ")));
        }
    }
}

/// Our own variables win over the gathered ones: references among them are resolved, others pass unchanged.
fn own(cx: &mut Cx<'_>, gathered: &mut Sources) -> Result<()> {
    for (variable, value) in cx
        .environment
        .iter()
        .filter(|(variable, _)| !variable.starts_with("IBYOK_"))
    {
        if run::Source::is_reference(value) {
            gathered.insert(variable.clone(), source(variable, value)?);
        } else if let Some(Source::Key(_) | Source::Listed(_)) = gathered.remove(variable) {
            cx.io
                .say(&format!("kept {variable} from the environment; it overrides the file"));
        }
    }
    Ok(())
}

fn source(variable: &str, value: &str) -> Result<Source> {
    Ok(match run::Source::of(variable, value)? {
        run::Source::Plain(text) => Source::Plain(text),
        run::Source::Key(key) => Source::Key(KeyArgument::Reference(key)),
    })
}

/// Retrieves all values, or none. With `pending`, retrieves the pending version of each key that has one.
///
/// # Errors
/// As [`Access::retrieve`]; [`Error::Usage`] for a value that no variable can hold.
pub(super) async fn resolve(
    access: &dyn Access,
    sources: Sources,
    pending: bool,
    cx: &mut Cx<'_>,
) -> Result<Variables> {
    let mut variables = Variables::new();
    let (mut wanted, mut staged, mut mocks) = (Vec::new(), Vec::new(), Vec::new());
    for (variable, source) in sources {
        match source {
            Source::Plain(mut text) => {
                let bytes = Zeroizing::new(std::mem::take(&mut *text).into_bytes());
                variables.insert(variable, Held { bytes, is_key: false });
            }
            Source::Listed(key) => wanted.push(Wanted {
                has_pending: false,
                key,
                variable,
            }),
            Source::Key(KeyArgument::Reference(key)) => wanted.push(Wanted {
                // Whether there is one shows when it is asked for.
                has_pending: pending && key.version().is_current(),
                key,
                variable,
            }),
            // Whose name is not known, and need not be.
            Source::Key(id) => {
                let (fetched, is_pending) = by_id(access, &id, pending).await?;
                if is_pending {
                    staged.push(label(&fetched));
                }
                mocks.extend(is_mock(&fetched));
                variables.insert(variable.clone(), os_value(&variable, &fetched)?);
            }
        }
    }
    for (variable, fetched, is_pending) in fetch::all(access, &wanted).await? {
        if is_pending {
            staged.push(label(&fetched));
        }
        mocks.extend(is_mock(&fetched));
        variables.insert(variable.clone(), os_value(&variable, &fetched)?);
    }
    if !mocks.is_empty() {
        cx.io
            .say(&format!("these values are mocks, not the keys: {}", mocks.join(", ")));
    }
    if pending {
        // A test of nothing new must not look like one.
        cx.io.say(&match staged.as_slice() {
            [] => "no key has a pending version; the program uses current versions".to_owned(),
            staged => format!("pending: {}", staged.join(", ")),
        });
    }
    Ok(variables)
}

/// The value of a key that is known by its id; with `pending`, of its pending version if it has one. With it goes whether it is.
async fn by_id(access: &dyn Access, id: &KeyArgument, pending: bool) -> Result<(Fetched, bool)> {
    if pending {
        match id.retrieve(access, Some(WhichVersion::Pending), None).await {
            Ok(fetched) => return Ok((fetched, true)),
            Err(error) if error.code() == "not_found" => {}
            Err(error) => return Err(error),
        }
    }
    Ok((id.retrieve(access, None, None).await?, false))
}

fn label(fetched: &Fetched) -> String {
    format!("{} (version {})", fetched.reference, fetched.version)
}

fn is_mock(fetched: &Fetched) -> Option<String> {
    (fetched.mode == "mock").then(|| fetched.reference.clone())
}

fn os_value(variable: &str, fetched: &Fetched) -> Result<Held> {
    let bytes = fetched.value.expose_secret();
    if bytes.contains(&0) {
        return Err(Error::usage(
            format!(
                "cannot set {variable}: the value of `{}` holds a NUL character",
                fetched.reference
            ),
            "write the value to a file with `ibyok get REF -n -o FILE`",
        ));
    }
    Ok(Held {
        bytes: Zeroizing::new(bytes.to_vec()),
        is_key: true,
    })
}
