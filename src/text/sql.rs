//! `ngx.quote_sql_str`: a string as a literal of MySQL's SQL.
//!
//! Called by `api`. Escapes as MySQL reads them with its default sql_mode
//! (MySQL Reference Manual, "String Literals"); PostgreSQL and the mode
//! NO_BACKSLASH_ESCAPES want other quoting.

/// Appends `src` in single quotes, with a backslash before `\ ' "` and with
/// `\0 \b \t \n \r \Z` for those control characters.
///
/// The original tcp-lua module wrote `\z` for byte 26, which MySQL reads as the
/// letter z; here it is `\Z`, as in OpenResty.
///
/// ```
/// # use ngx_tcp_lua_module::text::sql::quote_sql_str;
/// let mut out = Vec::new();
/// quote_sql_str(b"it's", &mut out);
/// assert_eq!(out, br"'it\'s'");
/// ```
pub fn quote_sql_str(src: &[u8], out: &mut Vec<u8>) {
    let mut copied = 0;
    out.reserve(src.len() + 2);
    out.push(b'\'');

    for (i, &c) in src.iter().enumerate() {
        if let Some(letter) = escape_letter(c) {
            out.extend_from_slice(&src[copied..i]);
            out.extend([b'\\', letter]);
            copied = i + 1;
        }
    }

    out.extend_from_slice(&src[copied..]);
    out.push(b'\'');
}

fn escape_letter(c: u8) -> Option<u8> {
    Some(match c {
        0 => b'0',
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        b'\r' => b'r',
        0x1a => b'Z',
        b'\\' | b'\'' | b'"' => c,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(src: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        quote_sql_str(src, &mut out);
        out
    }

    #[test]
    fn table() {
        let cases: [(&[u8], &[u8]); 7] = [
            (b"", b"''"),
            (b"plain", b"'plain'"),
            (b"it's", br"'it\'s'"),
            (b"\"\\", br#"'\"\\'"#),
            (b"a\0\x08\t\n\r\x1az", br"'a\0\b\t\n\r\Zz'"),
            (b"\x01\x7f", b"'\x01\x7f'"),
            ("ä%_`;--".as_bytes(), "'ä%_`;--'".as_bytes()),
        ];
        for (src, want) in cases {
            assert_eq!(quote(src), want);
        }
    }

    #[test]
    fn only_nine_bytes_change() {
        let changed: Vec<u8> = (0..=255).filter(|&c| quote(&[c]).len() != 3).collect();
        assert_eq!(changed, b"\0\x08\t\n\r\x1a\"'\\");
    }

    #[test]
    fn appends() {
        let mut out = b"select ".to_vec();
        quote_sql_str(b"x", &mut out);
        assert_eq!(out, b"select 'x'");
    }
}
