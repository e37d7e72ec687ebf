//! `pagewire backup` and `pagewire restore`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputAs;

/// Options of `backup`.
#[derive(Debug, Args)]
#[command(
    about = "Copy everything a broker keeps, while it serves or not",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "A consistent copy of everything a broker keeps: records, groups' offsets, topics and settings, all of one moment. While it \
serves, the broker makes it itself, asked through the control socket in its data directory, and as its own user; of a broker that \
does not run it is made by this program. Blocks are shared or files are linked where the file system can; every batch is checked. It \
is finished when backup.json is in it, and nothing of it can be served as it is: see pagewire restore.

Records that were damaged already are copied as they are, and told. A partition that cannot be read makes the backup fail; with \
--allow-missing it is left out, and told.

Exit code: 0; 1 when there is no backup; 3 when there is one, and what is damaged or missing in it was told.

Examples:
  pagewire backup --to /backups/monday
  pagewire backup --from /var/lib/pagewire --to /backups/tuesday --base /backups/monday
  pagewire backup --from /var/lib/pagewire --to /mnt/other/monday --rate 50M
  pagewire backup --from /disk1/pagewire --to /backups/last --allow-missing --exclude big-logs
  pagewire backup verify /backups/monday
  pagewire restore --from /backups/monday --to /var/lib/pagewire"
)]
pub(crate) struct BackupArgs {
    /// Something else than making one
    #[command(subcommand)]
    pub(crate) command: Option<BackupCommand>,
    /// The broker's (first) data directory [default: ./pagewire-data] [env: PAGEWIRE_DATA_DIR]. Of a broker that does
    /// not run and has several, of which one has another path than when it was served: each of them, the one with
    /// metadata.redb first
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Vec<PathBuf>,
    /// Where to: a directory that does not exist or is empty
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) to: Option<PathBuf>,
    /// An earlier backup on the same file system: segments that did not change since are links to its files
    #[arg(long, value_name = "DIR")]
    pub(crate) base: Option<PathBuf>,
    /// Copy every byte, share and link nothing
    #[arg(long)]
    pub(crate) copy: bool,
    /// Do not read and check what is only linked, nor the batches of what is copied
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Leave these topics out: names, separated by commas
    #[arg(long, value_name = "TOPIC,..", value_delimiter = ',')]
    pub(crate) exclude: Vec<String>,
    /// Leave out partitions that cannot be read: which is told, by whoever restores it too
    #[arg(long)]
    pub(crate) allow_missing: bool,
    /// Read at most so many bytes a second: 500K, 50M, 1G
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) rate: Option<u64>,
    /// The broker's properties file, for one that does not run [env: PAGEWIRE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}

/// What else can be done with backups.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Read a backup through: every length, checksum and batch
    #[command(
        after_help = "Names every file that is not what was copied, and records that were damaged before the backup was made.

Exit code: 0; 1 when it is not what was copied; 3 when it is, and damaged or missing records were told.

Example:
  pagewire backup verify /backups/monday -o json"
    )]
    Verify {
        /// The backup
        dir: PathBuf,
    },
}

/// Options of `restore`.
#[derive(Debug, Args)]
#[command(
    about = "Make a data directory of a backup",
    after_help = "pagewire serve starts on what this makes. Every byte is checked on its way, and a directory whose restore was not finished is \
not served. Records that were damaged before the backup was made are damaged again, and told; partitions that are missing in it \
begin anew. Of a backup that went bad itself nothing is made, unless --accept-damage says so: then every file that is not what was \
copied is told. The restored broker has the ids of the one that was backed up: do not let both run for the same clients. It leads by \
a far higher leader epoch, so that consumers that were further on notice.

Exit code: 0; 1 when nothing was made; 3 when it was, and what is damaged or missing in it was told.

Examples:
  pagewire restore --from /backups/monday --to /var/lib/pagewire
  pagewire restore --from /backups/monday --to /disk1/pagewire --to /disk2/pagewire
  pagewire restore --from /backups/monday --to /backups/look --link && pagewire serve --data-dir /backups/look"
)]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// The data directory to be: it does not exist or is empty. Several: the logs are spread over them, the metadata is
    /// in the first
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) to: Vec<PathBuf>,
    /// Link closed segments to the backup's files instead of copying them
    #[arg(long)]
    pub(crate) link: bool,
    /// Take what can be used of a backup that went bad: what is damaged in a segment cannot be read, everything else
    /// can; indexes, snapshots and checkpoints are made anew
    #[arg(long)]
    pub(crate) accept_damage: bool,
    /// Read at most so many bytes a second: 500K, 50M, 1G
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) rate: Option<u64>,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}

fn bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (text.get(..at), 10),
        Some((at, 'M' | 'm')) => (text.get(..at), 20),
        Some((at, 'G' | 'g')) => (text.get(..at), 30),
        _ => (Some(text), 0),
    };
    let number: Option<u64> = digits.and_then(|digits| digits.parse().ok());
    let bytes = number.and_then(|number| number.checked_mul(1 << shift)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "write a number of bytes, such as 50M".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn a_rate_is_a_positive_number_of_bytes() {
        assert_eq!((bytes("7"), bytes("2K"), bytes("50M")), (Ok(7), Ok(2048), Ok(50 << 20)));
        for bad in ["", "0", "M", "-1", "1.5G", "99999999999G", "1T"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_backup_needs_a_place_and_verifying_one_only_its_name() {
        assert!(Cli::try_parse_from(["pagewire", "backup"]).is_err());
        assert!(Cli::try_parse_from(["pagewire", "backup", "--to", "b"]).is_ok());
        assert!(Cli::try_parse_from(["pagewire", "backup", "verify", "b", "-o", "json"]).is_ok());
        assert!(Cli::try_parse_from(["pagewire", "backup", "--to", "b", "verify", "b"]).is_err());
    }
}
