//! Resource quantities: `1Gi`, `500m`.

use std::cmp::Ordering;

use cel::common::types::{CelBool, CelDouble, CelInt, CelString};
use cel::{DeclarationError, Env, ExecutionError};

use super::value::opaque;
use crate::schema::quantity;

const NANO: i128 = 1_000_000_000;

// In nanos, which is as fine as quantities are: a server rounds up to them.
opaque!(Quantity, i128, "kubernetes.Quantity");

pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    cel::add_overload!(env, fn is_quantity: (CelString) -> CelBool)?;
    cel::add_overload!(env, fn quantity: (CelString) -> Result<Quantity>)?;
    cel::add_member_overload!(env, fn sign: (Quantity) -> CelInt)?;
    cel::add_member_overload!(env, fn is_integer: (Quantity) -> CelBool)?;
    cel::add_member_overload!(env, fn as_integer: (Quantity) -> Result<CelInt>)?;
    cel::add_member_overload!(env, fn as_approximate_float: (Quantity) -> CelDouble)?;
    cel::add_member_overload!(env, fn is_greater_than: (Quantity, Quantity) -> CelBool)?;
    cel::add_member_overload!(env, fn is_less_than: (Quantity, Quantity) -> CelBool)?;
    cel::add_member_overload!(env, fn compare_to: (Quantity, Quantity) -> CelInt)?;
    cel::add_member_overload!(env, fn add: (Quantity, Quantity) -> Result<Quantity>)?;
    cel::add_member_overload!(env, fn add_int: (Quantity, CelInt) -> Result<Quantity>, name = "add")?;
    cel::add_member_overload!(env, fn sub: (Quantity, Quantity) -> Result<Quantity>)?;
    cel::add_member_overload!(env, fn sub_int: (Quantity, CelInt) -> Result<Quantity>, name = "sub")
}

fn parse(text: &str) -> Option<i128> {
    let quantity = quantity::parse(text)?;
    let mut amount = quantity.mantissa.checked_abs()?;
    amount = amount.checked_mul(1_i128.checked_shl(quantity.twos)?)?;
    let tens = quantity.tens + 9;
    let power = 10_i128.checked_pow(tens.unsigned_abs());
    amount = match (tens < 0, power) {
        (false, Some(power)) => amount.checked_mul(power)?,
        (false, None) if amount == 0 => 0,
        (false, None) => return None,
        (true, Some(power)) => amount / power + i128::from(amount % power != 0),
        (true, None) => i128::from(amount != 0),
    };
    Some(amount * quantity.mantissa.signum())
}

fn is_quantity(text: &CelString<'_>) -> CelBool {
    parse(text.inner()).is_some().into()
}

fn quantity(text: &CelString<'_>) -> Result<Quantity, ExecutionError> {
    parse(text.inner())
        .map(Quantity)
        .ok_or_else(|| ExecutionError::function_error("quantity", "no quantity"))
}

fn sign(of: &Quantity) -> CelInt {
    CelInt::from(order(of.0.cmp(&0)))
}

fn order(of: Ordering) -> i64 {
    match of {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

fn integer(of: &Quantity) -> Option<i64> {
    if of.0 % NANO != 0 {
        return None;
    }
    i64::try_from(of.0 / NANO).ok()
}

fn is_integer(of: &Quantity) -> CelBool {
    integer(of).is_some().into()
}

fn as_integer(of: &Quantity) -> Result<CelInt, ExecutionError> {
    integer(of)
        .map(CelInt::from)
        .ok_or_else(|| ExecutionError::function_error("asInteger", "cannot convert value to integer"))
}

#[expect(clippy::cast_precision_loss, reason = "approximate by name")]
fn as_approximate_float(of: &Quantity) -> CelDouble {
    CelDouble::from(of.0 as f64 / 1e9)
}

fn is_greater_than(this: &Quantity, other: &Quantity) -> CelBool {
    (this.0 > other.0).into()
}

fn is_less_than(this: &Quantity, other: &Quantity) -> CelBool {
    (this.0 < other.0).into()
}

fn compare_to(this: &Quantity, other: &Quantity) -> CelInt {
    CelInt::from(order(this.0.cmp(&other.0)))
}

fn checked(amount: Option<i128>) -> Result<Quantity, ExecutionError> {
    amount
        .map(Quantity)
        .ok_or_else(|| ExecutionError::function_error("quantity", "integer overflow"))
}

fn add(this: &Quantity, other: &Quantity) -> Result<Quantity, ExecutionError> {
    checked(this.0.checked_add(other.0))
}

fn add_int(this: &Quantity, other: &CelInt) -> Result<Quantity, ExecutionError> {
    checked(this.0.checked_add(i128::from(*other.inner()) * NANO))
}

fn sub(this: &Quantity, other: &Quantity) -> Result<Quantity, ExecutionError> {
    checked(this.0.checked_sub(other.0))
}

fn sub_int(this: &Quantity, other: &CelInt) -> Result<Quantity, ExecutionError> {
    checked(this.0.checked_sub(i128::from(*other.inner()) * NANO))
}
