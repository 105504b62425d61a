//! What keeps a template's values small. The engine counts its steps, but one step may double a text; a text that doubles
//! forty times is larger than any machine.
//!
//! Operators can't be weighed while they run, so a template that a fleet brings may use those that make texts longer only
//! where the result goes straight to the output; filters that do the like are weighed before they run.

use std::fmt::Write as _;
use std::ops::Range;

use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, filters};

use super::emit::{OUTPUT_BUDGET, OverBudget};

/// Operators that make texts longer, in one tag.
const OPERATORS: usize = 32;
/// Lists, maps and tuples that a template may write where they are kept: each may hold the one before, and what is deep
/// takes as many frames of the stack.
const LITERALS: usize = 32;
/// Members that lists and maps put together may have.
const MEMBERS: usize = 100_000;
/// Bytes that one character takes at most, once it is escaped.
const ESCAPED: usize = 6;
/// Characters by which a line may be moved to the right.
const INDENT: usize = 64;

/// Takes away what can't be weighed, and puts scales before the rest.
pub(super) fn install(environment: &mut Environment<'static>) {
    for name in ["batch", "format", "pprint", "slice"] {
        environment.remove_filter(name);
    }
    let scales: [(&'static str, Value, Weigh); 9] = [
        ("chain", Value::from_function(filters::chain), members),
        ("e", Value::from_function(filters::escape), escaped),
        ("escape", Value::from_function(filters::escape), escaped),
        ("indent", Value::from_function(filters::indent), indented),
        ("join", Value::from_function(filters::join), joined),
        ("replace", Value::from_function(filters::replace), replaced),
        ("string", Value::from_function(filters::string), plain),
        ("sum", Value::from_function(filters::sum), numbers),
        ("tojson", Value::from_function(filters::tojson), indented),
    ];
    for (name, filter, weigh) in scales {
        environment.add_filter(
            name,
            move |state: &mut State<'_, '_>, args: Rest<Value>, named: Kwargs| {
                let mut args = args.0;
                if named.args().next().is_some() {
                    args.push(Value::from(named));
                }
                weigh(&args)?;
                filter.call(state, &args)
            },
        );
    }
}

/// Refuses arguments of which too much would be made.
type Weigh = fn(&[Value]) -> Result<(), Error>;

fn over() -> Error {
    Error::new(ErrorKind::InvalidOperation, "a value is larger than the budget").with_source(OverBudget)
}

fn within(bytes: usize) -> Result<(), Error> {
    if bytes > OUTPUT_BUDGET { Err(over()) } else { Ok(()) }
}

/// Counts what is written, to the budget and not beyond.
struct Scale(usize);

impl std::fmt::Write for Scale {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        if self.0 > OUTPUT_BUDGET {
            Err(std::fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// Bytes of a value as text.
fn weight(value: &Value) -> Result<usize, Error> {
    if let Some(text) = value.as_str() {
        return within(text.len()).map(|()| text.len());
    }
    let mut scale = Scale(0);
    write!(scale, "{value}").map_err(|_| over())?;
    Ok(scale.0)
}

fn first(args: &[Value]) -> Result<usize, Error> {
    args.first().map_or(Ok(0), weight)
}

fn plain(args: &[Value]) -> Result<(), Error> {
    first(args).map(drop)
}

fn escaped(args: &[Value]) -> Result<(), Error> {
    within(first(args)?.saturating_mul(ESCAPED))
}

/// The widest indentation is what counts, wherever among the arguments it stands.
fn indented(args: &[Value]) -> Result<(), Error> {
    let rest = args.iter().skip(1);
    let wide = |value: &Value| {
        let named = value.get_attr("indent").or_else(|_| value.get_attr("width"));
        [Some(value.clone()), named.ok()]
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_usize())
            .any(|width| width > INDENT)
    };
    if rest.clone().any(wide) {
        return Err(over());
    }
    let factor = if rest.count() == 0 { 1 } else { INDENT };
    within(first(args)?.saturating_mul(factor))
}

fn joined(args: &[Value]) -> Result<(), Error> {
    let Some((items, others)) = args.split_first() else {
        return Ok(());
    };
    let mut between = 0_usize;
    for other in others {
        between = between.saturating_add(weight(other)?);
    }
    let mut total = 0_usize;
    for item in items.try_iter()? {
        total = total.saturating_add(weight(&item)?).saturating_add(between);
        within(total)?;
    }
    Ok(())
}

fn replaced(args: &[Value]) -> Result<(), Error> {
    let [value, from, to, ..] = args else {
        return Ok(());
    };
    let length = weight(value)?;
    let (value, from) = (value.to_string(), from.to_string());
    let added = value.matches(&from).count().saturating_mul(weight(to)?);
    within(length.saturating_add(added))
}

/// Texts can be summed too, one to the next.
fn numbers(args: &[Value]) -> Result<(), Error> {
    let Some(items) = args.first() else { return Ok(()) };
    if items.try_iter()?.all(|item| item.kind() == ValueKind::Number) {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::InvalidOperation, "only numbers can be summed"))
    }
}

fn members(args: &[Value]) -> Result<(), Error> {
    let count = args.iter().try_fold(0_usize, |sum, list| sum.checked_add(list.len()?));
    if count.is_none_or(|count| count > MEMBERS) {
        return Err(over());
    }
    Ok(())
}

/// The first operator that might make a text longer and longer: where in the template, and why it can't be there.
pub(super) fn unbounded_operator(source: &str) -> Option<(Range<usize>, &'static str)> {
    let mut macros = 0_usize;
    let mut literals = 0;
    let mut rest = 0;
    while let Some(tag) = next_tag(source, rest) {
        rest = tag.end;
        match tag.keyword {
            "macro" | "call" => macros += 1,
            "endmacro" | "endcall" => macros = macros.saturating_sub(1),
            // Nothing in it is evaluated.
            "raw" => {
                rest = source[rest..].find("endraw").map_or(source.len(), |at| rest + at);
                continue;
            }
            _ => {}
        }
        if let Some(found) = tag.refused(macros > 0) {
            return Some(found);
        }
        // A loop keeps nothing but in a namespace, so that only there a list can come to hold itself many times.
        let most = if tag.fills_a_namespace() { 0 } else { LITERALS };
        for token in tag.literals() {
            literals += 1;
            if literals > LITERALS || most == 0 {
                return Some((token.start..token.start + token.text.len(), NESTED));
            }
        }
    }
    None
}

const STORED: &str =
    "the result could grow without end; `[a, b] | join` puts texts together, `[a, b] | sum` adds numbers";
const CALLED: &str =
    "in a macro, what is handed on could grow without end; put the texts together with `[a, b] | join`";
const NESTED: &str =
    "lists could come to hold each other without end; what a namespace keeps is no list, and a template keeps few";
const MANY: &str = "there are too many of them in one place; put the texts together with `[a, b, c] | join`";

/// One `{{ … }}` or `{% … %}`.
struct Tag<'a> {
    /// Of a statement; empty for an expression.
    keyword: &'a str,
    tokens: Vec<Token<'a>>,
    end: usize,
}

struct Token<'a> {
    text: &'a str,
    start: usize,
}

impl Tag<'_> {
    fn refused(&self, in_macro: bool) -> Option<(Range<usize>, &'static str)> {
        // What these evaluate is looked at, or written, and kept nowhere.
        let kept = !matches!(self.keyword, "" | "if" | "elif" | "include");
        let recursive = self
            .tokens
            .windows(2)
            .any(|pair| pair[0].text == "loop" && pair[1].text == "(");
        let (mut depth, mut operators) = (0_usize, 0);
        for (at, token) in self.tokens.iter().enumerate() {
            let grows = match token.text {
                "(" => {
                    depth += 1;
                    false
                }
                ")" => {
                    depth = depth.saturating_sub(1);
                    false
                }
                "~" => true,
                // Times what it is, a text becomes longer, up to a limit of the engine's.
                "*" => {
                    operators += OPERATORS / 2;
                    true
                }
                // A number is added to numbers only.
                "+" => ![at.wrapping_sub(1), at + 1].iter().any(|&at| self.is_number(at)),
                _ => false,
            };
            if !grows {
                continue;
            }
            operators += 1;
            let why = if kept || recursive {
                STORED
            } else if in_macro && depth > 0 {
                CALLED
            } else if operators > OPERATORS {
                MANY
            } else {
                continue;
            };
            return Some((token.start..token.start + token.text.len(), why));
        }
        None
    }

    fn fills_a_namespace(&self) -> bool {
        let target = self.tokens.iter().take_while(|token| token.text != "=");
        self.keyword == "set" && target.into_iter().any(|token| token.text == ".")
    }

    /// What makes a list, a map, a tuple or a namespace, where it is kept.
    fn literals(&self) -> impl Iterator<Item = &Token<'_>> {
        let kept = matches!(self.keyword, "set" | "with");
        let before = |at: usize| at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let tokens = self.tokens.iter().enumerate().filter(move |_| kept);
        tokens
            .filter(move |(at, token)| match token.text {
                // An index, or a call, else.
                "[" | "(" => !before(*at).is_some_and(|token| token.text.ends_with(|c| is_word(c) || ")]".contains(c))),
                "{" | "dict" | "namespace" | "zip" => true,
                _ => false,
            })
            .map(|(_, token)| token)
    }

    /// A number of its own: `x * 1 + x` adds no number.
    fn is_number(&self, at: usize) -> bool {
        let digit = |at: usize| {
            self.tokens
                .get(at)
                .is_some_and(|token| token.text.starts_with(|c: char| c.is_ascii_digit()))
        };
        digit(at)
            && ![at.wrapping_sub(1), at + 1]
                .iter()
                .any(|&at| self.tokens.get(at).is_some_and(|t| t.text == "*"))
    }
}

fn next_tag(source: &str, from: usize) -> Option<Tag<'_>> {
    let mut at = from;
    loop {
        at += source[at..].find('{')?;
        match source[at..].get(..2) {
            Some("{#") => at += source[at..].find("#}")? + 2,
            Some("{{") => return Some(tag(source, at + 2, "}}", false)),
            Some("{%") => return Some(tag(source, at + 2, "%}", true)),
            _ => at += 1,
        }
    }
}

fn tag<'a>(source: &'a str, from: usize, close: &str, statement: bool) -> Tag<'a> {
    let mut tokens = Vec::new();
    let mut braces = 0_usize;
    let mut at = from;
    while let Some(c) = source[at..].chars().next() {
        // A map's own braces may stand before the tag's.
        if braces == 0 && source[at..].starts_with(close) {
            at += close.len();
            break;
        }
        let length = match c {
            '"' | '\'' => quoted(&source[at..], c),
            _ if is_word(c) => source[at..].find(|c| !is_word(c)).unwrap_or(source.len() - at),
            '*' if source[at..].starts_with("**") => 2,
            _ => c.len_utf8(),
        };
        match c {
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            _ => {}
        }
        if !c.is_whitespace() {
            tokens.push(Token {
                text: &source[at..at + length],
                start: at,
            });
        }
        at += length;
    }
    let keyword = if statement {
        tokens
            .iter()
            .map(|token| token.text)
            .find(|text| text.starts_with(is_word))
            .unwrap_or_default()
    } else {
        ""
    };
    Tag {
        keyword,
        tokens,
        end: at,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Bytes of a string, its quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(source: &str) -> bool {
        unbounded_operator(source).is_some()
    }

    #[test]
    fn no_text_is_put_together_where_it_is_kept() {
        for kept in [
            "{% set x = x ~ x %}",
            "{%- set x = x + x -%}",
            "{% set ns.x = ns.x * 2 %}",
            "{% with x = 1 * x + x %}{% endwith %}",
            "{% for y in [x ~ x] recursive %}{{ loop([y]) }}{% endfor %}",
            "{% for y in [x] recursive %}{{ loop([y ~ y]) }}{% endfor %}",
            "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}",
            "{% macro m(x) %}{% if m(x ~ x) %}{% endif %}{% endmacro %}",
            "{# {{ #}{% set x = {'a': {'b': x ~ x}} %}",
            "{% set ns.x = [ns.x] %}",
            "{% set ns.x = (ns.x, 1) %}",
            "{% set ns.x = dict(a=ns.x) %}",
        ] {
            assert!(is_refused(kept), "{kept}");
        }
        assert!(is_refused(&format!("{{{{ x{} }}}}", " ~ x".repeat(100))));
        assert!(is_refused(&"{% set x = [x] %}".repeat(100)));
    }

    #[test]
    fn what_is_written_may_be_put_together() {
        for fine in [
            "{{ a ~ '-' ~ b }}",
            "{{ head('Subnet', stem ~ '-' ~ role) }}",
            "{% if a ~ b == 'c' %}{% endif %}",
            "{% set n = n + 1 %}{% set n = 1 + n %}{% set n = n - m %}",
            "{% set text = 'a ~ b' %}{% set t = \"a\\\" + b\" %}",
            "{% set n = a ** b %}",
            "{% set ns.n = f(pools[0]) %}{% set ns = namespace(n=0) %}{% set l = [1, [2]] %}",
            "{% raw %}{% set x = x ~ x %}{% endraw %}",
            "{# {% set x = x ~ x %} #}",
            "a + b ~ c * {x ~ y}",
        ] {
            assert_eq!(unbounded_operator(fine), None, "{fine}");
        }
    }

    #[test]
    fn a_copy_of_a_built_in_template_is_accepted() {
        for (name, text) in super::super::TemplateSet::built_in() {
            assert_eq!(unbounded_operator(text), None, "{name}");
        }
    }

    #[test]
    fn an_operator_is_shown_where_it_stands() {
        let source = "a\n{% set x = 'ü' ~ x %}";
        let (range, _) = unbounded_operator(source).unwrap();
        assert_eq!(&source[range], "~");
    }
}
