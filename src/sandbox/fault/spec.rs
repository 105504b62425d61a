//! How often each point strikes, as users write it: `429=0.05,answer-lost=0.02`, or `all=0.02`.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::Point;

/// Rates by point, from 0 to 1; points that are not named never strike.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spec(BTreeMap<Point, f64>);

/// Why a text is no such specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not of the form `name=rate`.
    #[error("`{0}` is not of the form NAME=RATE, such as 429=0.05")]
    Form(String),
    /// No point has that name.
    #[error("there is no fault called `{name}`; there are all, {}", names())]
    UnknownName {
        /// The name.
        name: String,
    },
    /// Not from 0 to 1.
    #[error("`{0}` is no rate: it is a number from 0 (never) to 1 (as often as can be)")]
    Rate(String),
}

fn names() -> String {
    Point::ALL.map(Point::name).join(", ")
}

impl Spec {
    /// The same rate for every point.
    pub fn all(rate: f64) -> Self {
        Self(Point::ALL.map(|point| (point, rate)).into())
    }

    /// The rate of one point.
    pub fn rate(&self, point: Point) -> f64 {
        self.0.get(&point).copied().unwrap_or(0.0)
    }

    /// Whether nothing ever strikes.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|&rate| rate == 0.0)
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    /// The later winning: `all=0.02,slow=0` is everything but slowness.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, rate) = part.split_once('=').ok_or_else(|| SpecError::Form(part.to_owned()))?;
            let rate = number(rate.trim()).ok_or_else(|| SpecError::Rate(rate.trim().to_owned()))?;
            match name.trim() {
                "all" => spec.0.extend(Point::ALL.map(|point| (point, rate))),
                name => {
                    let point = Point::ALL.into_iter().find(|point| point.name() == name);
                    let point = point.ok_or_else(|| SpecError::UnknownName { name: name.to_owned() })?;
                    spec.0.insert(point, rate);
                }
            }
        }
        Ok(spec)
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_wins_over_all() {
        let spec: Spec = "all=0.02, slow=0,429=0.5,".parse().unwrap();
        assert_eq!(spec.rate(Point::Slow), 0.0);
        assert_eq!(spec.rate(Point::TooManyRequests), 0.5);
        assert_eq!(spec.rate(Point::ShortPage), 0.02);
        assert!("".parse::<Spec>().unwrap().is_empty());
    }

    #[test]
    fn every_point_can_be_named() {
        for point in Point::ALL {
            let spec: Spec = format!("{point}=1").parse().unwrap();
            assert_eq!(spec.rate(point), 1.0);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_there_is() {
        let says = |text: &str| text.parse::<Spec>().unwrap_err().to_string();
        assert!(says("teapot=1").contains("there are all, 409, 412, 429, 500, 503, answer-lost"));
        assert!(says("429").contains("NAME=RATE"));
        for rate in ["2", "-0.1", "NaN", "often", ""] {
            assert!(says(&format!("429={rate}")).contains("no rate"), "{rate}");
        }
    }
}
