//! The smallest program with a vault in it: makes one, stores a key, issues a token, and retrieves the key with it.

use std::error::Error;

use ibyok_core::{
    Environments, FileSink, FileStore, Grant, KeyRef, LocalKek, RequestContext, Scope, Scopes, Secret, TokenRequest,
    Vault,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let home = std::env::temp_dir().join(format!("ibyok-embed-{}", std::process::id()));
    std::fs::create_dir(&home)?;

    let vault = Vault::builder()
        .store(FileStore::open(home.join("vault.db")).await?)
        .kek(LocalKek::create_file(&home.join("kek"))?)
        .audit(FileSink::open(home.join("audit")).await?)
        .create() // `.open()` from the second time on
        .await?;

    let openai: KeyRef = "prod/openai".parse()?;
    let operator = vault.operator("deploy");
    operator
        .keys()
        .set(&openai, Secret::read(&mut &b"sk-not-a-real-key"[..], 1024)?)
        .await?;

    let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    let token = operator.tokens().issue(TokenRequest::new("worker", grant)).await?.token;

    let key = vault.retrieve(&token, &openai, &RequestContext::default()).await?;
    assert_eq!(key.text()?, "sk-not-a-real-key");
    println!(
        "version {} of {openai} is released, and on the log in {}",
        key.info().version,
        home.display()
    );

    let refused = vault
        .retrieve(&token, &"dev/openai".parse()?, &RequestContext::default())
        .await;
    println!("dev/openai: {}", refused.err().ok_or("a token for prod read dev")?);

    vault.close().await?;
    std::fs::remove_dir_all(&home)?;
    Ok(())
}
