//! A provider's API key, in a type that does not print, copy or serialise itself.

use zeroize::Zeroizing;

use super::error::ConfigError;

/// An API key: 1 to 8192 visible ASCII characters, wiped on drop.
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    const BYTES_MAX: usize = 8192;

    /// Takes a key, without the white space that pasting leaves around it.
    pub fn new(text: impl Into<Zeroizing<String>>) -> Result<Self, ConfigError> {
        let text = text.into();
        let key = text.trim();
        let sound = (1..=Self::BYTES_MAX).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic());
        if sound {
            Ok(ApiKey(Zeroizing::new(key.to_owned())))
        } else {
            Err(ConfigError::BadApiKey)
        }
    }

    /// The key itself, for the one header it goes into.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<ApiKey, ConfigError> {
        ApiKey::new(text.to_owned())
    }

    #[test]
    fn pasted_white_space_is_dropped() {
        assert_eq!(key(" sk-1 \r\n").unwrap().expose(), "sk-1");
    }

    #[test]
    fn what_cannot_be_a_header_is_refused_and_not_quoted() {
        for text in ["", "  ", "sk 1", "sk\n1", "schlüssel", &"k".repeat(8193)] {
            let error = key(text).err().expect("refused");
            assert!(!format!("{error} {error:?}").contains("sk"));
        }
        assert!(key(&"k".repeat(8192)).is_ok());
    }
}
