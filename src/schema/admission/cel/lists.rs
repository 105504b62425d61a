//! What Kubernetes adds to lists: order, sums, places, and lists taken as sets.

#![expect(clippy::needless_pass_by_value, reason = "the shape that the crate gives functions")]

use std::cmp::Ordering;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, DYN_TYPE, LIST_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::time::Duration;

pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    cel::add_member_overload!(env, fn is_sorted: (CelList) -> Result<CelBool>)?;
    env.add_member_overload("sum", "list.sum()", LIST_TYPE, vec![], sum)?;
    env.add_member_overload("min", "list.min()", LIST_TYPE, vec![], min)?;
    env.add_member_overload("max", "list.max()", LIST_TYPE, vec![], max)?;
    env.add_member_overload("indexOf", "list.indexOf(dyn)", LIST_TYPE, vec![DYN_TYPE], index_of)?;
    env.add_member_overload(
        "lastIndexOf",
        "list.lastIndexOf(dyn)",
        LIST_TYPE,
        vec![DYN_TYPE],
        last_index_of,
    )?;
    cel::add_overload!(env, fn contains: (CelList, CelList) -> CelBool, name = "sets.contains")?;
    cel::add_overload!(env, fn equivalent: (CelList, CelList) -> CelBool, name = "sets.equivalent")?;
    cel::add_overload!(env, fn intersects: (CelList, CelList) -> CelBool, name = "sets.intersects")
}

fn compare(a: &dyn Val, b: &dyn Val) -> Result<Ordering, ExecutionError> {
    let names = || vec![a.get_type().name().to_owned(), b.get_type().name().to_owned()];
    a.as_comparer()
        .ok_or_else(|| ExecutionError::no_such_overload("_<_", names()))?
        .compare(b)
}

fn is_sorted(list: &CelList<'_>) -> Result<CelBool, ExecutionError> {
    for pair in list.inner().windows(2) {
        if let [a, b] = pair
            && compare(a.as_ref(), b.as_ref())?.is_gt()
        {
            return Ok(false.into());
        }
    }
    Ok(true.into())
}

fn the_list<'a>(args: &'a [CowVal<'_, '_>]) -> Result<&'a CelList<'a>, ExecutionError> {
    let list = args.first().and_then(|list| list.as_ref().downcast_ref::<CelList>());
    list.ok_or_else(|| ExecutionError::invalid_argument_count(1, 0))
}

fn sum<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let items = the_list(&args)?.inner();
    let overflow = || ExecutionError::function_error("sum", "integer overflow");
    let (mut integers, mut floats, mut durations): (i64, f64, i64) = (0, 0.0, 0);
    let (mut has_floats, mut has_durations) = (false, false);
    for item in items {
        if let Some(one) = item.downcast_ref::<CelInt>() {
            integers = integers.checked_add(*one.inner()).ok_or_else(overflow)?;
        } else if let Some(one) = item.downcast_ref::<CelDouble>() {
            floats += one.inner();
            has_floats = true;
        } else if let Some(one) = item.downcast_ref::<Duration>() {
            durations = durations.checked_add(one.0).ok_or_else(overflow)?;
            has_durations = true;
        } else {
            let of = item.get_type().name().to_owned();
            return Err(ExecutionError::no_such_member_overload("sum", vec![of]));
        }
    }
    Ok(if has_durations {
        CowVal::owned(Duration(durations))
    } else if has_floats {
        CowVal::owned(CelDouble::from(floats))
    } else {
        CowVal::owned(CelInt::from(integers))
    })
}

fn min<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    extreme(&args, "min", Ordering::Less)
}

fn max<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    extreme(&args, "max", Ordering::Greater)
}

fn extreme<'b, 'v>(args: &[CowVal<'b, 'v>], name: &str, wanted: Ordering) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let Some(list) = args.first().and_then(|list| list.as_ref().downcast_ref::<CelList>()) else {
        return Err(ExecutionError::invalid_argument_count(1, 0));
    };
    let mut best: Option<usize> = None;
    for (at, item) in list.inner().iter().enumerate() {
        let better = match best.and_then(|best| list.inner().get(best)) {
            None => true,
            Some(best) => compare(item.as_ref(), best.as_ref())? == wanted,
        };
        if better {
            best = Some(at);
        }
    }
    match best.and_then(|best| list.inner().get(best)) {
        Some(best) => Ok(CowVal::Owned(best.clone_as_boxed())),
        None => Err(ExecutionError::function_error(
            name,
            format!("{name} called on empty list"),
        )),
    }
}

fn index_of<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    place(&args, |items, is_it| items.iter().position(|item| is_it(item.as_ref())))
}

fn last_index_of<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    place(&args, |items, is_it| {
        items.iter().rposition(|item| is_it(item.as_ref()))
    })
}

fn place<'b, 'v>(
    args: &[CowVal<'b, 'v>],
    find: impl Fn(&[Box<dyn Val + '_>], &dyn Fn(&dyn Val) -> bool) -> Option<usize>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let items = the_list(args)?.inner();
    let Some(wanted) = args.get(1) else {
        return Err(ExecutionError::invalid_argument_count(2, args.len()));
    };
    let at = find(items, &|item| item.equals(wanted.as_ref()));
    let at = at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1);
    Ok(CowVal::owned(CelInt::from(at)))
}

fn has(list: &CelList<'_>, wanted: &dyn Val) -> bool {
    list.inner().iter().any(|item| item.equals(wanted))
}

fn contains(list: &CelList<'_>, sub: &CelList<'_>) -> CelBool {
    sub.inner().iter().all(|item| has(list, item.as_ref())).into()
}

fn equivalent(a: &CelList<'_>, b: &CelList<'_>) -> CelBool {
    let within = |a: &CelList<'_>, b: &CelList<'_>| a.inner().iter().all(|item| has(b, item.as_ref()));
    (within(a, b) && within(b, a)).into()
}

fn intersects(a: &CelList<'_>, b: &CelList<'_>) -> CelBool {
    a.inner().iter().any(|item| has(b, item.as_ref())).into()
}
