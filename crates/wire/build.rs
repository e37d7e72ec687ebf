//! Generates the message codec from `schema/*.txt` into `OUT_DIR`: see `schema/README.md` for the notation and
//! `src/lib.rs` for how to read the result.

#[path = "build/emit.rs"]
mod emit;
#[path = "build/keys.rs"]
mod keys;
#[path = "build/model.rs"]
mod model;
#[path = "build/parse.rs"]
mod parse;
#[path = "build/testing.rs"]
mod testing;
#[path = "build/types.rs"]
mod types;

use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=schema");
    println!("cargo::rerun-if-changed=build");
    let out = std::env::var("OUT_DIR")?;
    let out = Path::new(&out);
    let with_testing = std::env::var_os("CARGO_FEATURE_TESTING").is_some();

    let mut paths: Vec<_> = fs::read_dir("schema")?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    let mut schema = model::Schema::default();
    for path in paths {
        parse::parse(&fs::read_to_string(&path)?, &mut schema)
            .map_err(|(line, why)| format!("{}:{line}: {why}", path.display()))?;
    }
    schema.apis.sort_by_key(|api| api.code);

    let folder = out.join("messages");
    fs::create_dir_all(&folder)?;
    let mut index = String::new();
    for message in &schema.messages {
        let module = types::snake(&message.name);
        let mut code = emit::message(message)?;
        if with_testing {
            code.push_str(&testing::random(message));
            code.push_str(&testing::shapes(message));
        }
        let path = folder.join(format!("{module}.rs"));
        fs::write(&path, code)?;
        index.push_str(&emit::module(message, &module, &path.display().to_string()));
    }
    if with_testing {
        index.push_str(&testing::table(&schema.messages));
    }
    fs::write(out.join("messages.rs"), index)?;
    fs::write(out.join("api_key.rs"), keys::enumeration(&schema.apis)?)?;
    Ok(())
}
