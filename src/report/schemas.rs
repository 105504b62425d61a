//! JSON Schemas of the commands' JSON output.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::json::{
    self, AdmissionReport, ApplyReport, DoctorReport, ExplanationReport, PlanReport, StatusReport, ValidationReport,
    Versioned,
};

/// Every schema by its name; the files of `schemas/output/` are called so.
pub fn output() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("admission.v1", schema::<AdmissionReport>(json::ADMISSION)),
        ("apply.v1", schema::<ApplyReport>(json::APPLY)),
        ("doctor.v1", schema::<DoctorReport>(json::DOCTOR)),
        ("explanation.v1", schema::<ExplanationReport>(json::EXPLANATION)),
        ("plan.v1", schema::<PlanReport>(json::PLAN)),
        ("status.v1", schema::<StatusReport>(json::STATUS)),
        ("validation.v1", schema::<ValidationReport>(json::VALIDATION)),
    ])
}

fn schema<T: JsonSchema>(form: &str) -> Value {
    let mut schema = schema_for!(Versioned<T>).to_value();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), Value::from(form));
        if let Some(property) = schema.get_mut("properties").and_then(|p| p.get_mut("schema")) {
            *property = serde_json::json!({"const": form, "description": "Form and version of the document."});
        }
    }
    schema
}
