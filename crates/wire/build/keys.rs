//! Writes `ApiKey` and its table of facts.

use std::fmt::Write as _;

use crate::model::Api;
use crate::types::describe;

pub(crate) fn enumeration(apis: &[Api]) -> Result<String, std::fmt::Error> {
    let mut out = String::from(
        "/// Which API a request is for.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\n\
         #[non_exhaustive]\npub enum ApiKey {\n",
    );
    for api in apis {
        let all = crate::model::Versions { min: i16::MIN, max: i16::MAX };
        writeln!(out, "    /// Key {}, {}.\n    {},", api.code, describe(api.versions, all), api.name)?;
    }
    writeln!(out, "}}\n\nconst FACTS: [Facts; {}] = [", apis.len())?;
    for api in apis {
        let flexible = api.flexible_from.map_or("i16::MAX".into(), |from| from.to_string());
        writeln!(
            out,
            "    Facts {{ key: ApiKey::{}, code: {}, name: \"{}\", min: {}, max: {}, stable_max: {}, \
             flexible_from: {flexible} }},",
            api.name, api.code, api.name, api.versions.min, api.versions.max, api.stable_max
        )?;
    }
    out.push_str("];\n");
    Ok(out)
}
