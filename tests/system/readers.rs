//! Files that `ibyok export` writes, read by the real readers: python-dotenv, Node's dotenv, `node --env-file`,
//! Docker's command line and every shell on this machine. Needs Python with `python-dotenv` (`.venv`, or where
//! IBYOK_TEST_VENV says), `node` with `dotenv` (`.node`, or where IBYOK_TEST_NODE says) and `docker`. No Docker
//! daemon runs: a socket of this test takes its place.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};

use ibyok_tests::Home;
use serde_json::Value;

use crate::home_with_vault;

/// Values that readers of `.env` files are known to take in different ways, and ordinary ones.
const VALUES: [&str; 72] = [
    "sk-proj-1_2",
    "a",
    "a b",
    " a ",
    "a\tb",
    "#s3cret",
    "#FF0000",
    "a#b",
    "a #b",
    "C:\\Users\\me",
    "\\d+\\.\\w",
    "a\\nb",
    "a\\tb",
    "a$b",
    "$HOME",
    "$(touch planted)",
    "`touch planted`",
    "a${b}",
    "${HOME}",
    "\"",
    "a\"b",
    "\"quoted\"",
    "'",
    "it's",
    "it's $x",
    "it's \"both\"",
    "'quoted'",
    "a\nb",
    "a\nb\n",
    "\n",
    "a\n\nb",
    "a\nB=c",
    "a\n#b",
    "a\nexport B=c",
    "a\\\\b",
    "\\\\srv\\share",
    "ab\\",
    "\\",
    "a\\\\",
    "{\"a\":\"b\\nc\"}",
    "{\"a\": 'b'}",
    "-----BEGIN K-----\nabc=\n-----END K-----\n",
    "a=b",
    "=",
    "a==",
    "é",
    "東京 🔑",
    "a!b",
    "!!",
    "it's!",
    "~a",
    "~/x",
    "*",
    "?",
    "[a]",
    "{a,b}",
    "a;b",
    "a&b",
    "|",
    "<a>",
    "(a)",
    "%s",
    "a^b",
    "\u{b}",
    "a\u{c}b",
    "\u{7f}",
    "a\rb",
    "a\r\nb",
    "\u{2028}",
    "\u{a0}a",
    "postgres://u:p@h:5432/d?a=b&c=d",
    "null",
];

/// Of those, the values of which no form is read alike everywhere.
const DISPUTED: [&str; 13] = [
    "a${b}",
    "${HOME}",
    "it's $x",
    "it's \"both\"",
    "a\\\\b",
    "\\\\srv\\share",
    "ab\\",
    "\\",
    "a\\\\",
    "{\"a\": 'b'}",
    "it's!",
    "a\rb",
    "a\r\nb",
];

type Variables = BTreeMap<String, String>;

/// Values under variables, in a vault of their own.
struct Stored {
    home: Home,
    values: Variables,
}

impl Stored {
    fn new(values: impl IntoIterator<Item = String>) -> Self {
        let home = home_with_vault();
        let values: Variables = (0..)
            .zip(values)
            .map(|(n, value)| (format!("V{n}_KEY"), value))
            .collect();
        for (variable, value) in &values {
            home.input("value", value);
            let reference = format!("dev/{variable}");
            home.ibyok(["keys", "set", &reference, "--from-file", "value"])
                .run()
                .done();
        }
        Stored { home, values }
    }

    /// The file that is exported of the values that the format holds, and the variables of those that it does not. The answer to those
    /// that may be disputed is asked for one by one.
    fn exported(&self, format: &str, disputed: impl Fn(&str) -> bool) -> (PathBuf, Variables, Vec<String>) {
        let (mut skip, mut refused) = (Vec::new(), Vec::new());
        for (variable, _) in self.values.iter().filter(|(_, value)| disputed(value)) {
            let one = self
                .home
                .ibyok(["export", "--env", "dev", "--format", format, "--only", variable])
                .run();
            match one.code() {
                0 => {}
                2 => {
                    assert!(one.stdout.is_empty() && one.said().contains(variable), "{one:?}");
                    skip.extend(["--skip".to_owned(), variable.clone()]);
                    refused.push(variable.clone());
                }
                _ => panic!("{one:?}"),
            }
        }
        let all = ["export", "--env", "dev", "--format", format].map(str::to_owned);
        let text = self.home.ibyok(all.into_iter().chain(skip)).run().done();
        let mut kept = self.values.clone();
        kept.retain(|variable, _| !refused.contains(variable));
        (
            self.home.input(&format!("exported.{format}"), text.stdout),
            kept,
            refused,
        )
    }
}

/// All of [`VALUES`], stored once for the tests that share them.
fn stored() -> &'static Stored {
    static STORED: OnceLock<Stored> = OnceLock::new();
    STORED.get_or_init(|| Stored::new(VALUES.map(str::to_owned)))
}

fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8");
    command
}

fn json(mut command: Command) -> Variables {
    let output = command.output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{command:?}: {error}: {output:?}"))
}

fn python_dotenv(file: &Path) -> Variables {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let venv = std::env::var_os("IBYOK_TEST_VENV").map_or_else(|| repository.join(".venv"), PathBuf::from);
    let mut command = program(venv.join("bin/python").to_str().unwrap());
    command.args([
        "-c",
        "import dotenv, json, sys; print(json.dumps(dotenv.dotenv_values(sys.argv[1])))",
    ]);
    command.arg(file);
    json(command)
}

fn node_dotenv(file: &Path) -> Variables {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let modules = std::env::var_os("IBYOK_TEST_NODE").map_or_else(|| repository.join(".node"), PathBuf::from);
    let script = "const fs = require('fs'); const dotenv = require(process.argv[1] + '/node_modules/dotenv');\
                  console.log(JSON.stringify(dotenv.parse(fs.readFileSync(process.argv[2]))))";
    let mut command = program("node");
    command.args(["-e", script]).arg(modules).arg(file);
    json(command)
}

/// A script that prints those variables of a Node.js process that the test set.
const NODE_PRINTS: &str = "console.log(JSON.stringify(Object.fromEntries(Object.entries(process.env).filter(([name]) => name.endsWith('_KEY')))))";

fn node_env_file(file: &Path) -> Variables {
    let mut command = program("node");
    command
        .arg(format!("--env-file={}", file.display()))
        .args(["-e", NODE_PRINTS]);
    json(command)
}

fn shell(shell: &str, file: &Path) -> Variables {
    let mut command = program(shell);
    command
        .args(["-c", "set -a; . \"$1\"; exec node -e \"$2\"", shell])
        .arg(file)
        .arg(NODE_PRINTS);
    command.current_dir(file.parent().unwrap());
    json(command)
}

fn shells() -> Vec<&'static str> {
    let there = |shell: &&str| program(shell).args(["-c", "true"]).output().is_ok();
    ["sh", "bash", "dash", "zsh", "ksh"].into_iter().filter(there).collect()
}

/// The variables that `docker create --env-file` asks its daemon for.
fn docker(file: &Path) -> Variables {
    let socket = file.with_extension("sock");
    std::fs::remove_file(&socket).ok();
    let asked = daemon(UnixListener::bind(&socket).unwrap());
    let mut command = program("docker");
    command.arg("-H").arg(format!("unix://{}", socket.display()));
    command
        .env("HOME", file.parent().unwrap())
        .args(["create", "--env-file"])
        .arg(file)
        .arg("image");
    let output = command.output().expect("`docker` is here: `./test` installs it");
    let asked: Value = asked
        .try_recv()
        .unwrap_or_else(|_| panic!("docker asked for nothing: {output:?}"));
    let variables = asked["Env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| pair.as_str().unwrap().split_once('=').unwrap());
    variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Answers like a daemon that has every image, and gives what was to be created.
fn daemon(listener: UnixListener) -> Receiver<Value> {
    let (sender, asked) = channel();
    // It lives as long as the tests do.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || while let Some(()) = request(&stream, &sender) {});
        }
    });
    asked
}

fn request(stream: &UnixStream, sender: &std::sync::mpsc::Sender<Value>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let is_create = first.contains("/containers/create");
    if is_create {
        sender.send(serde_json::from_slice(&body).ok()?).ok()?;
    }
    let body = if first.starts_with("HEAD") {
        ""
    } else {
        "{\"Id\":\"0\",\"Warnings\":[]}"
    };
    let status = if is_create { "201 Created" } else { "200 OK" };
    let head = format!(
        "HTTP/1.1 {status}\r\nApi-Version: 1.43\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all((head + body).as_bytes()).ok()
}

#[test]
fn an_exported_env_file_is_read_alike_by_every_reader() {
    let stored = stored();
    let (file, kept, refused) = stored.exported("dotenv", |value| DISPUTED.contains(&value));
    let refused: Vec<&str> = refused
        .iter()
        .map(|variable| stored.values[variable].as_str())
        .collect();
    let mut disputed = DISPUTED.to_vec();
    disputed.sort_unstable();
    let mut sorted = refused.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, disputed);
    assert_eq!(python_dotenv(&file), kept);
    assert_eq!(node_dotenv(&file), kept);
    assert_eq!(node_env_file(&file), kept);
    for name in shells() {
        assert_eq!(shell(name, &file), kept, "{name}");
    }
    assert!(!file.with_file_name("planted").exists());
    // Docker's command line knows no quotes: what has none it reads alike too.
    let text = std::fs::read_to_string(&file).unwrap();
    let plain: String = text
        .lines()
        .filter(|line| line.contains("_KEY=") && !line.contains(['"', '\'', ' ']))
        .map(|line| format!("{line}\n"))
        .collect();
    for (variable, value) in docker(&stored.home.input("plain.env", &plain)) {
        assert_eq!(kept.get(&variable), Some(&value));
    }
}

#[test]
fn a_file_for_docker_is_read_by_dockers_command_line_as_it_is_meant() {
    let stored = stored();
    let (file, kept, refused) = stored.exported("docker", |value| value.contains(['\n', '\r']));
    let broken = stored.values.values().filter(|value| value.contains(['\n', '\r']));
    assert_eq!(refused.len(), broken.count());
    assert_eq!(docker(&file), kept);
}

#[test]
fn exported_lines_for_a_shell_hold_every_value() {
    let (file, kept, _) = stored().exported("shell", |_| false);
    for name in shells() {
        assert_eq!(shell(name, &file), kept, "{name}");
    }
    assert!(!file.with_file_name("planted").exists());
}

#[test]
fn values_of_any_characters_are_read_alike_or_refused() {
    let alphabet: Vec<char> = "ab1 #$'\"`\\\n\t={}()!&;|<>*?~%^-:,é".chars().collect();
    let mut state: u64 = 0x1bd1_1bda_a9fc_1a22;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let values: Vec<String> = (0..24)
        .map(|_| (0..=next(8)).map(|_| alphabet[next(alphabet.len())]).collect())
        .collect();
    let stored = Stored::new(values);
    let (file, kept, _) = stored.exported("dotenv", |_| true);
    assert!(kept.len() > 8, "{kept:?}");
    for read in [python_dotenv(&file), node_dotenv(&file), node_env_file(&file)] {
        assert_eq!(read, kept);
    }
    for name in shells() {
        assert_eq!(shell(name, &file), kept, "{name}");
    }
}

#[test]
fn a_file_is_imported_as_python_dotenv_and_shells_read_it() {
    let home = home_with_vault();
    let text = "A_KEY=#s3cret\nB_KEY=#FF0000\nC_KEY=pass#word\nD_KEY='x # y' # z\nE_KEY=\"a\\\"b\" # c\nexport F_KEY=1\n\
                G_KEY='C:\\Users\\me'\nH_KEY=\"it's\"\nI_KEY='two\nlines'\nJ_KEY=a=b=c\nK_KEY=''\n";
    let file = home.input("in.env", text);
    let read = home
        .ibyok(["run", "--env-file", "in.env", "--", "node", "-e", NODE_PRINTS])
        .run()
        .done();
    let read: Variables = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(read, python_dotenv(&file));
    for name in shells() {
        assert_eq!(read, shell(name, &file), "{name}");
    }
    assert_eq!(read["A_KEY"], "#s3cret");
}

/// The text behind the `=` in files that people write and readers take in different ways.
const WRITTEN: [&str; 62] = [
    "{\"a\": \"b # c\"}",
    "{'a': 'b # c'}",
    "[1, \"a # b\", 2]",
    "a \"b # c\" d",
    "a='b # c'",
    "{\"a\":\"b#c\"}",
    "{\"a\": \"b\"}",
    "it's # mine",
    "it's # the boss's",
    "`a`",
    "``",
    "`a b` # c",
    "`it's \"x\"`",
    "`a\nb`",
    "a`b",
    "\"a\nb\"",
    "\"a\r\nb\"",
    "'a\r\nb'",
    "'a\n#b\nc'",
    "\"a\rb\"",
    "a\rb",
    "\"a\\\nb\"",
    "a\\\nb=c",
    "a\\",
    "a\\ # b",
    "C:\\Users\\me",
    "\"a\\nb\"",
    "\"a\\tb\"",
    "\"a\\rb\"",
    "\"a\\\\b\"",
    "\"a\\\"b\"",
    "\"{\\\"a\\\": \\\"b\\\"}\"",
    "\"a\\'b\"",
    "\"a\\db\"",
    "\"a\\u0041\"",
    "\"a\\bb\"",
    "'a\\nb'",
    "'a\\\\b'",
    "'it\\'s'",
    "a\t",
    "\ta",
    "a\t# b",
    "\t# b",
    "a \t # b",
    "\u{a0}a",
    "a\u{a0}",
    "a\u{a0}# b",
    "a\u{b}",
    "a\u{c}",
    "\u{feff}a",
    "a\u{85}",
    "\"a\"\u{a0}",
    "\"a\"\t# b",
    "\" a \" # \"b\"",
    "'a' # it's",
    "\"a\" b",
    "\"a\"#b",
    "\"a",
    "a#b",
    "#a",
    "a #b",
    "$a ${b}",
];

/// The variables that a library reads of a file; a name without a value may have none.
type Parsed = BTreeMap<String, Option<String>>;

/// The variables of many files, by one process for each reader.
fn read_all(mut command: Command, files: &[PathBuf]) -> Vec<Parsed> {
    let output = command.args(files).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn libraries(files: &[PathBuf]) -> [(&'static str, Vec<Parsed>); 3] {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let venv = std::env::var_os("IBYOK_TEST_VENV").map_or_else(|| repository.join(".venv"), PathBuf::from);
    let mut python = program(venv.join("bin/python").to_str().unwrap());
    python.args([
        "-c",
        "import dotenv, json, sys; print(json.dumps([dotenv.dotenv_values(file) for file in sys.argv[1:]]))",
    ]);
    let modules = std::env::var_os("IBYOK_TEST_NODE").map_or_else(|| repository.join(".node"), PathBuf::from);
    let each = |parse: &str| {
        let script = format!(
            "const fs = require('fs'); console.log(JSON.stringify(process.argv.slice(2).map(file => {parse}(fs.readFileSync(file, 'utf8')))))"
        );
        let mut node = program("node");
        node.args(["-e", &script]).arg(&modules);
        node
    };
    [
        ("python-dotenv", read_all(python, files)),
        (
            "dotenv",
            read_all(each("require(process.argv[1] + '/node_modules/dotenv').parse"), files),
        ),
        // What `node --env-file` calls.
        ("node --env-file", read_all(each("require('util').parseEnv"), files)),
    ]
}

/// Returns true if a shell reads a value in quotes as we do, or complains. Text without quotes is a program to a shell, and so is not
/// asked about; it keeps `\n` in double quotes, and the CR of every line of a Windows file.
fn shell_agrees(file: &Path, text: &str, value: &str) -> bool {
    let is_quoted = text.starts_with("A_KEY='") || text.starts_with("A_KEY=\"");
    if !is_quoted || text.contains("\\n") || text.contains("\r\n") {
        return true;
    }
    let mut command = program("sh");
    command
        .args(["-c", "set -a; . \"$1\"; printf %s \"$A_KEY\"", "sh"])
        .arg(file);
    let output = command.current_dir(file.parent().unwrap()).output().unwrap();
    // A shell that fails says so.
    !output.stderr.is_empty() || output.stdout == value.as_bytes()
}

/// Files with one value each: those of [`WRITTEN`], and any others of the characters that matter.
fn written() -> Vec<String> {
    let pieces = [
        "a",
        "b",
        " ",
        " # ",
        "#",
        "\"",
        "'",
        "`",
        "\\",
        "\\n",
        "\\\"",
        "\t",
        "\n",
        "\r\n",
        "{\"k\": \"v\"}",
        "$c",
        "=",
        ", ",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut values: Vec<String> = WRITTEN.map(str::to_owned).to_vec();
    for number in 0..60 {
        let quote = ["", "\"", "'"][number % 3];
        let inner = (0..=next(5)).map(|_| pieces[next(pieces.len())]);
        // Without quotes what follows a line break is another line, of which this test says nothing.
        let inner: String = inner
            .filter(|piece| !quote.is_empty() || !piece.contains('\n'))
            .collect();
        let tail = ["", "", " # c", " # it's \"c\"", "\t# c", "  "][next(6)];
        values.push(format!("{quote}{inner}{quote}{tail}"));
    }
    values
        .into_iter()
        .map(|value| format!("A_KEY={value}\nZ_KEY=1\n"))
        .collect()
}

#[test]
fn what_readers_read_in_different_ways_is_refused_with_its_line_or_said() {
    let home = home_with_vault();
    let texts = written();
    let files: Vec<PathBuf> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| home.input(&format!("{number}.env"), text))
        .collect();
    let libraries = libraries(&files);
    let (mut read, mut refused, mut wrong) = (0, 0, Vec::new());
    for (number, (text, file)) in texts.iter().zip(&files).enumerate() {
        let name = format!("{number}.env");
        let ours = home.ibyok(["run", "--env-file", &name, "--", "env", "-0"]).run();
        if ours.code() == 125 {
            assert!(ours.said().contains("line "), "{text:?}: {ours:?}");
            refused += 1;
            // An import refuses the same line for the same reason.
            if number < WRITTEN.len() && number % 4 == 0 {
                let imported = home.ibyok(["import", &name, "--env", "dev", "--dry-run"]).run();
                let reason = |said: &str| said.lines().find(|line| line.contains("line ")).map(str::to_owned);
                assert_eq!(
                    (imported.code(), reason(&imported.said())),
                    (2, reason(&ours.said())),
                    "{text:?}"
                );
            }
            continue;
        }
        read += 1;
        let printed = ours.stdout.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let ours_read: Parsed = printed
            .filter_map(|pair| {
                pair.split_once('=')
                    .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
            })
            .filter(|(name, _)| name.ends_with("_KEY"))
            .collect();
        let value = ours_read["A_KEY"].clone().unwrap();
        let is_said = ours.said().contains("A_KEY (line 1)");
        for (reader, theirs) in &libraries {
            if !is_said && theirs[number].get("A_KEY") != ours_read.get("A_KEY") {
                wrong.push(format!(
                    "{text:?}: {reader} reads {:?}, and we read {value:?}",
                    theirs[number]
                ));
            }
        }
        if !is_said && !shell_agrees(file, text, &value) {
            wrong.push(format!("{text:?}: a shell reads other than {value:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        read > 30 && refused > 30,
        "{read} values are read, {refused} are refused"
    );
}
