//! What Kafka knows of users and clients. It is not carried over yet; it is counted, so that nobody is surprised: who
//! may do what, credentials, quotas, delegation tokens. Only what tells two of a kind apart is read.
//!
//! ```text
//!   access control entry  id uuid │ ...                    removal  id uuid
//!   SCRAM credential      user string │ mechanism i8 │ ... removal  the same two
//!   quota                 entity [ type string │ name nullable string ] │ key string │ value f64 │ remove bool
//!   delegation token      ... │ token id string            removal  token id string
//! ```

use super::fields::{DecodeError, Fields, Flexible};

/// What tells two of a kind apart, as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identity {
    Acl(uuid::Uuid),
    Scram { user: String, mechanism: i8 },
    Quota { entity: Vec<(String, Option<String>)>, key: String },
    Token(String),
}

impl Identity {
    pub(super) fn acl(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self::Acl(fields.uuid()?))
    }

    pub(super) fn scram(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self::Scram { user: fields.string()?, mechanism: fields.i8()? })
    }

    /// Also whether it is taken away.
    pub(super) fn quota(fields: &mut Fields<'_>) -> Result<(Self, bool), DecodeError> {
        let entity = fields.list(|fields| {
            let part = (fields.string()?, fields.nullable_string()?);
            fields.tagged(|_, _| Ok(()))?;
            Ok(part)
        })?;
        let (key, _value) = (fields.string()?, fields.i64()?);
        Ok((Self::Quota { entity, key }, fields.flag()?))
    }

    pub(super) fn token(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let (_owner, _requester) = (fields.string()?, fields.string()?);
        fields.list(Flexible::string)?;
        let (_issued, _at_most, _expires) = (fields.i64()?, fields.i64()?, fields.i64()?);
        Ok(Self::Token(fields.string()?))
    }

    pub(super) fn removed_token(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self::Token(fields.string()?))
    }
}
