//! What reads the bytes of the embedded store's rows, for the fuzz targets: nothing that a store needs.

use crate::store::StoreError;

/// Reads a row as it lies in the file, and writes it again: its bytes.
pub fn row(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    crate::embedded::row_again(bytes)
}
