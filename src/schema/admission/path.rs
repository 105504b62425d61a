//! Where in an object we are, written out only when something is wrong there.

use std::fmt::Write as _;

/// A step from one value into another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// A declared field.
    Field(&'a str),
    /// A key of a map.
    Key(&'a str),
    /// An item of a list.
    Index(usize),
}

/// A place, linked to the one above it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Path<'a> {
    above: Option<&'a Path<'a>>,
    step: Option<Step<'a>>,
}

impl<'a> Path<'a> {
    /// The object itself.
    pub(super) const ROOT: Path<'static> = Path {
        above: None,
        step: None,
    };

    pub(super) fn then(&'a self, step: Step<'a>) -> Path<'a> {
        Path {
            above: Some(self),
            step: Some(step),
        }
    }

    pub(super) fn field(&'a self, name: &'a str) -> Path<'a> {
        self.then(Step::Field(name))
    }

    pub(super) fn is_root(&self) -> bool {
        self.step.is_none()
    }

    /// As validation against a schema writes it: keys of maps like fields, nothing for the root.
    pub(super) fn dotted(&self) -> String {
        self.written(false)
    }

    /// As all else writes it: keys of maps in brackets, `<nil>` for the root.
    pub(super) fn bracketed(&self) -> String {
        if self.is_root() {
            return super::error::ROOT.to_owned();
        }
        self.written(true)
    }

    fn written(&self, brackets: bool) -> String {
        let mut steps = Vec::new();
        let mut here = Some(self);
        while let Some(path) = here {
            steps.extend(path.step);
            here = path.above;
        }
        let mut out = String::new();
        for step in steps.iter().rev() {
            match step {
                Step::Key(key) if brackets => drop(write!(out, "[{key}]")),
                Step::Field(name) | Step::Key(name) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(name);
                }
                Step::Index(at) => drop(write!(out, "[{at}]")),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_in_two_ways() {
        let spec = Path::ROOT.field("spec");
        let list = spec.field("items");
        let item = list.then(Step::Index(2));
        let key = item.then(Step::Key("a.b"));
        assert_eq!(key.dotted(), "spec.items[2].a.b");
        assert_eq!(key.bracketed(), "spec.items[2][a.b]");
        assert_eq!(
            (Path::ROOT.dotted().as_str(), Path::ROOT.bracketed().as_str()),
            ("", "<nil>")
        );
    }
}
