//! The commands: one file each, and the match that leads to them.

mod attach;
mod attenuate;
mod audit;
mod backup;
mod checklist;
mod completions;
mod confirm;
mod copy;
mod demo;
mod envs;
mod export;
mod get;
mod help;
mod import;
mod incident;
mod init;
mod kek;
mod keys;
mod limits;
mod man;
mod mode;
mod namespaces;
mod providers;
mod restore;
mod rotate;
mod run;
mod scan;
mod serve;
mod status;
mod stop;
mod time;
mod tokens;
mod usage;
mod value;
mod whoami;

use clap::{Parser, Subcommand};

pub(crate) use self::help::parse;
pub(crate) use self::rotate::quiet_for;
use self::stop::StopSignals;

use ibyok_api::Document;

use crate::access::{self, Access};
use crate::error::Result;
use crate::exit::Exit;
use crate::globals::{Environment, Globals};
use crate::io::Io;
use crate::show::clean;
use crate::table::{Column, HasJson, Table, lines_of};

/// A vault for the API keys that programs use.
#[derive(Debug, Parser)]
#[command(name = "ibyok", version, about, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 not allowed, 4 no such thing, 5 the vault cannot \
    serve, 10 done with findings, 141 the reader closed the output early; `run`: 125 not started, 126 not executable, 127 not found, else the program's own, or 5 \
    where a record is damaged.\n\nAccess tokens: IBYOK_TOKEN holds the token, IBYOK_TOKEN_FILE names a file that holds it, IBYOK_TOKEN_COMMAND is \
    a command that prints it. If one of them is set, `ibyok` acts as that token; `--operator` ignores them.\n\n`--help-all` also shows the settings of the \
    vault (`--store`, `--kek`, …)."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a vault with the environments dev, staging and prod
    Init(init::Args),
    /// Use a vault that exists, in a store elsewhere, from this machine; `--store` and `--kek` name it
    Attach,
    /// Show the vault's health
    Status,
    /// Show the vault or server, the caller's identity, and why both were chosen
    Whoami,
    /// Manage environments
    #[command(subcommand)]
    Envs(envs::Verb),
    /// Manage the key-encryption keys (KEKs), which wrap the environment keys
    #[command(subcommand)]
    Kek(kek::Verb),
    /// Manage namespaces: the tenants of a vault
    #[command(subcommand)]
    Namespaces(namespaces::Verb),
    /// Manage keys; `get` prints their values
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Show or set whether the vault serves live values or mocks
    #[command(subcommand)]
    Mode(mode::Verb),
    /// Replace a key's value step by step, and show the consumers of the old value
    #[command(subcommand)]
    Rotate(rotate::Verb),
    /// Print the value of a key
    Get(get::Args),
    /// Run a program with keys in its environment
    Run(run::Args),
    /// Import the values of a .env file into the vault
    Import(import::Args),
    /// Print every key of an environment with its value
    Export(export::Args),
    /// Show or set the rate limits of keys
    #[command(subcommand)]
    Limits(limits::Verb),
    /// Show the providers whose keys the vault recognises
    #[command(subcommand)]
    Providers(providers::Verb),
    /// Manage access tokens
    #[command(subcommand)]
    Tokens(tokens::Verb),
    /// Read, verify and review the audit log
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Show the reads of each key: by whom, how often, and when last
    Usage(usage::Args),
    /// Respond to a key that may have leaked
    #[command(subcommand)]
    Incident(incident::Verb),
    /// Find leaked keys in files, in git's index or in its history
    Scan(scan::Args),
    /// Check the security of the vault, the code and the team's practice, item by item
    Checklist(checklist::Args),
    /// Write a backup of the whole vault to a file, or check one
    Backup(backup::Args),
    /// Restore the vault from a backup
    Restore(restore::Args),
    /// Move the vault to another store
    Copy(copy::Args),
    /// Serve the vault over HTTP
    Serve(serve::Args),
    /// Demonstrate the program on a throw-away vault, in a few seconds
    Demo,
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Print the manual page of the program or of one command
    Man(man::Args),
}

/// The context of every command.
pub(crate) struct Cx<'a> {
    pub(crate) globals: &'a Globals,
    pub(crate) environment: &'a Environment,
    pub(crate) io: &'a mut Io,
    /// The number that the current version of a key must have for the key to be changed.
    pub(crate) if_version: Option<u32>,
}

/// Runs the command.
///
/// # Errors
/// The errors of the command.
pub(crate) async fn dispatch(command: Command, cx: &mut Cx<'_>) -> Result<Exit> {
    match command {
        Command::Init(args) => init::run(args, cx).await,
        Command::Attach => attach::run(cx).await,
        Command::Status => status::run(cx).await,
        Command::Whoami => whoami::run(cx).await,
        Command::Envs(verb) => envs::run(verb, cx).await,
        Command::Kek(verb) => kek::run(verb, cx).await,
        Command::Namespaces(verb) => namespaces::run(verb, cx).await,
        Command::Keys(verb) => keys::run(verb, cx).await,
        Command::Mode(verb) => mode::run(verb, cx).await,
        Command::Rotate(verb) => rotate::run(verb, cx).await,
        Command::Get(args) => get::run(args, cx).await,
        Command::Run(args) => run::run(args, cx).await,
        Command::Import(args) => import::run(args, cx).await,
        Command::Export(args) => export::run(args, cx).await,
        Command::Limits(verb) => limits::run(verb, cx).await,
        Command::Providers(verb) => providers::run(verb, cx),
        Command::Tokens(verb) => tokens::run(verb, cx).await,
        Command::Audit(verb) => audit::run(verb, cx).await,
        Command::Usage(args) => usage::run(args, cx).await,
        Command::Incident(verb) => incident::run(verb, cx).await,
        Command::Scan(args) => scan::run(args, cx).await,
        Command::Checklist(args) => checklist::run(args, cx).await,
        Command::Backup(args) => backup::run(args, cx).await,
        Command::Restore(args) => restore::run(args, cx).await,
        Command::Copy(args) => copy::run(args, cx).await,
        Command::Serve(args) => serve::run(args, cx).await,
        Command::Demo => demo::run(cx).await,
        Command::Completions(args) => completions::run(args, cx),
        Command::Man(args) => man::run(args, cx),
    }
}

impl Cx<'_> {
    /// Opens the vault or the server, runs `work` and closes it, also after a failure.
    async fn with_access(&mut self, work: impl AsyncFnOnce(&dyn Access, &mut Self) -> Result<Exit>) -> Result<Exit> {
        let mut access = access::open(self.globals, self.environment, self.io).await?;
        if let Some(version) = self.if_version {
            access.only_if_version(version);
        }
        let outcome = work(access.as_ref(), self).await;
        let closed = access.close().await;
        outcome.and_then(|exit| Ok(closed.map(|()| exit)?))
    }

    /// Opens the vault of this machine, runs `work` and closes the vault, also after a failure.
    async fn with_vault(
        &mut self,
        verb: &str,
        work: impl AsyncFnOnce(&access::Here, &mut Self) -> Result<Exit>,
    ) -> Result<Exit> {
        let here = access::here(verb, self.globals, self.environment, self.io).await?;
        let outcome = work(&here, self).await;
        let closed = here.close().await;
        outcome.and_then(|exit| Ok(closed.map(|()| exit)?))
    }

    /// Answers with a list: the whole of it as JSON, else a table. Damaged records come below it, and are a warning.
    /// For an empty list, prints `none`.
    fn answer_list(
        &mut self,
        list: impl Into<access::Listed<serde_json::Value>>,
        columns: &[(&'static str, &str)],
        none: &str,
    ) -> Result<Exit> {
        let list = list.into();
        let table = Table::of(&list.items, columns);
        self.answer_table(&list, &table, none)
    }

    /// A list of typed documents as the answer, as [`Cx::answer_list`].
    fn answer_documents<T>(&mut self, list: &access::Listed<T>, columns: &[Column<T>], none: &str) -> Result<Exit> {
        let table = Table::typed(list.items.iter().map(std::ops::Deref::deref), columns);
        self.answer_table(list, &table, none)
    }

    fn answer_table<T>(&mut self, list: &access::Listed<T>, table: &Table, none: &str) -> Result<Exit> {
        if self.globals.json {
            self.io.answer_json(&list.document())?;
        } else {
            table.print_or(self.io, none)?;
            for line in list.damaged_lines() {
                self.io.answer_line(&clean(&line))?;
            }
        }
        if let Some(warning) = list.warning() {
            self.io.warn(&warning);
        }
        Ok(Exit::Done)
    }

    /// A typed document as the answer: as JSON, else its members in lines.
    fn answer_document<T>(&mut self, document: &Document<T>, columns: &[Column<T>]) -> Result<Exit> {
        let facts = columns.iter().map(|(head, member)| (*head, member(document)));
        self.answer_facts(document, &facts.collect::<Vec<_>>())
    }

    /// A document as the answer: as JSON, else these facts in lines.
    fn answer_facts<T>(&mut self, document: &Document<T>, facts: &[(&str, String)]) -> Result<Exit> {
        if self.globals.json {
            self.io.answer_json(document)?;
        } else {
            self.io.answer(lines_of(facts).as_bytes())?;
        }
        Ok(Exit::Done)
    }

    /// One thing as the answer: as JSON, else its facts in lines.
    fn answer_one(&mut self, thing: &impl HasJson, columns: &[(&str, &str)]) -> Result<Exit> {
        if self.globals.json {
            self.io.answer_json(thing.json())?;
        } else {
            self.io.answer(crate::table::facts(thing, columns).as_bytes())?;
        }
        Ok(Exit::Done)
    }
}
