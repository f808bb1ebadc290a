//! A machine on which real programs run.

use ibyok_tests::{Home, Run, Server, ServerOptions};

use crate::PROGRAMS;

/// A machine with its own directories, and the variables that each of its programs gets.
pub struct Machine {
    pub home: Home,
    variables: Vec<(String, String)>,
}

impl Machine {
    /// A machine without a vault.
    pub fn new(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter();
        Machine {
            home: Home::empty(PROGRAMS),
            variables: variables
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        }
    }

    /// The command line.
    pub fn ibyok(&self, args: &[&str]) -> Run {
        let run = self.home.ibyok(args);
        let variables = self.variables.iter();
        variables.fold(run, |run, (name, value)| run.env(name, value))
    }

    /// A server, with a variable of its own in place of the others'.
    pub fn serve(&self, own: &[(&str, &str)]) -> Server {
        let all = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let options = all.chain(own.iter().copied());
        let options = options.fold(ServerOptions::default(), |options, (name, value)| {
            options.env(name, value)
        });
        self.home.serve_with(options)
    }

    /// A key in prod, and tokens that read it.
    pub fn fill<const N: usize>(&self, tokens: [&str; N]) -> [String; N] {
        self.ibyok(&["keys", "set", "prod/key"]).input("the value").run().done();
        tokens.map(|name| {
            let issued = self.ibyok(&["tokens", "issue", name, "--env", "prod"]).run();
            issued.done().text()
        })
    }

    /// Gives every later program of the machine this variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }
}
