//! The stable codes. A code is never reused for another problem.

use std::fmt;

use serde::Serialize;

use super::Severity;

/// Lists the codes: variant, number, severity, and one line that the reference page shows.
macro_rules! codes {
    ($($variant:ident = $number:literal, $severity:ident, $summary:literal;)+) => {
        /// A stable diagnostic code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $summary] $variant,)+
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as printed.
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $number,)+ }
            }

            /// The severity that it has unless a rule says otherwise.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// One line on what it means.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)+ }
            }
        }
    };
}

codes! {
    // FW01xx: reading files
    Unreadable = "FW0101", Error, "A file can't be read.";
    TooLarge = "FW0102", Error, "A file, or the whole tree, is larger than the budget.";
    Syntax = "FW0103", Error, "A file is not YAML.";
    Budget = "FW0104", Error, "A document is nested too deep, or expands too far through aliases.";
    // FW02xx: the form of a document
    UnknownKind = "FW0201", Error, "`kind` names no kind of fleet document.";
    UnknownKey = "FW0202", Error, "A key that this kind does not have.";
    WrongType = "FW0203", Error, "A value of the wrong type or form.";
    MissingKey = "FW0204", Error, "A key that this kind needs is missing.";
    NotAllowed = "FW0205", Error, "A value outside the allowed set or range.";
    // FW03xx: names and references
    Duplicate = "FW0301", Error, "Two documents have the same kind and name.";
    Dangling = "FW0302", Error, "A reference to something that does not exist.";
    // FW06xx: rendering
    Template = "FW0601", Error, "A template failed.";
    TemplateBudget = "FW0602", Error, "A template ran out of its budget of steps or output.";
    TemplateOutput = "FW0603", Error, "A template's output is no list of manifests.";
    DuplicateObject = "FW0604", Error, "Two manifests are the same object.";
    ForbiddenObject = "FW0605", Error, "A manifest that must not be rendered: a HostedControlPlane, or a Secret in plain text.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
