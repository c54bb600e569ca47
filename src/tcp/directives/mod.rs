//! The directives inside `tcp {}`, a module of nginx a file: its directive
//! table, its configuration structs and the setters.

pub mod access;
pub mod client_ssl;
pub mod core;
pub mod demo;
pub mod error_log;
pub mod log;
pub mod lua;
pub mod ssl;

#[cfg(test)]
mod tests {
    /// The tables as source: a test cannot refer to them, since they refer to
    /// functions that only nginx has.
    const TABLES: &[&str] = &[
        include_str!("access.rs"),
        include_str!("client_ssl.rs"),
        include_str!("core.rs"),
        include_str!("demo.rs"),
        include_str!("log.rs"),
        include_str!("lua.rs"),
    ];
    const DOCS: &str = include_str!("../../../docs/directives.md");
    const LINES: [&str; 6] =
        ["Syntax", "Default", "Context", "What it does", "Errors", "Example"];

    fn names() -> impl Iterator<Item = &'static str> {
        let rows = TABLES.iter().flat_map(|table| table.split("(c\"").skip(1));
        rows.filter_map(|row| row.split('"').next())
    }

    #[test]
    fn every_directive_has_a_whole_entry_in_the_docs() {
        assert!(names().count() > 30, "the tables have been moved");
        for name in names().chain(["tcp"]) {
            let (_, entry) = DOCS
                .split_once(&format!("\n### `{name}`\n"))
                .unwrap_or_else(|| panic!("docs/directives.md has no entry for {name}"));
            let entry = entry.split("\n#").next().unwrap_or(entry);
            for line in LINES {
                assert!(
                    entry.contains(&format!("- {line}: "))
                        || entry.contains(&format!("- {line}:\n")),
                    "{name}: {line}"
                );
            }
        }
    }

    #[test]
    fn the_docs_have_no_directive_that_is_not_there() {
        for entry in DOCS.split("\n### `").skip(1) {
            let name = entry.split('`').next().unwrap_or_default();
            assert!(name == "tcp" || names().any(|n| n == name), "{name}");
        }
    }
}
