use std::path::Path;

use proptest::prelude::*;

use super::mmdb::mmdb;
use super::*;

fn sample() -> Vec<u8> {
    let networks = [
        ("192.0.2.0/24", "DE"),
        ("198.51.100.0/25", "nl"),
        ("203.0.113.0/24", "\u{1b}["),
        ("2001:db8::/32", "SE"),
    ];
    mmdb("GeoLite2-Country", &networks)
}

const ADDRESSES: [&str; 6] = [
    "192.0.2.255",
    "198.51.100.1",
    "198.51.100.200",
    "203.0.113.1",
    "2001:db8:1::1",
    "fe80::1",
];

fn told(database: &Database) -> Vec<Option<String>> {
    let country = |address: &&str| database.country(address.parse().unwrap());
    ADDRESSES
        .iter()
        .map(|address| country(address).map(|country| country.to_string()))
        .collect()
}

fn written(directory: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = directory.join("a.mmdb");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn it_tells_the_country_of_an_address_and_none_that_it_does_not_know() {
    let scratch = tempfile::tempdir().unwrap();
    let geoip = GeoIp::at(written(scratch.path(), &sample())).unwrap();
    let database = geoip.load().unwrap();
    let expected = [Some("DE"), Some("NL"), None, None, Some("SE"), None];
    assert_eq!(told(&database), expected.map(|country| country.map(str::to_owned)));
    assert!(database.was_sound().is_ok());
}

#[test]
fn a_file_of_two_hundred_megabytes_is_looked_at_by_its_end() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("a.mmdb");
    let file = std::fs::File::create(&path).unwrap();
    let sample = sample();
    let marker = sample.windows(4).rposition(|four| four == b"\xab\xcd\xefM").unwrap();
    let end = 200 << 20;
    file.set_len(end).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &sample[marker..], end).unwrap();
    assert!(GeoIp::at(&path).is_ok());
    file.set_len(FILE_MAX + 1).unwrap();
    let error = GeoIp::at(&path).unwrap_err().to_string();
    assert!(error.contains("larger than 256 MiB"), "{error}");
}

#[test]
fn what_is_no_such_file_is_refused_by_its_name() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    std::fs::write(at("text"), "no database").unwrap();
    std::fs::write(at("empty"), "").unwrap();
    std::fs::write(at("asn"), mmdb("GeoLite2-ASN", &[("192.0.2.0/24", "DE")])).unwrap();
    std::fs::write(at("hostile"), mmdb("x\u{1b}[2J", &[("192.0.2.0/24", "DE")])).unwrap();
    std::fs::write(at("marker"), b"\xab\xcd\xefMaxMind.com").unwrap();
    for (name, word) in [
        ("missing", "cannot be read"),
        ("", "is no file"),
        ("text", "is no MaxMind DB"),
        ("empty", "is no MaxMind DB"),
        ("marker", "is no MaxMind DB"),
        ("asn", "`GeoLite2-ASN`"),
        ("hostile", "tells no countries"),
    ] {
        let error = GeoIp::at(at(name)).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains(word) && said.contains(scratch.path().to_str().unwrap()),
            "{name}: {said}"
        );
        assert!(!said.contains('\u{1b}') && error.hint().is_some(), "{name}: {said}");
    }
    for device in ["/dev/zero", "/dev/null"] {
        assert!(GeoIp::at(device).unwrap_err().to_string().contains("is no file"));
    }
}

#[test]
fn one_that_is_damaged_where_it_is_looked_up_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let mut bytes = sample();
    let place = bytes.windows(7).position(|seven| seven == b"country").unwrap();
    // The map with the country's letters is replaced by a number.
    bytes[place + 7] = 0xa1;
    let database = GeoIp::at(written(scratch.path(), &bytes)).unwrap().load().unwrap();
    assert_eq!(told(&database)[0], None);
    let error = database.was_sound().unwrap_err();
    let why = error.to_string();
    assert!(why.contains("a.mmdb") && why.contains("damaged"), "{why}");
}

#[test]
fn an_update_in_its_place_is_used_and_what_is_none_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let geoip = GeoIp::at(written(scratch.path(), &sample())).unwrap();
    written(scratch.path(), &mmdb("DBIP-City-Lite", &[("192.0.2.0/24", "AT")]));
    assert_eq!(told(&geoip.load().unwrap())[0].as_deref(), Some("AT"));
    written(scratch.path(), b"");
    assert_eq!(geoip.load().unwrap_err().code(), ibyok_core::Code::Unavailable);
}

proptest! {
    /// Any content of the file is refused, or reported as damaged, or yields countries; and nothing panics.
    #[test]
    fn a_damaged_file_is_never_worse_than_refused(
        cut in prop_oneof![2 => Just(usize::MAX), 1 => 0..2000_usize],
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        at_the_end in any::<bool>(),
    ) {
        let scratch = tempfile::tempdir().unwrap();
        let mut bytes = sample();
        let from = if at_the_end { bytes.len() - 180 } else { 0 };
        for (index, byte) in flips {
            let place = from + index.index(bytes.len() - from);
            bytes[place] = byte;
        }
        bytes.truncate(cut);
        if let Ok(geoip) = GeoIp::at(written(scratch.path(), &bytes))
            && let Ok(database) = geoip.load()
        {
            told(&database);
            let code = database.was_sound().err().map(|error| error.code());
            prop_assert!(code.is_none_or(|code| code == ibyok_core::Code::Unavailable));
        }
    }
}
