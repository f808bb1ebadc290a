//! Draws random keys: of every shape of the catalogue, and of the forms that providers publish, written here a second time.

use ibyok_providers::{Catalogue, Provider, Shape};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// A generator of random numbers that gives the same numbers every time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn of(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| letters[self.below(letters.len())]).collect()
    }

    /// A text that a pattern fits, each of its characters equally likely.
    pub(crate) fn fitting(&mut self, pattern: &str) -> Vec<u8> {
        let parsed = ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(pattern)
            .unwrap();
        let mut text = Vec::new();
        self.draw(&parsed, &mut text);
        text
    }

    fn draw(&mut self, hir: &Hir, text: &mut Vec<u8>) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => text.extend(&literal.0),
            HirKind::Class(Class::Bytes(class)) => {
                let all: Vec<u8> = class.iter().flat_map(|range| range.start()..=range.end()).collect();
                text.push(all[self.below(all.len())]);
            }
            HirKind::Class(Class::Unicode(_)) => panic!("patterns are of bytes"),
            HirKind::Repetition(repetition) => {
                let most = repetition.max.unwrap_or(repetition.min + 40);
                let count = repetition.min + u32::try_from(self.below((most - repetition.min + 1) as usize)).unwrap();
                (0..count).for_each(|_| self.draw(&repetition.sub, text));
            }
            HirKind::Capture(capture) => self.draw(&capture.sub, text),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.draw(part, text)),
            HirKind::Alternation(parts) => {
                let chosen = self.below(parts.len());
                self.draw(&parts[chosen], text);
            }
        }
    }
}

/// Every shape that nothing else has, but for the one that is a whole document.
pub(crate) fn shapes() -> impl Iterator<Item = (&'static Provider, &'static Shape)> {
    let all = Catalogue::builtin().iter();
    let all = all.flat_map(|provider| provider.shapes().iter().map(move |shape| (provider, shape)));
    all.filter(|(_, shape)| !shape.is_context_only() && !shape.pattern().starts_with("(?s)"))
}

const DIGITS: &str = "0123456789";
pub(crate) const HEX: &str = "0123456789abcdef";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub(crate) const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The forms of keys that providers publish: the provider, and parts that are either literal or an alphabet and a length.
pub(crate) const PUBLISHED: &[(&str, &[(&str, usize)])] = &[
    ("aws", &[("AKIA", 0), (BASE32, 16)]),
    ("aws", &[("ASIA", 0), (BASE32, 16)]),
    ("aws", &[("ABIA", 0), (BASE32, 16)]),
    ("aws", &[("AKIA", 0), (UPPER, 16)]),
    ("openai", &[("sk-", 0), (BASE62, 20), ("T3BlbkFJ", 0), (BASE62, 20)]),
    (
        "openai",
        &[("sk-proj-", 0), (BASE64URL, 74), ("T3BlbkFJ", 0), (BASE64URL, 74)],
    ),
    (
        "openai",
        &[("sk-proj-", 0), (BASE62, 20), ("T3BlbkFJ", 0), (BASE62, 20)],
    ),
    (
        "openai",
        &[("sk-svcacct-", 0), (BASE64URL, 58), ("T3BlbkFJ", 0), (BASE64URL, 58)],
    ),
    (
        "openai",
        &[("sk-admin-", 0), (BASE64URL, 58), ("T3BlbkFJ", 0), (BASE64URL, 58)],
    ),
    (
        "openai",
        &[
            ("sk-service-billing-worker-", 0),
            (BASE62, 20),
            ("T3BlbkFJ", 0),
            (BASE62, 20),
        ],
    ),
    (
        "openai",
        &[
            ("sk-service-", 0),
            (LETTERS, 8),
            ("-", 0),
            (BASE64URL, 74),
            ("T3BlbkFJ", 0),
            (BASE64URL, 74),
        ],
    ),
    (
        "openai",
        &[("sk-None-", 0), (BASE62, 20), ("T3BlbkFJ", 0), (BASE62, 20)],
    ),
    ("anthropic", &[("sk-ant-api03-", 0), (BASE64URL, 93), ("AA", 0)]),
    ("anthropic", &[("sk-ant-admin01-", 0), (BASE64URL, 93), ("AA", 0)]),
    ("anthropic", &[("sk-ant-oat01-", 0), (BASE64URL, 93), ("AA", 0)]),
    ("anthropic", &[("sk-ant-ort01-", 0), (BASE64URL, 93), ("AA", 0)]),
    ("anthropic", &[("sk-ant-sid01-", 0), (BASE64URL, 95)]),
    ("anthropic", &[("sk-ant-sid02-", 0), (BASE64URL, 95)]),
    ("anthropic", &[("sk-ant-api04-", 0), (BASE64URL, 95)]),
    ("gemini", &[("AIza", 0), (BASE64URL, 35)]),
    ("groq", &[("gsk_", 0), (BASE62, 52)]),
    ("huggingface", &[("hf_", 0), (LETTERS, 34)]),
    ("huggingface", &[("hf_", 0), (BASE62, 34)]),
    ("replicate", &[("r8_", 0), (BASE62, 37)]),
    ("perplexity", &[("pplx-", 0), (BASE62, 48)]),
    ("openrouter", &[("sk-or-v1-", 0), (HEX, 64)]),
    ("xai", &[("xai-", 0), (BASE62, 80)]),
    ("github", &[("ghp_", 0), (BASE62, 36)]),
    ("github", &[("gho_", 0), (BASE62, 36)]),
    ("github", &[("ghs_", 0), (BASE62, 36)]),
    ("github", &[("github_pat_", 0), (BASE62, 22), ("_", 0), (BASE62, 59)]),
    ("gitlab", &[("glpat-", 0), (BASE64URL, 20)]),
    ("gitlab", &[("glrt-", 0), (BASE64URL, 20)]),
    ("npm", &[("npm_", 0), (BASE62, 36)]),
    ("pypi", &[("pypi-AgEIcHlwaS5vcmc", 0), (BASE64URL, 130)]),
    ("crates-io", &[("cio", 0), (BASE62, 32)]),
    ("docker-hub", &[("dckr_pat_", 0), (BASE64URL, 27)]),
    (
        "slack",
        &[
            ("xoxb-", 0),
            (DIGITS, 12),
            ("-", 0),
            (DIGITS, 13),
            ("-", 0),
            (BASE62, 24),
        ],
    ),
    (
        "slack",
        &[
            ("xoxp-", 0),
            (DIGITS, 12),
            ("-", 0),
            (DIGITS, 12),
            ("-", 0),
            (DIGITS, 12),
            ("-", 0),
            (HEX, 32),
        ],
    ),
    (
        "slack",
        &[
            ("xapp-1-A", 0),
            (UPPER, 10),
            ("-", 0),
            (DIGITS, 13),
            ("-", 0),
            (HEX, 64),
        ],
    ),
    ("stripe", &[("sk_live_", 0), (BASE62, 24)]),
    ("stripe", &[("sk_live_51", 0), (BASE62, 97)]),
    ("stripe", &[("rk_live_", 0), (BASE62, 24)]),
    ("square", &[("sq0atp-", 0), (BASE64URL, 22)]),
    ("shopify", &[("shpat_", 0), (HEX, 32)]),
    ("sendgrid", &[("SG.", 0), (BASE64URL, 22), (".", 0), (BASE64URL, 43)]),
    ("mailchimp", &[(HEX, 32), ("-us", 0), (DIGITS, 2)]),
    ("twilio", &[("SK", 0), (HEX, 32)]),
    ("telegram", &[(DIGITS, 10), (":AA", 0), (BASE64URL, 33)]),
    ("digitalocean", &[("dop_v1_", 0), (HEX, 64)]),
    ("databricks", &[("dapi", 0), (HEX, 32)]),
    ("doppler", &[("dp.pt.", 0), (BASE62, 43)]),
    ("hashicorp-vault", &[("hvs.", 0), (BASE64URL, 95)]),
    ("linear", &[("lin_api_", 0), (BASE62, 40)]),
    ("notion", &[("ntn_", 0), (DIGITS, 11), (BASE62, 35)]),
    ("figma", &[("figd_", 0), (BASE64URL, 40)]),
    ("airtable", &[("pat", 0), (BASE62, 14), (".", 0), (HEX, 64)]),
    ("postman", &[("PMAK-", 0), (HEX, 24), ("-", 0), (HEX, 34)]),
    ("new-relic", &[("NRAK-", 0), (UPPER, 27)]),
    ("grafana", &[("glsa_", 0), (BASE62, 32), ("_", 0), (HEX, 8)]),
    ("supabase", &[("sb_secret_", 0), (BASE64URL, 31)]),
    ("supabase", &[("sbp_", 0), (HEX, 40)]),
    ("terraform-cloud", &[(BASE62, 14), (".atlasv1.", 0), (BASE62, 67)]),
    ("azure", &[(BASE62, 3), ("8Q~", 0), (BASE62, 34)]),
];

/// A key of a published form.
pub(crate) fn published(form: &[(&str, usize)], random: &mut Random) -> String {
    form.iter()
        .map(|(text, length)| match length {
            0 => (*text).to_owned(),
            length => random.of(text, *length),
        })
        .collect()
}
