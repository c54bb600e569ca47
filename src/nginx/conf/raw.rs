//! Reading the configuration file behind nginx's parser: the text of a block
//! that is not nginx's syntax, and the line on which an argument began.

use ngx::ffi::{ngx_conf_file_t, ngx_read_file, off_t};

use super::{Conf, ConfError};

impl Conf {
    /// Hands the bytes after the directive's `{` to `take`, piece by piece,
    /// until it returns how many of a piece are the last ones it wants; nginx
    /// goes on behind them. False when the file ends first.
    pub fn read_raw(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Option<usize>,
    ) -> Result<bool, ConfError> {
        loop {
            let piece = self.buffered();
            if piece.is_empty() {
                if !self.refill()? {
                    return Ok(false);
                }
                continue;
            }
            let len = piece.len();
            let end = take(piece);
            self.consume(end.unwrap_or(len).min(len));
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// The line on which argument `i`, the directive's last, begins.
    pub fn line_of_last_arg(&self, i: usize) -> usize {
        let line = self.location().line;
        line - lines_since_start(self.consumed(), self.arg(i)).min(line)
    }

    fn file(&self) -> *mut ngx_conf_file_t {
        // SAFETY: cf is live while its setter runs.
        unsafe { (*self.as_ptr()).conf_file }
    }

    /// What is in nginx's buffer and not parsed yet.
    fn buffered(&self) -> &[u8] {
        // SAFETY: while a file is read its buffer is set, with pos <= last.
        unsafe {
            let b = &*(*self.file()).buffer;
            std::slice::from_raw_parts(b.pos, b.last.offset_from_unsigned(b.pos))
        }
    }

    /// What is still in nginx's buffer of what has been parsed.
    fn consumed(&self) -> &[u8] {
        // SAFETY: as above, with start <= pos.
        unsafe {
            let b = &*(*self.file()).buffer;
            std::slice::from_raw_parts(b.start, b.pos.offset_from_unsigned(b.start))
        }
    }

    fn consume(&mut self, n: usize) {
        let lines = newlines(&self.buffered()[..n]);
        // SAFETY: n bytes were in the buffer after pos (the slice above).
        unsafe {
            let file = &mut *self.file();
            (*file.buffer).pos = (*file.buffer).pos.add(n);
            file.line += lines;
        }
    }

    /// Reads on into the empty buffer; false at the end of the file.
    fn refill(&mut self) -> Result<bool, ConfError> {
        // SAFETY: as ngx_conf_read_token() does it: the buffer is nginx's own,
        // start..end is its memory and nobody else points into it, since its
        // content has been consumed; the dump (nginx -T) was made as large as
        // the file.
        unsafe {
            let file = &mut *self.file();
            let b = &mut *file.buffer;
            let left = usize::try_from(file.file.info.st_size - file.file.offset);
            let size = left.unwrap_or(0).min(b.end.offset_from_unsigned(b.start));
            if size == 0 {
                return Ok(false);
            }
            let offset: off_t = file.file.offset;
            let n = ngx_read_file(&raw mut file.file, b.start, size, offset);
            if n < 0 {
                return Err(ConfError::Logged);
            }
            if n as usize != size {
                let text = format!("read() returned only {n} bytes instead of {size}");
                return Err(ConfError::text(text));
            }
            b.pos = b.start;
            b.last = b.start.add(size);
            if let Some(dump) = file.dump.as_mut() {
                dump.last.copy_from_nonoverlapping(b.start, size);
                dump.last = dump.last.add(size);
            }
        }
        Ok(true)
    }
}

/// The number of line ends between the start of the last argument and the end
/// of `text`, what nginx has read up to the directive's `;`. nginx keeps no
/// line for an argument and has replaced the escapes in it, so this looks back
/// for the piece of `text` that gives `value`.
fn lines_since_start(text: &[u8], value: &[u8]) -> usize {
    let longest = text.len().min(text.len().saturating_sub(value.len()) + 1);
    (0..longest)
        .rev()
        .find(|&start| reads_as(&text[start..], value))
        // Pushed out of the buffer by a long comment: as if without escapes.
        .map_or(newlines(value), |start| newlines(&text[start..]))
}

/// Whether `text` begins with something that nginx's parser turns into `value`:
/// `ngx_conf_read_token` knows the escapes \" \' \\ \t \r \n.
fn reads_as(text: &[u8], value: &[u8]) -> bool {
    let mut text = text.iter();
    value.iter().all(|&expected| {
        let Some(&b) = text.next() else { return false };
        if b != b'\\' {
            return b == expected;
        }
        let unescaped = match text.as_slice().first() {
            Some(&quoted @ (b'"' | b'\'' | b'\\')) => quoted,
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            _ => return b == expected,
        };
        text.next();
        unescaped == expected
    })
}

fn newlines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_from_the_start_of_an_argument_to_its_semicolon() {
        let cases: &[(&str, &str, usize)] = &[
            ("x 'a';", "a", 0),
            ("x '\na\n';", "\na\n", 2),
            ("x 'a'\n\n;", "a", 2),
            ("x\n\n'a'\n;", "a", 1),
            (r"x 'a\nb';", "a\nb", 0),
            ("x 'a\\nb\nc';", "a\nb\nc", 1),
            ("x 'say(\\'it\\'s\\')\n';", "say('it's')\n", 1),
            (r#"x "\\\"\t\r\q";"#, "\\\"\t\r\\q", 0),
            ("x 'a\na';", "a\na", 1),
            ("lost'\n;", "not there\n\n", 2),
        ];
        for (text, value, expected) in cases {
            let found = lines_since_start(text.as_bytes(), value.as_bytes());
            assert_eq!(found, *expected, "{text:?}");
        }
    }
}
