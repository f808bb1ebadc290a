//! The promises.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{Broken, KekHarness};
use crate::{EnvironmentKey, Error, Kek, KekContext, KekId, VaultId, WrappedKey};

/// A KEK that was made again unwraps a key that it wrapped before, any number of times.
///
/// # Errors
/// [`Broken`] if not.
pub async fn a_key_comes_back_after_a_restart(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "a_key_comes_back_after_a_restart",
        why: "every key of an environment is lost if its environment key no longer opens",
    };
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

/// The KEK that wrapped a key accepts the id in it. So does the same KEK made again, before it has seen any key.
///
/// # Errors
/// [`Broken`] if not.
pub async fn a_wrapped_key_names_a_kek_that_its_own_accepts(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "a_wrapped_key_names_a_kek_that_its_own_accepts",
        why: "the vault finds the KEK of a wrapped key by this id, also during a change of KEKs",
    };
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
pub async fn another_kek_does_not_open(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "another_kek_does_not_open",
        why: "with a KEK for each environment, a development server cannot open production",
    };
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
pub async fn any_change_is_refused(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "any_change_is_refused",
        why: "an attacker who can write to the store could change a key unnoticed",
    };
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
pub async fn debug_and_description_hold_no_key(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "debug_and_description_hold_no_key",
        why: "logs and panics print `Debug`, and every environment key would be in them",
    };
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

/// `Debug` shows nothing of the KEK's own key material: what differs between two KEKs of a kind is their ids and small numbers.
///
/// # Errors
/// [`Broken`] if it shows something else.
pub async fn debug_holds_none_of_its_own_bytes(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "debug_holds_none_of_its_own_bytes",
        why: "the KEK opens every key of the vault, and logs and panics print `Debug`",
    };
    let (kek, other) = (check.kek(harness)?, check.ok(harness.other())?);
    let mut ids = Vec::new();
    for kek in [&kek, &other] {
        ids.push(check.wrap(&**kek, &check.key()?, &context()).await?.kek().clone());
        ids.extend(kek.describe().id().cloned());
    }
    let shown = |kek: &Arc<dyn Kek>| {
        let text = format!("{kek:?}");
        ids.iter()
            .fold(text, |text, id| text.replace(id.as_str(), "").replace(id.name(), ""))
    };
    let (own, others) = (shown(&kek), shown(&other));
    match material(&own, &others) {
        None => Ok(()),
        Some(at) => check.that(
            false,
            &format!("`Debug` differs between two KEKs, from byte {at} on: it shows a part of the key material"),
        ),
    }
}

/// The place of the first difference of two texts that may be key material: a word of four letters or more, or eight numbers in a row.
fn material(own: &str, others: &str) -> Option<usize> {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|letter: char| !letter.is_alphanumeric());
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (known, mut numbers) = (words(others), 0);
    let first = own
        .bytes()
        .zip(others.bytes())
        .take_while(|(one, other)| one == other)
        .count();
    for word in words(own) {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        numbers = if is_number { numbers + 1 } else { 0 };
        let is_new_word = !is_number && word.len() >= 4 && !known.contains(&word);
        if is_new_word || (numbers >= 8 && own != others) {
            return Some(first);
        }
    }
    None
}

/// Cut short at any length, or with a byte more, it does not open.
///
/// # Errors
/// [`Broken`] if it does.
pub async fn every_length_but_the_right_one_is_refused(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "every_length_but_the_right_one_is_refused",
        why: "a record that was cut short must be an error and not another key",
    };
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
pub async fn nothing_of_the_key_shows(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "nothing_of_the_key_shows",
        why: "the store sees the wrapped bytes, and must learn nothing from them",
    };
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
pub async fn the_whole_context_is_bound(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "the_whole_context_is_bound",
        why: "a wrapped key that is moved to another vault, tenant or environment would open there",
    };
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

/// Two KEKs with other key material have other ids.
///
/// # Errors
/// [`Broken`] if one id names both.
pub async fn two_keks_have_two_ids(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "two_keks_have_two_ids",
        why: "the vault selects the KEK by its id: if two have one id, it asks the wrong one, and a change of KEKs never ends",
    };
    let (kek, other) = (check.kek(harness)?, check.ok(harness.other())?);
    let ids = [&kek, &other].map(|kek| kek.describe().id().cloned());
    if let [Some(id), Some(others)] = &ids {
        check.that(id != others, &format!("both describe themselves as `{id}`"))?;
    }
    let wrapped = check.wrap(&*kek, &check.key()?, &context()).await?;
    let others = check.wrap(&*other, &check.key()?, &context()).await?;
    check.that(
        wrapped.kek() != others.kek(),
        &format!("both wrap keys as `{}`", wrapped.kek()),
    )
}

/// A wrapped key that names a KEK of no kind that this one is, is neither accepted nor opened.
///
/// # Errors
/// [`Broken`] if it is.
pub async fn what_names_another_kek_is_refused(harness: &impl KekHarness) -> Result<(), Broken> {
    let check = Check {
        name: "what_names_another_kek_is_refused",
        why: "a vault with several KEKs asks only the one that a key names, and a key service charges each call",
    };
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

/// The promise that is being tested.
struct Check {
    name: &'static str,
    why: &'static str,
}

impl Check {
    fn that(&self, kept: bool, detail: &str) -> Result<(), Broken> {
        if kept {
            Ok(())
        } else {
            Err(Broken::new(self.name, self.why, detail.to_owned()))
        }
    }

    fn ok<T>(&self, result: Result<T, Error>) -> Result<T, Broken> {
        result.map_err(|error| Broken::new(self.name, self.why, format!("a call failed that should not: {error}")))
    }

    fn kek(&self, harness: &impl KekHarness) -> Result<Arc<dyn Kek>, Broken> {
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
