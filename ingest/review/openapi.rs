//! The description of the API, out of the table of routes and the types of their bodies.

use axum::Json;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Role;
use super::guard::CSRF_HEADER;
use super::routes::{Access, routes};

pub(super) async fn document() -> Json<Value> {
    Json(describe())
}

fn describe() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes().iter().filter(|route| route.path.starts_with("/api/")) {
        let parameters: Vec<Value> = route
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        let scopes: Vec<&str> = route.scopes.iter().map(|scope| scope.name()).collect();
        let mut operation = json!({
            "summary": route.summary,
            "description": match route.access {
                Access::Anyone => "Without a login.".to_owned(),
                Access::LoggedIn => "Every role.".to_owned(),
                Access::Only(roles) => {
                    let names: Vec<&str> = roles.iter().copied().map(Role::name).collect();
                    format!("Roles: {}.", names.join(", "))
                }
            },
            "x-scopes": scopes,
            "parameters": parameters,
            "responses": {
                "200": { "description": "Done" },
                "4XX": { "description": "An object whose `code` says what is wrong" },
            },
        });
        if let Some(schema) = route.input {
            let schema = schema(&mut generator);
            operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
        }
        if let Some(schema) = route.output {
            let schema = schema(&mut generator);
            operation["responses"]["200"]["content"] = json!({ "application/json": { "schema": schema } });
        }
        let method = route.method.as_str().to_lowercase();
        paths.entry(route.path).or_insert_with(|| json!({}))[method] = operation;
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "uketsuke review desk",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "A session's cookie comes with `login`; whatever is no GET sends its `csrf` as {CSRF_HEADER}. \
                 A machine sends its token as `Authorization: Bearer`, and has the operations of its scopes."
            ),
        },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_description_is_there() {
        let document = describe();
        let text = document.to_string();
        let named = text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next());
        let mut count = 0;
        for pointer in named {
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            count += 1;
        }
        assert!(count > 10);
        assert!(document["paths"]["/api/v1/tasks/claim"]["post"]["requestBody"].is_object());
    }
}
