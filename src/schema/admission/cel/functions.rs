//! The environment of rules: the standard functions, and Kubernetes' own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cel::common::types::{CelBool, CelInt, CelList, CelOptional, CelString, DYN_TYPE};
use cel::common::value::Val;
use cel::{DeclarationError, Env, ExecutionError};
use regex::Regex;

use super::super::format::Format;
use super::super::names;
use super::super::pattern::go_regex;
use super::value::opaque;
use super::{fuel, lists, network, quantity, time};

opaque!(NamedFormat, &'static str, "kubernetes.NamedFormat");

pub(super) fn environment() -> Result<Env, DeclarationError> {
    let mut env = Env::stdlib();
    cel::extensions::strings(&mut env)?;
    cel::extensions::lists(&mut env)?;
    env.add_overload(fuel::METER, fuel::METER, vec![DYN_TYPE], fuel::pay)?;
    cel::add_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>, name = "matches")?;
    cel::add_member_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>, name = "matches")?;
    cel::add_member_overload!(env, fn find: (CelString, CelString) -> Result<CelString>)?;
    cel::add_member_overload!(env, fn find_all: (CelString, CelString) -> Result<CelList>)?;
    cel::add_member_overload!(env, fn find_some: (CelString, CelString, CelInt) -> Result<CelList>, name = "findAll")?;
    lists::declare(&mut env)?;
    network::declare(&mut env)?;
    quantity::declare(&mut env)?;
    time::declare(&mut env)?;
    formats(&mut env)?;
    Ok(env)
}

thread_local! {
    /// Compiling a pattern costs a hundred times what matching it does, and a CRD has few patterns.
    static COMPILED: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) };
}

/// More patterns than any definition has: where they are made of values, they don't pile up.
const KEPT: usize = 1_000;

fn with_regex<T>(pattern: &str, then: impl FnOnce(&Regex) -> T) -> Result<T, ExecutionError> {
    COMPILED.with_borrow_mut(|compiled| {
        if let Some(regex) = compiled.get(pattern) {
            return Ok(then(regex));
        }
        let regex = go_regex(pattern).map_err(|error| ExecutionError::function_error("matches", error))?;
        let value = then(&regex);
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        compiled.insert(pattern.to_owned(), regex);
        Ok(value)
    })
}

fn matches(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    with_regex(pattern.inner(), |regex| CelBool::from(regex.is_match(this.inner())))
}

fn find(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    with_regex(pattern.inner(), |regex| {
        regex
            .find(this.inner())
            .map_or_else(String::new, |found| found.as_str().to_owned())
            .into()
    })
}

fn find_all(this: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelList<'static>, ExecutionError> {
    found(this, pattern, usize::MAX)
}

fn find_some(this: &CelString<'_>, pattern: &CelString<'_>, most: &CelInt) -> Result<CelList<'static>, ExecutionError> {
    found(this, pattern, usize::try_from(*most.inner()).unwrap_or(usize::MAX))
}

fn found(this: &CelString<'_>, pattern: &CelString<'_>, most: usize) -> Result<CelList<'static>, ExecutionError> {
    with_regex(pattern.inner(), |regex| {
        let found = regex.find_iter(this.inner()).take(most);
        texts(found.map(|found| found.as_str().to_owned()))
    })
}

fn texts(all: impl Iterator<Item = String>) -> CelList<'static> {
    let all: Vec<Box<dyn Val>> = all.map(|one| Box::new(CelString::from(one)) as Box<dyn Val>).collect();
    CelList::from(all)
}

/// The named formats, each a function of the namespace `format`.
fn formats(env: &mut Env) -> Result<(), DeclarationError> {
    macro_rules! named {
        ($($function:ident = $name:literal),* $(,)?) => {$({
            fn $function() -> NamedFormat {
                NamedFormat($name)
            }
            cel::add_overload!(env, fn $function: () -> NamedFormat, name = concat!("format.", $name))?;
        })*};
    }
    named!(
        label = "dns1123Label",
        subdomain = "dns1123Subdomain",
        letter_label = "dns1035Label",
        qualified_name = "qualifiedName",
        label_value = "labelValue",
        uri = "uri",
        uuid = "uuid",
        byte = "byte",
        date = "date",
        datetime = "datetime",
    );
    cel::add_member_overload!(env, fn validate: (NamedFormat, CelString) -> CelOptional)
}

fn validate(format: &NamedFormat, text: &CelString<'_>) -> CelOptional<'static> {
    let text = text.inner();
    let checked = |name: &str| match Format::of(name) {
        Some(format) if !format.accepts(text) => vec![format!("invalid {name}")],
        _ => Vec::new(),
    };
    let wrong = match format.0 {
        "dns1123Label" => names::label(text),
        "dns1123Subdomain" => names::subdomain(text),
        "dns1035Label" => names::letter_label(text),
        "qualifiedName" => names::qualified(text),
        "labelValue" => names::label_value(text),
        other => checked(other),
    };
    if wrong.is_empty() {
        CelOptional::none()
    } else {
        CelOptional::of(Box::new(texts(wrong.into_iter())))
    }
}
