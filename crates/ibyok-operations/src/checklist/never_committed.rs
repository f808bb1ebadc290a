//! Files that must never be committed, and the lines of `.gitignore` that keep them out.

/// A file of each kind that must never be committed, with the line of `.gitignore` that keeps the kind out.
pub const NEVER_COMMITTED: [(&str, &str); 5] = [
    (".env", ".env"),
    (".env.local", ".env.local"),
    (".env.production.local", ".env.*.local"),
    ("key.pem", "*.pem"),
    ("credentials.json", "credentials.json"),
];

/// Lists the lines of `.gitignore` that keep these files of [`NEVER_COMMITTED`] out.
#[must_use]
pub fn lines_for(files: &[String]) -> Vec<&'static str> {
    let missing = NEVER_COMMITTED
        .iter()
        .filter(|(name, _)| files.iter().any(|file| file == name));
    missing.map(|(_, line)| *line).collect()
}
