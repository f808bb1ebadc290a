//! The behaviour of a healthy KMS.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::http::Reply;
use super::{Call, Fault};

/// The key that is there from the start.
pub(crate) const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A key, as far as `DescribeKey` tells.
#[derive(Clone, Debug)]
pub(crate) struct StubKey {
    pub(crate) arn: String,
    pub(crate) alias: Option<String>,
    pub(crate) spec: &'static str,
    pub(crate) usage: &'static str,
    pub(crate) manager: &'static str,
}

impl StubKey {
    /// A symmetric key for encryption, of the customer's own.
    pub(crate) fn symmetric(arn: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            alias: None,
            spec: "SYMMETRIC_DEFAULT",
            usage: "ENCRYPT_DECRYPT",
            manager: "CUSTOMER",
        }
    }

    fn answers_to(&self, name: &str) -> bool {
        let (front, id) = self.arn.split_once("key/").unwrap();
        let alias = self.alias.as_deref();
        name == self.arn || name == id || alias.is_some_and(|alias| name == alias || name == format!("{front}{alias}"))
    }
}

pub(crate) struct Service {
    pub(crate) keys: Vec<StubKey>,
    /// Ciphertext, and what it was made of. A real KMS needs no such memory; a stub needs no cipher.
    wrapped: Vec<(Vec<u8>, Wrapped)>,
}

struct Wrapped {
    arn: String,
    context: Value,
    plaintext: Value,
}

impl Default for Service {
    fn default() -> Self {
        let first = StubKey {
            alias: Some("alias/ibyok".to_owned()),
            ..StubKey::symmetric(ARN)
        };
        Self {
            keys: vec![first],
            wrapped: Vec::new(),
        }
    }
}

impl Service {
    pub(crate) fn answer(&mut self, call: &Call) -> Reply {
        let name = call.body["KeyId"].as_str().unwrap_or_default();
        let Some(key) = self.keys.iter().find(|key| key.answers_to(name)).cloned() else {
            return Reply::refusal(&Fault::NOT_FOUND);
        };
        let context = call.body["EncryptionContext"].clone();
        match call.operation.as_str() {
            "DescribeKey" => Reply::json(
                200,
                &json!({ "KeyMetadata": {
                    "Arn": key.arn, "KeyId": key.arn.split_once("key/").unwrap().1, "KeyState": "Enabled", "Enabled": true,
                    "KeySpec": key.spec, "KeyUsage": key.usage, "KeyManager": key.manager,
                } }),
            ),
            "Encrypt" => {
                let ciphertext = ciphertext(self.wrapped.len());
                let answer = json!({ "KeyId": key.arn, "CiphertextBlob": BASE64.encode(&ciphertext) });
                let plaintext = call.body["Plaintext"].clone();
                let made_of = Wrapped {
                    arn: key.arn,
                    context,
                    plaintext,
                };
                self.wrapped.push((ciphertext, made_of));
                Reply::json(200, &answer)
            }
            "Decrypt" => {
                let blob = BASE64.decode(call.body["CiphertextBlob"].as_str().unwrap_or_default().as_bytes());
                let found = self
                    .wrapped
                    .iter()
                    .find(|(ciphertext, _)| Ok(ciphertext) == blob.as_ref());
                match found {
                    Some((_, wrapped)) if wrapped.context != context => Reply::refusal(&Fault::INVALID_CIPHERTEXT),
                    Some((_, wrapped)) if wrapped.arn != key.arn => Reply::refusal(&Fault::INCORRECT_KEY),
                    Some((_, wrapped)) => {
                        Reply::json(200, &json!({ "KeyId": key.arn, "Plaintext": wrapped.plaintext }))
                    }
                    None => Reply::refusal(&Fault::INVALID_CIPHERTEXT),
                }
            }
            _ => Reply::refusal(&Fault::VALIDATION),
        }
    }
}

impl Reply {
    /// The same answer with its JSON changed.
    pub(super) fn changed(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut body = self.value();
        change(&mut body);
        Self::json(200, &body)
    }
}

/// 152 bytes, as KMS makes of 32, other ones for each number (SplitMix64).
fn ciphertext(number: usize) -> Vec<u8> {
    let mut state = u64::try_from(number).unwrap().wrapping_mul(0x5851_f42d_4c95_7f2d);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..19).flat_map(|_| next().to_be_bytes()).collect()
}
