//! `ibyok demo`: shows the program on a throw-away vault.
//!
//! This program runs each command that it shows. Only the server shares the process, and the program itself sends the
//! requests that it shows as `curl`.

mod http;
mod stage;

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use ibyok_server::{Limits, Options, Started};

use self::stage::Stage;
use super::{Cx, StopSignals};
use crate::error::{Error, Result};
use crate::exit::Exit;

/// A `.env` file as people have them. None of its keys is real.
const SAMPLE: &str = "\
# keys of the demo; none of them is real
OPENAI_API_KEY=sk-sample-0001 # the one that the program needs
export STRIPE_SECRET_KEY='sk_sample_0002'
DATABASE_URL=\"postgres://demo:pa#ss@localhost/demo?sslmode=disable\"
";

/// The key that the token may use.
const ALLOWED: &str = "OPENAI_API_KEY";
const REFUSED: &str = "STRIPE_SECRET_KEY";

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    if cx.globals.url.is_some() {
        return Err(Error::usage(
            "`demo` creates its own vault on this machine",
            "remove `--url`",
        ));
    }
    let failed = |error: std::io::Error| {
        Error::failed(
            format!("cannot create a temporary directory: {error}"),
            "check that the temporary directory exists and has space",
        )
    };
    // Before the directory exists: a signal in between would end the program and leave the directory.
    let stop = StopSignals::listen();
    let place = tempfile::Builder::new()
        .prefix("ibyok-demo-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir();
    let place = place.map_err(failed)?;
    let mut stage = Stage::new(place.path(), stop, cx);
    let played = play(&mut stage, place.path()).await;
    let steps = stage.end();
    // Nothing is left behind, also after an error.
    let path = place.path().display().to_string();
    let closed = place.close().map_err(|error| {
        Error::failed(
            format!("cannot remove `{path}`: {error}"),
            "remove the directory yourself; it holds only sample keys",
        )
    });
    played.and(closed)?;
    if cx.globals.json {
        cx.io.answer_json(&serde_json::json!({ "ok": true, "steps": steps }))?;
    } else {
        cx.io
            .answer_line("\nDone; the demo removed its vault. To make a vault that stays: ibyok init")?;
    }
    Ok(Exit::Done)
}

async fn play(stage: &mut Stage<'_, '_>, place: &Path) -> Result<()> {
    stage.tell("Create a vault in a throw-away directory, with the environments dev, staging and prod")?;
    stage.command(&["init"]).await?;
    let file = place.join(".env");
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file);
    let written = written.and_then(|mut file| std::io::Write::write_all(&mut file, SAMPLE.as_bytes()));
    written.map_err(|error| Error::writing(&file, &error))?;
    stage.tell("Import a .env file")?;
    stage.shown("cat .env", SAMPLE)?;
    let file = file.display().to_string();
    stage
        .command_as("import .env --env dev", &["import", &file, "--env", "dev"])
        .await?;

    stage.tell("Issue a token for one environment and one pattern of names, and start the server")?;
    let issue = [
        "tokens",
        "issue",
        "demo",
        "--env",
        "dev",
        "--key",
        "OPENAI*",
        "--expires",
        "1h",
    ];
    let token = stage.command(&issue).await?;
    stage.hold(token.trim());
    let server = serve(stage).await?;
    let served = fetch(stage, &server).await;
    let stopped = server.stop().await.map_err(Error::from);
    served.and(stopped.map(drop))?;

    stage.tell("Show the audit log, which holds every step, and verify it")?;
    stage.command_as_operator(&["audit", "tail", "--token", "demo"]).await?;
    stage.command_as_operator(&["audit", "verify"]).await?;
    Ok(())
}

async fn serve(stage: &mut Stage<'_, '_>) -> Result<Started> {
    let vault = stage.open_vault().await?;
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let server = ibyok_server::start(vault, address, Options::default(), Limits::default()).await?;
    stage.shown(
        "ibyok serve --listen 127.0.0.1:0 &",
        &format!("listening on {}\n", server.url()),
    )?;
    Ok(server)
}

async fn fetch(stage: &mut Stage<'_, '_>, server: &Started) -> Result<()> {
    stage.tell("A program fetches its key over HTTP; the server refuses a key outside its grant")?;
    for (key, expected) in [(ALLOWED, 200), (REFUSED, 403)] {
        let path = format!("/external/keys/{key}/value?env=dev");
        let answer = http::get(server.address(), &path, stage.token()).await?;
        let command = format!(
            "curl -H \"Authorization: Bearer $IBYOK_TOKEN\" '{}{path}'",
            server.url()
        );
        stage.shown(&command, &format!("{} {}\n", answer.status, answer.body))?;
        if answer.status != expected {
            return Err(Error::failed(
                format!("the server answered {} instead of {expected}", answer.status),
                "this is a bug",
            ));
        }
    }
    stage
        .command_at(&server.url(), &["get", &format!("dev/{ALLOWED}")])
        .await?;
    Ok(())
}
