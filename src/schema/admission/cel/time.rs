//! Durations and points in time.

use std::cmp::Ordering;

use cel::common::traits::{Adder, Comparer, Subtractor};
use cel::common::types::{CelInt, CelString};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::super::format::go_duration;
use super::value::opaque;

opaque! {
    Duration,
    i64,
    "google.protobuf.Duration",
    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }
    fn as_adder<'b, 'w>(&'b self) -> Option<&'b (dyn Adder + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
    fn as_subtractor<'b, 'w>(&'b self) -> Option<&'b (dyn Subtractor + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
}
opaque! {
    Time,
    Timestamp,
    "google.protobuf.Timestamp",
    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }
    fn as_adder<'b, 'w>(&'b self) -> Option<&'b (dyn Adder + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
    fn as_subtractor<'b, 'w>(&'b self) -> Option<&'b (dyn Subtractor + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }
}

fn mismatch(operator: &str, left: &dyn Val, right: &dyn Val) -> ExecutionError {
    let names = [left, right].map(|value| value.get_type().name().to_owned());
    ExecutionError::no_such_overload(operator, names.to_vec())
}

fn overflow() -> ExecutionError {
    ExecutionError::function_error("time", "integer overflow")
}

impl Comparer for Duration {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        let other = other
            .downcast_ref::<Self>()
            .ok_or_else(|| mismatch("_<_", self, other))?;
        Ok(self.0.cmp(&other.0))
    }
}

impl Comparer for Time {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        let other = other
            .downcast_ref::<Self>()
            .ok_or_else(|| mismatch("_<_", self, other))?;
        Ok(self.0.cmp(&other.0))
    }
}

impl Adder for Duration {
    fn add<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(time) = other.downcast_ref::<Time>() {
            return shifted(time, self.0).map(CowVal::owned);
        }
        let Some(other) = other.downcast_ref::<Self>() else {
            return Err(ExecutionError::no_such_overload("_+_", Vec::new()));
        };
        let sum = self.0.checked_add(other.0).ok_or_else(overflow)?;
        Ok(CowVal::owned(Self(sum)))
    }
}

impl Subtractor for Duration {
    fn sub<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(other) = other.downcast_ref::<Self>() else {
            return Err(ExecutionError::no_such_overload("_-_", Vec::new()));
        };
        let difference = self.0.checked_sub(other.0).ok_or_else(overflow)?;
        Ok(CowVal::owned(Self(difference)))
    }
}

impl Adder for Time {
    fn add<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(by) = other.downcast_ref::<Duration>() else {
            return Err(ExecutionError::no_such_overload("_+_", Vec::new()));
        };
        shifted(self, by.0).map(CowVal::owned)
    }
}

impl Subtractor for Time {
    fn sub<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(by) = other.downcast_ref::<Duration>() {
            let by = by.0.checked_neg().ok_or_else(overflow)?;
            return shifted(self, by).map(CowVal::owned);
        }
        let Some(other) = other.downcast_ref::<Self>() else {
            return Err(ExecutionError::no_such_overload("_-_", Vec::new()));
        };
        let nanos = self.0.duration_since(other.0).as_nanos();
        let nanos = i64::try_from(nanos).map_err(|_| overflow())?;
        Ok(CowVal::owned(Duration(nanos)))
    }
}

fn shifted(time: &Time, nanos: i64) -> Result<Time, ExecutionError> {
    time.0
        .checked_add(SignedDuration::from_nanos(nanos))
        .map(Time)
        .map_err(|_| overflow())
}

pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    cel::add_overload!(env, fn duration: (CelString) -> Result<Duration>)?;
    cel::add_overload!(env, fn same_duration: (Duration) -> Duration, name = "duration")?;
    cel::add_member_overload!(env, fn hours: (Duration) -> CelInt, name = "getHours")?;
    cel::add_member_overload!(env, fn minutes: (Duration) -> CelInt, name = "getMinutes")?;
    cel::add_member_overload!(env, fn seconds: (Duration) -> CelInt, name = "getSeconds")?;
    cel::add_member_overload!(env, fn millis: (Duration) -> CelInt, name = "getMilliseconds")?;
    cel::add_overload!(env, fn timestamp: (CelString) -> Result<Time>)?;
    cel::add_overload!(env, fn same_time: (Time) -> Time, name = "timestamp")?;
    cel::add_overload!(env, fn unix: (Time) -> CelInt, name = "int")?;
    cel::add_member_overload!(env, fn year: (Time) -> CelInt, name = "getFullYear")?;
    cel::add_member_overload!(env, fn month: (Time) -> CelInt, name = "getMonth")?;
    cel::add_member_overload!(env, fn date: (Time) -> CelInt, name = "getDate")?;
    cel::add_member_overload!(env, fn get_day_of_month: (Time) -> CelInt)?;
    cel::add_member_overload!(env, fn get_day_of_week: (Time) -> CelInt)?;
    cel::add_member_overload!(env, fn get_day_of_year: (Time) -> CelInt)?;
    cel::add_member_overload!(env, fn time_hours: (Time) -> CelInt, name = "getHours")?;
    cel::add_member_overload!(env, fn time_minutes: (Time) -> CelInt, name = "getMinutes")?;
    cel::add_member_overload!(env, fn time_seconds: (Time) -> CelInt, name = "getSeconds")?;
    cel::add_member_overload!(env, fn time_millis: (Time) -> CelInt, name = "getMilliseconds")
}

fn duration(text: &CelString<'_>) -> Result<Duration, ExecutionError> {
    go_duration(text.inner())
        .map(Duration)
        .ok_or_else(|| ExecutionError::function_error("duration", "no duration"))
}

fn same_duration(duration: &Duration) -> Duration {
    duration.clone()
}

fn hours(of: &Duration) -> CelInt {
    CelInt::from(of.0 / 3_600_000_000_000)
}

fn minutes(of: &Duration) -> CelInt {
    CelInt::from(of.0 / 60_000_000_000)
}

fn seconds(of: &Duration) -> CelInt {
    CelInt::from(of.0 / 1_000_000_000)
}

fn millis(of: &Duration) -> CelInt {
    CelInt::from(of.0 / 1_000_000)
}

/// A time as RFC 3339 writes it; what has no zone is taken for UTC.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}Z").parse().ok())
}

fn timestamp(text: &CelString<'_>) -> Result<Time, ExecutionError> {
    let time: Result<Timestamp, _> = text.inner().parse();
    time.map(Time)
        .map_err(|_| ExecutionError::function_error("timestamp", "no time"))
}

fn same_time(time: &Time) -> Time {
    time.clone()
}

fn unix(time: &Time) -> CelInt {
    CelInt::from(time.0.as_second())
}

fn zoned(time: &Time) -> Zoned {
    time.0.to_zoned(TimeZone::UTC)
}

fn year(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).year()))
}

fn month(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).month()) - 1)
}

fn date(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).day()))
}

fn get_day_of_month(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).day()) - 1)
}

fn get_day_of_week(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).weekday().to_sunday_zero_offset()))
}

fn get_day_of_year(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).day_of_year()) - 1)
}

fn time_hours(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).hour()))
}

fn time_minutes(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).minute()))
}

fn time_seconds(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).second()))
}

fn time_millis(time: &Time) -> CelInt {
    CelInt::from(i64::from(zoned(time).millisecond()))
}
