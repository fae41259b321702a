//! Bytes as text: hexadecimal, base64 (RFC 4648, with padding), PostgreSQL's escapes, and URLs.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

fn unknown(format: &str) -> String {
    format!("the encoding '{format}' is not one of hex, base64, escape")
}

pub(super) fn encode(bytes: &[u8], format: &str, out: &mut String) -> Result<(), String> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => write_hex(bytes, out),
        "base64" => write_base64(bytes, out),
        "escape" => bytes.iter().for_each(|&byte| match byte {
            b'\\' => out.push_str("\\\\"),
            0 | 128.. => {
                out.push('\\');
                [byte >> 6, byte >> 3 & 7, byte & 7].into_iter().for_each(|digit| out.push(char::from(b'0' + digit)));
            }
            byte => out.push(char::from(byte)),
        }),
        _ => return Err(unknown(format)),
    }
    Ok(())
}

/// Two hexadecimal digits for each byte.
pub(super) fn write_hex(bytes: &[u8], out: &mut String) {
    bytes.iter().for_each(|&byte| push_hex(byte, out));
}

fn push_hex(byte: u8, out: &mut String) {
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

pub(super) fn write_base64(bytes: &[u8], out: &mut String) {
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().chain(&[0, 0]).take(3).fold(0_u32, |word, &byte| word << 8 | u32::from(byte));
        for place in 0..4 {
            let letter = BASE64[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
}

pub(super) fn decode(text: &str, format: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("'{text}' is not {format}");
    match format.to_ascii_lowercase().as_str() {
        "hex" => read_hex(text).ok_or_else(wrong),
        "base64" => read_base64(text).ok_or_else(wrong),
        "escape" => read_escapes(text).ok_or_else(wrong),
        _ => Err(unknown(format)),
    }
}

fn read_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    digits.chunks(2).map(|pair| Some(value(pair[0])? << 4 | value(*pair.get(1)?)?)).collect()
}

fn read_base64(text: &str) -> Option<Vec<u8>> {
    let letters: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let padding = letters.iter().rev().take_while(|byte| **byte == b'=').count();
    let (letters, rest) = letters.split_at(letters.len() - padding);
    if letters.len() % 4 == 1 || padding > 2 || (!rest.is_empty() && (letters.len() + padding) % 4 != 0) {
        return None;
    }
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for chunk in letters.chunks(4) {
        let mut word = 0_u32;
        for &letter in chunk {
            word = word << 6 | BASE64.iter().position(|known| *known == letter)? as u32;
        }
        word <<= 6 * (4 - chunk.len());
        bytes.extend(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

fn read_escapes(text: &str) -> Option<Vec<u8>> {
    let (bytes, mut decoded, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'\\')) => {
                decoded.push(b'\\');
                at += 2;
            }
            (b'\\', _) => {
                let digits = bytes.get(at + 1..at + 4)?;
                let value = digits.iter().try_fold(0_u32, |value, digit| Some(value * 8 + char::from(*digit).to_digit(8)?))?;
                decoded.push(u8::try_from(value).ok()?);
                at += 4;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Some(decoded)
}

pub(super) fn write_url(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => {
                out.push('%');
                [byte >> 4, byte & 15]
                    .into_iter()
                    .for_each(|digit| out.push(char::from(HEX[usize::from(digit)]).to_ascii_uppercase()));
            }
        }
    }
}

pub(super) fn read_url(text: &str, out: &mut String) -> Result<(), String> {
    let wrong = || format!("'{text}' is not encoded as a part of a URL");
    let (bytes, mut decoded, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                decoded.extend(text.get(at + 1..at + 3).and_then(read_hex).ok_or_else(wrong)?);
                at += 3;
            }
            byte => {
                decoded.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    out.push_str(std::str::from_utf8(&decoded).map_err(|_| wrong())?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let all: Vec<u8> = (0..=255).collect();
        for format in ["hex", "base64", "escape"] {
            for length in [0, 1, 2, 3, 4, 5, 256] {
                let mut text = String::new();
                encode(&all[..length], format, &mut text).unwrap();
                assert_eq!(decode(&text, format).unwrap(), &all[..length], "{format} {text}");
            }
        }
        let mut text = String::new();
        write_base64(b"any carnal pleas", &mut text);
        assert_eq!(text, "YW55IGNhcm5hbCBwbGVhcw==");
        assert!(decode("YW5", "base64").is_ok());
        assert!(decode("Y", "base64").is_err());
        assert!(decode("0", "hex").is_err());
        assert!(decode("x", "rot13").is_err());
    }
}
