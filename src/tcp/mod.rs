//! The `tcp {}` subsystem: directives, listening, the life of a session.
