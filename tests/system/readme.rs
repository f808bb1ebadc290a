//! The README's commands, in their order, on a machine that has nothing but the programs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use ibyok_tests::{Home, Run, free_port};

use crate::PROGRAMS;

/// The shell blocks of the README, one after the other, without those that build or need a database server.
fn blocks(readme: &str) -> Vec<Vec<String>> {
    let parts = readme.split("```sh\n").skip(1);
    let blocks = parts.map(|part| part.split("```").next().unwrap_or_default());
    let elsewhere = |block: &&str| !block.contains("docker ") && !block.contains("cargo run ");
    blocks
        .filter(elsewhere)
        .map(|block| block.lines().map(str::to_owned).collect())
        .collect()
}

/// The exit codes that a line may end with.
fn expected(line: &str) -> &'static [i32] {
    let command = line.split('#').next().unwrap_or_default().trim();
    match command {
        // Refused as long as somebody needs the old version, as the comment says.
        _ if command.starts_with("ibyok rotate retire") => &[0, 1],
        _ if command.starts_with("ibyok checklist") => &[10],
        _ if command.starts_with("ibyok audit review") => &[0, 10],
        _ => &[0],
    }
}

/// One script of all lines that says after each how it ended.
fn script(lines: &[String]) -> String {
    let mut script = String::from("set -u\nexec 3>statuses\n");
    for (number, line) in lines.iter().enumerate() {
        script.push_str(&format!("{line}\necho \"{number} $?\" >&3\n"));
        if line.contains("ibyok serve &") {
            script.push_str("for _ in $(seq 100); do curl -sf \"http://$IBYOK_LISTEN/readyz\" >/dev/null && break; sleep 0.1; done\n");
        }
    }
    script + "kill %1\nwait\n"
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_command_of_the_readme_does_what_it_says() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let home = Home::empty(PROGRAMS);
    let (bin, project) = (home.path("inputs/bin"), home.path("inputs/project"));
    fs::create_dir(&bin).unwrap();
    fs::create_dir(&project).unwrap();
    symlink(PROGRAMS.ibyok, bin.join("ibyok")).unwrap();
    for program in ["my-program", "smoke-test"] {
        executable(&project.join(program), "#!/bin/sh\ntest -n \"$OPENAI_API_KEY\"\n");
    }
    fs::write(project.join(".env"), "OPENAI_API_KEY=sk-dev-of-the-file\nDEBUG=1\n").unwrap();
    let git = "git init -q && git -c user.name=a -c user.email=a@example.com commit -q --allow-empty -m first";
    let in_project = |script: &str| {
        let path = std::env::var("PATH").unwrap();
        Run::new("timeout")
            .args(["600", "bash", "-c", script])
            .env("HOME", home.path("home"))
            .env("PATH", format!("{}:{path}", bin.display()))
            .within(&project)
    };
    in_project(git).run().done();

    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let lines: Vec<String> = blocks(&readme.replace("127.0.0.1:8420", &address))
        .into_iter()
        .flatten()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("cargo install"))
        .collect();
    assert!(lines.len() > 35, "only {} commands were found", lines.len());
    // It takes longer than any one program may, so that it is waited for without that bound.
    let said = home.path("logs/readme");
    let output = fs::File::create(&said).unwrap();
    let mut command = in_project(&script(&lines)).env("IBYOK_LISTEN", &address).into_command();
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output);
    command.status().unwrap();
    let said = fs::read_to_string(&said).unwrap();
    let statuses = fs::read_to_string(project.join("statuses")).unwrap();
    let statuses: BTreeMap<usize, i32> = statuses
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(number, status)| (number.parse().unwrap(), status.parse().unwrap()))
        .collect();
    for (number, line) in lines.iter().enumerate() {
        let status = statuses.get(&number).copied();
        let fine = status.is_some_and(|status| expected(line).contains(&status));
        assert!(fine, "`{line}` ended with {status:?}\n{said}");
    }
    println!("commands of the README: {}", lines.len());
}
