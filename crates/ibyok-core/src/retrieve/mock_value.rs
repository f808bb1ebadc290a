//! The mock that is served in the place of a value: made from the key's id under a key of its realm, never from the
//! value.

use std::collections::BTreeMap;

use ibyok_crypto::Secret;
use ibyok_providers::{Catalogue, mock};

use crate::base::error::Result;
use crate::gate::permit::Permit;
use crate::model::key::{KeyRecord, VersionRecord};
use crate::model::name::FieldName;
use crate::retrieve::no_field;

/// The label of the keyed hash that seeds mocks: nothing else is made with it.
const LABEL: &str = "ibyok mock v1";

/// The mocks of the fields that were asked for. Nothing of the version is unwrapped: only the names of its fields are read.
pub(crate) fn mock_fields(
    permit: &Permit,
    record: &KeyRecord,
    version: &VersionRecord,
    field: Option<&FieldName>,
) -> Result<BTreeMap<FieldName, Secret>> {
    let provider = record.provider.as_deref().and_then(|id| Catalogue::builtin().get(id));
    let names = version.sealed.iter().flat_map(|sealed| sealed.fields.keys());
    let asked = names.filter(|name| field.is_none_or(|field| field == *name));
    let mocks: BTreeMap<FieldName, Secret> = asked
        .map(|name| {
            let seed = seed(permit, name);
            let text = if name.is_value() {
                mock(provider, &seed)
            } else {
                of_field(name, &seed)
            };
            (name.clone(), Secret::copy_of(text.as_bytes()))
        })
        .collect();
    match field {
        Some(field) if mocks.is_empty() => Err(no_field(&permit.label(), field)),
        _ => Ok(mocks),
    }
}

/// Returns the seed of a mock: the same for a key and field in an environment, in every version.
fn seed(permit: &Permit, field: &FieldName) -> [u8; 32] {
    // An id has 16 bytes, so that no field is another's.
    let bytes = [&permit.id().0, field.as_str().as_bytes()].concat();
    permit.realm().keys.keyed_hash(LABEL, &bytes)
}

/// Makes the mock of a field that belongs to a key. A mock of an address leads nowhere (RFC 2606, `.invalid`).
fn of_field(field: &FieldName, seed: &[u8; 32]) -> String {
    let is = |word: &str| field.as_str().rsplit('_').next() == Some(word);
    if ["url", "uri", "endpoint"].into_iter().any(is) {
        return "https://mock.invalid".to_owned();
    }
    if ["host", "hostname", "domain"].into_iter().any(is) {
        return "mock.invalid".to_owned();
    }
    let body = mock(None, seed);
    let body = body.rsplit('-').next().unwrap_or_default();
    format!("mock-{:.40}-{body}", field.as_str())
}
