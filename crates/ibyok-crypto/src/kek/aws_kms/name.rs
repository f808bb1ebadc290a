//! Names of KMS keys: id, ARN or alias.

use crate::Error;

/// The most characters of a name; a key ARN has some 80.
const LIMIT: usize = 512;

/// A key as given, with the parts that its form shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyName {
    /// The whole of it: `arn:aws:kms:eu-central-1:111122223333:key/…`.
    Key(KeyArn),
    /// `arn:aws:kms:eu-central-1:111122223333:alias/…`.
    AliasArn {
        /// The whole.
        text: String,
        /// Its region.
        region: String,
    },
    /// `alias/…`.
    Alias(String),
    /// A bare key id.
    Id(String),
}

impl KeyName {
    /// Reads the text of a person.
    pub(super) fn parse(given: &str) -> Result<Self, Error> {
        let unusable = |problem: &str| Error::KekUnusable {
            key: given.chars().take(LIMIT).filter(|one| !one.is_control()).collect(),
            problem: problem.to_owned(),
        };
        if given.is_empty() || given.len() > LIMIT {
            return Err(unusable(
                "give a key id, a key ARN, an alias (`alias/…`) or an alias ARN",
            ));
        }
        if given.starts_with("arn:") {
            return Self::parse_arn(given).ok_or_else(|| {
                unusable("malformed ARN: it reads `arn:aws:kms:REGION:ACCOUNT:key/ID`, or `…:alias/NAME`")
            });
        }
        if is_alias(given) {
            return Ok(Self::Alias(given.to_owned()));
        }
        if is_key_id(given) {
            return Ok(Self::Id(given.to_owned()));
        }
        Err(unusable(
            "not a key id, a key ARN, an alias (`alias/…`) or an alias ARN",
        ))
    }

    fn parse_arn(given: &str) -> Option<Self> {
        if let Some(arn) = KeyArn::parse(given) {
            return Some(Self::Key(arn));
        }
        let (region, resource) = split_arn(given)?;
        is_alias(resource).then(|| Self::AliasArn {
            text: given.to_owned(),
            region: region.to_owned(),
        })
    }

    /// As KMS takes it.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Key(arn) => arn.as_str(),
            Self::AliasArn { text, .. } | Self::Alias(text) | Self::Id(text) => text,
        }
    }

    /// The region that it names, if it does.
    pub(super) fn region(&self) -> Option<&str> {
        match self {
            Self::Key(arn) => Some(arn.region()),
            Self::AliasArn { region, .. } => Some(region),
            Self::Alias(_) | Self::Id(_) => None,
        }
    }

    /// Returns true if this ARN can be the key that was named.
    pub(super) fn may_be(&self, arn: &KeyArn) -> bool {
        match self {
            Self::Key(given) => given == arn,
            Self::Id(id) => arn.id() == id,
            // Where an alias leads only KMS knows; that it stays in its region we know.
            Self::AliasArn { region, .. } => arn.region() == region,
            Self::Alias(_) => true,
        }
    }
}

/// The ARN of a key: an alias is pinned to the ARN that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyArn {
    text: String,
    region: String,
    id: String,
}

impl KeyArn {
    /// Reads `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (region, resource) = split_arn(text)?;
        let id = resource.strip_prefix("key/").filter(|id| is_key_id(id))?;
        Some(Self {
            text: text.to_owned(),
            region: region.to_owned(),
            id: id.to_owned(),
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    fn id(&self) -> &str {
        &self.id
    }
}

/// Region and resource of an ARN of KMS.
fn split_arn(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let formed = arn == "arn"
        && (partition == "aws" || partition.starts_with("aws-"))
        && is_region(partition)
        && service == "kms"
        && is_region(region)
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && text.len() <= LIMIT;
    formed.then_some((region, resource))
}

/// Returns true if the text is a region. A region becomes part of a host name, and so must hold no other characters.
pub(super) fn is_region(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 32 && text.bytes().all(letter)
}

fn is_key_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_alias(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
    text.strip_prefix("alias/")
        .is_some_and(|name| !name.is_empty() && name.bytes().all(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn a_key_is_named_by_id_arn_alias_or_alias_arn() {
        for (given, region) in [
            (ARN, Some("eu-central-1")),
            (
                "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-12ab",
                Some("us-gov-west-1"),
            ),
            ("arn:aws:kms:eu-west-1:111122223333:alias/team/ibyok", Some("eu-west-1")),
            ("alias/ibyok", None),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", None),
        ] {
            let name = KeyName::parse(given).unwrap();
            assert_eq!((name.as_str(), name.region()), (given, region));
        }
    }

    #[test]
    fn whatever_else_is_refused_with_what_to_give() {
        for given in [
            "",
            "alias/",
            "key/1234",
            "1234 5678",
            "../x",
            "arn:",
            "arn:aws:kms",
            "arn:aws:s3:eu-west-1:111122223333:key/1",
            "arn:aws:kms::111122223333:key/1",
            "arn:aws:kms:EU:111122223333:key/1",
            "arn:aws:kms:evil.example/#:111122223333:key/1",
            "arn:aws:kms:eu-west-1:1111:key/1",
            "arn:aws:kms:eu-west-1:11112222333x:key/1",
            "arn:aws:kms:eu-west-1:111122223333:key/",
            "arn:aws:kms:eu-west-1:111122223333:key/1:2",
            "arn:aws:kms:eu-west-1:111122223333:key/a/b",
            "arn:aws:kms:eu-west-1:111122223333:grant/1",
            "arn:evil:kms:eu-west-1:111122223333:key/1",
            "alias/a\nb",
            &"a".repeat(LIMIT + 1),
        ] {
            let error = KeyName::parse(given).unwrap_err();
            assert!(matches!(error, Error::KekUnusable { .. }), "{given}: {error}");
            assert!(!error.to_string().contains('\n') && error.to_string().len() < LIMIT + 200);
        }
    }

    #[test]
    fn an_answer_must_be_the_key_that_was_named() {
        let arn = KeyArn::parse(ARN).unwrap();
        let may_be = |given: &str| KeyName::parse(given).unwrap().may_be(&arn);
        assert!(may_be(ARN) && may_be("1234abcd-12ab-34cd-56ef-1234567890ab") && may_be("alias/x"));
        assert!(!may_be(&ARN.replace("1234abcd", "1234abce")) && !may_be("1234abce"));
        assert!(may_be("arn:aws:kms:eu-central-1:111122223333:alias/x"));
        assert!(!may_be("arn:aws:kms:eu-west-1:111122223333:alias/x"));
    }
}
