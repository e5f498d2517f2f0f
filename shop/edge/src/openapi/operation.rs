//! One operation: what it takes, what it answers, and every way in which it can say no.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Schemas, Shape, add, shared};

/// JSON.
const JSON: &str = "application/json";
/// A merge patch (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";
/// What any operation may answer: nobody speaks that form, wrong method, too often, our mistake,
/// and what the gateway says when it cannot reach a service.
const ANY: [u16; 7] = [405, 406, 429, 500, 502, 503, 504];
/// Headers of what represents the resource of an address.
const TAGGED: [&str; 3] = ["ETag", "Vary", "Cache-Control"];
/// What an operation with a body may answer besides.
const WITH_BODY: [u16; 5] = [400, 408, 413, 415, 422];

/// A method at a path. Begin with [`Operation::get`] and the like.
#[derive(Clone, Debug)]
pub struct Operation {
    method: &'static str,
    path: String,
    id: String,
    summary: String,
    description: String,
    tag: Option<&'static str>,
    access: Access,
    deprecated: bool,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<&'static str, Answer>,
    problems: BTreeSet<u16>,
    schemas: Schemas,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Public,
    SignedIn,
    Operator,
}

/// One answer that is no problem.
#[derive(Clone, Debug)]
struct Answer {
    description: String,
    /// Schema and example of each media type.
    content: Map<String, Value>,
    headers: BTreeSet<&'static str>,
    links: Map<String, Value>,
}

/// In which forms a body is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// JSON.
    Json,
    /// A merge patch, or the same called JSON.
    Patch,
}

// === impl Operation ===

impl Operation {
    fn new(method: &'static str, path: &str, id: &str) -> Self {
        let mut problems: BTreeSet<u16> = ANY.into();
        if path.contains('{') {
            // An address whose parts cannot be decoded, and one where nothing is.
            problems.extend([400, 404]);
        }
        Self {
            method,
            path: path.to_owned(),
            id: id.to_owned(),
            summary: String::new(),
            description: String::new(),
            tag: None,
            access: Access::SignedIn,
            deprecated: false,
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            problems,
            schemas: Schemas::new(),
        }
        .signed_in()
    }

    /// GET, under an id that generated clients use as the name of a function. Signed in, unless it
    /// is said otherwise.
    pub fn get(path: &str, id: &str) -> Self {
        Self::new("get", path, id)
    }

    /// POST.
    pub fn post(path: &str, id: &str) -> Self {
        Self::new("post", path, id)
    }

    /// PUT.
    pub fn put(path: &str, id: &str) -> Self {
        Self::new("put", path, id)
    }

    /// PATCH.
    pub fn patch(path: &str, id: &str) -> Self {
        Self::new("patch", path, id)
    }

    /// DELETE.
    pub fn delete(path: &str, id: &str) -> Self {
        Self::new("delete", path, id)
    }

    /// What it does, in a few words and in some sentences.
    #[must_use]
    pub fn says(mut self, summary: &str, description: &str) -> Self {
        (self.summary, self.description) = (summary.to_owned(), description.to_owned());
        self
    }

    /// Shown under this tag instead of its part's.
    #[must_use]
    pub fn tagged(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// Anybody may call it.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.access = Access::Public;
        self.problems.remove(&401);
        self
    }

    /// Somebody with a token may call it.
    #[must_use]
    pub fn signed_in(mut self) -> Self {
        self.access = Access::SignedIn;
        self.problems.insert(401);
        self
    }

    /// The operator may call it.
    #[must_use]
    pub fn operator(mut self) -> Self {
        self.access = Access::Operator;
        self.problems.extend([401, 403]);
        self
    }

    /// A newer operation should be called: its answers say until when this one is there.
    #[must_use]
    pub fn deprecated(mut self) -> Self {
        self.deprecated = true;
        for answer in self.answers.values_mut() {
            answer.headers.extend(shared::DEPRECATED);
        }
        self
    }

    /// A part of the path.
    #[must_use]
    pub fn at(self, name: &str, about: &str, schema: Value, example: impl Into<Value>) -> Self {
        self.parameter("path", name, about, true, schema, example.into())
    }

    /// A part of the path that is an id which the shop gave out.
    #[must_use]
    pub fn at_id(self, name: &str, about: &str) -> Self {
        self.at(name, about, json!({ "type": "string", "minLength": 1 }), super::ID)
    }

    /// A parameter of the query, which may be left out.
    #[must_use]
    pub fn query(
        mut self,
        name: &str,
        about: &str,
        schema: Value,
        example: impl Into<Value>,
    ) -> Self {
        self.problems.insert(400);
        self.parameter("query", name, about, false, schema, example.into())
    }

    /// A parameter of the query that must be there.
    #[must_use]
    pub fn needs(
        mut self,
        name: &str,
        about: &str,
        schema: Value,
        example: impl Into<Value>,
    ) -> Self {
        self.problems.insert(400);
        self.parameter("query", name, about, true, schema, example.into())
    }

    fn parameter(
        mut self,
        place: &str,
        name: &str,
        about: &str,
        required: bool,
        schema: Value,
        example: Value,
    ) -> Self {
        self.parameters.push(json!({
            "in": place,
            "name": name,
            "description": about,
            "required": required,
            "schema": schema,
            "example": example,
        }));
        self
    }

    /// A page at a time: `limit` and `cursor`.
    #[must_use]
    fn paged(mut self) -> Self {
        self.problems.insert(400);
        self.parameters.extend(shared::page_parameters());
        self
    }

    /// The header `Idempotency-Key`, required or not: the same key, the same answer.
    #[must_use]
    pub fn idempotent(mut self, required: bool) -> Self {
        self.parameters.push(shared::idempotency_key(required));
        self.problems.extend([400, 409, 422]);
        for answer in self.answers.values_mut() {
            answer.headers.insert("Idempotency-Replayed");
        }
        self
    }

    /// What every answer of JSON to a GET is: tagged, and 304 when the caller has it already.
    fn represented(mut self) -> Self {
        match self.method {
            "get" => {
                self.parameters.push(shared::if_none_match());
                let mut same = Answer::new("It has not changed since the caller read it.");
                same.headers.extend(TAGGED);
                self.answers.insert("304", same);
                self.shows_all(&TAGGED)
            }
            "put" | "patch" => self.shows_all(&TAGGED),
            _ => self,
        }
    }

    fn shows_all(mut self, headers: &[&'static str]) -> Self {
        for answer in self.answers.values_mut() {
            answer.headers.extend(headers);
        }
        self
    }

    /// Changes only the version that `If-Match` names; where it is required, 428 without.
    #[must_use]
    pub fn if_match(mut self, required: bool) -> Self {
        self.parameters.push(shared::if_match(required));
        self.problems.insert(412);
        if required {
            self.problems.insert(428);
        }
        self
    }

    /// Takes a body of this shape.
    #[must_use]
    pub fn body<T: Shape>(mut self, bodies: Bodies) -> Self {
        let schema = add::<T>(&mut self.schemas);
        let content = json!({ "schema": schema, "example": example::<T>() });
        let types: &[&str] = match bodies {
            Bodies::Json => &[JSON],
            Bodies::Patch => &[MERGE_PATCH, JSON],
        };
        let content: Map<_, _> =
            types.iter().map(|it| ((*it).to_owned(), content.clone())).collect();
        self.body = Some(json!({ "required": true, "content": content }));
        self.problems.extend(WITH_BODY);
        self
    }

    fn answer(mut self, status: &'static str, answer: Answer) -> Self {
        self.answers.insert(status, answer);
        self
    }

    /// 200 with this shape.
    #[must_use]
    pub fn ok<T: Shape>(mut self, about: &str) -> Self {
        let answer = Answer::new(about).json(add::<T>(&mut self.schemas), example::<T>());
        self.answer("200", answer).represented()
    }

    /// 201 with this shape, and where it is.
    #[must_use]
    pub fn created<T: Shape>(mut self, about: &str) -> Self {
        let mut answer = Answer::new(about).json(add::<T>(&mut self.schemas), example::<T>());
        answer.headers.insert("Location");
        self.answer("201", answer)
    }

    /// 201 with this shape, for something that has no address.
    #[must_use]
    pub fn created_nowhere<T: Shape>(mut self, about: &str) -> Self {
        let answer = Answer::new(about).json(add::<T>(&mut self.schemas), example::<T>());
        self.answer("201", answer)
    }

    /// 202 with this shape.
    #[must_use]
    pub fn accepted<T: Shape>(mut self, about: &str) -> Self {
        let answer = Answer::new(about).json(add::<T>(&mut self.schemas), example::<T>());
        self.answer("202", answer)
    }

    /// A status with nothing in it: 202 or 204.
    #[must_use]
    pub fn empty(self, status: &'static str, about: &str) -> Self {
        self.answer(status, Answer::new(about))
    }

    /// 200 with a text that is no JSON, of this media type.
    #[must_use]
    pub fn text(self, about: &str, media_type: &'static str, example: &str) -> Self {
        self.answer(
            "200",
            Answer::new(about).content(media_type, json!({ "type": "string" }), example.into()),
        )
    }

    /// The same text in another form, if the caller asks for that.
    #[must_use]
    pub fn or_as(mut self, media_type: &'static str, example: &str) -> Self {
        if let Some(answer) = self.answers.remove("200") {
            let answer = answer.content(media_type, json!({ "type": "string" }), example.into());
            self.answers.insert("200", answer);
        }
        self
    }

    /// 200 with a status of its own beside 503: what health says.
    #[must_use]
    pub fn or_503<T: Shape>(mut self, about: &str) -> Self {
        self.problems.remove(&503);
        let answer = Answer::new(about).json(add::<T>(&mut self.schemas), example::<T>());
        self.answer("503", answer)
    }

    /// 200 with a page of a collection; `limit` and `cursor` are its parameters.
    #[must_use]
    pub fn page_of<T: Shape>(self, about: &str) -> Self {
        self.collection::<T>(about, true).paged()
    }

    /// 200 with a collection that is answered as a whole.
    #[must_use]
    pub fn list_of<T: Shape>(self, about: &str) -> Self {
        self.collection::<T>(about, false)
    }

    fn collection<T: Shape>(mut self, about: &str, paged: bool) -> Self {
        let items = add::<T>(&mut self.schemas);
        let links = add::<super::Link>(&mut self.schemas);
        let name = format!("{}{}", T::name(), if paged { "Page" } else { "List" });
        self.schemas.insert(name.clone(), shared::collection(&name, items, links, paged));
        let mut example = json!({ "items": [example::<T>()] });
        if paged {
            example["next"] = shared::CURSOR.into();
        }
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.answer("200", Answer::new(about).json(schema, example)).represented()
    }

    /// A header that its good answers carry besides.
    #[must_use]
    pub fn shows(self, header: &'static str) -> Self {
        self.shows_all(&[header])
    }

    /// From its good answer on to another operation, with parameters taken out of the answer
    /// (`$response.body#/id`).
    #[must_use]
    pub fn leads_to(mut self, operation: &str, parameters: &[(&str, &str)]) -> Self {
        let parameters: Map<_, _> = parameters
            .iter()
            .map(|(name, from)| ((*name).to_owned(), Value::from(*from)))
            .collect();
        let link = json!({ "operationId": operation, "parameters": parameters });
        for (status, answer) in &mut self.answers {
            if status.starts_with('2') {
                answer.links.insert(operation.to_owned(), link.clone());
            }
        }
        self
    }

    /// One more way to say no.
    #[must_use]
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.problems.extend(statuses);
        self
    }

    /// A way to say no that this one has not, although others like it have.
    #[must_use]
    pub fn never(mut self, statuses: &[u16]) -> Self {
        self.problems.retain(|status| !statuses.contains(status));
        self
    }

    /// `GET /api/v1/users`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    pub(super) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = u16> {
        self.problems.iter().copied()
    }

    pub(super) fn to_json(&self, tag: &str) -> Value {
        let mut responses: Map<_, _> = self
            .answers
            .iter()
            .map(|(status, answer)| ((*status).to_owned(), answer.to_json()))
            .collect();
        for status in &self.problems {
            responses.insert(status.to_string(), shared::response(*status));
        }
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "description": self.description,
            "tags": [self.tag.unwrap_or(tag)],
            "responses": responses,
            "security": match self.access {
                Access::Public => json!([]),
                Access::SignedIn | Access::Operator => json!([{ shared::BEARER: [] }]),
            },
        });
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.clone().into();
        }
        if let Some(body) = &self.body {
            operation["requestBody"] = body.clone();
        }
        if self.deprecated {
            operation["deprecated"] = true.into();
        }
        operation
    }
}

fn example<T: Shape>() -> Value {
    serde_json::to_value(T::example()).unwrap_or_default()
}

// === impl Answer ===

impl Answer {
    fn new(about: &str) -> Self {
        Self {
            description: about.to_owned(),
            content: Map::new(),
            headers: shared::EVERYWHERE.into(),
            links: Map::new(),
        }
    }

    fn json(self, schema: Value, example: Value) -> Self {
        self.content(JSON, schema, example)
    }

    fn content(mut self, media_type: &str, schema: Value, example: Value) -> Self {
        let content = json!({ "schema": schema, "example": example });
        self.content.insert(media_type.to_owned(), content);
        self
    }

    fn to_json(&self) -> Value {
        let headers: Map<_, _> =
            self.headers.iter().map(|it| ((*it).to_owned(), shared::header(it))).collect();
        let mut answer = json!({ "description": self.description, "headers": headers });
        if !self.content.is_empty() {
            answer["content"] = self.content.clone().into();
        }
        if !self.links.is_empty() {
            answer["links"] = self.links.clone().into();
        }
        answer
    }
}
