//! Tests that need a process of their own: one must not change its own environment, and a subscriber of traces is for all threads. Such a
//! test runs itself once more.

use std::process::{Command, Output};

/// The variable that marks the second run of a test, and names the key to connect to.
const CHILD: &str = "IBYOK_TEST_KMS_KEY";

/// The key, in the second run.
pub(super) fn given() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Runs a test again by its whole path, with nothing of AWS in its environment but this.
pub(super) fn run_again(path: &str, key: &str, environment: &[(&str, &str)]) -> Output {
    let test = path.split_once("::").unwrap().1;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/nonexistent");
    command
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        .env(CHILD, key);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    // One test, not none, has run.
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("running 1 test"),
        "{output:?}"
    );
    output
}
