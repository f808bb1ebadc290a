//! A KEK that never leaves AWS KMS.

mod client;
mod failure;
mod name;
mod on_the_wire;
mod options;

use std::fmt;
use std::future::Future;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{EncryptionAlgorithmSpec, KeyManagerType, KeyMetadata, KeySpec, KeyUsageType};
use bytes::Bytes;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use self::failure::{Failure, Said};
use self::name::{KeyArn, KeyName};
pub use self::options::AwsKmsOptions;
use super::context::KekContext;
use super::contract::Kek;
use super::wrapped::{KekDescription, KekId, WrappedKey};
use crate::{EnvironmentKey, Error, KekRefusal};

/// The kind in its id.
const KIND: &str = "aws-kms";
/// The most bytes of ciphertext that Decrypt takes.
const CIPHERTEXT_LIMIT: usize = 6144;

/// A symmetric key in AWS KMS. It never leaves KMS, which is called to wrap and to unwrap.
///
/// Every call names the key by its ARN and binds [`KekContext::encryption_context`], so that a key policy can keep a
/// server to its own environment. [`AwsKms::connect`] looks up the key of an alias once and pins it: moving the alias
/// later changes nothing here.
///
/// A call takes at most the deadline of its options. Within it, a call that fails for a reason that may pass
/// (throttling, a status of 5xx, a connection that fails) is tried again up to three times, with growing, random
/// waits. A refusal is never tried again. Redirects are not followed. Expired credentials are read again once.
///
/// The plaintext that KMS sends is moved into wiped memory, and the plaintext that is sent to it is in memory that is
/// wiped when the SDK drops it. The two bodies, which hold a key in Base64, are not wiped: they are in the buffers of
/// the SDK, of HTTP and of TLS.
///
/// It needs a Tokio runtime with I/O and time, the same one from [`AwsKms::connect`] on. `docs/kms.md` has the
/// policies, and the remedy for each refusal.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use ibyok_crypto::{AwsKms, AwsKmsOptions, Keyring};
///
/// # async fn example() -> Result<(), ibyok_crypto::Error> {
/// let kek = AwsKms::connect("alias/ibyok", AwsKmsOptions::new()).await?;
/// let keyring = Keyring::new(Arc::new(kek));
/// # Ok(()) }
/// ```
pub struct AwsKms {
    client: RwLock<Client>,
    options: AwsKmsOptions,
    key: KeyArn,
    id: KekId,
    note: Option<&'static str>,
}

impl AwsKms {
    /// Looks a key up: a key id, a key ARN, an alias (`alias/…`) or an alias ARN.
    ///
    /// A key given by its whole ARN need not be found: where `kms:DescribeKey` is denied, or KMS does not answer, the program uses the ARN as it
    /// is, and [`Kek::describe`] has a note about that.
    ///
    /// # Errors
    /// [`Error::KekUnusable`] for a name of another form, no region, an ARN of another region than the client's, a key that is asymmetric,
    /// is not for encryption, or is AWS's own; [`Error::KekRefused`] and [`Error::KekUnavailable`] for errors of KMS; [`Error::KekAnswer`] if it
    /// answers with another key.
    pub async fn connect(key: &str, options: AwsKmsOptions) -> Result<Self, Error> {
        let name = KeyName::parse(key)?;
        let unusable = |problem: String| Error::KekUnusable {
            key: key.to_owned(),
            problem,
        };
        let connecting = within(&options, options.connect(name.region()));
        let connected = connecting.await.map_err(|failure| failure.of(key))?;
        let connected = connected.ok_or_else(|| unusable("no region is configured: set `AWS_REGION`".to_owned()))?;
        if let Some(region) = name.region().filter(|region| *region != connected.region) {
            return Err(unusable(format!(
                "it is in region `{region}`, and the client in `{}`: set `AWS_REGION` to the key's",
                connected.region
            )));
        }
        let client = connected.client;
        let looked_up = within(&options, describe(&client, &name))
            .await
            .and_then(|answer| answer);
        let (arn, note) = match (looked_up, name) {
            (Ok(metadata), name) => (check(key, &name, &connected.region, &metadata)?, None),
            (Err(Failure::Refused(KekRefusal::AccessDenied, _)), KeyName::Key(arn)) => {
                (arn, Some("not checked: kms:DescribeKey is denied"))
            }
            (Err(Failure::Unavailable(_)), KeyName::Key(arn)) => (arn, Some("not checked: KMS did not answer")),
            (Err(failure), _) => return Err(failure.of(key)),
        };
        Ok(Self {
            client: RwLock::new(client),
            id: KekId::new(KIND, arn.as_str())?,
            options,
            key: arn,
            note,
        })
    }

    /// Asks, and asks once more with fresh credentials if they have expired; all of it within the deadline.
    async fn ask<O, E, F>(&self, call: impl Fn(Client) -> F + Send + Sync) -> Result<O, Failure>
    where
        O: Send,
        E: std::error::Error + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<O, SdkError<E>>> + Send,
    {
        let asking = async {
            match call(self.client()).await.map_err(Failure::from) {
                Err(Failure::Expired(said)) => {
                    let fresh = self.options.connect(Some(self.key.region())).await;
                    let Some(fresh) = fresh.filter(|fresh| fresh.region == self.key.region()) else {
                        return Err(Failure::Expired(said));
                    };
                    *self.client.write().unwrap_or_else(PoisonError::into_inner) = fresh.client;
                    call(self.client()).await.map_err(Failure::from)
                }
                answer => answer,
            }
        };
        within(&self.options, asking).await.and_then(|answer| answer)
    }

    fn client(&self) -> Client {
        // A client is replaced whole, so a panic elsewhere has not spoilt it.
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wrong_answer(&self, problem: &'static str) -> Error {
        Error::KekAnswer {
            kek: self.id.to_string(),
            problem,
        }
    }

    /// That the answer is about our key, and not to another's request.
    fn check_key(&self, answered: Option<&str>) -> Result<(), Error> {
        if answered == Some(self.key.as_str()) {
            Ok(())
        } else {
            Err(self.wrong_answer("it is about another key"))
        }
    }
}

#[async_trait]
impl Kek for AwsKms {
    async fn wrap(&self, key: &EnvironmentKey, context: &KekContext) -> Result<WrappedKey, Error> {
        // The SDK clones and drops this as it likes; the last to let go wipes it.
        let plaintext = Bytes::from_owner(Zeroizing::new(key.expose_secret().to_vec()));
        let call = |client: Client| {
            let request = client.encrypt().key_id(self.key.as_str());
            let request = request.encryption_algorithm(EncryptionAlgorithmSpec::SymmetricDefault);
            let request = request.set_encryption_context(Some(context.encryption_context().into_iter().collect()));
            request.plaintext(Blob::from_maybe_shared(plaintext.clone())).send()
        };
        let answer = self.ask(call).await.map_err(|failure| failure.of(self.id.as_str()))?;
        self.check_key(answer.key_id())?;
        let bytes = answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
        if bytes.is_empty() || bytes.len() > CIPHERTEXT_LIMIT {
            return Err(self.wrong_answer("it holds no ciphertext"));
        }
        Ok(WrappedKey::new(self.id.clone(), bytes))
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &KekContext) -> Result<EnvironmentKey, Error> {
        if !self.accepts(wrapped.kek()) {
            return Err(Error::UnknownKek {
                named: wrapped.kek().to_string(),
            });
        }
        if wrapped.bytes().is_empty() || wrapped.bytes().len() > CIPHERTEXT_LIMIT {
            return Err(Error::Open);
        }
        let call = |client: Client| {
            let request = client.decrypt().key_id(self.key.as_str());
            let request = request.encryption_algorithm(EncryptionAlgorithmSpec::SymmetricDefault);
            let request = request.set_encryption_context(Some(context.encryption_context().into_iter().collect()));
            request.ciphertext_blob(Blob::new(wrapped.bytes())).send()
        };
        let answer = self.ask(call).await.map_err(|failure| failure.of(self.id.as_str()))?;
        let answered = answer.key_id;
        // The blob is the only owner of its bytes, so they are moved and not copied.
        let plaintext = Zeroizing::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default());
        self.check_key(answered.as_deref())?;
        let Ok(bytes) = <&[u8; 32]>::try_from(plaintext.as_slice()) else {
            return Err(self.wrong_answer("it does not hold 32 bytes"));
        };
        Ok(EnvironmentKey::init_with_mut(|key| key.copy_from_slice(bytes)))
    }

    fn describe(&self) -> KekDescription {
        let description = KekDescription::new(KIND, Some(self.id.clone()));
        match self.note {
            Some(note) => description.with_note(note),
            None => description,
        }
    }

    fn accepts(&self, id: &KekId) -> bool {
        *id == self.id
    }
}

impl fmt::Debug for AwsKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsKms({}, ..)", self.id)
    }
}

/// Runs a future up to the deadline; without a runtime, where the SDK would panic, not at all.
async fn within<T>(options: &AwsKmsOptions, future: impl Future<Output = T> + Send) -> Result<T, Failure> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(Failure::Unavailable(Said::no_runtime()));
    }
    let late = |_| Failure::Unavailable(Said::nothing_within(options.deadline));
    tokio::time::timeout(options.deadline, future).await.map_err(late)
}

async fn describe(client: &Client, name: &KeyName) -> Result<KeyMetadata, Failure> {
    let answer = client.describe_key().key_id(name.as_str()).send().await?;
    answer
        .key_metadata
        .ok_or_else(|| Failure::Unavailable(Said::nothing_of("the key")))
}

/// Checks that KMS found the named key, and that the key can wrap.
fn check(given: &str, name: &KeyName, region: &str, found: &KeyMetadata) -> Result<KeyArn, Error> {
    let arn = found
        .arn()
        .and_then(KeyArn::parse)
        .filter(|arn| arn.region() == region && name.may_be(arn));
    let arn = arn.ok_or_else(|| Error::KekAnswer {
        kek: given.to_owned(),
        problem: "it is about another key",
    })?;
    // What is left out is not held against the key: Encrypt would refuse the wrong kind.
    let symmetric = found.key_spec().is_none_or(|spec| *spec == KeySpec::SymmetricDefault);
    let encrypts = found
        .key_usage()
        .is_none_or(|usage| *usage == KeyUsageType::EncryptDecrypt);
    let problem = if !encrypts {
        "its usage is not ENCRYPT_DECRYPT: use a symmetric key for encryption"
    } else if !symmetric {
        "it is asymmetric: use a symmetric key for encryption"
    } else if found.key_manager() == Some(&KeyManagerType::Aws) {
        "AWS manages it for another service: create a customer managed key"
    } else {
        return Ok(arn);
    };
    Err(Error::KekUnusable {
        key: given.to_owned(),
        problem: problem.to_owned(),
    })
}

#[cfg(test)]
mod tests;
