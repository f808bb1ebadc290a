//! Clients of HashiCorp Vault and OpenBao as they are: `hvac`, the command line `bao`, and `node-vault`. Nothing about them is changed but
//! the address and the token. Needs the packages in `.venv` and `.node`, or where IBYOK_TEST_VENV and IBYOK_TEST_NODE say.

use std::path::{Path, PathBuf};
use std::process::Command;

use ibyok_tests::{Home, Server};

use crate::home_with_vault;

fn place(variable: &str, usual: &str) -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::env::var_os(variable).map_or_else(|| repository.join(usual), PathBuf::from)
}

/// A server on a vault with one key that the command line wrote and one that the clients may not read, and the clients' token.
struct Site {
    home: Home,
    server: Server,
    token: String,
}

impl Site {
    fn new() -> Self {
        let home = home_with_vault();
        let set = ["keys", "set", "dev/native", "--label", "team=a"];
        home.ibyok(set).input("sk-native").run().done();
        home.ibyok(["keys", "set", "prod/secret"]).input("sk-prod").run().done();
        let token = home.token(&["clients", "--env", "dev", "--scope", "admin"]);
        let server = home.serve();
        Site { home, server, token }
    }

    fn run(&self, program: &Path, args: &[&Path]) {
        let mut client = Command::new(program);
        client.args(args).env_remove("VAULT_NAMESPACE");
        client.env("VAULT_ADDR", format!("http://{}", self.server.address));
        client.env("VAULT_TOKEN", &self.token);
        client.env("NODE_PATH", place("IBYOK_TEST_NODE", ".node").join("node_modules"));
        let output = client
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let said = String::from_utf8_lossy(&output.stdout);
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.ends_with("done\n"), "{said}{wrong}");
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vault_clients").join(name)
}

#[test]
fn hvac_works_unchanged() {
    let python = place("IBYOK_TEST_VENV", ".venv").join("bin/python");
    Site::new().run(&python, &[&script("hvac_client.py")]);
}

#[test]
fn the_command_line_of_openbao_works_unchanged() {
    let bao = place("IBYOK_TEST_VENV", ".venv").join("bin/bao");
    Site::new().run(Path::new("sh"), &[&script("bao.sh"), &bao]);
}

#[test]
fn node_vault_works_unchanged() {
    Site::new().run(Path::new("node"), &[&script("node_vault.js")]);
}

/// The code blocks of a language in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let blocks = page.split(opening.as_str()).skip(1);
    blocks
        .filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned()))
        .collect()
}

#[test]
fn the_examples_of_the_page_run() {
    let site = Site::new();
    let page = include_str!("../../docs/vault-clients.md");
    let venv = place("IBYOK_TEST_VENV", ".venv").join("bin");
    let example = |name: &str, language: &str, last: &str| {
        let [block] = <[String; 1]>::try_from(blocks(page, language)).expect("one example");
        site.home.input(name, format!("{block}\n{last}\n"))
    };
    let search = format!("set -e\nPATH={}:$PATH", venv.display());
    let [commands] = <[String; 1]>::try_from(blocks(page, "sh")).expect("one example");
    let shell = site
        .home
        .input("example.sh", format!("{search}\n{commands}\necho done\n"));
    site.run(Path::new("sh"), &[&shell]);
    let python = example("example.py", "python", "print('done')");
    site.run(&venv.join("python"), &[&python]);
    let node = example(
        "example.js",
        "javascript",
        "process.on('exit', () => console.log('done'));",
    );
    site.run(Path::new("node"), &[&node]);
}
