//! Access logs: a line for each request that has ended. `directives/log.rs` makes
//! them of the configuration, sessions of every protocol call `log`.

use std::cell::Cell;
use std::rc::Rc;

use crate::nginx::datagram::Datagram;
use crate::nginx::log::{Complaint, Level, Log};
use crate::nginx::log_buffer::LogBuffer;
use crate::nginx::open_file::OpenFile;
use crate::nginx::syslog::Syslog;
use crate::nginx::time;
use crate::socket::buffer;
use crate::tcp::variables::{self, Seen, Variable};
use crate::text::log_format::{self, Escape, Piece};

/// The format of a log whose `access_log` names none.
pub const COMBINED: &[u8] = b"combined";
/// Its text.
pub const COMBINED_TEXT: &[u8] = b"$remote_addr $time_iso8601 $msec $request_time \
    $connection $connection_requests $protocol";

/// A `log_format`.
pub struct Format {
    pub name: Vec<u8>,
    escape: Escape,
    parts: Vec<Part>,
}

enum Part {
    Text(Vec<u8>),
    Variable(Variable),
}

/// An `access_log`.
pub struct AccessLog {
    target: Target,
    format: Rc<Format>,
    /// The second in which its disk was found full.
    disk_full: Cell<Option<i64>>,
    complaint: Complaint,
}

/// Where lines go.
pub enum Target {
    File(OpenFile),
    Buffered(&'static LogBuffer),
    /// As `access_nlog` says.
    Datagram(Datagram),
    Syslog(Syslog),
}

impl Format {
    /// A format of so many strings. The error is nginx's text.
    pub fn parse(
        name: &[u8],
        escape: Escape,
        strings: &[&[u8]],
    ) -> Result<Format, String> {
        let mut parts = Vec::new();
        for string in strings {
            for piece in log_format::parse(string).map_err(|error| error.to_string())? {
                parts.push(match piece {
                    Piece::Text(text) => Part::Text(text.to_vec()),
                    Piece::Variable(name) => {
                        let variable = variables::find(name);
                        Part::Variable(variable.ok_or_else(|| {
                            let name = String::from_utf8_lossy(name);
                            format!("invalid variable \"{name}\"")
                        })?)
                    }
                });
            }
        }
        Ok(Format { name: name.to_vec(), escape, parts })
    }

    /// Appends the line of a request, with its LF.
    fn append(&self, session: &dyn Seen, line: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => line.extend_from_slice(text),
                Part::Variable(variable) => {
                    let start = line.len();
                    variable.append(session, line);
                    if line.len() > start {
                        self.escape.apply(line, start);
                    } else if self.escape == Escape::Default {
                        // As in nginx; with the others it is nothing.
                        line.push(b'-');
                    }
                }
            }
        }
        line.push(b'\n');
    }
}

/// Writes the lines of the request that has ended.
#[inline(always)]
pub fn log(session: &dyn Seen) {
    if let Some(logs) = session.conf().access_logs() {
        write_lines(logs, session);
    }
}

#[inline(never)]
fn write_lines(logs: &[AccessLog], session: &dyn Seen) {
    // $request_time counts what the script has done since the last event.
    time::update();
    let mut line = buffer::take();
    for log in logs {
        line.clear();
        log.write(session, &mut line);
    }
    buffer::give(line);
}

impl AccessLog {
    pub fn new(target: Target, format: Rc<Format>) -> AccessLog {
        let (disk_full, complaint) = (Cell::new(None), Complaint::default());
        AccessLog { target, format, disk_full, complaint }
    }

    /// Sends the lines elsewhere.
    pub fn set_target(&mut self, target: Target) {
        self.target = target;
    }

    /// Writes what a buffer still holds: the worker exits.
    pub fn flush(&self) {
        if let Target::Buffered(buffer) = &self.target {
            buffer.flush();
        }
    }

    fn write(&self, session: &dyn Seen, line: &mut Vec<u8>) {
        match &self.target {
            // As in nginx: to write to a full disk may take long.
            Target::File(_) | Target::Buffered(_)
                if self.disk_full.get() == Some(time::now().0) => {}
            Target::File(file) => {
                self.format.append(session, line);
                self.write_file(*file, session, line);
            }
            Target::Buffered(buffer) => {
                self.format.append(session, line);
                buffer.add(line, |lines| {
                    self.write_file(buffer.file(), session, lines);
                });
            }
            Target::Datagram(socket) => {
                self.format.append(session, line);
                socket.send(line);
            }
            Target::Syslog(syslog) => {
                syslog.append_header(line);
                self.format.append(session, line);
                // A datagram's end is that of its message.
                line.pop();
                if syslog.send(line) != Some(line.len()) {
                    self.complain(session, Level::Warn, 0, "send() to syslog failed");
                }
            }
        }
    }

    fn write_file(&self, file: OpenFile, session: &dyn Seen, line: &[u8]) {
        let (errno, text) = match file.write(line) {
            Ok(n) if n == line.len() => return,
            Ok(n) => (0, format!("was incomplete: {n} of {}", line.len())),
            Err(errno) => (errno, "failed".to_owned()),
        };
        if errno == libc::ENOSPC {
            self.disk_full.set(Some(time::now().0));
        }
        let name = String::from_utf8_lossy(file.name());
        self.complain(
            session,
            Level::Alert,
            errno,
            &format!("write() to \"{name}\" {text}"),
        );
    }

    #[cold]
    fn complain(&self, session: &dyn Seen, level: Level, errno: i32, text: &str) {
        if self.complaint.is_due() {
            let log: Log = session.socket().connection.log();
            log.write_bytes(level, errno, text.as_bytes());
        }
    }
}
