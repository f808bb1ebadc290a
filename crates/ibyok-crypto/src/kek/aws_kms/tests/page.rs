//! `docs/kms.md` is right: its policies are JSON that allows the stated calls, and its messages are those of this
//! crate.

use std::path::Path;

use serde_json::Value;

use crate::{KekContext, KekRefusal, VaultId};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/kms.md");
    std::fs::read_to_string(path).unwrap()
}

/// The JSON blocks that come after a heading, up to the next.
fn policies(heading: &str) -> Vec<Value> {
    let page = page();
    let section = page.split_once(heading).unwrap().1.split("\n#").next().unwrap();
    let blocks = section.split("```json").skip(1);
    blocks
        .map(|block| serde_json::from_str(block.split("```").next().unwrap()).unwrap())
        .collect()
}

/// Decides over one policy as IAM does, as far as the policies of `docs/kms.md` go: every condition of one statement
/// must hold.
fn allows(policy: &Value, action: &str, context: &KekContext) -> bool {
    policy["Statement"].as_array().unwrap().iter().any(|statement| {
        let actions = match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            one => vec![one.clone()],
        };
        let conditions = statement["Condition"]["StringEquals"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let pairs = context.encryption_context();
        let holds = |(key, value): (&String, &Value)| {
            let name = key.strip_prefix("kms:EncryptionContext:").unwrap();
            let expected = if name == "vault" {
                pairs["vault"].as_str()
            } else {
                value.as_str().unwrap()
            };
            pairs.get(name).is_some_and(|pair| pair == expected)
        };
        statement["Effect"] == "Allow" && actions.contains(&action.into()) && conditions.iter().all(holds)
    })
}

fn realm(namespace: &str, environment: Option<&str>) -> KekContext {
    KekContext::new(VaultId::from_bytes([1; 16]), namespace, environment)
}

#[test]
fn every_json_block_is_json_with_the_conditions_that_we_send() {
    let known = ["vault", "namespace", "environment", "realm"].map(|name| format!("kms:EncryptionContext:{name}"));
    let blocks = page().matches("```json").count();
    let headings = ["### A server", "### An administrator", "### A role", "### A guard"];
    let found: Vec<Value> = headings.into_iter().flat_map(policies).collect();
    assert_eq!((blocks, found.len()), (4, 4));
    let text = found.iter().map(Value::to_string).collect::<String>();
    for name in text.split('"').filter(|part| part.starts_with("kms:EncryptionContext")) {
        assert!(known.iter().any(|one| one == name), "{name}");
    }
}

#[test]
fn the_dev_server_opens_dev_and_nothing_else() {
    let policy = &policies("### A server")[0];
    assert!(allows(policy, "kms:Decrypt", &realm("default", Some("dev"))));
    for (namespace, environment) in [("default", Some("prod")), ("default", None), ("acme", Some("dev"))] {
        assert!(
            !allows(policy, "kms:Decrypt", &realm(namespace, environment)),
            "{namespace} {environment:?}"
        );
    }
    assert!(!allows(policy, "kms:Encrypt", &realm("default", Some("dev"))));
}

#[test]
fn the_administrator_wraps_and_opens_every_realm_of_the_namespace_and_manages_no_key() {
    let policy = &policies("### An administrator")[0];
    for environment in [Some("dev"), Some("prod"), None] {
        for action in ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"] {
            assert!(
                allows(policy, action, &realm("default", environment)),
                "{action} {environment:?}"
            );
        }
    }
    assert!(!allows(policy, "kms:Decrypt", &realm("acme", Some("dev"))));
    assert!(!policy.to_string().contains("kms:*") && !policy.to_string().contains("kms:Schedule"));
}

#[test]
fn the_role_that_moves_a_vault_only_opens_with_the_old_key() {
    let policy = &policies("### A role")[0];
    let statements = policy["Statement"].as_array().unwrap();
    assert_eq!(statements[0]["Action"], "kms:Decrypt");
    assert_ne!(statements[0]["Resource"], statements[1]["Resource"]);
    for action in ["kms:Encrypt", "kms:Decrypt"] {
        assert!(allows(policy, action, &realm("acme", None)));
    }
}

#[test]
fn every_refusal_is_on_the_page_with_what_to_do() {
    let page = page();
    for why in [
        KekRefusal::AccessDenied,
        KekRefusal::Credentials,
        KekRefusal::Disabled,
        KekRefusal::PendingDeletion,
        KekRefusal::InvalidState,
        KekRefusal::NotFound,
        KekRefusal::KeyUsage,
        KekRefusal::PlainHttp,
        KekRefusal::Settings,
        KekRefusal::Request,
    ] {
        assert!(page.contains(&format!("\n| {why} |")), "{why}");
    }
}
