//! SARIF 2.1.0, as code hosts take it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::finding::{ScanFinding, ScanSeverity};
use crate::report::ScanReport;

/// The report as a SARIF log.
///
/// Its fingerprints are of rule, path and place among the findings of that rule in that file, so that they stay when lines move; nothing
/// of a secret is in them.
#[must_use]
pub fn sarif(report: &ScanReport, version: &str) -> Value {
    let rules: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    let rules: Vec<&str> = rules.into_iter().collect();
    let mut seen: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let place = seen.entry((&finding.rule, &finding.path)).or_default();
            *place += 1;
            result(
                finding,
                rules.binary_search(&finding.rule.as_str()).unwrap_or_default(),
                *place,
            )
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "ibyok",
                "semanticVersion": version,
                "informationUri": "https://github.com/ibyok/ibyok",
                "rules": rules.iter().map(|id| rule(id)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(id: &str) -> Value {
    json!({
        "id": id,
        "shortDescription": { "text": describe(id) },
        "help": { "text": "Revoke the key at its provider, store a new key in the vault, and remove the key from the text. A comment `ibyok:allow REASON` excuses a line." },
        "properties": { "tags": ["security", "secret"] },
    })
}

/// Returns a description of the secrets that a rule finds.
fn describe(id: &str) -> String {
    match id {
        crate::finding::GENERIC => "A random-looking text, assigned to a name that suggests a secret".to_owned(),
        crate::finding::URL_PASSWORD => "A password in an address or in an argument".to_owned(),
        crate::finding::PRIVATE_KEY => "A private key".to_owned(),
        crate::finding::ACCESS_TOKEN => "An access token of an IBYOK vault".to_owned(),
        crate::finding::KNOWN_KEY => "A key of the vault".to_owned(),
        _ => {
            let id = id.strip_suffix("-key").unwrap_or(id);
            let name = ibyok_providers::Catalogue::builtin()
                .get(id)
                .map_or(id, |provider| provider.name());
            format!("A key of {name}")
        }
    }
}

fn result(finding: &ScanFinding, rule: usize, place: u32) -> Value {
    let level = match finding.severity() {
        ScanSeverity::Error => "error",
        ScanSeverity::Warning => "warning",
    };
    let known = finding
        .known_key
        .as_ref()
        .map(|key| format!(", which is `{key}` of the vault"));
    let message = format!(
        "{}{}: {}",
        describe(&finding.rule),
        known.unwrap_or_default(),
        finding.excerpt
    );
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": level,
        "message": { "text": message },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&finding.path) },
            "region": { "startLine": finding.line, "startColumn": finding.column },
        }}],
        "partialFingerprints": { "ibyokPlace/v1": fingerprint(finding, place) },
        "properties": { "commit": finding.commit, "provider": finding.provider, "knownKey": finding.known_key, "note": finding.note },
    })
}

/// A path as a relative URI reference: everything but unreserved characters and `/` is escaped.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if plain(byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    if uri.starts_with('/') {
        format!("file://{uri}")
    } else {
        uri
    }
}

fn fingerprint(finding: &ScanFinding, place: u32) -> String {
    let mut hash = Sha256::new();
    for part in [finding.rule.as_bytes(), finding.path.as_bytes(), &place.to_be_bytes()] {
        hash.update(u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
        hash.update(part);
    }
    data_encoding::HEXLOWER.encode(hash.finalize().get(..16).unwrap_or_default())
}
