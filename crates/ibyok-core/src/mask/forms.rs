//! The forms in which a value shows in output.

use data_encoding::{BASE64, BASE64URL, Encoding, HEXLOWER, HEXUPPER};
use zeroize::Zeroizing;

use super::MASKED_MIN;

/// The shortest encoded form that is masked, in bytes, and the shortest line of a value that has several.
const FORM_MIN: usize = 6;
const LINE_MIN: usize = 8;

/// The lengths at which `base64` and PEM break lines.
const LINES: [usize; 2] = [76, 64];

type Text = Zeroizing<Vec<u8>>;

/// Returns every text that is a form of a value.
pub(super) fn of(value: &[u8]) -> Vec<Text> {
    if value.len() < MASKED_MIN {
        return Vec::new();
    }
    let mut forms = vec![
        Zeroizing::new(value.to_vec()),
        Zeroizing::new(value.trim_ascii().to_vec()),
    ];
    forms.retain(|form| form.len() >= MASKED_MIN);
    let mut encoded = lines(value);
    for encoding in [&BASE64, &BASE64URL] {
        encoded.extend(base64(encoding, value));
    }
    encoded.extend([&HEXLOWER, &HEXUPPER].map(|hex| Zeroizing::new(hex.encode(value).into_bytes())));
    encoded.extend(escaped(value));
    encoded.retain(|form| form.len() >= FORM_MIN);
    forms.extend(encoded);
    forms
}

/// The lines of a value that has several, since logs put something before each; and the value as a terminal shows it.
fn lines(value: &[u8]) -> Vec<Text> {
    if !value.contains(&b'\n') {
        return Vec::new();
    }
    let split = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    // The first and last line of a PEM block are no secret, and in many texts.
    let kept = split.filter(|line| line.len() >= LINE_MIN && !line.starts_with(b"-----"));
    let mut forms: Vec<Text> = kept.map(|line| Zeroizing::new(line.to_vec())).collect();
    let plain: Text = Zeroizing::new(value.iter().copied().filter(|byte| *byte != b'\r').collect());
    forms.push(replaced(&plain, |byte| (byte == b'\n').then(|| b"\r\n".to_vec())));
    forms
}

/// Base64 of a value, alone and in the middle of something else: the characters that depend on the value alone, for each of the
/// three places at which it may begin.
fn base64(encoding: &Encoding, value: &[u8]) -> Vec<Text> {
    let whole = Zeroizing::new(encoding.encode(value).into_bytes());
    let mut forms = vec![Zeroizing::new(trimmed(&whole).to_vec())];
    for width in LINES {
        if whole.len() > width {
            let lines = whole.chunks(width).filter(|line| line.len() >= 2 * LINE_MIN);
            forms.extend(lines.map(|line| Zeroizing::new(line.to_vec())));
        }
    }
    forms.push(whole);
    for before in 0..3 {
        let mut shifted = Zeroizing::new(vec![0; before]);
        shifted.reserve_exact(value.len());
        shifted.extend_from_slice(value);
        let text = Zeroizing::new(encoding.encode(&shifted).into_bytes());
        let (from, to) = ((8 * before).div_ceil(6), 8 * shifted.len() / 6);
        forms.extend(text.get(from..to).map(|text| Zeroizing::new(text.to_vec())));
    }
    forms
}

fn trimmed(encoded: &[u8]) -> &[u8] {
    let padding = encoded.iter().rev().take_while(|byte| **byte == b'=').count();
    encoded.get(..encoded.len() - padding).unwrap_or(encoded)
}

/// A value as URLs, forms, JSON and shells write it, where that is another text.
fn escaped(value: &[u8]) -> Vec<Text> {
    let percent = |upper: bool, kept: &'static [u8], plus: bool| {
        replaced(value, move |byte| match byte {
            b' ' if plus => Some(b"+".to_vec()),
            _ if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) || kept.contains(&byte) => None,
            _ if upper => Some(format!("%{byte:02X}").into_bytes()),
            _ => Some(format!("%{byte:02x}").into_bytes()),
        })
    };
    let mut forms = vec![
        percent(true, b"~", false),      // RFC 3986
        percent(false, b"~", false),     // the same in small letters
        percent(true, b"~!'()*", false), // JavaScript
        percent(true, b"~/", false),     // Python
        percent(true, b"*", true),       // forms
        percent(true, b"", true),
        replaced(value, |byte| (byte == b'\'').then(|| b"'\\''".to_vec())),
        replaced(value, |byte| b"\"\\$`".contains(&byte).then(|| vec![b'\\', byte])),
    ];
    if let Ok(text) = std::str::from_utf8(value) {
        forms.extend(json(text));
    }
    forms.retain(|form| form.as_slice() != value);
    forms
}

fn json(text: &str) -> Vec<Text> {
    let Ok(quoted) = serde_json::to_string(text).map(Zeroizing::new) else {
        return Vec::new();
    };
    let inner = quoted
        .get(1..quoted.len().saturating_sub(1))
        .unwrap_or_default()
        .as_bytes();
    let slashes = replaced(inner, |byte| (byte == b'/').then(|| b"\\/".to_vec()));
    let mut forms = vec![Zeroizing::new(inner.to_vec()), slashes];
    for encoding in [&HEXLOWER, &HEXUPPER] {
        let ascii = with_code_units(text, encoding, |character| !character.is_ascii()); // Python
        forms.push(replaced(&ascii, |byte| (byte == b'/').then(|| b"\\/".to_vec()))); // PHP
        forms.push(ascii);
    }
    forms.push(with_code_units(text, &HEXLOWER, |character| "<>&".contains(character))); // Go
    forms
}

/// JSON that writes some characters as their UTF-16 code units, such as `\u00e9` (RFC 8259, section 7).
fn with_code_units(text: &str, hex: &Encoding, escapes: impl Fn(char) -> bool) -> Text {
    // Six bytes for each unit are the most: the buffer never grows and leaves no copy behind.
    let mut json = Zeroizing::new(Vec::with_capacity(text.len() * 6));
    for character in text.chars() {
        match character {
            '"' => json.extend(b"\\\""),
            '\\' => json.extend(b"\\\\"),
            '\n' => json.extend(b"\\n"),
            '\r' => json.extend(b"\\r"),
            '\t' => json.extend(b"\\t"),
            _ if escapes(character) || character.is_control() => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    json.extend(b"\\u");
                    json.extend(Zeroizing::new(hex.encode(&unit.to_be_bytes())).bytes());
                }
            }
            _ => json.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    json
}

fn replaced(value: &[u8], other: impl Fn(u8) -> Option<Vec<u8>>) -> Text {
    // Room for the longest form of any byte: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 4));
    for byte in value {
        match other(*byte) {
            Some(other) => text.extend_from_slice(&other),
            None => text.push(*byte),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};

    use super::super::Mask;

    const VALUE: &str = "p@ss/w\u{f6}rd 'x' \"y\"+&=?$z";

    fn masked(value: &str, output: &str) -> String {
        let mut stream = Mask::of([value.as_bytes()]).stream();
        let mut out = Vec::new();
        stream.push(output.as_bytes(), &mut out);
        stream.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_value_is_masked_in_every_form_that_programs_write() {
        let forms = [
            VALUE.to_owned(),
            BASE64.encode(VALUE.as_bytes()),
            BASE64_NOPAD.encode(VALUE.as_bytes()),
            BASE64URL_NOPAD.encode(VALUE.as_bytes()),
            HEXLOWER.encode(VALUE.as_bytes()),
            "p%40ss%2Fw%C3%B6rd%20%27x%27%20%22y%22%2B%26%3D%3F%24z".to_owned(),
            "p%40ss%2fw%c3%b6rd%20%27x%27%20%22y%22%2b%26%3d%3f%24z".to_owned(),
            "p%40ss%2Fw%C3%B6rd%20'x'%20%22y%22%2B%26%3D%3F%24z".to_owned(),
            "p%40ss/w%C3%B6rd%20%27x%27%20%22y%22%2B%26%3D%3F%24z".to_owned(),
            "p%40ss%2Fw%C3%B6rd+%27x%27+%22y%22%2B%26%3D%3F%24z".to_owned(),
            "p@ss/w\u{f6}rd 'x' \\\"y\\\"+&=?$z".to_owned(),
            "p@ss/w\u{f6}rd '\\''x'\\'' \"y\"+&=?$z".to_owned(),
            "p@ss/w\\u00f6rd 'x' \\\"y\\\"+&=?$z".to_owned(),
            "p@ss/w\\u00F6rd 'x' \\\"y\\\"+&=?$z".to_owned(),
            "p@ss\\/w\\u00f6rd 'x' \\\"y\\\"+&=?$z".to_owned(),
            "p@ss/w\u{f6}rd 'x' \\\"y\\\"+\\u0026=?$z".to_owned(),
        ];
        for form in forms {
            assert_eq!(masked(VALUE, &format!("<{form}>")), "<***>", "{form}");
        }
    }

    #[test]
    fn base64_of_a_value_in_the_middle_of_something_else_is_masked() {
        for before in ["", "u", "us", "user:", "x-api-key: "] {
            for after in ["", "\n", "--"] {
                let encoded = BASE64.encode(format!("{before}{VALUE}{after}").as_bytes());
                let out = masked(VALUE, &encoded);
                // A character at each end may hold bits of the neighbour.
                assert!(
                    out.contains("***") && out.len() < encoded.len() - 24,
                    "{before:?} {after:?} {out}"
                );
            }
        }
        let long = "0123456789abcdef".repeat(20);
        let encoded = BASE64.encode(long.as_bytes());
        let wrapped: Vec<String> = encoded
            .as_bytes()
            .chunks(76)
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect();
        assert!(masked(&long, &wrapped.join("\n")).len() < 60);
    }

    #[test]
    fn each_line_of_a_value_is_masked_and_no_line_that_everybody_writes() {
        let pem = "-----BEGIN KEY-----\nMIIBsecretsecret\nsecretsecret2\n-----END KEY-----\n";
        let logged = "1 -----BEGIN KEY-----\n2 MIIBsecretsecret\n3 secretsecret2\n4 -----END KEY-----\n";
        assert_eq!(
            masked(pem, logged),
            "1 -----BEGIN KEY-----\n2 ***\n3 ***\n4 -----END KEY-----\n"
        );
        assert_eq!(masked(pem, &pem.replace('\n', "\r\n")), "***");
        assert_eq!(masked(pem, pem), "***");
    }
}
