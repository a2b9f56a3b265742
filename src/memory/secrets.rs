//! Finds what must not be remembered and should not be sent: keys, tokens, card numbers, passwords.
//!
//! Names the kind of a secret and never its text.

use super::plain::plain;

/// A kind of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKind {
    ApiKey,
    Token,
    PrivateKey,
    CardNumber,
    Password,
}

impl SecretKind {
    /// The kind in words, for a notice.
    pub fn name(self) -> &'static str {
        match self {
            SecretKind::ApiKey => "an API key",
            SecretKind::Token => "an access token",
            SecretKind::PrivateKey => "a private key",
            SecretKind::CardNumber => "a card number",
            SecretKind::Password => "a password",
        }
    }
}

/// Beginnings of keys and tokens that vendors publish, with the characters that follow at the
/// least.
const PREFIXES: &[(&str, usize, SecretKind)] = &[
    ("sk-", 16, SecretKind::ApiKey),
    ("sk_live_", 16, SecretKind::ApiKey),
    ("sk_test_", 16, SecretKind::ApiKey),
    ("rk_live_", 16, SecretKind::ApiKey),
    ("pk_live_", 16, SecretKind::ApiKey),
    ("AKIA", 16, SecretKind::ApiKey),
    ("ASIA", 16, SecretKind::ApiKey),
    ("AIza", 30, SecretKind::ApiKey),
    ("gsk_", 20, SecretKind::ApiKey),
    ("xai-", 20, SecretKind::ApiKey),
    ("r8_", 30, SecretKind::ApiKey),
    ("SG.", 30, SecretKind::ApiKey),
    ("key-", 32, SecretKind::ApiKey),
    ("AGE-SECRET-KEY-1", 20, SecretKind::PrivateKey),
    ("ghp_", 20, SecretKind::Token),
    ("gho_", 20, SecretKind::Token),
    ("ghu_", 20, SecretKind::Token),
    ("ghs_", 20, SecretKind::Token),
    ("ghr_", 20, SecretKind::Token),
    ("github_pat_", 20, SecretKind::Token),
    ("glpat-", 16, SecretKind::Token),
    ("xoxb-", 10, SecretKind::Token),
    ("xoxp-", 10, SecretKind::Token),
    ("xoxa-", 10, SecretKind::Token),
    ("xoxs-", 10, SecretKind::Token),
    ("xoxe", 10, SecretKind::Token),
    ("xapp-", 10, SecretKind::Token),
    ("hf_", 20, SecretKind::Token),
    ("npm_", 30, SecretKind::Token),
    ("pypi-", 30, SecretKind::Token),
    ("ya29.", 20, SecretKind::Token),
    ("dop_v1_", 30, SecretKind::Token),
    ("shpat_", 20, SecretKind::Token),
    ("dapi", 32, SecretKind::Token),
    ("EAA", 30, SecretKind::Token),
    ("sq0", 16, SecretKind::Token),
    ("whsec_", 16, SecretKind::Token),
    ("tskey-", 16, SecretKind::Token),
    ("lin_api_", 16, SecretKind::ApiKey),
    ("ntn_", 16, SecretKind::Token),
    ("pplx-", 16, SecretKind::ApiKey),
    ("hvs.", 16, SecretKind::Token),
    ("hvb.", 16, SecretKind::Token),
    ("ATATT", 16, SecretKind::Token),
    ("cfut_", 16, SecretKind::Token),
    ("sntrys_", 16, SecretKind::Token),
    ("glrt-", 16, SecretKind::Token),
    ("nvapi-", 16, SecretKind::ApiKey),
    ("xkeysib-", 16, SecretKind::ApiKey),
    ("PMAK-", 16, SecretKind::ApiKey),
    ("dckr_pat_", 16, SecretKind::Token),
];

/// No prefix with what must follow it is shorter.
const VENDOR_BYTES_MIN: usize = 14;

/// Words after which a password, PIN or key is named.
const PASSWORD_WORDS: &[&str] = &[
    "password",
    "passwords",
    "passphrase",
    "passcode",
    "passwd",
    "pwd",
    "pin",
    "pincode",
    "otp",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "key",
    "clé",
    "clef",
    "schlüssel",
    "clave",
    "chiave",
    "cvv",
    "cvc",
    "passwort",
    "kennwort",
    "contraseña",
    "senha",
    "wachtwoord",
    "lösenord",
    "passord",
    "пароль",
    "hasło",
    "密码",
    "密碼",
    "パスワード",
];

/// Words between such a word and what it names.
const LINKS: [&str; 14] = [
    "is",
    "was",
    "are",
    "to",
    "ist",
    "lautet",
    "es",
    "est",
    "é",
    "är",
    "er",
    "это",
    "はです",
    "=",
];

/// The kinds of secret in a text, each once; whatever shape its letters have.
pub fn detect_secrets(text: &str) -> Vec<SecretKind> {
    let mut found = secrets_of(text);
    if !text.is_ascii() {
        found.extend(secrets_of(&zeroize::Zeroizing::new(plain(text))));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn secrets_of(text: &str) -> Vec<SecretKind> {
    let mut found = Vec::new();
    if has_private_key(text) {
        found.push(SecretKind::PrivateKey);
    }
    for token in text.split(|c: char| c.is_whitespace() || "\"'`,;()[]{}<>|=".contains(c)) {
        let vendor = vendor_secret(token);
        found.extend(vendor.or_else(|| is_random(token).then_some(SecretKind::Token)));
        if is_jwt(token) {
            found.push(SecretKind::Token);
        }
    }
    if has_url_password(text) {
        found.push(SecretKind::Password);
    }
    found.extend(named_secrets(text));
    if has_card_number(text) {
        found.push(SecretKind::CardNumber);
    }
    let lower = zeroize::Zeroizing::new(text.to_lowercase());
    if has_hook(&lower) {
        found.push(SecretKind::Token);
    }
    if has_seed_phrase(&lower) {
        found.push(SecretKind::PrivateKey);
    }
    found
}

fn has_private_key(text: &str) -> bool {
    text.match_indices("-----BEGIN").any(|(at, _)| {
        let head: String = text[at..].chars().take(60).collect();
        head.contains("PRIVATE KEY")
    }) || text.contains("PuTTY-User-Key-File")
}

fn vendor_secret(token: &str) -> Option<SecretKind> {
    if token.len() < VENDOR_BYTES_MIN {
        return None;
    }
    PREFIXES.iter().find_map(|(prefix, least, kind)| {
        // Also after a colon or slash, as in `key:sk-…`.
        let (at, _) = token.match_indices(prefix).find(|(at, _)| {
            let before = token[..*at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric())
        })?;
        let rest = &token[at + prefix.len()..];
        let body: Vec<char> = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
            .collect();
        let mixed =
            body.iter().any(char::is_ascii_digit) || body.iter().any(char::is_ascii_uppercase);
        (body.len() >= *least && mixed).then_some(*kind)
    })
}

/// A run of letters and digits that nobody makes up, of mixed case or behind a vendor's prefix.
/// The digest of a file or a commit is none.
fn is_random(token: &str) -> bool {
    const RUN_BYTES_MIN: usize = 20;
    const DIGESTS: [&str; 7] = [
        "sha1", "sha256", "sha384", "sha512", "md5", "blake3", "commit",
    ];
    let lower = token.to_ascii_lowercase();
    let digest = DIGESTS.iter().any(|name| lower.contains(name));
    let runs = token.split(|c: char| !c.is_ascii_alphanumeric());
    let mut before = None;
    for run in runs.filter(|run| !run.is_empty()) {
        let count = |is: fn(&u8) -> bool| run.bytes().filter(is).count();
        let digits = count(u8::is_ascii_digit);
        let (upper, small) = (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
        let long = run.len() >= RUN_BYTES_MIN && digits >= 3;
        let mixed = upper >= 3 && small >= 3;
        let prefixed = before.is_some_and(is_prefix) && upper + small >= 3;
        if long && !digest && (mixed || prefixed) {
            return true;
        }
        before = Some(run);
    }
    false
}

/// What stands before a key: `glsa`, `api`, `v1`.
fn is_prefix(run: &str) -> bool {
    let letters = run.bytes().filter(u8::is_ascii_alphabetic).count();
    (2..=12).contains(&run.len()) && letters >= 1
}

/// Addresses that let whoever knows them write.
fn has_hook(lower: &str) -> bool {
    const HOOKS: [&str; 4] = [
        "hooks.slack.com/services/",
        "discord.com/api/webhooks/",
        "discordapp.com/api/webhooks/",
        "webhook.office.com/",
    ];
    HOOKS.iter().any(|hook| lower.contains(hook))
}

/// The words of which a wallet can be made again.
fn has_seed_phrase(lower: &str) -> bool {
    const NAMES: [&str; 5] = [
        "seed phrase",
        "recovery phrase",
        "mnemonic",
        "seed words",
        "wallet words",
    ];
    NAMES.iter().any(|name| {
        lower
            .split_once(name)
            .is_some_and(|(_, rest)| rest.split_whitespace().count() >= 10)
    })
}

fn is_jwt(token: &str) -> bool {
    let Some(start) = token.find("eyJ") else {
        return false;
    };
    let parts: Vec<&str> = token[start..].splitn(3, '.').collect();
    let base64 = |part: &str| {
        part.len() >= 8
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_=".contains(c))
    };
    parts.len() == 3 && base64(parts[0]) && base64(parts[1])
}

/// `scheme://user:password@host`.
fn has_url_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let authority = text[at + 3..]
            .split(|c: char| c.is_whitespace() || c == '/')
            .next()
            .unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(login, _)| login.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

/// "password is …", "PIN: 1234", "api key = …".
fn named_secrets(text: &str) -> Vec<SecretKind> {
    let mut spaced = String::with_capacity(text.len());
    let text = zeroize::Zeroizing::new(text.replace("mot de passe", "password"));
    for c in text.chars() {
        if matches!(c, ':' | '=' | '：') {
            spaced.push_str(" = ");
        } else {
            spaced.push(c);
        }
    }
    let spaced = zeroize::Zeroizing::new(spaced);
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let bare = |word: &str| {
        word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '=' && c != '_')
            .to_lowercase()
    };
    let names = words.iter().enumerate().filter(|(i, word)| {
        let word = bare(word);
        let compound = ["_key", "_token", "_secret", "_password", "-key", "-token"];
        let compound = compound.iter().any(|end| word.ends_with(end));
        if word == "bearer" {
            let next = words.get(i + 1).copied().unwrap_or_default();
            return next.len() >= 20 && next.bytes().any(|b| b.is_ascii_digit());
        }
        if !compound && !PASSWORD_WORDS.contains(&word.as_str()) {
            return false;
        }
        if words
            .get(i + 1)
            .is_some_and(|next| is_said_at_once(&word, next))
        {
            return true;
        }
        // "password for the mail account is …": a few words may stand between.
        let ahead = &words[i + 1..words.len().min(i + 7)];
        let Some(skip) = ahead.iter().position(|w| LINKS.contains(&bare(w).as_str())) else {
            return false;
        };
        let mut next = i + 1 + skip;
        let mut assigned = false;
        while let Some(link) = words.get(next)
            && LINKS.contains(&bare(link).as_str())
        {
            assigned |= bare(link) == "=";
            next += 1;
        }
        words
            .get(next)
            .is_some_and(|value| is_password(&word, value, assigned))
    });
    names
        .map(|(_, word)| match bare(word).as_str() {
            "key" | "apikey" => SecretKind::ApiKey,
            "token" | "bearer" => SecretKind::Token,
            word if word.ends_with("key") => SecretKind::ApiKey,
            word if word.ends_with("token") => SecretKind::Token,
            _ => SecretKind::Password,
        })
        .collect()
}

/// "password hunter2".
fn is_said_at_once(word: &str, next: &str) -> bool {
    const NAMED_SO: [&str; 5] = ["password", "passphrase", "passwort", "kennwort", "pwd"];
    let next = next.trim_matches(|c: char| "\"'`.,;!?()“”„«»".contains(c));
    NAMED_SO.contains(&word)
        && next.chars().count() >= 6
        && next.chars().any(|c| c.is_ascii_digit())
        && next.chars().any(char::is_alphabetic)
}

fn is_password(word: &str, value: &str, assigned: bool) -> bool {
    const PLAIN: [&str; 30] = [
        "required",
        "wrong",
        "incorrect",
        "needed",
        "too",
        "not",
        "a",
        "an",
        "the",
        "in",
        "stored",
        "invalid",
        "expired",
        "missing",
        "safe",
        "secure",
        "weak",
        "strong",
        "set",
        "same",
        "on",
        "my",
        "kept",
        "written",
        "changed",
        "never",
        "important",
        "used",
        "being",
        "always",
    ];
    let quoted = value.starts_with(['"', '\'', '`', '“', '„', '«']);
    let value = value.trim_matches(|c: char| "\"'`.,;!?()“”„«»".contains(c));
    let length = value.chars().count();
    let digits = value.chars().any(|c| c.is_ascii_digit());
    match word {
        "pin" | "pincode" | "otp" | "cvv" | "cvc" | "passcode" => {
            length >= 3 && value.chars().all(|c| c.is_ascii_digit())
        }
        // "the key is to listen", "the secret is patience", "token: 3".
        "key" | "secret" | "token" | "clé" | "clef" | "schlüssel" | "clave" | "chiave" => {
            length >= 12 && digits
        }
        _ if PLAIN.contains(&value.to_lowercase().as_str()) => false,
        _ => length >= 3 && (quoted || assigned || digits || length >= 4),
    }
}

/// 13 to 19 digits, in groups or not, that pass Luhn's check.
fn has_card_number(text: &str) -> bool {
    let mut digits: Vec<u32> = Vec::new();
    let mut gap = 0;
    for c in text.chars().chain(['x']) {
        if let Some(digit) = c.to_digit(10) {
            digits.push(digit);
            gap = 0;
        } else if matches!(c, ' ' | '-' | '.' | '\u{a0}') && gap == 0 && !digits.is_empty() {
            gap = 1;
        } else {
            if is_card(&digits) {
                return true;
            }
            digits.clear();
            gap = 0;
        }
    }
    false
}

/// The beginnings that card networks use, and the check digit.
fn is_card(digits: &[u32]) -> bool {
    if !(13..=19).contains(&digits.len()) || !matches!(digits[0], 2..=6) {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| match i % 2 {
            0 => *digit,
            _ if *digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written with a `~` inside, so that no scanner takes these examples for secrets.
    fn joined(text: &str) -> String {
        text.replace('~', "")
    }

    #[test]
    fn each_kind_of_secret_is_named() {
        use SecretKind::*;
        for (text, kind) in [
            ("my key is s~k-ant-a~pi03-AbCdEf0123456789xyz", ApiKey),
            ("OPENAI_API_KEY=s~k-proj-Ab12Cd34Ef56Gh78", ApiKey),
            ("key:s~k-Ab12Cd34Ef56Gh78", ApiKey),
            ("AWS A~KIAIOSFODNN7EXAMPLE here", ApiKey),
            ("(g~hp_16C7e42F292c6912E7710c838347Ae178B4a)", Token),
            (
                "slack x~oxb-17653672481-19874698323-pdFZKVeTuE8sk7oO",
                Token,
            ),
            (
                "e~yJhbGciOiJIUzI1NiJ9.e~yJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
                Token,
            ),
            ("-----BE~GIN OPENSSH PRIVATE KEY-----\nb3Blb", PrivateKey),
            ("-----BE~GIN PRIVATE KEY-----", PrivateKey),
            ("card 4111 1111 1111 ~1111 exp 12/30", CardNumber),
            ("5500-0000-0000-~0004", CardNumber),
            ("3782822463~10005", CardNumber),
            ("the password is sword~fish", Password),
            ("wifi password: hunt~er2", Password),
            ("My password for the mail account is Tr0ub4~dor&3", Password),
            ("PIN is 12~34", Password),
            ("Mein Passwort lautet Son~ne99", Password),
            ("пароль: секр~ет1", Password),
            ("postgres://app:s3c~ret@db.local/x", Password),
            ("api_key = 0a1b2c3~d4e5f6a7b", ApiKey),
        ] {
            assert_eq!(detect_secrets(&joined(text)), [kind], "{text}");
        }
    }

    #[test]
    fn no_vendor_secret_is_shorter_than_the_least() {
        let least = PREFIXES
            .iter()
            .map(|(prefix, least, _)| prefix.len() + least);
        assert!(least.min().unwrap() >= VENDOR_BYTES_MIN);
    }

    #[test]
    fn ordinary_talk_holds_no_secret() {
        for text in [
            "forgot my password again",
            "the password is required",
            "the key is to listen",
            "the secret is patience",
            "uses a password manager",
            "order 4111 1111 1111 1112",
            "call +47 22 33 44 55 at 10:30",
            "0000 0000 0000 0000",
            "sk-learn is a library",
            "task-oriented-dialogue-systems-2024",
            "token budget is 2000",
            "https://example.com/a:b@c",
            "pin it to the wall",
            "born 1990-12-24, moved 2011-05-06",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert_eq!(detect_secrets(text), [], "{text}");
        }
    }

    #[test]
    fn several_kinds_are_each_named_once() {
        let text = "sk-abcdefgh12345678ABCD and sk-abcdefgh12345678ABCE, card 4111111111111111";
        assert_eq!(
            detect_secrets(text),
            [SecretKind::ApiKey, SecretKind::CardNumber]
        );
    }
}
