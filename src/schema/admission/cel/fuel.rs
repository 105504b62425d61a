//! How much a rule may do: each loop pays for the items of what it goes over, before it begins.

use std::cell::Cell;

use cel::ExecutionError;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr};
use cel::common::value::CowVal;

/// The function that loops are made to pay with. No rule can spell it.
pub(super) const METER: &str = "@meter";

/// Items that all loops of one rule may go over, nested ones each time anew: a second or two at most.
pub(super) const PER_RULE: usize = 1_000_000;

thread_local! {
    static LEFT: Cell<Option<usize>> = const { Cell::new(Some(PER_RULE)) };
}

/// Fills the tank.
pub(super) fn refill() {
    LEFT.set(Some(PER_RULE));
}

/// Whether the last run ended for want of fuel.
pub(super) fn is_used_up() -> bool {
    LEFT.get().is_none()
}

/// Passes its argument on after its items are paid for.
pub(super) fn pay<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let Some(range) = args.pop() else {
        return Err(ExecutionError::invalid_argument_count(1, 0));
    };
    let size = range
        .as_sizer()
        .map_or(1, |sizer| usize::try_from(*sizer.size().inner()).unwrap_or(usize::MAX));
    let left = LEFT.get().and_then(|left| left.checked_sub(size.saturating_add(1)));
    LEFT.set(left);
    match left {
        Some(_) => Ok(range),
        None => Err(ExecutionError::function_error(METER, "the rule takes too many steps")),
    }
}

/// Makes every loop of an expression pay.
pub(super) fn meter(expression: &mut IdedExpr) {
    match &mut expression.expr {
        Expr::Comprehension(comprehension) => {
            let inner = &mut **comprehension;
            for part in [
                &mut inner.iter_range,
                &mut inner.accu_init,
                &mut inner.loop_cond,
                &mut inner.loop_step,
                &mut inner.result,
            ] {
                meter(part);
            }
            let range = std::mem::take(&mut inner.iter_range);
            inner.iter_range = IdedExpr {
                id: range.id,
                expr: Expr::Call(CallExpr {
                    func_name: METER.to_owned(),
                    target: None,
                    args: vec![range],
                }),
            };
        }
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| meter(target));
            call.args.iter_mut().for_each(meter);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(meter),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| meter_entry(&mut entry.expr)),
        Expr::Struct(of) => of.entries.iter_mut().for_each(|entry| meter_entry(&mut entry.expr)),
        Expr::Select(select) => meter(&mut select.operand),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn meter_entry(entry: &mut EntryExpr) {
    match entry {
        EntryExpr::StructField(field) => meter(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            meter(&mut entry.key);
            meter(&mut entry.value);
        }
    }
}
