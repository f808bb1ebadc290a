//! The variables of a program: their sources, and their values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ibyok_core::{
    EnvironmentName, KeyRef,
    keys::{VariableKind, WhichVersion, reaches_browsers},
    policy::Pattern,
    secrecy::ExposeSecret,
};
use ibyok_operations::run::{self, Project, parse_pair};
use ibyok_operations::{dotenv, file};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::fetch::{Wanted, of_environment, retrieve_all};
use crate::{Access, Fetched, KeyArgument, Note};

/// The largest `.env` file, in bytes.
const ENV_FILE_MAX: u64 = 16 << 20;

/// The request for the variables of a program.
#[derive(Default)]
#[expect(clippy::exhaustive_structs, reason = "a caller builds it from its own flags")]
pub struct VariableRequest<'a> {
    /// The environments of which the program gets every key that the caller may read.
    pub environments: Vec<EnvironmentName>,
    /// The file of the program's project.
    pub project: Option<Project>,
    /// `.env` files. References in them are resolved.
    pub files: &'a [PathBuf],
    /// The caller's own environment. References in it are resolved, and its variables override files.
    pub own: Option<&'a BTreeMap<String, String>>,
    /// `VAR=REF`: a variable and its key.
    pub pairs: &'a [String],
    /// The names of keys that `environments` hands out; empty for all.
    pub only: Vec<Pattern>,
    /// True to use the pending version of each key that has one.
    pub pending: bool,
}

/// The value of a variable. It is wiped.
#[non_exhaustive]
pub struct Held {
    /// The value.
    pub bytes: Zeroizing<Vec<u8>>,
    /// True if the value is a key's, false if it is text of a file.
    pub is_key: bool,
}

/// Variables with their values.
pub type Variables = BTreeMap<String, Held>;

/// The content that a variable is to have.
enum Source {
    /// This text.
    Plain(Zeroizing<String>),
    /// This key's value.
    Key(KeyArgument),
    /// The value of a key that was listed.
    Listed(KeyRef),
}

impl Source {
    fn is_a_key(&self) -> bool {
        matches!(self, Source::Key(_) | Source::Listed(_))
    }
}

/// Variables, and the source of each value.
type Sources = BTreeMap<String, Source>;

/// Retrieves the values of a program's variables: all of them, or none. Passes notes to `tell`.
///
/// Later sources override earlier ones: environments, the project's keys, files, the caller's own variables, single keys.
///
/// # Errors
/// [`Error::Invalid`] for a request that names no key, for a file that is no `.env` file, and for a value that no variable can hold. The
/// errors of listing an environment and of [`Access::retrieve`].
pub async fn variables(
    access: &dyn Access,
    request: VariableRequest<'_>,
    tell: &mut dyn FnMut(Note),
) -> Result<Variables> {
    let pending = request.pending;
    let sources = gather(access, request, tell).await?;
    resolve(access, sources, pending, tell).await
}

async fn gather(access: &dyn Access, request: VariableRequest<'_>, tell: &mut dyn FnMut(Note)) -> Result<Sources> {
    let VariableRequest {
        mut environments,
        project,
        files,
        own,
        pairs,
        only,
        pending,
    } = request;
    let mut gathered = Sources::new();
    let (mut keys, by_project) = (Vec::new(), project.is_some());
    if let Some(project) = project {
        tell(Note::Info(format!("keys as {} says", project.path.display())));
        environments.extend(project.environment);
        keys = project.keys;
    }
    let said = !(environments.is_empty() && files.is_empty());
    for environment in &environments {
        gathered.extend(whole(access, environment, &only, pending, tell).await?);
    }
    let keys = keys.into_iter();
    gathered.extend(keys.map(|(variable, key)| (variable, Source::Key(KeyArgument::Reference(key)))));
    if by_project {
        // A person who starts a program in a directory sees the keys that its file hands out.
        let handed: Vec<String> = gathered.iter().filter_map(handed).collect();
        tell(Note::Info(format!("the program receives {}", handed.join(", "))));
    }
    for path in files {
        gathered.extend(of_file(path, tell)?);
    }
    if let Some(own) = own {
        add_own(own, &mut gathered, tell)?;
    }
    for pair in pairs {
        let (variable, reference) = parse_pair(pair)?;
        gathered.insert(variable.to_owned(), Source::Key(reference.parse()?));
    }
    for (variable, _) in gathered.iter().filter(|(_, source)| source.is_a_key()) {
        if let Some(tool) = reaches_browsers(variable) {
            tell(Note::Warning(format!(
                "warning: {tool} copies `{variable}` into the code that it sends to browsers, where everybody can read it"
            )));
        }
    }
    if gathered.is_empty() && !said {
        return Err(Error::invalid(
            "no keys are given for the program",
            "give `--env`, `--env-file` or `--key`, or write a `.ibyok.toml`",
        ));
    }
    Ok(gathered)
}

fn handed((variable, source): (&String, &Source)) -> Option<String> {
    match source {
        Source::Key(KeyArgument::Reference(key)) | Source::Listed(key) => Some(format!("{variable} ({key})")),
        Source::Key(KeyArgument::Id(_)) | Source::Plain(_) => None,
    }
}

/// Returns every key of an environment, or those whose names match.
async fn whole(
    access: &dyn Access,
    environment: &EnvironmentName,
    only: &[Pattern],
    pending: bool,
    tell: &mut dyn FnMut(Note),
) -> Result<Sources> {
    let wants = |name: &str| only.is_empty() || only.iter().any(|pattern| pattern.matches(name));
    let wanted = of_environment(access, environment, wants, tell).await?;
    let source = |one: Wanted| {
        let key = match pending && one.has_pending {
            true => one.key.at_version(WhichVersion::Pending),
            false => one.key,
        };
        (one.variable, Source::Listed(key))
    };
    Ok(wanted.into_iter().map(source).collect())
}

fn of_file(path: &Path, tell: &mut dyn FnMut(Note)) -> Result<Sources> {
    let text = file::read_text(path, ENV_FILE_MAX)?;
    let parsed = dotenv::parse(&text)?;
    let shown = path.display();
    dotenv::each_once(parsed.assignments.iter().map(|a| (a.variable.as_str(), a.line)))?;
    let mut sources = Sources::new();
    for assignment in &parsed.assignments {
        let (line, variable) = (assignment.line, &assignment.variable);
        if variable.starts_with("IBYOK_") {
            return Err(Error::invalid(
                format!("`{shown}` sets `{variable}`, which is reserved for IBYOK and is not passed to programs"),
                "remove it from the file, and set it in the environment of `ibyok`",
            ));
        }
        if !dotenv::is_one_word(variable) {
            let hint = "a line is `NAME=value`, a comment, or empty";
            return Err(Error::invalid(format!("line {line} is not an assignment"), hint));
        }
        if VariableKind::of(variable) == VariableKind::Malformed {
            tell(Note::Warning(format!(
                "warning: {shown}, line {line}: skipped `{variable}`: it is not the name of a variable"
            )));
            continue;
        }
        assignment.undisputed()?;
        sources.insert(variable.clone(), source(variable, &assignment.value)?);
    }
    tell_remarks(&parsed, &sources, tell);
    Ok(sources)
}

/// Passes on the remarks about the values of a file.
fn tell_remarks(parsed: &dotenv::Parsed, sources: &Sources, tell: &mut dyn FnMut(Note)) {
    for (has, said) in dotenv::WORDS {
        let there = parsed.assignments.iter().filter(|a| sources.contains_key(&a.variable));
        let named = there.filter(|a| has(&a.remarks));
        let named: Vec<String> = named.map(|a| format!("{} (line {})", a.variable, a.line)).collect();
        if !named.is_empty() {
            tell(Note::Info(format!("{said}: {}", named.join(", "))));
        }
    }
}

/// Resolves references among the caller's own variables. The others override the gathered ones: the program inherits them.
fn add_own(own: &BTreeMap<String, String>, gathered: &mut Sources, tell: &mut dyn FnMut(Note)) -> Result<()> {
    for (variable, value) in own.iter().filter(|(variable, _)| !variable.starts_with("IBYOK_")) {
        if run::Source::is_reference(value) {
            gathered.insert(variable.clone(), source(variable, value)?);
        } else if gathered.remove(variable).is_some_and(|source| source.is_a_key()) {
            tell(Note::Info(format!(
                "kept {variable} from the environment; it overrides the file"
            )));
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

/// The values that were retrieved so far.
#[derive(Default)]
struct Retrieved {
    variables: Variables,
    /// The keys of which the pending version was retrieved.
    staged: Vec<String>,
    /// The keys of which a mock was retrieved.
    mocks: Vec<String>,
}

impl Retrieved {
    fn add(&mut self, variable: String, fetched: &Fetched, is_pending: bool) -> Result<()> {
        if is_pending {
            let label = format!("{} (version {})", fetched.reference, fetched.version);
            self.staged.push(label);
        }
        if fetched.is_mock() {
            self.mocks.push(fetched.reference.clone());
        }
        let value = held(&variable, fetched)?;
        self.variables.insert(variable, value);
        Ok(())
    }
}

async fn resolve(
    access: &dyn Access,
    sources: Sources,
    pending: bool,
    tell: &mut dyn FnMut(Note),
) -> Result<Variables> {
    let (mut retrieved, mut wanted) = (Retrieved::default(), Vec::new());
    for (variable, source) in sources {
        match source {
            Source::Plain(mut text) => {
                let bytes = Zeroizing::new(std::mem::take(&mut *text).into_bytes());
                retrieved.variables.insert(variable, Held { bytes, is_key: false });
            }
            Source::Listed(key) => wanted.push(Wanted::new(variable, key)),
            Source::Key(KeyArgument::Reference(key)) => {
                // The answer to a request for the pending version shows whether there is one.
                let has_pending = pending && key.version().is_current();
                wanted.push(Wanted::new(variable, key).has_pending(has_pending));
            }
            // The name of a key that is known by its id is not needed.
            Source::Key(id) => {
                let (fetched, is_pending) = by_id(access, &id, pending).await?;
                retrieved.add(variable, &fetched, is_pending)?;
            }
        }
    }
    for (variable, fetched, is_pending) in retrieve_all(access, &wanted).await? {
        retrieved.add(variable, &fetched, is_pending)?;
    }
    let Retrieved {
        variables,
        staged,
        mocks,
    } = retrieved;
    if !mocks.is_empty() {
        let mocks = mocks.join(", ");
        tell(Note::Info(format!("these values are mocks, not the keys: {mocks}")));
    }
    if pending {
        // A test of current versions must not look like a test of new ones.
        tell(Note::Info(match staged.as_slice() {
            [] => "no key has a pending version; the program uses current versions".to_owned(),
            staged => format!("pending: {}", staged.join(", ")),
        }));
    }
    Ok(variables)
}

/// Retrieves a key that is known by its id. With `pending`, retrieves its pending version if it has one, and returns true beside it.
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

fn held(variable: &str, fetched: &Fetched) -> Result<Held> {
    let bytes = fetched.value.expose_secret();
    if bytes.contains(&0) {
        let reference = &fetched.reference;
        return Err(Error::invalid(
            format!("cannot set {variable}: the value of `{reference}` holds a NUL character"),
            "write the value to a file with `ibyok get REF -n -o FILE`",
        ));
    }
    Ok(Held {
        bytes: Zeroizing::new(bytes.to_vec()),
        is_key: true,
    })
}
