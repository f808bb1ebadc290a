use std::path::Path;

use ibyok_audit::{Error, FileSink, Log, SigningKey, StdoutSink};

use crate::support::{check, event, key, open};

#[tokio::test]
async fn two_writers_of_a_place_take_two_slots_and_a_free_one_is_continued() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let (first, second) = (open(&place).await, open(&place).await);
    assert_eq!((first.status().slot, second.status().slot), (0, 1));
    assert_ne!(first.id(), second.id());
    let seq = first.append(event(1)).await.unwrap().seq();
    first.close().await.unwrap();
    let again = open(&place).await;
    assert_eq!((again.id(), again.status().slot), (first.id(), 0));
    assert_eq!(
        again.append(event(2)).await.unwrap().seq(),
        seq + 3,
        "after log.close and log.open"
    );
    again.close().await.unwrap();
    second.close().await.unwrap();
    let report = check(&place);
    assert!(report.ok && report.logs.len() == 2, "{report:?}");
}

#[tokio::test]
async fn the_place_says_what_the_next_session_needs() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let new = FileSink::open(&place).await.unwrap();
    let state = new.state();
    assert_eq!(
        (state.next_seq(), state.public_key(), state.last_time()),
        (1, None, None)
    );
    assert_eq!(state.log().len(), 22);
    drop(new);
    let log = open(&place).await;
    let last = event(1).ticket();
    assert!(!log.append(event(1)).await.unwrap().is_for(last));
    log.close().await.unwrap();
    let state = FileSink::open(&place).await.unwrap().state();
    assert_eq!(
        (state.next_seq(), state.public_key()),
        (4, Some(&key().public(log.id())))
    );
    assert!(state.last_time().is_some() && state.gaps().is_empty());
}

#[tokio::test]
async fn another_key_does_not_open_a_log() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    open(&place).await.close().await.unwrap();
    let sink = FileSink::open(&place).await.unwrap();
    let opened = Log::builder()
        .home(sink)
        .signing_key(SigningKey::generate().unwrap())
        .open()
        .await;
    assert!(matches!(opened, Err(Error::WrongKey { .. })));
}

#[tokio::test]
async fn a_log_without_a_key_a_home_or_durability_does_not_open() {
    let scratch = tempfile::tempdir().unwrap();
    let sink = || FileSink::builder(scratch.path().join("audit")).open_blocking().unwrap();
    assert!(matches!(
        Log::builder().home(sink()).open().await,
        Err(Error::NoSigningKey)
    ));
    assert!(matches!(
        Log::builder().signing_key(key()).open().await,
        Err(Error::NoHome)
    ));
    let opened = Log::builder()
        .home(sink())
        .required(StdoutSink::new())
        .signing_key(key())
        .open()
        .await;
    assert!(matches!(opened, Err(Error::NotDurable { .. })));
}

#[tokio::test]
async fn what_cannot_hold_a_log_is_refused_with_its_name() {
    let error = FileSink::open("/dev/full").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`/dev/full` cannot hold an audit log: it is a character device; give a directory"
    );
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(
        FileSink::open(&file).await,
        Err(Error::NotADirectory { what: "a file", .. })
    ));
    let pipe = scratch.path().join("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(
        FileSink::open(&pipe).await,
        Err(Error::NotADirectory { what: "a pipe", .. })
    ));
    let orphan = FileSink::open(scratch.path().join("no/parent")).await;
    assert!(matches!(orphan, Err(Error::Io { action: "create", .. })));
}

#[tokio::test]
async fn only_the_owner_can_read_a_log() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    open(&place).await.close().await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    for entry in std::fs::read_dir(place.join("slot-0")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}
