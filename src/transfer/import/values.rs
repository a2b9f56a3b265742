//! The values of a long JSON list, or of JSON lines, one at a time.
//!
//! Only brackets and quotes are looked at, so that a value that is no good is passed over and the
//! next one found; what a value says is for its reader.

use std::io::Read;

use zeroize::Zeroizing;

use super::super::error::TransferError;
use super::Fault;

const CHUNK_BYTES: usize = 256 * 1024;
/// The longest value that is held. The longest conversations known are a quarter of it.
pub(super) const VALUE_BYTES_MAX: usize = 40 << 20;
/// What the reader of a value takes without running out of stack.
const DEPTH_MAX: u32 = 100;

/// A value, or why there is none.
pub(super) struct Value<'a> {
    pub bytes: Result<&'a [u8], Fault>,
    /// From 1.
    pub entry: u64,
    /// Where it begins.
    pub at: u64,
}

pub(super) struct Values<R> {
    source: R,
    chunk: Zeroizing<Vec<u8>>,
    start: usize,
    /// Bytes of the source that are behind `start`.
    pub bytes: u64,
    value: Zeroizing<Vec<u8>>,
    in_list: Option<bool>,
    entry: u64,
    over: bool,
}

/// How one value ended.
struct Ended {
    deepest: u32,
    len: usize,
    /// Letters that JSON has not, but Python writes.
    has_odd_words: bool,
    cut: bool,
}

impl<R: Read> Values<R> {
    pub(super) fn new(source: R) -> Self {
        Values {
            source,
            chunk: Zeroizing::new(Vec::new()),
            start: 0,
            bytes: 0,
            value: Zeroizing::new(Vec::new()),
            in_list: None,
            entry: 0,
            over: false,
        }
    }

    /// The next value; none at the end of the list or the source.
    pub(super) fn next(&mut self) -> Result<Option<Value<'_>>, TransferError> {
        if self.over {
            return Ok(None);
        }
        let first = loop {
            let Some(byte) = self.peek()? else {
                self.over = true;
                return Ok((self.in_list == Some(true)).then(|| self.cut()));
            };
            match (byte, self.in_list) {
                // Spaces, commas, and the mark that some editors put first.
                (b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF, _) => self.skip(),
                (b'[', None) => {
                    self.in_list = Some(true);
                    self.skip();
                }
                (b']', Some(true)) => {
                    self.over = true;
                    return Ok(None);
                }
                _ => break byte,
            }
        };
        self.in_list.get_or_insert(false);
        let at = self.bytes;
        self.entry += 1;
        let ended = self.take_value(first)?;
        let fault = if ended.cut {
            self.over = true;
            Some(Fault::CutOff)
        } else if ended.len > VALUE_BYTES_MAX {
            Some(Fault::TooLong)
        } else if ended.deepest > DEPTH_MAX {
            Some(Fault::TooDeep)
        } else {
            None
        };
        if ended.has_odd_words && fault.is_none() {
            self.value = Zeroizing::new(without_odd_words(&self.value));
        }
        Ok(Some(Value {
            bytes: fault.map_or(Ok(&self.value[..]), Err),
            entry: self.entry,
            at,
        }))
    }

    fn cut(&self) -> Value<'_> {
        Value {
            bytes: Err(Fault::CutOff),
            entry: self.entry + 1,
            at: self.bytes,
        }
    }

    fn take_value(&mut self, first: u8) -> Result<Ended, TransferError> {
        self.value.clear();
        let mut ended = Ended {
            deepest: 0,
            len: 0,
            has_odd_words: false,
            cut: false,
        };
        let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
        let mut begun = false;
        loop {
            if self.peek()?.is_none() {
                // A number or a word ends with the source; anything else was cut.
                ended.cut = depth > 0 || in_string || first == b'"';
                return Ok(ended);
            }
            let chunk = &self.chunk[self.start..];
            let mut taken = chunk.len();
            let mut done = false;
            for (n, byte) in chunk.iter().enumerate() {
                if in_string {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => {
                            in_string = false;
                            done = depth == 0;
                        }
                        _ => {}
                    }
                } else {
                    match byte {
                        b'"' => in_string = true,
                        b'{' | b'[' => {
                            depth += 1;
                            ended.deepest = ended.deepest.max(depth);
                        }
                        b'}' | b']' if depth > 0 => {
                            depth -= 1;
                            done = depth == 0;
                        }
                        b',' | b' ' | b'\n' | b'\r' | b'\t' | b']' if depth == 0 && begun => {
                            taken = n;
                            done = true;
                            break;
                        }
                        b'N' | b'I' => ended.has_odd_words = true,
                        _ => {}
                    }
                }
                begun = true;
                if done {
                    taken = n + 1;
                    break;
                }
            }
            ended.len += taken;
            if ended.len <= VALUE_BYTES_MAX {
                self.value.extend_from_slice(&chunk[..taken]);
            }
            self.start += taken;
            self.bytes += taken as u64;
            if done {
                return Ok(ended);
            }
        }
    }

    fn skip(&mut self) {
        self.start += 1;
        self.bytes += 1;
    }

    fn peek(&mut self) -> Result<Option<u8>, TransferError> {
        if self.start == self.chunk.len() {
            self.chunk.resize(CHUNK_BYTES, 0);
            let read = loop {
                match self.source.read(&mut self.chunk) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    other => break other.map_err(TransferError::Read)?,
                }
            };
            self.chunk.truncate(read);
            self.start = 0;
        }
        Ok(self.chunk.get(self.start).copied())
    }
}

/// `NaN` and the infinities, which Python writes, as `null`.
fn without_odd_words(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = value;
    while let Some((byte, behind)) = rest.split_first() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else {
            in_string = *byte == b'"';
            let word = [&b"NaN"[..], b"Infinity", b"-Infinity"]
                .into_iter()
                .find(|word| rest.starts_with(word));
            if let Some(word) = word {
                out.extend_from_slice(b"null");
                rest = &rest[word.len()..];
                continue;
            }
        }
        out.push(*byte);
        rest = behind;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most `1` bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(self.0.len()).min(out.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn all(text: &str) -> Vec<Result<String, Fault>> {
        let read = |step| {
            let mut values = Values::new(Drip(text.as_bytes(), step));
            let mut out = Vec::new();
            while let Some(value) = values.next().unwrap() {
                assert_eq!(value.entry, out.len() as u64 + 1);
                let bytes = value.bytes.map(<[u8]>::to_vec);
                out.push(bytes.map(|bytes| String::from_utf8(bytes).unwrap()));
            }
            out
        };
        assert_eq!(read(1), read(4096));
        read(7)
    }

    fn whole(texts: &[&str]) -> Vec<Result<String, Fault>> {
        texts.iter().map(|text| Ok((*text).to_owned())).collect()
    }

    #[test]
    fn the_values_of_a_list_and_of_lines_come_one_by_one() {
        assert_eq!(all(""), []);
        assert_eq!(all(" [ ] "), []);
        assert_eq!(
            all(r#"[{"a":"]}"},[1,[2]],"x,\"]", 12 ,true]rest"#),
            whole(&[r#"{"a":"]}"}"#, "[1,[2]]", r#""x,\"]""#, "12", "true"])
        );
        assert_eq!(
            all("\u{feff}{\"a\":1}\n{\"b\":2}\n3"),
            whole(&["{\"a\":1}", "{\"b\":2}", "3"])
        );
    }

    #[test]
    fn a_cut_list_gives_what_is_whole_and_says_so() {
        let mut expected = whole(&["1"]);
        expected.push(Err(Fault::CutOff));
        assert_eq!(all("[1,{\"a\":"), expected);
        assert_eq!(all("[1,"), expected);
        assert_eq!(all("[1,\"ab"), expected);
        assert_eq!(all("{\"a\":"), [Err(Fault::CutOff)]);
    }

    #[test]
    fn bombs_are_passed_over() {
        let deep = format!("[{}{},7]", "[".repeat(5000), "]".repeat(5000));
        let mut expected = vec![Err(Fault::TooDeep)];
        expected.extend(whole(&["7"]));
        assert_eq!(all(&deep), expected);
        let long = format!("[\"{}\",7]", "x".repeat(VALUE_BYTES_MAX));
        let mut values = Values::new(long.as_bytes());
        let first = values.next().unwrap().unwrap();
        assert_eq!(first.bytes, Err(Fault::TooLong));
        assert!(values.value.capacity() <= 2 * VALUE_BYTES_MAX);
        assert_eq!(values.next().unwrap().unwrap().bytes, Ok(&b"7"[..]));
    }

    #[test]
    fn what_python_writes_for_no_number_is_null() {
        assert_eq!(
            all(r#"[{"a":NaN,"b":-Infinity,"c":"NaN"},Infinity]"#),
            whole(&[r#"{"a":null,"b":null,"c":"NaN"}"#, "null"])
        );
    }
}
