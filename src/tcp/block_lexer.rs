//! Finds the `}` that ends a block of Lua in nginx.conf: the one whose `{` is
//! nginx's own, past braces of Lua, strings, long brackets and comments.
//!
//! Pure: it is fed pieces of the file, cut anywhere, by `script.rs`. It does not
//! check the Lua; where that is wrong the end it finds may be, too.

/// Where in a block the bytes fed so far have led.
pub struct BlockLexer {
    state: State,
    /// Braces of the code that are open, not counting the block's own.
    depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Code,
    /// After `-`.
    Dash,
    /// After `--`.
    Comment,
    /// To the end of the line.
    LineComment,
    /// After `[` and `level` times `=`, in code or right behind `--`.
    Bracket {
        level: usize,
        comment: bool,
    },
    /// In `[==[ … ]==]`.
    Long {
        level: usize,
    },
    /// After `]` and `seen` times `=` in it.
    LongEnd {
        level: usize,
        seen: usize,
    },
    /// In a string that `quote` ends.
    String {
        quote: u8,
    },
    /// After `\` in it.
    Escape {
        quote: u8,
    },
    /// After `\` and a carriage return in it.
    EscapedReturn {
        quote: u8,
    },
    /// After `\z` in it, which skips white space with line ends.
    Skip {
        quote: u8,
    },
}

impl BlockLexer {
    pub fn new() -> Self {
        BlockLexer { state: State::Code, depth: 0 }
    }

    /// Takes the next bytes; when the block ends in them, how many of them
    /// belong to it, its `}` included.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        for (i, &b) in bytes.iter().enumerate() {
            match (self.state, b) {
                (state, b'}') if state.is_code() => {
                    if self.depth == 0 {
                        return Some(i + 1);
                    }
                    self.depth -= 1;
                }
                (state, b'{') if state.is_code() => self.depth += 1,
                _ => {}
            }
            self.state = self.state.next(b);
        }
        None
    }
}

impl Default for BlockLexer {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Whether a brace counts here: after a single `-` or `[`, too.
    fn is_code(self) -> bool {
        matches!(self, State::Code | State::Dash | State::Bracket { comment: false, .. })
    }

    fn next(self, b: u8) -> State {
        match (self, b) {
            (State::Dash, b'-') => State::Comment,
            (State::Bracket { level, comment }, b'=') => {
                State::Bracket { level: level + 1, comment }
            }
            (State::Bracket { level, .. }, b'[') => State::Long { level },
            (State::Code | State::Dash | State::Bracket { comment: false, .. }, _) => {
                State::code(b)
            }

            (State::Comment, b'[') => State::Bracket { level: 0, comment: true },
            (State::Comment | State::LineComment | State::Bracket { .. }, _) => match b {
                b'\n' | b'\r' => State::Code,
                _ => State::LineComment,
            },

            (State::Long { level }, b']') => State::LongEnd { level, seen: 0 },
            (State::Long { level }, _) => State::Long { level },
            (State::LongEnd { level, seen }, b']') if seen == level => State::Code,
            (State::LongEnd { level, .. }, b']') => State::LongEnd { level, seen: 0 },
            (State::LongEnd { level, seen }, b'=') => {
                State::LongEnd { level, seen: seen + 1 }
            }
            (State::LongEnd { level, .. }, _) => State::Long { level },

            (State::Escape { quote }, b'z') => State::Skip { quote },
            (State::Escape { quote }, b'\r') => State::EscapedReturn { quote },
            (State::Escape { quote }, _) => State::String { quote },
            (State::EscapedReturn { quote }, b'\n') => State::String { quote },
            (State::Skip { quote }, b) if b.is_ascii_whitespace() || b == 0x0b => {
                State::Skip { quote }
            }
            (
                State::String { quote }
                | State::EscapedReturn { quote }
                | State::Skip { quote },
                _,
            ) => State::in_string(quote, b),
        }
    }

    fn code(b: u8) -> State {
        match b {
            b'-' => State::Dash,
            b'[' => State::Bracket { level: 0, comment: false },
            b'"' | b'\'' => State::String { quote: b },
            _ => State::Code,
        }
    }

    fn in_string(quote: u8, b: u8) -> State {
        match b {
            b'\\' => State::Escape { quote },
            // A string left open is an error that Lua reports better.
            b'\n' | b'\r' => State::Code,
            _ if b == quote => State::Code,
            _ => State::String { quote },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each block with what follows its end.
    const BLOCKS: &[(&str, &str)] = &[
        ("}", ""),
        (" }", " rest }"),
        ("local t = {}\n}", "\n}"),
        ("local t = {{1}, {2}} }", "}"),
        (r#"a = "}" }"#, "}"),
        (r"a = '}' }", "}"),
        (r#"a = "\"}" }"#, "}"),
        (r#"a = '"}' }"#, "}"),
        (r#"a = "\\" }"#, "\" }"),
        ("a = \"\\\n}\" }", "}"),
        ("a = \"\\\r\n}\" }", "}"),
        ("a = \"\\z \n\t }\" }", "}"),
        ("a = \"\\z\n\\\"}\" }", "}"),
        ("a = \"open\n}", "}"),
        ("a = [[}]] }", "}"),
        ("a = [[ ]}]=] ]] }", "}"),
        ("a = [=[ ]]} ]==] ]=] }", "}"),
        ("a = [==[ }]=]}]===]}]=]==] }", "}"),
        ("a = t[t2[1]] }", "}"),
        ("a = t[{1}] }", "}"),
        ("a = t['}'] }", "}"),
        ("a = t[-1] }", "}"),
        ("a = 1 - 2 }", "}"),
        ("a = 1 -{} }", "}"),
        ("-- }\n}", "}"),
        ("-- \"\n}", "\"}"),
        ("--\n}", "}"),
        ("--[ }\n}", "}"),
        ("--[= }\n}", "}"),
        ("--[==\n}", "}"),
        ("--[[ }\n} ]] }", "}"),
        ("--[==[ }\n]]} ]==] }", "}"),
        ("---[[ }\n}", "]]}"),
        ("a = [=] }", "}"),
        ("a = '-- ' }", "}"),
        ("a = '[[' }", "}"),
        ("-- it's\n}", "'}"),
        ("a = \"--[[\" }", "]]}"),
        ("# } is no comment of Lua", ""),
    ];

    fn end(pieces: &[&[u8]]) -> Option<usize> {
        let mut lexer = BlockLexer::new();
        let mut before = 0;
        for piece in pieces {
            if let Some(n) = lexer.feed(piece) {
                return Some(before + n);
            }
            before += piece.len();
        }
        None
    }

    fn expected(block: &str) -> usize {
        if block.starts_with('#') { 3 } else { block.len() }
    }

    #[test]
    fn a_block_ends_at_its_own_brace() {
        for (block, rest) in BLOCKS {
            let text = format!("{block}{rest}");
            assert_eq!(end(&[text.as_bytes()]), Some(expected(block)), "{text:?}");
        }
    }

    #[test]
    fn it_does_not_matter_where_the_text_is_cut() {
        for (block, rest) in BLOCKS {
            let text = format!("{block}{rest}");
            let text = text.as_bytes();
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let pieces = [&text[..first], &text[first..second], &text[second..]];
                    assert_eq!(end(&pieces), Some(expected(block)), "{block:?}");
                }
            }
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(end(&bytes), Some(expected(block)), "{block:?}");
        }
    }

    #[test]
    fn an_open_block_has_no_end() {
        for open in
            ["", "{}", "{", "'}", "\"}", "[[ }", "[[ }]", "-- }", "--[[ }\n", "'\\"]
        {
            assert_eq!(end(&[open.as_bytes()]), None, "{open:?}");
        }
    }
}
