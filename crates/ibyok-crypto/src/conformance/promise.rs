//! The promises.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{Broken, Harness};
use crate::{EnvironmentKey, Error, Kek, KekContext, KekId, VaultId, WrappedKey};

/// A key that was wrapped is unwrapped by a KEK made anew, again and again.
///
/// # Errors
/// [`Broken`] if not.
pub async fn a_key_comes_back_after_a_restart(harness: &impl Harness) -> Result<(), Broken> {
    let check = Check("a_key_comes_back_after_a_restart");
    let (kek, key, context) = (check.kek(harness)?, check.key()?, context());
    let first = check.wrap(&*kek, &key, &context).await?;
    let second = check.wrap(&*check.kek(harness)?, &key, &context).await?;
    for wrapped in [first, second] {
        for opener in [Arc::clone(&kek), check.kek(harness)?] {
            let opened = check.ok(opener.unwrap(&wrapped, &context).await)?;
            check.that(opened.expose_secret() == key.expose_secret(), "another key came back")?;
        }
    }
    Ok(())
}

/// The id in a wrapped key is accepted by the KEK that wrapped it, and by it made anew, before they have seen any.
///
/// # Errors
/// [`Broken`] if not.
pub async fn a_wrapped_key_names_a_kek_that_its_own_accepts(harness: &impl Harness) -> Result<(), Broken> {
    let check = Check("a_wrapped_key_names_a_kek_that_its_own_accepts");
    let kek = check.kek(harness)?;
    let wrapped = check.wrap(&*kek, &check.key()?, &context()).await?;
    check.that(kek.accepts(wrapped.kek()), "its own id is not accepted")?;
    check.that(
        check.kek(harness)?.accepts(wrapped.kek()),
        "its own id is not accepted after a restart",
    )?;
    let read: Result<KekId, Error> = wrapped.kek().as_str().parse();
    check.that(
        read.is_ok_and(|id| id == *wrapped.kek()),
        "its id is not read as printed",
    )
}

/// Another KEK of the same kind does not open it.
///
/// # Errors
/// [`Broken`] if it does.
pub async fn another_kek_does_not_open(harness: &impl Harness) -> Result<(), Broken> {
    let check = Check("another_kek_does_not_open");
    let wrapped = check.wrap(&*check.kek(harness)?, &check.key()?, &context()).await?;
    let other = check.ok(harness.other())?;
    check.refused(&*other, &wrapped, &context(), "another KEK").await?;
    // Not even if the name is made to fit.
    let named = check.wrap(&*other, &check.key()?, &context()).await?;
    let renamed = WrappedKey::new(named.kek().clone(), wrapped.bytes().to_vec());
    check
        .refused(&*other, &renamed, &context(), "another KEK, with its own name")
        .await
}

/// With any byte changed it does not open.
///
/// # Errors
/// [`Broken`] if it does.
pub async fn any_change_is_refused(harness: &impl Harness) -> Result<(), Broken> {
    let check = Check("any_change_is_refused");
    let kek = check.kek(harness)?;
    let wrapped = check.wrap(&*kek, &check.key()?, &context()).await?;
    for at in 0..wrapped.bytes().len() {
        let changed = wrapped.bytes().iter().enumerate();
        let bytes = changed
            .map(|(index, byte)| if index == at { byte ^ 1 } else { *byte })
            .collect();
        let changed = WrappedKey::new(wrapped.kek().clone(), bytes);
        check
            .refused(&*kek, &changed, &context(), &format!("byte {at} changed"))
            .await?;
    }
    Ok(())
}

/// Neither `Debug` nor the description of a KEK shows a key that it has handled.
///
/// # Errors
/// [`Broken`] if one does.
pub async fn debug_and_description_hold_no_key(harness: &impl Harness) -> Result<(), Broken> {
    let check = Check("debug_and_description_hold_no_key");
    let (kek, key) = (check.kek(harness)?, check.key()?);
    let wrapped = check.wrap(&*kek, &key, &context()).await?;
    check.ok(kek.unwrap(&wrapped, &context()).await)?;
    let hex: String = key
        .expose_secret()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let listed = format!("{:?}", key.expose_secret());
    let shown = format!("{kek:?} {kek:#?} {} {:?} {wrapped:?}", kek.describe(), kek.describe());
    let plain: String = shown.split_whitespace().collect();
    let list: String = listed.split_whitespace().collect();
    check.that(!plain.to_lowercase().contains(&hex), "the key's bytes show as hex")?;
    check.that(
        !plain.contains(list.trim_matches(['[', ']'])),
        "the key's bytes show as a list",
    )
}

/// Cut short at any length, or with a byte more, it does not open.
///
/// # Errors
/// [`Broken`] if it does.
pub async fn every_length_but_the_right_one_is_refused(harness: &impl Harness) -> Result<(), Broken> {
    let check = Check("every_length_but_the_right_one_is_refused");
    let kek = check.kek(harness)?;
    let wrapped = check.wrap(&*kek, &check.key()?, &context()).await?;
    for len in (0..=wrapped.bytes().len().saturating_add(1)).filter(|&len| len != wrapped.bytes().len()) {
        let bytes = wrapped.bytes().iter().copied().chain([0]).take(len).collect();
        let cut = WrappedKey::new(wrapped.kek().clone(), bytes);
        check
            .refused(
                &*kek,
                &cut,
                &context(),
                &format!("{len} bytes of {}", wrapped.bytes().len()),
            )
            .await?;
    }
    Ok(())
}

/// The wrapped bytes hold no part of the key, and wrapping one key twice does not show that it is the same.
///
/// # Errors
/// [`Broken`] if they do.
pub async fn nothing_of_the_key_shows(harness: &impl Harness) -> Result<(), Broken> {
    let check = Check("nothing_of_the_key_shows");
    let (kek, key) = (check.kek(harness)?, check.key()?);
    let first = check.wrap(&*kek, &key, &context()).await?;
    let second = check.wrap(&*kek, &key, &context()).await?;
    check.that(
        first.bytes() != second.bytes(),
        "one key wrapped twice gives the same bytes",
    )?;
    let shows = |part: &[u8]| first.bytes().windows(part.len()).any(|window| window == part);
    check.that(
        !key.expose_secret().windows(8).any(shows),
        "the wrapped bytes hold a part of the key",
    )?;
    check.that(
        first.bytes().len() <= WrappedKey::LIMIT,
        "the wrapped bytes are too long",
    )
}

/// Under another vault, namespace or environment, or for the whole instead of an environment, it does not open.
///
/// # Errors
/// [`Broken`] if it does.
pub async fn the_whole_context_is_bound(harness: &impl Harness) -> Result<(), Broken> {
    let check = Check("the_whole_context_is_bound");
    let kek = check.kek(harness)?;
    let vault = VaultId::from_bytes([1; 16]);
    let contexts = [
        KekContext::new(vault, "acme", Some("prod")),
        KekContext::new(VaultId::from_bytes([2; 16]), "acme", Some("prod")),
        KekContext::new(vault, "acm", Some("prod")),
        KekContext::new(vault, "acme", Some("dev")),
        KekContext::new(vault, "acmep", Some("rod")),
        KekContext::new(vault, "acme", None),
        KekContext::new(vault, "acme", Some("")),
    ];
    for right in &contexts {
        let wrapped = check.wrap(&*kek, &check.key()?, right).await?;
        check.ok(kek.unwrap(&wrapped, right).await)?;
        for wrong in contexts.iter().filter(|context| *context != right) {
            check
                .refused(&*kek, &wrapped, wrong, &format!("{right:?} opened as {wrong:?}"))
                .await?;
        }
    }
    Ok(())
}

/// A wrapped key that names a KEK of no kind that this one is, is neither accepted nor opened.
///
/// # Errors
/// [`Broken`] if it is.
pub async fn what_names_another_kek_is_refused(harness: &impl Harness) -> Result<(), Broken> {
    let check = Check("what_names_another_kek_is_refused");
    let kek = check.kek(harness)?;
    let wrapped = check.wrap(&*kek, &check.key()?, &context()).await?;
    let stranger = check.ok(KekId::new("conformance", "a-stranger"))?;
    check.that(!kek.accepts(&stranger), "a stranger's id is accepted")?;
    let renamed = WrappedKey::new(stranger, wrapped.bytes().to_vec());
    match kek.unwrap(&renamed, &context()).await {
        Err(Error::UnknownKek { .. }) => Ok(()),
        Err(error) => check.that(false, &format!("a stranger's key failed with another error: {error}")),
        Ok(_) => check.that(false, "a stranger's key was opened"),
    }
}

/// The context of most promises.
fn context() -> KekContext {
    KekContext::new(VaultId::from_bytes([1; 16]), "acme", Some("prod"))
}

/// The promise that is being tried.
struct Check(&'static str);

impl Check {
    fn that(&self, kept: bool, detail: &str) -> Result<(), Broken> {
        if kept {
            Ok(())
        } else {
            Err(Broken::new(self.0, detail.to_owned()))
        }
    }

    fn ok<T>(&self, result: Result<T, Error>) -> Result<T, Broken> {
        result.map_err(|error| Broken::new(self.0, error.to_string()))
    }

    fn kek(&self, harness: &impl Harness) -> Result<Arc<dyn Kek>, Broken> {
        self.ok(harness.kek())
    }

    fn key(&self) -> Result<EnvironmentKey, Broken> {
        self.ok(EnvironmentKey::generate())
    }

    async fn wrap(&self, kek: &dyn Kek, key: &EnvironmentKey, context: &KekContext) -> Result<WrappedKey, Broken> {
        self.ok(kek.wrap(key, context).await)
    }

    async fn refused(
        &self,
        kek: &dyn Kek,
        wrapped: &WrappedKey,
        context: &KekContext,
        what: &str,
    ) -> Result<(), Broken> {
        self.that(
            kek.unwrap(wrapped, context).await.is_err(),
            &format!("{what}: it opened"),
        )
    }
}
