//! The words in names that show whether the value is a secret.

/// Words of which one makes a name a secret's.
pub(super) const SECRET: &[&str] = &[
    "secret",
    "secrets",
    "password",
    "passwords",
    "passwd",
    "pwd",
    "passphrase",
    "credential",
    "credentials",
    "apikey",
    "authkey",
    "accesskey",
    "secretkey",
    "authtoken",
    "accesstoken",
    "bearer",
    "authorization",
];

/// Ends of a last word that say secret, where words are written as one: `PGPASSWORD`, `botToken`, `clientsecret`.
pub(super) const SECRET_ENDS: &[&str] = &["secret", "apikey", "accesskey", "secretkey", "authkey", "token"];
pub(super) const PASSWORD_ENDS: &[&str] = &["password", "passwd", "passphrase", "pwd"];

/// Last words that say nothing of a value: the name before them does.
pub(super) const QUALIFIERS: &[&str] = &[
    "prod",
    "production",
    "dev",
    "development",
    "staging",
    "stage",
    "test",
    "testing",
    "live",
    "sandbox",
    "local",
    "ci",
    "old",
    "new",
    "backup",
    "default",
    "value",
    "v1",
    "v2",
    "v3",
    "1",
    "2",
    "3",
    "4",
    "b64",
    "base64",
];

/// Words that say that a value is encrypted or a digest, for any end of the name.
pub(super) const TRANSFORMED: &[&str] = &[
    "hashed",
    "encrypted",
    "sealed",
    "ciphertext",
    "digested",
    "masked",
    "redacted",
];

/// Words before `token` that make it one of pages or of forms, except in a variable in capitals.
pub(super) const OTHER_TOKENS: &[&str] = &[
    "next",
    "page",
    "pagination",
    "continuation",
    "cursor",
    "csrf",
    "xsrf",
    "nonce",
    "idempotency",
    "sync",
    "cancel",
    "cancellation",
    "resume",
    "skip",
];

/// Words before `key` that make it a secret one.
pub(super) const SECRET_KEYS: &[&str] = &[
    "api",
    "access",
    "auth",
    "secret",
    "private",
    "signing",
    "encryption",
    "master",
    "account",
    "client",
    "license",
    "webhook",
    "service",
    "admin",
    "write",
    "deploy",
    "app",
    "application",
    "subscription",
    "storage",
    "shared",
];

/// Words that make a name another thing's, where its end does not say secret.
pub(super) const OTHERS: &[&str] = &[
    "public",
    "publishable",
    "anon",
    "pub",
    "keyword",
    "keywords",
    "hash",
    "hashes",
    "digest",
    "checksum",
    "sha",
    "sha1",
    "sha256",
    "sha512",
    "md5",
    "fingerprint",
    "thumbprint",
    "signature",
    "integrity",
    "etag",
    "primary",
    "foreign",
    "sort",
    "partition",
    "cache",
    "idempotency",
    "pagination",
    "next",
    "continuation",
    "cursor",
    "page",
    "csrf",
    "xsrf",
    "nonce",
    "uuid",
    "guid",
    "commit",
    "revision",
    "version",
    "expected",
    "color",
    "hashed",
    "encrypted",
    "ciphertext",
    "cipher",
];

/// Words that, at the end, say that the value is something about a secret.
pub(super) const ABOUT: &[&str] = &[
    "id", "ids", "name", "names", "url", "uri", "path", "file", "type", "kind", "size", "len", "length", "count",
    "ttl", "arn", "header", "prefix", "suffix", "format", "pattern", "regex", "field", "column", "index", "label",
    "date", "at", "expiry", "expires", "endpoint", "version", "alias", "ref",
];
