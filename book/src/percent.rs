//! Percent-encoding, as in the paths of URLs.

use std::fmt::Write;

/// The text that `encoded` stands for; `None` if a `%` is not followed by two hexadecimal digits or if
/// the bytes are not UTF-8.
pub fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        rest = others;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, others) = rest.split_at_checked(2)?;
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let byte = digit(digits[0])? * 16 + digit(digits[1])?;
        bytes.push(u8::try_from(byte).ok()?);
        rest = others;
    }
    String::from_utf8(bytes).ok()
}

/// The path as it is written in a URL; slashes stay.
pub fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding() {
        for (encoded, expected) in [
            ("", Some("")),
            ("/a-b.html", Some("/a-b.html")),
            ("%41%2f%2E", Some("A/.")),
            ("%C3%A4", Some("ä")),
            ("100%25", Some("100%")),
            ("%", None),
            ("%4", None),
            ("%4g", None),
            ("%+1", None),
            ("%é1", None),
            ("%FF", None),
        ] {
            assert_eq!(decode(encoded).as_deref(), expected, "{encoded}");
        }
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        let path = "/a b/ä%?#\r\n.html";
        assert_eq!(encode_path(path), "/a%20b/%C3%A4%25%3F%23%0D%0A.html");
        assert_eq!(decode(&encode_path(path)).as_deref(), Some(path));
    }
}
