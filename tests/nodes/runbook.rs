//! The commands of docs/operations.md, "The life of a vault", in their order: with PostgreSQL and a KMS.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ibyok_tests::Run;

use crate::PROGRAMS;
use crate::kms_stub::{ARN, KmsStub, REGION};
use crate::machine::Machine;
use crate::shared::Shared;

/// The commands of the section, without comments.
fn commands() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let page = fs::read_to_string(page).expect("the page");
    let section = page.split("\n## The life of a vault\n").nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("its end");
    let blocks = section
        .split("```sh\n")
        .skip(1)
        .filter_map(|part| part.split("```").next());
    let lines = blocks.flat_map(str::lines).map(str::to_owned);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// A script that writes the exit code of each command to the file `statuses`.
fn script(commands: &[String]) -> String {
    let each = commands
        .iter()
        .enumerate()
        .map(|(number, command)| format!("{command}\necho \"{number} $?\" >&3\n"));
    format!("set -u\nexec 3>statuses\n{}", each.collect::<String>())
}

#[test]
fn every_command_of_the_life_of_a_vault_does_what_the_page_says() {
    let (kms, shared) = (KmsStub::start(), Shared::postgres());
    let machine = Machine::new(&[]);
    let below = |name: &str| machine.home.path(&format!("inputs/{name}"));
    for name in ["bin", "backups", "safe"] {
        fs::create_dir(below(name)).expect("a directory");
    }
    symlink(PROGRAMS.ibyok, below("bin/ibyok")).expect("a link");
    machine.home.input("safe/passphrase", "correct horse battery staple");
    machine.home.input("safe/openai.txt", "sk-of-the-page");
    let (path, shown) = (std::env::var("PATH").expect("a path"), |name: &str| {
        below(name).display().to_string()
    });
    let commands = commands();
    assert!(commands.len() > 30, "only {} commands", commands.len());
    let ran = Run::new("timeout")
        .args(["300", "bash", "-c", &script(&commands)])
        .env("HOME", machine.home.path("home"))
        .env("PATH", format!("{}:{path}", shown("bin")))
        .env("BACKUPS", shown("backups"))
        .env("SAFE", shown("safe"))
        .env("DATABASE", shared.url())
        .env("KMS_KEY", ARN)
        .env("AWS_ENDPOINT_URL_KMS", kms.endpoint())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "SENTINEL-secret-access-key")
        .within(&below("."))
        .run();
    let said = format!("{}{}", ran.text(), ran.said());
    let statuses = fs::read_to_string(below("statuses")).expect("the statuses");
    let status_of = |number: usize| {
        let line = statuses
            .lines()
            .find(|line| line.split(' ').next() == Some(&number.to_string()));
        line.and_then(|line| line.split(' ').nth(1)?.parse::<i32>().ok())
    };
    for (number, command) in commands.iter().enumerate() {
        let status = status_of(number);
        let fine = status == Some(0) || command.contains("# exit 10") && status == Some(10);
        assert!(fine, "`{command}` ended with {status:?}\n{said}");
    }
    assert!(!said.contains("sk-of-the-page") && !said.contains("SENTINEL"), "{said}");
    println!("commands of the page: {}", commands.len());
}
