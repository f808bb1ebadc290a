//! The name of an operator.

/// Returns the name of this process's user for the audit log: `os:user@host`.
#[must_use]
pub fn operator_name() -> String {
    let id = rustix::process::getuid().as_raw();
    // A container often runs as a user that has a number and no name.
    let user = whoami::username().ok().filter(|user| !user.is_empty());
    let user = user.unwrap_or_else(|| id.to_string());
    let host = whoami::hostname().unwrap_or_else(|_| "unknown".to_owned());
    format!("os:{user}@{host}")
}
