//! `admit`: what an API server would say of the objects in files, by the definitions in others; talks to nobody.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;

use crate::diag::{Code, Diagnostic, Span};
use crate::fleet::SourceFile;
use crate::fleet::objects::{self, Objects, SourceObject};
use crate::plan::admission::stand_in;
use crate::report::admission::{Judged, Remark};
use crate::schema::admission::{
    DefinitionError, Definitions, FieldValidation, Rejected, Submission, Verdict, is_definition, review,
};
use crate::source::{self, Limits, SourceError};

/// Options of `admit`. A path is a file, a directory of `*.yaml` and `*.yml`, or `-` for standard input.
#[derive(Clone, Debug)]
pub struct AdmitOptions {
    /// Where the definitions are.
    pub definitions: Vec<PathBuf>,
    /// Where the objects are that are stored now; an object that is there too is judged as its update.
    pub old: Vec<PathBuf>,
    /// Where the objects are.
    pub objects: Vec<PathBuf>,
    /// What becomes of unknown fields.
    pub field_validation: FieldValidation,
}

/// Every object and what is said of it.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// In order of files and places.
    pub objects: Vec<Judged>,
    /// What could not be read.
    pub problems: Vec<Diagnostic>,
    /// The files, for showing problems in their place.
    pub files: Vec<SourceFile>,
}

/// Why nothing is said.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// A path can't be read.
    #[error("can't read {}", .path.display())]
    Unreadable {
        /// As given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is too large.
    #[error("{} has more than {most} bytes", .path.display())]
    TooLarge {
        /// As given.
        path: PathBuf,
        /// How much it may have.
        most: u64,
    },
    /// A file of definitions is no YAML; its first problem.
    #[error("{place}{message}")]
    Syntax {
        /// `file:line:column: `, where it has a place.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A definition is not good.
    #[error("{place}: this definition can't be used")]
    Definition {
        /// Where.
        place: Span,
        /// Why.
        #[source]
        source: DefinitionError,
    },
    /// There is none.
    #[error("there is no CustomResourceDefinition in {0}")]
    NoDefinition(String),
}

/// Judges objects.
///
/// # Errors
/// Where a path can't be read, or a definition is not good. What is wrong with the objects is in the result.
pub fn admit(options: &AdmitOptions) -> Result<Judgement, AdmitError> {
    let definitions = definitions(&options.definitions)?;
    let (old_files, mut problems) = files(&options.old)?;
    let (mut files, found) = files(&options.objects)?;
    problems.extend(found);
    let (mut old, mut new) = (objects::read(&old_files), objects::read(&files));
    // What `render` writes names what is known only once it is made.
    for object in old.objects.iter_mut().chain(&mut new.objects) {
        stand_in(&mut object.value);
    }
    files.extend(old_files);
    problems.extend(old.diagnostics.iter().chain(&new.diagnostics).cloned());
    let (stored, twice) = stored(&old);
    problems.extend(twice);
    let judge = |object: &SourceObject| {
        let stored = stored.get(&identity(&object.value)).map(|stored| &stored.value);
        let submission = Submission {
            object: &object.value,
            old: stored,
            field_validation: options.field_validation,
            repeated: &object.repeated,
        };
        judged(&new, object, stored.is_some(), review(&definitions, submission))
    };
    Ok(Judgement {
        objects: new.objects.par_iter().map(judge).collect(),
        problems,
        files,
    })
}

/// The objects that are stored now, by what they are; and those that are there once more. Which of two is stored nobody can
/// tell, and rules that compare with it would hold for one and not for the other.
fn stored(old: &Objects) -> (BTreeMap<[&str; 4], &SourceObject>, Vec<Diagnostic>) {
    let mut stored = BTreeMap::new();
    let mut twice = Vec::new();
    for object in &old.objects {
        let first: &SourceObject = stored.entry(identity(&object.value)).or_insert(object);
        if !std::ptr::eq(first, object) {
            let name = [object.text("/metadata/namespace"), object.text("/metadata/name")];
            let name: Vec<&str> = name.into_iter().filter(|part| !part.is_empty()).collect();
            let message = format!(
                "{} {} is stored twice: here, and at {}",
                object.text("/kind"),
                name.join("/"),
                old.place(first)
            );
            let problem = Diagnostic::new(Code::StoredTwice, message)
                .at(&old.place(object))
                .related(&old.place(first), "the first one")
                .hint("leave one of the two out of what `--old` names");
            twice.push(problem);
        }
    }
    (stored, twice)
}

/// Group, kind, namespace and name.
fn identity(object: &Value) -> [&str; 4] {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    [
        group,
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name"),
    ]
}

fn judged(read: &Objects, object: &SourceObject, is_update: bool, verdict: Verdict) -> Judged {
    let remark = |field: &str, reason: &'static str, message: String| Remark {
        place: read.place_of(object, field),
        field: field.to_owned(),
        reason,
        message,
    };
    let mut remarks: Vec<Remark> = match &verdict {
        Verdict::Rejected {
            why: Rejected::Invalid { errors, .. },
            ..
        } => errors
            .iter()
            .map(|error| remark(&error.path, error.kind.reason(), error.body()))
            .collect(),
        Verdict::Rejected { fields, .. } => fields
            .iter()
            .map(|(field, what)| remark(field, "", what.clone()))
            .collect(),
        Verdict::Admitted(effect) => effect
            .dropped
            .iter()
            .map(|field| remark(field, "", dropped(field)))
            .collect(),
        Verdict::NotChecked | Verdict::NotServed(_) | Verdict::Broken(_) => Vec::new(),
    };
    // A server tells some causes several times.
    let mut seen = Vec::new();
    remarks.retain(|remark| {
        let is_new = !seen.contains(remark);
        if is_new {
            seen.push(remark.clone());
        }
        is_new
    });
    Judged {
        place: read.place(object),
        api_version: object.text("/apiVersion").to_owned(),
        kind: object.text("/kind").to_owned(),
        namespace: object.text("/metadata/namespace").to_owned(),
        name: object.text("/metadata/name").to_owned(),
        is_update,
        verdict,
        remarks,
    }
}

fn dropped(field: &str) -> String {
    match field {
        "status" => "status is written through its subresource alone, and not stored".to_owned(),
        field => format!("unknown field \"{field}\""),
    }
}

/// The definitions in files and directories.
///
/// # Errors
/// Where one can't be read, is not good, or there is none at all.
pub fn definitions(paths: &[PathBuf]) -> Result<Definitions, AdmitError> {
    let (files, problems) = files(paths)?;
    let read = objects::read(&files);
    if let Some(problem) = problems.iter().chain(&read.diagnostics).next() {
        return Err(AdmitError::Syntax {
            place: problem
                .span
                .as_ref()
                .map(|span| format!("{span}: "))
                .unwrap_or_default(),
            message: problem.message.clone(),
        });
    }
    let mut all = Definitions::default();
    for object in read.objects.iter().filter(|object| is_definition(&object.value)) {
        all.add(object.value.clone()).map_err(|source| AdmitError::Definition {
            place: read.place(object),
            source,
        })?;
    }
    if all.is_empty() {
        let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(AdmitError::NoDefinition(shown.join(", ")));
    }
    Ok(all)
}

/// The files at some paths, called as they were given.
fn files(paths: &[PathBuf]) -> Result<(Vec<SourceFile>, Vec<Diagnostic>), AdmitError> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            let tree = source::read(path, Limits::default()).map_err(|error| unreadable(path, error))?;
            let named = |inner: &str| path.join(inner).to_string_lossy().as_ref().into();
            files.extend(tree.files.into_iter().map(|file| SourceFile {
                path: named(&file.path),
                text: file.text,
            }));
            problems.extend(tree.diagnostics.into_iter().map(|mut problem| {
                if let Some(span) = &mut problem.span {
                    span.file = named(&span.file);
                }
                problem
            }));
        } else {
            files.push(file(path)?);
        }
    }
    Ok((files, problems))
}

fn unreadable(path: &Path, error: SourceError) -> AdmitError {
    let source = match error {
        SourceError::Directory { source, .. } => source,
        other @ SourceError::Git { .. } => io::Error::other(other),
    };
    AdmitError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn file(path: &Path) -> Result<SourceFile, AdmitError> {
    let most = Limits::default().file_bytes;
    let failed = |source| AdmitError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > most {
        let path = path.to_owned();
        return Err(AdmitError::TooLarge { path, most });
    }
    let text = String::from_utf8(bytes).map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    Ok(SourceFile {
        path: path.to_string_lossy().as_ref().into(),
        text: text.into(),
    })
}
