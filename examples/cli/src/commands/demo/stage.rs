//! The stage of the demo: a separate environment, the commands run in it, and their output.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use clap::Parser;
use ibyok_core::Vault;
use ibyok_settings::operator_name;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::commands::{Cli, Cx, StopSignals, dispatch};
use crate::error::{Error, Result};
use crate::globals::{Environment, Globals};
use crate::io::Io;
use crate::settings;

/// The stage.
pub(super) struct Stage<'a, 'io> {
    /// The commands' environment: no variable of IBYOK, so that no vault but the demo's can be meant.
    environment: Environment,
    token: Zeroizing<String>,
    stop: StopSignals,
    steps: Vec<Value>,
    cx: &'a mut Cx<'io>,
}

impl<'a, 'io> Stage<'a, 'io> {
    /// A stage in a directory. After one of the signals of `stop`, no further command begins.
    pub(super) fn new(place: &Path, stop: StopSignals, cx: &'a mut Cx<'io>) -> Self {
        let below = |name: &str| place.join(name).display().to_string();
        let environment = [
            ("HOME", below("home")),
            ("XDG_DATA_HOME", below("data")),
            ("XDG_CONFIG_HOME", below("config")),
        ];
        let environment = environment
            .into_iter()
            .map(|(name, path)| (name.to_owned(), path))
            .collect();
        Stage {
            environment,
            token: Zeroizing::default(),
            stop,
            steps: Vec::new(),
            cx,
        }
    }

    /// Announces the next step.
    pub(super) fn tell(&mut self, text: &str) -> Result<()> {
        self.print(&format!("\n# {text}\n"))
    }

    /// Runs a command that acts as the operator, and shows it with its output. Returns its standard output.
    pub(super) async fn command(&mut self, arguments: &[&str]) -> Result<String> {
        self.command_as(&typed(arguments), arguments).await
    }

    /// The same, shown as something shorter.
    pub(super) async fn command_as(&mut self, shown: &str, arguments: &[&str]) -> Result<String> {
        let environment = self.environment.clone();
        self.play(&format!("ibyok {shown}"), arguments, &environment).await
    }

    /// The same, where the environment holds a token that is not to be used.
    pub(super) async fn command_as_operator(&mut self, arguments: &[&str]) -> Result<String> {
        let mut environment = self.environment.clone();
        environment.insert("IBYOK_TOKEN".to_owned(), self.token.as_str().to_owned());
        let arguments: Vec<&str> = ["--operator"].iter().chain(arguments).copied().collect();
        self.play(&format!("ibyok {}", typed(&arguments)), &arguments, &environment)
            .await
    }

    /// The same on a server, by token.
    pub(super) async fn command_at(&mut self, url: &str, arguments: &[&str]) -> Result<String> {
        let mut environment = self.environment.clone();
        environment.insert("IBYOK_TOKEN".to_owned(), self.token.as_str().to_owned());
        environment.insert("IBYOK_URL".to_owned(), url.to_owned());
        self.play(
            &format!("IBYOK_URL={url} ibyok {}", typed(arguments)),
            arguments,
            &environment,
        )
        .await
    }

    /// Shows a command with its output.
    pub(super) fn shown(&mut self, command: &str, printed: &str) -> Result<()> {
        self.steps.push(json!({ "command": command, "output": printed }));
        let indented: String = printed.lines().map(|line| format!("  {line}\n")).collect();
        self.print(&format!("$ {command}\n{indented}"))
    }

    /// Keeps the token for the commands to come.
    pub(super) fn hold(&mut self, token: &str) {
        self.token = Zeroizing::new(token.to_owned());
    }

    /// The token.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The demo's vault, for the server.
    pub(super) async fn open_vault(&mut self) -> Result<Vault> {
        self.check_stop().await?;
        let settings = settings::resolve(&Globals::default(), &self.environment)?;
        Ok(settings.open(&operator_name(), None).await?)
    }

    /// Returns the steps of the demo, for `--json`.
    pub(super) fn end(self) -> Vec<Value> {
        self.steps
    }

    /// Fails once the user interrupted the demo. A command that runs is never cut off: what it does in the background
    /// could otherwise write into the directory while it is removed.
    async fn check_stop(&mut self) -> Result<()> {
        tokio::select! {
            biased;
            () = self.stop.received() => Err(Error::failed("the demo was interrupted", "run it again")),
            () = tokio::task::yield_now() => Ok(()),
        }
    }

    async fn play(&mut self, shown: &str, arguments: &[&str], environment: &Environment) -> Result<String> {
        self.check_stop().await?;
        let cli = Cli::try_parse_from(["ibyok"].iter().chain(arguments))
            .map_err(|error| Error::failed(format!("the demo does not parse: {error}"), "this is a bug"))?;
        let (out, err) = (Page::default(), Page::default());
        let mut io = Io::new(io::empty(), out.clone(), err.clone());
        let mut cx = Cx {
            if_version: None,
            globals: &cli.globals,
            environment,
            io: &mut io,
        };
        // Boxed, since a command leads here and from here to a command again.
        let outcome = Box::pin(dispatch(cli.command, &mut cx)).await;
        let (out, err) = (out.text(), err.text());
        self.shown(shown, &format!("{out}{err}"))?;
        outcome.map(|_| out)
    }

    fn print(&mut self, text: &str) -> Result<()> {
        if self.cx.globals.json {
            Ok(())
        } else {
            self.cx.io.answer(text.as_bytes())
        }
    }
}

/// Arguments as one types them.
fn typed(arguments: &[&str]) -> String {
    shlex::try_join(arguments.iter().copied()).unwrap_or_default()
}

/// The output of a command.
#[derive(Clone, Default)]
struct Page(Rc<RefCell<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
