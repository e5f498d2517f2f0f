//! Documents that are asked for by their hash: registered at build time (trusted documents), or remembered from an earlier call (automatic
//! persisted queries).
//!
//! A hash is never believed: whoever sends a document with one has it computed again, and so has a manifest.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::ServerError;
use parking_lot::Mutex;
use serde_json::Value;

use super::errors::{Code, with_code};
use super::options::{Options, Trust};
use super::request::Raw;

/// Bytes of all remembered documents together.
const BYTES_MAX: usize = 4 << 20;

/// Documents that were registered, by their ids.
#[derive(Debug, Default)]
pub struct Documents(HashMap<String, Arc<str>>);

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAManifest {
    /// It is not one of the two forms.
    #[error(
        "the manifest is neither an object from ids to documents nor one with a list of \
         `operations`, each with `id` and `body`"
    )]
    Shape,
    /// It is not JSON.
    #[error("the manifest is not JSON")]
    Json(#[source] serde_json::Error),
    /// An id is a hash, and not that of its document.
    #[error("the id {0} is not the SHA-256 of its document: build the manifest again")]
    Hash(String),
}

/// What is known by hashes.
#[derive(Debug)]
pub(super) struct Persisted {
    documents: Arc<Documents>,
    trust: Trust,
    capacity: usize,
    remembered: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    by_hash: HashMap<String, Entry>,
    bytes: usize,
    /// Counts uses; the entry with the lowest number was used longest ago.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    text: Arc<str>,
    used: u64,
}

/// The text to run, and the hash under which it is to be remembered once it has proved sound.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) text: Arc<str>,
    pub(super) remember: Option<String>,
}

// === impl Documents ===

impl Documents {
    /// Reads a manifest: an object from ids to documents, or one with a list of `operations` that
    /// have `id` and `body`. Ids that look like SHA-256 are computed again.
    ///
    /// # Errors
    /// [`NotAManifest`].
    pub fn read(manifest: &[u8]) -> Result<Self, NotAManifest> {
        let value: Value = serde_json::from_slice(manifest).map_err(NotAManifest::Json)?;
        let pair = |id: &Value, body: &Value| {
            Some((id.as_str()?.to_owned(), Arc::<str>::from(body.as_str()?)))
        };
        let pairs: Option<Vec<_>> = match (value.get("operations"), &value) {
            (Some(Value::Array(operations)), _) => {
                operations.iter().map(|it| pair(it.get("id")?, it.get("body")?)).collect()
            }
            (None, Value::Object(all)) => {
                all.iter().map(|(id, body)| pair(&Value::from(id.as_str()), body)).collect()
            }
            _ => None,
        };
        let documents: HashMap<_, _> = pairs.ok_or(NotAManifest::Shape)?.into_iter().collect();
        for (id, text) in &documents {
            if is_hash(bare(id)) && bare(id) != hash(text) {
                return Err(NotAManifest::Hash(id.clone()));
            }
        }
        Ok(Self(documents.into_iter().map(|(id, text)| (bare(&id).to_owned(), text)).collect()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

// === impl Persisted ===

impl Persisted {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            documents: options.documents.clone(),
            trust: options.trust,
            capacity: options.remembered,
            remembered: Mutex::default(),
        }
    }

    /// The text that a call asks for.
    pub(super) fn find(&self, raw: &Raw) -> Result<Found, ServerError> {
        let id = raw.document_id.as_deref().map(bare);
        match (id, &raw.query) {
            (None, Some(text)) => self.allowed(text, None),
            (Some(id), Some(text)) if is_hash(id) && id != hash(text) => Err(with_code(
                ServerError::new("The hash is not the SHA-256 of the document.", None),
                Code::ValidationFailed,
            )),
            (Some(id), Some(text)) => self.allowed(text, is_hash(id).then(|| id.to_owned())),
            (Some(id), None) => self.known(id),
            (None, None) => Err(with_code(
                ServerError::new("There is no document: send `query`.", None),
                Code::ValidationFailed,
            )),
        }
    }

    fn allowed(&self, text: &str, remember: Option<String>) -> Result<Found, ServerError> {
        let registered = || self.documents.0.values().any(|known| **known == *text);
        if self.trust == Trust::Manifest && !registered() {
            let text = "Only registered documents run here: ask for one by its id.";
            return Err(with_code(ServerError::new(text, None), Code::PersistedQueryOnly));
        }
        Ok(Found { text: text.into(), remember })
    }

    fn known(&self, id: &str) -> Result<Found, ServerError> {
        let registered = self.documents.0.get(id).cloned();
        let found = match self.trust {
            Trust::Manifest => registered,
            Trust::Any => registered.or_else(|| self.remembered.lock().get(id)),
        };
        found.map(|text| Found { text, remember: None }).ok_or_else(|| {
            // Clients look for this very text.
            let error = ServerError::new("PersistedQueryNotFound", None);
            with_code(error, Code::PersistedQueryNotFound)
        })
    }

    /// Remembers a document that has proved sound.
    pub(super) fn remember(&self, hash: String, text: &Arc<str>) {
        if self.trust == Trust::Any {
            self.remembered.lock().put(hash, text.clone(), self.capacity);
        }
    }
}

// === impl Remembered ===

impl Remembered {
    fn get(&mut self, hash: &str) -> Option<Arc<str>> {
        self.uses += 1;
        let entry = self.by_hash.get_mut(hash)?;
        entry.used = self.uses;
        Some(entry.text.clone())
    }

    fn put(&mut self, hash: String, text: Arc<str>, capacity: usize) {
        if text.len() > BYTES_MAX || capacity == 0 || self.get(&hash).is_some() {
            return;
        }
        while self.by_hash.len() >= capacity || self.bytes + text.len() > BYTES_MAX {
            let oldest = self.by_hash.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(hash, _)| hash.clone()) else { break };
            let removed = self.by_hash.remove(&oldest);
            self.bytes -= removed.map_or(0, |entry| entry.text.len());
        }
        self.bytes += text.len();
        self.by_hash.insert(hash, Entry { text, used: self.uses });
    }
}

/// An id without the name of its algorithm.
fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

fn is_hash(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::errors::carried;
    use super::*;

    const QUERY: &str = "{ __typename }";

    fn raw(query: Option<&str>, id: Option<&str>) -> Raw {
        Raw {
            query: query.map(str::to_owned),
            document_id: id.map(str::to_owned),
            ..Raw::default()
        }
    }

    fn code(persisted: &Persisted, raw: &Raw) -> String {
        match persisted.find(raw) {
            Ok(found) => found.text.to_string(),
            Err(error) => carried(&error).unwrap().to_owned(),
        }
    }

    #[test]
    fn g6_a_document_is_remembered_by_its_hash_and_a_wrong_hash_is_refused() {
        let persisted = Persisted::new(&Options::default());
        let id = hash(QUERY);
        assert_eq!(code(&persisted, &raw(None, Some(&id))), "PERSISTED_QUERY_NOT_FOUND");
        let found = persisted.find(&raw(Some(QUERY), Some(&id))).unwrap();
        persisted.remember(found.remember.unwrap(), &found.text);
        assert_eq!(code(&persisted, &raw(None, Some(&id))), QUERY);
        let forged = raw(Some("{ other }"), Some(&id));
        assert_eq!(code(&persisted, &forged), "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(code(&persisted, &raw(None, None)), "GRAPHQL_VALIDATION_FAILED");
    }

    #[test]
    fn g6_what_is_remembered_is_bounded_and_the_longest_unused_goes_first() {
        let persisted = Persisted::new(&Options { remembered: 2, ..Options::default() });
        let put = |text: &str| persisted.remember(hash(text), &Arc::from(text));
        put("{ a }");
        put("{ b }");
        assert_eq!(code(&persisted, &raw(None, Some(&hash("{ a }")))), "{ a }");
        put("{ c }");
        let gone = code(&persisted, &raw(None, Some(&hash("{ b }"))));
        assert_eq!(gone, "PERSISTED_QUERY_NOT_FOUND");
        assert_eq!(code(&persisted, &raw(None, Some(&hash("{ a }")))), "{ a }");
        let large = "x".repeat(BYTES_MAX + 1);
        put(&large);
        assert!(persisted.remembered.lock().bytes < 100);
    }

    #[test]
    fn g6_with_a_manifest_nothing_else_runs() {
        let manifest = format!("{{\"{}\": \"{QUERY}\", \"named\": \"{{ a }}\"}}", hash(QUERY));
        let documents = Arc::new(Documents::read(manifest.as_bytes()).unwrap());
        let options = Options { documents, trust: Trust::Manifest, ..Options::default() };
        let persisted = Persisted::new(&options);
        assert_eq!(code(&persisted, &raw(None, Some("named"))), "{ a }");
        assert_eq!(code(&persisted, &raw(None, Some(&format!("sha256:{}", hash(QUERY))))), QUERY);
        assert_eq!(code(&persisted, &raw(Some(QUERY), None)), QUERY);
        assert_eq!(code(&persisted, &raw(Some("{ b }"), None)), "PERSISTED_QUERY_ONLY");
        let hashed = raw(Some("{ b }"), Some(&hash("{ b }")));
        assert_eq!(code(&persisted, &hashed), "PERSISTED_QUERY_ONLY");
    }

    #[test]
    fn g6_both_forms_of_manifests_are_read_and_wrong_hashes_are_named() {
        let list = format!(
            "{{\"format\": \"x\", \"operations\": [{{\"id\": \"{}\", \"body\": \"{QUERY}\"}}]}}",
            hash(QUERY)
        );
        assert_eq!(Documents::read(list.as_bytes()).unwrap().len(), 1);
        let wrong = format!("{{\"{}\": \"{{ a }}\"}}", hash(QUERY));
        assert!(matches!(Documents::read(wrong.as_bytes()), Err(NotAManifest::Hash(_))));
        assert!(matches!(Documents::read(b"[]"), Err(NotAManifest::Shape)));
        assert!(matches!(Documents::read(b"{"), Err(NotAManifest::Json(_))));
    }
}
