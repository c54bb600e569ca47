//! Each name that scripts or configurations can use has an entry in docs/ and
//! occurs in a suite of t/.
//!
//! The tables, and what lua/ adds to them, are read as text: code that uses them
//! links against nginx, which a test binary lacks. `t/070-names.t` compares what they become in a running
//! nginx with a list, so that no name escapes this reader.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Lua's own, or made in a way that this reader does not see.
const OTHER_NAMES: &[&str] = &[
    "print",
    "ngx.ctx",
    "ngx.thread.spawn",
    "coroutine.create",
    "coroutine.isyieldable",
    "coroutine.yield",
];

/// What else is in lua/ are libraries, which scripts require.
const API_FILES: &[&str] = &[
    "lua/client_ssl.lua",
    "lua/clients.lua",
    "lua/prelude.lua",
    "lua/regex.lua",
    "lua/shared.lua",
    "lua/socket.lua",
    "lua/ssl.lua",
    "lua/sync.lua",
    "lua/udp.lua",
];

#[test]
fn every_name_of_the_api_is_documented() {
    assert_complete(&api_names(), &headings("docs/api.md"), "entry in docs/api.md");
}

#[test]
fn every_name_of_the_api_is_tested() {
    // A method is called of something that has another name there.
    let names = api_names().into_iter();
    let names = names.map(|name| match name.split_once(':') {
        Some((_, method)) => format!(":{method}"),
        None => name,
    });
    assert_complete(&names.collect(), &words_of_suites(), "block in t/*.t");
}

#[test]
fn every_documented_name_exists() {
    let what = "row in src/api or function in lua/";
    assert_complete(&headings("docs/api.md"), &api_names(), what);
}

#[test]
fn every_function_of_a_library_is_documented() {
    let headings = headings("docs/libraries.md");
    assert_complete(&library_names(), &headings, "entry in docs/libraries.md");
}

#[test]
fn every_function_of_a_library_is_tested() {
    let names = library_names().into_iter();
    let names = names.map(|name| match name.split_once(':') {
        Some((_, method)) => format!(":{method}"),
        None => name,
    });
    assert_complete(&names.collect(), &words_of_suites(), "block in t/*.t");
}

#[test]
fn every_method_of_nats_is_documented() {
    let headings = headings("docs/nats.md");
    assert_complete(&nats_names(), &headings, "entry in docs/nats.md");
    let what = "function in lua/resty/nats.lua, .../message.lua";
    assert_complete(&headings, &nats_names(), what);
}

#[test]
fn every_method_of_nats_is_tested() {
    // Other objects have methods of the same names: only suites of NATS count.
    let words = words_of(|suite| suite.contains("resty.nats"));
    let names = nats_names();
    let methods = names.iter().filter_map(|name| name.split_once(':'));
    let methods = methods.map(|(_, method)| format!(":{method}"));
    assert_complete(&methods.collect(), &words, "block in t/*.t");
}

#[test]
fn every_directive_is_documented() {
    let headings = headings("docs/directives.md");
    assert_complete(&directives(), &headings, "entry in docs/directives.md");
}

#[test]
fn every_directive_is_tested() {
    assert_complete(&directives(), &words_of_suites(), "block in t/*.t");
}

#[test]
fn every_documented_directive_exists() {
    assert_complete(&headings("docs/directives.md"), &directives(), "row in src/tcp");
}

#[test]
fn every_variable_is_documented_and_tested() {
    let rows = quoted(&read("src/tcp/variables.rs"), " variable(\"");
    let rows: BTreeSet<String> =
        rows.into_iter().map(|name| format!("${name}")).collect();
    assert!(rows.len() > 15, "only {} variables were read", rows.len());
    let words = |path: &str| -> BTreeSet<String> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        read(path).split(|c| !is_name(c)).map(str::to_owned).collect()
    };
    assert_complete(&rows, &words("docs/directives.md"), "row in docs/directives.md");
    assert_complete(&rows, &words("t/041-log-format.t"), "block in t/041-log-format.t");
}

fn assert_complete(names: &BTreeSet<String>, place: &BTreeSet<String>, what: &str) {
    let missing: Vec<_> = names.difference(place).collect();
    assert!(missing.is_empty(), "no {what} for {missing:?}");
}

/// The functions of `GROUPS` in src/api/mod.rs and of lua/, and constants.
fn api_names() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = OTHER_NAMES.iter().map(|s| s.to_string()).collect();
    let groups = between(&read("src/api/mod.rs"), "GROUPS", "];");
    for group in groups.split("Group {").skip(1) {
        let path = quoted(group, "path: \"").remove(0);
        let table = between(group, "functions: ", " }");
        let (file, constant) = table.split_once("::").expect("FILE::TABLE");
        let source = read(&format!("src/api/{file}.rs"));
        let rows = between(&source, &format!("pub const {constant}:"), "\n];\n");
        // A table of one row is on one line.
        let rows = rows.split("];\n").next().unwrap_or_default();
        let functions = quoted(rows, "function(\"");
        assert!(!functions.is_empty(), "no functions read from {table}");
        names.extend(functions.iter().map(|name| match path.as_str() {
            "" => format!("ngx.{name}"),
            path => format!("ngx.{path}.{name}"),
        }));
    }

    let constants = read("src/api/constants.rs");
    let numbers = between(&constants, "NUMBERS", "];");
    names.extend(quoted(&numbers, "(\"").iter().map(|name| format!("ngx.{name}")));
    names.extend(quoted(&constants, "ngx.set(\"").iter().map(|n| format!("ngx.{n}")));
    names.extend(
        quoted(&constants, "config.set(\"").iter().map(|n| format!("ngx.config.{n}")),
    );

    for file in API_FILES {
        let functions = lua_functions(&read(file));
        assert!(!functions.is_empty(), "no functions read from {file}");
        names.extend(functions);
    }
    assert!(names.len() > 85, "only {} names were read", names.len());
    names
}

/// What a file of lua/ adds: `function TABLE.NAME(`, and what it assigns to
/// fields of ngx. A local table is a module, `ngx.TABLE` if it is put there, and
/// a function in it whose first argument is `self` a method, "TABLE:NAME"; so are
/// the natives in a table that is the `__index` of objects.
fn lua_functions(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let is_module = |table: &str| source.contains(&format!("\nlocal {table} = {{"));
    let is_in_ngx = |table: &str| source.contains(&format!("\nngx.{table} = "));
    for line in source.lines() {
        if let Some(rest) = line.strip_prefix("function ") {
            let (path, arguments) = rest.split_once('(').unwrap_or_default();
            let Some((table, name)) = path.rsplit_once('.') else { continue };
            if table.starts_with("ngx") || table == "coroutine" {
                names.push(path.to_owned());
            } else if is_module(table) && arguments.starts_with("self") {
                names.push(format!("{table}:{name}"));
            } else if is_module(table) && is_in_ngx(table) {
                names.push(format!("ngx.{path}"));
            } else if is_module(table) {
                names.push(path.to_owned());
            }
        } else if let Some((path, value)) = line.split_once(" = ") {
            let table = path.split_once('.').unwrap_or_default().0;
            if table == "ngx" && !value.starts_with('{') && !is_module(value) {
                names.push(path.to_owned());
            } else if is_module(table) && is_in_ngx(table) {
                // Another name for a function of it.
                names.push(format!("ngx.{path}"));
            }
        }
    }
    for table in between_all(source, "{ __index = ", " }") {
        let start = format!("\nlocal {table} = {{\n");
        if let Some((_, rows)) = source.split_once(&start) {
            let rows = rows.split("\n}").next().unwrap_or_default().lines();
            let fields = rows.filter_map(|row| row.trim().split_once(" = "));
            names.extend(fields.map(|(name, _)| format!("{table}:{name}")));
        }
    }
    names
}

/// The functions and methods of the libraries, which are tables named as their
/// file; http and http_lb have methods from a file of helpers.
fn library_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut read_from = |file: &str, table: &str, library: &str| {
        for line in read(file).lines() {
            let Some(rest) = line.strip_prefix(&format!("function {table}.")) else {
                continue;
            };
            let (name, arguments) = rest.split_once('(').unwrap_or_default();
            let sign = if arguments.starts_with("self") { ':' } else { '.' };
            names.insert(format!("{library}{sign}{name}"));
        }
    };
    for file in files("lua", "lua") {
        let stem = file.trim_start_matches("lua/").trim_end_matches(".lua");
        if !API_FILES.contains(&file.as_str()) {
            read_from(&file, stem, stem);
        }
    }
    read_from("lua/tcp_lua/http_object.lua", "object", "http");
    assert!(names.len() > 40, "only {} library functions were read", names.len());
    names
}

/// The methods of resty.nats, and of its messages, which are made in a function.
fn nats_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut read_from = |file: &str, start: &str, object: &str| {
        let before = names.len();
        for line in read(file).lines() {
            if let Some(rest) = line.trim_start().strip_prefix(start) {
                let name = rest.split('(').next().unwrap_or_default();
                names.insert(format!("{object}:{name}"));
            }
        }
        assert!(names.len() > before, "no methods read from {file}");
    };
    read_from("lua/resty/nats.lua", "function nats.", "nats");
    read_from("lua/resty/nats/message.lua", "function methods.", "msg");
    names
}

/// The rows of the directive tables, and `tcp` itself.
fn directives() -> BTreeSet<String> {
    let mut names = BTreeSet::from(["tcp".to_owned()]);
    for file in files("src/tcp/directives", "rs") {
        for table in read(&file).split("COMMANDS:").skip(1) {
            let rows = table.split("Command::END").next().unwrap_or_default();
            names.extend(quoted(rows, "(c\""));
        }
    }
    assert!(names.len() > 25, "only {} directives were read", names.len());
    names
}

/// The names in the headings of entries: "### `a`, `b`".
fn headings(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let lines = text.lines().filter_map(|line| line.strip_prefix("### "));
    lines
        .flat_map(|line| line.split(", ").map(|s| s.trim_matches('`').to_owned()))
        .collect()
}

/// Names with their dots, as they stand in the suites' blocks; methods with a
/// colon in front.
fn words_of_suites() -> BTreeSet<String> {
    words_of(|_| true)
}

/// The same, of the suites whose text is of interest.
fn words_of(is_of_interest: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let suites = files("t", "t").into_iter().map(|file| read(&file));
    for text in suites.filter(|text| is_of_interest(text)) {
        let (_, blocks) = text.split_once("__DATA__").unwrap_or_default();
        // Titles are not uses.
        for line in blocks.lines().filter(|line| !line.starts_with("===")) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            words.extend(line.split(|c| !is_name(c)).map(str::to_owned));
            let methods = line.split(':').skip(1).filter_map(|rest| rest.split_once('('));
            words.extend(methods.map(|(name, _)| format!(":{name}")));
        }
    }
    words
}

/// What stands between `start` and the next `end`.
fn between(text: &str, start: &str, end: &str) -> String {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start:?}"));
    rest.split(end).next().unwrap_or_default().to_owned()
}

/// What stands between each `start` and the next `end`.
fn between_all<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    let ends = text.split(start).skip(1);
    ends.map(|rest| rest.split(end).next().unwrap_or_default()).collect()
}

/// The rest of each string literal that begins with `start`.
fn quoted(text: &str, start: &str) -> Vec<String> {
    let ends = text.split(start).skip(1);
    ends.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
}

fn files(dir: &str, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(dir)).expect(dir);
    let names = entries.map(|entry| entry.expect(dir).file_name());
    let names = names.map(|name| format!("{dir}/{}", name.to_string_lossy()));
    names.filter(|name| name.ends_with(&format!(".{extension}"))).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
